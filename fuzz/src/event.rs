//! Every OTLP/JSON request of logs and of traces is JSON, and loses no record and no span uncounted.

use std::sync::Arc;

use arbitrary::Arbitrary;
use barewire::{Event, Label, Level, Metric, Registry, Sample, SampleSeries, TraceContext, view::Scope};
use barewire_otlp_json::{Encoded, LogEncoder, SpanEncoder};
use serde_json::Value as Json;

use crate::frame::{LabelText, Name, Text};

/// What one program tells of.
#[derive(Debug, Arbitrary)]
pub struct Told {
    resource: Vec<(Text, LabelText)>,
    scope: Option<(Text, Text)>,
    events: Vec<Happened>,
    series: Vec<(Name, Role)>,
    samples: Vec<Seen>,
    /// How long the spans of a document may become, but for the last of them.
    limit_bytes: u16,
}

/// Mirrors [`Event`].
#[derive(Debug, Arbitrary)]
pub(crate) struct Happened {
    name: Text,
    time_unix_ns: u64,
    title: Text,
    text: Text,
    level: u8,
    labels: Vec<(Text, LabelText)>,
}

/// What makes a span of a series more than a name.
#[derive(Debug, Arbitrary)]
struct Role {
    method: Option<Text>,
    step: Option<Text>,
    error: Option<Text>,
}

/// Mirrors [`Sample`], of the series of that number.
#[derive(Debug, Arbitrary)]
struct Seen {
    series: u8,
    start_unix_ns: u64,
    duration_ns: u64,
    trace: Option<(u64, u64)>,
}

/// Encodes all of it, and reads the documents.
///
/// # Panics
/// When one is no JSON, or when something is missing.
pub fn check(told: Told) {
    let resource: Arc<[Label]> =
        told.resource.into_iter().map(|(key, value)| Label::new(key, value)).collect();
    let scope = told.scope.map(|(name, version)| Scope { name: name.into(), version: version.into() });
    let events: Vec<Event> = told.events.into_iter().map(Into::into).collect();
    check_logs(&resource, scope.clone(), &events);
    let registry = Registry::new("fuzz");
    let series: Vec<_> = told.series.into_iter().map(|(name, role)| role.series(name, &registry)).collect();
    if !series.is_empty() {
        let samples: Vec<_> = told.samples.iter().map(|seen| seen.sample(&series)).collect();
        check_spans(&resource, scope, &samples, usize::from(told.limit_bytes) + 1);
    }
}

fn check_logs(resource: &Arc<[Label]>, scope: Option<Scope>, events: &[Event]) {
    let mut document = Vec::new();
    LogEncoder::new(scope).push_request(resource, events, &mut document);
    assert_eq!(count(&document, ["resourceLogs", "scopeLogs", "logRecords"]), events.len());
}

fn check_spans(
    resource: &Arc<[Label]>,
    scope: Option<Scope>,
    samples: &[(Arc<Metric>, Sample)],
    limit_bytes: usize,
) {
    let mut encoder = SpanEncoder::new(scope);
    let mut left = samples.iter().map(|(metric, sample)| (metric, sample)).peekable();
    let mut sum = Encoded::default();
    while left.peek().is_some() {
        let mut document = Vec::new();
        let encoded = encoder.push_request(resource, &mut left, limit_bytes, &mut document);
        assert_eq!(count(&document, ["resourceSpans", "scopeSpans", "spans"]) as u64, encoded.points);
        sum.points += encoded.points;
        sum.left_out += encoded.left_out;
    }
    let traced = samples.iter().filter(|(_, sample)| sample.trace.is_some()).count() as u64;
    assert_eq!(sum.points + sum.left_out, traced);
}

/// How many items a document has. None is no document.
fn count(document: &[u8], [resources, scopes, items]: [&str; 3]) -> usize {
    if document.is_empty() {
        return 0;
    }
    let json: Json = serde_json::from_slice(document).expect("JSON");
    json[resources][0][scopes][0][items].as_array().expect("a list").len()
}

impl From<Happened> for Event {
    fn from(happened: Happened) -> Self {
        let level =
            [Level::Info, Level::Success, Level::Warning, Level::Error][usize::from(happened.level % 4)];
        let event = Event::new(String::from(happened.name), happened.time_unix_ns)
            .title(happened.title)
            .text(happened.text)
            .level(level);
        happened.labels.into_iter().fold(event, |event, (key, value)| event.label(key, value))
    }
}

impl Role {
    fn series(self, name: Name, registry: &Registry) -> (Arc<Metric>, SampleSeries) {
        let Role { method, step, error } = self;
        let labels = [("http.request.method", method), ("load_test.step", step), ("error.type", error)];
        let metric = labels.into_iter().fold(Metric::from(name), |metric, (key, text)| match text {
            Some(text) => metric.label(key, String::from(text)),
            None => metric,
        });
        let series = registry.sample_series(metric.clone());
        (Arc::new(metric), series)
    }
}

impl Seen {
    fn sample(&self, series: &[(Arc<Metric>, SampleSeries)]) -> (Arc<Metric>, Sample) {
        let Seen { start_unix_ns, duration_ns, trace, .. } = *self;
        let (metric, series) = &series[usize::from(self.series) % series.len()];
        let trace = trace.map(|(id, span_id)| TraceContext { trace_id: u128::from(id) << 32, span_id });
        let series = *series;
        (Arc::clone(metric), Sample { series, start_unix_ns, duration_ns, bytes: 0, counted: true, trace })
    }
}

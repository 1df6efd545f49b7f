//! What holds for any events and any samples: the document is JSON, it says what an obvious encoder says, and no span
//! is lost uncounted.

use std::{
    collections::HashSet,
    sync::{Arc, LazyLock},
};

use barewire::{
    Event, Label, LabelValue, Level, Metric, Registry, Sample, SampleSeries, TraceContext, view::Scope,
};
use barewire_otlp_json::{Encoded, LogEncoder, SpanEncoder};
use proptest::{collection::vec, option, prelude::*};
use serde_json::{Value as Json, json};

proptest! {
    #[test]
    fn records_say_what_an_obvious_encoder_says(
        scope in scope(), requests in vec((resource(), vec(event(), 0..4)), 0..3),
    ) {
        let mut encoder = LogEncoder::new(scope.clone());
        for (resource, events) in requests {
            let mut out = Vec::new();
            encoder.push_request(&resource, &events, &mut out);
            prop_assert_eq!(parse(&out), naive::logs(&resource, scope.as_ref(), &events));
        }
    }

    #[test]
    fn spans_say_what_an_obvious_encoder_says(
        scope in scope(), requests in vec((resource(), vec(traced(), 0..6)), 0..3),
    ) {
        let mut encoder = SpanEncoder::new(scope.clone());
        for (resource, samples) in requests {
            let (out, encoded) = spans(&mut encoder, &resource, &samples, usize::MAX);
            let (expected, left_out) = naive::spans(&resource, scope.as_ref(), &samples);
            prop_assert_eq!(parse(&out), expected);
            let traced = samples.iter().filter(|(_, sample)| sample.trace.is_some()).count() as u64;
            prop_assert_eq!(encoded, Encoded { points: traced - left_out, left_out });
        }
    }

    #[test]
    fn documents_of_any_length_have_together_what_one_has(
        resource in resource(), samples in vec(traced(), 0..20), limit_bytes in 1..2000_usize,
    ) {
        let mut encoder = SpanEncoder::new(None);
        let (whole, expected) = spans(&mut encoder, &resource, &samples, usize::MAX);
        let mut left = samples.iter().map(|(metric, sample)| (metric, sample)).peekable();
        let (mut together, mut sum) = (Vec::new(), Encoded::default());
        while left.peek().is_some() {
            let mut out = Vec::new();
            let encoded = encoder.push_request(&resource, &mut left, limit_bytes, &mut out);
            let document = parse(&out);
            let list = list(&document);
            prop_assert_eq!(list.len() as u64, encoded.points);
            // All but the last are within the limit.
            let lengths = list.iter().rev().skip(1).map(|span| span.to_string().len());
            prop_assert!(lengths.sum::<usize>() < limit_bytes);
            together.extend_from_slice(list);
            sum.points += encoded.points;
            sum.left_out += encoded.left_out;
        }
        let whole = parse(&whole);
        prop_assert_eq!(together, list(&whole));
        prop_assert_eq!(sum, expected);
    }
}

type Traced = (Arc<Metric>, Sample);

fn spans(
    encoder: &mut SpanEncoder,
    resource: &Arc<[Label]>,
    samples: &[Traced],
    limit_bytes: usize,
) -> (Vec<u8>, Encoded) {
    let (mut out, mut samples) = (Vec::new(), samples.iter().map(|(metric, sample)| (metric, sample)));
    let encoded = encoder.push_request(resource, &mut samples, limit_bytes, &mut out);
    (out, encoded)
}

fn parse(document: &[u8]) -> Json {
    if document.is_empty() { Json::Null } else { serde_json::from_slice(document).expect("JSON") }
}

fn list(document: &Json) -> &[Json] {
    let spans = &document["resourceSpans"][0]["scopeSpans"][0]["spans"];
    spans.as_array().map_or(&[], Vec::as_slice)
}

fn scope() -> impl Strategy<Value = Option<Scope>> {
    option::of((text(), text()).prop_map(|(name, version)| Scope { name, version }))
}

fn resource() -> impl Strategy<Value = Arc<[Label]>> {
    labels().prop_map(Arc::from)
}

fn labels() -> impl Strategy<Value = Vec<Label>> {
    vec((text(), label_value()).prop_map(|(key, value)| Label { key, value }), 0..4)
}

fn event() -> impl Strategy<Value = Event> {
    let level =
        prop_oneof![Just(Level::Info), Just(Level::Success), Just(Level::Warning), Just(Level::Error)];
    (text(), any::<u64>(), text(), text(), level, labels()).prop_map(
        |(name, time_unix_ns, title, text, level, labels)| Event {
            name: name.into(),
            time_unix_ns,
            title,
            text,
            level,
            labels,
        },
    )
}

/// A few series, so that an encoder meets them again, also under other names.
fn traced() -> impl Strategy<Value = Traced> {
    let id = || prop_oneof![1 => Just(0), 9 => any::<u64>()];
    let trace = option::of((id(), id(), id()).prop_map(|(high, low, span_id)| TraceContext {
        trace_id: u128::from(high) << 64 | u128::from(low),
        span_id,
    }));
    let times = (any::<u64>(), prop_oneof![any::<u64>(), 0..1_000_000_000_u64]);
    (0..SERIES.len(), metric(), times, any::<bool>(), trace).prop_map(
        |(series, metric, (start_unix_ns, duration_ns), counted, trace)| {
            let series = SERIES[series];
            (metric, Sample { series, start_unix_ns, duration_ns, bytes: 0, counted, trace })
        },
    )
}

static SERIES: LazyLock<[SampleSeries; 3]> = LazyLock::new(|| {
    let registry = Registry::new("laws");
    ["a", "b", "c"].map(|name| registry.sample_series(Metric::new(name)))
});

fn metric() -> impl Strategy<Value = Arc<Metric>> {
    (text(), labels()).prop_map(|(name, labels)| Arc::new(Metric { labels, ..Metric::new(name) }))
}

/// Often one that means something, else hostile.
fn text() -> impl Strategy<Value = String> {
    const MEANING: [&str; 7] =
        ["", "a", "http.request.method", "load_test.step", "error.type", "outcome", "failure"];
    prop_oneof![
        4 => prop::sample::select(&MEANING[..]).prop_map(str::to_owned),
        3 => vec(prop_oneof![any::<char>(), prop::char::range('\0', '\u{7f}')], 0..6)
            .prop_map(String::from_iter),
    ]
}

fn label_value() -> impl Strategy<Value = LabelValue> {
    prop_oneof![text().prop_map(LabelValue::Text), any::<i64>().prop_map(LabelValue::Int)]
}

/// The encoders as one would write them without a thought for speed.
mod naive {
    use super::*;

    pub(crate) fn logs(resource: &[Label], scope: Option<&Scope>, events: &[Event]) -> Json {
        let records: Vec<Json> = events.iter().map(record).collect();
        let entry = json!({"scopeLogs": [with_scope(scope, json!({"logRecords": records}))]});
        if events.is_empty() { Json::Null } else { json!({"resourceLogs": [with_resource(resource, entry)]}) }
    }

    fn record(event: &Event) -> Json {
        let (number, text) =
            [(9, "INFO"), (10, "SUCCESS"), (13, "WARN"), (17, "ERROR")][event.level as usize];
        let mut record = json!({
            "timeUnixNano": event.time_unix_ns.to_string(),
            "observedTimeUnixNano": event.time_unix_ns.to_string(),
            "severityNumber": number,
            "severityText": text,
        });
        let lines = [event.title.as_str(), event.text.as_str()];
        let body = lines.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
        if !body.is_empty() {
            record["body"] = json!({"stringValue": body});
        }
        if !event.name.is_empty() {
            record["eventName"] = json!(event.name);
        }
        with_attributes(&event.labels, &mut record);
        record
    }

    pub(crate) fn spans(resource: &[Label], scope: Option<&Scope>, samples: &[Traced]) -> (Json, u64) {
        let traced: Vec<_> = samples.iter().filter(|(_, sample)| sample.trace.is_some()).collect();
        let spans: Vec<Json> = traced.iter().filter_map(|traced| span(traced)).collect();
        let left_out = (traced.len() - spans.len()) as u64;
        let is_empty = spans.is_empty();
        let entry = json!({"scopeSpans": [with_scope(scope, json!({"spans": spans}))]});
        let request = json!({"resourceSpans": [with_resource(resource, entry)]});
        (if is_empty { Json::Null } else { request }, left_out)
    }

    fn span((metric, sample): &Traced) -> Option<Json> {
        let text = |key: &str| metric.label_value(key).map(|value| value.to_text().into_owned());
        let words = [text("http.request.method"), text("load_test.step")];
        let name = match words.map(Option::unwrap_or_default) {
            [method, _] if method.is_empty() => metric.name.clone(),
            [method, step] if step.is_empty() => method,
            words => words.join(" "),
        };
        let trace = sample.trace?;
        if name.is_empty() || trace.trace_id == 0 || trace.span_id == 0 {
            return None;
        }
        let end = u128::from(sample.start_unix_ns) + u128::from(sample.duration_ns);
        let mut span = json!({
            "traceId": format!("{:032x}", trace.trace_id),
            "spanId": format!("{:016x}", trace.span_id),
            "flags": 257,
            "name": name,
            "kind": 3,
            "startTimeUnixNano": sample.start_unix_ns.to_string(),
            "endTimeUnixNano": end.min(u64::MAX.into()).to_string(),
        });
        if text("error.type").is_some() || text("outcome").as_deref() == Some("failure") {
            span["status"] = json!({"code": 2});
        }
        with_attributes(&metric.labels, &mut span);
        Some(span)
    }

    fn with_scope(scope: Option<&Scope>, mut entry: Json) -> Json {
        if let Some(scope) = scope {
            entry["scope"] = json!({"name": scope.name});
            if !scope.version.is_empty() {
                entry["scope"]["version"] = json!(scope.version);
            }
        }
        entry
    }

    fn with_resource(resource: &[Label], mut entry: Json) -> Json {
        let attributes: Vec<_> =
            resource.iter().filter(|label| !label.key.is_empty()).map(attribute).collect();
        if !attributes.is_empty() {
            entry["resource"] = json!({"attributes": attributes});
        }
        entry
    }

    /// Of labels with the same key the last one stays.
    fn with_attributes(labels: &[Label], item: &mut Json) {
        let (mut seen, mut attributes) = (HashSet::from([""]), Vec::new());
        for label in labels.iter().rev() {
            if seen.insert(&label.key) {
                attributes.insert(0, attribute(label));
            }
        }
        let dropped = labels.len() - attributes.len();
        if dropped > 0 {
            item["droppedAttributesCount"] = json!(dropped);
        }
        if !attributes.is_empty() {
            item["attributes"] = json!(attributes);
        }
    }

    fn attribute(label: &Label) -> Json {
        match &label.value {
            LabelValue::Text(text) => json!({"key": label.key, "value": {"stringValue": text}}),
            LabelValue::Int(int) => json!({"key": label.key, "value": {"intValue": int.to_string()}}),
        }
    }
}

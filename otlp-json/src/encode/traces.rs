//! Samples in, one OTLP/JSON document of spans out.
//!
//! ```text
//! {"resourceSpans":[
//!   {"resource":{"attributes":[…]},"scopeSpans":[{"scope":{"name":"s","version":"1"},"spans":[
//!     {"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331",                    a sample's own
//!      "flags":257,"name":"GET browse","kind":3,                                                     one a series
//!      "startTimeUnixNano":"1","endTimeUnixNano":"2",                                                a sample's own
//!      "attributes":[…],"status":{"code":2}}]}]}]}                                                   one a series
//! ```
//!
//! What is the same for all spans of a series is rendered when the first of them comes. A span has no parent, and is
//! of kind CLIENT: it is what the side that asks saw of a request. It is called by method and step, as the semantic
//! conventions want an HTTP client's span called, the step in the place of the URL's template; without a method it is
//! called like its series. It is an error if its series has an `error.type`, or a `failure` for an `outcome`; else its
//! status is unset, which is for the library that makes the request (trace API, "Set Status").

use std::{collections::HashMap, sync::Arc};

use barewire::{
    Label, LabelValue, Metric, Sample, SampleSeries, TraceContext,
    view::Scope,
    wire::text::{push_json_string, push_u64},
};

use super::{
    Encoded,
    envelope::{Head, ITEMS_END, List, RESOURCES_END, SPANS, push_attributes_or_count},
};

/// The trace flag *sampled*, and that the parent is known not to be remote, as there is none (`trace.proto`, `SpanFlags`).
const FLAGS: u64 = 0x001 | 0x100;
/// `SPAN_KIND_CLIENT`.
const CLIENT: u64 = 3;

/// Turns samples that have a place in a trace into `ExportTraceServiceRequest`s.
///
/// ```
/// use std::sync::Arc;
///
/// use barewire::{Metric, Registry, Sample, TraceContext};
/// use barewire_otlp_json::{Encoded, SpanEncoder};
///
/// let metric = Arc::new(Metric::new("http.client.request").label("http.request.method", "GET"));
/// let sample = Sample {
///     series: Registry::new("shop").sample_series(metric.as_ref().clone()),
///     start_unix_ns: 1,
///     duration_ns: 2,
///     bytes: 0,
///     counted: true,
///     trace: Some(TraceContext { trace_id: 0xa, span_id: 0xb }),
/// };
///
/// let mut out = Vec::new();
/// let encoded =
///     SpanEncoder::new(None).push_request(&Arc::default(), &mut [(&metric, &sample)].into_iter(), 1 << 20, &mut out);
/// assert_eq!(encoded, Encoded { points: 1, left_out: 0 });
/// assert_eq!(
///     String::from_utf8(out).unwrap(),
///     concat!(
///         r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0000000000000000000000000000000a","#,
///         r#""spanId":"000000000000000b","flags":257,"name":"GET","kind":3,"startTimeUnixNano":"1","#,
///         r#""endTimeUnixNano":"3","attributes":[{"key":"http.request.method","value":{"stringValue":"GET"}}]}]}]}]}"#
///     )
/// );
/// ```
#[derive(Debug)]
pub struct SpanEncoder {
    head: Head,
    templates: HashMap<SampleSeries, Template>,
}

/// What is the same for all spans of a series.
#[derive(Debug)]
struct Template {
    metric: Arc<Metric>,
    /// From the flags to the start, or nothing where a span would have no name.
    front: Box<[u8]>,
    /// From the attributes to the end, its comma included.
    back: Box<[u8]>,
}

impl SpanEncoder {
    /// An encoder of what `scope` saw. It knows no series yet.
    pub fn new(scope: Option<Scope>) -> Self {
        SpanEncoder { head: Head::new(SPANS, scope), templates: HashMap::new() }
    }

    /// Appends one document with the spans of one resource, or nothing if there is none.
    ///
    /// It takes no more samples when the spans have reached `limit_bytes`: what is then left of them is for another
    /// document. The last span may go beyond the limit.
    pub fn push_request<'a>(
        &mut self,
        resource: &Arc<[Label]>,
        samples: &mut impl Iterator<Item = (&'a Arc<Metric>, &'a Sample)>,
        limit_bytes: usize,
        out: &mut Vec<u8>,
    ) -> Encoded {
        let SpanEncoder { head, templates } = self;
        let mut encoded = Encoded::default();
        let resources = List::open(SPANS.resources, out);
        let spans = List::open(head.of(resource), out);
        let limit = out.len().saturating_add(limit_bytes);
        while out.len() < limit {
            let Some((metric, sample)) = samples.next() else { break };
            let Some(trace) = sample.trace else { continue };
            let template = templates.entry(sample.series).or_insert_with(|| Template::new(metric));
            template.follow(metric);
            let pushed = u64::from(push_span(template, sample, trace, out));
            encoded.points += pushed;
            encoded.left_out += 1 - pushed;
        }
        spans.close(ITEMS_END, out);
        resources.close(RESOURCES_END, out);
        encoded
    }
}

/// Whether there was something to append.
fn push_span(template: &Template, sample: &Sample, trace: TraceContext, out: &mut Vec<u8>) -> bool {
    let TraceContext { trace_id, span_id } = trace;
    if template.front.is_empty() || trace_id == 0 || span_id == 0 {
        return false;
    }
    out.extend_from_slice(br#"{"traceId":""#);
    push_hex(&trace_id.to_be_bytes(), out);
    out.extend_from_slice(br#"","spanId":""#);
    push_hex(&span_id.to_be_bytes(), out);
    out.extend_from_slice(&template.front);
    push_u64(out, sample.start_unix_ns);
    out.extend_from_slice(br#"","endTimeUnixNano":""#);
    push_u64(out, sample.start_unix_ns.saturating_add(sample.duration_ns));
    out.extend_from_slice(&template.back);
    true
}

fn push_hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend(
        bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]),
    );
}

impl Template {
    fn new(metric: &Arc<Metric>) -> Self {
        Template { metric: Arc::clone(metric), front: front(metric), back: back(metric) }
    }

    /// A number is another series' in another registry.
    fn follow(&mut self, metric: &Arc<Metric>) {
        if !Arc::ptr_eq(&self.metric, metric) {
            *self = Template::new(metric);
        }
    }
}

fn front(metric: &Metric) -> Box<[u8]> {
    let (name, mut out) = (name(metric), Vec::new());
    if !name.is_empty() {
        out.extend_from_slice(br#"","flags":"#);
        push_u64(&mut out, FLAGS);
        out.extend_from_slice(br#","name":"#);
        push_json_string(&mut out, &name);
        out.extend_from_slice(br#","kind":"#);
        push_u64(&mut out, CLIENT);
        out.extend_from_slice(br#","startTimeUnixNano":""#);
    }
    out.into()
}

fn back(metric: &Metric) -> Box<[u8]> {
    let mut out = vec![b'"'];
    push_attributes_or_count(&metric.labels, &mut out);
    if is_failure(metric) {
        out.extend_from_slice(br#","status":{"code":2}"#);
    }
    out.extend_from_slice(b"},");
    out.into()
}

/// HTTP semantic conventions, "Name": `{method} {target}`, the method alone where no target is low in cardinality.
fn name(metric: &Metric) -> String {
    let label = |key| metric.label_value(key).map(LabelValue::to_text).filter(|text| !text.is_empty());
    match (label("http.request.method"), label("load_test.step")) {
        (Some(method), Some(step)) => format!("{method} {step}"),
        (Some(method), None) => method.into_owned(),
        (None, _) => metric.name.clone(),
    }
}

fn is_failure(metric: &Metric) -> bool {
    let outcome = metric.label_value("outcome").map(LabelValue::to_text);
    metric.label_value("error.type").is_some() || outcome.is_some_and(|outcome| outcome == "failure")
}

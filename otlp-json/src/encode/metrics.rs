//! Frames in, one OTLP/JSON document out.
//!
//! Between two ticks nothing of a document changes but its digits. So an [`Encoder`] renders names, units,
//! attributes, bounds, resource and scope once, when a series appears, and keeps them by the index of the point
//! in its frame; a tick copies them and writes the digits between. A series is known by the address of its
//! metric, so a frame of somebody else's never inherits a name.
//!
//! ```text
//! {"resourceMetrics":[
//!   {"resource":{"attributes":[…]},"scopeMetrics":[{"scope":{"name":"s","version":"1"},"metrics":[     one a frame
//!     {"name":"n","description":"d","unit":"u",                                                        one a family
//!       "gauge":{"dataPoints":[
//!         {"timeUnixNano":"2","attributes":[…],"asInt":"1"},
//!         {"timeUnixNano":"2","attributes":[…],"asDouble":1.5}]}},
//!     {…,"sum":{"dataPoints":[
//!         {"startTimeUnixNano":"1","timeUnixNano":"2","attributes":[…],"asInt":"1"}],
//!       "aggregationTemporality":2,"isMonotonic":true}},
//!     {…,"histogram":{"dataPoints":[
//!         {…,"count":"3","sum":4.5,"bucketCounts":["1","2"],"explicitBounds":[1],"min":0.5,"max":2}],
//!       "aggregationTemporality":2}},
//!     {…,"exponentialHistogram":{"dataPoints":[
//!         {…,"count":"3","sum":4.5,"scale":0,"zeroCount":"1","positive":{"offset":0,"bucketCounts":["1","1"]}}],
//!       "aggregationTemporality":2}}]}]}]}
//! ```
//!
//! Nothing empty is written: no `resource` without labels, no `scope`, `unit` or `description` without text, no
//! family without points, no document without families. Floats that are not finite are the strings `"NaN"`,
//! `"Infinity"` and `"-Infinity"` (`opentelemetry/proto/metrics/v1/metrics.proto`).

mod template;

use barewire::{
    view::{Explicit, Exponential, ExponentialBuckets, Frame, Number, Temporality, Value},
    wire::text::{push_decimal, push_f64, push_i64, push_u64},
};

use super::envelope::{ITEMS_END, List, METRICS, RESOURCES_END};
use template::{Kind, Template};

/// The scales that OTLP's data model promises a receiver can take.
const SCALES: std::ops::RangeInclusive<i32> = -10..=20;

/// Turns frames into `ExportMetricsServiceRequest`s.
///
/// ```
/// use std::sync::Arc;
///
/// use barewire::{Metric, view::{Frame, Number, Point, Value}};
/// use barewire_otlp_json::{Encoded, Encoder};
///
/// let metric = Arc::new(Metric::new("queue.depth").label("queue", "mail"));
/// let points = vec![Point { metric, value: Value::Gauge(Number::Int(7)) }];
/// let frame = Frame { time_unix_ns: 1, points, ..Frame::default() };
///
/// let mut out = Vec::new();
/// let encoded = Encoder::new().push_request([&frame], &mut out);
/// assert_eq!(encoded, Encoded { points: 1, left_out: 0 });
/// assert_eq!(
///     String::from_utf8(out).unwrap(),
///     concat!(
///         r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"queue.depth","gauge":{"dataPoints":["#,
///         r#"{"timeUnixNano":"1","attributes":[{"key":"queue","value":{"stringValue":"mail"}}],"asInt":"7"}"#,
///         r#"]}}]}]}]}"#
///     )
/// );
/// ```
#[derive(Debug, Default)]
pub struct Encoder {
    /// By the position of the frame in the request.
    templates: Vec<Template>,
    stamp: Stamp,
}

/// What became of the points of a request, or of its spans. Absent ones are in neither number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Encoded {
    /// Points in the document. Without any, no document was appended.
    pub points: u64,
    /// Points that OTLP cannot carry: a counter that is negative or NaN, a histogram whose bounds do not increase
    /// or do not fit its counts, counts that overflow, a scale outside -10 to 20, a name or a label key that is empty.
    /// Spans without a name, or with an id of zero.
    pub left_out: u64,
}

impl Encoder {
    /// An encoder that knows no series yet.
    pub fn new() -> Self {
        Encoder::default()
    }

    /// Appends one document with one `resourceMetrics` entry a frame, or nothing if no point is left.
    ///
    /// Give the frames of the same views in the same order each time: what is kept, is kept by position.
    pub fn push_request<'a>(
        &mut self,
        frames: impl IntoIterator<Item = &'a Frame>,
        out: &mut Vec<u8>,
    ) -> Encoded {
        let mut encoded = Encoded::default();
        let list = List::open(METRICS.resources, out);
        for (position, frame) in frames.into_iter().enumerate() {
            if position == self.templates.len() {
                self.templates.push(Template::default());
            }
            self.stamp.refill(frame);
            let template = &mut self.templates[position];
            let present = template.follow(frame);
            let points = push_frame(template, frame, &self.stamp, out);
            encoded.points += points;
            encoded.left_out += present - points;
        }
        list.close(RESOURCES_END, out);
        encoded
    }
}

/// How many points were appended.
fn push_frame(template: &Template, frame: &Frame, stamp: &Stamp, out: &mut Vec<u8>) -> u64 {
    let mut points = 0;
    let metrics = List::open(template.head(), out);
    for family in template.families() {
        let data_points = List::open(template.text(&family.head), out);
        for &index in &family.members {
            let series = template.series(index);
            let parts = Parts {
                stamp,
                attributes: template.text(&series.attributes),
                bounds: template.text(&series.bounds),
            };
            points += u64::from(push_point(&parts, &frame.points[index].value, out));
        }
        data_points.close(family.kind.tail(frame.temporality), out);
    }
    metrics.close(ITEMS_END, out);
    points
}

/// Whether there was something to append.
fn push_point(parts: &Parts<'_>, value: &Value, out: &mut Vec<u8>) -> bool {
    match value {
        Value::Gauge(number) => {
            parts.stamp.instant.push(out);
            push_number(parts, *number, out);
        }
        Value::Counter(number) if is_ascending(*number) => {
            parts.stamp.span.push(out);
            push_number(parts, *number, out);
        }
        Value::Histogram(histogram) => {
            let Some(count) = explicit_count(histogram) else { return false };
            push_count_and_sum(parts, count, histogram.sum, out);
            push_explicit(parts, histogram, out);
            push_end(histogram.min, histogram.max, out);
        }
        Value::ExponentialHistogram(histogram) => {
            let Some(count) = exponential_count(histogram) else { return false };
            push_count_and_sum(parts, count, histogram.sum, out);
            push_exponential(histogram, out);
            push_end(histogram.min, histogram.max, out);
        }
        Value::Absent | Value::Counter(_) | Value::Recorded(_) => return false,
    }
    true
}

#[inline]
fn push_number(parts: &Parts<'_>, number: Number, out: &mut Vec<u8>) {
    out.extend_from_slice(parts.attributes);
    if let Number::Int(int) = number {
        out.extend_from_slice(br#","asInt":""#);
        push_i64(out, int);
        out.extend_from_slice(br#""},"#);
    } else {
        out.extend_from_slice(br#","asDouble":"#);
        push_double(number, out);
        out.extend_from_slice(b"},");
    }
}

/// What both kinds of histogram begin with.
fn push_count_and_sum(parts: &Parts<'_>, count: u64, sum: Number, out: &mut Vec<u8>) {
    parts.stamp.span.push(out);
    out.extend_from_slice(parts.attributes);
    out.extend_from_slice(br#","count":""#);
    push_u64(out, count);
    out.extend_from_slice(br#"","sum":"#);
    push_double(sum, out);
}

fn push_explicit(parts: &Parts<'_>, histogram: &Explicit, out: &mut Vec<u8>) {
    out.extend_from_slice(br#","bucketCounts":["#);
    push_counts(&histogram.counts, out);
    out.extend_from_slice(parts.bounds);
}

fn push_exponential(histogram: &Exponential, out: &mut Vec<u8>) {
    out.extend_from_slice(br#","scale":"#);
    push_i64(out, histogram.scale.into());
    out.extend_from_slice(br#","zeroCount":""#);
    push_u64(out, histogram.zero_count);
    out.extend_from_slice(br#"","positive":"#);
    push_buckets(&histogram.positive, out);
    if !histogram.negative.counts.is_empty() {
        out.extend_from_slice(br#","negative":"#);
        push_buckets(&histogram.negative, out);
    }
}

fn push_buckets(buckets: &ExponentialBuckets, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"offset":"#);
    push_i64(out, buckets.offset.into());
    out.extend_from_slice(br#","bucketCounts":["#);
    push_counts(&buckets.counts, out);
    out.extend_from_slice(b"]}");
}

fn push_counts(counts: &[u64], out: &mut Vec<u8>) {
    for (index, &count) in counts.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"\"" } else { b",\"" });
        push_u64(out, count);
        out.push(b'"');
    }
}

/// What both kinds of histogram end with.
fn push_end(min: Option<Number>, max: Option<Number>, out: &mut Vec<u8>) {
    if let Some(min) = min {
        out.extend_from_slice(br#","min":"#);
        push_double(min, out);
    }
    if let Some(max) = max {
        out.extend_from_slice(br#","max":"#);
        push_double(max, out);
    }
    out.extend_from_slice(b"},");
}

/// A field of type `double`: bare where JSON has the number, else a string.
fn push_double(number: Number, out: &mut Vec<u8>) {
    match number {
        Number::Int(int) => push_i64(out, int),
        Number::Decimal { digits, decimals } => push_decimal(out, digits, decimals),
        Number::Float(float) if float.is_finite() => push_f64(out, float),
        Number::Float(float) if float.is_nan() => out.extend_from_slice(br#""NaN""#),
        Number::Float(float) if float > 0.0 => out.extend_from_slice(br#""Infinity""#),
        Number::Float(_) => out.extend_from_slice(br#""-Infinity""#),
    }
}

/// Whether a monotonic sum can have this value.
fn is_ascending(number: Number) -> bool {
    match number {
        Number::Int(int) => int >= 0,
        Number::Float(float) => float >= 0.0,
        Number::Decimal { .. } => true,
    }
}

/// The count of a histogram that OTLP can carry. Its bounds were looked at when they were rendered.
fn explicit_count(histogram: &Explicit) -> Option<u64> {
    let fits = histogram.counts.len() == histogram.bounds.len() + 1;
    fits.then(|| total(0, &histogram.counts)).flatten()
}

/// The count of an exponential histogram that OTLP can carry.
fn exponential_count(histogram: &Exponential) -> Option<u64> {
    let Exponential { scale, zero_count, positive, negative, .. } = histogram;
    let fits = SCALES.contains(scale) && has_indexes(positive) && has_indexes(negative);
    fits.then(|| total(total(*zero_count, &positive.counts)?, &negative.counts)).flatten()
}

/// Whether every bucket's index is an `sint32`.
fn has_indexes(buckets: &ExponentialBuckets) -> bool {
    let last = i32::try_from(buckets.counts.len().saturating_sub(1));
    last.is_ok_and(|last| buckets.offset.checked_add(last).is_some())
}

fn total(start: u64, counts: &[u64]) -> Option<u64> {
    counts.iter().try_fold(start, |total, &count| total.checked_add(count))
}

/// What is copied for a point.
struct Parts<'a> {
    stamp: &'a Stamp,
    attributes: &'a [u8],
    bounds: &'a [u8],
}

/// The beginning of every point of a frame.
#[derive(Debug, Default)]
struct Stamp {
    /// Of a gauge: `{"timeUnixNano":"18446744073709551615"`.
    instant: Short<38>,
    /// Of all that counts: `{"startTimeUnixNano":"18446744073709551615","timeUnixNano":"18446744073709551615"`.
    span: Short<81>,
    text: Vec<u8>,
}

impl Stamp {
    fn refill(&mut self, frame: &Frame) {
        let Stamp { instant, span, text } = self;
        text.clear();
        text.extend_from_slice(br#"{"timeUnixNano":""#);
        push_u64(text, frame.time_unix_ns);
        text.push(b'"');
        instant.set(text);
        text.clear();
        text.extend_from_slice(br#"{"startTimeUnixNano":""#);
        push_u64(text, frame.start_unix_ns);
        text.extend_from_slice(br#"",""#);
        text.extend_from_slice(&instant.block[2..instant.len]);
        span.set(text);
    }
}

/// A text of at most `N` bytes that is appended again and again.
///
/// A copy whose size is known is a few moves, where another is a call. So the whole block is copied, and what is
/// too much cut off.
#[derive(Debug)]
struct Short<const N: usize> {
    block: [u8; N],
    len: usize,
}

impl<const N: usize> Short<N> {
    fn set(&mut self, text: &[u8]) {
        self.block[..text.len()].copy_from_slice(text);
        self.len = text.len();
    }

    fn push(&self, out: &mut Vec<u8>) {
        let end = out.len() + self.len;
        out.extend_from_slice(&self.block);
        out.truncate(end);
    }
}

impl<const N: usize> Default for Short<N> {
    fn default() -> Self {
        Short { block: [0; N], len: 0 }
    }
}

impl Kind {
    /// What closes a family, its comma included.
    fn tail(self, temporality: Temporality) -> &'static [u8] {
        match (self, temporality) {
            (Kind::Gauge, _) => b"]}},",
            (Kind::Counter, Temporality::Delta) => br#"],"aggregationTemporality":1,"isMonotonic":true}},"#,
            (Kind::Counter, Temporality::Cumulative) => {
                br#"],"aggregationTemporality":2,"isMonotonic":true}},"#
            }
            (_, Temporality::Delta) => br#"],"aggregationTemporality":1}},"#,
            (_, Temporality::Cumulative) => br#"],"aggregationTemporality":2}},"#,
        }
    }
}

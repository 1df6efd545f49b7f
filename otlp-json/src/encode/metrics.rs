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

mod layout;
mod stamp;
mod template;

use std::ops::AddAssign;

use barewire::{
    view::{Explicit, Exponential, ExponentialBuckets, Frame, Number, Temporality, Value},
    wire::{
        form::Blank,
        runs::Short,
        text::{push_decimal, push_f64, push_i64, push_u64},
    },
};

use super::envelope::{ITEMS_END, List, METRICS, RESOURCES_END};
use layout::{Layout, Places};
use stamp::Stamp;
use template::{Family, Kind, Shown, Template};

/// The scales that OTLP's data model promises a receiver can take.
const SCALES: std::ops::RangeInclusive<i32> = -10..=20;

/// What stands before an integer, behind the attributes.
const INT_KEY: &[u8] = br#"asInt":""#;
/// What stands before any other number.
const DOUBLE_KEY: &[u8] = br#"asDouble":"#;

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
    entries: Vec<Entry>,
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
            if position == self.entries.len() {
                self.entries.push(Entry::default());
            }
            self.stamp.refill(frame);
            encoded += self.entries[position].push(frame, &self.stamp, out);
        }
        list.close(RESOURCES_END, out);
        encoded
    }
}

impl AddAssign for Encoded {
    fn add_assign(&mut self, more: Encoded) {
        self.points += more.points;
        self.left_out += more.left_out;
    }
}

/// What is kept of one frame.
#[derive(Debug, Default)]
struct Entry {
    template: Template,
    layout: Layout,
}

impl Entry {
    fn push(&mut self, frame: &Frame, stamp: &Stamp, out: &mut Vec<u8>) -> Encoded {
        let start = out.len();
        if let Some(encoded) = self.layout.push(&self.template, frame, stamp, out) {
            return encoded;
        }
        out.truncate(start);
        if let Some(encoded) = self.push_anew(frame, stamp, out) {
            return encoded;
        }
        out.truncate(start);
        self.template.forget();
        self.push_anew(frame, stamp, out).expect("what knows no point takes any")
    }

    /// Lays the frame out. Nothing, and half a frame behind it, if a point is not what it was.
    fn push_anew(&mut self, frame: &Frame, stamp: &Stamp, out: &mut Vec<u8>) -> Option<Encoded> {
        let Entry { template, layout } = self;
        let mut encoded = Encoded { points: 0, left_out: template.follow(frame)? };
        let start = out.len();
        let mut places = layout.begin(start);
        let metrics = List::open(template.head(), out);
        let (families, text) = template.families_mut();
        for Family { kind, head, members } in families {
            let data_points = List::open(&text[head.clone()], out);
            for series in members {
                let point = &frame.points[series.index];
                if !series.shows(point) {
                    return None;
                }
                let parts = Parts {
                    stamp,
                    attributes: &text[series.attributes.clone()],
                    bounds: &text[series.bounds.clone()],
                };
                series.shown = push_point(&parts, &point.value, out, &mut places);
                encoded.points += u64::from(series.shown != Shown::No);
                encoded.left_out += u64::from(series.shown == Shown::No && point.value != Value::Absent);
            }
            data_points.close(kind.tail(frame.temporality), out);
        }
        metrics.close(ITEMS_END, out);
        layout.end(template, frame, stamp, encoded, &out[start..]);
        Some(encoded)
    }
}

/// As what it was appended.
fn push_point(parts: &Parts<'_>, value: &Value, out: &mut Vec<u8>, places: &mut Places<'_>) -> Shown {
    match value {
        Value::Gauge(number) => push_number(&parts.stamp.instant, parts.attributes, *number, out, places),
        Value::Counter(number) if is_ascending(*number) => {
            push_number(&parts.stamp.span, parts.attributes, *number, out, places)
        }
        Value::Histogram(_) | Value::ExponentialHistogram(_) => {
            parts.stamp.span.push(out);
            out.extend_from_slice(parts.attributes);
            let start = out.len();
            if !push_histogram(parts.bounds, value, out) {
                out.truncate(start - parts.attributes.len() - parts.stamp.span.get().len());
                return Shown::No;
            }
            places.add(start, Blank::Text, out);
            out.extend_from_slice(b"},");
            Shown::Histogram
        }
        Value::Counter(_) | Value::Absent | Value::Recorded(_) => Shown::No,
    }
}

fn push_number<const N: usize>(
    stamp: &Short<N>,
    attributes: &[u8],
    number: Number,
    out: &mut Vec<u8>,
    places: &mut Places<'_>,
) -> Shown {
    stamp.push(out);
    out.extend_from_slice(attributes);
    if let Number::Int(int) = number {
        out.extend_from_slice(INT_KEY);
        let start = out.len();
        push_i64(out, int);
        places.add(start, Blank::Integer(int), out);
        out.extend_from_slice(br#""},"#);
        return Shown::Int;
    }
    out.extend_from_slice(DOUBLE_KEY);
    let start = out.len();
    push_double(number, out);
    let blank = match number {
        Number::Decimal { digits, decimals } => Blank::Decimal { digits, decimals },
        _ => Blank::Text,
    };
    places.add(start, blank, out);
    out.extend_from_slice(b"},");
    Shown::Double
}

/// The fields of a histogram behind its attributes; whether OTLP has it.
fn push_histogram(bounds: &[u8], value: &Value, out: &mut Vec<u8>) -> bool {
    match value {
        Value::Histogram(histogram) => {
            let Some(count) = explicit_count(histogram) else { return false };
            push_count_and_sum(count, histogram.sum, out);
            push_explicit(bounds, histogram, out);
            push_ends(histogram.min, histogram.max, out);
        }
        Value::ExponentialHistogram(histogram) => {
            let Some(count) = exponential_count(histogram) else { return false };
            push_count_and_sum(count, histogram.sum, out);
            push_exponential(histogram, out);
            push_ends(histogram.min, histogram.max, out);
        }
        _ => return false,
    }
    true
}

/// What both kinds of histogram begin with.
fn push_count_and_sum(count: u64, sum: Number, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"count":""#);
    push_u64(out, count);
    out.extend_from_slice(br#"","sum":"#);
    push_double(sum, out);
}

fn push_explicit(bounds: &[u8], histogram: &Explicit, out: &mut Vec<u8>) {
    out.extend_from_slice(br#","bucketCounts":["#);
    push_counts(&histogram.counts, out);
    out.extend_from_slice(bounds);
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
    for &count in counts {
        match u8::try_from(count) {
            // Most buckets of most histograms: one move.
            Ok(count @ 0..=9) => out.extend_from_slice(&[b'"', b'0' + count, b'"', b',']),
            _ => {
                out.push(b'"');
                push_u64(out, count);
                out.extend_from_slice(b"\",");
            }
        }
    }
    // A comma that nothing follows.
    out.pop_if(|last| *last == b',');
}

/// What both kinds of histogram end with.
fn push_ends(min: Option<Number>, max: Option<Number>, out: &mut Vec<u8>) {
    if let Some(min) = min {
        out.extend_from_slice(br#","min":"#);
        push_double(min, out);
    }
    if let Some(max) = max {
        out.extend_from_slice(br#","max":"#);
        push_double(max, out);
    }
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

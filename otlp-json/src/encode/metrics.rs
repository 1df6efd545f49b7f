//! Frames in, one OTLP/JSON document out.
//!
//! Between two ticks nothing of a document changes but its digits. So an [`Encoder`] renders names, units,
//! attributes, bounds, resource and scope once, when a series appears, and keeps them by the index of the point
//! in its frame. The whole document is kept as well, and a tick writes its digits over those of the one before
//! ([`Form`](barewire::wire::form::Form)). A series is known by the address of its metric, so a frame of somebody else's
//! never inherits a name.
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

/// What stands before an integer in quotes, behind the attributes.
const INT_KEY: &[u8] = br#"asInt":"#;
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
/// let mut encoder = Encoder::new();
/// let (document, encoded) = encoder.request([&frame]);
/// assert_eq!(encoded, Encoded { points: 1, left_out: 0 });
/// assert_eq!(
///     str::from_utf8(document).unwrap(),
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
    /// Of several frames.
    document: Vec<u8>,
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

    /// One document with one `resourceMetrics` entry a frame, and nothing if no point is left. It stays with the encoder,
    /// which writes the next one over it.
    ///
    /// Give the frames of the same views in the same order each time: what is kept, is kept by position. Between two
    /// requests whose points are the same, a fraction keeps its width, and an integer that lost a digit leaves a blank: `0.13`
    /// may be written `0.130`, and `"asInt":"99"` as `"asInt": "99"`.
    pub fn request<'a>(&mut self, frames: impl IntoIterator<Item = &'a Frame>) -> (&[u8], Encoded) {
        let Encoder { entries, stamp, document } = self;
        let (mut encoded, mut count) = (Encoded::default(), 0);
        for frame in frames {
            if count == entries.len() {
                entries.push(Entry { template: Template::default(), layout: Layout::new() });
            }
            stamp.refill(frame);
            encoded += entries[count].write(frame, stamp);
            count += 1;
        }
        let documents = entries[..count].iter().map(Entry::document).filter(|document| !document.is_empty());
        let mut each = documents.clone();
        match (each.next(), each.next()) {
            (None, _) => (&[], encoded),
            (Some(only), None) => (only, encoded),
            _ => {
                join(documents, document);
                (document, encoded)
            }
        }
    }

    /// Appends a copy of [`Encoder::request`]'s document.
    pub fn push_request<'a>(
        &mut self,
        frames: impl IntoIterator<Item = &'a Frame>,
        out: &mut Vec<u8>,
    ) -> Encoded {
        let (document, encoded) = self.request(frames);
        out.extend_from_slice(document);
        encoded
    }
}

/// One document with the entries of all.
fn join<'d>(documents: impl Iterator<Item = &'d [u8]>, out: &mut Vec<u8>) {
    out.clear();
    let list = List::open(METRICS.resources, out);
    for document in documents {
        out.extend_from_slice(&document[METRICS.resources.len()..document.len() - RESOURCES_END.len()]);
        out.push(b',');
    }
    list.close(RESOURCES_END, out);
}

impl AddAssign for Encoded {
    fn add_assign(&mut self, more: Encoded) {
        self.points += more.points;
        self.left_out += more.left_out;
    }
}

/// What is kept of one frame.
#[derive(Debug)]
struct Entry {
    template: Template,
    layout: Layout,
}

impl Entry {
    /// A request of its own; empty if no point was left.
    fn document(&self) -> &[u8] {
        self.layout.document()
    }

    fn write(&mut self, frame: &Frame, stamp: &Stamp) -> Encoded {
        if let Some(encoded) = self.layout.fill(&self.template, frame, stamp) {
            return encoded;
        }
        if let Some(encoded) = self.write_anew(frame, stamp) {
            return encoded;
        }
        self.template.forget();
        self.write_anew(frame, stamp).expect("what knows no point takes any")
    }

    /// Nothing, and half a document, if a point is not what it was.
    fn write_anew(&mut self, frame: &Frame, stamp: &Stamp) -> Option<Encoded> {
        let Entry { template, layout } = self;
        let mut encoded = Encoded { points: 0, left_out: template.follow(frame)? };
        let (out, places) = layout.begin();
        let resources = List::open(METRICS.resources, out);
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
                series.shown = push_point(&parts, &point.value, out, places);
                encoded.points += u64::from(series.shown != Shown::No);
                encoded.left_out += u64::from(series.shown == Shown::No && point.value != Value::Absent);
            }
            data_points.close(kind.tail(frame.temporality), out);
        }
        metrics.close(ITEMS_END, out);
        resources.close(RESOURCES_END, out);
        layout.end(template, frame, stamp, encoded);
        Some(encoded)
    }
}

/// As what it was appended.
fn push_point(parts: &Parts<'_>, value: &Value, out: &mut Vec<u8>, places: &mut Places) -> Shown {
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
            places.add(start, None, out);
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
    places: &mut Places,
) -> Shown {
    stamp.push(out);
    out.extend_from_slice(attributes);
    if let Number::Int(int) = number {
        out.extend_from_slice(INT_KEY);
        let start = out.len();
        push_opened(int, out);
        places.add(start, Some(number), out);
        out.extend_from_slice(br#""},"#);
        return Shown::Int;
    }
    out.extend_from_slice(DOUBLE_KEY);
    let start = out.len();
    push_double(number, out);
    places.add(start, Some(number), out);
    out.extend_from_slice(b"},");
    Shown::Double
}

/// An integer, and the quote before it.
fn push_opened(int: i64, out: &mut Vec<u8>) {
    out.push(b'"');
    push_i64(out, int);
}

/// The fields of a histogram behind its attributes; whether OTLP has it.
fn push_histogram(bounds: &[u8], value: &Value, out: &mut Vec<u8>) -> bool {
    match value {
        Value::Histogram(histogram) => {
            let Some(count) = explicit_count(histogram) else { return false };
            let has_negative = histogram.bounds.first().is_some_and(|&lowest| lowest < 0.0);
            push_count_and_sum(count, ascending_sum(histogram.sum, has_negative), out);
            push_explicit(bounds, histogram, out);
            push_ends(histogram.min, histogram.max, out);
        }
        Value::ExponentialHistogram(histogram) => {
            let Some(count) = exponential_count(histogram) else { return false };
            let has_negative = histogram.negative.counts.iter().any(|&count| count > 0);
            push_count_and_sum(count, ascending_sum(histogram.sum, has_negative), out);
            push_exponential(histogram, out);
            push_ends(histogram.min, histogram.max, out);
        }
        _ => return false,
    }
    true
}

/// What both kinds of histogram begin with.
fn push_count_and_sum(count: u64, sum: Option<Number>, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"count":""#);
    push_u64(out, count);
    out.push(b'"');
    if let Some(sum) = sum {
        out.extend_from_slice(br#","sum":"#);
        push_double(sum, out);
    }
}

/// A sum that only grows. OTLP's definition of the field: with negative events it "should not be filled out", as
/// readers take it for a counter.
fn ascending_sum(sum: Number, has_negative: bool) -> Option<Number> {
    (!has_negative && is_ascending(sum)).then_some(sum)
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

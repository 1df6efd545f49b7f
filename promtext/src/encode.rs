//! Points in, the page of a scrape out.
//!
//! [`Encoder`] renders what never changes, which is nearly everything, when a series appears; a tick copies it and
//! writes digits.
//!
//! ```text
//!   # HELP took_seconds How long it took.            ┐ head: once a family
//!   # TYPE took_seconds histogram                    ┘
//!   took_seconds_bucket{route="/",le="0.005"} 24054  ┐
//!   …                                                │ one series: rendered text, then digits
//!   took_seconds_bucket{route="/",le="+Inf"} 144320  │
//!   took_seconds_sum{route="/"} 53.423               │
//!   took_seconds_count{route="/"} 144320             ┘
//! ```

use std::{borrow::Borrow, sync::Arc};

use barewire::{
    Metric,
    view::{Explicit, Exponential, Frame, Number, Temporality, Value},
    wire::text::{push_decimal, push_f64, push_i64, push_u64},
};

use crate::family::{Families, HistogramText, Kind, Place, SeriesText, push_bound};

/// A text format that Prometheus scrapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Format {
    /// The classic text, which every Prometheus reads.
    #[default]
    Text004,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// The value of the header `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Text004 => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// What became of the points of one page. Those that are [`Value::Absent`] are in neither number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Encoded {
    /// Points on the page.
    pub points: u64,
    /// Points that the format cannot carry.
    pub left_out: u64,
}

/// Writes pages of one format; a page that looks like the one before costs copies and digits, and no allocation.
///
/// Families and the series in them stand in order of first appearance. Left out, and counted, are
/// - a series whose name and labels are those of an earlier one (an empty label value is no label to Prometheus),
/// - a series whose family's name, or the name of one of its samples, is that of an earlier family of another
///   kind, and one without a name,
/// - a counter that is negative or not a number,
/// - counters and histograms of [`Temporality::Delta`],
/// - histograms whose bounds are not finite and strictly increasing, or do not match their counts.
///
/// An exponential histogram becomes a classic one with a bucket, exact at that instant, for each bucket that is
/// not empty. (Values below zero that lie on a bound are counted above it: there, the two kinds of buckets are
/// closed at different ends.) Of two labels whose names become the same, the first is shown.
///
/// OpenMetrics forbids the sum and the count of a histogram whose bounds or sum are negative, or whose sum is not
/// a number: its buckets are shown without them.
///
/// ```
/// use barewire::{Metric, view::{Frame, Number, Point, Value}};
/// use barewire_promtext::{Encoder, Format};
///
/// let hits = Metric::new("http.hits").label("route", "/");
/// let point = Point { metric: hits.into(), value: Value::Counter(Number::Int(3)) };
/// let frame = Frame { points: vec![point], ..Frame::default() };
/// let mut page = Vec::new();
/// let encoded = Encoder::new(Format::Text004).push(&[frame], &mut page);
/// assert_eq!(page, b"# TYPE http_hits_total counter\nhttp_hits_total{route=\"/\"} 3\n");
/// assert_eq!((encoded.points, encoded.left_out), (1, 0));
/// ```
#[derive(Debug)]
pub struct Encoder {
    format: Format,
    /// The metric at each index of each frame; holding them is what makes their addresses unique.
    known: Vec<Vec<Arc<Metric>>>,
    /// Points that had no value yet, so that their kind is not known.
    waiting: Vec<Place>,
    /// Points that have no place on the page.
    refused: Vec<Place>,
    families: Families,
}

impl Encoder {
    /// An encoder that has seen nothing yet.
    pub fn new(format: Format) -> Self {
        let families = Families::new(format);
        Encoder { format, known: Vec::new(), waiting: Vec::new(), refused: Vec::new(), families }
    }

    /// Appends one whole page that shows the points of all `frames`.
    ///
    /// Frames are expected to be those of the last call with points appended, as a view fills them. With any
    /// others the page is right all the same, but everything is rendered anew.
    pub fn push(&mut self, frames: &[impl Borrow<Frame>], out: &mut Vec<u8>) -> Encoded {
        if !self.knows(frames) {
            *self = Encoder::new(self.format);
        }
        self.adopt(frames);
        let mut encoded = self.push_families(frames, out);
        encoded.left_out +=
            self.refused.iter().filter(|place| place.kind_in(frames).is_some()).count() as u64;
        if self.format == Format::OpenMetrics {
            out.extend_from_slice(b"# EOF\n");
        }
        encoded
    }

    /// Whether every known point is still where it was.
    fn knows(&self, frames: &[impl Borrow<Frame>]) -> bool {
        self.known.len() <= frames.len()
            && self.known.iter().zip(frames).all(|(known, frame)| {
                let points = &frame.borrow().points;
                known.len() <= points.len()
                    && known.iter().zip(points).all(|(known, point)| Arc::ptr_eq(known, &point.metric))
            })
    }

    /// Gives points a place as soon as they have a value.
    fn adopt(&mut self, frames: &[impl Borrow<Frame>]) {
        let Encoder { known, waiting, refused, families, .. } = self;
        known.resize_with(frames.len(), Vec::new);
        for (frame, (known, points)) in
            known.iter_mut().zip(frames.iter().map(|f| &f.borrow().points)).enumerate()
        {
            waiting.extend((known.len()..points.len()).map(|point| Place { frame, point }));
            known.extend(points[known.len()..].iter().map(|point| Arc::clone(&point.metric)));
        }
        waiting.retain(|&place| {
            let Some(kind) = place.kind_in(frames) else { return true };
            if !families.insert(place, &known[place.frame][place.point], kind) {
                refused.push(place);
            }
            false
        });
    }

    fn push_families(&mut self, frames: &[impl Borrow<Frame>], out: &mut Vec<u8>) -> Encoded {
        let mut encoded = Encoded::default();
        for family in self.families.in_order() {
            let head_at = out.len();
            out.extend_from_slice(&family.head);
            let samples_at = out.len();
            for series in &mut family.series {
                let frame = frames[series.place.frame].borrow();
                let value = &frame.points[series.place.point].value;
                let is_delta = frame.temporality == Temporality::Delta;
                match push_series(out, self.format, &mut series.text, value, is_delta) {
                    Pushed::Shown => encoded.points += 1,
                    Pushed::LeftOut => encoded.left_out += 1,
                    Pushed::Absent => {}
                }
            }
            if out.len() == samples_at {
                out.truncate(head_at);
            }
        }
        encoded
    }
}

enum Pushed {
    Shown,
    LeftOut,
    Absent,
}

fn push_series(
    out: &mut Vec<u8>,
    format: Format,
    text: &mut SeriesText,
    value: &Value,
    is_delta: bool,
) -> Pushed {
    let start = out.len();
    let shown = match (text, value) {
        (_, Value::Absent) => return Pushed::Absent,
        (SeriesText::Gauge(text), Value::Gauge(number)) => push_sample(out, format, text, *number),
        (SeriesText::Counter(text), Value::Counter(number)) if !is_delta && is_count(*number) => {
            push_sample(out, format, text, *number)
        }
        (SeriesText::Histogram(text), Value::Histogram(histogram)) if !is_delta => {
            push_explicit(out, format, text, histogram).is_some()
        }
        (SeriesText::Histogram(text), Value::ExponentialHistogram(histogram)) if !is_delta => {
            push_exponential(out, format, text, histogram).is_some()
        }
        _ => false,
    };
    if shown {
        return Pushed::Shown;
    }
    out.truncate(start);
    Pushed::LeftOut
}

fn is_count(number: Number) -> bool {
    match number {
        Number::Int(int) => int >= 0,
        Number::Float(float) => float >= 0.0,
        Number::Decimal { .. } => true,
    }
}

fn push_sample(out: &mut Vec<u8>, format: Format, text: &[u8], number: Number) -> bool {
    out.extend_from_slice(text);
    push_number(out, format, number);
    out.push(b'\n');
    true
}

fn push_number(out: &mut Vec<u8>, format: Format, number: Number) {
    let start = out.len();
    match number {
        Number::Int(int) => push_i64(out, int),
        Number::Decimal { digits, decimals } => push_decimal(out, digits, decimals),
        Number::Float(float) if float.is_finite() => push_f64(out, float),
        Number::Float(float) if float.is_nan() => return out.extend_from_slice(b"NaN"),
        Number::Float(float) => return out.extend_from_slice(if float > 0.0 { b"+Inf" } else { b"-Inf" }),
    }
    if format == Format::OpenMetrics && !out[start..].iter().any(|b| matches!(b, b'.' | b'e')) {
        out.extend_from_slice(b".0");
    }
}

/// Nothing, and half a histogram in `out`, if the format cannot carry it.
fn push_explicit(
    out: &mut Vec<u8>,
    format: Format,
    text: &mut HistogramText,
    histogram: &Explicit,
) -> Option<()> {
    let (&above, counts) = histogram.counts.split_last()?;
    let buckets = text.buckets(&histogram.bounds, format)?;
    if counts.len() != histogram.bounds.len() {
        return None;
    }
    let mut count = 0_u64;
    for (bucket, &in_bucket) in buckets.texts().zip(counts) {
        count = count.checked_add(in_bucket)?;
        out.extend_from_slice(bucket);
        push_u64(out, count);
        out.push(b'\n');
    }
    let lowest = histogram.bounds.first().copied();
    push_rest(out, format, text, lowest, count.checked_add(above)?, histogram.sum);
    Some(())
}

/// Nothing, and half a histogram in `out`, if the format cannot carry it.
fn push_exponential(
    out: &mut Vec<u8>,
    format: Format,
    text: &HistogramText,
    histogram: &Exponential,
) -> Option<()> {
    let step = f64::exp2(-f64::from(histogram.scale));
    let power = |offset: i32, index: usize| f64::exp2((f64::from(offset) + index as f64) * step);
    let negative = histogram.negative.counts.iter().enumerate().rev();
    let negative = negative.map(|(index, &count)| (-power(histogram.negative.offset, index), count));
    let positive = histogram.positive.counts.iter().enumerate();
    let positive = positive.map(|(index, &count)| (power(histogram.positive.offset, index + 1), count));
    let buckets = negative.chain([(0.0, histogram.zero_count)]).chain(positive);

    let mut lowest = None;
    let (mut count, mut below) = (0_u64, f64::NEG_INFINITY);
    for (bound, in_bucket) in buckets.filter(|&(_, in_bucket)| in_bucket > 0) {
        if !bound.is_finite() || bound <= below {
            return None;
        }
        below = bound;
        lowest.get_or_insert(bound);
        count = count.checked_add(in_bucket)?;
        out.extend_from_slice(&text.bucket);
        push_bound(out, format, bound);
        out.extend_from_slice(b"\"} ");
        push_u64(out, count);
        out.push(b'\n');
    }
    push_rest(out, format, text, lowest, count, histogram.sum);
    Some(())
}

/// The bucket without a bound, the sum and the count.
fn push_rest(
    out: &mut Vec<u8>,
    format: Format,
    text: &HistogramText,
    lowest: Option<f64>,
    count: u64,
    sum: Number,
) {
    out.extend_from_slice(&text.bucket);
    out.extend_from_slice(b"+Inf\"} ");
    push_u64(out, count);
    out.push(b'\n');
    if format == Format::OpenMetrics && (lowest.is_some_and(|bound| bound < 0.0) || !is_count(sum)) {
        return;
    }
    push_sample(out, format, &text.sum, sum);
    out.extend_from_slice(&text.count);
    push_u64(out, count);
    out.push(b'\n');
}

impl Place {
    /// The kind of the family that shows the point, if it has a value.
    fn kind_in(self, frames: &[impl Borrow<Frame>]) -> Option<Kind> {
        match frames[self.frame].borrow().points[self.point].value {
            Value::Absent => None,
            Value::Gauge(_) => Some(Kind::Gauge),
            Value::Counter(_) => Some(Kind::Counter),
            Value::Histogram(_) | Value::ExponentialHistogram(_) => Some(Kind::Histogram),
        }
    }
}

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
    view::{Frame, Value},
};

use crate::{
    family::{Families, Kind, Place},
    lines::{Lines, Pushed},
};

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
            let mut lines = Lines { out, format: self.format, texts: &family.texts };
            for series in &mut family.series {
                let frame = frames[series.place.frame].borrow();
                let value = &frame.points[series.place.point].value;
                match lines.push(&mut series.text, value, frame.temporality) {
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

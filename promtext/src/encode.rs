//! Points in, the page of a scrape out.
//!
//! [`Encoder`] renders what never changes, which is nearly everything, when a series appears. Then it goes through the
//! points once, in their order: each copies its text and writes its digits to the lines of its family. The page is
//! the families, one after another. It stays with the encoder as a [`Form`](barewire::wire::form), and a tick that looks
//! like it, as nearly all do, writes other numbers over those on it.
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

use std::sync::Arc;

use barewire::{
    Metric,
    view::{Frame, Point, Temporality},
};

use crate::{
    family::{Families, Place},
    layout::Layout,
    lines::Pushed,
    name::Escaping,
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

/// What became of the points of one page. Those that are [`Value::Absent`](barewire::view::Value::Absent) are in neither number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Encoded {
    /// Points on the page.
    pub points: u64,
    /// Points that the format cannot carry.
    pub left_out: u64,
}

/// Writes pages of one format, with names under one escaping; a page that looks like the one before costs its digits, and no allocation.
///
/// Families stand in order of first appearance, the series in them in the order of their points. A fraction is as wide as
/// the one that it takes the place of: it may end in zeros, as in `0.130000`. Left out, and counted, are
/// - a series whose name and labels are, once they are escaped, those of an earlier one (an empty label value is no
///   label to Prometheus),
/// - a series whose family's name, or the name of one of its samples, is that of an earlier family of another
///   kind, and one without a name,
/// - a counter that is negative or not a number,
/// - counters and histograms of [`Temporality::Delta`](barewire::view::Temporality::Delta),
/// - distributions ([`Value::Recorded`](barewire::view::Value::Recorded)),
/// - histograms whose bounds are not finite and strictly increasing, or do not match their counts.
///
/// Metrics of one kind whose names become the same are one family, with the text and the unit of the first.
///
/// An exponential histogram becomes a classic one with a bucket, exact at that instant, for each bucket that is
/// not empty. (Values below zero that lie on a bound are counted above it: there, the two kinds of buckets are
/// closed at different ends.) Labels of one series whose names become the same are one label, whose value is theirs
/// with `;` between, in the order of the keys that they had.
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
    escaping: Escaping,
    /// One for each point of each frame.
    slots: Vec<Vec<Slot>>,
    families: Families,
    /// The page.
    layout: Layout,
}

/// What is known of the point at one index.
#[derive(Debug)]
struct Slot {
    /// Holding it is what makes its address unique.
    metric: Arc<Metric>,
    place: Place,
}

impl Encoder {
    /// An encoder that has seen nothing yet. It escapes names by [`Escaping::Underscores`].
    pub fn new(format: Format) -> Self {
        Self::empty(format, Escaping::default())
    }

    /// Sets how names are escaped; what the encoder has seen is rendered anew.
    ///
    /// ```
    /// use barewire::{Metric, view::{Frame, Number, Point, Value}};
    /// use barewire_promtext::{Encoder, Escaping, Format};
    ///
    /// let hits = Metric::new("http.hits").label("http.route", "/");
    /// let point = Point { metric: hits.into(), value: Value::Counter(Number::Int(3)) };
    /// let frame = Frame { points: vec![point], ..Frame::default() };
    /// let mut page = Vec::new();
    /// Encoder::new(Format::OpenMetrics).escaping(Escaping::AllowUtf8).push(&[frame], &mut page);
    /// assert_eq!(page, b"# TYPE \"http.hits\" counter\n{\"http.hits_total\",\"http.route\"=\"/\"} 3.0\n# EOF\n");
    /// ```
    #[must_use]
    pub fn escaping(self, escaping: Escaping) -> Self {
        Self::empty(self.format, escaping)
    }

    fn empty(format: Format, escaping: Escaping) -> Self {
        let (families, layout) = (Families::new(format, escaping), Layout::default());
        Encoder { format, escaping, slots: Vec::new(), families, layout }
    }

    /// One whole page that shows the points of all `frames`. It stays with the encoder, and the next call writes over it.
    ///
    /// Frames are expected to be those of the last call with points appended, as a view fills them. With any
    /// others the page is right all the same, but everything is rendered anew.
    ///
    /// ```
    /// use barewire::{Metric, view::{Frame, Number, Point, Value}};
    /// use barewire_promtext::{Encoder, Format};
    ///
    /// let hits = Point { metric: Metric::new("hits").into(), value: Value::Counter(Number::Int(3)) };
    /// let mut frame = Frame { points: vec![hits], ..Frame::default() };
    /// let mut encoder = Encoder::new(Format::Text004);
    /// let (page, encoded) = encoder.page([&frame]);
    /// assert_eq!(page, b"# TYPE hits_total counter\nhits_total 3\n");
    /// assert_eq!(encoded.points, 1);
    ///
    /// frame.points[0].value = Value::Counter(Number::Int(4));
    /// let (page, _) = encoder.page([&frame]);
    /// assert_eq!(page, b"# TYPE hits_total counter\nhits_total 4\n");
    /// ```
    pub fn page<'a>(&mut self, frames: impl IntoIterator<Item = &'a Frame> + Clone) -> (&[u8], Encoded) {
        let mut all = frames.clone().into_iter();
        let only = all.next().filter(|_| all.next().is_none());
        let filled = only.and_then(|frame| self.fill(frame));
        let encoded = filled.unwrap_or_else(|| self.write(frames, only));
        (self.layout.page(), encoded)
    }

    /// Appends a copy of the [`page`](Self::page) of `frames`.
    pub fn push<'a>(
        &mut self,
        frames: impl IntoIterator<Item = &'a Frame> + Clone,
        out: &mut Vec<u8>,
    ) -> Encoded {
        let (page, encoded) = self.page(frames);
        out.extend_from_slice(page);
        encoded
    }

    /// Fills the page that is there. Nothing, and half a page, if the frame looks different.
    #[inline(never)]
    fn fill(&mut self, frame: &Frame) -> Option<Encoded> {
        let Encoder { slots, families, layout, .. } = self;
        let [slots] = &mut slots[..] else { return None };
        if frame.temporality != Temporality::Cumulative || slots.len() != frame.points.len() {
            return None;
        }
        let points = layout.fill(frame, |index, is_int, out| {
            families.push_again(&mut slots[index].place, &frame.points[index].value, is_int, out)
        })?;
        Some(Encoded { points, left_out: 0 })
    }

    /// Writes the page from scratch. If all of it is of the `only` frame, the next one may be filled into it.
    fn write<'a>(
        &mut self,
        frames: impl IntoIterator<Item = &'a Frame> + Clone,
        only: Option<&Frame>,
    ) -> Encoded {
        let encoded = self.push_values(frames.clone()).unwrap_or_else(|| {
            *self = Encoder::empty(self.format, self.escaping);
            self.push_values(frames).expect("an encoder that knows no point takes any")
        });
        let (page, spots) = self.layout.begin();
        self.families.push(page, spots);
        if self.format == Format::OpenMetrics {
            page.extend_from_slice(b"# EOF\n");
        }
        let is_lasting =
            |frame: &&Frame| frame.temporality == Temporality::Cumulative && encoded.left_out == 0;
        if let Some(frame) = only.filter(is_lasting) {
            self.layout.end(frame);
        }
        encoded
    }

    /// Hands every value to its family; nothing if a known point is not where it was.
    fn push_values<'a>(&mut self, frames: impl IntoIterator<Item = &'a Frame>) -> Option<Encoded> {
        self.families.clear();
        let mut encoded = Encoded::default();
        let mut pushed = 0;
        for frame in frames {
            if pushed == self.slots.len() {
                self.slots.push(Vec::new());
            }
            self.push_values_of(pushed, frame, &mut encoded)?;
            pushed += 1;
        }
        (pushed == self.slots.len()).then_some(encoded)
    }

    fn push_values_of(&mut self, at: usize, frame: &Frame, encoded: &mut Encoded) -> Option<()> {
        let Encoder { slots, families, .. } = self;
        let slots = &mut slots[at];
        slots.extend(frame.points.get(slots.len()..)?.iter().map(Slot::new));
        for (index, (slot, point)) in slots.iter_mut().zip(&frame.points).enumerate() {
            if !Arc::ptr_eq(&slot.metric, &point.metric) {
                return None;
            }
            if matches!(slot.place, Place::Unknown) {
                slot.place = families.place(&slot.metric, &point.value);
            }
            match families.push_value(index, &mut slot.place, &point.value, frame.temporality) {
                Pushed::Shown => encoded.points += 1,
                Pushed::LeftOut => encoded.left_out += 1,
                Pushed::Absent => {}
            }
        }
        Some(())
    }
}

impl Slot {
    fn new(point: &Point) -> Self {
        Slot { metric: Arc::clone(&point.metric), place: Place::Unknown }
    }
}

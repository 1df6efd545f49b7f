//! Frames in, lines out.
//!
//! Between two ticks nothing of a line changes but its digits. So an [`Encoder`] renders measurement, tags and keys
//! once, when a series appears, and keeps them by the index of the point in its frame; a tick copies them and writes
//! the digits between. A series is known by the address of its metric, so a frame of somebody else's never inherits a
//! name.
//!
//! Nearly all points are plain numbers, whose lines are three runs of bytes: all that stands before the number, the
//! number, and all that stands behind it, which is the same for the whole frame. Histograms have a line of many fields,
//! pushed one by one.
//!
//! ```text
//! measurement,tag=a   value=1i 1700000000000000000␊                                    a gauge, a counter
//! measurement,tag=a   count=3i,sum=0.5,min=0.1,…,p99=0.3,…,le_0.25=1i,… 17000…␊        a histogram
//! └── series, once ─┘ └───────────────── a tick ──────────────────────┘└ frame ┘
//! ```
//!
//! Every point is one line. `count`, `sum` and the buckets `le_…` count as the frame does, since the start or since
//! the frame before; the buckets are cumulative, each of them has all values up to its bound. Of a histogram as it was
//! [recorded](barewire::view::Shape::Recorded), `min`, `max`, `mean` and the percentiles `p50` to `p999` are those of
//! the window, and with `run_` before them those since the start. What there is not, such as the median of a window
//! without requests, is not written.

mod histogram;
mod plain;
mod series;

use std::{collections::HashMap, sync::Arc};

use barewire::{
    Label, Metric,
    view::{Frame, Number, Point, Temporality, Value},
    wire::{datagram::Datagrams, runs::Runs},
};

use crate::line::{push_time, shown_measurement};
use plain::Ends;
use series::Series;

/// Turns frames into lines.
///
/// ```
/// use std::sync::Arc;
///
/// use barewire::{Metric, view::{Frame, Number, Point, Value}};
/// use barewire_influx::{Encoded, Encoder};
///
/// let metric = Arc::new(Metric::new("queue.depth").label("queue", "mail"));
/// let points = vec![Point { metric, value: Value::Gauge(Number::Int(7)) }];
/// let frame = Frame { time_unix_ns: 1, points, ..Frame::default() };
///
/// let mut out = Vec::new();
/// let encoded = Encoder::new().tag("host", "a").push([&frame], &mut out);
/// assert_eq!(encoded, Encoded { points: 1, left_out: 0 });
/// assert_eq!(out, b"queue.depth,host=a,queue=mail value=7i 1\n");
/// ```
#[derive(Debug, Default)]
pub struct Encoder {
    tags: Vec<Label>,
    resource_tags: bool,
    /// By the position of the frame.
    templates: Vec<Template>,
    types: Types,
    /// The end of each line of a frame.
    time: Vec<u8>,
    counts: Vec<u64>,
}

/// What became of points. Absent ones are in neither number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Encoded {
    /// Lines that were appended: one a point.
    pub points: u64,
    /// Points that line protocol cannot carry: a number that is not finite, a fraction where the field holds integers,
    /// a histogram whose bounds do not increase or do not fit its counts, a measurement without a name; and lines that
    /// are too long for a datagram.
    pub left_out: u64,
}

impl Encoder {
    /// An encoder that knows no series yet.
    pub fn new() -> Self {
        Encoder::default()
    }

    /// Adds a tag to every line. A label of the same key takes its place.
    #[must_use]
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.push(Label::new(key, value.into()));
        self
    }

    /// Adds the labels of the resource to every line, as tags; labels and tags of the same key take their place.
    ///
    /// They are not added unless asked for: a label of the resource that changes, such as the status of a run, begins
    /// every series anew, and whoever adds series up counts twice.
    #[must_use]
    pub fn resource_tags(mut self) -> Self {
        self.resource_tags = true;
        self
    }

    /// Appends one line for each point.
    ///
    /// Give the frames of the same views in the same order each time: what is kept, is kept by position.
    pub fn push<'a>(&mut self, frames: impl IntoIterator<Item = &'a Frame>, out: &mut Vec<u8>) -> Encoded {
        self.write(frames, out)
    }

    /// The same, into datagrams. A line that is too long for one is left out.
    pub fn pack<'a>(&mut self, frames: impl IntoIterator<Item = &'a Frame>, out: &mut Datagrams) -> Encoded {
        self.write(frames, out)
    }

    /// The tags of every line.
    pub(crate) fn tags(&self) -> &[Label] {
        &self.tags
    }

    pub(crate) fn write<'a>(
        &mut self,
        frames: impl IntoIterator<Item = &'a Frame>,
        out: &mut impl Lines,
    ) -> Encoded {
        let mut encoded = Encoded::default();
        for (position, frame) in frames.into_iter().enumerate() {
            if position == self.templates.len() {
                self.templates.push(Template::default());
            }
            self.write_frame(position, frame, out, &mut encoded);
        }
        encoded
    }

    fn write_frame(&mut self, position: usize, frame: &Frame, out: &mut impl Lines, encoded: &mut Encoded) {
        let Encoder { tags, resource_tags, templates, types, time, counts } = self;
        let resource = if *resource_tags { &*frame.resource } else { &[] };
        let template = &mut templates[position];
        template.follow(frame, *resource_tags, |metric, text| Series::new(metric, tags, resource, text));
        time.clear();
        push_time(time, frame.time_unix_ns);
        let ends = Ends::new(time);
        let mut scene = Scene { temporality: frame.temporality, time, counts };
        let Template { text, series, .. } = template;
        for (series, Point { metric, value }) in series.iter_mut().zip(&frame.points) {
            let is_written = match value {
                Value::Absent => continue,
                Value::Gauge(number) | Value::Counter(number) => {
                    let kind = series.decide_number(|| types.of(metric, *number));
                    plain::push(out, text, series.head(), kind, number, &ends)
                }
                histogram => {
                    series.decide_histogram(metric, histogram);
                    out.push_line(|out| series.push_histogram(text, histogram, &mut scene, out))
                }
            };
            *if is_written { &mut encoded.points } else { &mut encoded.left_out } += 1;
        }
    }
}

/// Where lines go.
pub(crate) trait Lines {
    /// Adds the line that `write` appends if it says so. Returns whether it was added.
    fn push_line(&mut self, write: impl FnOnce(&mut Vec<u8>) -> bool) -> bool;
}

impl Lines for Vec<u8> {
    #[inline]
    fn push_line(&mut self, write: impl FnOnce(&mut Vec<u8>) -> bool) -> bool {
        write(self)
    }
}

impl Lines for Datagrams {
    #[inline]
    fn push_line(&mut self, write: impl FnOnce(&mut Vec<u8>) -> bool) -> bool {
        let mut is_written = false;
        self.push(|out| is_written = write(out)) && is_written
    }
}

/// The series of one frame, by the index of the point.
#[derive(Debug, Default)]
struct Template {
    /// Of the resource that is in the heads, if it is.
    resource: Arc<[Label]>,
    /// By which series are known again.
    metrics: Vec<Arc<Metric>>,
    series: Vec<Series>,
    /// The heads of all series, one after another.
    text: Runs,
}

impl Template {
    /// Renders what the frame has that was not seen before.
    fn follow(&mut self, frame: &Frame, with_resource: bool, render: impl Fn(&Metric, &mut Runs) -> Series) {
        let points = &frame.points;
        let is_known = self.metrics.len() <= points.len()
            && self.metrics.iter().zip(points).all(|(metric, point)| Arc::ptr_eq(metric, &point.metric))
            && (!with_resource || Arc::ptr_eq(&self.resource, &frame.resource));
        if !is_known {
            self.metrics.clear();
            self.series.clear();
            self.text.clear();
            self.resource = Arc::clone(&frame.resource);
        }
        for Point { metric, .. } in &points[self.metrics.len()..] {
            self.metrics.push(Arc::clone(metric));
            self.series.push(render(metric, &mut self.text));
        }
    }
}

/// What the lines of a frame have in common.
struct Scene<'a> {
    temporality: Temporality,
    time: &'a [u8],
    /// Refilled by each histogram.
    counts: &'a mut Vec<u64>,
}

/// The type of the field `value`, by what the measurement is called in the end. A server keeps the first one that it is
/// sent, of all series of a measurement, and refuses another.
#[derive(Debug, Default)]
struct Types(HashMap<String, Type>);

/// The types of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Int,
    Float,
}

impl Types {
    fn of(&mut self, metric: &Metric, number: Number) -> Type {
        let measurement = shown_measurement(&metric.name);
        if let Some(known) = self.0.get(&*measurement) {
            return *known;
        }
        // A time is a fraction sooner or later.
        let is_int = matches!(number, Number::Int(_)) && metric.unit.decimals() == 0;
        let new = if is_int { Type::Int } else { Type::Float };
        self.0.insert(measurement.into_owned(), new);
        new
    }
}

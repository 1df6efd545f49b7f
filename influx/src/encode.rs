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
//!
//! A server tells series apart by what is written. Of two that become one, because a label has no value or a character has
//! no form, the second is left out, as their points would overwrite each other.

mod histogram;
mod plain;
mod row;
mod series;
mod template;

use barewire::{
    Label,
    view::{Frame, Point, Temporality, Value},
    wire::datagram::Datagrams,
};

use crate::{
    fields::{Measurements, Renamed},
    line::push_time,
};
use plain::Ends;
pub use row::Row;
use template::{Claims, Template};

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
    claims: Claims,
    measurements: Measurements,
    renamed: Renamed,
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
    /// a histogram whose bounds do not increase or do not fit its counts, a measurement without a name or with more bytes of
    /// tags than a server takes, a series that is written like an earlier one; and lines that are too long for a datagram.
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

    /// What is not sent as it was given, each told once: tags that got another key, as a field has theirs.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use barewire::{Metric, view::{Frame, Number, Point, Value}};
    /// use barewire_influx::Encoder;
    ///
    /// let metric = Arc::new(Metric::new("hits").label("value", "low"));
    /// let points = vec![Point { metric, value: Value::Counter(Number::Int(7)) }];
    /// let (mut encoder, mut out) = (Encoder::new(), Vec::new());
    /// encoder.push([&Frame { time_unix_ns: 1, points, ..Frame::default() }], &mut out);
    /// assert_eq!(out, b"hits,value_tag=low value=7i 1\n");
    /// assert_eq!(encoder.warnings(), ["the tag 'value' is sent as 'value_tag', because a field is called 'value'"]);
    /// ```
    pub fn warnings(&self) -> &[String] {
        self.renamed.told()
    }

    /// The tags of every line.
    pub(crate) fn tags(&self) -> &[Label] {
        &self.tags
    }

    /// What lines that are written elsewhere have to agree on with those of the encoder.
    pub(crate) fn shared(&mut self) -> Shared<'_> {
        Shared { tags: &self.tags, measurements: &mut self.measurements, renamed: &mut self.renamed }
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
        let Encoder { tags, resource_tags, templates, claims, measurements, renamed, time, counts } = self;
        let resource = if *resource_tags { &*frame.resource } else { &[] };
        let template = &mut templates[position];
        let mut beside = Beside { claims: claims.of(position), measurements, renamed, tags, resource };
        template.follow(frame, *resource_tags, &mut beside);
        time.clear();
        push_time(time, frame.time_unix_ns);
        let ends = Ends::new(time);
        let mut scene = Scene { temporality: frame.temporality, time, counts };
        let (text, series) = template.parts();
        for (series, Point { metric, value }) in series.iter_mut().zip(&frame.points) {
            let is_written = match value {
                Value::Absent => continue,
                Value::Gauge(number) | Value::Counter(number) => {
                    let kind = series.decide_number(metric, *number, beside.measurements);
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

/// What all lines of an exporter have to agree on.
pub(crate) struct Shared<'a> {
    pub(crate) tags: &'a [Label],
    pub(crate) measurements: &'a mut Measurements,
    pub(crate) renamed: &'a mut Renamed,
}

/// What a series is rendered by, beside what it is called.
struct Beside<'a> {
    claims: template::Claimant<'a>,
    measurements: &'a mut Measurements,
    renamed: &'a mut Renamed,
    tags: &'a [Label],
    resource: &'a [Label],
}

/// What the lines of a frame have in common.
struct Scene<'a> {
    temporality: Temporality,
    time: &'a [u8],
    /// Refilled by each histogram.
    counts: &'a mut Vec<u64>,
}

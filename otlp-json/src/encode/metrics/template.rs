//! What never changes between ticks, rendered once.

use std::{collections::HashMap, mem, ops::Range, sync::Arc};

use barewire::{
    Label, Metric,
    view::{Frame, Point, Scope, Value},
    wire::text::{push_f64, push_json_string},
};

use crate::encode::envelope::{METRICS, is_named, push_head, push_labels, push_separated, push_text};

/// The rendered parts of one frame.
#[derive(Debug, Default)]
pub(super) struct Template {
    resource: Arc<[Label]>,
    scope: Option<Scope>,
    head: Vec<u8>,
    /// How many points of the frame are known.
    known: usize,
    /// Points that are in no family: those that have had no value yet, and those that OTLP has no place for.
    outsiders: Vec<Series>,
    /// In order of first appearance.
    families: Vec<Family>,
    /// Where each family stands in `families`.
    places: HashMap<Identity, usize>,
    /// All that the ranges point into.
    text: Vec<u8>,
}

/// The points that OTLP wants as one metric.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) kind: Kind,
    /// `{"name":…,"description":…,"unit":…,"gauge":{"dataPoints":[`, of the first point's metric.
    pub(super) head: Range<usize>,
    pub(super) members: Vec<Series>,
}

/// Name, unit and kind: what tells one family from another. A description does not (OTLP data model, "Identity").
type Identity = (String, String, Kind);

/// What is known of one point.
#[derive(Debug)]
pub(super) struct Series {
    /// Of the point in its frame.
    pub(super) index: usize,
    /// Holding it is what makes its address unique.
    metric: Arc<Metric>,
    /// [`Shape::Undecided`] until the point has its first value.
    shape: Shape,
    /// `","attributes":[…],"`, or `","`.
    pub(super) attributes: Range<usize>,
    /// `],"explicitBounds":[…]` of a histogram.
    pub(super) bounds: Range<usize>,
    /// As what the point was appended the last time that its frame was laid out.
    pub(super) shown: Shown,
}

/// What a point is in a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// Not there.
    No,
    Int,
    Double,
    Histogram,
}

/// The kinds of OTLP's metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Gauge,
    Counter,
    Histogram,
    Exponential,
}

/// What the values of a point have in common.
#[derive(Debug)]
enum Shape {
    Undecided,
    Gauge,
    Counter,
    Histogram(Arc<[f64]>),
    Exponential,
}

impl Template {
    /// Renders what the frame has that was not seen before, and says how many of the points without a family are
    /// present; nothing if one of them is not what it was. The others are for who writes them to compare.
    pub(super) fn follow(&mut self, frame: &Frame) -> Option<u64> {
        self.follow_head(frame);
        let fresh = frame.points.get(self.known..)?;
        self.outsiders.extend((self.known..).zip(fresh).map(Series::undecided));
        self.known = frame.points.len();
        let points = &frame.points;
        if !self.outsiders.iter().all(|series| series.shows(&points[series.index])) {
            return None;
        }
        if self.outsiders.iter().any(|series| series.can_decide(&points[series.index])) {
            self.decide(points);
        }
        let absent = |series: &&Series| matches!(points[series.index].value, Value::Absent);
        Some((self.outsiders.len() - self.outsiders.iter().filter(absent).count()) as u64)
    }

    /// `{"resource":…,"scopeMetrics":[{"scope":…,"metrics":[`
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    pub(super) fn families(&self) -> &[Family] {
        &self.families
    }

    /// And the text that their ranges point into.
    pub(super) fn families_mut(&mut self) -> (&mut [Family], &[u8]) {
        (&mut self.families, &self.text)
    }

    pub(super) fn outsiders(&self) -> &[Series] {
        &self.outsiders
    }

    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Knows no point any more.
    pub(super) fn forget(&mut self) {
        self.known = 0;
        self.outsiders.clear();
        self.families.clear();
        self.places.clear();
        self.text.clear();
    }

    /// Whether [`Template::head`] is what the frame begins with.
    pub(super) fn has_head_of(&self, frame: &Frame) -> bool {
        Arc::ptr_eq(&self.resource, &frame.resource) && self.scope == frame.scope && !self.head.is_empty()
    }

    fn follow_head(&mut self, frame: &Frame) {
        if self.has_head_of(frame) {
            return;
        }
        self.resource = Arc::clone(&frame.resource);
        self.scope.clone_from(&frame.scope);
        self.head.clear();
        push_head(&METRICS, &frame.resource, frame.scope.as_ref(), &mut self.head);
    }

    /// Gives every series a place in a family when its first value shows in which, if OTLP has one for it.
    fn decide(&mut self, points: &[Point]) {
        for mut series in mem::take(&mut self.outsiders) {
            let point = &points[series.index];
            let kind = Kind::of(&point.value).filter(|_| series.can_decide(point));
            let Some(kind) = kind else {
                self.outsiders.push(series);
                continue;
            };
            series.shape = Shape::of(&point.value);
            if !has_names(&series.metric) || !series.shape.is_valid() {
                self.outsiders.push(series);
                continue;
            }
            series.attributes =
                push_range(&mut self.text, |text| push_attributes(&series.metric.labels, text));
            series.bounds = push_range(&mut self.text, |text| series.shape.push_bounds(text));
            self.family(&point.metric, kind).members.push(series);
        }
    }

    fn family(&mut self, metric: &Metric, kind: Kind) -> &mut Family {
        let identity = (metric.name.clone(), metric.unit.symbol().to_owned(), kind);
        let place = *self.places.entry(identity).or_insert_with(|| {
            let head = push_range(&mut self.text, |text| push_family_head(metric, kind, text));
            self.families.push(Family { kind, head, members: Vec::new() });
            self.families.len() - 1
        });
        &mut self.families[place]
    }
}

impl Series {
    fn undecided((index, point): (usize, &Point)) -> Series {
        let metric = Arc::clone(&point.metric);
        Series { index, metric, shape: Shape::Undecided, attributes: 0..0, bounds: 0..0, shown: Shown::No }
    }

    fn can_decide(&self, point: &Point) -> bool {
        matches!(self.shape, Shape::Undecided) && Kind::of(&point.value).is_some()
    }

    /// Whether it is still the same series.
    fn is_of(&self, point: &Point) -> bool {
        Arc::ptr_eq(&self.metric, &point.metric)
    }

    /// Whether the value is of its shape.
    pub(super) fn takes(&self, value: &Value) -> bool {
        self.shape.takes(value)
    }

    /// Whether it is still the same series, with values of the same shape.
    pub(super) fn shows(&self, point: &Point) -> bool {
        self.is_of(point) && self.shape.takes(&point.value)
    }
}

impl Kind {
    fn of(value: &Value) -> Option<Kind> {
        match value {
            Value::Absent | Value::Recorded(_) => None,
            Value::Gauge(_) => Some(Kind::Gauge),
            Value::Counter(_) => Some(Kind::Counter),
            Value::Histogram(_) => Some(Kind::Histogram),
            Value::ExponentialHistogram(_) => Some(Kind::Exponential),
        }
    }

    fn key(self) -> &'static [u8] {
        match self {
            Kind::Gauge => br#""gauge":{"dataPoints":["#,
            Kind::Counter => br#""sum":{"dataPoints":["#,
            Kind::Histogram => br#""histogram":{"dataPoints":["#,
            Kind::Exponential => br#""exponentialHistogram":{"dataPoints":["#,
        }
    }
}

impl Shape {
    fn of(value: &Value) -> Shape {
        match value {
            Value::Absent | Value::Recorded(_) => Shape::Undecided,
            Value::Gauge(_) => Shape::Gauge,
            Value::Counter(_) => Shape::Counter,
            Value::Histogram(histogram) => Shape::Histogram(Arc::clone(&histogram.bounds)),
            Value::ExponentialHistogram(_) => Shape::Exponential,
        }
    }

    fn takes(&self, value: &Value) -> bool {
        match (self, value) {
            (Shape::Histogram(bounds), Value::Histogram(histogram)) => {
                Arc::ptr_eq(bounds, &histogram.bounds) || **bounds == *histogram.bounds
            }
            (Shape::Undecided, _)
            | (_, Value::Absent)
            | (Shape::Gauge, Value::Gauge(_))
            | (Shape::Counter, Value::Counter(_))
            | (Shape::Exponential, Value::ExponentialHistogram(_)) => true,
            _ => false,
        }
    }

    fn is_valid(&self) -> bool {
        let Shape::Histogram(bounds) = self else { return true };
        bounds.iter().all(|bound| bound.is_finite()) && bounds.is_sorted_by(|low, high| low < high)
    }

    fn push_bounds(&self, text: &mut Vec<u8>) {
        let Shape::Histogram(bounds) = self else { return };
        text.extend_from_slice(br#"],"explicitBounds":["#);
        push_separated(bounds.iter(), text, |bound, text| push_f64(text, *bound));
        text.push(b']');
    }
}

/// Whether anybody could ask a backend for it: some refuse the whole batch for one nameless metric or label.
fn has_names(metric: &Metric) -> bool {
    !metric.name.is_empty() && metric.labels.iter().all(is_named)
}

fn push_family_head(metric: &Metric, kind: Kind, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"name":"#);
    push_json_string(out, &metric.name);
    push_text(br#","description":"#, &metric.help, out);
    push_text(br#","unit":"#, metric.unit.symbol(), out);
    out.push(b',');
    out.extend_from_slice(kind.key());
}

fn push_attributes(labels: &[Label], out: &mut Vec<u8>) {
    out.extend_from_slice(br#"",""#);
    if labels.is_empty() {
        return;
    }
    out.extend_from_slice(br#"attributes":["#);
    push_labels(labels.iter(), out);
    out.extend_from_slice(br#"],""#);
}

/// Where `push` has appended.
fn push_range(out: &mut Vec<u8>, push: impl FnOnce(&mut Vec<u8>)) -> Range<usize> {
    let start = out.len();
    push(out);
    start..out.len()
}

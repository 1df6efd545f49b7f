//! What never changes between ticks, rendered once.

use std::{collections::HashMap, ops::Range, sync::Arc};

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
    /// By the index of the point.
    series: Vec<Series>,
    /// How many series have had no value yet, and so have no family.
    undecided: usize,
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
    /// Indexes of points.
    pub(super) members: Vec<usize>,
}

/// Name, unit and kind: what tells one family from another. A description does not (OTLP data model, "Identity").
type Identity = (String, String, Kind);

/// The rendered parts of one point.
#[derive(Debug)]
pub(super) struct Series {
    metric: Arc<Metric>,
    /// [`Shape::Undecided`] until the point has its first value.
    shape: Shape,
    /// `,"attributes":[…]`, or nothing.
    pub(super) attributes: Range<usize>,
    /// `],"explicitBounds":[…]` of a histogram.
    pub(super) bounds: Range<usize>,
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
    /// Renders what the frame has that was not seen before, and says how many of its points are present.
    pub(super) fn follow(&mut self, frame: &Frame) -> u64 {
        self.follow_head(frame);
        if !self.knows(&frame.points) {
            self.forget();
        }
        let fresh = &frame.points[self.series.len()..];
        self.series.extend(fresh.iter().map(Series::undecided));
        self.undecided += fresh.len();
        if self.undecided > 0 {
            (0..).zip(&frame.points).for_each(|(index, point)| self.decide(index, point));
        }
        frame.points.iter().map(|point| u64::from(!matches!(point.value, Value::Absent))).sum()
    }

    /// `{"resource":…,"scopeMetrics":[{"scope":…,"metrics":[`
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    pub(super) fn families(&self) -> &[Family] {
        &self.families
    }

    pub(super) fn series(&self, index: usize) -> &Series {
        &self.series[index]
    }

    pub(super) fn text(&self, range: &Range<usize>) -> &[u8] {
        &self.text[range.start..range.end]
    }

    fn follow_head(&mut self, frame: &Frame) {
        let same = Arc::ptr_eq(&self.resource, &frame.resource) && self.scope == frame.scope;
        if same && !self.head.is_empty() {
            return;
        }
        self.resource = Arc::clone(&frame.resource);
        self.scope.clone_from(&frame.scope);
        self.head.clear();
        push_head(&METRICS, &frame.resource, frame.scope.as_ref(), &mut self.head);
    }

    fn knows(&self, points: &[Point]) -> bool {
        self.series.len() <= points.len()
            && self.series.iter().zip(points).all(|(series, point)| series.shows(point))
    }

    fn forget(&mut self) {
        self.series.clear();
        self.undecided = 0;
        self.families.clear();
        self.places.clear();
        self.text.clear();
    }

    /// Gives the series a place in a family when its first value shows in which, if OTLP has one for it.
    fn decide(&mut self, index: usize, point: &Point) {
        let Template { series, text, .. } = self;
        let Series { metric, shape, attributes, bounds } = &mut series[index];
        let Some(kind) = Kind::of(&point.value) else { return };
        if !matches!(shape, Shape::Undecided) {
            return;
        }
        *shape = Shape::of(&point.value);
        self.undecided -= 1;
        if !has_names(metric) || !shape.is_valid() {
            return;
        }
        *attributes = push_range(text, |text| push_attributes(&metric.labels, text));
        *bounds = push_range(text, |text| shape.push_bounds(text));
        let metric = Arc::clone(metric);
        self.family(&metric, kind).members.push(index);
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
    fn undecided(point: &Point) -> Series {
        let metric = Arc::clone(&point.metric);
        Series { metric, shape: Shape::Undecided, attributes: 0..0, bounds: 0..0 }
    }

    fn shows(&self, point: &Point) -> bool {
        Arc::ptr_eq(&self.metric, &point.metric) && self.shape.takes(&point.value)
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
    if labels.is_empty() {
        return;
    }
    out.extend_from_slice(br#","attributes":["#);
    push_labels(labels.iter(), out);
    out.push(b']');
}

/// Where `push` has appended.
fn push_range(out: &mut Vec<u8>, push: impl FnOnce(&mut Vec<u8>)) -> Range<usize> {
    let start = out.len();
    push(out);
    start..out.len()
}

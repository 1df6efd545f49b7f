//! The series of one frame: which are known, which wait for a value, and which are written like another.

use std::{collections::HashMap, sync::Arc};

use barewire::{
    Label, Metric,
    view::{Frame, Point, Value},
    wire::runs::Runs,
};

use super::{Beside, series::Series};

/// The series of one frame, by the index of the point.
#[derive(Debug, Default)]
pub(super) struct Template {
    /// Of the resource that is in the heads, if it is.
    resource: Arc<[Label]>,
    /// By which series are known again.
    metrics: Vec<Arc<Metric>>,
    series: Vec<Series>,
    /// Those that had no value yet, by which alone their fields are known.
    waiting: Vec<usize>,
    /// The heads of all series, one after another.
    text: Runs,
    /// Of the measurements, when the heads were rendered.
    generation: u64,
}

impl Template {
    /// Renders what the frame has that was not seen before. All that is new is looked at before any of it is rendered, because
    /// the points of a measurement share their fields.
    pub(super) fn follow(&mut self, frame: &Frame, with_resource: bool, beside: &mut Beside<'_>) {
        if !self.is_of(frame, with_resource) {
            self.forget(frame, beside);
        }
        self.admit(&frame.points);
        for Point { metric, value } in self.waiting.iter().map(|at| &frame.points[*at]) {
            beside.measurements.learn(metric, value);
        }
        if self.generation != beside.measurements.generation {
            // A tag that was rendered may have the key of a field now.
            self.forget(frame, beside);
            self.admit(&frame.points);
        }
        let Template { waiting, series, text, .. } = self;
        waiting.retain(|&at| {
            let Point { metric, value } = &frame.points[at];
            let is_absent = matches!(value, Value::Absent);
            if !is_absent {
                series[at] = Series::new(metric, value, beside, text);
            }
            is_absent
        });
    }

    pub(super) fn parts(&mut self) -> (&Runs, &mut [Series]) {
        (&self.text, &mut self.series)
    }

    fn is_of(&self, frame: &Frame, with_resource: bool) -> bool {
        let points = &frame.points;
        self.metrics.len() <= points.len()
            && self.metrics.iter().zip(points).all(|(metric, point)| Arc::ptr_eq(metric, &point.metric))
            && (!with_resource || Arc::ptr_eq(&self.resource, &frame.resource))
    }

    fn forget(&mut self, frame: &Frame, beside: &mut Beside<'_>) {
        self.metrics.clear();
        self.series.clear();
        self.waiting.clear();
        self.text.clear();
        self.resource = Arc::clone(&frame.resource);
        self.generation = beside.measurements.generation;
        beside.claims.give_up();
    }

    fn admit(&mut self, points: &[Point]) {
        for Point { metric, .. } in &points[self.metrics.len()..] {
            self.waiting.push(self.metrics.len());
            self.metrics.push(Arc::clone(metric));
            self.series.push(Series::default());
        }
    }
}

/// Every series that has a line, as it is written, and the position of its frame.
#[derive(Debug, Default)]
pub(super) struct Claims(HashMap<Vec<u8>, usize>);

impl Claims {
    pub(super) fn of(&mut self, position: usize) -> Claimant<'_> {
        Claimant { claims: self, position }
    }
}

/// The frame that claims series.
pub(super) struct Claimant<'a> {
    claims: &'a mut Claims,
    position: usize,
}

impl Claimant<'_> {
    /// Claims a series by its head and the kind of its fields. Not one that is claimed already.
    pub(super) fn claim(&mut self, head: &[u8]) -> bool {
        let Claims(claims) = self.claims;
        !claims.contains_key(head) && claims.insert(head.to_vec(), self.position).is_none()
    }

    fn give_up(&mut self) {
        self.claims.0.retain(|_, owner| *owner != self.position);
    }
}

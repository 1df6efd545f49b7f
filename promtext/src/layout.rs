//! The page as it was written the last time: what nearly every tick puts other digits into.
//!
//! That of one frame whose points are all cumulative and none of which was left out; any other is written from scratch.

use std::sync::Arc;

use barewire::{
    Metric,
    view::{Frame, Number, Value},
    wire::form::{Field, Filling, Form},
};

/// Where a point stands on a page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spot {
    /// Of the point in its frame.
    pub(crate) index: usize,
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) shown: Shown,
}

/// As what a point is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shown {
    /// Only its number changes.
    Gauge(Number),
    /// Only its number changes.
    Counter(Number),
    /// All its lines may.
    Lines,
}

/// A page, and what has to be so that it can be filled.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    form: Form,
    /// Of the page that was written last.
    spots: Vec<Spot>,
    /// In the order of the page; none if it cannot be filled.
    points: Vec<Known>,
    /// Points of which the page has nothing.
    absent: Vec<(usize, Arc<Metric>)>,
}

/// A point and its place on the page.
#[derive(Debug)]
struct Known {
    field: Field,
    /// Holding it is what makes its address unique.
    metric: Arc<Metric>,
    index: u32,
    is_counter: bool,
    is_int: bool,
}

impl Layout {
    pub(crate) fn page(&self) -> &[u8] {
        self.form.text()
    }

    /// Forgets the page, and returns where the next one is to be written, and where its points stand.
    pub(crate) fn begin(&mut self) -> (&mut Vec<u8>, &mut Vec<Spot>) {
        self.points.clear();
        self.absent.clear();
        self.spots.clear();
        (self.form.clear(), &mut self.spots)
    }

    /// Makes fields of the page that was written. It is of this frame, none of whose points was left out.
    pub(crate) fn end(&mut self, frame: &Frame) {
        let Layout { form, spots, points, absent } = self;
        let metric = |index: usize| Arc::clone(&frame.points[index].metric);
        let absentees = (0..).zip(&frame.points).filter(|(_, point)| matches!(point.value, Value::Absent));
        absent.extend(absentees.map(|(index, _)| (index, metric(index))));
        for &Spot { index, start, end, shown } in &*spots {
            let number = shown.number();
            let field = form.field(start..end, number, points.last().map(|known: &Known| &known.field));
            let is_int = matches!(number, Some(Number::Int(_)));
            let is_counter = matches!(shown, Shown::Counter(_));
            let metric = metric(index);
            let index = u32::try_from(index).expect("fewer than 2^32 points");
            points.push(Known { field, metric, index, is_counter, is_int });
        }
    }

    /// Fills the page with the values of a frame that looks like the one it is of, and says how many points it has. What does
    /// not fit is for `push`, with the index of the point. Nothing, and half a page, if the frame looks different.
    #[inline]
    pub(crate) fn fill(
        &mut self,
        frame: &Frame,
        mut push: impl FnMut(usize, bool, &mut Vec<u8>) -> Option<()>,
    ) -> Option<u64> {
        if !self.is_of(frame) {
            return None;
        }
        let mut filling = self.form.fill();
        for known in &mut self.points {
            let point = &frame.points[known.index as usize];
            if !Arc::ptr_eq(&known.metric, &point.metric) {
                return None;
            }
            filling.reach(&mut known.field);
            let fits = match &point.value {
                Value::Gauge(number) if !known.is_counter => filling.number(&known.field, number),
                Value::Counter(number) if known.is_counter => filling.number(&known.field, number),
                _ => false,
            };
            if !fits {
                known.push(&point.value, &mut filling, &mut push)?;
            }
        }
        filling.finish();
        Some(self.points.len() as u64)
    }

    /// Whether a frame has as many points, and nothing to say of the same ones.
    fn is_of(&self, frame: &Frame) -> bool {
        let is_absent = |(index, metric): &(usize, Arc<Metric>)| {
            let point = &frame.points[*index];
            Arc::ptr_eq(metric, &point.metric) && matches!(point.value, Value::Absent)
        };
        !self.points.is_empty()
            && self.points.len() + self.absent.len() == frame.points.len()
            && self.absent.iter().all(is_absent)
    }
}

impl Known {
    /// Has a value pushed that does not fit. Nothing if it cannot be shown here.
    #[inline(never)]
    fn push(
        &mut self,
        value: &Value,
        filling: &mut Filling<'_>,
        push: &mut impl FnMut(usize, bool, &mut Vec<u8>) -> Option<()>,
    ) -> Option<()> {
        let number = match value {
            Value::Gauge(number) | Value::Counter(number) => Some(*number),
            _ => None,
        };
        let Known { field, index, is_int, .. } = self;
        let mut is_pushed = None;
        filling.push(field, number, |out| is_pushed = push(*index as usize, *is_int, out));
        is_pushed
    }
}

impl Shown {
    fn number(self) -> Option<Number> {
        match self {
            Shown::Gauge(number) | Shown::Counter(number) => Some(number),
            Shown::Lines => None,
        }
    }
}

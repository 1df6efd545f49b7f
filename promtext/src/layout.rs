//! A page as it was laid out the last time: what nearly every tick fills with other digits.
//!
//! That of one frame whose points are all cumulative and none of which was left out; any other is laid out anew.

use std::sync::Arc;

use barewire::{
    Metric,
    view::{Frame, Number, Value},
    wire::form::{Blank, Field, Filling, Form},
};

/// Where a point stands on a page that is being laid out.
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
    /// In the order of the form.
    points: Vec<Known>,
    /// Points of which the form has nothing.
    absent: Vec<(usize, Arc<Metric>)>,
}

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
    /// Forgets the page.
    pub(crate) fn clear(&mut self) {
        self.points.clear();
        self.absent.clear();
    }

    /// Keeps a page of a frame, none of whose points was left out.
    pub(crate) fn keep(&mut self, frame: &Frame, page: &[u8], spots: &[Spot]) {
        let Layout { form, points, absent } = self;
        let metric = |index: usize| Arc::clone(&frame.points[index].metric);
        let absentees = (0..).zip(&frame.points).filter(|(_, point)| matches!(point.value, Value::Absent));
        absent.extend(absentees.map(|(index, _)| (index, metric(index))));
        let mut left = spots.iter();
        form.lay_out(page, spots.iter().map(Spot::place), |field| {
            let Spot { index, shown, .. } = *left.next().expect("a field a spot");
            let is_int = matches!(shown, Shown::Gauge(Number::Int(_)) | Shown::Counter(Number::Int(_)));
            let is_counter = matches!(shown, Shown::Counter(_));
            let metric = metric(index);
            let index = u32::try_from(index).expect("fewer than 2^32 points");
            points.push(Known { field, metric, index, is_counter, is_int });
        });
    }

    /// Appends the page of a frame that looks like the one that was kept, and says how many points it has; what does
    /// not fit is for `push`, with the index of the point. Nothing, and half a page in `out`, if it looks different.
    #[inline]
    pub(crate) fn push(
        &mut self,
        frame: &Frame,
        out: &mut Vec<u8>,
        mut push: impl FnMut(usize, bool, &mut Vec<u8>) -> Option<()>,
    ) -> Option<u64> {
        if self.points.is_empty() || self.points.len() + self.absent.len() != frame.points.len() {
            return None;
        }
        let mut filling = self.form.fill(out);
        for known in &self.points {
            let index = known.index as usize;
            let point = &frame.points[index];
            if !Arc::ptr_eq(&known.metric, &point.metric) {
                return None;
            }
            filling.reach(&known.field);
            let fits = match &point.value {
                Value::Gauge(number) if !known.is_counter => known.fill(number, &mut filling),
                Value::Counter(number) if known.is_counter => known.fill(number, &mut filling),
                _ => false,
            };
            if !fits {
                let mut is_pushed = None;
                filling.push(&known.field, |out| is_pushed = push(index, known.is_int, out));
                is_pushed?;
            }
        }
        let is_worn = filling.finish() > self.points.len() / 4;
        let is_absent = |(index, metric): &(usize, Arc<Metric>)| {
            let point = &frame.points[*index];
            Arc::ptr_eq(metric, &point.metric) && matches!(point.value, Value::Absent)
        };
        let points = self.absent.iter().all(is_absent).then_some(self.points.len() as u64);
        if is_worn {
            self.clear();
        }
        points
    }
}

impl Known {
    /// Whether it fits. A number of another kind does not: the form has more decimals for it, or fewer.
    #[inline(always)]
    fn fill(&self, number: &Number, filling: &mut Filling<'_>) -> bool {
        match *number {
            Number::Int(int) => filling.integer(&self.field, int),
            Number::Decimal { digits, decimals } => filling.decimal(&self.field, digits, decimals),
            Number::Float(_) => false,
        }
    }
}

impl Spot {
    fn place(&self) -> (usize, usize, Blank) {
        let blank = match self.shown {
            Shown::Gauge(number) | Shown::Counter(number) => match number {
                Number::Int(int) => Blank::Integer(int),
                Number::Decimal { digits, decimals } => Blank::Decimal { digits, decimals },
                Number::Float(_) => Blank::Text,
            },
            Shown::Lines => Blank::Text,
        };
        (self.start, self.end, blank)
    }
}

//! A frame as it was laid out the last time: what nearly every tick fills with other digits.

use std::sync::Arc;

use barewire::{
    Label, Metric,
    view::{Frame, Number, Scope, Temporality, Value},
    wire::form::{Blank, Field, Filling, Form},
};

use super::{
    DOUBLE_KEY, Encoded, INT_KEY, is_ascending, push_double, push_histogram,
    stamp::{Stamp, TIME_LEN},
    template::{Kind, Series, Shown, Template},
};

/// The entry of one frame in its request.
#[derive(Debug, Default)]
pub(super) struct Layout {
    form: Form,
    /// In the order of the form.
    spots: Vec<Spot>,
    /// The family of each spot, and its place there.
    members: Vec<(usize, usize)>,
    /// Points of which the form has nothing.
    absent: Vec<(usize, Arc<Metric>)>,
    /// Of the entry that is being laid out.
    places: Vec<(usize, usize, Blank)>,
    /// What the form is of; nothing if there is none.
    of: Option<Of>,
    scope: Option<Scope>,
}

#[derive(Debug)]
struct Of {
    start_unix_ns: u64,
    resource: Arc<[Label]>,
}

/// A point and its place in the form.
#[derive(Debug)]
struct Spot {
    field: Field,
    metric: Arc<Metric>,
    index: u32,
    /// From the digits of the time to the field.
    time_before: u32,
    shown: Shown,
    kind: Kind,
}

/// Where the values of an entry stand that is being laid out.
pub(super) struct Places<'a> {
    /// Where the entry starts.
    entry: usize,
    places: &'a mut Vec<(usize, usize, Blank)>,
}

impl Places<'_> {
    /// From `start` to the end of `out`.
    pub(super) fn add(&mut self, start: usize, blank: Blank, out: &[u8]) {
        self.places.push((start - self.entry, out.len() - self.entry, blank));
    }
}

impl Layout {
    pub(super) fn begin(&mut self, entry: usize) -> Places<'_> {
        self.of = None;
        self.places.clear();
        Places { entry, places: &mut self.places }
    }

    /// Keeps the `entry`, if all points that are present are in it, and most are: a view that shows what moves shows others
    /// with the next tick.
    pub(super) fn end(
        &mut self,
        template: &Template,
        frame: &Frame,
        stamp: &Stamp,
        encoded: Encoded,
        entry: &[u8],
    ) {
        let is_lasting = frame.temporality == Temporality::Cumulative && stamp.time.is_some();
        let has_most = encoded.points.saturating_mul(2) > frame.points.len() as u64;
        if !is_lasting || !has_most || encoded.left_out > 0 {
            return;
        }
        self.spots.clear();
        self.members.clear();
        self.absent.clear();
        let known = |series: &Series| (series.index, Arc::clone(&frame.points[series.index].metric));
        let members = || {
            let families = template.families().iter().enumerate();
            families.flat_map(|(family, of)| {
                let members = of.members.iter().enumerate();
                members.map(move |(nth, series)| (of.kind, (family, nth), series))
            })
        };
        let absent = members().filter(|(_, _, series)| series.shown == Shown::No);
        self.absent.extend(absent.map(|(_, _, series)| known(series)));
        self.absent.extend(template.outsiders().iter().map(known));
        let mut shown = members().filter(|(_, _, series)| series.shown != Shown::No);
        let (spots, places) = (&mut self.spots, &mut self.members);
        self.form.lay_out(entry, self.places.drain(..), |field| {
            let (kind, member, series) = shown.next().expect("a series a field");
            let (index, metric) = known(series);
            let key = match series.shown {
                Shown::Int => INT_KEY.len(),
                Shown::Double => DOUBLE_KEY.len(),
                _ => 0,
            };
            let short = |n: usize| u32::try_from(n).expect("fewer than 2^32 points, and shorter labels");
            let (index, time_before) = (short(index), short(TIME_LEN + series.attributes.len() + key));
            spots.push(Spot { field, metric, index, time_before, shown: series.shown, kind });
            places.push(member);
        });
        if self.scope != frame.scope {
            self.scope.clone_from(&frame.scope);
        }
        let resource = Arc::clone(&frame.resource);
        self.of = Some(Of { start_unix_ns: frame.start_unix_ns, resource });
    }

    /// Appends the entry of a frame that looks like the one that was laid out. Nothing, and half an entry in `out`, if
    /// it does not.
    pub(super) fn push(
        &mut self,
        template: &Template,
        frame: &Frame,
        stamp: &Stamp,
        out: &mut Vec<u8>,
    ) -> Option<Encoded> {
        let time = stamp.time.as_ref()?;
        if !self.is_of(frame) {
            return None;
        }
        let mut filling = self.form.fill(out);
        for (spot, member) in self.spots.iter().zip(&self.members) {
            let point = &frame.points[spot.index as usize];
            if !Arc::ptr_eq(&spot.metric, &point.metric) {
                return None;
            }
            filling.reach(&spot.field);
            filling.patch(&spot.field, spot.time_before as usize, time);
            let fits = match &point.value {
                Value::Gauge(number) if spot.kind == Kind::Gauge => spot.fill(*number, &mut filling),
                Value::Counter(number) if spot.kind == Kind::Counter => spot.fill(*number, &mut filling),
                _ => false,
            };
            if !fits {
                spot.push(template, *member, &point.value, &mut filling)?;
            }
        }
        let is_worn = filling.finish() > self.spots.len() / 4;
        if is_worn {
            self.of = None;
        }
        Some(Encoded { points: self.spots.len() as u64, left_out: 0 })
    }

    fn is_of(&self, frame: &Frame) -> bool {
        let Some(of) = &self.of else { return false };
        let is_absent = |(index, metric): &(usize, Arc<Metric>)| {
            let point = &frame.points[*index];
            Arc::ptr_eq(metric, &point.metric) && matches!(point.value, Value::Absent)
        };
        frame.temporality == Temporality::Cumulative
            && of.start_unix_ns == frame.start_unix_ns
            && Arc::ptr_eq(&of.resource, &frame.resource)
            && self.scope == frame.scope
            && self.spots.len() + self.absent.len() == frame.points.len()
            && self.absent.iter().all(is_absent)
    }
}

impl Spot {
    /// Whether it fits.
    #[inline(always)]
    fn fill(&self, number: Number, filling: &mut Filling<'_>) -> bool {
        match number {
            Number::Int(int) => filling.integer(&self.field, int),
            Number::Decimal { digits, decimals } => filling.decimal(&self.field, digits, decimals),
            Number::Float(_) => false,
        }
    }

    /// Appends what does not fit. Nothing if the point is not what it was.
    #[inline(never)]
    fn push(
        &self,
        template: &Template,
        (family, nth): (usize, usize),
        value: &Value,
        filling: &mut Filling<'_>,
    ) -> Option<()> {
        match (self.kind, value) {
            (Kind::Gauge, Value::Gauge(number)) => self.push_number(*number, filling),
            (Kind::Counter, Value::Counter(number)) if is_ascending(*number) => {
                self.push_number(*number, filling)
            }
            (Kind::Histogram, Value::Histogram(_)) | (Kind::Exponential, Value::ExponentialHistogram(_)) => {
                let series = &template.families()[family].members[nth];
                let bounds = &template.text()[series.bounds.clone()];
                let mut is_pushed = series.takes(value);
                filling.push(&self.field, |out| is_pushed = is_pushed && push_histogram(bounds, value, out));
                is_pushed.then_some(())
            }
            _ => None,
        }
    }

    fn push_number(&self, number: Number, filling: &mut Filling<'_>) -> Option<()> {
        let is_int = matches!(number, Number::Int(_));
        if is_int != (self.shown == Shown::Int) {
            return None;
        }
        filling.push(&self.field, |out| push_double(number, out));
        Some(())
    }
}

//! The document of a frame as it was written the last time: what nearly every tick puts other digits into.

use std::{ops::Range, sync::Arc};

use barewire::{
    Metric,
    view::{Frame, Number, Temporality, Value},
    wire::form::{Field, Filling, Form},
};

use super::{
    DOUBLE_KEY, Encoded, INT_KEY, is_ascending, push_double, push_histogram, push_opened,
    stamp::{Stamp, TIME_END_LEN, TimeEnd, TimeStart},
    template::{Kind, Series, Shown, Template},
};

/// The document of one frame.
#[derive(Debug, Default)]
pub(super) struct Layout {
    form: Form,
    /// In the order of the form.
    spots: Vec<Spot>,
    /// Points of which the form has nothing.
    absent: Vec<(usize, Arc<Metric>)>,
    /// Of the document that is being written.
    places: Places,
    /// What the form is of, beside the template; nothing if it cannot be filled.
    of: Option<Of>,
}

#[derive(Debug)]
struct Of {
    start_unix_ns: u64,
    time_start: TimeStart,
}

/// A point and its place in the form.
#[derive(Debug)]
struct Spot {
    metric: Arc<Metric>,
    field: Field,
    index: u32,
    /// Its family, and its place there.
    member: (u32, u32),
    /// From the digits of the time that are not left to stand to the field.
    time_before: u32,
    shown: Shown,
    kind: Kind,
}

/// Where the values of a document stand: a number, or the text of a histogram.
#[derive(Debug, Default)]
pub(super) struct Places(Vec<(Range<usize>, Option<Number>)>);

impl Places {
    /// From `start` to the end of `out`.
    pub(super) fn add(&mut self, start: usize, number: Option<Number>, out: &[u8]) {
        self.0.push((start..out.len(), number));
    }
}

impl Layout {
    pub(super) fn new() -> Self {
        Layout { form: Form::with_blanks(), ..Layout::default() }
    }

    /// As it was written last.
    pub(super) fn document(&self) -> &[u8] {
        self.form.text()
    }

    /// What the next document is to be written to.
    pub(super) fn begin(&mut self) -> (&mut Vec<u8>, &mut Places) {
        self.of = None;
        self.places.0.clear();
        (self.form.clear(), &mut self.places)
    }

    /// Learns how to fill the document, if all points that are present are in it, and most are: a view that shows what
    /// moves shows others with the next tick.
    pub(super) fn end(&mut self, template: &Template, frame: &Frame, stamp: &Stamp, encoded: Encoded) {
        let Layout { form, spots, absent, places, of } = self;
        spots.clear();
        absent.clear();
        let Some((time_start, _)) = stamp.time else { return };
        let has_most = encoded.points.saturating_mul(2) > frame.points.len() as u64;
        if frame.temporality != Temporality::Cumulative || !has_most || encoded.left_out > 0 {
            return;
        }
        let known = |series: &Series| (series.index, Arc::clone(&frame.points[series.index].metric));
        let members = template.families().iter().enumerate().flat_map(|(at, family)| {
            let members = family.members.iter().enumerate();
            members.map(move |(nth, series)| (family.kind, (at, nth), series))
        });
        let hidden = members.clone().filter(|(_, _, series)| series.shown == Shown::No);
        absent.extend(hidden.map(|(_, _, series)| known(series)));
        absent.extend(template.outsiders().iter().map(known));
        let shown = members.filter(|(_, _, series)| series.shown != Shown::No);
        for ((kind, member, series), (place, number)) in shown.zip(places.0.drain(..)) {
            let (index, metric) = known(series);
            let key = match series.shown {
                Shown::Int => INT_KEY.len(),
                Shown::Double => DOUBLE_KEY.len(),
                _ => 0,
            };
            let field = form.field(place, number, spots.last().map(|spot| &spot.field));
            let short = |n: usize| u32::try_from(n).expect("fewer than 2^32 points, and shorter labels");
            let time_before = short(TIME_END_LEN + series.attributes.len() + key);
            let (index, member) = (short(index), (short(member.0), short(member.1)));
            spots.push(Spot { metric, field, index, member, time_before, shown: series.shown, kind });
        }
        *of = Some(Of { start_unix_ns: frame.start_unix_ns, time_start });
    }

    /// Puts the numbers of a frame that looks like the one before into the document. Nothing, and no document any more, if
    /// it does not.
    pub(super) fn fill(&mut self, template: &Template, frame: &Frame, stamp: &Stamp) -> Option<Encoded> {
        let (time_start, time) = stamp.time.as_ref()?;
        let of = self.of.take()?;
        let is_same = of.time_start == *time_start && of.start_unix_ns == frame.start_unix_ns;
        if !is_same || !template.has_head_of(frame) || !self.has_points_of(frame) {
            return None;
        }
        self.fill_points(template, frame, time)?;
        self.of = Some(of);
        Some(Encoded { points: self.spots.len() as u64, left_out: 0 })
    }

    #[inline(never)]
    fn fill_points(&mut self, template: &Template, frame: &Frame, time: &TimeEnd) -> Option<()> {
        let mut filling = self.form.fill();
        for spot in &mut self.spots {
            let point = &frame.points[spot.index as usize];
            if !Arc::ptr_eq(&spot.metric, &point.metric) {
                return None;
            }
            filling.reach(&mut spot.field);
            filling.patch(&spot.field, spot.time_before as usize, time);
            let fits = match &point.value {
                Value::Gauge(number) if spot.kind == Kind::Gauge => filling.number(&spot.field, number),
                Value::Counter(number) if spot.kind == Kind::Counter => filling.number(&spot.field, number),
                _ => false,
            };
            if !fits {
                spot.push(template, &point.value, &mut filling)?;
            }
        }
        filling.finish();
        Some(())
    }

    fn has_points_of(&self, frame: &Frame) -> bool {
        let is_absent = |(index, metric): &(usize, Arc<Metric>)| {
            let point = &frame.points[*index];
            Arc::ptr_eq(metric, &point.metric) && matches!(point.value, Value::Absent)
        };
        frame.temporality == Temporality::Cumulative
            && self.spots.len() + self.absent.len() == frame.points.len()
            && self.absent.iter().all(is_absent)
    }
}

impl Spot {
    /// Pushes what does not fit. Nothing if the point is not what it was.
    #[inline(never)]
    fn push(&mut self, template: &Template, value: &Value, filling: &mut Filling<'_>) -> Option<()> {
        match (self.kind, value) {
            (Kind::Gauge, Value::Gauge(number)) => self.push_number(*number, filling),
            (Kind::Counter, Value::Counter(number)) if is_ascending(*number) => {
                self.push_number(*number, filling)
            }
            (Kind::Histogram, Value::Histogram(_)) | (Kind::Exponential, Value::ExponentialHistogram(_)) => {
                let (family, nth) = self.member;
                let series = &template.families()[family as usize].members[nth as usize];
                let bounds = &template.text()[series.bounds.clone()];
                let mut is_pushed = series.takes(value);
                filling.push(&mut self.field, None, |out| {
                    is_pushed = is_pushed && push_histogram(bounds, value, out);
                });
                is_pushed.then_some(())
            }
            _ => None,
        }
    }

    fn push_number(&mut self, number: Number, filling: &mut Filling<'_>) -> Option<()> {
        match (number, self.shown) {
            (Number::Int(int), Shown::Int) => {
                filling.push(&mut self.field, Some(number), |out| push_opened(int, out));
            }
            (Number::Decimal { .. } | Number::Float(_), Shown::Double) => {
                filling.push(&mut self.field, Some(number), |out| push_double(number, out));
            }
            _ => return None,
        }
        Some(())
    }
}

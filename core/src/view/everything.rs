//! Every series as a point of its own, and next to no work for those that stand still.
//!
//! What was shown last is kept by kind, in lists that lie beside those of a snapshot: the count of a counter, the bits of
//! a gauge, the distribution of a histogram. A tick walks along both. Only where they differ is a point looked up and
//! made anew, so a series that stands still costs a comparison, and neither its point nor its metric is touched. That a
//! histogram stands still is seen from its address alone: the sampler writes to no distribution that somebody holds, and
//! this list holds what it has shown.

use std::{mem, sync::Arc};

use super::{
    point::{Frame, Number, Point, Temporality, Value},
    shape::{Shape, fill_recorded},
};
use crate::{
    Distribution,
    record::snapshot::{Slot, Snapshot},
};

/// What was shown last of every series of a registry.
#[derive(Debug, Clone, Default)]
pub(crate) struct Everything {
    counters: Vec<Shown>,
    gauges: Vec<Shown>,
    histograms: Vec<ShownHistogram>,
    /// How all of it was shown; whoever asks for something else is shown all of it anew.
    manner: Option<(Temporality, Shape)>,
    turn: Turn,
    /// The values of histograms that are not shown at present, for those that will be.
    spare: Vec<Value>,
    nothing: Arc<Distribution>,
    scratch: Distribution,
}

/// A counter or a gauge.
#[derive(Debug, Clone)]
struct Shown {
    /// The count, or the bits of the float.
    bits: u64,
    point: u32,
    decimals: u8,
    is_hidden: bool,
}

#[derive(Debug, Clone)]
struct ShownHistogram {
    total: Option<Arc<Distribution>>,
    point: u32,
    /// Whether there was anything in the window.
    has_window: bool,
    is_hidden: bool,
}

/// Whose turn it is of those that did not move.
#[derive(Debug, Clone, Copy, Default)]
struct Turn {
    /// Each in so many; all of them where this is 0 or 1.
    every: u32,
    round: u32,
}

impl Turn {
    #[inline]
    fn is_of(self, point: u32) -> bool {
        self.every <= 1 || point.wrapping_add(self.round).is_multiple_of(self.every)
    }
}

impl Everything {
    /// Shows what did not move only every so many times.
    pub(crate) fn rest(&mut self, every: u32) {
        self.turn.every = every;
    }

    pub(crate) fn show(
        &mut self,
        now: &Snapshot,
        earlier: Option<&Snapshot>,
        shape: Shape,
        frame: &mut Frame,
    ) {
        self.admit(now, frame);
        let manner = Some((frame.temporality, shape));
        if self.manner != manner {
            self.forget();
            self.manner = manner;
        }
        self.turn.round = self.turn.round.wrapping_add(1);
        let is_delta = frame.temporality == Temporality::Delta;
        self.show_counters(now, earlier, is_delta, &mut frame.points);
        self.show_gauges(now, earlier, &mut frame.points);
        self.show_histograms(now, earlier, (is_delta, shape), &mut frame.points);
    }

    /// Makes the points of the series that came since; there is nothing to be seen of them yet.
    fn admit(&mut self, now: &Snapshot, frame: &mut Frame) {
        let known = frame.points.len();
        for (at, series) in now.series().iter().enumerate().skip(known) {
            let point = u32::try_from(at).expect("fewer than 2^32 series");
            let number = || Shown {
                bits: f64::NAN.to_bits(),
                point,
                decimals: series.metric.unit.decimals(),
                is_hidden: true,
            };
            match series.slot {
                Slot::Counter(_) => self.counters.push(number()),
                Slot::Gauge(_) => self.gauges.push(number()),
                Slot::Histogram(_) => self.histograms.push(ShownHistogram {
                    total: None,
                    point,
                    has_window: false,
                    is_hidden: true,
                }),
            }
            frame.points.push(Point { metric: Arc::clone(&series.metric), value: Value::Absent });
        }
    }

    fn forget(&mut self) {
        self.counters.iter_mut().chain(&mut self.gauges).for_each(|shown| shown.is_hidden = true);
        self.histograms.iter_mut().for_each(|shown| shown.is_hidden = true);
    }

    /// As many as came since `earlier`, or since the start.
    fn show_counters(
        &mut self,
        now: &Snapshot,
        earlier: Option<&Snapshot>,
        is_delta: bool,
        points: &mut [Point],
    ) {
        let before = earlier.map_or(&[][..], |earlier| &earlier.counters);
        for (at, (shown, total)) in self.counters.iter_mut().zip(&now.counters).enumerate() {
            let before = before.get(at);
            if before == Some(total) && !self.turn.is_of(shown.point) {
                shown.hide(points);
                continue;
            }
            let since = if is_delta { before.copied().unwrap_or(0) } else { 0 };
            let count = total.wrapping_sub(since);
            shown.show(count, points, |decimals| Value::Counter(Number::scaled(count.into(), decimals)));
        }
    }

    fn show_gauges(&mut self, now: &Snapshot, earlier: Option<&Snapshot>, points: &mut [Point]) {
        let before = earlier.map_or(&[][..], |earlier| &earlier.gauges);
        for (at, (shown, value)) in self.gauges.iter_mut().zip(&now.gauges).enumerate() {
            let stands = before.get(at).is_some_and(|before| before.to_bits() == value.to_bits());
            if stands && !self.turn.is_of(shown.point) {
                shown.hide(points);
                continue;
            }
            shown.show(value.to_bits(), points, |_| {
                if value.is_nan() { Value::Absent } else { Value::Gauge(Number::Float(*value)) }
            });
        }
    }

    fn show_histograms(
        &mut self,
        now: &Snapshot,
        earlier: Option<&Snapshot>,
        (is_delta, shape): (bool, Shape),
        points: &mut [Point],
    ) {
        let before = earlier.map_or(&[][..], |earlier| &earlier.histograms);
        for (at, (shown, total)) in self.histograms.iter_mut().zip(&now.histograms).enumerate() {
            let before = before.get(at);
            let moved = !before.is_some_and(|before| Arc::ptr_eq(before, total));
            if !moved && !self.turn.is_of(shown.point) {
                if let Some(mut value) = shown.hide(points) {
                    // The sampler is to write to it again.
                    if let Value::Recorded(recorded) = &mut value {
                        recorded.run = Arc::clone(&self.nothing);
                    }
                    self.spare.push(value);
                }
                continue;
            }
            let has_window = moved && (is_delta || shape.shows_window());
            let is_known = shown.total.as_ref().is_some_and(|known| Arc::ptr_eq(known, total));
            if is_known && !shown.is_hidden && !has_window && !shown.has_window {
                continue;
            }
            let Point { metric, value } = &mut points[shown.point as usize];
            if matches!(value, Value::Absent) {
                *value = self.spare.pop().unwrap_or(Value::Absent);
            }
            let run = (!is_delta).then_some(&**total);
            let fill_window = |window: &mut Distribution| match has_window {
                true => total.since_into(before.map(Arc::as_ref), window),
                false => window.reset(total.precision()),
            };
            match shape {
                Shape::Recorded => {
                    let recorded = fill_recorded(value, &metric.unit, fill_window);
                    match run {
                        Some(_) => recorded.run = Arc::clone(total),
                        None if recorded.run.count() > 0 => recorded.run = Arc::clone(&self.nothing),
                        None => {}
                    }
                }
                _ => {
                    if is_delta {
                        fill_window(&mut self.scratch);
                    }
                    shape.fill(run, &self.scratch, &metric.unit, value);
                }
            }
            (shown.has_window, shown.is_hidden) = (has_window, false);
            if !is_known {
                shown.total = Some(Arc::clone(total));
            }
        }
    }
}

impl Shown {
    #[inline]
    fn show(&mut self, bits: u64, points: &mut [Point], value: impl FnOnce(u8) -> Value) {
        if self.bits != bits || self.is_hidden {
            (self.bits, self.is_hidden) = (bits, false);
            points[self.point as usize].value = value(self.decimals);
        }
    }

    #[inline]
    fn hide(&mut self, points: &mut [Point]) {
        if !self.is_hidden {
            self.is_hidden = true;
            points[self.point as usize].value = Value::Absent;
        }
    }
}

impl ShownHistogram {
    #[inline]
    fn hide(&mut self, points: &mut [Point]) -> Option<Value> {
        (!mem::replace(&mut self.is_hidden, true))
            .then(|| mem::replace(&mut points[self.point as usize].value, Value::Absent))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::{Counter, Gauge, Histogram, Metric, Registry, Shard, Unit, view::View};

    /// What a program does between two ticks.
    #[derive(Debug, Clone)]
    enum Act {
        Add(usize, u64),
        Set(usize, f64),
        Record(usize, u64),
        Register,
        Finish,
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            (0..4usize, 0..3u64).prop_map(|(at, n)| Act::Add(at, n)),
            (0..4usize, prop_oneof![Just(1.0), Just(-0.0), Just(0.0), Just(f64::NAN)])
                .prop_map(|(at, value)| Act::Set(at, value)),
            (0..4usize, 0..9_000_000u64).prop_map(|(at, value)| Act::Record(at, value)),
            Just(Act::Register),
            Just(Act::Finish),
        ]
    }

    struct Program {
        registry: Registry,
        shard: Shard,
        series: Vec<(Counter, Gauge, Histogram)>,
    }

    impl Program {
        fn new() -> Self {
            let registry = Registry::new("test");
            let mut program = Program { shard: registry.shard(), registry, series: Vec::new() };
            program.act(&Act::Register);
            program
        }

        fn act(&mut self, act: &Act) {
            let n = self.series.len();
            match *act {
                Act::Add(at, count) => self.shard.add(self.series[at % n].0, count),
                Act::Set(at, value) => self.shard.set(self.series[at % n].1, value),
                Act::Record(at, value) => self.shard.record(self.series[at % n].2, value),
                Act::Register => {
                    let metric =
                        |kind: &str| Metric::new(kind).unit(Unit::Milliseconds).label("n", n.to_string());
                    let registry = &self.registry;
                    let gauge = registry.gauge(Metric::new("gauge").label("n", n.to_string()));
                    let (counter, histogram) =
                        (registry.counter(metric("counter")), registry.histogram(metric("histogram")));
                    self.series.push((counter, gauge, histogram));
                }
                Act::Finish => self.shard = self.registry.shard(),
            }
        }
    }

    fn manners() -> impl Iterator<Item = View> {
        let shapes = [Shape::Exponential, Shape::Explicit, Shape::Recorded];
        let both = [Temporality::Cumulative, Temporality::Delta];
        shapes.into_iter().flat_map(move |shape| {
            both.map(|temporality| View::everything().histograms(shape).temporality(temporality))
        })
    }

    /// As text, since a gauge may be no number.
    fn told(value: &Value) -> String {
        format!("{value:?}")
    }

    proptest! {
        /// Whatever was shown before, what is shown is what a new view shows; `is_taken` says whether it is delivered.
        #[test]
        fn a_view_that_remembers_shows_what_one_that_knows_nothing_does(
            ticks in vec((vec(act(), 0..6), any::<bool>()), 1..12),
        ) {
            let mut program = Program::new();
            let mut views: Vec<View> = manners().collect();
            let mut delivered: Option<Arc<Snapshot>> = None;
            for (acts, is_taken) in ticks {
                acts.iter().for_each(|act| program.act(act));
                let now = program.registry.snapshot();
                for (view, mut fresh) in views.iter_mut().zip(manners()) {
                    let shown = view.show(&now, delivered.as_deref());
                    let expected = fresh.show(&now, delivered.as_deref());
                    prop_assert_eq!(shown.points.len(), expected.points.len());
                    for (shown, expected) in shown.points.iter().zip(&expected.points) {
                        prop_assert!(Arc::ptr_eq(&shown.metric, &expected.metric));
                        prop_assert_eq!(told(&shown.value), told(&expected.value));
                    }
                }
                if is_taken {
                    delivered = Some(now);
                }
            }
        }

        /// A view of what moves shows of every point what one of everything shows, or nothing; nothing only of what has
        /// not moved since the last delivery, and not for longer than it may.
        #[test]
        fn what_rests_is_shown_in_its_turn_and_what_moves_at_once(
            ticks in vec((vec(act(), 0..6), any::<bool>()), 1..12), every in 1..4u32,
        ) {
            let mut program = Program::new();
            let mut views: Vec<(View, Vec<u32>)> =
                manners().map(|view| (view.idle_every(every), Vec::new())).collect();
            let mut delivered: Option<Arc<Snapshot>> = None;
            for (acts, is_taken) in ticks {
                acts.iter().for_each(|act| program.act(act));
                let now = program.registry.snapshot();
                let stands = standing(&now, delivered.as_deref());
                for ((view, unseen), mut all) in views.iter_mut().zip(manners()) {
                    let shown = view.show(&now, delivered.as_deref());
                    let all = all.show(&now, delivered.as_deref());
                    unseen.resize(all.points.len(), 0);
                    for (at, (shown, all)) in shown.points.iter().zip(&all.points).enumerate() {
                        if told(&shown.value) == told(&all.value) {
                            unseen[at] = 0;
                        } else {
                            unseen[at] += 1;
                            prop_assert_eq!(&shown.value, &Value::Absent);
                            prop_assert!(stands.contains(&at) && unseen[at] < every);
                        }
                    }
                }
                if is_taken {
                    delivered = Some(now);
                }
            }
        }
    }

    /// Which series say what they said in `earlier`, by their number.
    fn standing(now: &Snapshot, earlier: Option<&Snapshot>) -> BTreeSet<usize> {
        let Some(earlier) = earlier else { return BTreeSet::new() };
        let known = earlier.series().len();
        let readings = now.series().iter().take(known).enumerate();
        let stands = readings
            .filter(|(_, series)| format!("{:?}", now.read(series)) == format!("{:?}", earlier.read(series)));
        stands.map(|(at, _)| at).collect()
    }
}

//! Whatever a program does with its shards, a snapshot says what a naive count says.

use std::{collections::BTreeMap, sync::Arc};

use barewire::{
    Counter, Distribution, Gauge, Histogram, Metric, OVERFLOW, Precision, Reading, Registry, Shard, Snapshot,
};
use proptest::prelude::*;

/// More than the histograms of a page.
const SERIES: usize = 20;

/// Large enough to be far beyond [`barewire::HIGHEST`], small enough for the sum of a few hundred.
const LARGEST: u64 = u64::MAX >> 9;

#[derive(Debug, Clone)]
enum Step {
    Start,
    Finish(usize),
    Add(usize, usize, u64),
    Set(usize, usize, f64),
    Record(usize, usize, u64),
    Read,
}

fn step() -> impl Strategy<Value = Step> {
    let value = prop_oneof![0..200u64, 0..=barewire::HIGHEST, 0..=LARGEST, Just(LARGEST)];
    prop_oneof![
        1 => Just(Step::Start),
        1 => any::<usize>().prop_map(Step::Finish),
        4 => (any::<usize>(), 0..SERIES, any::<u64>()).prop_map(|(shard, at, n)| Step::Add(shard, at, n)),
        2 => (any::<usize>(), 0..SERIES, -9.0..9.0f64).prop_map(|(shard, at, v)| Step::Set(shard, at, v)),
        8 => (any::<usize>(), 0..SERIES, value).prop_map(|(shard, at, v)| Step::Record(shard, at, v)),
        2 => Just(Step::Read),
    ]
}

/// What was to be read at one time.
struct Moment {
    snapshot: Arc<Snapshot>,
    counts: Vec<u64>,
    recorded: Vec<Distribution>,
}

/// One shard, and the gauges that it set.
type Living = (Shard, Vec<Option<f64>>);

struct World {
    registry: Registry,
    counters: Vec<Counter>,
    gauges: Vec<Gauge>,
    histograms: Vec<Histogram>,
    shards: Vec<Living>,
    counts: Vec<u64>,
    recorded: Vec<Distribution>,
    moments: Vec<Moment>,
}

impl World {
    fn new() -> Self {
        let registry = Registry::new("test");
        let precision = |at: usize| [Precision::One, Precision::Two, Precision::Three][at % 3];
        let metric = |name: &str, at: usize| {
            Metric::new(name).label("at", i64::try_from(at).unwrap()).precision(precision(at))
        };
        World {
            counters: (0..SERIES).map(|at| registry.counter(metric("counter", at))).collect(),
            gauges: (0..SERIES).map(|at| registry.gauge(metric("gauge", at))).collect(),
            histograms: (0..SERIES).map(|at| registry.histogram(metric("histogram", at))).collect(),
            shards: Vec::new(),
            counts: vec![0; SERIES],
            recorded: (0..SERIES).map(|at| Distribution::new(precision(at))).collect(),
            moments: Vec::new(),
            registry,
        }
    }

    fn living(&mut self, number: usize) -> Option<&mut Living> {
        let count = self.shards.len().max(1);
        self.shards.get_mut(number % count)
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Start => self.shards.push((self.registry.shard(), vec![None; SERIES])),
            Step::Finish(_) if self.shards.is_empty() => {}
            Step::Finish(shard) => drop(self.shards.swap_remove(shard % self.shards.len())),
            Step::Add(shard, at, n) => {
                let counter = self.counters[at];
                let Some((shard, _)) = self.living(shard) else { return };
                shard.add(counter, n);
                self.counts[at] = self.counts[at].wrapping_add(n);
            }
            Step::Set(shard, at, value) => {
                let gauge = self.gauges[at];
                let Some((shard, gauges)) = self.living(shard) else { return };
                shard.set(gauge, value);
                gauges[at] = Some(value);
            }
            Step::Record(shard, at, value) => {
                let histogram = self.histograms[at];
                let Some((shard, _)) = self.living(shard) else { return };
                shard.record(histogram, value);
                self.recorded[at].record(value);
            }
            Step::Read => self.check(),
        }
    }

    fn check(&mut self) {
        let snapshot = self.registry.snapshot();
        self.moments.push(Moment {
            snapshot: Arc::clone(&snapshot),
            counts: self.counts.clone(),
            recorded: self.recorded.clone(),
        });
        for (at, series) in snapshot.series().iter().enumerate() {
            let at = at % SERIES;
            match snapshot.read(series) {
                Reading::Counter(count) => assert_eq!(count, self.counts[at]),
                Reading::Gauge(seen) => {
                    let expected = self.shards.iter().filter_map(|(_, gauges)| gauges[at]);
                    let expected = expected.reduce(|sum, value| sum + value);
                    assert_eq!(seen.is_some(), expected.is_some());
                    assert!((seen.unwrap_or(0.0) - expected.unwrap_or(0.0)).abs() < 1e-9);
                }
                Reading::Histogram(seen) => {
                    let expected = &self.recorded[at];
                    assert!(seen.buckets().eq(expected.buckets()));
                    assert_eq!((seen.count(), seen.sum()), (expected.count(), expected.sum()));
                    assert_eq!((seen.min(), seen.max()), (expected.min(), expected.max()));
                }
            }
        }
    }
}

impl Moment {
    /// What came between two of them is the difference, whichever they are.
    fn check_since(&self, earlier: &Moment) {
        let window = self.snapshot.since(Some(&earlier.snapshot));
        let mut recorded = Distribution::default();
        for (at, series) in self.snapshot.series().iter().enumerate() {
            let number = at % SERIES;
            if at < SERIES {
                assert_eq!(window.counter(series), self.counts[number].wrapping_sub(earlier.counts[number]));
            }
            window.histogram_into(series, &mut recorded);
            if at >= 2 * SERIES {
                let mut sum = earlier.recorded[number].clone();
                sum.merge(&recorded);
                assert!(sum.buckets().eq(self.recorded[number].buckets()));
                assert_eq!(sum.sum(), self.recorded[number].sum());
            }
        }
    }
}

/// What is registered and counted: of which kind and name, with which label, how often.
type Counted = (bool, usize, u8, u64);

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// What the series of each name say together, those of [`OVERFLOW`] under that.
fn totals(snapshot: &Snapshot) -> BTreeMap<String, u64> {
    let mut totals = BTreeMap::new();
    for (metric, reading) in snapshot.readings() {
        let count = match reading {
            Reading::Counter(count) => count,
            Reading::Histogram(all) => all.count(),
            Reading::Gauge(_) => unreachable!("there is none"),
        };
        let name = if metric.name.starts_with(OVERFLOW) { OVERFLOW } else { &metric.name };
        *totals.entry(name.to_owned()).or_default() += count;
    }
    totals
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 64 }) })]

    #[test]
    fn a_snapshot_says_what_a_naive_count_says(steps in prop::collection::vec(step(), 0..200)) {
        let mut world = World::new();
        steps.iter().for_each(|step| world.take(step));
        world.check();
        for (at, moment) in world.moments.iter().enumerate() {
            world.moments[..=at].iter().for_each(|earlier| moment.check_since(earlier));
        }
    }

    #[test]
    fn past_the_budget_series_fold_and_no_count_is_lost(
        budget in 0..12_usize,
        counted in prop::collection::vec((any::<bool>(), 0..NAMES.len(), 0..20_u8, 0..9_u64), 0..80),
    ) {
        let registry = Registry::with_budget("test", budget);
        let mut shard = registry.shard();
        let mut expected = BTreeMap::<&str, u64>::new();
        let mut sum = 0;
        let counted: Vec<Counted> = counted;
        for (is_counter, name, label, count) in counted {
            // Overflow series differ by the keys of their labels.
            let key = ["x", "y", "z", "w"][usize::from(label % 4)];
            let metric = Metric::new(NAMES[name]).label(key, i64::from(label));
            if is_counter {
                shard.add(registry.counter(metric), count);
            } else {
                let histogram = registry.histogram(metric);
                (0..count).for_each(|value| shard.record(histogram, value));
            }
            *expected.entry(NAMES[name]).or_default() += count;
            sum += count;
        }
        let snapshot = registry.snapshot();
        let totals = totals(&snapshot);
        prop_assert_eq!(totals.values().sum::<u64>(), sum);
        // A name has its own counts, or those that no series of its own could take are in the last resort.
        for (name, total) in totals.iter().filter(|(name, _)| *name != OVERFLOW) {
            prop_assert!(*total <= expected[name.as_str()]);
        }
        // Overflow series of four shapes a name, and a last resort of each kind.
        prop_assert!(snapshot.series().len() <= budget + 4 * NAMES.len() + 3);
        let is_folded = snapshot.series().iter().any(|series| {
            let labels = &series.metric.labels;
            series.metric.name.starts_with(OVERFLOW) || labels.iter().any(|label| label.value == OVERFLOW.into())
        });
        prop_assert_eq!(registry.folded() > 0, is_folded);
    }
}

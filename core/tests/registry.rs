//! What threads count is what a snapshot says, whatever the threads do.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Barrier,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use barewire::{
    Delivered, Distribution, ExportError, Exporter, Metric, OVERFLOW, Precision, Reading, Registry, Reporter,
    Sample, Samples, Snapshot, Unit,
};

fn histogram_count(snapshot: &Snapshot, name: &str) -> u64 {
    let of = |reading| if let Reading::Histogram(all) = reading { all.count() } else { 0 };
    snapshot.readings().filter(|(metric, _)| metric.name == name).map(|(_, reading)| of(reading)).sum()
}

fn gauge(snapshot: &Snapshot, name: &str) -> Option<f64> {
    let found = snapshot.readings().find(|(metric, _)| metric.name == name);
    if let Some((_, Reading::Gauge(value))) = found { value } else { None }
}

#[test]
fn threads_that_come_and_go_lose_no_count() {
    const THREADS: u64 = if cfg!(miri) { 3 } else { 8 };
    const EACH: u64 = if cfg!(miri) { 50 } else { 20_000 };
    let registry = Registry::new("test");
    let hits = registry.counter(Metric::new("hits"));
    let took = registry.histogram(Metric::new("took").unit(Unit::Seconds));
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let registry = registry.clone();
            scope.spawn(move || {
                let mut shard = registry.shard();
                for value in 0..EACH {
                    shard.add(hits, 2);
                    shard.record(took, value * (thread + 1));
                }
            });
        }
        let mut last = (0, 0);
        for _ in 0..if cfg!(miri) { 5 } else { 200 } {
            let snapshot = registry.snapshot();
            let now = (snapshot.counter("hits"), histogram_count(&snapshot, "took"));
            assert!(now.0 >= last.0 && now.1 >= last.1, "{now:?} after {last:?}");
            last = now;
        }
    });
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.counter("hits"), 2 * THREADS * EACH);
    assert_eq!(histogram_count(&snapshot, "took"), THREADS * EACH);
    let sums = (1..=THREADS).map(|factor| u128::from(factor * EACH * (EACH - 1) / 2));
    let Some((_, Reading::Histogram(all))) = snapshot.readings().find(|(metric, _)| metric.name == "took")
    else {
        panic!("the histogram is there");
    };
    assert_eq!(all.sum(), sums.sum());
    assert_eq!((all.min(), all.max()), (Some(0), Some(THREADS * (EACH - 1))));
}

#[test]
fn a_series_can_come_while_threads_count() {
    let registry = Registry::new("test");
    let mut shard = registry.shard();
    for number in 0..1000 {
        let counter = registry.counter(Metric::new("late").label("number", number));
        let histogram = registry.histogram(Metric::new("later").label("number", number));
        shard.add(counter, 1);
        shard.record(histogram, 7u64);
        if number % 100 == 0 {
            assert_eq!(registry.snapshot().counter("late"), u64::try_from(number).unwrap() + 1);
        }
    }
    let snapshot = registry.snapshot();
    assert_eq!((snapshot.counter("late"), histogram_count(&snapshot, "later")), (1000, 1000));
}

#[test]
fn a_gauge_is_the_sum_of_the_living_shards() {
    let registry = Registry::new("test");
    let active = registry.gauge(Metric::new("active"));
    assert_eq!(gauge(&registry.snapshot(), "active"), None);
    let (mut one, mut two) = (registry.shard(), registry.shard());
    one.set(active, 3.0);
    assert_eq!(gauge(&registry.snapshot(), "active"), Some(3.0));
    two.set(active, 4.0);
    assert_eq!(gauge(&registry.snapshot(), "active"), Some(7.0));
    drop(one);
    assert_eq!(gauge(&registry.snapshot(), "active"), Some(4.0));
}

#[test]
fn a_snapshot_stays_as_it_was() {
    let registry = Registry::new("test");
    let (hits, took) = (registry.counter(Metric::new("hits")), registry.histogram(Metric::new("took")));
    let mut shard = registry.shard();
    let mut kept = Vec::new();
    for round in 1..=20u64 {
        shard.add(hits, 1);
        shard.record(took, round);
        kept.push(registry.snapshot());
        for (age, snapshot) in kept.iter().enumerate() {
            let expected = age as u64 + 1;
            assert_eq!((snapshot.counter("hits"), histogram_count(snapshot, "took")), (expected, expected));
        }
    }
}

#[test]
fn a_window_is_what_came_between_two_snapshots() {
    let registry = Registry::new("test");
    let (hits, took) = (registry.counter(Metric::new("hits")), registry.histogram(Metric::new("took")));
    let mut shard = registry.shard();
    shard.add(hits, 5);
    shard.record(took, 100u64);
    let earlier = registry.snapshot();
    shard.add(hits, 2);
    shard.record(took, 200u64);
    let now = registry.snapshot();
    let window = now.since(Some(&earlier));
    let mut recorded = Distribution::default();
    window.histogram_into(&now.series()[1], &mut recorded);
    assert_eq!(window.counter(&now.series()[0]), 2);
    assert_eq!((recorded.count(), recorded.min(), recorded.sum()), (1, Some(200), 200));
    assert_eq!(window.elapsed_ns(), now.elapsed_ns() - earlier.elapsed_ns());
    window.histogram_into(&now.series()[0], &mut recorded);
    assert_eq!(recorded.count(), 0, "a counter has no distribution");
}

#[test]
fn the_same_metric_is_the_same_series_whatever_the_order_of_its_labels() {
    let registry = Registry::new("test");
    let one = registry.counter(Metric::new("hits").label("a", "1").label("b", 2));
    let two = registry.counter(Metric::new("hits").label("b", 2).label("a", "1"));
    assert_eq!(one, two);
    assert_ne!(one, registry.counter(Metric::new("hits").label("b", "2").label("a", "1")));
}

#[test]
fn series_past_the_budget_fold_into_one_and_lose_no_count() {
    let registry = Registry::with_budget("test", 10);
    let mut shard = registry.shard();
    for user in 0..1000 {
        let counter = registry.counter(Metric::new("hits").label("user", user));
        shard.add(counter, 1);
    }
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.counter("hits"), 1000);
    assert_eq!((snapshot.series().len(), registry.folded()), (11, 990));
    let other = snapshot.series().last().unwrap();
    assert_eq!(other.metric.label_value("user"), Some(&OVERFLOW.into()));
    assert_eq!(snapshot.read(other), Reading::Counter(990));
}

#[test]
fn names_past_the_budget_fold_too() {
    let registry = Registry::with_budget("test", 3);
    let mut shard = registry.shard();
    for number in 0..100 {
        let counter = registry.counter(Metric::new(format!("name{number}")).label("l", number));
        shard.add(counter, 1);
    }
    let snapshot = registry.snapshot();
    assert!(snapshot.series().len() <= 7, "{}", snapshot.series().len());
    let all: u64 = snapshot.readings().map(|(_, r)| if let Reading::Counter(n) = r { n } else { 0 }).sum();
    assert_eq!(all, 100);
}

#[test]
fn a_name_that_comes_past_the_budget_keeps_its_counts() {
    let registry = Registry::with_budget("test", 2);
    let mut shard = registry.shard();
    (0..10).for_each(|at| shard.add(registry.counter(Metric::new("requests").label("step", at)), 1));
    for at in 0..10 {
        shard.add(registry.counter(Metric::new("errors").label("step", at).label("type", "reset")), 1);
        let took = Metric::new("took").label("step", at);
        shard.record(registry.histogram(took.clone()), 5u64);
        shard.record(registry.histogram(took.label("type", "reset")), 5u64);
    }
    let snapshot = registry.snapshot();
    assert_eq!((snapshot.counter("requests"), snapshot.counter("errors")), (10, 10));
    // Those with a type are told apart from those without.
    let took = snapshot.readings().filter_map(|(metric, reading)| match reading {
        Reading::Histogram(took) => Some((metric.name.as_str(), metric.labels.len(), took.count())),
        _ => None,
    });
    assert_eq!(took.collect::<Vec<_>>(), [("took", 1, 10), ("took", 2, 10)]);
    assert_eq!((snapshot.series().len(), snapshot.folded()), (2 + 4, 8 + 30));
}

#[test]
fn overflow_series_of_a_name_are_few_and_keep_its_name() {
    let registry = Registry::with_budget("test", 1);
    let mut shard = registry.shard();
    for at in 0..100 {
        shard.add(registry.counter(Metric::new("hits").label(format!("key{at}"), at)), 1);
    }
    let snapshot = registry.snapshot();
    assert_eq!((snapshot.counter("hits"), snapshot.series().len()), (100, 1 + 4));
}

#[test]
fn a_budget_is_extended_by_who_knows_what_is_to_come() {
    let registry = Registry::with_budget("test", 1);
    registry.extend_budget(3);
    let register = |at| registry.counter(Metric::new("hits").label("at", at));
    assert_ne!(register(0), [1, 2, 3].map(register)[2]);
    assert_eq!((registry.folded(), registry.snapshot().series().len()), (0, 4));
    register(4);
    assert_eq!(registry.folded(), 1);
}

#[test]
fn a_name_keeps_the_kind_and_the_unit_of_its_first_series() {
    let registry = Registry::new("test");
    registry.counter(Metric::new("size").unit(Unit::Bytes));
    let histogram = registry.histogram(Metric::new("size").unit(Unit::Bytes).precision(Precision::Three));
    registry.shard().record(histogram, 1u64);
    let seconds = registry.counter(Metric::new("size").unit(Unit::Seconds));
    registry.shard().add(seconds, 3);
    let snapshot = registry.snapshot();
    assert_eq!(registry.folded(), 2);
    assert_eq!((snapshot.counter("size"), snapshot.counter("_other.counters")), (0, 3));
    assert_eq!(histogram_count(&snapshot, "_other.histograms"), 1);
}

#[test]
fn the_names_of_what_is_folded_are_like_any_other() {
    let registry = Registry::with_budget("test", 100);
    let mut shard = registry.shard();
    for name in ["taken", "_other.counters", "_other.gauges", "_other.histograms"] {
        shard.set(registry.gauge(Metric::new(name)), 1.0);
        shard.add(registry.counter(Metric::new(name)), 1);
        shard.record(registry.histogram(Metric::new(name)), 1u64);
        shard.add(registry.counter(Metric::new(name).unit(Unit::Bytes)), 1);
    }
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.counter("_other.counters"), 8);
    assert_eq!(gauge(&snapshot, "_other.gauges"), Some(1.0));
    assert_eq!(histogram_count(&snapshot, "_other.histograms"), 4);
    let mut names: Vec<_> = snapshot.series().iter().map(|series| series.metric.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["_other.counters", "_other.gauges", "_other.histograms", "taken"]);
}

#[test]
fn a_key_that_stands_twice_past_the_budget_harms_nobody() {
    let registry = Registry::with_budget("test", 1);
    let metric = || Metric::new("hits").label("a", 1).label("b", 2);
    registry.counter(metric());
    let mut twice = metric();
    twice.labels[1].key = "a".to_owned();
    registry.shard().add(registry.counter(twice), 1);
    assert_eq!(registry.snapshot().counter("hits"), 1);
}

#[test]
fn a_series_that_came_later_reads_as_nothing() {
    let registry = Registry::new("test");
    let earlier = registry.snapshot();
    registry.counter(Metric::new("hits"));
    registry.gauge(Metric::new("level"));
    registry.histogram(Metric::new("took"));
    let now = registry.snapshot();
    let read: Vec<_> = now.series().iter().map(|series| earlier.read(series)).collect();
    assert_eq!(
        read,
        [Reading::Counter(0), Reading::Gauge(None), Reading::Histogram(&Distribution::default())]
    );
    let mut window = Distribution::default();
    let backwards = earlier.since(Some(&now));
    for series in now.series() {
        backwards.histogram_into(series, &mut window);
        assert_eq!((backwards.counter(series), window.count(), backwards.elapsed_ns()), (0, 0, 0));
    }
}

/// Whether `count` panics, as it does in a debug build with a handle of another registry.
fn is_caught(count: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(count)).is_err()
}

#[test]
fn a_handle_of_another_registry_is_caught_in_debug_builds_and_counts_nowhere() {
    let (ours, theirs) = (Registry::new("ours"), Registry::new("theirs"));
    let metrics = |registry: &Registry| {
        let labelled = |name: &str| Metric::new(name).label("of", "all");
        let counter = registry.counter(labelled("hits"));
        (counter, registry.gauge(labelled("level")), registry.histogram(labelled("took")))
    };
    let (hits, level, took) = metrics(&ours);
    let (their_hits, their_level, their_took) = metrics(&theirs);
    assert!(hits != their_hits && level != their_level && took != their_took);
    let mut shard = ours.shard();
    shard.add(hits, 1);
    shard.set(level, 2.0);
    shard.record(took, 3u64);
    assert_eq!(is_caught(|| shard.add(their_hits, 10)), cfg!(debug_assertions));
    assert_eq!(is_caught(|| shard.set(their_level, 20.0)), cfg!(debug_assertions));
    assert_eq!(is_caught(|| shard.record(their_took, 30u64)), cfg!(debug_assertions));
    assert_eq!(is_caught(|| shard.prepare(their_took)), cfg!(debug_assertions));
    let snapshot = ours.snapshot();
    let readings: Vec<_> = snapshot.readings().map(|(_, reading)| reading).collect();
    let [Reading::Counter(1), Reading::Gauge(Some(2.0)), Reading::Histogram(took)] = readings[..] else {
        panic!("{readings:?}")
    };
    assert_eq!((took.count(), took.sum()), (1, 3));
    assert_eq!(theirs.snapshot().counter("hits"), 0);
}

#[test]
fn a_sample_of_another_registrys_series_is_caught_in_debug_builds_and_goes_nowhere() {
    let (ours, theirs) = (Registry::new("ours"), Registry::new("theirs"));
    ours.keep_samples(8);
    let series = [&ours, &theirs].map(|registry| registry.sample_series(Metric::new("request")));
    let told = Arc::new(AtomicU64::new(0));
    let reporting = Reporter::every(Duration::from_secs(3600)).export(Told(Arc::clone(&told))).start(&ours);
    let mut shard = ours.shard();
    let sample =
        |series| Sample { series, start_unix_ns: 1, duration_ns: 1, bytes: 1, counted: true, trace: None };
    shard.sample(sample(series[0]));
    assert_eq!(is_caught(|| shard.sample(sample(series[1]))), cfg!(debug_assertions));
    let report = reporting.stop(Duration::from_secs(60));
    assert_eq!((told.load(SeqCst), report.lanes[0].samples), (1, 1));
}

/// How many samples it was told of.
struct Told(Arc<AtomicU64>);

impl Exporter for Told {
    fn name(&self) -> &str {
        "told"
    }

    fn export(&mut self, _: &Arc<Snapshot>, _: Instant) -> Result<Delivered, ExportError> {
        Ok(Delivered::default())
    }

    fn wants_samples(&self) -> bool {
        true
    }

    fn samples(&mut self, samples: Samples<'_>, _: Instant) -> Result<Delivered, ExportError> {
        self.0.fetch_add(samples.iter().count() as u64, SeqCst);
        Ok(Delivered { points: samples.len() as u64, ..Delivered::default() })
    }
}

#[test]
fn a_counter_that_nobody_registered_is_told_from_one_that_counted_nothing() {
    let registry = Registry::new("test");
    registry.counter(Metric::new("hits").label("n", 1));
    registry.shard().add(registry.counter(Metric::new("hits").label("n", 2)), 3);
    registry.counter(Metric::new("misses"));
    registry.gauge(Metric::new("level"));
    let snapshot = registry.snapshot();
    let asked = ["hits", "misses", "hist", "level"].map(|name| snapshot.try_counter(name));
    assert_eq!(asked, [Some(3), Some(0), None, None]);
}

#[test]
fn the_last_counts_of_a_dropped_shard_are_seen() {
    for _ in 0..if cfg!(miri) { 3 } else { 500 } {
        let registry = Registry::new("test");
        let (hits, took) = (registry.counter(Metric::new("hits")), registry.histogram(Metric::new("took")));
        let barrier = Arc::new(Barrier::new(2));
        let worker = {
            let (mut shard, barrier) = (registry.shard(), Arc::clone(&barrier));
            thread::spawn(move || {
                barrier.wait();
                shard.add(hits, 1);
                shard.record(took, 5u64);
            })
        };
        barrier.wait();
        registry.snapshot();
        worker.join().unwrap();
        let snapshot = registry.snapshot();
        assert_eq!((snapshot.counter("hits"), histogram_count(&snapshot, "took")), (1, 1));
    }
}

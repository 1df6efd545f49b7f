//! Counting allocates nothing, and neither does a steady tick.

use allocation_counter::measure;
use barewire::{
    Metric, Precision, Reading, Registry, Sample, Unit,
    view::{Rule, Select, Shape, Show, Temporality, View},
};

#[test]
fn recording_allocates_nothing() {
    let registry = Registry::new("test");
    let hits = registry.counter(Metric::new("hits"));
    let level = registry.gauge(Metric::new("level"));
    let took = registry.histogram(Metric::new("took").precision(Precision::Three));
    registry.keep_samples(1024);
    let series = registry.sample_series(Metric::new("request"));
    let sample = Sample { series, start_unix_ns: 1, duration_ns: 2, bytes: 3, counted: true, trace: None };
    let mut shard = registry.shard();
    shard.prepare(took);
    shard.add(hits, 0);
    shard.set(level, 0.0);
    let allocations = measure(|| {
        for value in 0..100_000u64 {
            shard.add(hits, 1);
            shard.set(level, 1.0);
            shard.record(took, value * value);
            shard.record(took, u64::MAX - value);
            shard.sample(sample);
        }
    });
    assert_eq!(allocations.count_total, 0);
}

#[test]
fn a_histogram_takes_as_much_memory_as_the_documentation_says() {
    let registry = Registry::new("test");
    let all = [Precision::One, Precision::Two, Precision::Three, Precision::One];
    let took = all.iter().enumerate().map(|(at, precision)| {
        let at = i64::try_from(at).unwrap();
        registry.histogram(Metric::new("took").label("at", at).precision(*precision))
    });
    let [took @ .., last] = &took.collect::<Vec<_>>()[..] else { unreachable!() };
    let mut shard = registry.shard();
    // With it come four cells, of 128 bytes each.
    shard.prepare(*last);
    let bytes: Vec<_> = took.iter().map(|took| measure(|| shard.prepare(*took)).bytes_total + 128).collect();
    assert_eq!(bytes, [2_752, 19_584, 143_488]);
}

#[test]
fn shards_that_come_and_go_without_a_snapshot_are_not_kept() {
    let registry = Registry::new("test");
    let hits = registry.counter(Metric::new("hits"));
    let took = registry.histogram(Metric::new("took"));
    let allocations = measure(|| {
        for _ in 0..2000 {
            let mut shard = registry.shard();
            shard.add(hits, 1);
            shard.record(took, 7u64);
        }
    });
    let snapshot = registry.snapshot();
    assert!(allocations.bytes_current < 5_000_000, "{} bytes are kept", allocations.bytes_current);
    assert_eq!(snapshot.counter("hits"), 2000);
    let Reading::Histogram(all) = snapshot.read(&snapshot.series()[1]) else { panic!("a histogram") };
    assert_eq!((all.count(), all.sum()), (2000, 14_000));
}

#[test]
fn a_steady_tick_allocates_nothing() {
    let registry = Registry::new("test");
    let took: Vec<_> = (0..50)
        .map(|step| registry.histogram(Metric::new("took").unit(Unit::Seconds).label("step", step)))
        .collect();
    let requests = registry.counter(Metric::new("requests").label("outcome", "success"));
    let mut shard = registry.shard();
    let mut views = [
        View::everything(),
        View::everything().histograms(Shape::Explicit),
        View::everything().histograms(Shape::Recorded),
        View::everything().histograms(Shape::Recorded).temporality(Temporality::Delta),
        View::table([
            Rule::new("p99", "took").by("step").show(Show::Quantile(0.99)),
            Rule::new("all", "took").unit(Unit::Milliseconds),
            Rule::new("rate", "requests").show(Show::Rate),
            Rule::new("share", Select::of("requests").only("outcome", "success"))
                .show(Show::Share("requests".into(), 1.0)),
        ]),
    ];
    let mut earlier = registry.snapshot();
    let mut tick = |values: std::ops::Range<u64>| {
        for value in values {
            shard.add(requests, 1);
            for took in &took {
                shard.record(*took, 1000 + value * 997 % 1_000_000);
            }
        }
        let now = registry.snapshot();
        for view in &mut views {
            view.show(&now, Some(&earlier));
        }
        earlier = now;
    };
    for _ in 0..8 {
        tick(0..2000);
    }
    let allocations = measure(|| (0..10).for_each(|_| tick(0..2000)));
    assert_eq!(allocations.count_total, 0);
}

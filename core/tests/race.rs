//! One writer and one reader at once, small enough for Miri, which knows more orders of events than the machine
//! that this runs on: `MIRIFLAGS=-Zmiri-many-seeds cargo +nightly miri test -p barewire --test race`.

use std::thread;

use barewire::{Distribution, Metric, Precision, Reading, Registry, Snapshot};

const RECORDS: u64 = if cfg!(miri) { 24 } else { 50_000 };

fn recorded<'a>(snapshot: &'a Snapshot, name: &str) -> Option<&'a Distribution> {
    let found = snapshot.readings().find(|(metric, _)| metric.name == name);
    if let Some((_, Reading::Histogram(all))) = found { Some(all) } else { None }
}

/// What a value is recorded as: small and large ones, so that the extremes move as well.
fn value(number: u64) -> u64 {
    if number.is_multiple_of(2) { 1000 + number } else { 1000 - number.min(900) }
}

#[test]
fn a_reader_beside_a_writer_sees_counts_grow_and_loses_none() {
    let registry = Registry::new("test");
    let hits = registry.counter(Metric::new("hits"));
    let took = registry.histogram(Metric::new("took").precision(Precision::One));
    thread::scope(|scope| {
        let writer = scope.spawn({
            let registry = registry.clone();
            move || {
                let mut shard = registry.shard();
                for number in 0..RECORDS {
                    shard.record(took, value(number));
                    shard.add(hits, 1);
                }
                let late = registry.histogram(Metric::new("late").precision(Precision::One));
                shard.record(late, 7u64);
            }
        });
        let (mut hits, mut count, mut sum) = (0, 0, 0);
        while !writer.is_finished() {
            let snapshot = registry.snapshot();
            let Some(took) = recorded(&snapshot, "took") else { panic!("it is registered") };
            assert!(snapshot.counter("hits") >= hits && took.count() >= count && took.sum() >= sum);
            assert!(took.count() <= RECORDS);
            assert_eq!(took.count(), took.buckets().map(|(_, _, count)| count).sum());
            assert!(took.quantile(0.5).is_some() == (took.count() > 0));
            (hits, count, sum) = (snapshot.counter("hits"), took.count(), took.sum());
        }
    });
    let mut expected = Distribution::new(Precision::One);
    (0..RECORDS).for_each(|number| expected.record(value(number)));
    let snapshot = registry.snapshot();
    let took = recorded(&snapshot, "took").unwrap();
    assert_eq!(snapshot.counter("hits"), RECORDS);
    assert!(took.buckets().eq(expected.buckets()));
    assert_eq!((took.sum(), took.min(), took.max()), (expected.sum(), expected.min(), expected.max()));
    assert_eq!(recorded(&snapshot, "late").map(Distribution::count), Some(1));
}

//! What threads do to each other, tried in every order of events by loom: `scripts/models`.
//!
//! Each model is as small as can still go wrong. What one proves is said where it stands; what it proves it of is
//! the code itself, over the primitives of `sync`.

use std::{sync::Arc, time::Instant};

use loom::thread;

use crate::{
    Distribution, Event, Metric, Precision, Reading, Registry, Snapshot,
    record::sample::{Cursor, Ring},
    report::handover::{Ending, Handover, Task},
};

fn recorded(snapshot: &Snapshot, at: usize) -> &Distribution {
    match snapshot.read(&snapshot.series()[at]) {
        Reading::Histogram(all) => all,
        other => panic!("{other:?}"),
    }
}

/// A sample is read whole and in its place, or counted as lost, while its slot is written over.
#[test]
fn a_sample_is_read_as_it_was_written_or_is_counted() {
    loom::model(|| {
        let ring = Arc::new(Ring::<2>::new(2));
        let writer = thread::spawn({
            let ring = Arc::clone(&ring);
            move || (1..=4).for_each(|number| ring.push([number, number * 10]))
        });
        let (mut cursor, mut read, mut next) = (Cursor::new(ring), Vec::new(), 1);
        let mut look = |cursor: &mut Cursor<2>| {
            next += cursor.read(4, &mut read, |words| words);
            for words in read.drain(..) {
                assert_eq!(words, [next, next * 10]);
                next += 1;
            }
            next
        };
        look(&mut cursor);
        writer.join().unwrap();
        assert_eq!(look(&mut cursor), 5);
    });
}

/// A ring is forgotten only after its last sample was read.
#[test]
fn the_end_of_a_ring_is_seen_after_its_last_sample() {
    loom::model(|| {
        let ring = Arc::new(Ring::<1>::new(4));
        let writer = thread::spawn({
            let ring = Arc::clone(&ring);
            move || {
                ring.push([1]);
                ring.push([2]);
                ring.finish();
            }
        });
        let (mut cursor, mut read) = (Cursor::new(ring), Vec::new());
        for _ in 0..2 {
            cursor.read(4, &mut read, |[word]| word);
            if cursor.is_exhausted() {
                assert_eq!(read, [1, 2]);
            }
        }
        writer.join().unwrap();
        cursor.read(4, &mut read, |[word]| word);
        assert!(cursor.is_exhausted() && read == [1, 2]);
    });
}

/// A snapshot beside a writer that also makes its buckets and pages: counts grow, a histogram's count is the sum of its
/// buckets, its extremes have a bucket, and in the end nothing is missing.
#[test]
fn a_snapshot_beside_a_growing_shard_sees_no_count_that_is_not_there_and_loses_none() {
    loom::model(|| {
        let registry = Registry::new("model");
        let took = registry.histogram(Metric::new("took").precision(Precision::One));
        let hits = registry.counter(Metric::new("hits"));
        let mut shard = registry.shard();
        let writer = thread::spawn(move || {
            shard.record(took, 3u64);
            shard.add(hits, 1);
            shard.record(took, 1u64);
            shard
        });
        let snapshot = registry.snapshot();
        let seen = recorded(&snapshot, 0);
        assert_eq!(seen.count(), seen.buckets().map(|(.., count)| count).sum::<u64>());
        assert!(seen.count() <= 2 && snapshot.counter("hits") <= 1);
        assert!(seen.count() == 0 || seen.quantile(0.0).is_some());
        let shard = writer.join().unwrap();
        let last = registry.snapshot();
        let all = recorded(&last, 0);
        assert!(all.buckets().eq([(1, 1, 1), (3, 3, 1)]));
        assert_eq!((all.sum(), all.min(), all.max(), last.counter("hits")), (4, Some(1), Some(3), 1));
        drop(shard);
    });
}

/// What a shard counted before it ended is added once, whether the sampler sees it living, ended, or first one and then
/// the other.
#[test]
fn a_shard_that_ends_is_counted_once() {
    loom::model(|| {
        let registry = Registry::new("model");
        let hits = registry.counter(Metric::new("hits"));
        let writer = thread::spawn({
            let registry = registry.clone();
            move || {
                let mut shard = registry.shard();
                shard.add(hits, 1);
                shard.add(hits, 1);
            }
        });
        let first = registry.snapshot().counter("hits");
        let second = registry.snapshot().counter("hits");
        assert!(first <= second && second <= 2);
        writer.join().unwrap();
        assert_eq!([registry.snapshot(), registry.snapshot()].map(|all| all.counter("hits")), [2, 2]);
    });
}

/// A series that is registered while snapshots are taken is counted from its first record on.
#[test]
fn a_series_that_appears_during_a_snapshot_is_in_the_next_one() {
    loom::model(|| {
        let registry = Registry::new("model");
        let writer = thread::spawn({
            let registry = registry.clone();
            move || {
                let mut shard = registry.shard();
                let late = registry.histogram(Metric::new("late").precision(Precision::One));
                shard.record(late, 7u64);
            }
        });
        let early = registry.snapshot();
        assert!(early.series().len() <= 1);
        writer.join().unwrap();
        assert_eq!(recorded(&registry.snapshot(), 0).sum(), 7);
    });
}

fn hits(snapshot: &Snapshot) -> u64 {
    snapshot.counter("hits")
}

/// Snapshots that hold 1, 2, 3.
fn snapshots<const N: usize>() -> [Arc<Snapshot>; N] {
    let registry = Registry::new("model");
    let (hits, mut shard) = (registry.counter(Metric::new("hits")), registry.shard());
    [(); N].map(|()| {
        shard.add(hits, 1);
        registry.snapshot()
    })
}

/// Every snapshot that is offered is exported, in order, or was refused; the last one is delivered after them.
#[test]
fn a_snapshot_is_exported_or_dropped_and_the_last_one_comes_last() {
    loom::model(|| {
        let handover = Arc::new(Handover::default());
        let [one, two, last] = snapshots();
        let lane = thread::spawn({
            let handover = Arc::clone(&handover);
            move || {
                let mut exported = Vec::new();
                loop {
                    match handover.next(None) {
                        Task::Export(snapshot) => exported.push(hits(&snapshot)),
                        Task::Finish(snapshot, _) => {
                            exported.push(hits(&snapshot));
                            handover.end(|_| ());
                            return exported;
                        }
                        other => panic!("{other:?}"),
                    }
                }
            }
        });
        let dropped = [&one, &two].map(|snapshot| u64::from(!handover.offer(snapshot)));
        let now = Instant::now();
        handover.finish(&last, Ending { answering: now, mute: now });
        assert!(handover.wait_for_end(Instant::now()));
        let exported = lane.join().unwrap();
        assert_eq!(exported.len() as u64 + dropped.iter().sum::<u64>(), 3);
        assert!(exported.is_sorted() && exported.last() == Some(&3));
    });
}

/// An event that was taken is told, or is among those that the lane says it left when it ended.
#[test]
fn an_event_is_told_or_counted_even_when_the_lane_ends() {
    loom::model(|| {
        let handover = Arc::new(Handover::default());
        let lane = thread::spawn({
            let handover = Arc::clone(&handover);
            move || {
                // As if the exporter panicked at the first one.
                let told = matches!(handover.next(None), Task::Tell(_));
                let mut left = 0;
                handover.end(|waiting| left = waiting);
                usize::from(told) + left
            }
        });
        let taken = [1, 2].map(|at| usize::from(handover.tell(Event::new("event", at))));
        assert!(handover.wait_for_end(Instant::now()));
        assert_eq!(lane.join().unwrap(), taken.iter().sum::<usize>());
    });
}

/// A lane whose sampler goes away without a last snapshot ends as well.
#[test]
fn a_lane_that_is_abandoned_ends() {
    loom::model(|| {
        let handover = Arc::new(Handover::default());
        let lane = thread::spawn({
            let handover = Arc::clone(&handover);
            move || {
                assert!(matches!(handover.next(None), Task::Abandon));
                handover.end(|_| ());
            }
        });
        handover.abandon();
        lane.join().unwrap();
    });
}

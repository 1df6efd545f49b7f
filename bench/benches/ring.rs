//! What it costs to keep one sample for readers: an iteration is [`CAPACITY`] pushes, as much as there is room for.
//!
//! - `ring/push/<implementation>`: into what is empty. Ours never is: it keeps the latest samples, never looks at its
//!   readers, of whom there may be any number, and what it writes over is counted.
//! - `ring/push_full/<implementation>`: into what is full; the oldest entry gives way.
//!
//! After each iteration, outside of the measured time, a reader finds exactly what was pushed, in that order. A reader of
//! ours is a whole exporter, so it looks after so many iterations, and finds the latest one.

use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use barewire::{
    Delivered, ExportError, Exporter, Metric, Registry, Reporter, Sample, SampleSeries, Samples, Shard,
    Snapshot,
};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use crossbeam_channel::{Receiver, Sender};
use crossbeam_queue::ArrayQueue;

/// Entries that there is room for.
const CAPACITY: usize = 1 << 12;

/// As much as one of our samples is.
type Entry = [u64; 8];

fn entry(number: u64) -> Entry {
    [1, number, 2, 3, 4, 5, 6, 7]
}

/// Something that keeps entries for a reader.
trait Keeper {
    const NAME: &str;

    /// Whether the reader looks after each iteration.
    const IS_READ_EACH: bool = true;

    fn new() -> Self;

    fn push(&mut self, numbers: Range<u64>);

    /// The numbers of the latest entries.
    fn take(&mut self) -> Vec<u64>;
}

fn push(criterion: &mut Criterion) {
    bench::<Barewire>(criterion, "push");
    bench::<Queue>(criterion, "push");
    bench::<Channel>(criterion, "push");
    bench::<Rtrb>(criterion, "push");
    bench::<Barewire>(criterion, "push_full");
    bench::<FullQueue>(criterion, "push_full");
}

fn bench<K: Keeper>(criterion: &mut Criterion, case: &str) {
    let (mut keeper, mut next) = (K::new(), 0);
    let mut group = criterion.benchmark_group("ring");
    group.throughput(Throughput::Elements(CAPACITY as u64));
    group.bench_function(BenchmarkId::new(case, K::NAME), |bencher| {
        bencher.iter_custom(|iterations| {
            let mut took = Duration::ZERO;
            for iteration in 1..=iterations {
                let numbers = next..next + CAPACITY as u64;
                let start = Instant::now();
                keeper.push(numbers.clone());
                took += start.elapsed();
                next = numbers.end;
                if K::IS_READ_EACH || iteration == iterations {
                    assert!(keeper.take().into_iter().eq(numbers), "{}", K::NAME);
                }
            }
            took
        });
    });
}

/// Ours: one thread writes, any number read.
struct Barewire {
    registry: Registry,
    shard: Shard,
    series: SampleSeries,
}

impl Keeper for Barewire {
    const NAME: &str = "barewire";
    const IS_READ_EACH: bool = false;

    fn new() -> Self {
        let registry = Registry::new("bench");
        registry.keep_samples(CAPACITY);
        let series = registry.sample_series(Metric::new("request"));
        Barewire { shard: registry.shard(), series, registry }
    }

    fn push(&mut self, numbers: Range<u64>) {
        for number in numbers {
            let [_, start_unix_ns, duration_ns, bytes, ..] = entry(number);
            let series = self.series;
            self.shard.sample(Sample {
                series,
                start_unix_ns,
                duration_ns,
                bytes,
                counted: true,
                trace: None,
            });
        }
    }

    fn take(&mut self) -> Vec<u64> {
        let seen = Arc::default();
        let reporting = Reporter::every(Duration::from_secs(3600))
            .export(Collect(Arc::clone(&seen)))
            .start(&self.registry);
        reporting.stop(Duration::from_secs(10)).into_result().expect("an exporter that takes all");
        std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Keeps the number of each sample.
struct Collect(Arc<Mutex<Vec<u64>>>);

impl Exporter for Collect {
    fn name(&self) -> &str {
        "collect"
    }

    fn export(&mut self, _: &Arc<Snapshot>, _: Instant) -> Result<Delivered, ExportError> {
        Ok(Delivered::default())
    }

    fn wants_samples(&self) -> bool {
        true
    }

    fn samples(&mut self, samples: Samples<'_>, _: Instant) -> Result<Delivered, ExportError> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.extend(samples.iter().map(|(_, sample)| sample.start_unix_ns));
        Ok(Delivered { points: samples.len() as u64, ..Delivered::default() })
    }
}

/// Any number write and read; each entry has one reader, and none is taken where there is no room.
struct Queue(ArrayQueue<Entry>);

impl Keeper for Queue {
    const NAME: &str = "array_queue";

    fn new() -> Self {
        Queue(ArrayQueue::new(CAPACITY))
    }

    fn push(&mut self, numbers: Range<u64>) {
        for number in numbers {
            self.0.push(entry(number)).expect("room");
        }
    }

    fn take(&mut self) -> Vec<u64> {
        std::iter::from_fn(|| self.0.pop()).map(|entry| entry[1]).collect()
    }
}

/// The same, as its makers offer it for rings. It stays full.
struct FullQueue(ArrayQueue<Entry>);

impl Keeper for FullQueue {
    const NAME: &str = "array_queue";

    fn new() -> Self {
        let queue = ArrayQueue::new(CAPACITY);
        (0..CAPACITY).for_each(|_| queue.push(entry(u64::MAX)).expect("room"));
        FullQueue(queue)
    }

    fn push(&mut self, numbers: Range<u64>) {
        for number in numbers {
            self.0.force_push(entry(number)).expect("an oldest one that gives way");
        }
    }

    fn take(&mut self) -> Vec<u64> {
        let entries: Vec<Entry> = std::iter::from_fn(|| self.0.pop()).collect();
        entries.iter().for_each(|entry| self.0.push(*entry).expect("room"));
        entries.into_iter().map(|entry| entry[1]).collect()
    }
}

/// A bounded channel.
struct Channel(Sender<Entry>, Receiver<Entry>);

impl Keeper for Channel {
    const NAME: &str = "crossbeam_channel";

    fn new() -> Self {
        let (sender, receiver) = crossbeam_channel::bounded(CAPACITY);
        Channel(sender, receiver)
    }

    fn push(&mut self, numbers: Range<u64>) {
        for number in numbers {
            self.0.try_send(entry(number)).expect("room");
        }
    }

    fn take(&mut self) -> Vec<u64> {
        self.1.try_iter().map(|entry| entry[1]).collect()
    }
}

/// One thread writes, and one reads.
struct Rtrb(rtrb::Producer<Entry>, rtrb::Consumer<Entry>);

impl Keeper for Rtrb {
    const NAME: &str = "rtrb";

    fn new() -> Self {
        let (producer, consumer) = rtrb::RingBuffer::new(CAPACITY);
        Rtrb(producer, consumer)
    }

    fn push(&mut self, numbers: Range<u64>) {
        for number in numbers {
            self.0.push(entry(number)).expect("room");
        }
    }

    fn take(&mut self) -> Vec<u64> {
        std::iter::from_fn(|| self.1.pop().ok()).map(|entry| entry[1]).collect()
    }
}

criterion_group!(name = benches; config = barewire_bench::criterion(); targets = push);
criterion_main!(benches);

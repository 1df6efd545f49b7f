//! What it costs to record, as `record/<case>/<implementation>`: an iteration is one pass over [`VALUES`] values.
//!
//! After every sample, outside of the measured time, the count that is read back is the count that was recorded.

mod rivals;

use std::{
    hint::{black_box, spin_loop},
    sync::{
        Barrier, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use barewire::{Metric, Precision, Registry, Unit};
use barewire_bench::{
    record::{Barewire, Each, Hdr, Recorder, Rival},
    values::{VALUES, latencies, latencies_of},
};
use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
    measurement::WallTime,
};
use rivals::{Crew, Shared};

type Group<'a> = BenchmarkGroup<'a, WallTime>;

const PRECISIONS: [(&str, Precision); 2] =
    [("two_digits", Precision::Two), ("three_digits", Precision::Three)];

fn one_series(criterion: &mut Criterion) {
    let mut group = group(criterion);
    let values = latencies();
    for (digits, precision) in PRECISIONS {
        let case = format!("1_series_{digits}");
        bench::<Barewire>(&mut group, &case, precision, 1, |to| to.record_one(&values));
        bench::<Hdr>(&mut group, &case, precision, 1, |to| to.record_one(&values));
        one::<rivals::HdrRecorder>(&mut group, &case, precision, &values);
        one::<rivals::Iop>(&mut group, &case, precision, &values);
        one::<rivals::IopAtomic>(&mut group, &case, precision, &values);
    }
    // What has buckets of its own stands beside our default.
    let (case, precision) = ("1_series_two_digits", Precision::Two);
    one::<rivals::Explicit>(&mut group, case, precision, &values);
    one::<rivals::Exponential>(&mut group, case, precision, &values);
    one::<rivals::Bound>(&mut group, case, precision, &values);
    one::<rivals::Metrics>(&mut group, case, precision, &values);
    one::<rivals::Prometheus>(&mut group, case, precision, &values);
    one::<rivals::PrometheusLocal>(&mut group, case, precision, &values);
    one::<rivals::PrometheusClient>(&mut group, case, precision, &values);
    one::<rivals::FastTelemetry>(&mut group, case, precision, &values);
    one::<rivals::FastMetrics>(&mut group, case, precision, &values);
    one::<rivals::Measured>(&mut group, case, precision, &values);
    one::<rivals::Nm>(&mut group, case, precision, &values);
}

fn hundred_series(criterion: &mut Criterion) {
    let mut group = group(criterion);
    for (digits, precision) in PRECISIONS {
        let case = format!("100_series_{digits}");
        many::<Barewire>(&mut group, &case, precision);
        many::<Hdr>(&mut group, &case, precision);
        many::<Each<rivals::Iop>>(&mut group, &case, precision);
    }
}

/// Each value with whatever finds its histogram.
fn many<R: Recorder>(group: &mut Group<'_>, case: &str, precision: Precision) {
    let recorder = R::new(precision, 100);
    let values = latencies_of(100).into_iter().map(|(number, value)| (recorder.series(number), value));
    let values: Vec<_> = values.collect();
    bench_with(group, case, recorder, |to| to.record_many(&values));
}

fn group(criterion: &mut Criterion) -> Group<'_> {
    let mut group = criterion.benchmark_group("record");
    group.throughput(Throughput::Elements(VALUES as u64));
    group
}

fn one<R: Rival>(group: &mut Group<'_>, case: &str, precision: Precision, values: &[u64]) {
    bench::<Each<R>>(group, case, precision, 1, |to| to.record_one(values));
}

fn bench<R: Recorder>(
    group: &mut Group<'_>,
    case: &str,
    precision: Precision,
    series: usize,
    pass: impl Fn(&mut R),
) {
    bench_with(group, case, R::new(precision, series), pass);
}

fn bench_with<R: Recorder>(group: &mut Group<'_>, case: &str, mut recorder: R, pass: impl Fn(&mut R)) {
    let mut passes = 0;
    group.bench_function(BenchmarkId::new(case, R::NAME), |bencher| {
        bencher.iter_custom(|iterations| {
            let took = time(iterations, || pass(&mut recorder));
            passes += iterations;
            assert_eq!(recorder.count(), passes * VALUES as u64, "{}", R::NAME);
            took
        });
    });
}

fn time(iterations: u64, mut pass: impl FnMut()) -> Duration {
    let start = Instant::now();
    (0..iterations).for_each(|_| pass());
    start.elapsed()
}

/// The latency and the size of a request, and how it ended: all that a load test counts of it.
fn request(criterion: &mut Criterion) {
    let registry = Registry::new("bench");
    let took = registry.histogram(Metric::new("took").unit(Unit::Seconds));
    let size = registry.histogram(Metric::new("size").unit(Unit::Bytes));
    let outcome = |outcome| registry.counter(Metric::new("requests").label("outcome", outcome));
    let outcomes = ["success", "status", "timeout", "reset"].map(outcome);
    let mut shard = registry.shard();
    let (values, mut passes) = (latencies(), 0);
    group(criterion).bench_function(BenchmarkId::new("request", Barewire::NAME), |bencher| {
        bencher.iter_custom(|iterations| {
            let took = time(iterations, || {
                for (at, value) in values.iter().enumerate() {
                    shard.record(took, *value);
                    shard.record(size, *value >> 10);
                    shard.add(outcomes[at % outcomes.len()], 1);
                }
            });
            passes += iterations;
            assert_eq!(registry.snapshot().counter("requests"), passes * VALUES as u64);
            took
        });
    });
}

fn counter(criterion: &mut Criterion) {
    let registry = Registry::new("bench");
    let hits = registry.counter(Metric::new("hits"));
    let mut shard = registry.shard();
    let mut passes = 0;
    group(criterion).bench_function(BenchmarkId::new("counter", Barewire::NAME), |bencher| {
        bencher.iter_custom(|iterations| {
            let took = time(iterations, || (0..VALUES).for_each(|_| shard.add(hits, black_box(1))));
            passes += iterations;
            assert_eq!(registry.snapshot().counter("hits"), passes * VALUES as u64);
            took
        });
    });
}

/// Two passes, by one thread or by two that do one each.
fn threads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("record");
    group.throughput(Throughput::Elements(2 * VALUES as u64));
    // Two free cores for a whole sample are rarer than one: samples are shorter and more.
    group.sampling_mode(SamplingMode::Flat).sample_size(200);
    for (case, threads) in [("1_thread_1_series", 1), ("2_threads_1_series", 2)] {
        crew::<Barewire>(&mut group, case, threads);
        crew::<Hdr>(&mut group, case, threads);
        crew::<Shared<rivals::Prometheus>>(&mut group, case, threads);
        crew::<Shared<rivals::PrometheusClient>>(&mut group, case, threads);
        crew::<Shared<rivals::IopAtomic>>(&mut group, case, threads);
        crew::<Shared<rivals::FastTelemetry>>(&mut group, case, threads);
        crew::<Shared<rivals::Explicit>>(&mut group, case, threads);
    }
}

/// Threads that are there already wait for each other, and count; what is measured is the time from the start of the
/// first to the end of the last.
fn crew<R: Crew>(group: &mut Group<'_>, case: &str, threads: usize) {
    let values = latencies();
    let crew: Vec<Mutex<R>> = R::crew(threads).into_iter().map(Mutex::new).collect();
    let orders = Orders::new(threads);
    let (mut passes, mut counts) = (0, Vec::new());
    thread::scope(|scope| {
        for recorder in &crew {
            scope.spawn(|| orders.follow(|| recorder.lock().expect("a sound recorder").record_one(&values)));
        }
        group.bench_function(BenchmarkId::new(case, R::NAME), |bencher| {
            bencher.iter_custom(|iterations| {
                let took = orders.give(2 * iterations / threads as u64);
                passes += 2 * iterations;
                let mut all: Vec<_> = crew.iter().map(|one| one.lock().expect("a sound recorder")).collect();
                counts.push((R::count_all(all.iter_mut().map(|one| &mut **one).collect()), passes));
                took
            });
        });
        orders.give(0);
    });
    for (count, passes) in counts {
        assert_eq!(count, passes * VALUES as u64, "{}", R::NAME);
    }
}

/// How threads are told to make so many passes, all at the same time.
struct Orders {
    threads: usize,
    begin: Barrier,
    end: Barrier,
    passes: AtomicU64,
    ready: AtomicUsize,
    times: Mutex<Vec<(Instant, Instant)>>,
}

impl Orders {
    fn new(threads: usize) -> Self {
        Orders {
            threads,
            begin: Barrier::new(threads + 1),
            end: Barrier::new(threads + 1),
            passes: AtomicU64::new(0),
            ready: AtomicUsize::new(0),
            times: Mutex::default(),
        }
    }

    /// Has every thread make so many passes; none at all ends them.
    fn give(&self, passes: u64) -> Duration {
        self.passes.store(passes, SeqCst);
        self.ready.store(0, SeqCst);
        self.begin.wait();
        self.end.wait();
        let (starts, ends): (Vec<_>, Vec<_>) = self.times.lock().expect("sound times").drain(..).unzip();
        let (start, end) = (starts.into_iter().min(), ends.into_iter().max());
        end.expect("a thread") - start.expect("a thread")
    }

    fn follow(&self, mut pass: impl FnMut()) {
        loop {
            self.begin.wait();
            let passes = self.passes.load(SeqCst);
            // A barrier wakes its threads one after the other, tens of microseconds apart.
            self.ready.fetch_add(1, SeqCst);
            while self.ready.load(SeqCst) < self.threads {
                spin_loop();
            }
            let start = Instant::now();
            (0..passes).for_each(|_| pass());
            self.times.lock().expect("sound times").push((start, Instant::now()));
            self.end.wait();
            if passes == 0 {
                return;
            }
        }
    }
}

criterion_group!(
    name = benches;
    config = barewire_bench::criterion();
    targets = one_series, hundred_series, threads, request, counter
);
criterion_main!(benches);

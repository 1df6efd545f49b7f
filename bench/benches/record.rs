//! What it costs to record, in groups called `record/<case>/<implementation>`.

use std::{hint::black_box, thread};

use barewire::{Metric, Precision, Registry};
use barewire_bench::{
    record::{Barewire, Hdr, Recorder},
    values::{VALUES, latencies, latencies_of},
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const PRECISIONS: [(&str, Precision); 2] =
    [("two_digits", Precision::Two), ("three_digits", Precision::Three)];

fn one_series(criterion: &mut Criterion) {
    let values = latencies();
    for (digits, precision) in PRECISIONS {
        let case = format!("record/1_series_{digits}");
        bench::<Barewire>(criterion, &case, Recorder::new(precision, 1), |to| to.record_one(&values));
        bench::<Hdr>(criterion, &case, Recorder::new(precision, 1), |to| to.record_one(&values));
    }
}

fn hundred_series(criterion: &mut Criterion) {
    let values = latencies_of(100);
    for (digits, precision) in PRECISIONS {
        let case = format!("record/100_series_{digits}");
        bench::<Barewire>(criterion, &case, Recorder::new(precision, 100), |to| to.record_many(&values));
        bench::<Hdr>(criterion, &case, Recorder::new(precision, 100), |to| to.record_many(&values));
    }
}

fn bench<R: Recorder>(criterion: &mut Criterion, case: &str, mut recorder: R, pass: impl Fn(&mut R)) {
    let mut passes = 0;
    let mut group = criterion.benchmark_group(case);
    group.throughput(Throughput::Elements(VALUES as u64));
    group.bench_function(R::NAME, |bencher| {
        bencher.iter(|| {
            passes += 1;
            pass(&mut recorder);
        });
    });
    assert_eq!(recorder.count(), passes * VALUES as u64);
}

/// Passes by threads that are there already: what is added is what a start and a join cost.
fn threads(criterion: &mut Criterion) {
    let values = latencies();
    let mut group = criterion.benchmark_group("record/1_series_by_threads");
    for threads in [1, 2] {
        let first = Barewire::new(Precision::Two, 1);
        let mut recorders: Vec<Barewire> = (0..threads).map(|_| first.another()).collect();
        let mut passes = 0;
        group.throughput(Throughput::Elements((threads * PASSES * VALUES) as u64));
        group.bench_function(format!("{}_{threads}", Barewire::NAME), |bencher| {
            bencher.iter(|| {
                passes += threads * PASSES;
                thread::scope(|scope| {
                    for recorder in &mut recorders {
                        scope.spawn(|| (0..PASSES).for_each(|_| recorder.record_one(&values)));
                    }
                });
            });
        });
        assert_eq!(first.count(), (passes * VALUES) as u64);
    }
}

/// Enough for a thread to be worth its start.
const PASSES: usize = 100;

fn counter(criterion: &mut Criterion) {
    let registry = Registry::new("bench");
    let hits = registry.counter(Metric::new("hits"));
    let mut shard = registry.shard();
    let mut passes = 0;
    let mut group = criterion.benchmark_group("record/1_counter");
    group.throughput(Throughput::Elements(VALUES as u64));
    group.bench_function(Barewire::NAME, |bencher| {
        bencher.iter(|| {
            passes += 1;
            (0..VALUES).for_each(|_| shard.add(hits, black_box(1)));
        });
    });
    assert_eq!(registry.snapshot().counter("hits"), passes * VALUES as u64);
}

criterion_group!(name = benches; config = barewire_bench::criterion(); targets = one_series, hundred_series, threads, counter);
criterion_main!(benches);

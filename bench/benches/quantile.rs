//! What five quantiles of one distribution cost, in groups called `quantile/<case>/<implementation>`.

use std::hint::black_box;

use barewire::{Distribution, HIGHEST, Precision};
use barewire_bench::{
    record::{Barewire, Hdr, Recorder},
    values::latencies,
};
use criterion::{Criterion, criterion_group, criterion_main};

const ASKED: [f64; 5] = [0.5, 0.9, 0.95, 0.99, 0.999];

fn quantile(criterion: &mut Criterion) {
    for (name, precision, digits) in
        [("five_two_digits", Precision::Two, 2), ("five_three_digits", Precision::Three, 3)]
    {
        let mut ours = Distribution::new(precision);
        let mut theirs = hdrhistogram::Histogram::<u64>::new_with_bounds(1, HIGHEST, digits)
            .expect("bounds that it takes");
        for value in latencies() {
            ours.record(value);
            theirs.record(value).expect("a value within the bounds");
        }
        let expected = ASKED.map(|q| theirs.value_at_quantile(q));
        let mut group = criterion.benchmark_group(format!("quantile/{name}"));
        group.bench_function(Barewire::NAME, |bencher| {
            bencher.iter(|| {
                let told = black_box(&ours).quantiles(black_box(ASKED));
                assert_eq!(told, Some(expected));
            });
        });
        group.bench_function(Hdr::NAME, |bencher| {
            bencher.iter(|| {
                let told = black_box(ASKED).map(|q| black_box(&theirs).value_at_quantile(q));
                assert_eq!(told, expected);
            });
        });
    }
}

criterion_group!(name = benches; config = barewire_bench::criterion(); targets = quantile);
criterion_main!(benches);

//! What it costs to add up what all threads recorded, in groups called `merge/<shards>x<series>/<implementation>`.
//!
//! Every shard has recorded 600 latencies to every series, and records some more before each merge, which is what is
//! timed: ours is a snapshot; theirs resets a total for each series and adds the histograms of all shards to it. Both
//! leave the totals of the merge before to whoever reads them. How many values came in between does not matter to either,
//! only which series they were of.

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use barewire::{Histogram, Metric, Precision, Reading, Registry, Shard, Snapshot};
use barewire_bench::{
    record::{Barewire, Hdr, Recorder},
    values::latencies,
};
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime};

const FIRST: usize = 600;
const BETWEEN: usize = 10;

/// One in `one_in` series moves from one merge to the next.
#[derive(Debug, Clone, Copy)]
struct Case {
    shards: usize,
    series: usize,
    one_in: usize,
}

impl Case {
    /// Which shard and series the next round records to.
    fn moving(self) -> impl Iterator<Item = (usize, usize)> {
        let moving = move |shard| (0..self.series).step_by(self.one_in).map(move |series| (shard, series));
        (0..self.shards).flat_map(moving)
    }

    fn records_at_first(self) -> u64 {
        (self.shards * self.series * FIRST) as u64
    }

    fn records_between(self) -> u64 {
        (self.shards * self.series.div_ceil(self.one_in) * BETWEEN) as u64
    }
}

/// Whoever records to many shards and merges them.
trait Merger {
    const NAME: &str;

    fn new(case: Case) -> Self;

    fn record(&mut self, shard: usize, series: usize, value: u64);

    fn merge(&mut self);

    /// How many values the last merge found.
    fn count(&self) -> u64;
}

struct Ours {
    registry: Registry,
    series: Vec<Histogram>,
    shards: Vec<Shard>,
    last: Arc<Snapshot>,
}

impl Merger for Ours {
    const NAME: &str = Barewire::NAME;

    fn new(case: Case) -> Self {
        let registry = Registry::new("bench");
        let metric = |n: usize| Metric::new("took").precision(Precision::Two).label("series", n.to_string());
        let series = (0..case.series).map(|n| registry.histogram(metric(n))).collect();
        let shards = (0..case.shards).map(|_| registry.shard()).collect();
        Ours { series, shards, last: registry.snapshot(), registry }
    }

    fn record(&mut self, shard: usize, series: usize, value: u64) {
        self.shards[shard].record(self.series[series], value);
    }

    fn merge(&mut self) {
        self.last = self.registry.snapshot();
    }

    fn count(&self) -> u64 {
        let counts = self.last.readings().map(|(_, reading)| match reading {
            Reading::Histogram(took) => took.count(),
            _ => 0,
        });
        counts.sum()
    }
}

type Plain = hdrhistogram::Histogram<u64>;

struct Theirs {
    shards: Vec<Vec<Plain>>,
    /// The last ones, and those before.
    totals: [Vec<Plain>; 2],
}

impl Merger for Theirs {
    const NAME: &str = Hdr::NAME;

    fn new(case: Case) -> Self {
        // Made anew each time: a clone would have touched all of its memory.
        let series = || {
            let bounds = || Plain::new_with_bounds(1, barewire::HIGHEST, 2).expect("bounds that it takes");
            (0..case.series).map(|_| bounds()).collect()
        };
        Theirs { shards: (0..case.shards).map(|_| series()).collect(), totals: [series(), series()] }
    }

    fn record(&mut self, shard: usize, series: usize, value: u64) {
        self.shards[shard][series].record(value).expect("a value within the bounds");
    }

    fn merge(&mut self) {
        self.totals.swap(0, 1);
        for (series, total) in self.totals[0].iter_mut().enumerate() {
            total.reset();
            for shard in &self.shards {
                total.add(&shard[series]).expect("a histogram of the same bounds");
            }
        }
    }

    fn count(&self) -> u64 {
        self.totals[0].iter().map(Plain::len).sum()
    }
}

fn bench<M: Merger>(group: &mut BenchmarkGroup<'_, WallTime>, case: Case) {
    let values = latencies();
    let mut values = values.iter().copied().cycle();
    let mut next = || values.next().expect("an endless cycle");
    let mut merger = M::new(case);
    for (shard, series) in (Case { one_in: 1, ..case }).moving() {
        (0..FIRST).for_each(|_| merger.record(shard, series, next()));
    }
    merger.merge();
    let mut expected = case.records_at_first();
    let mut round = || {
        for (shard, series) in case.moving() {
            (0..BETWEEN).for_each(|_| merger.record(shard, series, next()));
        }
        let start = Instant::now();
        black_box(&mut merger).merge();
        let took = start.elapsed();
        expected += case.records_between();
        assert_eq!(merger.count(), expected, "{} lost count", M::NAME);
        took
    };
    group.bench_function(M::NAME, |bencher| {
        bencher.iter_custom(|rounds| (0..rounds).map(|_| round()).sum::<Duration>());
    });
}

fn merge(criterion: &mut Criterion) {
    let cases = [
        ("16x100", Case { shards: 16, series: 100, one_in: 1 }),
        ("64x1000", Case { shards: 64, series: 1000, one_in: 1 }),
        ("64x1000_nine_in_ten_idle", Case { shards: 64, series: 1000, one_in: 10 }),
    ];
    for (name, case) in cases {
        let mut group = criterion.benchmark_group(format!("merge/{name}"));
        if case.series > 100 {
            group.sample_size(10);
        }
        bench::<Ours>(&mut group, case);
        bench::<Theirs>(&mut group, case);
    }
}

criterion_group!(name = benches; config = barewire_bench::criterion(); targets = merge);
criterion_main!(benches);

//! Whoever counts values: barewire, and a plain histogram of the `hdrhistogram` crate, one thread's own.

use barewire::{HIGHEST, Histogram, Metric, Precision, Reading, Registry, Shard};

/// A number of histograms of one precision.
pub trait Recorder {
    /// As it is called in tables.
    const NAME: &str;

    /// `series` empty histograms of the range `1..=`[`HIGHEST`].
    fn new(precision: Precision, series: usize) -> Self;

    /// Counts all values in the first histogram, which is looked up once.
    fn record_one(&mut self, values: &[u64]);

    /// Counts each value in the histogram that goes with it.
    fn record_many(&mut self, values: &[(usize, u64)]);

    /// How many values were counted, over all histograms.
    fn count(&self) -> u64;
}

/// Ours: count, sum, minimum, maximum and bucket, readable by another thread at any time.
#[derive(Debug)]
pub struct Barewire {
    registry: Registry,
    shard: Shard,
    series: Vec<Histogram>,
}

impl Barewire {
    /// The same histograms, for one more thread.
    #[must_use]
    pub fn another(&self) -> Self {
        let mut shard = self.registry.shard();
        self.series.iter().for_each(|series| shard.prepare(*series));
        Barewire { registry: self.registry.clone(), shard, series: self.series.clone() }
    }
}

impl Recorder for Barewire {
    const NAME: &str = "barewire";

    fn new(precision: Precision, series: usize) -> Self {
        let registry = Registry::new("bench");
        let metric = |n: usize| Metric::new("took").precision(precision).label("series", n.to_string());
        let series = (0..series).map(|n| registry.histogram(metric(n))).collect();
        let shard = registry.shard();
        Barewire { registry, shard, series }.another()
    }

    fn record_one(&mut self, values: &[u64]) {
        let series = self.series[0];
        for value in values {
            self.shard.record(series, *value);
        }
    }

    fn record_many(&mut self, values: &[(usize, u64)]) {
        for (series, value) in values {
            self.shard.record(self.series[*series], *value);
        }
    }

    fn count(&self) -> u64 {
        let snapshot = self.registry.snapshot();
        let counts = snapshot.readings().map(|(_, reading)| match reading {
            Reading::Histogram(took) => took.count(),
            _ => 0,
        });
        counts.sum()
    }
}

/// Theirs: count, minimum, maximum and bucket, for the eyes of one thread.
#[derive(Debug)]
pub struct Hdr {
    series: Vec<hdrhistogram::Histogram<u64>>,
}

impl Recorder for Hdr {
    const NAME: &str = "hdrhistogram";

    fn new(precision: Precision, series: usize) -> Self {
        let digits = match precision {
            Precision::One => 1,
            Precision::Two => 2,
            Precision::Three => 3,
        };
        let empty =
            hdrhistogram::Histogram::new_with_bounds(1, HIGHEST, digits).expect("bounds that it takes");
        Hdr { series: vec![empty; series] }
    }

    fn record_one(&mut self, values: &[u64]) {
        let series = &mut self.series[0];
        for value in values {
            series.record(*value).expect("a value within the bounds");
        }
    }

    fn record_many(&mut self, values: &[(usize, u64)]) {
        for (series, value) in values {
            self.series[*series].record(*value).expect("a value within the bounds");
        }
    }

    fn count(&self) -> u64 {
        self.series.iter().map(hdrhistogram::Histogram::len).sum()
    }
}

//! Whoever counts values: barewire, and a plain histogram of the `hdrhistogram` crate, one thread's own.

use barewire::{HIGHEST, Histogram, Metric, Precision, Reading, Registry, Shard};

/// A number of histograms.
pub trait Recorder {
    /// As it is called in tables.
    const NAME: &str;

    /// What finds a histogram.
    type Series: Copy;

    /// `series` empty histograms of the range `1..=`[`HIGHEST`], and of that precision if it has one.
    fn new(precision: Precision, series: usize) -> Self;

    /// Counts all values in the first histogram, which is looked up once.
    fn record_one(&mut self, values: &[u64]);

    /// What finds histogram `number`.
    fn series(&self, number: usize) -> Self::Series;

    /// Counts each value in the histogram that goes with it.
    fn record_many(&mut self, values: &[(Self::Series, u64)]);

    /// How many values were counted, over all histograms.
    fn count(&mut self) -> u64;
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
    type Series = Histogram;

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

    fn series(&self, number: usize) -> Histogram {
        self.series[number]
    }

    fn record_many(&mut self, values: &[(Histogram, u64)]) {
        for (series, value) in values {
            self.shard.record(*series, *value);
        }
    }

    fn count(&mut self) -> u64 {
        let snapshot = self.registry.snapshot();
        let counts = snapshot.readings().map(|(_, reading)| match reading {
            Reading::Histogram(took) => took.count(),
            _ => 0,
        });
        counts.sum()
    }
}

/// One histogram of another library, its handle in hand.
pub trait Rival {
    /// As it is called in tables.
    const NAME: &str;

    /// An empty one.
    fn new(precision: Precision) -> Self;

    /// Counts one value.
    fn record(&mut self, value: u64);

    /// Whatever a program has to do every so often for the counts to get anywhere; done after each pass of values.
    fn settle(&mut self) {}

    /// How many values were counted.
    fn count(&mut self) -> u64;
}

/// Several of a rival's.
#[derive(Debug)]
pub struct Each<R>(Vec<R>);

impl<R: Rival> Recorder for Each<R> {
    const NAME: &str = R::NAME;
    type Series = usize;

    fn new(precision: Precision, series: usize) -> Self {
        Each((0..series).map(|_| R::new(precision)).collect())
    }

    fn record_one(&mut self, values: &[u64]) {
        let series = &mut self.0[0];
        for value in values {
            series.record(*value);
        }
        series.settle();
    }

    fn series(&self, number: usize) -> usize {
        number
    }

    fn record_many(&mut self, values: &[(usize, u64)]) {
        for (series, value) in values {
            self.0[*series].record(*value);
        }
        self.0.iter_mut().for_each(Rival::settle);
    }

    fn count(&mut self) -> u64 {
        self.0.iter_mut().map(Rival::count).sum()
    }
}

/// Theirs: count, minimum, maximum and bucket, for the eyes of one thread.
pub type Hdr = Each<hdrhistogram::Histogram<u64>>;

impl Rival for hdrhistogram::Histogram<u64> {
    const NAME: &str = "hdrhistogram";

    fn new(precision: Precision) -> Self {
        hdrhistogram::Histogram::new_with_bounds(1, HIGHEST, digits(precision)).expect("bounds that it takes")
    }

    #[inline]
    fn record(&mut self, value: u64) {
        hdrhistogram::Histogram::record(self, value).expect("a value within the bounds");
    }

    fn count(&mut self) -> u64 {
        self.len()
    }
}

/// A precision in `hdrhistogram`'s measure.
#[must_use]
pub const fn digits(precision: Precision) -> u8 {
    match precision {
        Precision::One => 1,
        Precision::Two => 2,
        Precision::Three => 3,
    }
}

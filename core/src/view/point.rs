//! What an encoder is given: one frame of points a tick, in shapes that a wire format can carry.

use std::sync::Arc;

use super::shape::counts_into;
use crate::{
    Distribution,
    record::metric::{Label, Metric},
};

/// The points that one backend is shown at one instant.
///
/// Points are only ever appended: the metric at an index stays the same for the life of the view that fills
/// the frame, so an encoder may render what never changes once and keep it by index.
#[derive(Debug, Clone, Default)]
pub struct Frame {
    /// Who produced the points, such as `service.name`. The same allocation until the registry's resource changes.
    pub resource: Arc<[Label]>,
    /// Which instrumentation produced them; fixed for the life of the view.
    pub scope: Option<Scope>,
    /// When counting began: the start of the registry, or of the window for [`Temporality::Delta`].
    pub start_unix_ns: u64,
    /// When the points were true.
    pub time_unix_ns: u64,
    /// How counters and histograms count.
    pub temporality: Temporality,
    /// One entry a series, in order of first appearance.
    pub points: Vec<Point>,
}

/// The name and version of what produced the points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Such as `barewire`.
    pub name: String,
    /// Such as `1.0.0`; empty when there is none.
    pub version: String,
}

/// Since when a counter or a histogram counts. The discriminants are OTLP's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Temporality {
    /// Since the frame's start, which is that of the point delivered before.
    Delta = 1,
    /// Since the registry was made.
    #[default]
    Cumulative = 2,
}

/// One series at one instant.
#[derive(Debug, Clone)]
pub struct Point {
    /// Name, unit, help and labels as the backend is to see them.
    pub metric: Arc<Metric>,
    /// What was true.
    pub value: Value,
}

/// The value of a point, by kind. Histograms are boxed, so that points which are plain numbers, nearly all of them,
/// lie close together: a tick walks through every one.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing to say this time, such as the median of a window without requests. Not an error, not counted.
    Absent,
    /// The last of something.
    Gauge(Number),
    /// A sum that only grows.
    Counter(Number),
    /// Counts between explicit bounds.
    Histogram(Box<Explicit>),
    /// Counts between powers of a base.
    ExponentialHistogram(Box<Exponential>),
    /// Everything recorded, for formats that make quantiles or samples of it. Others leave it out.
    Recorded(Box<Recorded>),
}

impl From<Explicit> for Value {
    fn from(histogram: Explicit) -> Self {
        Value::Histogram(Box::new(histogram))
    }
}

impl From<Exponential> for Value {
    fn from(histogram: Exponential) -> Self {
        Value::ExponentialHistogram(Box::new(histogram))
    }
}

impl From<Recorded> for Value {
    fn from(recorded: Recorded) -> Self {
        Value::Recorded(Box::new(recorded))
    }
}

/// A number in the form in which it is exact.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// An integer.
    Int(i64),
    /// A float, not finite ones included.
    Float(f64),
    /// `digits / 10^decimals`: nanoseconds shown as seconds or milliseconds without a float.
    Decimal {
        /// All digits, as an integer.
        digits: u128,
        /// How many of them stand behind the decimal point, at most 18.
        decimals: u8,
    },
}

impl Number {
    /// An integer as recorded, in a unit that is `decimals` digits coarser.
    pub(crate) fn scaled(digits: u128, decimals: u8) -> Self {
        match decimals {
            0 => Number::Int(i64::try_from(digits).unwrap_or(i64::MAX)),
            decimals => Number::Decimal { digits, decimals },
        }
    }

    /// The nearest float.
    #[allow(clippy::cast_precision_loss, reason = "the nearest float is what is asked for")]
    pub fn to_f64(self) -> f64 {
        match self {
            Number::Int(int) => int as f64,
            Number::Float(float) => float,
            Number::Decimal { digits, decimals } => digits as f64 / 10f64.powi(decimals.into()),
        }
    }
}

/// A histogram with explicit bounds. Bucket `i` counts values in `(bounds[i - 1], bounds[i]]`; the last one is
/// open above.
#[derive(Debug, Clone, PartialEq)]
pub struct Explicit {
    /// Finite, strictly increasing, in the metric's unit.
    pub bounds: Arc<[f64]>,
    /// One more than there are bounds; not cumulative.
    pub counts: Vec<u64>,
    /// The sum of all values, in the metric's unit.
    pub sum: Number,
    /// The smallest value, where it is known.
    pub min: Option<Number>,
    /// The largest value, where it is known.
    pub max: Option<Number>,
}

impl Explicit {
    /// How many values were counted: the sum of the buckets.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// A histogram whose bucket `i` counts values in `(base^i, base^(i + 1)]` where `base = 2^(2^-scale)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Exponential {
    /// The resolution: `2^scale` buckets an octave.
    pub scale: i32,
    /// How many values were zero.
    pub zero_count: u64,
    /// Buckets of the values above zero.
    pub positive: ExponentialBuckets,
    /// Buckets of the values below zero, by magnitude.
    pub negative: ExponentialBuckets,
    /// The sum of all values, in the metric's unit.
    pub sum: Number,
    /// The smallest value, where it is known.
    pub min: Option<Number>,
    /// The largest value, where it is known.
    pub max: Option<Number>,
}

impl Exponential {
    /// How many values were counted: positive, negative and zero.
    pub fn count(&self) -> u64 {
        self.positive.counts.iter().chain(&self.negative.counts).sum::<u64>() + self.zero_count
    }

    /// The magnitude at which bucket `index` begins and the one below it ends: infinite beyond what a float holds, and 0
    /// below. It is a number at any scale and index.
    #[allow(clippy::cast_precision_loss, reason = "an index is an i32, or one more")]
    pub fn edge(&self, index: i64) -> f64 {
        // Not by the formula, which has no answer where a step is infinite.
        if index == 0 { 1.0 } else { f64::exp2(index as f64 * f64::exp2(-f64::from(self.scale))) }
    }

    /// Upper bound and count of each bucket, from the lowest to the highest; bounds of neighbours may be equal.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> {
        let edge = |buckets: &ExponentialBuckets, at: usize| {
            self.edge(i64::from(buckets.offset).saturating_add(i64::try_from(at).unwrap_or(i64::MAX)))
        };
        let below_zero = self.negative.counts.iter().enumerate().rev();
        let below_zero = below_zero.map(move |(at, &count)| (-edge(&self.negative, at), count));
        let above_zero = self.positive.counts.iter().enumerate();
        let above_zero = above_zero.map(move |(at, &count)| (edge(&self.positive, at + 1), count));
        below_zero.chain([(0.0, self.zero_count)]).chain(above_zero)
    }
}

/// A histogram as it was recorded: integers, in the recorded form of the metric's unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// How many decimal digits the integers have below the unit ([`Unit::decimals`](crate::Unit::decimals)).
    pub decimals: u8,
    /// What was recorded since the registry was made; empty for [`Temporality::Delta`]. Shared with the snapshot.
    pub run: Arc<Distribution>,
    /// What was recorded since the point delivered before.
    pub window: Distribution,
}

impl Recorded {
    /// An integer of one of the distributions, as the number that it stands for.
    pub fn number(&self, raw: u64) -> Number {
        Number::scaled(raw.into(), self.decimals)
    }

    /// Refills `counts` with those of `distribution`, one of the two, between `bounds`: what [`Explicit::counts`] are.
    ///
    /// ```
    /// use barewire::{Metric, Registry, Unit, view::{Shape, Value, View}};
    ///
    /// let registry = Registry::new("test");
    /// let size = registry.histogram(Metric::new("size").unit(Unit::Bytes));
    /// registry.shard().record(size, 100u64);
    /// let mut view = View::everything().histograms(Shape::Recorded);
    /// let Value::Recorded(shown) = &view.show(&registry.snapshot(), None).points[0].value else { panic!() };
    /// let mut counts = Vec::new();
    /// shown.counts_into(&shown.run, &[64.0, 256.0], &mut counts);
    /// assert_eq!(counts, [0, 1, 0]);
    /// ```
    pub fn counts_into(&self, distribution: &Distribution, bounds: &[f64], counts: &mut Vec<u64>) {
        counts_into(distribution, self.decimals, bounds, counts);
    }
}

/// A run of neighbouring buckets of an [`Exponential`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExponentialBuckets {
    /// The index of the first bucket in `counts`.
    pub offset: i32,
    /// One count a bucket.
    pub counts: Vec<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_fills_a_cache_line_at_most() {
        assert!(size_of::<Point>() <= 64, "{}", size_of::<Point>());
    }
}

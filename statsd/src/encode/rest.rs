//! What a series has counted and not delivered yet.

use barewire::{
    Distribution, Precision,
    view::{Explicit, Exponential, ExponentialBuckets, Number, Recorded, Value},
};

/// What a series has counted and not delivered yet.
#[derive(Debug, Default)]
pub(super) enum Rest {
    /// Nothing was counted that is not delivered; or it is a gauge, or a series without a value so far.
    #[default]
    None,
    /// Of a counter.
    Sum(Sum),
    /// Of a histogram, in ascending order.
    Samples(Vec<Weighted>),
}

/// What the last line of a counter says, and where it ends among the bytes of all datagrams. Whether it was delivered is
/// found out with the next frame, by its end: so nothing is done for each counter when a delivery is told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sum {
    pub(super) number: Number,
    pub(super) end: usize,
}

/// The end of a line that was not written.
pub(super) const NOWHERE: usize = usize::MAX;

/// A value, and how often it was counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Weighted {
    /// Where its bucket begins, by which it is known again.
    low: f64,
    pub(super) value: Number,
    pub(super) count: u64,
}

/// What is refilled for each series.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    coarse: Distribution,
    fresh: Vec<Weighted>,
    merged: Vec<Weighted>,
}

impl Rest {
    /// Whether nothing is kept when the first `delivered` bytes were delivered.
    #[inline]
    pub(super) fn is_nothing(&self, delivered: usize) -> bool {
        match self {
            Rest::None => true,
            Rest::Sum(sum) => sum.end <= delivered,
            Rest::Samples(samples) => samples.is_empty(),
        }
    }

    /// Adds what a point says was counted. Returns false where it cannot be carried.
    pub(super) fn absorb(&mut self, value: &Value, scratch: &mut Scratch) -> bool {
        scratch.fresh.clear();
        match value {
            Value::Absent | Value::Gauge(_) => return true,
            Value::Counter(number) => return self.add(*number),
            Value::Histogram(histogram) => {
                if !explicit(histogram, &mut scratch.fresh) {
                    return false;
                }
            }
            Value::ExponentialHistogram(histogram) => {
                if !exponential(histogram, &mut scratch.fresh) {
                    return false;
                }
            }
            Value::Recorded(shown) => recorded(shown, &mut scratch.coarse, &mut scratch.fresh),
        }
        self.merge(scratch);
        true
    }

    fn add(&mut self, more: Number) -> bool {
        let is_count = is_count(more);
        if is_count {
            let number = if let Rest::Sum(sum) = self { plus(sum.number, more) } else { more };
            *self = Rest::Sum(Sum { number, end: NOWHERE });
        }
        is_count
    }

    fn merge(&mut self, scratch: &mut Scratch) {
        if !matches!(self, Rest::Samples(_)) {
            *self = Rest::Samples(Vec::new());
        }
        let Rest::Samples(samples) = self else { return };
        let Scratch { fresh, merged, .. } = scratch;
        merged.clear();
        let (mut old, mut new) = (samples.iter().peekable(), fresh.iter().peekable());
        while let (Some(kept), Some(came)) = (old.peek(), new.peek()) {
            match kept.low.total_cmp(&came.low) {
                std::cmp::Ordering::Less => merged.extend(old.next()),
                std::cmp::Ordering::Greater => merged.extend(new.next()),
                std::cmp::Ordering::Equal => {
                    merged.push(Weighted { count: kept.count.saturating_add(came.count), ..**kept });
                    old.next();
                    new.next();
                }
            }
        }
        merged.extend(old);
        merged.extend(new);
        std::mem::swap(samples, merged);
    }

    /// Forgets a counter's sum if it is among the first `delivered` bytes, which were delivered.
    #[inline]
    pub(super) fn settle_sum(&mut self, delivered: usize) {
        if matches!(self, Rest::Sum(sum) if sum.end <= delivered) {
            *self = Rest::None;
        }
    }

    /// Of the samples from `from` to `to`, so many as the bit `power` of each count stands for were delivered.
    pub(super) fn settle_samples(&mut self, power: u32, from: usize, to: usize) {
        if let Rest::Samples(samples) = self {
            samples[from..to].iter_mut().for_each(|sample| sample.count &= !(1 << power));
        }
    }

    /// Forgets what has been delivered whole, after the last call of [`Rest::settle_samples`].
    pub(super) fn tidy(&mut self) {
        if let Rest::Samples(samples) = self {
            samples.retain(|sample| sample.count > 0);
        }
    }
}

/// Whether a counter can have counted it.
#[inline]
pub(super) fn is_count(number: Number) -> bool {
    match number {
        Number::Int(int) => int >= 0,
        Number::Float(float) => float.is_finite() && float >= 0.0,
        Number::Decimal { .. } => true,
    }
}

fn plus(left: Number, right: Number) -> Number {
    match (left, right) {
        (Number::Int(a), Number::Int(b)) => match a.checked_add(b) {
            Some(sum) => Number::Int(sum),
            None => Number::Decimal { digits: wide(a) + wide(b), decimals: 0 },
        },
        (Number::Decimal { digits: a, decimals }, Number::Decimal { digits: b, decimals: other })
            if decimals == other =>
        {
            Number::Decimal { digits: a.saturating_add(b), decimals }
        }
        (Number::Decimal { digits, decimals: 0 }, Number::Int(int))
        | (Number::Int(int), Number::Decimal { digits, decimals: 0 }) => {
            Number::Decimal { digits: digits.saturating_add(wide(int)), decimals: 0 }
        }
        // What was counted is finite, and what it adds up to has to be written.
        _ => Number::Float((left.to_f64() + right.to_f64()).min(f64::MAX)),
    }
}

/// A count as it is known not to be negative.
fn wide(int: i64) -> u128 {
    int.unsigned_abs().into()
}

/// The middles of the buckets of the window. Finer ones than the Agent's sketch tells apart would fill datagrams for
/// nothing, so they are joined to buckets of less than 0.8 %.
fn recorded(shown: &Recorded, coarse: &mut Distribution, out: &mut Vec<Weighted>) {
    let coarse = match shown.window.precision() {
        Precision::Three => {
            debug_assert_eq!(coarse.precision(), Precision::Two);
            coarse.clear();
            coarse.merge(&shown.window);
            coarse
        }
        _ => &shown.window,
    };
    let (Some(min), Some(max)) = (coarse.min(), coarse.max()) else { return };
    out.extend(coarse.buckets().map(|(low, high, count)| {
        let middle = low.midpoint(high).max(min).min(max);
        Weighted { low: to_f64(low), value: shown.number(middle), count }
    }));
}

#[allow(clippy::cast_precision_loss, reason = "a bucket is wider than a float's error")]
fn to_f64(integer: u64) -> f64 {
    integer as f64
}

/// The middles of the buckets, the outermost drawn in to the extremes where they are known.
fn explicit(histogram: &Explicit, out: &mut Vec<Weighted>) -> bool {
    let Explicit { bounds, counts, .. } = histogram;
    let ascending =
        bounds.iter().all(|bound| bound.is_finite()) && bounds.is_sorted_by(|low, high| low < high);
    if counts.len() != bounds.len() + 1 || !ascending {
        return false;
    }
    let (min, max) = (known(histogram.min), known(histogram.max));
    for (at, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let below = at.checked_sub(1).map(|below| bounds[below]);
        let above = bounds.get(at).copied();
        let low = below.or(min).unwrap_or_else(|| above.map_or(0.0, |above| above.min(0.0)));
        let high = above.or(max).unwrap_or(low);
        let value = within(low.midpoint(high), min, max);
        out.push(Weighted {
            low: below.unwrap_or(f64::NEG_INFINITY),
            value: Number::Float(value),
            count: *count,
        });
    }
    true
}

fn exponential<'h>(histogram: &'h Exponential, out: &mut Vec<Weighted>) -> bool {
    let Exponential { zero_count, positive, negative, .. } = histogram;
    let (min, max) = (known(histogram.min), known(histogram.max));
    // The ends of each bucket in use, as magnitudes.
    let magnitudes = |buckets: &'h ExponentialBuckets| {
        let index =
            |at: usize| i64::from(buckets.offset).saturating_add(i64::try_from(at).unwrap_or(i64::MAX));
        // No value is beyond the largest float, and the format has no infinity.
        let edge = move |at: usize| histogram.edge(index(at)).min(f64::MAX);
        let used = buckets.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        used.map(move |(at, count)| (edge(at), edge(at + 1), *count))
    };
    let below = magnitudes(negative).rev().map(|(low, high, count)| (-high, -low, count));
    let zeros = (*zero_count > 0).then_some((0.0, 0.0, *zero_count));
    for (low, high, count) in below.chain(zeros).chain(magnitudes(positive)) {
        let value = within(low.midpoint(high), min, max);
        out.push(Weighted { low, value: Number::Float(value), count });
    }
    true
}

/// An extreme that says something.
fn known(extreme: Option<Number>) -> Option<f64> {
    extreme.map(Number::to_f64).filter(|extreme| extreme.is_finite())
}

fn within(value: f64, min: Option<f64>, max: Option<f64>) -> f64 {
    value.max(min.unwrap_or(value)).min(max.unwrap_or(f64::INFINITY))
}

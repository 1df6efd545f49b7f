//! A histogram in exponential buckets, without a logarithm a bucket.
//!
//! Which exponential bucket takes what one of ours has counted is asked of its middle, and the answer never changes: a
//! table for each precision and each unit of time has it, at the finest scale. Every coarser scale joins two neighbours of
//! the one before, which is a shift to the right. So a tick looks up, shifts and adds.

use std::sync::OnceLock;

use super::{
    point::{Exponential, ExponentialBuckets, Value},
    shape::{Shape, middle, summary},
};
use crate::{Distribution, Precision, Unit};

/// Of a bucket that has counted zeros.
const ZERO: i32 = i32::MIN;

/// Shows `distribution`, reusing what `value` holds.
pub(super) fn fill(distribution: &Distribution, unit: &Unit, value: &mut Value) {
    let finest = distribution.precision().power();
    let indices = indices(distribution.precision(), unit.decimals());
    let Fit { shift, offset, width } = Fit::of(distribution, indices);
    let (sum, min, max) = summary(distribution, unit);
    let mut shown = match std::mem::replace(value, Value::Absent) {
        Value::ExponentialHistogram(old) => old,
        _ => Box::new(Exponential {
            scale: 0,
            zero_count: 0,
            positive: ExponentialBuckets::default(),
            negative: ExponentialBuckets::default(),
            sum,
            min,
            max,
        }),
    };
    shown.scale = i32::try_from(finest - shift).unwrap_or(0);
    shown.zero_count = 0;
    shown.positive.offset = offset;
    (shown.sum, shown.min, shown.max) = (sum, min, max);
    let counts = &mut shown.positive.counts;
    counts.clear();
    counts.resize(width, 0);
    for (bucket, count) in distribution.counts() {
        let index = indices[bucket];
        if index == ZERO {
            shown.zero_count += count;
        } else {
            counts[((index >> shift) - offset).unsigned_abs() as usize] += count;
        }
    }
    *value = Value::ExponentialHistogram(shown);
}

/// How much coarser than the finest scale the buckets are, which is the first of them, and how many there are.
struct Fit {
    shift: u32,
    offset: i32,
    width: usize,
}

impl Fit {
    /// The finest scale at which the buckets are few enough.
    fn of(distribution: &Distribution, indices: &[i32]) -> Self {
        let used = distribution.counts().map(|(bucket, _)| indices[bucket]).find(|index| *index != ZERO);
        let (Some(first), Some(last)) = (used, distribution.last()) else {
            return Fit { shift: 0, offset: 0, width: 0 };
        };
        let last = indices[last];
        let width = |shift: u32| ((last >> shift) - (first >> shift)).unsigned_abs() as usize + 1;
        let coarsest = distribution.precision().power();
        let shift = (0..coarsest).find(|shift| width(*shift) <= Shape::MAX_BUCKETS).unwrap_or(coarsest);
        Fit { shift, offset: first >> shift, width: width(shift) }
    }
}

/// By bucket, the index at the finest scale of its middle, in a unit that is `decimals` digits coarser.
fn indices(precision: Precision, decimals: u8) -> &'static [i32] {
    /// Those that a unit may have.
    const DECIMALS: [u8; 3] = [0, 6, 9];
    static TABLES: [[OnceLock<Box<[i32]>>; DECIMALS.len()]; 3] =
        [const { [const { OnceLock::new() }; DECIMALS.len()] }; 3];
    let column = DECIMALS.iter().position(|known| *known == decimals).expect("the decimals of a unit");
    TABLES[precision as usize][column].get_or_init(|| {
        let scale = i32::try_from(precision.power()).expect("a small power");
        let divisor = 10f64.powi(decimals.into());
        (0..precision.buckets())
            .map(|bucket| index(middle(precision.power(), bucket) / divisor, scale))
            .collect()
    })
}

/// The bucket `i` with `value` in `(base^i, base^(i + 1)]` where `base = 2^(2^-scale)`.
#[allow(clippy::cast_possible_truncation, reason = "an f64 has 2^11 octaves, and a scale is at most 10")]
fn index(value: f64, scale: i32) -> i32 {
    if value == 0.0 { ZERO } else { (value.log2() * f64::exp2(scale.into())).ceil() as i32 - 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_upper_end_of_an_exponential_bucket_belongs_to_it() {
        assert_eq!([1.0, 1.1, 2.0, 2.1, 4.0].map(|value| index(value, 0)), [-1, 0, 0, 1, 1]);
        assert_eq!([1.0, 2.0, 4.0].map(|value| index(value, 3)), [-1, 7, 15]);
    }

    #[test]
    fn the_table_says_of_every_bucket_what_a_logarithm_says_at_every_scale() {
        for precision in [Precision::One, Precision::Two, Precision::Three] {
            for decimals in [0, 6, 9] {
                let indices = indices(precision, decimals);
                for (bucket, finest) in indices.iter().enumerate().filter(|(_, index)| **index != ZERO) {
                    for shift in 0..=precision.power() {
                        let scale = i32::try_from(precision.power() - shift).unwrap();
                        let obvious =
                            index(middle(precision.power(), bucket) / 10f64.powi(decimals.into()), scale);
                        assert_eq!(finest >> shift, obvious, "{precision:?} {bucket} {scale}");
                    }
                }
                assert_eq!(indices.iter().filter(|index| **index == ZERO).count(), 1);
            }
        }
    }

    /// As the text of the specification has it: the finest scale at which they fit, each value in its bucket.
    fn obvious(distribution: &Distribution, unit: &Unit) -> (i32, i32, u64, Vec<u64>) {
        let middles: Vec<(f64, u64)> = distribution
            .buckets()
            .map(|(low, high, count)| (low.midpoint(high) as f64 / 10f64.powi(unit.decimals().into()), count))
            .collect();
        let zeros = middles.iter().filter(|(middle, _)| *middle == 0.0).map(|(_, count)| count).sum();
        let positive: Vec<_> = middles.into_iter().filter(|(middle, _)| *middle > 0.0).collect();
        let finest = i32::try_from(distribution.precision().power()).unwrap();
        for scale in (0..=finest).rev() {
            let mut counts = Vec::new();
            let offset = positive.first().map_or(0, |(middle, _)| index(*middle, scale));
            for (middle, count) in &positive {
                let at = usize::try_from(index(*middle, scale) - offset).unwrap();
                counts.resize(counts.len().max(at + 1), 0);
                counts[at] += count;
            }
            if counts.len() <= Shape::MAX_BUCKETS || scale == 0 {
                return (scale, offset, zeros, counts);
            }
        }
        unreachable!("there is a coarsest scale")
    }

    proptest! {
        #[test]
        fn it_is_what_the_obvious_way_comes_to(
            values in prop::collection::vec(prop_oneof![0..200_u64, 0..1_u64 << 22, any::<u64>()], 0..60),
            precision in prop_oneof![Just(Precision::One), Just(Precision::Two), Just(Precision::Three)],
            unit in prop_oneof![Just(Unit::Bytes), Just(Unit::Milliseconds), Just(Unit::Seconds)],
        ) {
            let mut value = Value::Absent;
            // What was there before leaves nothing behind.
            for cut in [values.len(), values.len() / 2] {
                let mut distribution = Distribution::new(precision);
                values[..cut].iter().for_each(|value| distribution.record(*value));
                fill(&distribution, &unit, &mut value);
                let Value::ExponentialHistogram(shown) = &value else { panic!("another shape: {value:?}") };
                let Exponential { scale, zero_count, positive, .. } = &**shown;
                let shown = (*scale, positive.offset, *zero_count, positive.counts.clone());
                prop_assert_eq!(shown, obvious(&distribution, &unit));
            }
        }
    }
}

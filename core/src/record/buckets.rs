//! Where a value is counted: log-linear bucket arithmetic.
//!
//! Values below `2^(k + 1)` have a bucket each. Above, every octave `[2^n, 2^(n + 1))` is cut into `2^k` buckets of
//! equal width, so a bucket is never wider than `2^-k` of the values in it. One shift and one addition find it:
//!
//! ```text
//! e      = log2(value | 2^k) - k         how many octaves above the linear part
//! bucket = e * 2^k + (value >> e)
//! ```
//!
//! A histogram that is being written has the arithmetic done ahead, for every binary logarithm ([`Scale`]): how far to
//! shift, and what to add. That is a load in place of a subtraction, a shift and the moves that shifts ask for.
//!
//! The layout is that of HdrHistogram with one, two and three significant digits and a unit magnitude of zero, and
//! is checked against the `hdrhistogram` crate bucket by bucket.

use super::metric::Precision;

/// The largest value that has a bucket of its own: 4.8 hours in nanoseconds, 16 TiB in bytes. Larger values are
/// counted in the last bucket; their sum and maximum stay exact, as long as what a shard records between two
/// snapshots adds up to less than 2^64.
pub const HIGHEST: u64 = (1 << OCTAVES) - 1;

const OCTAVES: u32 = 44;

impl Precision {
    /// `k`: the binary logarithm of the number of buckets in an octave.
    pub(crate) const fn power(self) -> u32 {
        match self {
            Precision::One => 4,
            Precision::Two => 7,
            Precision::Three => 10,
        }
    }

    /// How many buckets cover `0..=HIGHEST`.
    pub(crate) const fn buckets(self) -> usize {
        bucket_of(self.power(), HIGHEST) + 1
    }

    /// The arithmetic of this precision, done ahead.
    pub(crate) fn scale(self) -> &'static Scale {
        static SCALES: [Scale; 3] =
            [Scale::new(Precision::One), Scale::new(Precision::Two), Scale::new(Precision::Three)];
        &SCALES[self as usize]
    }

    /// The largest relative error of a value that is read back, as a ratio.
    pub fn error(self) -> f64 {
        f64::exp2(-f64::from(self.power()))
    }
}

/// The bucket that counts `value` at `power` buckets an octave; not clamped to [`HIGHEST`].
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "the last bucket of all, for u64::MAX, is number 56 319")]
pub(crate) const fn bucket_of(power: u32, value: u64) -> usize {
    let octave = (63 - power) - (value | (1 << power)).leading_zeros();
    (((octave as u64) << power) + (value >> octave)) as usize
}

/// For every binary logarithm of a value, how to find its bucket.
#[derive(Debug)]
pub(crate) struct Scale {
    steps: [Step; u64::BITS as usize],
}

/// How far the value is shifted, its octave, in the lowest bits, where a shift reads no others; above them what is added,
/// the number of buckets in the octaves below. One load for both.
type Step = u64;
const BELOW: u32 = 8;

impl Scale {
    const fn new(precision: Precision) -> Self {
        let power = precision.power();
        let mut steps = [0; u64::BITS as usize];
        let mut octave = 1;
        while octave + power < u64::BITS {
            steps[(octave + power) as usize] = (octave as Step) << power << BELOW | octave as Step;
            octave += 1;
        }
        Scale { steps }
    }

    /// What [`bucket_of`] says.
    #[inline]
    #[allow(
        clippy::cast_possible_truncation,
        reason = "the last bucket of all, for u64::MAX, is number 56 319"
    )]
    pub(crate) fn bucket_of(&self, value: u64) -> usize {
        let step = self.steps[(value | 1).ilog2() as usize];
        (value.wrapping_shr(step as u32) + (step >> BELOW)) as usize
    }
}

/// The smallest value that `bucket` counts.
pub(crate) const fn lowest(power: u32, bucket: usize) -> u64 {
    let octave = (bucket >> power).saturating_sub(1);
    let step = (bucket - (octave << power)) as u64;
    step << octave
}

/// The largest value that `bucket` counts.
pub(crate) const fn highest(power: u32, bucket: usize) -> u64 {
    lowest(power, bucket + 1) - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: [(Precision, u8); 3] = [(Precision::One, 1), (Precision::Two, 2), (Precision::Three, 3)];

    #[test]
    fn every_bucket_is_one_of_hdrhistograms() {
        for (precision, digits) in ALL {
            let hdr = hdrhistogram::Histogram::<u64>::new_with_bounds(1, HIGHEST, digits).unwrap();
            let power = precision.power();
            for bucket in 0..precision.buckets() {
                let (low, high) = (lowest(power, bucket), highest(power, bucket));
                assert_eq!(hdr.lowest_equivalent(low), low, "bucket {bucket} of {precision:?}");
                assert_eq!(hdr.highest_equivalent(low), high, "bucket {bucket} of {precision:?}");
                assert_eq!((bucket_of(power, low), bucket_of(power, high)), (bucket, bucket));
            }
            assert_eq!(hdr.distinct_values(), precision.buckets());
        }
    }

    #[test]
    fn the_sizes_and_errors_are_those_of_the_documentation() {
        assert_eq!(ALL.map(|(p, _)| p.buckets()), [656, 4864, 35840]);
        assert_eq!(ALL.map(|(p, _)| p.error()), [0.0625, 0.0078125, 0.0009765625]);
        let in_use = |p: Precision| p.scale().bucket_of(1_000_000_000) - p.scale().bucket_of(100_000) + 1;
        assert_eq!(ALL.map(|(p, _)| in_use(p) * size_of::<u32>()), [856, 6832, 54632]);
    }

    #[test]
    fn the_arithmetic_done_ahead_is_the_arithmetic() {
        // Around every power of two, where logarithms change.
        let powers = (0..u64::BITS).map(|n| 1_u64 << n);
        let values = powers.flat_map(|power| [power - 1, power, power + 1]).chain([u64::MAX]);
        for (value, (precision, _)) in values.flat_map(|value| ALL.map(|precision| (value, precision))) {
            assert_eq!(precision.scale().bucket_of(value), bucket_of(precision.power(), value), "{value}");
        }
    }

    proptest! {
        #[test]
        fn a_bucket_holds_its_value_within_the_error(wide in any::<u64>(), shift in 0..u64::BITS) {
            // Of every magnitude: nearly all of the range has buckets whose ends no value meets by chance.
            let value = (wide >> shift).min(HIGHEST);
            for (precision, _) in ALL {
                let power = precision.power();
                let bucket = bucket_of(power, value);
                prop_assert_eq!(precision.scale().bucket_of(value), bucket);
                let (low, high) = (lowest(power, bucket), highest(power, bucket));
                prop_assert!(low <= value && value <= high);
                prop_assert!((high - low) as f64 <= precision.error() * low as f64);
            }
        }
    }
}

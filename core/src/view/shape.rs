//! The shapes in which a wire carries a histogram.

use std::sync::{Arc, LazyLock};

use super::{
    exponential, integer,
    point::{Explicit, Number, Recorded, Value},
};
use crate::{
    Distribution, Precision, Unit,
    record::buckets::{highest, lowest},
};

/// How histograms are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// In buckets of a constant relative width: at most [`Shape::MAX_BUCKETS`] of them, as fine as that allows.
    Exponential,
    /// Between the bounds that the unit suggests: those of the OpenTelemetry semantic conventions for times
    /// (0.005 to 10 s), powers of four from 64 for bytes, 1-2-5 steps from 1 to 10^9 for anything else.
    Explicit,
    /// As they were recorded, both those of the run and those of the window: for formats that make quantiles or
    /// samples of them.
    Recorded,
}

impl Shape {
    /// The most buckets of an exponential histogram. Where they do not cover the range, its scale is lowered.
    pub const MAX_BUCKETS: usize = 512;

    /// The bounds of [`Shape::Explicit`], in `unit`; always the same allocation.
    pub fn bounds(unit: &Unit) -> Arc<[f64]> {
        default_bounds(unit)
    }

    /// Whether the window is shown beside the whole run.
    pub(crate) fn shows_window(self) -> bool {
        self == Shape::Recorded
    }

    /// Shows what was recorded in the `run`, or without one in the `window`; the integers of both are in the recorded
    /// form of `unit`. Reuses what `value` holds.
    pub(crate) fn fill(
        self,
        run: Option<&Distribution>,
        window: &Distribution,
        unit: &Unit,
        value: &mut Value,
    ) {
        match self {
            Shape::Explicit => fill_explicit(run.unwrap_or(window), unit, &default_bounds(unit), value),
            Shape::Exponential => exponential::fill(run.unwrap_or(window), unit, value),
            Shape::Recorded => {
                let shown = fill_recorded(value, unit, |shown| shown.clone_from(window));
                copy_run(run, window.precision(), shown);
            }
        }
    }
}

/// Shows `distribution` between `bounds`, strictly increasing and in `unit`.
///
/// A bucket that lies across a bound is counted on the side of its middle.
pub(crate) fn fill_explicit(
    distribution: &Distribution,
    unit: &Unit,
    bounds: &Arc<[f64]>,
    value: &mut Value,
) {
    let (sum, min, max) = summary(distribution, unit);
    let mut shown = match std::mem::replace(value, Value::Absent) {
        Value::Histogram(old) => old,
        _ => Box::new(Explicit { bounds: Arc::clone(bounds), counts: Vec::new(), sum, min, max }),
    };
    counts_into(distribution, unit.decimals(), bounds, &mut shown.counts);
    shown.bounds.clone_from(bounds);
    (shown.sum, shown.min, shown.max) = (sum, min, max);
    *value = Value::Histogram(shown);
}

/// Refills `counts` with how many values lie up to each of `bounds` and above the one before, and above the last.
pub(super) fn counts_into(distribution: &Distribution, decimals: u8, bounds: &[f64], counts: &mut Vec<u64>) {
    counts.clear();
    counts.resize(bounds.len() + 1, 0);
    let power = distribution.precision().power();
    let divisor = 10f64.powi(decimals.into());
    let is_above = |bucket, bound: &f64| middle(power, bucket) / divisor > *bound;
    let mut at = 0;
    for (sum, first, row) in distribution.rows() {
        at += bounds[at..].iter().take_while(|bound| is_above(first, bound)).count();
        // Most rows lie between two bounds.
        if bounds.get(at).is_none_or(|bound| !is_above(first + row.len() - 1, bound)) {
            counts[at] += sum;
            continue;
        }
        for (bucket, count) in (first..).zip(row).filter(|(_, count)| **count > 0) {
            at += bounds[at..].iter().take_while(|bound| is_above(bucket, bound)).count();
            counts[at] += count;
        }
    }
}

/// Shows a window as it was recorded, filled in place. What is said of the run stays.
pub(super) fn fill_recorded<'a>(
    value: &'a mut Value,
    unit: &Unit,
    fill: impl FnOnce(&mut Distribution),
) -> &'a mut Recorded {
    if !matches!(value, Value::Recorded(_)) {
        *value = Recorded { decimals: 0, run: Arc::default(), window: Distribution::default() }.into();
    }
    let Value::Recorded(shown) = value else { unreachable!("it was made so") };
    shown.decimals = unit.decimals();
    fill(&mut shown.window);
    shown
}

/// Shows the `run` beside the window; an empty one where there is none.
fn copy_run(run: Option<&Distribution>, precision: Precision, shown: &mut Recorded) {
    if Arc::get_mut(&mut shown.run).is_none() {
        shown.run = Arc::default();
    }
    let place = Arc::get_mut(&mut shown.run).expect("nobody else has it");
    match run {
        Some(run) => place.clone_from(run),
        None => place.reset(precision),
    }
}

/// The middle of a bucket, as it was recorded.
#[allow(clippy::cast_precision_loss, reason = "a bucket is wider than a float's error")]
pub(super) fn middle(power: u32, bucket: usize) -> f64 {
    lowest(power, bucket).midpoint(highest(power, bucket)) as f64
}

/// The sum and the extremes.
pub(super) fn summary(distribution: &Distribution, unit: &Unit) -> (Number, Option<Number>, Option<Number>) {
    let shown = |value: u64| integer(value.into(), unit);
    let sum = Number::Decimal { digits: distribution.sum(), decimals: unit.decimals() };
    (sum, distribution.min().map(shown), distribution.max().map(shown))
}

/// OpenTelemetry semantic conventions, `http.client.request.duration`.
const SECONDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

fn default_bounds(unit: &Unit) -> Arc<[f64]> {
    type Bounds = LazyLock<Arc<[f64]>>;
    static IN_SECONDS: Bounds = Bounds::new(|| SECONDS.into());
    static IN_MILLISECONDS: Bounds = Bounds::new(|| SECONDS.map(|s| s * 1000.0).into());
    static IN_BYTES: Bounds = Bounds::new(|| (0..10).map(|power| 64.0 * 4f64.powi(power)).collect());
    static IN_ONES: Bounds = Bounds::new(|| {
        (0..9).flat_map(|power| [1.0, 2.0, 5.0].map(|step| step * 10f64.powi(power))).chain([1e9]).collect()
    });
    Arc::clone(match unit {
        Unit::Seconds => &IN_SECONDS,
        Unit::Milliseconds => &IN_MILLISECONDS,
        Unit::Bytes => &IN_BYTES,
        _ => &IN_ONES,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Exponential;
    use proptest::prelude::*;

    fn of(values: &[u64]) -> Distribution {
        let mut distribution = Distribution::new(Precision::Three);
        values.iter().for_each(|value| distribution.record(*value));
        distribution
    }

    fn exponential(distribution: &Distribution, unit: &Unit) -> Exponential {
        let mut value = Value::Absent;
        Shape::Exponential.fill(None, distribution, unit, &mut value);
        let Value::ExponentialHistogram(shown) = value else { panic!("another shape: {value:?}") };
        *shown
    }

    #[test]
    fn seconds_are_counted_between_the_bounds_of_the_semantic_conventions() {
        let mut value = Value::Absent;
        Shape::Explicit.fill(
            None,
            &of(&[1_000_000, 5_000_000, 6_000_000, 11_000_000_000]),
            &Unit::Seconds,
            &mut value,
        );
        let Value::Histogram(shown) = value else { panic!("another shape: {value:?}") };
        assert_eq!(shown.counts, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(shown.sum, Number::Decimal { digits: 11_012_000_000, decimals: 9 });
        assert_eq!(shown.max, Some(Number::Decimal { digits: 11_000_000_000, decimals: 9 }));
    }

    #[test]
    fn bytes_are_counted_between_powers_of_four() {
        assert_eq!(
            *default_bounds(&Unit::Bytes),
            [64.0, 256.0, 1024.0, 4096.0, 16384.0, 65536.0, 262144.0, 1048576.0, 4194304.0, 16777216.0]
        );
    }

    #[test]
    fn zeros_are_counted_apart() {
        let shown = exponential(&of(&[0, 0, 1]), &Unit::Bytes);
        assert_eq!((shown.zero_count, shown.count()), (2, 3));
    }

    proptest! {
        #[test]
        #[allow(clippy::cast_possible_truncation, reason = "a rank is at most 200")]
        fn an_exponential_histogram_keeps_every_count_within_its_width(
            values in prop::collection::vec(1..crate::HIGHEST, 1..200), q in 0.0..=1.0f64,
        ) {
            let distribution = of(&values);
            let shown = exponential(&distribution, &Unit::Seconds);
            prop_assert_eq!(shown.count(), distribution.count());
            prop_assert!(shown.positive.counts.len() <= Shape::MAX_BUCKETS);
            prop_assert_ne!(shown.positive.counts[0], 0);
            let exact = distribution.quantile(q).unwrap() as f64 / 1e9;
            let rank = ((q * values.len() as f64).ceil() as u64).max(1);
            let mut seen = 0;
            let at = shown.positive.counts.iter().position(|count| { seen += count; seen >= rank }).unwrap();
            let base = f64::exp2(f64::exp2(-f64::from(shown.scale)));
            let low = base.powi(shown.positive.offset + i32::try_from(at).unwrap());
            let slack = 1.0 + distribution.precision().error();
            prop_assert!(low / slack <= exact && exact <= low * base * slack, "{low} {exact} {base}");
        }

        #[test]
        fn every_bucket_is_counted_between_the_bounds_around_its_middle(
            values in prop::collection::vec(
                prop_oneof![0..crate::HIGHEST, 0..5_000u64, 4_000_000..13_000_000u64], 0..200,
            ),
        ) {
            for unit in [Unit::Seconds, Unit::Milliseconds, Unit::Bytes, Unit::One] {
                let (distribution, mut value) = (of(&values), Value::Absent);
                Shape::Explicit.fill(None, &distribution, &unit, &mut value);
                let Value::Histogram(shown) = value else { unreachable!() };
                let mut counts = vec![0; shown.bounds.len() + 1];
                for (low, high, count) in distribution.buckets() {
                    let middle = low.midpoint(high) as f64 / 10f64.powi(unit.decimals().into());
                    counts[shown.bounds.partition_point(|bound| middle > *bound)] += count;
                }
                prop_assert_eq!(&shown.counts, &counts);
            }
        }

        /// A scale that falls joins neighbours: bucket `i` becomes `i >> 1`.
        #[test]
        fn from_tick_to_tick_no_bucket_shrinks(
            values in prop::collection::vec(prop_oneof![0..=crate::HIGHEST, 0..5000u64], 1..200), cut in 0..200usize,
        ) {
            let (earlier, now) = (of(&values[..cut.min(values.len())]), of(&values));
            let (before, after) = [&earlier, &now].map(|d| exponential(d, &Unit::Seconds)).into();
            prop_assert!(after.scale <= before.scale && after.zero_count >= before.zero_count);
            let mut counts = vec![0; after.positive.counts.len()];
            for (at, count) in (before.positive.offset..).zip(&before.positive.counts).filter(|(_, n)| **n > 0) {
                let joined = (at >> (before.scale - after.scale)) - after.positive.offset;
                counts[usize::try_from(joined).unwrap()] += count;
            }
            let grew = |then: &[u64], now: &[u64]| then.iter().zip(now).all(|(then, now)| then <= now);
            prop_assert!(grew(&counts, &after.positive.counts));
            let [then, now] = [&earlier, &now].map(|distribution| {
                let mut value = Value::Absent;
                Shape::Explicit.fill(None, distribution, &Unit::Seconds, &mut value);
                let Value::Histogram(shown) = value else { unreachable!() };
                shown.counts
            });
            prop_assert!(grew(&then, &now));
        }
    }
}

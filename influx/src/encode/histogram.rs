//! The fields of a histogram, in each of its shapes.

use std::{iter, sync::Arc};

use barewire::{
    Distribution,
    view::{Explicit, Exponential, Number, Recorded, Temporality},
    wire::text::push_f64,
};

use super::Scene;
use crate::{fields::BUCKET, line::Line};

/// The percentiles that are written, and the keys of those of the frame and of those since the start.
const QUANTILES: [f64; 5] = [0.5, 0.9, 0.95, 0.99, 0.999];
const KEYS: [&[u8]; 5] = [b"p50", b"p90", b"p95", b"p99", b"p999"];
const RUN_KEYS: [&[u8]; 5] = [b"run_p50", b"run_p90", b"run_p95", b"run_p99", b"run_p999"];

/// The keys of buckets: `le_0.005`, `le_0.01`, …
#[derive(Debug)]
pub(super) struct Buckets {
    bounds: Arc<[f64]>,
    text: Vec<u8>,
    /// Where each key ends in `text`.
    ends: Vec<usize>,
}

impl Buckets {
    /// `None` unless the bounds are finite and increase.
    pub(super) fn new(bounds: &Arc<[f64]>) -> Option<Self> {
        let are_bounds =
            bounds.iter().all(|bound| bound.is_finite()) && bounds.is_sorted_by(|low, high| low < high);
        if !are_bounds {
            return None;
        }
        let (mut text, mut ends) = (Vec::new(), Vec::new());
        for &bound in &**bounds {
            text.extend_from_slice(BUCKET.as_bytes());
            push_f64(&mut text, bound);
            ends.push(text.len());
        }
        Some(Buckets { bounds: Arc::clone(bounds), text, ends })
    }

    pub(super) fn are(&self, bounds: &Arc<[f64]>) -> bool {
        Arc::ptr_eq(&self.bounds, bounds) || *self.bounds == **bounds
    }

    fn keys(&self) -> impl Iterator<Item = &[u8]> {
        let starts = iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.text[start..end])
    }

    /// All values up to each bound. The last of `counts`, without a bound, is in `count` alone.
    fn push(&self, line: &mut Line<'_>, counts: &[u64]) {
        let mut below = 0;
        for (key, count) in self.keys().zip(counts) {
            below += count;
            line.count(key, below);
        }
    }
}

/// No field if the counts do not fit the bounds.
pub(super) fn push_explicit(line: &mut Line<'_>, buckets: &Buckets, histogram: &Explicit) {
    let Explicit { bounds, counts, sum, min, max } = histogram;
    if counts.len() != bounds.len() + 1 {
        return;
    }
    let Some(count) = total(counts.iter()) else { return };
    push_summary(line, count, *sum, *min, *max);
    buckets.push(line, counts);
}

/// No field if the counts overflow.
pub(super) fn push_exponential(line: &mut Line<'_>, histogram: &Exponential) {
    let Exponential { zero_count, positive, negative, sum, min, max, .. } = histogram;
    let counts = positive.counts.iter().chain(&negative.counts).chain([zero_count]);
    let Some(count) = total(counts) else { return };
    push_summary(line, count, *sum, *min, *max);
    for (key, q) in KEYS.into_iter().zip(QUANTILES) {
        if let Some(value) = quantile(histogram, count, q) {
            line.float(key, Number::Float(value));
        }
    }
}

pub(super) fn push_recorded(
    line: &mut Line<'_>,
    buckets: &Buckets,
    recorded: &Recorded,
    scene: &mut Scene<'_>,
) {
    let Recorded { decimals, run, window } = recorded;
    let is_delta = scene.temporality == Temporality::Delta;
    let counted = if is_delta { window } else { run };
    line.count(b"count", counted.count());
    line.float(b"sum", Number::Decimal { digits: counted.sum(), decimals: *decimals });
    if window.count() > 0 {
        line.float(b"mean", Number::Float(mean(window, *decimals)));
    }
    let mut push = |keys: [&[u8]; 2], percentiles: [&[u8]; 5], distribution: &Distribution| {
        let extremes = [distribution.min(), distribution.max()].into_iter().flatten();
        let quantiles = distribution.quantiles(QUANTILES).into_iter().flatten();
        for (key, value) in keys.into_iter().zip(extremes).chain(percentiles.into_iter().zip(quantiles)) {
            line.float(key, recorded.number(value));
        }
    };
    push([b"min", b"max"], KEYS, window);
    push([b"run_min", b"run_max"], RUN_KEYS, run);
    recorded.counts_into(counted, &buckets.bounds, scene.counts);
    buckets.push(line, scene.counts);
}

fn push_summary(line: &mut Line<'_>, count: u64, sum: Number, min: Option<Number>, max: Option<Number>) {
    line.count(b"count", count);
    line.float(b"sum", sum);
    for (key, extreme) in [(b"min", min), (b"max", max)] {
        if let Some(extreme) = extreme {
            line.float(key, extreme);
        }
    }
}

fn total<'a>(mut counts: impl Iterator<Item = &'a u64>) -> Option<u64> {
    counts.try_fold(0_u64, |total, count| total.checked_add(*count))
}

#[allow(clippy::cast_precision_loss, reason = "a float is what the field holds")]
fn mean(distribution: &Distribution, decimals: u8) -> f64 {
    distribution.sum() as f64 / distribution.count() as f64 / 10f64.powi(decimals.into())
}

/// The upper end of the bucket that holds the quantile, drawn in to the extremes where they are known.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rank may be off by one at 2^53 values; no reader can tell"
)]
fn quantile(histogram: &Exponential, count: u64, q: f64) -> Option<f64> {
    let rank = ((q * count as f64).ceil() as u64).clamp(1, count.max(1));
    let mut seen = 0;
    let (bound, _) = histogram.buckets().find(|(_, in_bucket)| {
        seen += in_bucket;
        seen >= rank
    })?;
    // The format has no infinity, and no value is beyond the largest float.
    let bound = bound.clamp(f64::MIN, f64::MAX);
    let above = histogram.min.map_or(bound, |min| bound.max(min.to_f64()));
    Some(histogram.max.map_or(above, |max| above.min(max.to_f64())))
}

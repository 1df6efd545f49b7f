//! What the benches share: the values, the series and the points that they measure with.

#![forbid(unsafe_code)]

pub mod bars;
pub mod frame;
pub mod record;
pub mod values;

use std::time::Duration;

use criterion::Criterion;

/// Criterion with samples that are short and many: what counts is the fastest of them.
pub fn criterion() -> Criterion {
    let criterion = Criterion::default().warm_up_time(Duration::from_millis(300));
    criterion.measurement_time(Duration::from_secs(1)).sample_size(40).without_plots()
}

//! Metrics for programs that cannot afford any: threads count in their own rooms, one sampler adds it all up
//! once a tick, and each exporter carries the same snapshot out by its own door. Whoever is slow misses a
//! tick, and nobody waits.

#![forbid(unsafe_code)]

mod record;
pub mod view;
pub mod wire;

pub use record::metric::{Label, LabelValue, Metric, Precision, Unit};

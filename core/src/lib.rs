//! Metrics for programs that cannot afford any: threads count in their own rooms, one sampler adds it all up
//! once a tick, and each exporter carries the same snapshot out by its own door. Whoever is slow misses a
//! tick, and nobody waits.

#![forbid(unsafe_code)]

mod error;
mod record;
mod report;
pub mod view;
pub mod wire;

pub use error::Error;
pub use record::{
    buckets::HIGHEST,
    distribution::Distribution,
    metric::{Label, LabelValue, Metric, Precision, Unit},
    registry::{DEFAULT_BUDGET, OVERFLOW, Registry},
    shard::{Counter, Gauge, Histogram, Recordable, Shard},
    snapshot::{Reading, Series, Snapshot, Window},
};
pub use report::{
    LaneReport, Notice, Report, Reporter, Reporting,
    exporter::{Delivered, ExportError, Exporter},
};

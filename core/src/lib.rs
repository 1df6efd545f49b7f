//! Metrics for programs that cannot afford any: threads count in their own rooms, one sampler adds it all up
//! once a tick, and each exporter carries the same snapshot out by its own door. Whoever is slow misses a
//! tick, and nobody waits.
//!
//! ```text
//!  your thread        shard.record(handle, value): plain loads and stores       nothing shared, nothing waits
//!       │
//!       ▼  once a tick
//!  sampler thread     all shards, living and finished ──add──▶ Arc<Snapshot>    one merge for everyone
//!       │  an idle lane takes it; a busy one drops it, and counts the drop
//!       ├─────────────────┬─────────────────┐
//!       ▼                 ▼                 ▼
//!  lane thread        lane thread        lane thread                            one each: an Exporter may block
//!  view ▸ encode ▸    view ▸ encode ▸    view ▸ encode ▸ bytes out
//! ```
//!
//! # In scope
//! - A [`Registry`] of counters, gauges and histograms, with units, help, labels and a budget of series.
//! - A [`Shard`] for each thread: counting without a lock, an allocation or a system call.
//! - A [`Snapshot`] of everything at one instant, and the [`Window`] between two of them.
//! - An [`Event`] for what happens once, and a [`Sample`] for what is to be seen one by one.
//! - A [`Reporter`] that takes a snapshot every so often, and the [`Exporter`] trait for those who carry it out.
//! - What exporters share: [`view`], which turns a snapshot into the points of a backend, and [`wire`], text and
//!   HTTP without a socket and a blocking client with one deadline.
//!
//! # Out of scope
//! - Formats: each has a crate of its own, such as `barewire-otlp-json` and `barewire-promtext`.
//! - Global state: a registry is a value, and there may be many.
//! - An asynchronous runtime: exporters have threads, and what they block is their own.
//! - Spans and log records beyond what a sample and an event say.
//!
//! # Example
//! Count in a thread, and show the counts to an exporter of one's own every second:
//!
//! ```
//! use barewire::{Delivered, ExportError, Exporter, Metric, Registry, Reporter, Snapshot, Unit};
//! use std::{sync::Arc, thread, time::{Duration, Instant}};
//!
//! /// Prints the total; a real exporter has a `View` and an encoder.
//! struct Stderr;
//!
//! impl Exporter for Stderr {
//!     fn name(&self) -> &str {
//!         "stderr"
//!     }
//!
//!     fn export(&mut self, snapshot: &Arc<Snapshot>, _deadline: Instant) -> Result<Delivered, ExportError> {
//!         eprintln!("{} hits", snapshot.counter("hits"));
//!         Ok(Delivered { points: 1, ..Delivered::default() })
//!     }
//! }
//!
//! fn main() -> Result<(), barewire::Error> {
//!     let registry = Registry::new("checkout");
//!     let hits = registry.counter(Metric::new("hits").label("route", "/checkout"));
//!     let took = registry.histogram(Metric::new("took").unit(Unit::Seconds));
//!     let reporter = Reporter::every(Duration::from_secs(1)).export(Stderr).start(&registry);
//!
//!     let mut shard = registry.shard(); // one per thread; moves, never shared
//!     let worker = thread::spawn(move || {
//!         let start = Instant::now();
//!         shard.add(hits, 1);
//!         shard.record(took, start.elapsed());
//!     });
//!     worker.join().expect("the worker does not panic");
//!     reporter.stop(Duration::from_secs(3)).into_result() // one last snapshot; says what was not delivered
//! }
//! ```
//!
//! # Invariants
//! 1. Counting takes no lock, allocates nothing, makes no system call, no atomic read-modify-write, no hash, and
//!    reads no clock; the first touch of a page of series, which [`Shard::prepare`] can do ahead, is the exception.
//! 2. A shard has one writer: `&mut self`, and no `Clone`. Readers never write to it.
//! 3. Counts only grow. Snapshots are cumulative, and what a finished shard counted stays.
//! 4. There is one merge, addition; a histogram's count is the sum of its buckets.
//! 5. An exporter has at most one snapshot in its hands and none in a queue. What it is too busy for is dropped and
//!    counted, and the counts are in the next one.
//! 6. A last snapshot is delivered on stop, within a deadline, or it is reported that it was not.
//! 7. A steady tick allocates nothing.
//! 8. An exporter that panics ends its own lane, and nothing else.
//! 9. Past the budget, series fold into [`OVERFLOW`]; no count is lost, and the folding is counted.

#![forbid(unsafe_code)]

mod error;
#[cfg(all(test, loom))]
mod models;
mod record;
mod report;
mod sync;
pub mod view;
pub mod wire;

pub use error::Error;
#[cfg(fuzzing)]
pub use record::sample::Tape;
pub use record::{
    buckets::HIGHEST,
    distribution::Distribution,
    metric::{Label, LabelValue, Metric, Precision, Unit},
    registry::{DEFAULT_BUDGET, OVERFLOW, Registry},
    sample::{Sample, SampleSeries, Samples, TraceContext},
    shard::{Counter, Gauge, Histogram, Recordable, Shard},
    snapshot::{Reading, Series, Snapshot, Window},
};
pub use report::{
    Items, LaneReport, News, Notice, Report, Reporter, Reporting,
    event::{Event, Level},
    exporter::{Delivered, ExportError, Exporter},
};

//! The tick: one snapshot, carried out by every exporter that is idle.
//!
//! ```text
//! sampler thread   wait for the tick ─▶ snapshot ─▶ offer it to every lane ─▶ wait …
//!                                                     │ idle: takes it      busy: drops it, and counts the drop
//! lane thread                                    wait ▼ export, until the deadline ─▶ wait …
//! ```
//!
//! A lane is offered a snapshot by rendezvous: it has at most one in its hands and none in a queue. What it drops
//! is not lost, because the next snapshot counts from the start as well.

pub(crate) mod exporter;
mod lane;
mod reporter;
mod schedule;

pub use lane::LaneReport;
pub use reporter::{Notice, Report, Reporter, Reporting};

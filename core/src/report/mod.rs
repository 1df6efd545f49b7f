//! The tick: one snapshot, carried out by every exporter that is idle.
//!
//! ```text
//! sampler thread   wait for the tick ─▶ observe ─▶ snapshot ─▶ offer it to every lane ─▶ wait …
//!                                                     │ idle: takes it      busy: drops it, and counts the drop
//! lane thread                                    wait ▼ export, until the deadline ─▶ wait …
//! ```
//!
//! A lane has at most one snapshot in its hands and none in a queue. What it drops is not lost, because the next
//! snapshot counts from the start as well. Events and samples are told once, so they do wait for a lane: so many of
//! them, and no more, and what is lost is counted.

mod account;
pub(crate) mod event;
pub(crate) mod exporter;
pub(crate) mod handover;
mod lane;
mod notice;
mod reporter;
mod schedule;
mod tap;

pub use account::LaneReport;
pub use notice::{Items, News, Notice};
pub use reporter::{Report, Reporter, Reporting};

//! OTLP/JSON for barewire: hand-written encoders, an HTTP exporter and a JSON-lines file.
//!
//! [`Encoder`] turns frames of points into the bytes of one export request of metrics, [`LogEncoder`] events into one
//! of logs, [`SpanEncoder`] samples into one of traces. [`Otlp`] shows each snapshot to its views, encodes what they
//! show, and posts it to a collector or writes it as a line; events and traced samples go the same way.
//!
//! ```no_run
//! use barewire_otlp_json::Otlp;
//!
//! let otlp = Otlp::http("http://127.0.0.1:4318")?.header("x-api-key", "secret")?;
//! # Ok::<(), barewire::Error>(())
//! ```

#![forbid(unsafe_code)]

mod encode;
mod exporter;

pub use encode::{Encoded, Encoder, LogEncoder, SpanEncoder};
pub use exporter::Otlp;

/// Compiles what the README shows an embedder.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

//! OTLP/JSON for barewire: a hand-written encoder, an HTTP exporter and a JSON-lines file.
//!
//! [`Encoder`] turns frames of points into the bytes of one export request. [`Otlp`] shows each snapshot to its
//! views, encodes what they show, and posts it to a collector or writes it as a line.
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

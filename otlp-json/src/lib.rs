//! OTLP/JSON for barewire: a hand-written encoder, an HTTP exporter and a JSON-lines file.
//!
//! [`Encoder`] turns frames of points into the bytes of one export request; `Otlp` carries them out.

#![forbid(unsafe_code)]

mod encode;

pub use encode::{Encoded, Encoder};

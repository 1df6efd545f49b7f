//! Prometheus text for barewire: a hand-written encoder and a scrape endpoint.

#![forbid(unsafe_code)]

mod encode;
mod family;
mod name;

pub use encode::{Encoded, Encoder, Format};
pub use name::Escaping;

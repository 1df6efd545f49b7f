//! Prometheus text for barewire: a hand-written encoder and a scrape endpoint.

#![forbid(unsafe_code)]

mod answer;
mod connection;
mod encode;
mod exporter;
mod family;
mod lines;
mod name;
mod server;

pub use encode::{Encoded, Encoder, Format};
pub use exporter::PromText;
pub use name::Escaping;

//! Prometheus text for barewire: a hand-written encoder and a scrape endpoint.

#![forbid(unsafe_code)]

mod accept;
mod answer;
mod connection;
mod desk;
mod encode;
mod exporter;
mod family;
mod layout;
mod lines;
mod name;
mod page;
mod scraper;
mod server;

pub use accept::{Coding, Exposition};
pub use encode::{Encoded, Encoder, Format};
pub use exporter::{LastScrape, PromText};
pub use name::Escaping;

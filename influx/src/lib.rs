//! InfluxDB line protocol for barewire: a hand-written encoder, over UDP and HTTP.
//!
//! [`Encoder`] turns frames of points into lines, and [`push_line`] parts into one. [`Influx`] shows each snapshot to
//! its views, encodes what they show, and posts it to a server of version 1, 2 or 3, or sends it by UDP.
//!
//! ```no_run
//! use barewire_influx::Influx;
//!
//! let influx = Influx::v2("http://127.0.0.1:8086/api/v2/write?org=shop&bucket=load")?.token_file("/etc/load/token")?;
//! # Ok::<(), barewire::Error>(())
//! ```

#![forbid(unsafe_code)]

mod encode;
mod event;
mod exporter;
mod fields;
mod line;
mod sample;
mod tags;

pub use encode::{Encoded, Encoder, Row};
pub use event::push_event;
pub use exporter::Influx;
pub use line::push_line;

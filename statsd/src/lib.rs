//! DogStatsD for barewire: a hand-written encoder, over UDP and Unix sockets.
//!
//! ```text
//! Frame ──Encoder──▶ lines ──Datagrams──▶ UDP, Unix datagrams or a Unix stream
//!            ▲                                          │
//!            └───── settle: how much was delivered ─────┘
//! ```
//!
//! # In scope
//! - [`Statsd`], an exporter: counters as what was added since the last delivery, gauges, histograms as gauges of their
//!   quantiles and as weighted samples of the whole distribution, single observations, events.
//! - [`Encoder`] and the pushes beside it, which are pure, for whoever has another way to the receiver.
//!
//! # Out of scope
//! - Sets, and whatever the receiver would have to remember for us.
//! - Other dialects of StatsD: etsy's and the exporter of Prometheus take a gauge that begins with `-` for a change of
//!   the gauge. Here it is a negative value, as DogStatsD has it.

#![forbid(unsafe_code)]

mod encode;
mod exporter;

pub use encode::{
    Encoded, Encoder, SampleEncoder, Style,
    event::{Check, ServiceCheck, push_event, push_event_within, push_service_check, push_stream_frame},
};
pub use exporter::Statsd;

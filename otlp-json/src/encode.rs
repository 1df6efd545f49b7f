//! Values in, OTLP/JSON documents out: one file for each signal, and what they share.
//!
//! The source is the JSON encoding of OTLP 1.x (`opentelemetry/proto/{metrics,logs,trace}/v1`): integers of 64 bits
//! are strings, enums are integers, ids are lower-case hex, and nothing empty is written.

mod envelope;
mod logs;
mod metrics;
mod traces;

pub use logs::LogEncoder;
pub use metrics::{Encoded, Encoder};
pub use traces::SpanEncoder;

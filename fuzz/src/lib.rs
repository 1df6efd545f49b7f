//! What must hold for every input. The targets only bring the bytes.

#![forbid(unsafe_code)]

pub mod accept;
pub mod datagram;
pub mod event;
pub mod field;
pub mod frame;
pub mod influx;
pub mod json_log;
pub mod lines;
pub mod message;
pub mod page;
pub mod plan;
pub mod request;
pub mod retry_after;
pub mod samples;
pub mod secrets;
pub mod statsd;

//! Bytes, and the sockets they leave by.

pub mod http;
pub mod text;

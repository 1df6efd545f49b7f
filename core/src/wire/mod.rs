//! Bytes, and the sockets they leave by.

pub mod text;

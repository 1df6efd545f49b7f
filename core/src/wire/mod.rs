//! Bytes, and the sockets they leave by.
//!
//! [`text`], [`datagram`] and [`http`] are pure: values in, bytes out, no clock, no socket, no thread. [`net`] is the edge:
//! it owns the sockets, reads the clock and holds every exchange to one deadline. Whatever comes from a peer
//! is bounded here and may be malicious. [`lines`] writes to what it is given.

pub mod datagram;
pub mod http;
pub mod lines;
pub mod net;
pub mod text;

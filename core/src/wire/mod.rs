//! Bytes, and the sockets they leave by.
//!
//! [`text`], [`runs`], [`form`], [`stencil`], [`datagram`] and [`http`] are pure: values in, bytes out, no clock, no socket, no thread.
//! [`lines`] writes to what it is given. [`net`] and [`post`] are the edge: they own the sockets, read the clock and hold
//! every exchange to one deadline. Whatever comes from a peer is bounded here and may be malicious.

pub mod datagram;
mod field;
mod file;
pub mod form;
#[cfg(feature = "gzip")]
pub mod gzip;
pub mod http;
pub mod lines;
pub mod net;
pub mod post;
pub mod runs;
pub mod stencil;
pub mod text;

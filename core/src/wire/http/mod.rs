//! HTTP/1.1 as values: no socket, no clock, no allocation while decoding.
//!
//! The load runner, the exporters and the servers all speak through this one codec. In scope: URLs, checked
//! headers, heads, and the framing of both directions (RFC 9112). Out of scope: redirects, cookies, content
//! codings, caches, HTTP/2.
//!
//! ```text
//!            ┌──────── NeedMore: read more behind what is left
//!  bytes ──▶ decode(input) ──▶ (consumed, event) ──▶ Head … Body, Body, … End
//!            └──────── consumed bytes are done with; what stands behind an end belongs to the caller
//! ```
//!
//! An incomplete head is left with the caller (`consumed` is 0 and the event [`Event::NeedMore`]), so that a
//! head is always one slice. Everything else is consumed as it comes.

mod body;
mod chunk;
mod error;
mod head;
mod header;
mod known;
#[cfg(test)]
mod laws;
mod lenient;
mod request;
mod response;
mod url;

pub(in crate::wire) use self::head::says_close;
pub use self::{
    error::HttpError,
    head::{push_request_head, push_response_head},
    header::{Header, HeaderError, is_token},
    known::KnownHead,
    request::{RequestDecoder, RequestHead},
    response::{ResponseDecoder, ResponseHead},
    url::{Scheme, Url, UrlError},
};

/// The longest response head that is read, and the longest request head that a server can allow.
pub const MAX_HEAD_BYTES: usize = 64 * 1024;
/// The most header fields of a head.
pub const MAX_HEADERS: usize = 128;

/// What the decoder found at the front of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'b, H> {
    /// Nothing, before more bytes have come; the bytes consumed with it, if any, are framing.
    NeedMore,
    /// The head of the message.
    Head(H),
    /// The next run of its body, never empty.
    Body(&'b [u8]),
    /// The message is over; the bytes consumed with it, if any, are its last framing. Told again at every
    /// further call.
    End,
}

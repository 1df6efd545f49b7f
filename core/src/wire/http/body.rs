//! Where a message ends: what its head says about it, and the decoding that follows from that.

use super::{
    Event, HttpError,
    chunk::{Chunked, data_run},
};

/// How the end of a body is found, and how much of it is to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// This many bytes.
    Length(u64),
    /// Chunks.
    Chunked(Chunked),
    /// All there is until the peer closes.
    UntilClose,
}

impl Body {
    pub(super) const EMPTY: Body = Body::Length(0);

    pub(super) fn decode<'b, H>(&mut self, input: &'b [u8]) -> Result<(usize, Event<'b, H>), HttpError> {
        let run = match self {
            Body::Length(0) => return Ok((0, Event::End)),
            Body::Chunked(chunked) => return chunked.decode(input),
            _ if input.is_empty() => return Ok((0, Event::NeedMore)),
            Body::UntilClose => input,
            Body::Length(left) => {
                let run = data_run(input, *left);
                *left -= run.len() as u64;
                run
            }
        };
        Ok((run.len(), Event::Body(run)))
    }

    /// Whether the message is complete if the peer closes here.
    pub(super) fn finish(&self) -> Result<(), HttpError> {
        match self {
            Body::Length(0) | Body::UntilClose => Ok(()),
            Body::Chunked(chunked) if chunked.is_done() => Ok(()),
            _ => Err(HttpError::Truncated),
        }
    }
}

/// What the header fields say about the end of the message and of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Framing {
    /// The one value of all `Content-Length` fields.
    pub(super) length: Option<u64>,
    /// Elements of `Transfer-Encoding`, empty ones and `identity` too.
    pub(super) codings: usize,
    /// The last of those that change anything.
    pub(super) coding: Option<Coding>,
    /// `Connection` names `close`.
    close: bool,
    /// `Connection` names `keep-alive`.
    keep_alive: bool,
}

/// A transfer coding, by what it says about the end of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Chunked,
    Other,
}

impl Framing {
    pub(super) fn of(headers: &[httparse::Header<'_>]) -> Result<Self, HttpError> {
        let mut framing = Self::default();
        for header in headers {
            framing.add(header.name.as_bytes(), header.value)?;
        }
        Ok(framing)
    }

    /// Whether the connection outlives the message. HTTP/1.0 must ask for it, HTTP/1.1 must refuse it.
    pub(super) fn keeps_alive(&self, minor_version: u8) -> bool {
        !self.close && (minor_version > 0 || self.keep_alive)
    }

    /// The length of the name tells most fields apart without looking at them.
    pub(super) fn add(&mut self, name: &[u8], value: &[u8]) -> Result<(), HttpError> {
        match name.len() {
            10 if name.eq_ignore_ascii_case(b"connection") => self.add_connection(value),
            14 if name.eq_ignore_ascii_case(b"content-length") => self.add_length(value)?,
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => self.add_codings(value),
            _ => {}
        }
        Ok(())
    }

    fn add_connection(&mut self, value: &[u8]) {
        for option in elements(value) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    /// RFC 9112, section 6.3: a repeated length counts once if it is the same.
    fn add_length(&mut self, value: &[u8]) -> Result<(), HttpError> {
        for element in elements(value) {
            let length = parse_length(element).ok_or(HttpError::ContentLength)?;
            if self.length.is_some_and(|before| before != length) {
                return Err(HttpError::ContentLength);
            }
            self.length = Some(length);
        }
        Ok(())
    }

    /// An empty element says nothing (RFC 9110, section 5.6.1.2), and `identity` that nothing is coded (RFC 2616, section
    /// 3.6).
    fn add_codings(&mut self, value: &[u8]) {
        for coding in elements(value) {
            self.codings += 1;
            match coding {
                _ if coding.is_empty() || coding.eq_ignore_ascii_case(b"identity") => {}
                _ if coding.eq_ignore_ascii_case(b"chunked") => self.coding = Some(Coding::Chunked),
                _ => self.coding = Some(Coding::Other),
            }
        }
    }
}

/// The elements of a comma-separated field value.
pub(super) fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii)
}

/// Digits and nothing else: no sign, no blank, nothing beyond 64 bits.
fn parse_length(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |length, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        length.checked_mul(10)?.checked_add(digit)
    })
}

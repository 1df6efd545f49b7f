//! A head that came before: recognised by its bytes, not parsed again.
//!
//! A server says the same thing over and over; `Date` makes it new once a second. What a parser makes of a head
//! depends on the bytes of that head alone, whatever stands behind it. So where the input begins with the very bytes
//! of the head before, what was made of that one is the answer, and one comparison of some hundred bytes is all that
//! it costs. Anything else goes through the parser, and is what is known from then on.

use super::{
    body::Body,
    head::Fields,
    response::{Parsed, ResponseHead},
};

/// The longest head that is kept: what is longer is parsed each time, and no peer makes us keep more.
const MAX_KNOWN_BYTES: usize = 4 * 1024;

/// The response head that came last, for [`ResponseDecoder::decode_known`](super::ResponseDecoder::decode_known).
///
/// One serves any number of connections to the same peer, best one for each kind of request. It holds at most 4 KiB.
#[derive(Clone, Default)]
pub struct KnownHead {
    /// Nothing as long as nothing is known.
    head: Vec<u8>,
    to_head: bool,
    status: u16,
    keep_alive: bool,
    body: Option<Body>,
}

impl KnownHead {
    /// What the parser would find at the front of `input`, if that is known.
    #[inline]
    pub(super) fn find<'b>(&self, to_head: bool, input: &'b [u8]) -> Parsed<'b> {
        let body = self.body?;
        if self.to_head != to_head || !input.starts_with(&self.head) {
            return None;
        }
        let fields = Fields::of(&input[..self.head.len()]);
        let head = ResponseHead { status: self.status, keep_alive: self.keep_alive, fields };
        Some((self.head.len(), (head, body)))
    }

    /// Knows this one from now on.
    pub(super) fn learn(&mut self, to_head: bool, head: &ResponseHead<'_>, body: Body) {
        let bytes = head.fields.bytes();
        self.body = (bytes.len() <= MAX_KNOWN_BYTES).then_some(body);
        if self.body.is_some() {
            self.head.clear();
            self.head.reserve_exact(bytes.len());
            self.head.extend_from_slice(bytes);
            (self.to_head, self.status, self.keep_alive) = (to_head, head.status, head.keep_alive);
        }
    }
}

/// Field values may be secrets.
impl std::fmt::Debug for KnownHead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KnownHead({} bytes)", self.head.len())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::ResponseDecoder, *};

    fn response(padding: usize) -> String {
        format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: {}\r\n\r\n", "a".repeat(padding))
    }

    #[test]
    fn a_head_is_known_once_it_was_seen_and_until_another_was() {
        let mut known = KnownHead::default();
        let mut knows = |input: &str, to_head| {
            let is_known = known.find(to_head, input.as_bytes()).is_some();
            ResponseDecoder::new(to_head).decode_known(&mut known, input.as_bytes()).unwrap();
            is_known
        };
        let (one, other) = (response(1), response(2));
        assert_eq!([knows(&one, false), knows(&one, false)], [false, true]);
        assert_eq!([knows(&other, false), knows(&one, false)], [false, false]);
        // What follows the head is nothing to it; what its request was is.
        assert!(knows(&format!("{one}HTTP/1.1 200 OK"), false));
        assert!(!knows(&one, true));
        assert!(knows(&one, true));
    }

    #[test]
    fn a_head_is_kept_up_to_a_length_and_what_was_known_before_a_longer_one_is_not() {
        let mut known = KnownHead::default();
        for (padding, is_known) in [(100, true), (5000, false), (100, true), (4000, true)] {
            let input = response(padding);
            for _ in 0..2 {
                ResponseDecoder::new(false).decode_known(&mut known, input.as_bytes()).unwrap();
            }
            assert_eq!(known.find(false, input.as_bytes()).is_some(), is_known);
            assert!(known.head.capacity() <= MAX_KNOWN_BYTES);
        }
    }

    #[test]
    fn a_known_head_keeps_its_secrets() {
        let mut known = KnownHead::default();
        ResponseDecoder::new(false).decode_known(&mut known, response(9).as_bytes()).unwrap();
        assert_eq!(format!("{known:?}"), "KnownHead(52 bytes)");
    }
}

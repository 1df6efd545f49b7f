//! HTTP messages are read in one way, however the bytes come in.

use barewire::wire::http::{Event, HttpError, RequestDecoder, ResponseDecoder};

/// Feeds `bytes` to decoders of responses, whole and in pieces.
///
/// # Panics
/// When the two do not agree, or a decoder makes no progress or too much.
pub fn check_responses(cuts: Cuts, bytes: &[u8]) {
    for to_head in [false, true] {
        check(cuts, bytes, || Responses(ResponseDecoder::new(to_head)));
    }
}

/// The same for requests.
///
/// # Panics
/// As above.
pub fn check_requests(cuts: Cuts, bytes: &[u8]) {
    check(cuts, bytes, RequestDecoder::default);
}

/// The same for what stands behind a head of chunks, which every body that is told so is in, of both directions.
///
/// # Panics
/// As above.
pub fn check_chunks(cuts: Cuts, bytes: &[u8]) {
    const FRAMING: &[u8] = b"Transfer-Encoding: chunked\r\n\r\n";
    check_responses(cuts, &[b"HTTP/1.1 200 OK\r\n", FRAMING, bytes].concat());
    check_requests(cuts, &[b"POST / HTTP/1.1\r\nHost: h\r\n", FRAMING, bytes].concat());
}

/// Where the bytes are cut: each hexadecimal digit, from the last one on and around again, is one less than the
/// length of a piece.
pub type Cuts = u64;

fn check<D: Decode>(cuts: Cuts, bytes: &[u8], decoder: impl Fn() -> D) {
    let whole = read_all(&[bytes], &decoder);
    let pieces = read_all(&pieces(cuts, bytes), &decoder);
    assert_eq!(pieces.messages, whole.messages);
    // What is wrong with a head that never ends may be seen in the whole and not in a piece.
    if whole.rest.is_ok() {
        assert_eq!(pieces, whole);
    }
}

fn pieces(cuts: Cuts, mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    for turn in 0.. {
        let len = 1 + (cuts.rotate_right(4 * turn) & 15) as usize;
        let Some((piece, rest)) = bytes.split_at_checked(len) else { break };
        pieces.push(piece);
        bytes = rest;
    }
    pieces.push(bytes);
    pieces
}

/// What a connection brought.
#[derive(Debug, PartialEq, Eq)]
struct Read {
    /// Heads and bodies of the complete ones.
    messages: Vec<(String, Vec<u8>)>,
    rest: Result<Rest, HttpError>,
}

/// What there is of a message: its head, if that is complete, its body so far, and bytes that are not consumed yet.
type Rest = (Option<String>, Vec<u8>, Vec<u8>);

/// Reads as a connection does, with a decoder a message.
fn read_all<D: Decode>(pieces: &[&[u8]], new: impl Fn() -> D) -> Read {
    let (mut decoder, mut pending) = (new(), Vec::new());
    let (mut messages, mut head, mut body) = (Vec::new(), None, Vec::new());
    for piece in pieces {
        pending.extend_from_slice(piece);
        loop {
            let (consumed, event) = match decoder.next(&pending) {
                Ok(next) => next,
                Err(error) => return Read { messages, rest: Err(error) },
            };
            assert!(consumed <= pending.len());
            let mut needs_more = false;
            match event {
                Event::NeedMore => needs_more = true,
                Event::Head(found) => assert!(consumed > 0 && head.replace(found).is_none()),
                Event::Body(run) => {
                    assert!(!run.is_empty() && run.len() <= consumed);
                    body.extend_from_slice(run);
                }
                Event::End => {
                    messages.push((head.take().expect("a head before the end"), std::mem::take(&mut body)));
                    decoder = new();
                }
            }
            pending.drain(..consumed);
            if needs_more {
                break;
            }
        }
    }
    Read { messages, rest: Ok((head, body, pending)) }
}

/// Either decoder.
trait Decode {
    /// Consumed bytes, and the event with the head as text.
    fn next<'b>(&mut self, input: &'b [u8]) -> Result<(usize, Event<'b, String>), HttpError>;
}

struct Responses(ResponseDecoder);

impl Decode for Responses {
    fn next<'b>(&mut self, input: &'b [u8]) -> Result<(usize, Event<'b, String>), HttpError> {
        let (consumed, event) = self.0.decode(input)?;
        Ok((consumed, with_text(event)))
    }
}

impl Decode for RequestDecoder {
    fn next<'b>(&mut self, input: &'b [u8]) -> Result<(usize, Event<'b, String>), HttpError> {
        let (consumed, event) = self.decode(input)?;
        Ok((consumed, with_text(event)))
    }
}

fn with_text<H: std::fmt::Debug>(event: Event<'_, H>) -> Event<'_, String> {
    match event {
        Event::NeedMore => Event::NeedMore,
        Event::Head(head) => Event::Head(format!("{head:?}")),
        Event::Body(run) => Event::Body(run),
        Event::End => Event::End,
    }
}

//! What holds for every input, however it is cut.

use proptest::{collection::vec, prelude::*, sample::Index};

use super::{Event, HttpError, KnownHead, RequestDecoder, ResponseDecoder};

/// One message as it was meant, and as it is written.
#[derive(Debug, Clone)]
struct Message {
    name: String,
    body: Vec<u8>,
    wire: Vec<u8>,
}

/// How the body's end is told.
#[derive(Debug, Clone)]
enum Ending {
    Length,
    Chunks { size: usize, extension: &'static str, trailers: &'static str },
}

fn ending() -> impl Strategy<Value = Ending> {
    let extension = prop_oneof![Just(""), Just(";a=b"), Just(" ; c")];
    let trailers = prop_oneof![Just(""), Just("A: b\r\n"), Just("A: b\r\nC: d\r\n")];
    let chunks = (1..20_usize, extension, trailers);
    prop_oneof![
        Just(Ending::Length),
        chunks.prop_map(|(size, extension, trailers)| Ending::Chunks { size, extension, trailers }),
    ]
}

/// The bytes of a message whose head, but for the framing, is `head`.
fn wire(head: &str, body: &[u8], ending: &Ending) -> Vec<u8> {
    let mut wire = head.as_bytes().to_vec();
    match ending {
        Ending::Length => {
            wire.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
            wire.extend_from_slice(body);
        }
        Ending::Chunks { size, extension, trailers } => {
            wire.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
            for chunk in body.chunks(*size) {
                wire.extend_from_slice(format!("{:x}{extension}\r\n", chunk.len()).as_bytes());
                wire.extend_from_slice(chunk);
                wire.extend_from_slice(b"\r\n");
            }
            wire.extend_from_slice(format!("0{extension}\r\n{trailers}\r\n").as_bytes());
        }
    }
    wire
}

/// What breaks a rule and frames nothing.
fn odd_field() -> impl Strategy<Value = &'static str> {
    let odd =
        ["A: b\r\n c\r\n\td\r\n", "A : b\r\n", "no colon\r\n", " first: a\r\n", ": b\r\n", "A: \u{1}\n \n"];
    prop_oneof![Just(""), proptest::sample::select(odd.to_vec())]
}

fn response() -> impl Strategy<Value = Message> {
    (0..12_usize, 200..600_u16, ("[ -~]{0,20}", odd_field()), vec(any::<u8>(), 0..60), ending()).prop_map(
        |(interim, status, (noise, odd), body, ending)| {
            let interim = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n".repeat(interim);
            let body = if matches!(status, 204 | 304) { Vec::new() } else { body };
            let head = format!("{interim}HTTP/1.1 {status} Reason\r\n{odd}Noise: {noise}\r\n");
            let wire = match status {
                204 | 304 => format!("{head}Content-Length: 7\r\n\r\n").into_bytes(),
                _ => wire(&head, &body, &ending),
            };
            Message { name: status.to_string(), body, wire }
        },
    )
}

fn request() -> impl Strategy<Value = Message> {
    (any::<bool>(), "[A-Z]{1,9}", "/[!-~]{0,20}", vec(any::<u8>(), 0..60), ending()).prop_map(
        |(blank, method, target, body, ending)| {
            let blank = if blank { "\r\n" } else { "" };
            let head = format!("{blank}{method} {target} HTTP/1.1\r\nHost: h\r\n");
            Message { name: format!("{method} {target}"), wire: wire(&head, &body, &ending), body }
        },
    )
}

/// Either decoder, by what the laws need of it.
trait Decode: Default {
    /// Consumed bytes, and the event with the head as text.
    fn next<'b>(&mut self, input: &'b [u8]) -> Result<(usize, Event<'b, String>), HttpError>;
}

struct Responses(ResponseDecoder);

impl Default for Responses {
    fn default() -> Self {
        Self(ResponseDecoder::new(false))
    }
}

impl Decode for Responses {
    fn next<'b>(&mut self, input: &'b [u8]) -> Result<(usize, Event<'b, String>), HttpError> {
        let (consumed, event) = self.0.decode(input)?;
        Ok((consumed, with_head(event, |head| head.status.to_string())))
    }
}

impl Decode for RequestDecoder {
    fn next<'b>(&mut self, input: &'b [u8]) -> Result<(usize, Event<'b, String>), HttpError> {
        let (consumed, event) = self.decode(input)?;
        Ok((consumed, with_head(event, |head| format!("{} {}", head.method, head.target))))
    }
}

fn with_head<H>(event: Event<'_, H>, text: impl Fn(H) -> String) -> Event<'_, String> {
    match event {
        Event::NeedMore => Event::NeedMore,
        Event::Head(head) => Event::Head(text(head)),
        Event::Body(run) => Event::Body(run),
        Event::End => Event::End,
    }
}

/// A head and its body.
type Read = (String, Vec<u8>);

/// Feeds `pieces` as a connection would, one decoder a message: what was read, and the rest.
fn read_all<D: Decode>(pieces: &[&[u8]]) -> Result<(Vec<Read>, Vec<u8>), HttpError> {
    let (mut decoder, mut pending) = (D::default(), Vec::new());
    let (mut messages, mut head, mut body) = (Vec::new(), None, Vec::new());
    for piece in pieces {
        pending.extend_from_slice(piece);
        loop {
            let before = pending.len();
            let (consumed, event) = decoder.next(&pending)?;
            assert!(consumed <= before);
            match event {
                Event::NeedMore => {
                    pending.drain(..consumed);
                    break;
                }
                Event::Head(found) => assert!(consumed > 0 && head.replace(found).is_none()),
                Event::Body(run) => {
                    assert!(!run.is_empty());
                    body.extend_from_slice(run);
                }
                Event::End => {
                    messages.push((head.take().expect("a head before the end"), std::mem::take(&mut body)));
                    decoder = D::default();
                }
            }
            pending.drain(..consumed);
        }
    }
    Ok((messages, pending))
}

fn cut<'i>(input: &'i [u8], cuts: &[Index]) -> Vec<&'i [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
    at.extend([0, input.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| &input[pair[0]..pair[1]]).collect()
}

/// However it is cut, byte by byte too, `messages` come out as they were meant, and nothing is left.
fn check_every_cut<D: Decode>(messages: &[Message], cuts: &[Index]) {
    let wire: Vec<u8> = messages.iter().flat_map(|message| message.wire.clone()).collect();
    let meant: Vec<_> = messages.iter().map(|message| (message.name.clone(), message.body.clone())).collect();
    let bytes: Vec<&[u8]> = wire.chunks(1).collect();
    for pieces in [&[wire.as_slice()][..], &bytes, &cut(&wire, cuts)] {
        assert_eq!(read_all::<D>(pieces), Ok((meant.clone(), Vec::new())));
    }
}

/// What is read at all is read the same whole and in pieces; `read_all` asserts the bounds, and that each call
/// makes progress.
fn check_one_way<D: Decode>(input: &[u8], cuts: &[Index]) {
    let pieces = read_all::<D>(&cut(input, cuts));
    if let Ok(whole) = read_all::<D>(&[input]) {
        assert_eq!(pieces, Ok(whole));
    }
}

/// Feeds `pieces` to a decoder that knows heads and to one that does not: at each step they say the same. The n-th
/// message answers a HEAD where `to_head` says so.
fn check_known(pieces: &[&[u8]], to_head: &[bool]) {
    let decoder = |message: usize| ResponseDecoder::new(to_head[message % to_head.len()]);
    let (mut known, mut pending, mut message) = (KnownHead::default(), Vec::new(), 0);
    let (mut plain, mut fast) = (decoder(0), decoder(0));
    for piece in pieces {
        pending.extend_from_slice(piece);
        loop {
            let decoded = plain.decode(&pending);
            assert_eq!(fast.decode_known(&mut known, &pending), decoded);
            let Ok((consumed, event)) = decoded else { return };
            let (needs_more, is_over) = (event == Event::NeedMore, event == Event::End);
            pending.drain(..consumed);
            if is_over {
                message += 1;
                (plain, fast) = (decoder(message), decoder(message));
            }
            if needs_more {
                break;
            }
        }
    }
}

/// A message with some of its bytes overwritten: closer to the edges than noise is.
fn damage(mut wire: Vec<u8>, marks: &[(Index, u8)]) -> Vec<u8> {
    for (at, byte) in marks {
        let at = at.index(wire.len());
        wire[at] = *byte;
    }
    wire
}

proptest! {
    #[test]
    fn responses_are_the_same_however_the_input_is_cut(
        messages in vec(response(), 1..4), cuts in vec(any::<Index>(), 0..8),
    ) {
        check_every_cut::<Responses>(&messages, &cuts);
    }

    #[test]
    fn requests_are_the_same_however_the_input_is_cut(
        messages in vec(request(), 1..4), cuts in vec(any::<Index>(), 0..8),
    ) {
        check_every_cut::<RequestDecoder>(&messages, &cuts);
    }

    #[test]
    fn a_known_head_is_what_the_parser_makes_of_it_however_the_input_is_cut(
        pool in vec(response(), 1..3), order in vec(any::<Index>(), 1..12), to_head in vec(any::<bool>(), 1..4),
        marks in vec((any::<Index>(), any::<u8>()), 0..3), cuts in vec(any::<Index>(), 0..8),
    ) {
        let wire: Vec<u8> = order.iter().flat_map(|at| at.get(&pool).wire.clone()).collect();
        for wire in [damage(wire.clone(), &marks), wire] {
            check_known(&cut(&wire, &cuts), &[false]);
            check_known(&cut(&wire, &cuts), &to_head);
        }
    }

    #[test]
    fn noise_is_read_in_one_way_if_at_all(noise in vec(any::<u8>(), 0..200), cuts in vec(any::<Index>(), 0..8)) {
        check_one_way::<Responses>(&noise, &cuts);
        check_one_way::<RequestDecoder>(&noise, &cuts);
    }

    #[test]
    fn a_damaged_message_is_read_in_one_way_if_at_all(
        response in response(), request in request(),
        marks in vec((any::<Index>(), any::<u8>()), 1..4), cuts in vec(any::<Index>(), 0..8),
    ) {
        check_one_way::<Responses>(&damage(response.wire, &marks), &cuts);
        check_one_way::<RequestDecoder>(&damage(request.wire, &marks), &cuts);
    }
}

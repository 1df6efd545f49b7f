//! The chunked transfer coding (RFC 9112, section 7.1), one byte of framing at a time.

use super::{Event, HttpError};

/// The longest line of a chunk size with its extensions, without its end.
const MAX_SIZE_LINE: usize = 1024;
/// The longest trailers, the size line of the last chunk included.
const MAX_TRAILERS: usize = 8 * 1024;

/// Where in a chunked body the input stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunked {
    state: State,
    /// Bytes since the size line began, data aside.
    framing_bytes: usize,
}

/// What comes next. `Size` holds `None` before the first digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Size(Option<u64>),
    Extension(u64),
    SizeLf(u64),
    Data(u64),
    DataCr,
    DataLf,
    TrailerStart,
    Trailer,
    TrailerLf,
    LastLf,
    Done,
}

impl Chunked {
    pub(super) fn new() -> Self {
        Self { state: State::Size(None), framing_bytes: 0 }
    }

    pub(super) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Consumes framing up to the next run of data, or the end, and that run with it.
    pub(super) fn decode<'b, H>(&mut self, input: &'b [u8]) -> Result<(usize, Event<'b, H>), HttpError> {
        let mut at = 0;
        loop {
            match (self.state, &input[at..]) {
                (State::Done, _) => return Ok((at, Event::End)),
                (_, []) => return Ok((at, Event::NeedMore)),
                (State::Data(left), rest) => {
                    let run = data_run(rest, left);
                    let left = left - run.len() as u64;
                    self.state = if left == 0 { State::DataCr } else { State::Data(left) };
                    return Ok((at + run.len(), Event::Body(run)));
                }
                (_, &[byte, ..]) => {
                    self.step(byte)?;
                    at += 1;
                }
            }
        }
    }

    /// Takes one byte of framing.
    fn step(&mut self, byte: u8) -> Result<(), HttpError> {
        self.state = next(self.state, byte)?;
        self.framing_bytes = if self.state == State::Size(None) { 0 } else { self.framing_bytes + 1 };
        match self.state {
            State::Size(_) | State::Extension(_) if self.framing_bytes > MAX_SIZE_LINE => {
                Err(HttpError::ChunkLineTooLong)
            }
            State::TrailerStart | State::Trailer if self.framing_bytes > MAX_TRAILERS => {
                Err(HttpError::TrailersTooLong)
            }
            _ => Ok(()),
        }
    }
}

/// The front of `rest`, as much of it as is the chunk's.
pub(super) fn data_run(rest: &[u8], left: u64) -> &[u8] {
    &rest[..usize::try_from(left).unwrap_or(usize::MAX).min(rest.len())]
}

/// A line ends in CR LF and nothing else: what else parsers take for an end is how requests are smuggled.
fn next(state: State, byte: u8) -> Result<State, HttpError> {
    match (state, byte) {
        (State::Size(Some(size)), b'\r') | (State::Extension(size), b'\r') => Ok(State::SizeLf(size)),
        (State::Size(Some(size)), b';' | b' ' | b'\t') => Ok(State::Extension(size)),
        (State::Size(size), _) => Ok(State::Size(Some(push_digit(size.unwrap_or(0), byte)?))),
        (State::Extension(_), _) if is_text(byte) => Ok(state),
        (State::SizeLf(0), b'\n') => Ok(State::TrailerStart),
        (State::SizeLf(size), b'\n') => Ok(State::Data(size)),
        (State::Extension(_) | State::SizeLf(_), _) => Err(HttpError::ChunkSize),
        (State::DataCr, b'\r') => Ok(State::DataLf),
        (State::DataLf, b'\n') => Ok(State::Size(None)),
        (State::DataCr | State::DataLf, _) => Err(HttpError::ChunkEnd),
        (State::TrailerStart, b'\r') => Ok(State::LastLf),
        (State::Trailer, b'\r') => Ok(State::TrailerLf),
        (State::TrailerStart | State::Trailer, _) if is_text(byte) => Ok(State::Trailer),
        (State::TrailerLf, b'\n') => Ok(State::TrailerStart),
        (State::LastLf, b'\n') => Ok(State::Done),
        (State::TrailerStart | State::Trailer | State::TrailerLf | State::LastLf, _) => {
            Err(HttpError::Trailers)
        }
        (State::Data(_) | State::Done, _) => Ok(state),
    }
}

fn push_digit(size: u64, byte: u8) -> Result<u64, HttpError> {
    let digit = char::from(byte).to_digit(16).ok_or(HttpError::ChunkSize)?;
    let shifted = size.checked_mul(16).ok_or(HttpError::ChunkSize)?;
    Ok(shifted | u64::from(digit))
}

/// Not a control character, the tab aside.
fn is_text(byte: u8) -> bool {
    byte == b'\t' || !byte.is_ascii_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The body, and how much of the input was consumed; `None` when the end did not come.
    fn decoded(input: &[u8]) -> Result<Option<(String, usize)>, HttpError> {
        let (mut chunked, mut body, mut at) = (Chunked::new(), Vec::new(), 0);
        loop {
            let (consumed, event) = chunked.decode::<()>(&input[at..])?;
            at += consumed;
            match event {
                Event::Body(run) => body.extend_from_slice(run),
                Event::End => return Ok(Some((String::from_utf8(body).unwrap(), at))),
                _ => return Ok(None),
            }
        }
    }

    #[test]
    fn chunks_are_joined_and_nothing_behind_the_last_is_touched() {
        for (input, body, rest) in [
            ("0\r\n\r\n", "", ""),
            ("5\r\nhello\r\n0\r\n\r\nHTTP", "hello", "HTTP"),
            ("1\r\na\r\n0A\r\n0123456789\r\n000\r\n\r\n", "a0123456789", ""),
            ("1;name=\"v;\";b\r\na\r\n0;last\r\n\r\n", "a", ""),
            ("1 \t; x\r\na\r\n0\r\n\r\n", "a", ""),
            ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n", ""),
            ("1\r\na\r\n0\r\nExpires: never\r\nB:\tc\r\n\r\n!", "a", "!"),
        ] {
            assert_eq!(
                decoded(input.as_bytes()),
                Ok(Some((body.to_owned(), input.len() - rest.len()))),
                "{input}"
            );
        }
    }

    #[test]
    fn chunks_that_end_elsewhere_than_they_say_are_errors() {
        let line = |len: usize| format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(len - 2));
        let trailers = |len: usize| format!("0\r\nA:{}\r\n\r\n", "x".repeat(len - "0\r\nA:\r\n".len()));
        for (input, expected) in [
            ("\r\n".to_owned(), HttpError::ChunkSize),
            ("g\r\n".to_owned(), HttpError::ChunkSize),
            (";x\r\n".to_owned(), HttpError::ChunkSize),
            ("-1\r\n".to_owned(), HttpError::ChunkSize),
            ("0x1\r\n".to_owned(), HttpError::ChunkSize),
            ("1\n".to_owned(), HttpError::ChunkSize),
            ("1;a\n".to_owned(), HttpError::ChunkSize),
            ("1\ra\r\n".to_owned(), HttpError::ChunkSize),
            ("10000000000000000\r\n".to_owned(), HttpError::ChunkSize),
            ("1\r\nab\r\n".to_owned(), HttpError::ChunkEnd),
            ("1\r\na\n".to_owned(), HttpError::ChunkEnd),
            ("1\r\na\rb".to_owned(), HttpError::ChunkEnd),
            ("0\r\n\n".to_owned(), HttpError::Trailers),
            ("0\r\nA: b\n".to_owned(), HttpError::Trailers),
            ("0\r\nA: b\rc".to_owned(), HttpError::Trailers),
            ("0\r\n\rx".to_owned(), HttpError::Trailers),
            ("0".repeat(MAX_SIZE_LINE + 1), HttpError::ChunkLineTooLong),
            (line(MAX_SIZE_LINE + 1), HttpError::ChunkLineTooLong),
            (trailers(MAX_TRAILERS + 1), HttpError::TrailersTooLong),
            (format!("0\r\n{}", "A: b\r\n".repeat(MAX_TRAILERS / 6)), HttpError::TrailersTooLong),
        ] {
            assert_eq!(decoded(input.as_bytes()), Err(expected), "{input:.40}");
        }
        assert_eq!(decoded(line(MAX_SIZE_LINE).as_bytes()).unwrap().unwrap().0, "a");
        assert_eq!(decoded(trailers(MAX_TRAILERS).as_bytes()).unwrap().unwrap().0, "");
    }

    #[test]
    fn the_greatest_chunk_size_is_not_an_overflow() {
        let mut chunked = Chunked::new();
        let (consumed, event) = chunked.decode::<()>(b"FFFFFFFFFFFFFFFF\r\nabc").unwrap();
        assert_eq!((consumed, event), (21, Event::Body(b"abc".as_slice())));
        assert_eq!(chunked.state, State::Data(u64::MAX - 3));
    }
}

//! The client's side: responses.

use std::{borrow::Cow, mem::MaybeUninit};

use httparse::{ParserConfig, Status};

use super::{
    Event, HttpError, KnownHead, MAX_HEAD_BYTES, MAX_HEADERS,
    body::{Body, Coding, Framing},
    chunk::Chunked,
    head::{Fields, HeadSearch, unfold},
    lenient,
};

/// The most bytes of interim (1xx) responses that are skipped before the final one.
const MAX_INTERIM_BYTES: usize = MAX_HEAD_BYTES;
/// The most empty lines that are skipped before a response: some servers end a body with one that its length leaves out.
const MAX_EMPTY_LINES: usize = 2;

/// Decodes one response at a time.
///
/// ```
/// use barewire::wire::http::{Event, ResponseDecoder};
///
/// let input = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
/// let mut decoder = ResponseDecoder::new(false);
/// let (head_len, event) = decoder.decode(input)?;
/// let Event::Head(head) = event else { panic!("the whole head is there") };
/// assert_eq!((head.status, head.header("content-length").as_deref()), (200, Some(&b"2"[..])));
/// assert_eq!(decoder.decode(&input[head_len..])?, (2, Event::Body(b"hi")));
/// assert_eq!(decoder.decode(b"")?, (0, Event::End));
/// # Ok::<(), barewire::wire::http::HttpError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ResponseDecoder {
    to_head: bool,
    interim_bytes: usize,
    search: HeadSearch,
    /// Known once the head is.
    body: Option<Body>,
}

/// The head of a final response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponseHead<'b> {
    /// 200 to 999.
    pub status: u16,
    /// Whether the connection can carry another exchange once this response has ended.
    pub keep_alive: bool,
    pub(super) fields: Fields<'b>,
}

impl<'b> ResponseHead<'b> {
    /// The value of the first field of that name, in any case, without blanks around it. A value that is folded over
    /// several lines is joined by spaces.
    pub fn header(&self, name: &str) -> Option<Cow<'b, [u8]>> {
        self.fields.value(name).map(unfold)
    }
}

impl ResponseDecoder {
    /// A decoder of the response to one request; `to_head` when its method is `HEAD`.
    pub fn new(to_head: bool) -> Self {
        Self { to_head, interim_bytes: 0, search: HeadSearch::default(), body: None }
    }

    /// Finds the next event, and how many bytes at the front of `input` are done with.
    ///
    /// The caller drops those, and gives the rest again with what came behind it. Interim responses are
    /// skipped. Nothing behind the end of the response is consumed.
    ///
    /// # Errors
    /// [`HttpError`] as soon as the response breaks a rule; the connection is then of no more use.
    pub fn decode<'b>(&mut self, input: &'b [u8]) -> Result<(usize, Event<'b, ResponseHead<'b>>), HttpError> {
        match &mut self.body {
            Some(body) => body.decode(input),
            None => self.decode_head(input),
        }
    }

    /// The same as [`decode`](Self::decode), and faster for a peer that repeats itself: a head with the very bytes of
    /// the `known` one is not parsed again, and any other is the known one from then on.
    ///
    /// ```
    /// use barewire::wire::http::{KnownHead, ResponseDecoder};
    ///
    /// let input = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    /// let mut known = KnownHead::default();
    /// let first = ResponseDecoder::new(false).decode_known(&mut known, input)?;
    /// assert_eq!(ResponseDecoder::new(false).decode_known(&mut known, input)?, first);
    /// # Ok::<(), barewire::wire::http::HttpError>(())
    /// ```
    ///
    /// # Errors
    /// As for [`decode`](Self::decode).
    #[inline]
    pub fn decode_known<'b>(
        &mut self,
        known: &mut KnownHead,
        input: &'b [u8],
    ) -> Result<(usize, Event<'b, ResponseHead<'b>>), HttpError> {
        if let Some(body) = &mut self.body {
            return body.decode(input);
        }
        if let Some((len, (head, body))) = known.find(self.to_head, input) {
            self.body = Some(body);
            return Ok((len, Event::Head(head)));
        }
        self.decode_and_learn(known, input)
    }

    /// Whether the response is complete now that the peer has closed.
    ///
    /// # Errors
    /// [`HttpError::Truncated`] when it is not.
    pub fn finish(&self) -> Result<(), HttpError> {
        self.body.as_ref().ok_or(HttpError::Truncated)?.finish()
    }

    #[inline(never)]
    fn decode_and_learn<'b>(
        &mut self,
        known: &mut KnownHead,
        input: &'b [u8],
    ) -> Result<(usize, Event<'b, ResponseHead<'b>>), HttpError> {
        let decoded = self.decode_head(input)?;
        if let ((_, Event::Head(head)), Some(body)) = (&decoded, self.body) {
            known.learn(self.to_head, head, body);
        }
        Ok(decoded)
    }

    fn decode_head<'b>(
        &mut self,
        input: &'b [u8],
    ) -> Result<(usize, Event<'b, ResponseHead<'b>>), HttpError> {
        let mut at = 0;
        loop {
            let rest = &input[at..];
            let parse = || parse_head(rest, self.to_head);
            let Some((len, (head, body))) = self.search.find(rest, MAX_HEAD_BYTES, parse)? else {
                return Ok((at, Event::NeedMore));
            };
            at += len;
            if head.status >= 200 {
                self.body = Some(body);
                return Ok((at, Event::Head(head)));
            }
            self.skip_interim(head.status, len)?;
        }
    }

    fn skip_interim(&mut self, status: u16, len: usize) -> Result<(), HttpError> {
        self.search = HeadSearch::default();
        self.interim_bytes += len;
        match status {
            101 => Err(HttpError::SwitchingProtocols),
            _ if self.interim_bytes > MAX_INTERIM_BYTES => Err(HttpError::TooManyInterim),
            _ => Ok(()),
        }
    }
}

/// How long the head is, and what it says; nothing when it is not all there.
pub(super) type Parsed<'b> = Option<(usize, (ResponseHead<'b>, Body))>;

/// The status, the minor version and the framing of a head, and its length.
pub(super) type Read = (usize, u16, u8, Framing);

fn parse_head(input: &[u8], to_head: bool) -> Result<Parsed<'_>, HttpError> {
    let start = empty_lines_len(input)?;
    let Some((len, status, minor_version, framing)) = read_head(&input[start..])? else { return Ok(None) };
    let body = body_of(&framing, status, to_head);
    let keep_alive = framing.keeps_alive(minor_version) && body != Body::UntilClose;
    let head = ResponseHead { status, keep_alive, fields: Fields::of(&input[start..start + len]) };
    Ok(Some((start + len, (head, body))))
}

/// The parser would skip any number of empty lines.
fn empty_lines_len(input: &[u8]) -> Result<usize, HttpError> {
    let mut rest = input;
    for _ in 0..MAX_EMPTY_LINES {
        rest = rest.strip_prefix(b"\r\n").or_else(|| rest.strip_prefix(b"\n")).unwrap_or(rest);
    }
    match rest {
        [b'\r', _, ..] | [b'\n', ..] => Err(HttpError::StartLine),
        _ => Ok(input.len() - rest.len()),
    }
}

/// Reads a head by the rules, and one that breaks them as far as that frames nothing.
fn read_head(head: &[u8]) -> Result<Option<Read>, HttpError> {
    match read_by_the_rules(head) {
        Err(HttpError::StartLine | HttpError::HeaderLine) => lenient::read_head(head),
        read => read,
    }
}

/// One pass over the input; the slots of the header fields are not even cleared.
fn read_by_the_rules(head: &[u8]) -> Result<Option<Read>, HttpError> {
    let mut slots = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut parsed = httparse::Response::new(&mut []);
    let status = ParserConfig::default().parse_response_with_uninit_headers(&mut parsed, head, &mut slots)?;
    let Status::Complete(len) = status else { return Ok(None) };
    let status = parsed.code.filter(|code| *code >= 100).ok_or(HttpError::StartLine)?;
    Ok(Some((len, status, parsed.version.unwrap_or(0), Framing::of(parsed.headers)?)))
}

/// RFC 9112, section 6.3, in its order.
fn body_of(framing: &Framing, status: u16, to_head: bool) -> Body {
    match (framing.coding, framing.length) {
        _ if to_head || matches!(status, 100..=199 | 204 | 304) => Body::EMPTY,
        (Some(Coding::Chunked), _) => Body::Chunked(Chunked::new()),
        (Some(Coding::Other), _) | (None, None) => Body::UntilClose,
        (None, Some(length)) => Body::Length(length),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Status and keep-alive, the body, and what was left.
    type Decoded = (u16, bool, Vec<u8>, Vec<u8>);

    fn decoded(to_head: bool, input: &[u8]) -> Result<Decoded, HttpError> {
        let mut decoder = ResponseDecoder::new(to_head);
        let (mut head, mut body, mut rest) = (None, Vec::new(), input);
        loop {
            let (consumed, event) = decoder.decode(rest)?;
            rest = &rest[consumed..];
            match event {
                Event::Head(found) => head = Some((found.status, found.keep_alive)),
                Event::Body(run) => body.extend_from_slice(run),
                Event::NeedMore => decoder.finish()?,
                Event::End => {}
            }
            if matches!(event, Event::NeedMore | Event::End) {
                let (status, keep_alive) = head.unwrap();
                return Ok((status, keep_alive, body, rest.to_vec()));
            }
        }
    }

    #[test]
    fn the_end_of_a_response_is_found_by_the_rules_in_their_order() {
        #[rustfmt::skip]
        let cases = [
            ("a length", false, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi!", (200, true, "hi", "!")),
            ("a length of nothing", false, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n!", (200, true, "", "!")),
            ("the same length twice", false, "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\ncontent-length: 02\r\n\r\nhi", (200, true, "hi", "")),
            ("chunks", false, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n!", (200, true, "hi", "!")),
            ("chunks win over a length", false, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: Chunked\r\n\r\n1;x=y\r\nh\r\n1\r\ni\r\n00\r\nA: b\r\n\r\n", (200, true, "hi", "")),
            ("chunked is the last coding", false, "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", (200, true, "", "")),
            ("chunked is not the last coding", false, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\nContent-Length: 1\r\n\r\nhi", (200, false, "hi", "")),
            ("neither: until close", false, "HTTP/1.1 200 OK\r\n\r\nhi", (200, false, "hi", "")),
            ("neither: until close, at once", false, "HTTP/1.1 200 OK\r\n\r\n", (200, false, "", "")),
            ("to HEAD", true, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", (200, true, "", "hi")),
            ("to HEAD, chunked", true, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", (200, true, "", "")),
            ("to HEAD, neither", true, "HTTP/1.1 200 OK\r\n\r\n", (200, true, "", "")),
            ("204", false, "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nhi", (204, true, "", "hi")),
            ("304", false, "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\nhi", (304, true, "", "hi")),
            ("1xx are skipped", false, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nhi", (404, true, "hi", "")),
            ("1.1 that closes", false, "HTTP/1.1 200 OK\r\nConnection: upgrade, Close\r\nContent-Length: 0\r\n\r\n", (200, false, "", "")),
            ("1.0", false, "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", (200, false, "", "")),
            ("1.0 that stays", false, "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n", (200, true, "", "")),
            ("a folded field", false, "HTTP/1.1 200 OK\r\nA: b;\r\n c\r\n\td\r\nContent-Length: 2\r\n\r\nhi!", (200, true, "hi", "!")),
            ("a folded field that looks like framing", false, "HTTP/1.1 200 OK\r\nA: b\r\n Content-Length: 9\r\nContent-Length: 2\r\n\r\nhi", (200, true, "hi", "")),
            ("a folded Connection", false, "HTTP/1.1 200 OK\r\nConnection: a,\r\n close\r\nContent-Length: 0\r\n\r\n", (200, false, "", "")),
            ("a blank before the colon", false, "HTTP/1.1 200 OK\r\nA : b\r\nConnection\t: close\r\nContent-Length: 2\r\n\r\nhi", (200, false, "hi", "")),
            ("lines that are no fields", false, "HTTP/1.1 200 OK\r\nno colon\r\n: no name\r\nA b: c\r\nCaf\u{e9}: x\r\n Odd: first\r\nA: \u{1}\r\nContent-Length: 2\r\n\r\nhi", (200, true, "hi", "")),
            ("a blank before the first field", false, "HTTP/1.1 200 OK\r\n A: b\r\nContent-Length: 2\r\n\r\nhi", (200, true, "hi", "")),
            ("a reason in any characters", false, "HTTP/1.1  200  Sch\u{f6}n\u{1}\r\nContent-Length: 2\r\n\r\nhi", (200, true, "hi", "")),
            ("a version in small letters", false, "http/1.1 200 ok\r\nContent-Length: 2\r\n\r\nhi", (200, true, "hi", "")),
            ("a minor version to come", false, "HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\nhi", (200, true, "hi", "")),
            ("a value beyond ASCII", false, "HTTP/1.1 200 OK\r\nA: \u{e9}\r\nContent-Length: 2\r\n\r\nhi", (200, true, "hi", "")),
            ("an empty line before it", false, "\r\n\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", (200, true, "hi", "")),
            ("a status that nobody has", false, "HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\nhi", (999, true, "hi", "")),
            ("a fold and a body that begins with a blank", false, "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 2\r\n\r\n\thi", (200, true, "\th", "i")),
            ("bare line feeds and a fold", false, "HTTP/1.1 200\nA: b\n c\nContent-Length: 2\n\nhi", (200, true, "hi", "")),
            ("chunks and an empty element", false, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, ,\r\n\r\n2\r\nhi\r\n0\r\n\r\n!", (200, true, "hi", "!")),
            ("an empty element and chunks", false, "HTTP/1.1 200 OK\r\nTransfer-Encoding: ,chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n!", (200, true, "hi", "!")),
            ("no coding at all", false, "HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\nContent-Length: 2\r\n\r\nhi!", (200, true, "hi", "!")),
            ("the coding that is none", false, "HTTP/1.1 200 OK\r\nTransfer-Encoding: Identity\r\nContent-Length: 2\r\n\r\nhi!", (200, true, "hi", "!")),
            ("empty options", false, "HTTP/1.1 200 OK\r\nConnection: ,, close ,\r\nContent-Length: 0\r\n\r\n", (200, false, "", "")),
            ("no reason", false, "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", (200, true, "", "")),
            ("bare line feeds", false, "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", (200, true, "hi", "")),
        ];
        for (what, to_head, input, (status, keep_alive, body, rest)) in cases {
            let expected = Ok((status, keep_alive, body.into(), rest.into()));
            assert_eq!(decoded(to_head, input.as_bytes()), expected, "{what}");
        }
    }

    #[test]
    fn a_response_that_breaks_a_rule_is_an_error() {
        let with = |fields: &str| format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n");
        let chunks = |chunks: &str| with("Transfer-Encoding: chunked") + chunks;
        let interim = "HTTP/1.1 100 Continue\r\n\r\n".repeat(MAX_INTERIM_BYTES / 25 + 1);
        let cases = [
            (HttpError::StartLine, "SSH-2.0-OpenSSH_9.2\r\n".to_owned()),
            (HttpError::StartLine, "HTTP/2 200 OK\r\n\r\n".to_owned()),
            (HttpError::StartLine, "HTTP/1.1 099 Odd\r\n\r\n".to_owned()),
            (HttpError::StartLine, "HTTP/1.1 2000 OK\r\n\r\n".to_owned()),
            (HttpError::StartLine, "HTTP/1.1200 OK\r\n\r\n".to_owned()),
            (HttpError::StartLine, "HTTP/1.1 20\r\n\r\n".to_owned()),
            (HttpError::StartLine, "\r\n\r\n\r\nHTTP/1.1 200 OK\r\n\r\n".to_owned()),
            (HttpError::StartLine, "\rHTTP/1.1 200 OK\r\n\r\n".to_owned()),
            (HttpError::HeaderLine, with("A: b\0")),
            (HttpError::HeaderLine, with("A: b\rContent-Length: 5")),
            (HttpError::HeaderLine, with("Content-Length : 5")),
            (HttpError::HeaderLine, with("Content-Length: 5\r\n ")),
            (HttpError::HeaderLine, with("Content-Length:\r\n 5")),
            (HttpError::HeaderLine, with(" Content-Length: 5")),
            (HttpError::HeaderLine, with("Content-Length\u{1}: 5")),
            (HttpError::HeaderLine, with("Content-Length 5")),
            (HttpError::HeaderLine, with("Content-Length: 5\u{1}")),
            (HttpError::HeaderLine, with("Transfer-Encoding : chunked")),
            (HttpError::HeaderLine, with("Transfer-Encoding: gzip,\r\n chunked")),
            (HttpError::HeaderLine, with("Transfer-Encoding: chunked\u{b}")),
            (HttpError::ContentLength, with("A : b\r\nContent-Length: 1\r\nContent-Length: 2")),
            (HttpError::TooManyHeaders, with(&["A : b"; 129].join("\r\n"))),
            (HttpError::TooManyHeaders, with(&["A: b"; 129].join("\r\n"))),
            (HttpError::HeadTooLong, with(&format!("A: {}", "b".repeat(MAX_HEAD_BYTES)))),
            (HttpError::HeadTooLong, format!("HTTP/1.1 200 OK\r\nA: {}", "b".repeat(MAX_HEAD_BYTES))),
            (HttpError::ContentLength, with("Content-Length: 1\r\nContent-Length: 2")),
            (HttpError::ContentLength, with("Content-Length: 1, 2")),
            (HttpError::ContentLength, with("Content-Length: 1,")),
            (HttpError::ContentLength, with("Content-Length: +1")),
            (HttpError::ContentLength, with("Content-Length: 0x1")),
            (HttpError::ContentLength, with("Content-Length:")),
            (HttpError::ContentLength, with("Content-Length: 18446744073709551616")),
            (HttpError::SwitchingProtocols, "HTTP/1.1 101 Switching Protocols\r\n\r\n".to_owned()),
            (HttpError::TooManyInterim, interim),
            (HttpError::ChunkSize, chunks("g\r\n")),
            (HttpError::Truncated, String::new()),
            (HttpError::Truncated, "HTTP/1.1 200 OK\r\n".to_owned()),
            (HttpError::Truncated, with("Content-Length: 2")),
            (HttpError::Truncated, chunks("2\r\nh")),
            (HttpError::Truncated, with("Transfer-Encoding: chunked")),
        ];
        for (expected, input) in cases {
            assert_eq!(decoded(false, input.as_bytes()), Err(expected), "{input:.60}");
        }
    }

    #[test]
    fn interim_responses_are_skipped_up_to_a_bound_of_their_bytes() {
        let interim = "HTTP/1.1 102 Processing\r\n\r\n".repeat(1000);
        let whole = format!("{interim}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
        assert_eq!(decoded(false, whole.as_bytes()), Ok((200, true, b"hi".into(), Vec::new())));
    }

    #[test]
    fn a_folded_value_is_joined_by_spaces() {
        let input = b"HTTP/1.1 200 OK\r\nPolicy : a;  \r\n\t b\r\n  c\r\nOther:d\r\n\r\n";
        let Ok((_, Event::Head(head))) = ResponseDecoder::new(false).decode(input) else { panic!("a head") };
        assert_eq!(head.header("policy").as_deref(), Some(b"a; b c".as_slice()));
        assert_eq!(head.header("other").as_deref(), Some(b"d".as_slice()));
        assert_eq!(head.header("b"), None);
    }

    #[test]
    fn a_head_of_the_greatest_size_is_read() {
        let padding = MAX_HEAD_BYTES - "HTTP/1.1 204 No Content\r\nA: \r\n\r\n".len();
        let head = format!("HTTP/1.1 204 No Content\r\nA: {}\r\n\r\n", "b".repeat(padding));
        assert_eq!(head.len(), MAX_HEAD_BYTES);
        assert!(decoded(false, head.as_bytes()).is_ok());
        let many = format!("HTTP/1.1 204 No Content\r\n{}\r\n", "A: b\r\n".repeat(MAX_HEADERS));
        assert!(decoded(false, many.as_bytes()).is_ok());
    }
}

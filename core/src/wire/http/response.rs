//! The client's side: responses.

use std::mem::MaybeUninit;

use httparse::{ParserConfig, Status};

use super::{
    Event, HttpError, MAX_HEAD_BYTES, MAX_HEADERS,
    body::{Body, Framing},
    chunk::Chunked,
    head::{Fields, HeadSearch},
};

/// The most interim (1xx) responses that are skipped before the final one.
const MAX_INTERIM: u8 = 8;

/// Decodes one response at a time.
///
/// ```
/// use barewire::wire::http::{Event, ResponseDecoder};
///
/// let input = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
/// let mut decoder = ResponseDecoder::new(false);
/// let (head_len, event) = decoder.decode(input)?;
/// let Event::Head(head) = event else { panic!("the whole head is there") };
/// assert_eq!((head.status, head.header("content-length")), (200, Some(&b"2"[..])));
/// assert_eq!(decoder.decode(&input[head_len..])?, (2, Event::Body(b"hi")));
/// assert_eq!(decoder.decode(b"")?, (0, Event::End));
/// # Ok::<(), barewire::wire::http::HttpError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ResponseDecoder {
    to_head: bool,
    interim: u8,
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
    fields: Fields<'b>,
}

impl<'b> ResponseHead<'b> {
    /// The value of the first field of that name, in any case, without blanks around it.
    pub fn header(&self, name: &str) -> Option<&'b [u8]> {
        self.fields.value(name)
    }
}

impl ResponseDecoder {
    /// A decoder of the response to one request; `to_head` when its method is `HEAD`.
    pub fn new(to_head: bool) -> Self {
        Self { to_head, interim: 0, search: HeadSearch::default(), body: None }
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

    /// Whether the response is complete now that the peer has closed.
    ///
    /// # Errors
    /// [`HttpError::Truncated`] when it is not.
    pub fn finish(&self) -> Result<(), HttpError> {
        self.body.as_ref().ok_or(HttpError::Truncated)?.finish()
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
            self.skip_interim(head.status)?;
        }
    }

    fn skip_interim(&mut self, status: u16) -> Result<(), HttpError> {
        self.search = HeadSearch::default();
        self.interim += 1;
        match status {
            101 => Err(HttpError::SwitchingProtocols),
            _ if self.interim > MAX_INTERIM => Err(HttpError::TooManyInterim),
            _ => Ok(()),
        }
    }
}

type Parsed<'b> = Option<(usize, (ResponseHead<'b>, Body))>;

/// One pass over the input; the slots of the header fields are not even cleared.
fn parse_head(input: &[u8], to_head: bool) -> Result<Parsed<'_>, HttpError> {
    // The parser would skip blank lines, which no response begins with.
    if matches!(input, [b'\r' | b'\n', ..]) {
        return Err(HttpError::StartLine);
    }
    let mut slots = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut parsed = httparse::Response::new(&mut []);
    let status =
        ParserConfig::default().parse_response_with_uninit_headers(&mut parsed, input, &mut slots)?;
    let Status::Complete(len) = status else { return Ok(None) };
    let status = parsed.code.filter(|code| *code >= 100).ok_or(HttpError::StartLine)?;
    let framing = Framing::of(parsed.headers)?;
    let body = body_of(&framing, status, to_head);
    let keep_alive = framing.keeps_alive(parsed.version.unwrap_or(0)) && body != Body::UntilClose;
    Ok(Some((len, (ResponseHead { status, keep_alive, fields: Fields::of(&input[..len]) }, body))))
}

/// RFC 9112, section 6.3, in its order.
fn body_of(framing: &Framing, status: u16, to_head: bool) -> Body {
    match framing.length {
        _ if to_head || matches!(status, 100..=199 | 204 | 304) => Body::EMPTY,
        _ if framing.ends_chunked => Body::Chunked(Chunked::new()),
        _ if framing.codings > 0 => Body::UntilClose,
        Some(length) => Body::Length(length),
        None => Body::UntilClose,
    }
}

//! The server's side: requests.

use std::mem::MaybeUninit;

use httparse::{ParserConfig, Status};

use super::{
    Event, HttpError, MAX_HEAD_BYTES, MAX_HEADERS,
    body::{Body, Framing},
    chunk::Chunked,
    head::{Fields, HeadSearch},
};

/// Decodes one request at a time, and refuses whatever two servers might read in two ways (RFC 9112, section
/// 11.2): a server answers such a request with 400 and closes.
///
/// ```
/// use barewire::wire::http::{Event, RequestDecoder};
///
/// let input = b"GET /metrics?a HTTP/1.1\r\nHost: h\r\n\r\n";
/// let (head_len, event) = RequestDecoder::default().decode(input)?;
/// let Event::Head(head) = event else { panic!("the whole head is there") };
/// assert_eq!((head.method, head.target, head.has_body), ("GET", "/metrics?a", false));
/// assert_eq!(head_len, input.len());
/// # Ok::<(), barewire::wire::http::HttpError>(())
/// ```
#[derive(Debug, Clone)]
pub struct RequestDecoder {
    max_head_bytes: usize,
    search: HeadSearch,
    /// Known once the head is.
    body: Option<Body>,
}

/// The head of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestHead<'b> {
    /// Such as `GET`, in the case in which it came.
    pub method: &'b str,
    /// Path and query as they came, such as `/metrics?a`: whatever stands in the first line, `*` and absolute
    /// URLs too.
    pub target: &'b str,
    /// Whether the peer is ready for another exchange on this connection.
    pub keep_alive: bool,
    /// Whether a body follows: one that is chunked, or longer than nothing.
    pub has_body: bool,
    fields: Fields<'b>,
}

impl<'b> RequestHead<'b> {
    /// The value of the first field of that name, in any case, without blanks around it.
    pub fn header(&self, name: &str) -> Option<&'b [u8]> {
        self.fields.value(name)
    }
}

/// Heads up to 8 KiB.
impl Default for RequestDecoder {
    fn default() -> Self {
        Self::new(8 * 1024)
    }
}

impl RequestDecoder {
    /// A decoder of one request whose head takes at most this many bytes, and never more than
    /// [`MAX_HEAD_BYTES`].
    pub fn new(max_head_bytes: usize) -> Self {
        Self { max_head_bytes: max_head_bytes.min(MAX_HEAD_BYTES), search: HeadSearch::default(), body: None }
    }

    /// Finds the next event, and how many bytes at the front of `input` are done with.
    ///
    /// The caller drops those, and gives the rest again with what came behind it. Nothing behind the end of
    /// the request is consumed: it is the next one, for the next decoder.
    ///
    /// # Errors
    /// [`HttpError`] as soon as the request breaks a rule; the connection is then of no more use.
    pub fn decode<'b>(&mut self, input: &'b [u8]) -> Result<(usize, Event<'b, RequestHead<'b>>), HttpError> {
        if let Some(body) = &mut self.body {
            return body.decode(input);
        }
        let parse = || parse_head(input);
        let Some((len, (head, body))) = self.search.find(input, self.max_head_bytes, parse)? else {
            return Ok((0, Event::NeedMore));
        };
        self.body = Some(body);
        Ok((len, Event::Head(head)))
    }

    /// Whether the request is complete now that the peer has closed.
    ///
    /// # Errors
    /// [`HttpError::Truncated`] when it is not.
    pub fn finish(&self) -> Result<(), HttpError> {
        self.body.as_ref().ok_or(HttpError::Truncated)?.finish()
    }
}

type Parsed<'b> = Option<(usize, (RequestHead<'b>, Body))>;

fn parse_head(input: &[u8]) -> Result<Parsed<'_>, HttpError> {
    let start = blank_line_len(input)?;
    let head = &input[start..];
    let mut slots = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut []);
    let status = ParserConfig::default().parse_request_with_uninit_headers(&mut parsed, head, &mut slots)?;
    let Status::Complete(len) = status else { return Ok(None) };
    let (Some(method), Some(target), Some(minor_version)) = (parsed.method, parsed.path, parsed.version)
    else {
        return Err(HttpError::StartLine);
    };
    check_host(parsed.headers, minor_version)?;
    let framing = Framing::of(parsed.headers)?;
    let body = body_of(&framing, minor_version)?;
    let head = RequestHead {
        method,
        target,
        keep_alive: framing.keeps_alive(minor_version),
        has_body: body != Body::EMPTY,
        fields: Fields::of(&head[..len]),
    };
    Ok(Some((start + len, (head, body))))
}

/// One empty line before a request is forgiven (RFC 9112, section 2.2).
fn blank_line_len(input: &[u8]) -> Result<usize, HttpError> {
    let head = input.strip_prefix(b"\r\n").unwrap_or(input);
    match head {
        [b'\r', _, ..] | [b'\n', ..] => Err(HttpError::StartLine),
        _ => Ok(input.len() - head.len()),
    }
}

/// RFC 9112, section 3.2.
fn check_host(headers: &[httparse::Header<'_>], minor_version: u8) -> Result<(), HttpError> {
    let hosts = headers.iter().filter(|header| header.name.eq_ignore_ascii_case("host")).count();
    if hosts > 1 || (hosts == 0 && minor_version > 0) { Err(HttpError::Host) } else { Ok(()) }
}

/// RFC 9112, section 6.3, for those who would rather refuse than guess.
fn body_of(framing: &Framing, minor_version: u8) -> Result<Body, HttpError> {
    match (framing.codings, framing.length) {
        (0, length) => Ok(Body::Length(length.unwrap_or(0))),
        (_, Some(_)) => Err(HttpError::AmbiguousLength),
        (1, None) if framing.ends_chunked && minor_version > 0 => Ok(Body::Chunked(Chunked::new())),
        (_, None) => Err(HttpError::TransferEncoding),
    }
}

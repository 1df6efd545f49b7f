//! The server's side: requests.

use std::mem::MaybeUninit;

use httparse::{ParserConfig, Status};

use super::{
    Event, HttpError, MAX_HEAD_BYTES, MAX_HEADERS,
    body::{Body, Coding, Framing, elements},
    chunk::Chunked,
    head::{Fields, HeadSearch},
};

/// How an absolute URL begins, in any case.
const SCHEME: &str = "http://";

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
    /// The second number of the version: 0 of HTTP/1.0.
    pub minor_version: u8,
    fields: Fields<'b>,
}

impl<'b> RequestHead<'b> {
    /// The path without the query; of an absolute URL as well (RFC 9112, section 3.2.2), unless it names no host.
    ///
    /// ```
    /// use barewire::wire::http::{Event, RequestDecoder};
    ///
    /// let input = b"GET HTTP://h/metrics?a HTTP/1.1\r\nHost: h\r\n\r\n";
    /// let (_, Event::Head(head)) = RequestDecoder::default().decode(input)? else { panic!() };
    /// assert_eq!(head.path(), "/metrics");
    /// # Ok::<(), barewire::wire::http::HttpError>(())
    /// ```
    pub fn path(&self) -> &'b str {
        let target = self.target.split_once('?').map_or(self.target, |(target, _query)| target);
        match target.split_at_checked(SCHEME.len()) {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case(SCHEME) => {
                rest.find('/').filter(|host_len| *host_len > 0).map_or("/", |at| &rest[at..])
            }
            _ => target,
        }
    }

    /// The value of `Connection` that an answer has to have, if any, when the connection `stays` afterwards: HTTP/1.0 has
    /// to be told that it does, HTTP/1.1 that it does not (RFC 9112, section 9.3).
    pub fn connection(&self, stays: bool) -> Option<&'static str> {
        match (stays, self.minor_version) {
            (false, _) => Some("close"),
            (true, 0) => Some("keep-alive"),
            (true, _) => None,
        }
    }

    /// Whether the peer waits for `100 Continue` before it sends the body (RFC 9110, section 10.1.1).
    pub fn expects_continue(&self) -> bool {
        let is_continue = |option: &[u8]| option.eq_ignore_ascii_case(b"100-continue");
        self.has_body
            && self.minor_version > 0
            && self.headers("expect").any(|value| elements(value).any(is_continue))
    }

    /// The value of the first field of that name, in any case, without blanks around it.
    pub fn header(&self, name: &str) -> Option<&'b [u8]> {
        self.fields.value(name)
    }

    /// The values of all fields of that name, as a list may come in several (RFC 9110, section 5.3).
    pub fn headers<'n>(&self, name: &'n str) -> impl Iterator<Item = &'b [u8]> + use<'b, 'n> {
        self.fields.values(name)
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
    check_line_ends(&head[..len])?;
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
        minor_version,
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

/// A server may take a bare LF for the end of a line, and another one before it may not (RFC 9112, section 2.2): what is
/// a field to the one is a request to the other.
fn check_line_ends(head: &[u8]) -> Result<(), HttpError> {
    let bare = |at: usize| head[at] == b'\n' && !head[..at].ends_with(b"\r");
    if (0..head.len()).any(bare) { Err(HttpError::LineEnd) } else { Ok(()) }
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
        (1, None) if framing.coding == Some(Coding::Chunked) && minor_version > 0 => {
            Ok(Body::Chunked(Chunked::new()))
        }
        (_, None) => Err(HttpError::TransferEncoding),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The head's method, target, keep-alive and has-body, the body, and what was left.
    type Decoded = ((String, String, bool, bool), Vec<u8>, Vec<u8>);

    fn decoded(input: &str) -> Result<Decoded, HttpError> {
        let mut decoder = RequestDecoder::default();
        let (mut head, mut body, mut rest) = (None, Vec::new(), input.as_bytes());
        loop {
            let (consumed, event) = decoder.decode(rest)?;
            rest = &rest[consumed..];
            match event {
                Event::Head(RequestHead { method, target, keep_alive, has_body, .. }) => {
                    head = Some((method.to_owned(), target.to_owned(), keep_alive, has_body));
                }
                Event::Body(run) => body.extend_from_slice(run),
                Event::NeedMore => return Err(decoder.finish().unwrap_err()),
                Event::End => return Ok((head.unwrap(), body, rest.to_vec())),
            }
        }
    }

    fn head_of(input: &str) -> RequestHead<'_> {
        let Ok((_, Event::Head(head))) = RequestDecoder::default().decode(input.as_bytes()) else {
            panic!("a whole head: {input}")
        };
        head
    }

    #[test]
    fn a_path_is_what_stands_between_the_host_and_the_query() {
        for (target, expected) in [
            ("/metrics", "/metrics"),
            ("/metrics?a=/b", "/metrics"),
            ("http://h:1/metrics?a", "/metrics"),
            ("HTTP://h/metrics", "/metrics"),
            ("hTTp://h//metrics", "//metrics"),
            ("http://h", "/"),
            ("http://h?/metrics", "/"),
            ("http:///metrics", "/"),
            ("https://h/metrics", "https://h/metrics"),
            ("//h/metrics", "//h/metrics"),
            ("*", "*"),
        ] {
            assert_eq!(
                head_of(&format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n")).path(),
                expected,
                "{target}"
            );
        }
    }

    #[test]
    fn an_answer_tells_each_version_what_it_would_not_take_for_granted() {
        for (version, stays, expected) in [
            ("1.0", true, Some("keep-alive")),
            ("1.0", false, Some("close")),
            ("1.1", true, None),
            ("1.1", false, Some("close")),
        ] {
            let input = format!("GET / HTTP/{version}\r\nHost: h\r\n\r\n");
            assert_eq!(head_of(&input).connection(stays), expected, "{version}, {stays}");
        }
    }

    #[test]
    fn a_continuation_is_expected_where_a_body_waits_for_it() {
        for (version, fields, expected) in [
            ("1.1", "Content-Length: 5\r\nExpect: 100-continue", true),
            ("1.1", "Transfer-Encoding: chunked\r\nexpect: a, 100-Continue", true),
            ("1.1", "Content-Length: 5", false),
            ("1.1", "Content-Length: 0\r\nExpect: 100-continue", false),
            ("1.1", "Expect: 100-continue", false),
            ("1.1", "Content-Length: 5\r\nExpect: 100-continues", false),
            ("1.0", "Content-Length: 5\r\nExpect: 100-continue", false),
        ] {
            let input = format!("POST / HTTP/{version}\r\nHost: h\r\n{fields}\r\n\r\n");
            assert_eq!(head_of(&input).expects_continue(), expected, "{version}: {fields}");
        }
    }

    #[test]
    fn a_request_ends_where_its_head_says() {
        #[rustfmt::skip]
        let cases = [
            ("GET / HTTP/1.1\r\nHost: h\r\n\r\nGET", ("GET", "/", true, false), "", "GET"),
            ("\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", ("GET", "/", true, false), "", ""),
            ("GET / HTTP/1.0\r\n\r\n", ("GET", "/", false, false), "", ""),
            ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", ("GET", "/", true, false), "", ""),
            ("HEAD /a?b=%20 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", ("HEAD", "/a?b=%20", false, false), "", ""),
            ("OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n", ("OPTIONS", "*", true, false), "", ""),
            ("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi!", ("POST", "/a", true, true), "hi", "!"),
            ("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n!", ("POST", "/a", true, false), "", "!"),
            ("POST /a HTTP/1.1\r\nHost: h\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n!", ("POST", "/a", true, true), "hi", "!"),
        ];
        for (input, (method, target, keep_alive, has_body), body, rest) in cases {
            let head = (method.to_owned(), target.to_owned(), keep_alive, has_body);
            assert_eq!(decoded(input), Ok((head, body.into(), rest.into())), "{input}");
        }
    }

    #[test]
    fn a_request_that_two_servers_might_read_in_two_ways_is_refused() {
        let with = |fields: &str| format!("POST / HTTP/1.1\r\nHost: h\r\n{fields}\r\n\r\n");
        let cases = [
            (HttpError::AmbiguousLength, with("Content-Length: 5\r\nTransfer-Encoding: chunked")),
            (HttpError::AmbiguousLength, with("Transfer-Encoding: chunked\r\nContent-Length: 5")),
            (HttpError::TransferEncoding, with("Transfer-Encoding: gzip")),
            (HttpError::TransferEncoding, with("Transfer-Encoding: identity")),
            (HttpError::TransferEncoding, with("Transfer-Encoding:")),
            (HttpError::TransferEncoding, with("Transfer-Encoding: xchunked")),
            (HttpError::TransferEncoding, with("Transfer-Encoding: gzip, chunked")),
            (HttpError::TransferEncoding, with("Transfer-Encoding: chunked, identity")),
            (HttpError::TransferEncoding, with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked")),
            (HttpError::TransferEncoding, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned()),
            (HttpError::ContentLength, with("Content-Length: 5\r\nContent-Length: 6")),
            (HttpError::ContentLength, with("Content-Length: 5 5")),
            (HttpError::ContentLength, with("Content-Length: -5")),
            (HttpError::HeaderLine, with("Transfer-Encoding : chunked")),
            (HttpError::HeaderLine, with("Content-Length\t: 5")),
            (HttpError::HeaderLine, with(" Content-Length: 5")),
            (HttpError::HeaderLine, with("A: b\r\n\tfolded")),
            (HttpError::HeaderLine, with("A: b\rContent-Length: 5")),
            (HttpError::HeaderLine, with("A\0: b")),
            (HttpError::LineEnd, "GET / HTTP/1.1\nHost: h\n\n".to_owned()),
            (HttpError::LineEnd, "GET / HTTP/1.1\r\nHost: h\r\n\n".to_owned()),
            (HttpError::LineEnd, "GET / HTTP/1.1\r\nHost: h\n\r\n".to_owned()),
            (HttpError::LineEnd, with("A: b\nContent-Length: 5")),
            (HttpError::Host, "GET / HTTP/1.1\r\n\r\n".to_owned()),
            (HttpError::Host, with("Host: h")),
            (HttpError::StartLine, "GET / HTTP/1.1 \r\n\r\n".to_owned()),
            (HttpError::StartLine, "GET  / HTTP/1.1\r\n\r\n".to_owned()),
            (HttpError::StartLine, "GET / a HTTP/1.1\r\n\r\n".to_owned()),
            (HttpError::StartLine, "GET /\r\n\r\n".to_owned()),
            (HttpError::StartLine, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned()),
            (HttpError::StartLine, "\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n".to_owned()),
            (HttpError::StartLine, "\nGET / HTTP/1.1\r\nHost: h\r\n\r\n".to_owned()),
            (HttpError::TooManyHeaders, with(&["A: b"; 128].join("\r\n"))),
            (HttpError::HeadTooLong, with(&format!("A: {}", "b".repeat(8 * 1024)))),
            (HttpError::HeadTooLong, format!("GET /{}", "a".repeat(8 * 1024))),
            (HttpError::Truncated, "GET / HTTP/1.1\r\nHost: h\r\n".to_owned()),
            (HttpError::Truncated, with("Content-Length: 5")),
        ];
        for (expected, input) in cases {
            assert_eq!(decoded(&input), Err(expected), "{input:.80}");
        }
    }
}

//! What a request is answered with: a pure function of its head.

use std::sync::LazyLock;

use barewire::wire::http::{Header, HttpError, RequestHead, push_response_head};

use crate::encode::Format;

/// What the body of an answer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    Page,
    Text(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    status: u16,
    pub(crate) content: Content,
    /// The head alone is sent, as if it were that of an answer to `GET`.
    pub(crate) is_head: bool,
    pub(crate) keep_alive: bool,
}

const HEALTHY: Content = Content::Text("ok\n");
const NOT_FOUND: Content = Content::Text("nothing is here; the metrics are at /metrics\n");
const NOT_ALLOWED: Content = Content::Text("this method is not for here; use GET or HEAD\n");
const BODY: Content = Content::Text("a body is not for here; send none\n");
const MALFORMED: Content = Content::Text("the request breaks the rules of HTTP/1.1\n");
const TOO_LONG: Content = Content::Text("the head of the request is longer than 8 KiB\n");

impl Answer {
    pub(crate) fn to(request: &RequestHead<'_>) -> Answer {
        let is_head = request.method == "HEAD";
        let (status, content) = match path_of(request.target) {
            path if path != "/metrics" && path != "/-/healthy" => (404, NOT_FOUND),
            _ if !is_head && request.method != "GET" => (405, NOT_ALLOWED),
            _ if request.has_body => (400, BODY),
            "/metrics" => (200, Content::Page),
            _ => (200, HEALTHY),
        };
        // What the body says is of no interest, so it is not read, and nothing behind it can be.
        Answer { status, content, is_head, keep_alive: request.keep_alive && !request.has_body }
    }

    pub(crate) fn refusal(error: HttpError) -> Answer {
        let (status, content) = match error {
            HttpError::HeadTooLong | HttpError::TooManyHeaders => (431, TOO_LONG),
            _ => (400, MALFORMED),
        };
        Answer { status, content, is_head: false, keep_alive: false }
    }

    pub(crate) fn push_head(&self, out: &mut Vec<u8>, content_length: usize) {
        push_response_head(out, self.status, self.fields(), Some(content_length as u64));
    }

    fn fields(&self) -> &'static [Header] {
        match (self.content, self.keep_alive) {
            (Content::Page, true) => &FIELDS[..1],
            (Content::Page, false) => &FIELDS[..2],
            (Content::Text(_), false) => &FIELDS[1..if self.status == 405 { 4 } else { 3 }],
            (Content::Text(_), true) => &FIELDS[2..if self.status == 405 { 4 } else { 3 }],
        }
    }
}

/// In an order in which the fields of every answer are neighbours.
static FIELDS: LazyLock<[Header; 4]> = LazyLock::new(|| {
    [
        ("Content-Type", Format::Text004.content_type()),
        ("Connection", "close"),
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Allow", "GET, HEAD"),
    ]
    .map(|(name, value)| Header::new(name, value).expect("a field of ours is a valid one"))
});

/// The path without the query; of an absolute URL as well (RFC 9112, section 3.2.2).
fn path_of(target: &str) -> &str {
    let path = match target.strip_prefix("http://") {
        Some(rest) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => target,
    };
    path.split_once('?').map_or(path, |(path, _)| path)
}

#[cfg(test)]
mod tests {
    use barewire::wire::http::{Event, RequestDecoder};

    use super::*;

    fn answer(request: &str) -> String {
        let mut decoder = RequestDecoder::default();
        let answer = match decoder.decode(request.as_bytes()) {
            Ok((_, Event::Head(head))) => Answer::to(&head),
            Ok(event) => panic!("{event:?}"),
            Err(error) => Answer::refusal(error),
        };
        let mut out = Vec::new();
        answer.push_head(&mut out, 7);
        String::from_utf8(out).unwrap()
    }

    fn line(request: &str) -> String {
        let request = format!("{request} HTTP/1.1\r\nHost: h\r\n\r\n");
        answer(&request).lines().next().unwrap().to_owned()
    }

    #[test]
    fn a_page_is_answered_with_its_content_type() {
        assert_eq!(
            answer("GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: 7\r\n\r\n"
        );
        assert_eq!(
            answer("HEAD /metrics HTTP/1.0\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nConnection: close\r\nContent-Length: 7\r\n\r\n"
        );
    }

    #[test]
    fn a_method_that_is_not_allowed_is_told_which_are() {
        let head = "HTTP/1.1 405 Method Not Allowed\r\n";
        assert_eq!(
            answer("POST /metrics HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"),
            format!(
                "{head}Content-Type: text/plain; charset=utf-8\r\nAllow: GET, HEAD\r\nContent-Length: 7\r\n\r\n"
            )
        );
        assert_eq!(
            answer("POST /metrics HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n"),
            format!(
                "{head}Connection: close\r\nContent-Type: text/plain; charset=utf-8\r\nAllow: GET, HEAD\r\nContent-Length: 7\r\n\r\n"
            )
        );
    }

    #[test]
    fn only_known_paths_are_there() {
        for (request, expected) in [
            ("GET /metrics?a=b", "HTTP/1.1 200 OK"),
            ("GET http://h:1/metrics?a", "HTTP/1.1 200 OK"),
            ("GET /-/healthy", "HTTP/1.1 200 OK"),
            ("HEAD /-/healthy", "HTTP/1.1 200 OK"),
            ("DELETE /-/healthy", "HTTP/1.1 405 Method Not Allowed"),
            ("get /metrics", "HTTP/1.1 405 Method Not Allowed"),
            ("GET /", "HTTP/1.1 404 Not Found"),
            ("GET /metrics/", "HTTP/1.1 404 Not Found"),
            ("GET //metrics", "HTTP/1.1 404 Not Found"),
            ("GET /Metrics", "HTTP/1.1 404 Not Found"),
            ("GET /%6detrics", "HTTP/1.1 404 Not Found"),
            ("GET http://h", "HTTP/1.1 404 Not Found"),
            ("OPTIONS *", "HTTP/1.1 404 Not Found"),
        ] {
            assert_eq!(line(request), expected, "{request}");
        }
    }

    #[test]
    fn a_request_that_is_refused_is_the_last_one() {
        for (fields, status) in [
            ("Host: h\r\nContent-Length: 1\r\n".to_owned(), 400),
            ("Host: h\r\nTransfer-Encoding: chunked\r\n".to_owned(), 400),
            ("Host: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n".to_owned(), 400),
            ("Host : h\r\n".to_owned(), 400),
            (String::new(), 400),
            (format!("Host: {}\r\n", "h".repeat(9000)), 431),
        ] {
            let head = answer(&format!("GET /metrics HTTP/1.1\r\n{fields}\r\n"));
            assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
            assert!(head.contains("\r\nConnection: close\r\n"), "{head}");
        }
    }
}

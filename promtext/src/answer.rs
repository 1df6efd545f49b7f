//! What a request is answered with: a pure function of its head.

use barewire::wire::http::{Header, HttpError, RequestHead, push_response_head};

use crate::accept::{Coding, Exposition};

/// What the body of an answer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    Page(Exposition, Coding),
    Text(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    status: u16,
    pub(crate) content: Content,
    /// The head alone is sent, as if it were that of an answer to `GET`.
    pub(crate) is_head: bool,
    pub(crate) keep_alive: bool,
    connection: Option<&'static str>,
}

const HEALTHY: Content = Content::Text("ok\n");
const NOT_FOUND: Content = Content::Text("nothing is here; the metrics are at /metrics\n");
const NOT_ALLOWED: Content = Content::Text("this method is not for here; use GET or HEAD\n");
const NOT_ACCEPTABLE: Content = Content::Text("a page is plain or in gzip; accept one of them\n");
const BODY: Content = Content::Text("a body is not for here; send none\n");
const MALFORMED: Content = Content::Text("the request breaks the rules of HTTP/1.1\n");
const TOO_LONG: Content = Content::Text("the head of the request is longer than 8 KiB\n");

impl Answer {
    pub(crate) fn to(request: &RequestHead<'_>) -> Answer {
        let is_head = request.method == "HEAD";
        let (status, content) = match request.path() {
            path if path != "/metrics" && path != "/-/healthy" => (404, NOT_FOUND),
            _ if !is_head && request.method != "GET" => (405, NOT_ALLOWED),
            _ if request.has_body => (400, BODY),
            "/metrics" => page(request),
            _ => (200, HEALTHY),
        };
        // What the body says is of no interest, so it is not read, and nothing behind it can be.
        let keep_alive = request.keep_alive && !request.has_body;
        Answer { status, content, is_head, keep_alive, connection: request.connection(keep_alive) }
    }

    pub(crate) fn refusal(error: HttpError) -> Answer {
        let (status, content) = match error {
            HttpError::HeadTooLong | HttpError::TooManyHeaders => (431, TOO_LONG),
            _ => (400, MALFORMED),
        };
        Answer { status, content, is_head: false, keep_alive: false, connection: Some("close") }
    }

    pub(crate) fn push_head(&self, out: &mut Vec<u8>, content_length: usize) {
        push_response_head(out, self.status, &self.fields(), Some(content_length as u64));
    }

    fn fields(&self) -> Vec<Header> {
        let field = |name, value: &str| Header::new(name, value).expect("a field of ours is a valid one");
        let mut fields = Vec::new();
        match self.content {
            Content::Page(exposition, coding) => {
                fields.push(field("Content-Type", &exposition.to_string()));
                if coding == Coding::Gzip {
                    fields.push(field("Content-Encoding", "gzip"));
                }
            }
            Content::Text(_) => fields.push(field("Content-Type", "text/plain; charset=utf-8")),
        }
        match (self.content, self.status) {
            (Content::Page(..), _) | (_, 406) => fields.push(field("Vary", "Accept, Accept-Encoding")),
            (_, 405) => fields.push(field("Allow", "GET, HEAD")),
            _ => {}
        }
        if let Some(connection) = self.connection {
            fields.push(field("Connection", connection));
        }
        fields
    }
}

fn page(request: &RequestHead<'_>) -> (u16, Content) {
    let exposition = Exposition::negotiate(request.headers("accept"));
    let coding = Coding::negotiate(request.headers("accept-encoding"));
    coding.map_or((406, NOT_ACCEPTABLE), |coding| (200, Content::Page(exposition, coding)))
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
        let fields =
            "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\nVary: Accept, Accept-Encoding\r\n";
        assert_eq!(
            answer("GET /metrics HTTP/1.1\r\nHost: h\r\nX-Prometheus-Scrape-Timeout-Seconds: -1e999\r\n\r\n"),
            format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 7\r\n\r\n")
        );
        assert_eq!(
            answer("HEAD /metrics HTTP/1.0\r\n\r\n"),
            format!("HTTP/1.1 200 OK\r\n{fields}Connection: close\r\nContent-Length: 7\r\n\r\n")
        );
        assert_eq!(
            answer("GET /metrics HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
            format!("HTTP/1.1 200 OK\r\n{fields}Connection: keep-alive\r\nContent-Length: 7\r\n\r\n")
        );
    }

    #[test]
    #[cfg(feature = "gzip")]
    fn a_page_says_how_it_is_written_and_packed() {
        assert_eq!(
            answer(
                "GET /metrics HTTP/1.1\r\nHost: h\r\nAccept: text/plain;q=0.1\r\nAccept-Encoding: gzip\r\n\
                 accept: text/plain;version=1.0.0;escaping=dots\r\n\r\n"
            ),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=1.0.0; charset=utf-8; escaping=dots\r\n\
             Content-Encoding: gzip\r\nVary: Accept, Accept-Encoding\r\nContent-Length: 7\r\n\r\n"
        );
    }

    #[test]
    fn whoever_takes_neither_plain_text_nor_gzip_gets_nothing() {
        assert_eq!(
            answer("GET /metrics HTTP/1.1\r\nHost: h\r\nAccept-Encoding: br, *;q=0\r\n\r\n"),
            "HTTP/1.1 406 Not Acceptable\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Vary: Accept, Accept-Encoding\r\nContent-Length: 7\r\n\r\n"
        );
    }

    #[test]
    fn a_method_that_is_not_allowed_is_told_which_are() {
        let head = "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain; charset=utf-8\r\nAllow: GET, HEAD\r\n";
        assert_eq!(
            answer("POST /metrics HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"),
            format!("{head}Content-Length: 7\r\n\r\n")
        );
        assert_eq!(
            answer("POST /metrics HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n"),
            format!("{head}Connection: close\r\nContent-Length: 7\r\n\r\n")
        );
    }

    #[test]
    fn only_known_paths_are_there() {
        for (request, expected) in [
            ("GET /metrics?a=b", "HTTP/1.1 200 OK"),
            ("GET http://h:1/metrics?a", "HTTP/1.1 200 OK"),
            ("GET HTTP://h/metrics", "HTTP/1.1 200 OK"),
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
            ("GET http://h?/metrics", "HTTP/1.1 404 Not Found"),
            ("GET http:///metrics", "HTTP/1.1 404 Not Found"),
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
            ("Host: h\n".to_owned(), 400),
            (String::new(), 400),
            (format!("Host: {}\r\n", "h".repeat(9000)), 431),
        ] {
            let head = answer(&format!("GET /metrics HTTP/1.1\r\n{fields}\r\n"));
            assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
            assert!(head.contains("\r\nConnection: close\r\n"), "{head}");
        }
    }
}

//! One connection's requests and the answers to them: bytes in, bytes out.

use barewire::wire::http::{Event, Header, HttpError, RequestDecoder, RequestHead, push_response_head};

/// Where the server tells how many requests it has answered.
const STATS: &str = "/-/stats";

const BODY: &[u8] = b"Hello from the other end of the wire.\n";

/// A whole request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Request {
    is_head: bool,
    is_last: bool,
    connection: Option<&'static str>,
    is_stats: bool,
}

impl Request {
    fn of(head: &RequestHead<'_>) -> Self {
        Request {
            is_head: head.method == "HEAD",
            is_last: !head.keep_alive,
            connection: head.connection(head.keep_alive),
            is_stats: head.path() == STATS,
        }
    }

    pub(super) fn is_counted(self) -> bool {
        !self.is_stats
    }

    pub(super) fn is_last(self) -> bool {
        self.is_last
    }
}

/// Reads the requests of one connection.
#[derive(Debug, Default)]
pub(super) struct Requests {
    decoder: RequestDecoder,
    request: Request,
    /// The peer waits for leave to send the body of this request.
    expects_continue: bool,
    /// What has come and is not decoded yet.
    input: Vec<u8>,
    start: usize,
}

impl Requests {
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.input.drain(..self.start);
        self.start = 0;
        self.input.extend_from_slice(bytes);
    }

    /// The next request that is all there.
    pub(super) fn next(&mut self) -> Result<Option<Request>, HttpError> {
        loop {
            let (consumed, event) = self.decoder.decode(&self.input[self.start..])?;
            self.start += consumed;
            match event {
                Event::NeedMore => return Ok(None),
                Event::Head(head) => {
                    (self.request, self.expects_continue) = (Request::of(&head), head.expects_continue());
                }
                Event::Body(_) => {}
                Event::End => {
                    (self.decoder, self.expects_continue) = (RequestDecoder::default(), false);
                    return Ok(Some(self.request));
                }
            }
        }
    }
}

impl Requests {
    /// Gives leave to send the body of the request at hand, once, if its peer waits for it; returns whether it does.
    pub(super) fn push_continue(&mut self, out: &mut Vec<u8>) -> bool {
        let is_due = std::mem::take(&mut self.expects_continue);
        if is_due {
            push_response_head(out, 100, &[], None);
        }
        is_due
    }
}

/// All answers there are, as they are sent.
#[derive(Debug)]
pub(super) struct Answers {
    ok: Answer,
    error: Answer,
}

#[derive(Debug)]
struct Answer {
    /// Head and body, without `Connection`, with `close` and with `keep-alive`.
    whole: [Vec<u8>; 3],
    body_len: usize,
}

impl Answers {
    pub(super) fn new() -> Self {
        Answers {
            ok: Answer::new(200, "text/plain", BODY),
            error: Answer::new(500, "text/plain", b"as asked\n"),
        }
    }

    pub(super) fn push(&self, out: &mut Vec<u8>, request: Request, is_error: bool, requests: u64) {
        if request.is_stats {
            let stats = format!("{{\"requests\":{requests}}}\n");
            Answer::new(200, "application/json", stats.as_bytes()).push(out, request);
        } else if is_error {
            self.error.push(out, request);
        } else {
            self.ok.push(out, request);
        }
    }
}

impl Answer {
    fn new(status: u16, content_type: &str, body: &[u8]) -> Self {
        let whole = [None, Some("close"), Some("keep-alive")].map(|connection| {
            let mut headers = vec![header("Content-Type", content_type)];
            headers.extend(connection.map(|value| header("Connection", value)));
            let mut whole = Vec::new();
            push_response_head(&mut whole, status, &headers, Some(body.len() as u64));
            whole.extend_from_slice(body);
            whole
        });
        Answer { whole, body_len: body.len() }
    }

    fn push(&self, out: &mut Vec<u8>, request: Request) {
        let whole = match request.connection {
            None => &self.whole[0],
            Some("close") => &self.whole[1],
            Some(_) => &self.whole[2],
        };
        let body_len = if request.is_head { self.body_len } else { 0 };
        out.extend_from_slice(&whole[..whole.len() - body_len]);
    }
}

pub(super) fn push_bad_request(out: &mut Vec<u8>) {
    push_response_head(out, 400, &[header("Connection", "close")], Some(0));
}

fn header(name: &str, value: &str) -> Header {
    Header::new(name, value).expect("a literal is a valid header")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(input: &[u8], cut: usize) -> String {
        let (mut requests, mut out) = (Requests::default(), Vec::new());
        for part in [&input[..cut], &input[cut..]] {
            requests.feed(part);
            while let Some(request) = requests.next().unwrap() {
                Answers::new().push(&mut out, request, false, 7);
            }
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn pipelined_requests_are_answered_in_order_however_they_are_split() {
        let input =
            b"GET / HTTP/1.1\r\nHost: h\r\n\r\nPOST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi\
            HEAD / HTTP/1.1\r\nHost: h\r\n\r\nGET /-/stats HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
        let hello = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 38\r\n\r\n";
        let expected = format!(
            "{hello}Hello from the other end of the wire.\n{hello}Hello from the other end of the wire.\n{hello}\
            HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: 15\r\n\r\n{{\"requests\":7}}\n"
        );
        for cut in 0..=input.len() {
            assert_eq!(answers(input, cut), expected, "cut at {cut}");
        }
    }

    #[test]
    fn an_old_client_that_asks_for_it_is_told_that_its_connection_stays() {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection";
        let kept = answers(b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\nGET / HTTP/1.0\r\n\r\n", 0);
        assert_eq!(kept.matches(&format!("{head}: keep-alive\r\n")).count(), 1, "{kept}");
        assert_eq!(kept.matches(&format!("{head}: close\r\n")).count(), 1, "{kept}");
    }

    #[test]
    fn figures_are_asked_for_by_path_or_by_url() {
        for target in ["/-/stats", "HTTP://h/-/stats", "http://h:1/-/stats?a"] {
            let asked = format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n");
            assert!(answers(asked.as_bytes(), 0).ends_with("{\"requests\":7}\n"), "{target}");
        }
    }

    #[test]
    fn leave_to_send_a_body_is_given_once_and_not_where_the_body_came_with_its_head() {
        let head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
        let (mut requests, mut out) = (Requests::default(), Vec::new());
        requests.feed(head.as_bytes());
        assert_eq!(requests.next(), Ok(None));
        assert_eq!([(); 2].map(|()| requests.push_continue(&mut out)), [true, false]);
        assert_eq!(out, b"HTTP/1.1 100 Continue\r\n\r\n");
        requests.feed(format!("hi{head}hi").as_bytes());
        for _ in 0..2 {
            assert!(requests.next().unwrap().is_some());
        }
        assert!(!requests.push_continue(&mut out));
    }

    #[test]
    fn what_is_no_request_is_an_error() {
        let mut requests = Requests::default();
        requests.feed(b"hello\r\n\r\n");
        assert_eq!(requests.next(), Err(HttpError::StartLine));
    }
}

//! One connection's requests and the answers to them: bytes in, bytes out.

use barewire::wire::http::{Event, Header, HttpError, RequestDecoder, RequestHead, push_response_head};

/// Where the server tells how many requests it has answered.
const STATS: &str = "/-/stats";

const BODY: &[u8] = b"Hello from the other end of the wire.\n";

/// A whole request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Request {
    is_head: bool,
    keep_alive: bool,
    is_stats: bool,
}

impl Request {
    fn of(head: &RequestHead<'_>) -> Self {
        Request {
            is_head: head.method == "HEAD",
            keep_alive: head.keep_alive,
            is_stats: head.target == STATS,
        }
    }

    pub(super) fn is_counted(self) -> bool {
        !self.is_stats
    }

    pub(super) fn is_last(self) -> bool {
        !self.keep_alive
    }
}

/// Reads the requests of one connection.
#[derive(Debug, Default)]
pub(super) struct Requests {
    decoder: RequestDecoder,
    request: Request,
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
                Event::Head(head) => self.request = Request::of(&head),
                Event::Body(_) => {}
                Event::End => {
                    self.decoder = RequestDecoder::default();
                    return Ok(Some(self.request));
                }
            }
        }
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
    /// Head and body, for a connection that stays and one that does not.
    whole: [Vec<u8>; 2],
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
        let whole = [false, true].map(|is_last| {
            let mut headers = vec![header("Content-Type", content_type)];
            if is_last {
                headers.push(header("Connection", "close"));
            }
            let mut whole = Vec::new();
            push_response_head(&mut whole, status, &headers, Some(body.len() as u64));
            whole.extend_from_slice(body);
            whole
        });
        Answer { whole, body_len: body.len() }
    }

    fn push(&self, out: &mut Vec<u8>, request: Request) {
        let whole = &self.whole[usize::from(request.is_last())];
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
    fn what_is_no_request_is_an_error() {
        let mut requests = Requests::default();
        requests.feed(b"hello\r\n\r\n");
        assert_eq!(requests.next(), Err(HttpError::StartLine));
    }
}

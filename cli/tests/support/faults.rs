//! What a server can do wrong, by name.

use super::misbehave::{Act, Door};

/// A fault that targets and receivers have in common.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    pub(crate) door: Door,
    pub(crate) script: Vec<Act>,
}

/// An answer that is all right, where nothing is to be said.
pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

const KIB: usize = 1 << 10;

/// Behind an open door.
pub(crate) fn fault(name: &'static str, script: Vec<Act>) -> Fault {
    Fault { name, door: Door::Open, script }
}

/// Reads each request, and answers so.
pub(crate) fn answers(name: &'static str, answer: &str) -> Fault {
    fault(name, vec![Act::Await, say(answer)])
}

/// Reads one request, answers so, and goes on by `then`.
pub(crate) fn answers_then(name: &'static str, answer: &str, then: Act) -> Fault {
    fault(name, vec![Act::Await, say(answer), then])
}

pub(crate) fn say(text: &str) -> Act {
    Act::Say(text.as_bytes().to_vec())
}

/// A response with that status line and these fields, and no body.
pub(crate) fn empty(status: &str, fields: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{fields}Content-Length: 0\r\n\r\n")
}

/// The faults of connections and of HTTP: the answers, where there are any, are a 200.
pub(crate) fn of_any_server() -> Vec<Fault> {
    let flood = |text: &str| Act::Flood(text.repeat(16 * KIB / text.len()).into_bytes());
    let headers = |fields: &str| format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
    vec![
        Fault { name: "accepts_nobody", door: Door::Deaf, script: Vec::new() },
        fault("never_answers", vec![Act::Await, Act::Ignore]),
        fault("answers_a_byte_a_second", vec![Act::Await, Act::Drip(OK.into())]),
        fault("closes_at_once", vec![Act::Close]),
        fault("resets_at_once", vec![Act::Reset]),
        fault("closes_after_the_request", vec![Act::Await, Act::Close]),
        fault("resets_after_the_request", vec![Act::Await, Act::Reset]),
        fault("resets_at_the_first_byte", vec![Act::AwaitByte, Act::Reset]),
        fault("half_closes_after_the_request", vec![Act::Await, Act::HalfClose, Act::Ignore]),
        answers_then("closes_in_the_head", "HTTP/1.1 200 OK\r\nContent-Le", Act::Close),
        answers_then("resets_in_the_head", "HTTP/1.1 200 OK\r\nContent-Le", Act::Reset),
        answers_then("closes_in_the_body", &(headers("Content-Length: 9\r\n") + "body"), Act::Close),
        answers_then("resets_in_the_body", &(headers("Content-Length: 9\r\n") + "body"), Act::Reset),
        answers_then(
            "closes_in_a_chunk",
            &(headers("Transfer-Encoding: chunked\r\n") + "9\r\nbody"),
            Act::Close,
        ),
        answers_then("says_too_long_a_length", &(headers("Content-Length: 9\r\n") + "body"), Act::Ignore),
        answers("says_too_short_a_length", &(headers("Content-Length: 4\r\n") + "body and more")),
        answers("says_two_lengths", &headers("Content-Length: 4\r\nContent-Length: 5\r\n")),
        answers("says_no_number_as_length", &headers("Content-Length: four\r\n")),
        answers(
            "says_a_length_and_chunks",
            &(headers("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n"),
        ),
        answers("says_no_number_as_chunk_size", &(headers("Transfer-Encoding: chunked\r\n") + "four\r\n")),
        answers_then("closes_after_each_answer", OK, Act::Close),
        answers_then("resets_after_each_answer", OK, Act::Reset),
        fault("closes_when_the_next_request_comes", vec![Act::Await, say(OK), Act::Await, Act::Close]),
        fault("resets_when_the_next_request_comes", vec![Act::Await, say(OK), Act::AwaitByte, Act::Reset]),
        fault("says_1xx_for_ever", vec![Act::Await, flood("HTTP/1.1 103 Early Hints\r\n\r\n")]),
        answers("switches_protocols", "HTTP/1.1 101 Switching Protocols\r\n\r\n"),
        fault(
            "sends_headers_for_ever",
            vec![Act::Await, say("HTTP/1.1 200 OK\r\n"), flood("A: bcdefghijkl\r\n")],
        ),
        fault("sends_one_header_for_ever", vec![Act::Await, say("HTTP/1.1 200 OK\r\nA: "), flood("b")]),
        fault("sends_a_body_for_ever", vec![Act::Await, say("HTTP/1.1 200 OK\r\n\r\n"), flood("b")]),
        fault(
            "sends_chunks_for_ever",
            vec![Act::Await, say(&headers("Transfer-Encoding: chunked\r\n")), flood("4\r\nbody\r\n")],
        ),
        answers("says_garbage", "\x16\x03\x01\x02 this is not HTTP\r\n\r\n"),
        answers("says_a_status_line_of_http_2", "HTTP/2 200 OK\r\n\r\n"),
        answers("says_a_status_of_four_digits", "HTTP/1.1 2000 OK\r\n\r\n"),
    ]
}

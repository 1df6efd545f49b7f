//! HTTP/1.1 as real servers and old clients speak it: what the rules forgive is forgiven.

mod support;

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::json;
use support::{Nginx, RESULTS, Target, barewire_to_end};

/// How long an answer may take that comes at once.
const PATIENCE: Duration = Duration::from_secs(10);

fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).expect("a server");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    stream
}

/// Sends `request` and reads as many bytes as the answer has that `ends` in this way.
fn ask(stream: &mut TcpStream, request: &str, ends: &str) -> String {
    stream.write_all(request.as_bytes()).expect("a request is taken");
    let mut answer = Vec::new();
    while !answer.ends_with(ends.as_bytes()) {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap_or_else(|error| panic!("{error} behind {answer:?}"));
        answer.push(byte[0]);
    }
    String::from_utf8(answer).expect("text")
}

#[test]
fn a_header_that_nginx_folds_over_two_lines_fails_no_request() {
    let policy = "add_header Content-Security-Policy \"default-src 'self';\n    img-src *\" always;";
    let nginx = Nginx::start_with(policy);
    let mut stream = connect(nginx.addr());
    let head = ask(&mut stream, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "\r\n\r\n");
    assert!(head.contains("'self';\n    img-src *\r\n"), "nginx folds: {head}");
    let spec = json!({"target": nginx.url(), "users": 2, "iterations": 50}).to_string();
    let ended = barewire_to_end(["run", &spec, "--results", RESULTS]);
    assert_eq!(
        (ended.code, &ended.results["requests"], &ended.results["errors"]),
        (0, &json!(100), &json!(0)),
        "{}",
        ended.stderr
    );
}

#[test]
fn the_target_tells_an_old_client_that_its_connection_stays_and_keeps_it() {
    let target = Target::start(&[]);
    let mut stream = connect(target.addr());
    let body = "Hello from the other end of the wire.\n";
    for _ in 0..3 {
        let answer = ask(&mut stream, "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", body);
        assert!(answer.contains("\r\nConnection: keep-alive\r\n"), "{answer}");
    }
    let answer = ask(&mut stream, "GET / HTTP/1.0\r\n\r\n", body);
    assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
    assert_eq!(stream.read(&mut [0]).expect("an orderly end"), 0);
}

#[test]
fn the_target_gives_leave_to_send_a_body_at_once() {
    let target = Target::start(&[]);
    let mut stream = connect(target.addr());
    for _ in 0..2 {
        let head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
        assert_eq!(ask(&mut stream, head, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
        assert!(ask(&mut stream, "hi", "wire.\n").starts_with("HTTP/1.1 200 OK\r\n"));
    }
    assert_eq!(target.requests(), 2);
}

//! HTTP/1.1 as real servers and old clients speak it: what the rules forgive is forgiven.

mod support;

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use serde_json::json;
use support::{Nginx, RESULTS, Target, barewire_to_end, otlp};

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
fn a_think_time_as_long_as_nginx_keeps_connections_fails_no_request() {
    let nginx = Nginx::start_with("keepalive_timeout 1s;");
    let spec = json!({"target": nginx.url(), "users": 4, "iterations": 5, "think_time": "1s"}).to_string();
    let ended = barewire_to_end(["run", &spec, "--results", RESULTS]);
    assert_eq!(
        (ended.code, ended.requests(), &ended.results["errors"]),
        (0, 20, &json!(0)),
        "{}",
        ended.stderr
    );
}

#[test]
fn requests_that_were_sent_again_are_counted_everywhere() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    // Each connection carries one request, and ends when the next one comes.
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || {
                let mut stream = stream.expect("a connection");
                if read_head(&mut stream) {
                    stream
                        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                        .expect("an answer is taken");
                    read_head(&mut stream);
                }
            });
        }
    });
    let spec = json!({"target": url, "users": 1, "iterations": 5}).to_string();
    let ended = barewire_to_end(["run", &spec, "--results", RESULTS, "--otlp", "file:o.jsonl"]);
    let results = &ended.results;
    assert_eq!(
        (&results["requests"], &results["errors"], &results["retries"]),
        (&json!(5), &json!(0), &json!(4))
    );
    assert_eq!(results["steps"][0]["retries"], json!(4));
    let told = "  4 retries: kept connections were closed before a byte of the response came\n";
    assert!(ended.stdout.contains(told), "{}", ended.stdout);
    let documents = otlp::documents(&ended.dir.read("o.jsonl"));
    let counts: Vec<u64> = otlp::metrics(documents.last().expect("a document"), "http.client.retries")
        .flat_map(|metric| otlp::items(&metric["sum"]["dataPoints"]))
        .map(|point| otlp::integer(&point["asInt"]))
        .collect();
    assert_eq!(counts, [4]);
    assert!(otlp::metrics(&documents[0], "http.client.retries").next().is_some(), "from the beginning");
}

fn read_head(stream: &mut TcpStream) -> bool {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if !matches!(stream.read(&mut byte), Ok(1)) {
            return false;
        }
        head.push(byte[0]);
    }
    true
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

//! Receivers that answer as they are told to.

// Every file of tests compiles this module anew and uses a part of it.
#![allow(dead_code)]

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use barewire::ExportError;

/// The longest that a machine may take for something, however busy it is.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A request as it came.
pub(crate) struct Request {
    /// How many connections there had been.
    pub(crate) connection: usize,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A receiver that keeps what it gets.
pub(crate) struct Server {
    pub(crate) url: String,
    requests: Receiver<Request>,
}

/// No answer at all: the connection is closed.
pub(crate) const HANG_UP: &str = "";
/// No answer at all: the connection is kept open until the exporter closes it.
pub(crate) const SILENCE: &str = "silence";
pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n{\"partialSuccess\":{}}";

impl Server {
    /// With one prepared answer a request, over one connection at a time.
    pub(crate) fn answering(answers: impl IntoIterator<Item = &'static str>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, requests) = channel();
        let mut answers: Vec<_> = answers.into_iter().collect();
        answers.reverse();
        thread::spawn(move || {
            let mut connection = 0;
            while !answers.is_empty() {
                connection += 1;
                let (stream, _) = listener.accept().unwrap();
                converse(stream, connection, &mut answers, &sender);
            }
        });
        Server { url, requests }
    }

    /// With the answer that `script` has for a path, over any number of connections.
    pub(crate) fn by_path(script: impl Fn(&str) -> &'static str + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, requests) = channel();
        let script = Arc::new(script);
        thread::spawn(move || {
            for (connection, stream) in (1..).zip(listener.incoming()) {
                let (mut stream, sender, script) = (stream.unwrap(), sender.clone(), Arc::clone(&script));
                thread::spawn(move || {
                    while let Some((head, body)) = read_request(&mut stream) {
                        let request = Request { connection, head, body };
                        let answer = script(request.path());
                        drop(sender.send(request));
                        if !has_answered(&mut stream, answer) {
                            return;
                        }
                    }
                });
            }
        });
        Server { url, requests }
    }

    pub(crate) fn request(&self) -> Request {
        self.requests.recv_timeout(PATIENCE).expect("a request")
    }

    /// One that has come already.
    pub(crate) fn try_request(&self) -> Option<Request> {
        self.requests.try_recv().ok()
    }

    pub(crate) fn body(&self) -> serde_json::Value {
        self.request().json()
    }

    pub(crate) fn assert_no_more_requests(&self) {
        assert!(self.try_request().is_none());
    }
}

fn converse(mut stream: TcpStream, connection: usize, answers: &mut Vec<&str>, sender: &Sender<Request>) {
    while let Some(answer) = answers.last().copied() {
        let Some((head, body)) = read_request(&mut stream) else { return };
        answers.pop();
        // The test may have seen enough.
        drop(sender.send(Request { connection, head, body }));
        if !has_answered(&mut stream, answer) {
            return;
        }
    }
}

/// Whether the connection goes on.
fn has_answered(stream: &mut TcpStream, answer: &str) -> bool {
    match answer {
        HANG_UP => false,
        SILENCE => {
            drop(stream.read(&mut [0]));
            false
        }
        // The exporter may have given up.
        _ => stream.write_all(answer.as_bytes()).is_ok(),
    }
}

fn read_request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let (_, length) = head.split_once("Content-Length: ").unwrap();
    let mut body = vec![0; length.lines().next().unwrap().parse().unwrap()];
    stream.read_exact(&mut body).ok()?;
    Some((head, body))
}

pub(crate) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

pub(crate) fn failed(text: impl Into<String>) -> ExportError {
    ExportError::Failed(text.into())
}

/// The host and port of a server, as errors name it.
pub(crate) fn host(server: &Server) -> &str {
    server.url.strip_prefix("http://").unwrap()
}

pub(crate) fn scratch_file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.jsonl", std::process::id()))
}

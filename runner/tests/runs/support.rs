//! What the tests of whole runs share.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use barewire::Registry;
use barewire_runner::{Behaviour, Figures, Plan, Run, Target, Totals};

/// Runs a plan to its end.
pub(crate) fn run(plan: &Plan) -> (Totals, Figures) {
    let registry = Registry::new("test");
    let totals = Run::start(&plan.check().unwrap(), &registry).unwrap().join().unwrap();
    let figures = Figures::of(&registry.snapshot(), totals.elapsed).with_totals(&totals);
    (totals, figures)
}

/// A plan of one GET, by one user on one thread, so many times.
pub(crate) fn times(addr: SocketAddr, iterations: u64) -> Plan {
    Plan {
        users: Some(1),
        threads: Some(1),
        iterations: Some(iterations),
        timeout: Some(Duration::from_secs(5)),
        ..Plan::get(format!("http://{addr}/"))
    }
}

pub(crate) fn target(behaviour: Behaviour) -> Target {
    Target::bind("127.0.0.1:0".parse().unwrap(), behaviour).unwrap()
}

/// A server that does `serve` with each connection, in a thread of its own, for as long as the test lasts.
pub(crate) fn server(serve: impl Fn(TcpStream) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let serve = serve.clone();
            thread::spawn(move || serve(stream.unwrap()));
        }
    });
    addr
}

/// A server that answers each request with these bytes, in two writes cut at `cut`, and closes after each if it is
/// to.
pub(crate) fn answering(response: &'static [u8], cut: usize, closes: bool) -> SocketAddr {
    server(move |mut stream| {
        while read_head(&mut stream) {
            stream.set_nodelay(true).unwrap();
            let cut = cut.min(response.len());
            let sent = stream.write_all(&response[..cut]).and_then(|()| stream.write_all(&response[cut..]));
            if closes || sent.is_err() {
                return;
            }
        }
    })
}

/// Reads a request without a body; whether there was one.
pub(crate) fn read_head(stream: &mut TcpStream) -> bool {
    read_request_head(stream).is_some()
}

/// The same; what it says.
pub(crate) fn read_request_head(stream: &mut TcpStream) -> Option<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if !matches!(stream.read(&mut byte), Ok(1)) {
            return None;
        }
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

/// The failures of a run, as `class:count`.
pub(crate) fn classes(figures: &Figures) -> Vec<String> {
    figures.errors_by_class.iter().map(|(class, count)| format!("{class}:{count}")).collect()
}

/// Whether it comes true within five seconds.
pub(crate) fn eventually(is_true: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(5);
    while !is_true() && Instant::now() < deadline {
        thread::yield_now();
    }
    is_true()
}

/// Requests with a duration, good or bad.
pub(crate) fn timed(figures: &Figures) -> u64 {
    figures.latency.count() + figures.failed_latency.count()
}

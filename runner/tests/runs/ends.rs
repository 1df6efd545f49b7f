//! What the end of a connection does to a request: an answer that came is read, and one that crossed the end is sent again.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use crate::support::{classes, read_head, run, server, timed, times};
use barewire_runner::{Failure, Figures, Plan, Reason, Step, ThinkTime, Totals};

const MS: Duration = Duration::from_millis(1);
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
const TOO_LARGE: &[u8] = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nno\n";
const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
const WAITED: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// Runs a step so many times.
fn run_step(addr: SocketAddr, iterations: u64, step: Step) -> (Totals, Figures) {
    let (totals, figures) = run(&Plan { steps: vec![step], ..times(addr, iterations) });
    assert_eq!((totals.completed, figures.requests, timed(&figures)), (iterations, iterations, iterations));
    assert_eq!((totals.unfinished, totals.requests_unfinished), (0, 0));
    (totals, figures)
}

fn large() -> Step {
    Step { body: Some("x".repeat(8 << 20)), ..Step::default() }
}

fn posting() -> Step {
    Step { method: Some("POST".to_owned()), ..Step::default() }
}

/// Holds a connection until the peer closes it.
fn hold(mut stream: TcpStream) {
    while matches!(stream.read(&mut [0; 1024]), Ok(1..)) {}
}

#[test]
fn an_answer_to_the_head_of_a_large_request_is_taken_though_its_body_is_not() {
    let closing = server(|mut stream| {
        if read_head(&mut stream) {
            stream.write_all(TOO_LARGE).unwrap();
        }
    });
    let (_, figures) = run_step(closing, 40, large());
    assert_eq!(classes(&figures), ["status:40"], "closed with most of the body unread");
    // One that neither reads nor closes would keep the rest of the body for ever.
    let mute = server(|mut stream| {
        if read_head(&mut stream) {
            stream.write_all(TOO_LARGE).unwrap();
            thread::sleep(30_000 * MS);
        }
    });
    let (_, figures) = run_step(mute, 3, large());
    assert_eq!(classes(&figures), ["status:3"], "open, and not read from");
    assert!(figures.failed_latency.max().is_some_and(|max| max < 4_000_000_000));
}

#[test]
fn a_refusal_that_has_begun_stops_the_body() {
    const BODY: usize = 32 << 20;
    let read = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&read);
    let addr = server(move |mut stream| {
        if read_head(&mut stream) {
            let (head, last) = TOO_LARGE.split_at(TOO_LARGE.len() - 1);
            stream.write_all(head).unwrap();
            // By then the peer has filled what the kernel holds, and has been told of the answer.
            thread::sleep(200 * MS);
            stream.set_read_timeout(Some(500 * MS)).unwrap();
            let mut buffer = vec![0; 1 << 20];
            while let Ok(len @ 1..) = stream.read(&mut buffer) {
                count.fetch_add(len, Ordering::Relaxed);
            }
            stream.write_all(last).unwrap();
        }
    });
    let (_, figures) = run_step(addr, 1, Step { body: Some("x".repeat(BODY)), ..Step::default() });
    assert_eq!(classes(&figures), ["status:1"]);
    assert!(read.load(Ordering::Relaxed) < BODY, "nothing was held back");
}

#[test]
fn an_early_answer_that_is_no_refusal_lets_the_body_go_on() {
    let addr = server(|mut stream| {
        while read_head(&mut stream) {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh").unwrap();
            std::io::copy(&mut (&stream).take(8 << 20), &mut std::io::sink()).unwrap();
            stream.write_all(b"i").unwrap();
        }
    });
    let (_, figures) = run_step(addr, 3, large());
    assert_eq!(figures.errors, 0);
    assert!(figures.bytes_out > 3 << 23);
}

#[test]
fn a_connection_that_the_request_says_to_close_is_closed_whatever_the_answer_says() {
    for value in ["close", "keep-alive, Close"] {
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let addr = server(move |mut stream| {
            // It obeys, and does not say so.
            if read_head(&mut stream) {
                count.fetch_add(1, Ordering::Relaxed);
                stream.write_all(OK).unwrap();
                hold(stream);
            }
        });
        let headers = [("Connection".to_owned(), value.to_owned())].into();
        let (_, figures) = run_step(addr, 100, Step { headers, ..posting() });
        assert_eq!((figures.errors, connections.load(Ordering::Relaxed)), (0, 100), "{value}");
    }
}

#[test]
fn an_answer_that_comes_with_the_connection_is_the_answer_to_its_first_request() {
    let half_closing = server(|mut stream| {
        stream.write_all(BUSY).unwrap();
        stream.shutdown(Shutdown::Write).unwrap_or_default();
        hold(stream);
    });
    let (_, figures) = run_step(half_closing, 40, Step::default());
    assert_eq!(classes(&figures), ["status:40"], "half-closed");
    // What an event told before there was a request is not told again.
    let keeping = server(|mut stream| {
        stream.write_all(BUSY).unwrap_or_default();
        hold(stream);
    });
    let (_, figures) = run_step(keeping, 1, Step::default());
    assert_eq!(classes(&figures), ["status:1"], "open");
    let resetting = server(|mut stream| {
        stream.write_all(BUSY).unwrap_or_default();
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    });
    let (_, figures) = run_step(resetting, 20, Step::default());
    assert_eq!(classes(&figures), ["status:20"], "reset");
}

#[test]
fn an_answer_to_no_request_is_no_answer() {
    let idle = server(|mut stream| {
        if read_head(&mut stream) {
            stream.write_all(OK).unwrap();
            thread::sleep(10 * MS);
            stream.write_all(WAITED).unwrap_or_default();
        }
    });
    let plan = Plan { think_time: Some(ThinkTime::constant(60 * MS)), ..times(idle, 5) };
    let (_, figures) = run(&plan);
    assert_eq!((figures.requests, figures.errors), (5, 0), "while nothing was asked");
    let crossing = || {
        server(|mut stream| {
            for answer in [OK, WAITED] {
                if read_head(&mut stream) {
                    stream.write_all(answer).unwrap();
                }
            }
        })
    };
    let (_, figures) = run_step(crossing(), 10, Step::default());
    assert_eq!((figures.errors, figures.retries), (0, 9), "crossed by a request");
    let (totals, figures) = run_step(crossing(), 10, posting());
    assert_eq!(
        (classes(&figures), figures.retries),
        (vec!["status:5".to_owned()], 0),
        "of which nobody knows"
    );
    assert_eq!(totals.reasons.of(Failure::Status).collect::<Vec<_>>(), [(Reason::Status(408), 5)]);
}

/// A server that answers the first request of each connection, and closes when the next one has come and `delay` is over.
fn closing_at_the_second(delay: Duration) -> SocketAddr {
    server(move |mut stream| {
        if read_head(&mut stream) {
            stream.write_all(OK).unwrap();
            if read_head(&mut stream) {
                thread::sleep(delay);
            }
        }
    })
}

#[test]
fn a_request_that_crossed_the_end_of_its_connection_is_sent_once_more_if_it_means_the_same_twice() {
    for method in ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"] {
        let head = method == "HEAD";
        let step = Step { method: Some(method.to_owned()), ..Step::default() };
        let addr =
            if head { closing_at_the_second_without_body() } else { closing_at_the_second(Duration::ZERO) };
        let (totals, figures) = run_step(addr, 10, step);
        assert_eq!((figures.errors, figures.retries), (0, 9), "{method}: {:?}", totals.reasons.list());
    }
    for method in ["POST", "PATCH"] {
        let step = Step { method: Some(method.to_owned()), ..Step::default() };
        let (totals, figures) = run_step(closing_at_the_second(Duration::ZERO), 10, step);
        assert_eq!((classes(&figures), figures.retries), (vec!["reset:5".to_owned()], 0), "{method}");
        assert_eq!(totals.reasons.of(Failure::Reset).collect::<Vec<_>>(), [(Reason::Stale, 5)], "{method}");
    }
}

fn closing_at_the_second_without_body() -> SocketAddr {
    server(|mut stream| {
        if read_head(&mut stream) {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n").unwrap();
            read_head(&mut stream);
        }
    })
}

#[test]
fn the_time_of_a_request_that_was_sent_again_goes_on_from_its_first_sending() {
    let (_, figures) = run_step(closing_at_the_second(50 * MS), 2, Step::default());
    assert_eq!((figures.errors, figures.retries), (0, 1));
    assert!(figures.latency.max().is_some_and(|max| max >= 50_000_000), "{:?}", figures.latency.max());
    // It went out twice, and its bytes with it.
    assert_eq!((figures.bytes_in, figures.bytes_out % 3), (2 * OK.len() as u64, 0));
}

#[test]
fn a_request_is_sent_again_once_and_within_its_time_out() {
    let connections = Arc::new(AtomicUsize::new(0));
    // The one that makes sure that there is a target is the first.
    let only_the_second_answers = |then: fn(TcpStream)| {
        let count = Arc::clone(&connections);
        count.store(0, Ordering::Relaxed);
        server(move |mut stream| {
            let at = count.fetch_add(1, Ordering::Relaxed);
            if !read_head(&mut stream) || at > 1 {
                return then(stream);
            }
            stream.write_all(OK).unwrap();
            read_head(&mut stream);
        })
    };
    let (totals, figures) = run_step(only_the_second_answers(drop), 3, Step::default());
    assert_eq!((classes(&figures), figures.retries), (vec!["reset:2".to_owned()], 1));
    assert_eq!(totals.reasons.of(Failure::Reset).collect::<Vec<_>>(), [(Reason::Closed, 2)]);
    let plan = Plan { timeout: Some(300 * MS), ..times(only_the_second_answers(hold), 2) };
    let (_, figures) = run(&plan);
    assert_eq!((classes(&figures), figures.retries), (vec!["timeout:1".to_owned()], 1));
    assert!(
        figures.failed_latency.max().is_some_and(|max| max >= 300_000_000),
        "{:?}",
        figures.failed_latency.max()
    );
}

//! What a bad server does to a run: each failure has its class, its true duration, and is counted once.

use std::{
    io::Write,
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::support::{answering, classes, eventually, read_head, run, server, timed, times};
use barewire::Registry;
use barewire_runner::{Plan, Run, RunError, Step, ThinkTime};

const MS: Duration = Duration::from_millis(1);

/// Runs so many requests; the failures.
fn failures(addr: SocketAddr, requests: u64) -> Vec<String> {
    let (totals, figures) = run(&times(addr, requests));
    assert_eq!((totals.completed, figures.requests, timed(&figures)), (requests, requests, requests));
    classes(&figures)
}

#[test]
fn good_responses_of_every_framing_are_no_failures() {
    const OK: &[&[u8]] = &[
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nT: r\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    ];
    for response in OK {
        for cut in [0, 1, 10, response.len() - 1] {
            let empty: [&str; 0] = [];
            assert_eq!(
                failures(answering(response, cut, false), 3),
                empty,
                "{}",
                String::from_utf8_lossy(response)
            );
        }
    }
}

#[test]
fn a_response_that_ends_with_the_connection_is_whole_and_the_next_request_has_a_new_one() {
    const CLOSED: &[&[u8]] = &[
        b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi",
        // Not announced: the end is seen before the next request is sent.
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    ];
    for response in CLOSED {
        let plan =
            Plan { think_time: Some(ThinkTime::constant(20 * MS)), ..times(answering(response, 5, true), 3) };
        let (_, figures) = run(&plan);
        assert_eq!((figures.requests, figures.errors), (3, 0), "{}", String::from_utf8_lossy(response));
    }
}

#[test]
fn a_connection_that_is_closed_while_nothing_is_asked_of_it_is_made_anew() {
    let addr = server(|mut stream| {
        read_head(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").unwrap();
        thread::sleep(30 * MS);
    });
    let plan = Plan { think_time: Some(ThinkTime::constant(100 * MS)), ..times(addr, 3) };
    let (_, figures) = run(&plan);
    assert_eq!((figures.requests, figures.errors), (3, 0));
}

#[test]
fn a_response_to_head_has_no_body_whatever_it_says() {
    let addr = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 3, false);
    let steps = vec![Step { method: Some("HEAD".to_owned()), ..Step::default() }];
    let (_, figures) = run(&Plan { steps, ..times(addr, 3) });
    assert_eq!((figures.requests, figures.errors), (3, 0));
}

#[test]
fn what_stands_behind_a_response_costs_the_connection_and_not_the_request() {
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    let addr = server(move |mut stream| {
        count.fetch_add(1, Ordering::SeqCst);
        while read_head(&mut stream) {
            let _ignored = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi there").is_ok();
        }
    });
    let empty: [&str; 0] = [];
    assert_eq!(failures(addr, 3), empty);
    // One more looked whether anybody is there.
    assert!(eventually(|| connections.load(Ordering::SeqCst) == 4), "{connections:?}");
}

#[test]
fn what_is_not_http_is_a_protocol_failure() {
    const GARBAGE: &[&[u8]] = &[
        b"hello\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ];
    for response in GARBAGE {
        assert_eq!(
            failures(answering(response, 0, false), 2),
            ["protocol:2"],
            "{}",
            String::from_utf8_lossy(response)
        );
    }
}

#[test]
fn a_response_that_is_cut_off_is_a_reset() {
    const PARTS: &[&[u8]] =
        &[b"", b"HTTP/1.1 200 OK\r\nConte", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi"];
    for part in PARTS {
        assert_eq!(failures(answering(part, 0, true), 2), ["reset:2"], "{}", String::from_utf8_lossy(part));
    }
}

#[test]
fn a_reset_in_the_middle_of_a_head_is_a_reset() {
    let addr = server(|mut stream| {
        if read_head(&mut stream) {
            stream.write_all(b"HTTP/1.1 200 OK\r\nCont").unwrap();
            socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        }
    });
    assert_eq!(failures(addr, 2), ["reset:2"]);
}

#[test]
fn an_unexpected_status_is_a_failure_and_keeps_the_connection() {
    let addr = answering(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 0, false);
    assert_eq!(failures(addr, 3), ["status:3"]);
}

#[test]
fn a_timeout_has_its_true_duration() {
    let addr = server(|mut stream| while read_head(&mut stream) {});
    let plan = Plan { timeout: Some(150 * MS), ..times(addr, 2) };
    let (_, figures) = run(&plan);
    assert_eq!(classes(&figures), ["timeout:2"]);
    let (least, most) = (figures.failed_latency.min().unwrap(), figures.failed_latency.max().unwrap());
    assert!(least >= 150_000_000 && most < 400_000_000, "{least} {most}");
}

#[test]
fn a_response_that_trickles_beyond_the_timeout_is_a_timeout() {
    let addr = server(|mut stream| {
        while read_head(&mut stream) {
            for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" {
                if stream.write_all(&[*byte]).is_err() {
                    return;
                }
                thread::sleep(20 * MS);
            }
        }
    });
    let (_, figures) = run(&Plan { timeout: Some(100 * MS), ..times(addr, 1) });
    assert_eq!(classes(&figures), ["timeout:1"]);
}

#[test]
fn a_target_that_nobody_listens_at_is_unreachable_before_anything_is_sent() {
    let addr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = Run::start(&times(addr, 1).check().unwrap(), &Registry::new("test"));
    let Err(RunError::Unreachable { target, why }) = refused else { panic!("{refused:?}") };
    assert_eq!((target, why.kind()), (format!("http://{addr}/"), std::io::ErrorKind::ConnectionRefused));
}

#[test]
fn a_target_that_goes_away_is_a_connect_failure_each_time_and_tried_ever_less_often() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    // It lives for the look before the run and for one request.
    thread::spawn(move || {
        drop(listener.accept());
        let (mut stream, _) = listener.accept().unwrap();
        drop(listener);
        read_head(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").unwrap();
    });
    let begin = Instant::now();
    assert_eq!(failures(addr, 5), ["connect:4"]);
    // 10, 20, 40 and 80 ms, the last one before there is nothing left to do.
    assert!((70 * MS..2000 * MS).contains(&begin.elapsed()), "{:?}", begin.elapsed());
}

#[test]
fn a_large_request_and_a_large_response_go_through_in_pieces() {
    let addr = server(|mut stream| {
        while read_head(&mut stream) {
            thread::sleep(50 * MS);
            let mut body = vec![0; 8 << 20];
            std::io::Read::read_exact(&mut stream, &mut body).unwrap();
            stream
                .write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes())
                .unwrap();
            stream.write_all(&body).unwrap();
        }
    });
    let steps = vec![Step { body: Some("x".repeat(8 << 20)), ..Step::default() }];
    let (_, figures) = run(&Plan { steps, ..times(addr, 3) });
    assert_eq!((figures.requests, figures.errors), (3, 0));
    assert!(figures.bytes_in > 3 << 23 && figures.bytes_out > 3 << 23);
}

#[test]
fn an_early_refusal_of_a_large_request_is_its_answer_and_ends_the_connection() {
    const REFUSALS: [&[u8]; 2] = [
        b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n",
    ];
    for refusal in REFUSALS {
        let addr = server(move |mut stream| {
            read_head(&mut stream);
            stream.write_all(refusal).unwrap();
            thread::sleep(300 * MS);
        });
        let steps = vec![Step { body: Some("x".repeat(32 << 20)), ..Step::default() }];
        let (_, figures) = run(&Plan { steps, ..times(addr, 2) });
        assert_eq!(classes(&figures), ["status:2"]);
    }
}

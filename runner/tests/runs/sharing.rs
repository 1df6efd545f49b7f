//! Threads serve each other's arrivals: how many there are makes no difference to who waits.

use std::{
    io::Write,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use barewire_runner::{Figures, Plan, Totals};

use crate::support::{read_head, run, server};

const MS: Duration = Duration::from_millis(1);

/// A server whose answer to request `n`, of all its connections, takes as long as `delay` says.
fn delaying(delay: fn(usize) -> Duration) -> SocketAddr {
    let count = Arc::new(AtomicUsize::new(0));
    server(move |mut stream| {
        while read_head(&mut stream) {
            thread::sleep(delay(count.fetch_add(1, Ordering::Relaxed)));
            if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").is_err() {
                return;
            }
        }
    })
}

/// A second of arrivals, 50 in all, over so many connections.
fn arrivals(delay: fn(usize) -> Duration, connections: u32, threads: u32) -> (Totals, Figures) {
    let plan = Plan {
        rate: Some(50.0),
        duration: Some(1000 * MS),
        connections: Some(connections),
        threads: Some(threads),
        timeout: Some(1500 * MS),
        ..Plan::get(format!("http://{}/", delaying(delay)))
    };
    run(&plan)
}

/// Whether no arrival waited for a connection, in one of a few runs: a busy machine may hold up any of them.
fn nobody_waits(delay: fn(usize) -> Duration, connections: u32, threads: u32) -> bool {
    (0..3).any(|_| {
        let (totals, figures) = arrivals(delay, connections, threads);
        assert_eq!((totals.scheduled, totals.dropped, totals.unfinished), (50, 0, 0));
        assert_eq!(figures.schedule_slip.count(), 50);
        figures.schedule_slip.max().is_some_and(|slip_ns| slip_ns < 300_000_000)
    })
}

#[test]
fn one_connection_that_hangs_delays_no_arrival_while_another_is_free() {
    let hangs_once = |request| if request == 0 { 5000 * MS } else { Duration::ZERO };
    thread::scope(|scope| {
        for threads in [1, 2] {
            scope.spawn(move || assert!(nobody_waits(hangs_once, 2, threads), "{threads} threads"));
        }
    });
}

#[test]
fn a_slow_answer_now_and_then_delays_no_arrival_however_many_threads_there_are() {
    let slow_at_times = |request| if request % 20 == 10 { 800 * MS } else { Duration::ZERO };
    thread::scope(|scope| {
        for threads in [1, 2, 8] {
            scope.spawn(move || assert!(nobody_waits(slow_at_times, 8, threads), "{threads} threads"));
        }
    });
}

//! Requests told of one by one: what a receiver got and what was counted as lost make up all of them, and the load has
//! not felt it.

mod support;

use rustix::net::sockopt::set_socket_recv_buffer_size;
use std::fs;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use support::{Dir, Ended, PATIENCE, RESULTS, Target, barewire, barewire_to_end, count, poll};

/// Three lines of DogStatsD tell of a request.
const LINES: u64 = 3;
/// Room for all that a test sends, whenever it is read.
const ROOM_BYTES: usize = 4 << 20;
/// The most bytes of a UDP datagram.
const UDP_LIMIT_BYTES: usize = 1432;
const RATE: u64 = 500;
const SECONDS: u64 = 4;

/// A UDP socket of ours with room for `bytes`, doubled by the kernel.
fn receiver(bytes: usize) -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    set_socket_recv_buffer_size(&socket, bytes).expect("room");
    socket
}

fn url(socket: &UdpSocket) -> String {
    format!("udp://{}", socket.local_addr().expect("its address"))
}

/// The arguments of a run of `RATE * SECONDS` requests on one thread.
fn arguments<'a>(target: &'a str, seconds: &'a str, rate: &'a str, statsd: &'a str) -> [&'a str; 16] {
    [
        "run",
        target,
        "-c",
        "16",
        "-t",
        "1",
        "-d",
        seconds,
        "-r",
        rate,
        "--statsd",
        statsd,
        "--profile",
        "statsd=loaddensity",
        "--results",
        RESULTS,
    ]
}

/// Runs to the end, and sees that every request that was due was sent.
fn run(statsd: &str, more: &[&str]) -> Ended {
    let target = Target::start(&[]);
    let (url, seconds, rate) = (target.url(), format!("{SECONDS}s"), RATE.to_string());
    let ended =
        barewire_to_end(arguments(&url, &seconds, &rate, statsd).into_iter().chain(more.iter().copied()));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let iterations = &ended.results["iterations"];
    let counts = ["scheduled", "completed", "dropped", "unfinished"].map(|what| count(iterations, what));
    assert_eq!(counts, [RATE * SECONDS, RATE * SECONDS, 0, 0], "the load was hurt");
    assert_eq!((ended.requests(), target.requests()), (RATE * SECONDS, RATE * SECONDS));
    ended
}

/// Everything that is there to be read, without waiting for more.
fn read_all(mut recv: impl FnMut(&mut [u8]) -> io::Result<usize>) -> Vec<String> {
    let mut datagrams = Vec::new();
    let mut buffer = [0; 65536];
    loop {
        match recv(&mut buffer) {
            Ok(length) => datagrams.push(String::from_utf8_lossy(&buffer[..length]).into_owned()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return datagrams,
            Err(error) => panic!("{error}"),
        }
    }
}

/// The lines that tell of single requests.
fn lines(datagrams: &[String]) -> Vec<&str> {
    let lines = datagrams.iter().flat_map(|datagram| datagram.lines());
    lines.filter(|line| line.starts_with("loaddensity.")).collect()
}

/// How many datagrams the kernel threw away because the socket had no room: the sender is not told of them.
fn dropped_by_the_kernel(socket: &UdpSocket) -> u64 {
    let port = socket.local_addr().expect("its address").port();
    let table = fs::read_to_string("/proc/net/udp").expect("the kernel's table");
    let rows = table.lines().map(|row| row.split_whitespace().collect::<Vec<_>>());
    let row =
        rows.into_iter().find(|row| row.get(1).is_some_and(|local| local.ends_with(&format!(":{port:04X}"))));
    row.and_then(|row| row.last()?.parse().ok()).expect("the row of the socket")
}

#[test]
fn a_receiver_that_holds_the_rate_gets_three_lines_of_every_request() {
    let socket = receiver(ROOM_BYTES);
    let statsd = url(&socket);
    let ours = socket.try_clone().expect("the same socket");
    ours.set_read_timeout(Some(Duration::from_millis(100))).expect("a time-out");
    let (sender, arrived) = mpsc::channel();
    thread::spawn(move || while sender.send(read_all(|buffer| ours.recv(buffer))).is_ok() {});
    let ended = run(&statsd, &[]);
    let requests = ended.requests();
    let account = ended.exporter("statsd");
    assert_eq!((count(account, "samples"), count(account, "samples_lost")), (requests, 0), "{account:#}");

    let mut datagrams = Vec::new();
    poll(PATIENCE, "three lines of every request", || {
        datagrams.extend(arrived.try_iter().flatten());
        (lines(&datagrams).len() as u64 >= LINES * requests).then_some(())
    });
    assert_eq!(dropped_by_the_kernel(&socket), 0);
    let lines = lines(&datagrams);
    let tags = "|#method:GET,name:GET /,outcome:success";
    for (name, kind) in [("requests", "c"), ("request.latency", "ms"), ("response.size", "h")] {
        let of_name = lines.iter().filter(|line| line.starts_with(&format!("loaddensity.{name}:")));
        assert!(of_name.clone().all(|line| line.ends_with(&format!("|{kind}{tags}"))), "{name}");
        assert_eq!(of_name.count() as u64, requests, "{name}");
    }
    assert_eq!(lines.len() as u64, LINES * requests);
    assert!(datagrams.iter().all(|datagram| datagram.len() <= UDP_LIMIT_BYTES && datagram.ends_with('\n')));
}

#[test]
fn what_a_socket_without_room_refuses_is_counted() {
    let dir = Dir::new();
    let path = dir.path().join("nobody-reads.socket");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_nonblocking(true).expect("a socket that does not wait");
    let ended = run(&format!("unixgram:{}", path.display()), &[]);
    let datagrams = read_all(|buffer| socket.recv(buffer));
    let (received, account) = (lines(&datagrams).len() as u64, ended.exporter("statsd"));
    let lost = count(account, "samples_lost");
    assert!(received > 0 && lost > 0, "{received} lines, {account:#}");
    assert_eq!(received + LINES * lost, LINES * ended.requests(), "{account:#}");
    assert_eq!(received, LINES * count(account, "samples"), "{account:#}");
}

#[test]
fn what_the_kernel_drops_of_udp_is_all_that_nobody_counts() {
    // Room for some of it, and nobody who makes more.
    let socket = receiver(64 << 10);
    socket.set_nonblocking(true).expect("a socket that does not wait");
    let ended = run(&url(&socket), &[]);
    let (account, dropped) = (ended.exporter("statsd"), dropped_by_the_kernel(&socket));
    let datagrams = read_all(|buffer| socket.recv(buffer));
    let lines = lines(&datagrams);
    let accounted = lines.len() as u64 + LINES * count(account, "samples_lost");
    let missing = (LINES * ended.requests()).checked_sub(accounted).expect("no line that nobody sent");
    assert!(dropped > 0 && missing > 0, "{dropped} datagrams dropped, {missing} lines missing");
    // The kernel counts datagrams and not lines, so this is as near as it can be told.
    let shortest = lines.iter().map(|line| line.len() + 1).min().expect("a line");
    let most = (UDP_LIMIT_BYTES / shortest) as u64;
    assert!(missing <= dropped * most, "{missing} lines in {dropped} datagrams of at most {most}");
}

#[test]
fn a_receiver_that_is_not_there_costs_all_lines_and_each_is_counted() {
    let socket = receiver(ROOM_BYTES);
    let statsd = url(&socket);
    drop(socket);
    let ended = run(&statsd, &[]);
    let account = ended.exporter("statsd");
    assert_eq!(
        (count(account, "samples"), count(account, "samples_lost")),
        (0, ended.requests()),
        "{account:#}"
    );
    let told = format!("  statsd: {0} of {0} samples were lost\n", ended.requests());
    assert!(ended.stdout.contains(&told), "no {told:?} in {}", ended.stdout);
}

#[test]
fn a_receiver_that_freezes_gets_the_rest_afterwards_or_it_is_counted() {
    let dir = Dir::new();
    let path = dir.path().join("frozen.socket");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_nonblocking(true).expect("a socket that does not wait");
    let target = Target::start(&[]);
    let (url, statsd) = (target.url(), format!("unixgram:{}", path.display()));
    let run = barewire(arguments(&url, "4s", "500", &statsd));
    let mut datagrams = Vec::new();
    let mut read = |until: u64| {
        poll(PATIENCE, "requests at the target", || {
            datagrams.extend(read_all(|buffer| socket.recv(buffer)));
            (target.requests() >= until).then_some(())
        });
        lines(&datagrams).len() as u64
    };
    let before = read(500);
    // Frozen: nothing is read while these are sent.
    poll(PATIENCE, "more requests at the target", || (target.requests() >= 1500).then_some(()));
    read(2000);
    let ended = Ended::of(run);
    let received = read(2000);
    let (account, requests) = (ended.exporter("statsd"), ended.requests());
    let lost = count(account, "samples_lost");
    assert!(before > 0 && received > before && lost > 0, "{before}, {received}, {account:#}");
    assert_eq!((received + LINES * lost, requests), (LINES * requests, 2000), "{account:#}");
}

#[test]
fn a_share_of_the_requests_is_told_with_its_rate() {
    let socket = receiver(ROOM_BYTES);
    socket.set_nonblocking(true).expect("a socket that does not wait");
    let ended = run(&url(&socket), &["--sample-rate", "0.1"]);
    let (account, shown) = (ended.exporter("statsd"), ended.requests() / 10);
    assert_eq!((count(account, "samples"), count(account, "samples_lost")), (shown, 0), "{account:#}");
    let datagrams = read_all(|buffer| socket.recv(buffer));
    let lines = lines(&datagrams);
    assert_eq!(lines.len() as u64, LINES * shown);
    assert!(lines.iter().all(|line| line.contains("|@0.1|#")), "{lines:?}");
}

use std::{
    io::{Read as _, Write as _},
    net::TcpStream as Client,
    sync::atomic::AtomicUsize,
};

use super::*;
use crate::{
    accept::{Coding, Exposition},
    page::Page,
    scraper::Visit,
};

const GET: &str = "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n";
const PAGE: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nVary: Accept, Accept-Encoding\r\nContent-Length: 4\r\n\r\nm 1\n";

/// Always the same page, and a count of how often it was taken.
struct Same(Arc<Page>, Arc<AtomicUsize>);

impl Pages for Same {
    fn newest(&mut self, _: Exposition, _: Coding) -> Arc<Page> {
        Arc::clone(&self.0)
    }

    fn taken(&mut self, _: &Page, _: &mut Visit) {
        self.1.fetch_add(1, Ordering::Relaxed);
    }
}

fn serve(page: &[u8], limits: Limits) -> (Server, Arc<AtomicUsize>) {
    let taken = Arc::new(AtomicUsize::new(0));
    let page = Page { bytes: page.to_vec(), ..Page::default() };
    let pages = Same(Arc::new(page), Arc::clone(&taken));
    (Server::start("127.0.0.1:0".parse().unwrap(), limits, pages).unwrap(), taken)
}

fn server() -> Server {
    serve(b"m 1\n", Limits::default()).0
}

fn connect(server: &Server) -> Client {
    let client = Client::connect(server.local_addr()).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    client
}

fn exchange(client: &mut Client, request: &str, expected: &str) {
    client.write_all(request.as_bytes()).unwrap();
    let mut answer = vec![0; expected.len()];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(String::from_utf8(answer).unwrap(), expected);
}

/// Everything up to the end of the connection, orderly or not.
fn rest(client: &mut Client) -> String {
    let mut rest = Vec::new();
    match client.read_to_end(&mut rest) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("not closed: {error}"),
        _ => String::from_utf8(rest).unwrap(),
    }
}

fn impatient(idle: u64, request: u64, answer: u64) -> Limits {
    let [idle, request, answer] = [idle, request, answer].map(Duration::from_millis);
    Limits { patience: Patience { idle, request, answer, ..Patience::default() }, ..Limits::default() }
}

#[test]
fn a_connection_serves_one_request_after_another() {
    let (server, taken) = serve(b"m 1\n", Limits::default());
    let mut client = connect(&server);
    for _ in 0..3 {
        exchange(&mut client, GET, PAGE);
    }
    let head = &PAGE[..PAGE.len() - 4];
    exchange(&mut client, &GET.replace("GET", "HEAD"), head);
    exchange(&mut client, &GET.replace("/metrics", "/"), "HTTP/1.1 404 Not Found\r\n");
    assert_eq!(taken.load(Ordering::Relaxed), 3);
}

#[test]
fn requests_that_come_at_once_are_answered_in_order() {
    let server = server();
    let mut client = connect(&server);
    exchange(&mut client, &GET.repeat(500), &PAGE.repeat(500));
    let last = format!("{GET}GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n{GET}");
    exchange(&mut client, &last, PAGE);
    let rest = rest(&mut client);
    assert_eq!(rest.matches("HTTP/1.1 200 OK").count(), 1, "{rest}");
}

#[test]
fn a_request_may_come_in_pieces() {
    let server = server();
    let mut client = connect(&server);
    client.set_nodelay(true).unwrap();
    for at in 1..GET.len() {
        client.write_all(&GET.as_bytes()[..at]).unwrap();
        exchange(&mut client, &GET[at..], PAGE);
    }
}

#[test]
fn a_peer_that_shuts_its_side_gets_its_answer() {
    let server = server();
    let mut client = connect(&server);
    client.write_all(GET.as_bytes()).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(rest(&mut client), PAGE);
}

#[test]
fn what_is_no_request_is_refused_and_closed() {
    let server = server();
    for (request, status) in [
        ("\0\x01\x02garbage\r\n\r\n".to_owned(), 400),
        ("GET /metrics\r\n\r\n".to_owned(), 400),
        (GET.replace("Host: h", "Host: h\r\nContent-Length: 5") + "abcde", 400),
        (GET.replace("Host: h", "Host: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 5"), 400),
        ("a".repeat(20_000), 431),
        (GET.replace("\r\n\r\n", "\n\n"), 400),
        (GET.replace("h\r\n\r\n", "h\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"), 400),
    ] {
        let mut client = connect(&server);
        client.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).expect("an orderly end, or the answer may be lost on its way");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
}

#[test]
fn a_refused_peer_cannot_send_for_ever() {
    let server = server();
    let mut client = connect(&server);
    client.write_all(GET.replace("Host: h", "Host: h\r\nContent-Length: 99999999999").as_bytes()).unwrap();
    let sent = (0..100_000).position(|_| client.write_all(&[b'a'; 1024]).is_err());
    assert!(sent.is_some(), "100 MB were taken");
}

#[test]
fn a_peer_that_says_nothing_is_cut_off() {
    let (server, _) = serve(b"m 1\n", impatient(100, 60_000, 60_000));
    let began = Instant::now();
    let mut client = connect(&server);
    exchange(&mut client, GET, PAGE);
    assert_eq!(rest(&mut client), "");
    assert!(began.elapsed() >= Duration::from_millis(100));
}

#[test]
fn a_request_that_drips_is_cut_off_at_its_deadline() {
    let (server, _) = serve(b"m 1\n", impatient(60_000, 200, 60_000));
    let mut client = connect(&server);
    client.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let began = Instant::now();
    let deadline = began + Duration::from_secs(10);
    let mut is_open = true;
    while is_open {
        assert!(Instant::now() < deadline, "still open");
        let sent = client.write_all(b"G");
        let read = client.read(&mut [0]).map_err(|error| error.kind());
        is_open = sent.is_ok() && matches!(read, Err(ErrorKind::WouldBlock | ErrorKind::TimedOut));
    }
    assert!(began.elapsed() >= Duration::from_millis(200));
}

#[test]
fn a_peer_that_does_not_read_is_cut_off() {
    let page = vec![b'a'; 64 << 20];
    let (server, taken) = serve(&page, impatient(60_000, 60_000, 200));
    let mut slow = connect(&server);
    slow.write_all(GET.as_bytes()).unwrap();
    let mut first = [0];
    slow.read_exact(&mut first).unwrap();
    wait_until(|| slow.write_all(b"a").is_err());
    assert!(rest(&mut slow).len() < page.len());
    assert_eq!(taken.load(Ordering::Relaxed), 0);
}

fn wait_until(mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !is_so() {
        assert!(Instant::now() < deadline, "it never came to be");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn idle_connections_make_room_for_a_scrape_oldest_first() {
    let server = server();
    let mut idle: Vec<Client> = (0..300).map(|_| connect(&server)).collect();
    let scrape = || {
        let began = Instant::now();
        exchange(&mut connect(&server), GET, PAGE);
        began.elapsed()
    };
    let fastest = (0..5).map(|_| scrape()).min().unwrap();
    assert!(fastest < Duration::from_secs(5), "{fastest:?}");
    assert_eq!(rest(&mut idle[0]), "");
    exchange(&mut idle[299], GET, PAGE);
}

#[test]
fn requests_in_the_making_make_room_too() {
    let (server, _) = serve(b"m 1\n", Limits { connections: 2, ..Limits::default() });
    let mut stalling: Vec<Client> = (0..3).map(|_| connect(&server)).collect();
    for client in &mut stalling[1..] {
        client.write_all(b"G").unwrap();
    }
    exchange(&mut connect(&server), GET, PAGE);
}

#[test]
fn answers_that_nobody_reads_do_not_cost_a_newcomer_its_place() {
    let page = vec![b'a'; 64 << 20];
    let (server, _) = serve(&page, Limits { connections: 4, ..Limits::default() });
    let mut never_read: Vec<Client> = (0..4).map(|_| connect(&server)).collect();
    for client in &mut never_read {
        client.write_all(GET.as_bytes()).unwrap();
        client.read_exact(&mut [0]).unwrap();
    }
    let mut newcomers = Vec::new();
    for client in &mut never_read[..2] {
        newcomers.push(connect(&server));
        // It has that one's place.
        rest(client);
    }
    let first = &mut newcomers[0];
    first.write_all(GET.as_bytes()).unwrap();
    first.read_exact(&mut [0]).unwrap();
}

#[test]
fn a_dropped_server_is_gone_at_once() {
    let server = server();
    let mut client = connect(&server);
    exchange(&mut client, GET, PAGE);
    let addr = server.local_addr();
    drop(server);
    assert_eq!(rest(&mut client), "");
    assert!(Client::connect(addr).is_err());
}

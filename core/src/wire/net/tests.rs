//! The client against small servers on loopback.

mod early;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc,
    thread::{self, JoinHandle},
};

use super::*;

const HEAD: &[u8] = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// What a server does with its connections, one after the other; then it tells whether another one came.
type Script = Vec<Box<dyn FnOnce(TcpStream) + Send>>;

/// A server that runs its script and ends, and the client of it.
fn server(script: Script) -> (Client, Server) {
    server_on("127.0.0.1", script)
}

fn server_on(host: &str, script: Script) -> (Client, Server) {
    let listener = TcpListener::bind((host, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let thread = thread::spawn(move || {
        for connection in script {
            connection(listener.accept().unwrap().0);
        }
        listener
    });
    (client(address), Server { thread })
}

fn client(address: SocketAddr) -> Client {
    Client::new(&format!("http://{address}/").parse().unwrap()).unwrap()
}

struct Server {
    thread: JoinHandle<TcpListener>,
}

impl Server {
    /// The script ran to its end, and nobody connected once more.
    fn done(self) {
        let listener = self.thread.join().unwrap();
        listener.set_nonblocking(true).unwrap();
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    }
}

/// Reads one request with the head above.
fn read_request(stream: &mut TcpStream) {
    let mut request = vec![0; HEAD.len() + 2];
    stream.read_exact(&mut request).unwrap();
    assert_eq!(request, [HEAD, b"{}"].concat());
}

/// Answers as many requests as there are responses, then closes.
fn answering<const N: usize>(responses: [&'static [u8]; N]) -> Box<dyn FnOnce(TcpStream) + Send> {
    Box::new(move |mut stream| {
        for response in responses {
            read_request(&mut stream);
            stream.write_all(response).unwrap();
        }
    })
}

/// Reads one request and closes.
fn closing(mut stream: TcpStream) {
    read_request(&mut stream);
}

/// Answers one request, reads another and closes.
fn going_stale(mut stream: TcpStream) {
    read_request(&mut stream);
    stream.write_all(OK).unwrap();
    read_request(&mut stream);
}

/// Holds the connection without a word until it is told to let go.
fn holding(done: mpsc::Receiver<()>) -> Box<dyn FnOnce(TcpStream) + Send> {
    Box::new(move |_stream| done.recv_timeout(Duration::from_secs(20)).expect("the client to be done"))
}

fn in_time() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

fn send(client: &mut Client, on_stale: OnStale) -> Result<(u16, Vec<u8>), String> {
    match client.send(HEAD, b"{}", on_stale, in_time()) {
        Ok(response) => Ok((response.status, response.body.to_vec())),
        Err(error) => {
            Err(error.to_string().strip_prefix(&format!("{}: ", client.peer())).unwrap().to_owned())
        }
    }
}

fn ok() -> Result<(u16, Vec<u8>), String> {
    Ok((200, b"ok".to_vec()))
}

/// Sends a request that cannot end in time, and tells in which stage the time ran out.
fn stage_of_time_out(client: &mut Client, body: &[u8]) -> Stage {
    let patience = Duration::from_millis(200);
    let start = Instant::now();
    let error = client.send(HEAD, body, OnStale::Retry, start + patience).unwrap_err();
    let took = start.elapsed();
    // The kernel counts a socket's time-out in ticks of its own, of some milliseconds, the first of them begun.
    let tick = Duration::from_millis(10);
    assert!(took + tick >= patience && took < patience + Duration::from_secs(2), "{took:?}");
    match error.kind {
        NetErrorKind::TimedOut { during } => during,
        other => panic!("{other}"),
    }
}

#[test]
fn a_connection_is_kept_for_the_next_exchange() {
    let chunked = b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nA: b\r\n\r\n";
    let (mut client, server) = server(vec![answering([OK, chunked, OK])]);
    assert_eq!(send(&mut client, OnStale::Fail), ok());
    assert_eq!(send(&mut client, OnStale::Fail), Ok((202, b"ok".to_vec())));
    assert_eq!(send(&mut client, OnStale::Fail), ok());
    server.done();
}

#[test]
fn ipv6_is_spoken() {
    let (mut client, server) = server_on("::1", vec![answering([OK])]);
    assert!(client.peer().starts_with("[::1]:"));
    assert_eq!(send(&mut client, OnStale::Fail), ok());
    server.done();
}

#[test]
fn a_connection_that_says_close_or_ends_its_response_by_closing_is_not_kept() {
    let close = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
    let until_close = b"HTTP/1.1 200 OK\r\n\r\nok";
    let (mut client, server) = server(vec![answering([close]), answering([until_close]), answering([OK])]);
    for _ in 0..3 {
        assert_eq!(send(&mut client, OnStale::Fail), ok());
    }
    server.done();
}

#[test]
fn a_connection_on_which_the_peer_speaks_out_of_turn_is_not_kept() {
    let extra = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 408 Request Timeout\r\n\r\n";
    let (mut client, server) = server(vec![answering([extra]), answering([OK])]);
    assert_eq!(send(&mut client, OnStale::Fail), ok());
    assert!(client.stream.is_none());
    assert_eq!(send(&mut client, OnStale::Fail), ok());
    server.done();
}

#[test]
fn a_connection_that_was_closed_or_spoken_to_while_idle_is_left_without_a_retry() {
    for farewell in [&b""[..], b"HTTP/1.1 408 Request Timeout\r\n\r\n"] {
        let (told, tell) = mpsc::channel::<()>();
        let first = move |mut stream: TcpStream| {
            read_request(&mut stream);
            stream.write_all(OK).unwrap();
            tell.recv().unwrap();
            stream.write_all(farewell).unwrap();
        };
        let (mut client, server) = server(vec![Box::new(first), answering([OK])]);
        assert_eq!(send(&mut client, OnStale::Fail), ok());
        told.send(()).unwrap();
        let deadline = in_time();
        while client.stream.as_mut().unwrap().is_quiet() {
            assert!(Instant::now() < deadline);
            thread::yield_now();
        }
        assert_eq!(send(&mut client, OnStale::Fail), ok());
        server.done();
    }
}

#[test]
fn a_stale_connection_is_retried_once_on_a_new_one() {
    let (mut client, server) = server(vec![Box::new(going_stale), answering([OK])]);
    assert_eq!(send(&mut client, OnStale::Retry), ok());
    assert_eq!(send(&mut client, OnStale::Retry), ok());
    server.done();
}

#[test]
fn a_retry_is_not_retried() {
    let (mut client, server) = server(vec![Box::new(going_stale), Box::new(closing)]);
    assert_eq!(send(&mut client, OnStale::Retry), ok());
    let error = Err("cannot read the response: closed without a response".to_owned());
    assert_eq!(send(&mut client, OnStale::Retry), error);
    server.done();
}

#[test]
fn a_stale_connection_is_not_retried_when_that_is_not_allowed() {
    let (mut client, server) = server(vec![Box::new(going_stale)]);
    assert_eq!(send(&mut client, OnStale::Fail), ok());
    let error = Err("cannot read the response: closed without a response".to_owned());
    assert_eq!(send(&mut client, OnStale::Fail), error);
    server.done();
}

#[test]
fn a_new_connection_that_is_closed_is_not_retried() {
    let (mut client, server) = server(vec![Box::new(closing)]);
    let error = Err("cannot read the response: closed without a response".to_owned());
    assert_eq!(send(&mut client, OnStale::Retry), error);
    server.done();
}

#[test]
fn a_response_that_breaks_off_is_not_retried() {
    let (mut client, server) =
        server(vec![answering([OK, b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok"])]);
    assert_eq!(send(&mut client, OnStale::Retry), ok());
    assert_eq!(
        send(&mut client, OnStale::Retry),
        Err("bad response: closed in the middle of a message".to_owned())
    );
    server.done();
}

#[test]
fn what_is_not_http_is_an_error() {
    let (mut client, server) = server(vec![answering([b"SSH-2.0-OpenSSH_9.2\r\n"])]);
    assert_eq!(
        send(&mut client, OnStale::Retry),
        Err("bad response: the first line is not one of http/1.1".to_owned())
    );
    server.done();
}

#[test]
fn any_status_is_a_response_and_redirects_are_not_followed() {
    let moved =
        b"HTTP/1.1 301 Moved Permanently\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    let (mut client, server) = server(vec![answering([moved])]);
    assert_eq!(send(&mut client, OnStale::Fail), Ok((301, Vec::new())));
    server.done();
}

#[test]
fn a_response_to_head_has_no_body() {
    let head = b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n";
    let answer = |mut stream: TcpStream| {
        for _ in 0..2 {
            stream.read_exact(&mut vec![0; head.len()]).unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n").unwrap();
        }
    };
    let (mut client, server) = server(vec![Box::new(answer)]);
    for _ in 0..2 {
        let response = client.send(head, b"", OnStale::Fail, in_time()).unwrap();
        assert_eq!((response.status, response.body), (200, &b""[..]));
    }
    server.done();
}

#[test]
fn the_pause_that_the_peer_asks_for_is_told() {
    let seconds = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 7\r\nContent-Length: 0\r\n\r\n";
    let absurd =
        b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 99999999999999999999\r\nContent-Length: 0\r\n\r\n";
    let date = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: Fri, 31 Dec 9999 23:59:59 GMT\r\nContent-Length: 0\r\n\r\n";
    let past = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 0\r\n\r\n";
    let odd = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n";
    let (mut client, server) = server(vec![answering([seconds, absurd, date, past, odd, OK])]);
    let mut expect = |status, pause| {
        let response = client.send(HEAD, b"{}", OnStale::Fail, in_time()).unwrap();
        assert_eq!((response.status, response.retry_after), (status, pause));
    };
    expect(503, Some(Duration::from_secs(7)));
    expect(429, Some(MAX_RETRY_AFTER));
    expect(429, Some(MAX_RETRY_AFTER));
    expect(429, Some(Duration::ZERO));
    expect(429, None);
    expect(200, None);
    server.done();
}

#[test]
fn a_body_is_read_up_to_its_limit_and_no_further() {
    let answer = |size: usize| {
        move |mut stream: TcpStream| {
            read_request(&mut stream);
            stream
                .write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n").as_bytes())
                .unwrap();
            // The client may leave before the end.
            drop(stream.write_all(&vec![b'x'; size]));
        }
    };
    let endless = |mut stream: TcpStream| {
        read_request(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    };
    let (mut client, server) = server(vec![
        Box::new(answer(MAX_BODY_BYTES)),
        Box::new(answer(MAX_BODY_BYTES + 1)),
        Box::new(endless),
    ]);
    assert_eq!(send(&mut client, OnStale::Fail), Ok((200, vec![b'x'; MAX_BODY_BYTES])));
    client.stream = None;
    for _ in 0..2 {
        let error = send(&mut client, OnStale::Fail);
        assert_eq!(error, Err("the response is larger than 4194304 bytes".to_owned()));
    }
    server.done();
}

#[test]
fn a_head_longer_than_the_first_buffer_is_read_and_one_beyond_the_limit_is_not() {
    let answer = |padding: usize| {
        move |mut stream: TcpStream| {
            read_request(&mut stream);
            let head =
                format!("HTTP/1.1 200 OK\r\nA: {}\r\nContent-Length: 2\r\n\r\nok", "x".repeat(padding));
            drop(stream.write_all(head.as_bytes()));
        }
    };
    let (mut client, server) = server(vec![Box::new(answer(60_000)), Box::new(answer(70_000))]);
    assert_eq!(send(&mut client, OnStale::Fail), ok());
    client.stream = None;
    assert_eq!(send(&mut client, OnStale::Fail), Err("bad response: the head is too long".to_owned()));
    server.done();
}

#[test]
fn a_connection_that_the_request_says_to_close_is_not_kept() {
    let head = b"POST / HTTP/1.1\r\nHost: h\r\nconnection: a, Close\r\nContent-Length: 2\r\n\r\n";
    let answer = || -> Box<dyn FnOnce(TcpStream) + Send> {
        Box::new(|mut stream| {
            stream.read_exact(&mut vec![0; head.len() + 2]).unwrap();
            stream.write_all(OK).unwrap();
            assert_eq!(stream.read(&mut [0]).unwrap(), 0, "closed by the client");
        })
    };
    let (mut client, server) = server(vec![answer(), answer()]);
    for _ in 0..2 {
        assert_eq!(client.send(head, b"{}", OnStale::Fail, in_time()).unwrap().status, 200);
    }
    server.done();
}

#[test]
fn a_peer_that_does_not_take_the_connection_is_left_at_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let patience = Duration::from_millis(100);
    let mut backlog = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, patience) {
        backlog.push(stream);
        assert!(backlog.len() < 10_000, "the backlog has no end");
    }
    assert_eq!(stage_of_time_out(&mut client(address), b"{}"), Stage::Connect);
}

#[test]
fn a_resolver_that_hangs_is_left_at_the_deadline() {
    let (release, released) = mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let mut client = client(([127, 0, 0, 1], 1).into());
    client.resolver = Resolver::with_lookup(
        "name",
        80,
        Arc::new(move |_, _| {
            released.lock().unwrap().recv().map_err(io::Error::other)?;
            Ok(Vec::new())
        }),
    );
    assert_eq!(stage_of_time_out(&mut client, b"{}"), Stage::Resolve);
    drop(release);
}

#[test]
fn a_peer_that_does_not_read_is_left_at_the_deadline() {
    let (done, wait) = mpsc::channel::<()>();
    let (mut client, server) = server(vec![holding(wait)]);
    assert_eq!(stage_of_time_out(&mut client, &vec![b'x'; 32 << 20]), Stage::Write);
    done.send(()).unwrap();
    server.done();
}

#[test]
fn a_peer_that_does_not_answer_is_left_at_the_deadline() {
    let (done, wait) = mpsc::channel::<()>();
    let (mut client, server) = server(vec![holding(wait)]);
    assert_eq!(stage_of_time_out(&mut client, b"{}"), Stage::Read);
    done.send(()).unwrap();
    server.done();
}

#[test]
fn a_peer_that_answers_byte_by_byte_is_left_at_the_deadline() {
    let dribble = |mut stream: TcpStream| {
        read_request(&mut stream);
        for byte in OK.iter().cycle() {
            if stream.write_all(&[*byte]).is_err() {
                break;
            }
            thread::sleep(Duration::from_millis(50));
        }
    };
    let (mut client, server) = server(vec![Box::new(dribble)]);
    assert_eq!(stage_of_time_out(&mut client, b"{}"), Stage::Read);
    server.done();
}

#[test]
fn a_deadline_that_has_passed_sends_nothing() {
    let (mut client, server) = server(vec![]);
    let error = client.send(HEAD, b"{}", OnStale::Retry, Instant::now()).unwrap_err();
    assert!(matches!(error.kind, NetErrorKind::TimedOut { during: Stage::Connect }));
    server.done();
}

#[test]
fn every_address_of_a_name_is_tried_and_looked_up_again_for_the_next_connection() {
    let close = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
    let (mut client, server) = server(vec![answering([close]), answering([close])]);
    let reachable: SocketAddr = client.peer().parse().unwrap();
    let refusing = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (looked_up, look_ups) = mpsc::channel();
    let looked_up = std::sync::Mutex::new(looked_up);
    client.resolver = Resolver::with_lookup(
        "name",
        80,
        Arc::new(move |host, port| {
            looked_up.lock().unwrap().send((host.to_owned(), port)).unwrap();
            Ok(vec![refusing, refusing, reachable])
        }),
    );
    for _ in 0..2 {
        assert_eq!(send(&mut client, OnStale::Fail), ok());
    }
    assert_eq!(look_ups.try_iter().collect::<Vec<_>>(), vec![("name".to_owned(), 80); 2]);
    server.done();
}

#[test]
fn a_refused_connection_names_the_peer() {
    let refusing = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = client(refusing).send(HEAD, b"{}", OnStale::Retry, in_time()).unwrap_err();
    assert!(
        matches!(&error.kind, NetErrorKind::Connect(error) if error.kind() == ErrorKind::ConnectionRefused)
    );
    assert!(error.to_string().starts_with(&format!("{refusing}: cannot connect: ")));
}

#[cfg(not(feature = "tls"))]
#[test]
fn https_is_refused_with_a_reason() {
    let error = Client::new(&"https://h/v1/metrics?token=secret".parse().unwrap()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "h:443: https needs the feature 'tls', which is off: turn it on, or use http"
    );
}

#[test]
fn debug_shows_the_peer_alone() {
    assert_eq!(format!("{:?}", client(([127, 0, 0, 1], 1).into())), "Client { peer: \"127.0.0.1:1\", .. }");
}

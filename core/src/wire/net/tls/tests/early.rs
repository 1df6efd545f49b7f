//! Answers that come before a request was sent whole.

use super::*;

#[test]
fn an_answer_of_a_peer_that_takes_no_more_and_does_not_close_is_heard() {
    let authority = Authority::new("early");
    for version in [&TLS12, &TLS13] {
        let (let_go, told) = mpsc::channel::<()>();
        let refuse = move |stream: &mut Secured| {
            stream.read_exact(&mut vec![0; HEAD.len()]).unwrap();
            stream.write_all(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\n").unwrap();
            stream.flush().unwrap();
            thread::sleep(Duration::from_millis(100));
            stream.write_all(b"no").unwrap();
            told.recv_timeout(PATIENCE).unwrap();
        };
        let mut running = Server::of(&authority).only(version).run(&authority.tls(), vec![Box::new(refuse)]);
        let deadline = Instant::now() + PATIENCE;
        let response = running.client.send(HEAD, &vec![b'x'; 32 << 20], OnStale::Fail, deadline).unwrap();
        assert_eq!((response.status, response.body), (413, b"no".as_slice()));
        let_go.send(()).unwrap();
        running.done();
    }
}

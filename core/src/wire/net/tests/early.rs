//! Answers that come before a request was sent whole.

use super::*;

#[test]
fn an_answer_that_comes_before_the_body_was_read_is_heard() {
    let refuse = |mut stream: TcpStream| {
        stream.read_exact(&mut vec![0; HEAD.len()]).unwrap();
        stream.write_all(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n").unwrap();
    };
    let (mut client, server) = server(vec![Box::new(refuse)]);
    let response = client.send(HEAD, &vec![b'x'; 32 << 20], OnStale::Fail, in_time()).unwrap();
    assert_eq!(response.status, 413);
    assert!(client.stream.is_none());
    server.done();
}

#[test]
fn an_answer_of_a_peer_that_takes_no_more_and_does_not_close_is_heard() {
    let (let_go, told) = mpsc::channel();
    let hold = holding(told);
    let refuse = |mut stream: TcpStream| {
        stream.read_exact(&mut vec![0; HEAD.len()]).unwrap();
        stream.write_all(b"HTTP/1.1 103 Early Hints\r\n\r\n").unwrap();
        // Not yet an answer: the peer is asked again.
        thread::sleep(Duration::from_millis(200));
        stream.read_exact(&mut vec![0; 1 << 20]).unwrap();
        stream.write_all(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n").unwrap();
        hold(stream);
    };
    let (mut client, server) = server(vec![Box::new(refuse)]);
    let response = client.send(HEAD, &vec![b'x'; 32 << 20], OnStale::Fail, in_time()).unwrap();
    assert_eq!(response.status, 413);
    assert!(client.stream.is_none());
    let_go.send(()).unwrap();
    server.done();
}

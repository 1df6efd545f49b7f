//! What is posted, and what becomes of the answer, against small servers on loopback.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::Duration,
};

use super::*;

const OK: &str = "HTTP/1.1 204 No Content\r\n\r\n";
const PATIENCE: Duration = Duration::from_secs(60);

/// A receiver with one prepared answer a request, and the heads it was sent.
struct Server {
    url: Url,
    heads: Receiver<String>,
}

impl Server {
    fn answering(answers: impl IntoIterator<Item = String>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/write?token=query-secret", listener.local_addr().unwrap());
        let (sender, heads) = channel();
        let answers: Vec<_> = answers.into_iter().collect();
        thread::spawn(move || converse(listener.accept().unwrap().0, answers, &sender));
        Server { url: url.parse().unwrap(), heads }
    }

    fn post(&self) -> Post {
        Post::new("test", self.url.clone(), "text/plain").unwrap()
    }

    fn head(&self) -> String {
        self.heads.recv_timeout(PATIENCE).expect("a request")
    }

    /// The values of `Authorization` of all requests so far.
    fn authorizations(&self) -> Vec<String> {
        let value = |head: &str| Some(head.split_once("Authorization: ")?.1.lines().next()?.to_owned());
        self.heads.try_iter().map(|head| value(&head).unwrap_or_default()).collect()
    }
}

fn converse(mut stream: TcpStream, answers: Vec<String>, sender: &Sender<String>) {
    for answer in answers {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let (_, length) = head.split_once("Content-Length: ").unwrap();
        stream.read_exact(&mut vec![0; length.trim_end().parse().unwrap()]).unwrap();
        // The test may have seen enough.
        drop(sender.send(head));
        stream.write_all(answer.as_bytes()).unwrap();
    }
}

fn answer(status: u16, body: &str) -> String {
    format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn refusal(post: &mut Post) -> String {
    let host = post.url().authority().to_owned();
    let answer = post.send(b"{}", OnStale::Fail, Instant::now() + PATIENCE).unwrap();
    assert!(!answer.is_success());
    answer.refusal().to_string().strip_prefix(&format!("{host} answered ")).unwrap().to_owned()
}

fn succeeds(post: &mut Post) {
    assert!(post.send(b"{}", OnStale::Fail, Instant::now() + PATIENCE).unwrap().is_success());
}

#[test]
fn the_answer_is_handed_back_whatever_its_status() {
    let server = Server::answering([answer(200, "taken"), answer(400, "{\"error\":\"partial write\"}")]);
    let mut post = server.post();
    for (status, body) in [(200, "taken"), (400, "{\"error\":\"partial write\"}")] {
        let answer = post.send(b"{}", OnStale::Fail, Instant::now() + PATIENCE).unwrap();
        assert_eq!((answer.status, answer.body), (status, body.as_bytes()));
        assert_eq!(answer.bytes, server.head().len() as u64 + 2);
        assert_eq!(answer.refusal_saying(" found\nin it").to_string().split_once(": ").unwrap().1, "found");
    }
}

#[test]
fn another_target_of_the_same_receiver_has_the_same_connection() {
    let server = Server::answering([OK.to_owned(), OK.to_owned()]);
    let mut post = server.post();
    succeeds(&mut post);
    let other = format!("http://{}/other", server.url.authority()).parse().unwrap();
    assert!(post.send_to(&other, b"{}", OnStale::Fail, Instant::now() + PATIENCE).unwrap().is_success());
    let targets = [server.head(), server.head()].map(|head| head.split(' ').nth(1).unwrap().to_owned());
    assert_eq!(targets, ["/write?token=query-secret", "/other"]);
}

#[test]
fn a_refusal_repeats_one_short_clean_line() {
    for (body, expected) in [
        ("", "400"),
        ("\r\n  bad \x1b[31mjson\r\nmore", "400: bad  [31mjson"),
        (&format!("{}a", " ".repeat(100_000)), "400: a"),
        ("{\n  \"message\": \"bad\\u001bjson\\nmore\"\n}", "400: bad json"),
        ("<html><title>No</title>", "400: an HTML page, 'No'"),
        (&"é".repeat(5000), &format!("400: {}", "é".repeat(MAX_MESSAGE_CHARS))),
        (&"𝛑".repeat(5000), &format!("400: {}", "𝛑".repeat(MAX_MESSAGE_CHARS))),
    ] {
        assert_eq!(refusal(&mut Server::answering([answer(400, body)]).post()), expected);
    }
}

#[test]
fn a_body_that_is_packed_otherwise_than_asked_for_is_no_message() {
    let packed = "HTTP/1.1 400 X\r\nContent-Encoding: br\r\nContent-Length: 4\r\n\r\n\u{1}\u{2}ab";
    let server = Server::answering([packed.to_owned()]);
    assert_eq!(refusal(&mut server.post()), "400: a body packed as 'br', which was not asked for");
    assert!(server.head().contains("\r\nAccept-Encoding: identity\r\n"));
}

#[test]
fn a_redirection_is_told_with_its_place_and_without_secrets() {
    for (place, shown) in [
        ("/login?next=abc", "'/login'"),
        ("https://h/query-secret/", "'https://h/***/'"),
        ("https://me:pw@h/", "(not shown)"),
    ] {
        let head = format!("HTTP/1.1 307 X\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n");
        let told = format!(
            "307: it sends to {shown}, which is not followed: give that address if it is the right one"
        );
        assert_eq!(refusal(&mut Server::answering([head]).post()), told);
    }
}

#[test]
fn a_secret_that_a_receiver_spells_as_json_or_cuts_off_is_not_repeated() {
    let cut = format!("{{\"a\": \"{}\", \"message\": \"key-se", "x".repeat(MAX_SEARCHED_BYTES - 30));
    for body in [r#"{"message":"no \u006bey-secret"}"#, &format!("{cut}{}", "cret".repeat(10))] {
        let mut post = Server::answering([answer(400, body)]).post();
        post.set_header("X-Api-Key", "key-secret").unwrap();
        let shown = refusal(&mut post);
        assert!(shown.contains("***") && !shown.contains("key-"), "{shown}");
    }
}

#[test]
fn a_secret_that_a_receiver_repeats_is_not_repeated() {
    let body = "no: key-secret, Bearer header-secret, query-secret and hunter2 (bWU6aHVudGVyMg==)";
    let server = Server::answering([answer(401, body)]);
    let mut post = server.post();
    post.set_header("X-Api-Key", "key-secret").unwrap();
    post.set_header("X-Other", "Bearer header-secret").unwrap();
    post.set_auth(Auth::basic("me", "hunter2").unwrap()).unwrap();
    assert_eq!(refusal(&mut post), "401: no: ***, ***, *** and *** (***)");
    for shown in [format!("{post:?}"), format!("{:?}", post.request.auth)] {
        assert!(!shown.contains("secret") && !shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn a_secret_that_is_cut_short_is_not_repeated_in_part() {
    let secret = "s3cr3t".repeat(500);
    let mut post =
        Server::answering([answer(401, &secret.repeat(2)), answer(401, &format!("no {secret}"))]).post();
    post.set_auth(Auth::bearer(secret).unwrap()).unwrap();
    assert_eq!(refusal(&mut post), "401: ***");
    assert_eq!(refusal(&mut post), "401: no ***");
}

#[test]
fn an_authorization_is_given_once() {
    let twice = "test: the authorization is given twice, by a header, an option or the url: leave one out";
    let auth = || Auth::bearer("secret").unwrap();
    let server = Server::answering([]);
    let mut post = server.post();
    post.set_header("authorization", "x").unwrap();
    assert_eq!(post.set_auth(auth()).unwrap_err().to_string(), twice);
    let mut post = server.post();
    post.set_auth(auth()).unwrap();
    assert_eq!(post.set_auth(auth()).unwrap_err().to_string(), twice);
    assert_eq!(post.set_header("authorization", "x").unwrap_err().to_string(), twice);
}

#[test]
fn a_token_that_is_refused_is_read_again_and_sent_once_more() {
    let path = std::env::temp_dir().join(format!("barewire-post-{}", std::process::id()));
    fs::write(&path, "old\n").unwrap();
    let refused = || answer(401, "");
    let server =
        Server::answering([refused(), refused(), OK.to_owned(), refused(), refused(), OK.to_owned()]);
    let mut post = server.post();
    post.set_auth(Auth::bearer(Secret::file(&path).unwrap()).unwrap()).unwrap();

    assert_eq!(refusal(&mut post), "401");
    assert_eq!(server.authorizations(), ["Bearer old"]);

    // As if it had been written behind the back of the file system's clock.
    let rewrite = |post: &mut Post, text: &str| {
        fs::write(&path, text).unwrap();
        post.request.auth.as_mut().unwrap().pretend_to_have_looked();
    };
    rewrite(&mut post, "new");
    succeeds(&mut post);
    assert_eq!(server.authorizations(), ["Bearer old", "Bearer new"]);

    rewrite(&mut post, "bad");
    assert_eq!(refusal(&mut post), "401");
    assert_eq!(server.authorizations(), ["Bearer new", "Bearer bad"]);

    // What looks different is read before anything is sent.
    fs::write(&path, "better").unwrap();
    succeeds(&mut post);
    assert_eq!(server.authorizations(), ["Bearer better"]);
    fs::remove_file(path).unwrap();
}

//! The client against servers of TLS on loopback, whose certificates were made for the test.

mod authority;
mod early;

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    sync::mpsc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion,
    server::WebPkiClientVerifier,
    version::{TLS12, TLS13},
};

use self::authority::{Authority, Files};
use super::*;
use crate::wire::net::{Client, NetErrorKind, OnStale, Stage};

const HEAD: &[u8] = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const PATIENCE: Duration = Duration::from_secs(60);

type Secured = StreamOwned<ServerConnection, TcpStream>;
/// What a server does with its connections, one after the other.
type Script = Vec<Box<dyn FnOnce(&mut Secured) + Send>>;

/// How a server speaks.
struct Server {
    files: (PathBuf, PathBuf),
    clients: Option<Arc<RootCertStore>>,
    versions: Vec<&'static SupportedProtocolVersion>,
}

/// A server that runs its script.
struct Running {
    client: Client,
    thread: JoinHandle<TcpListener>,
}

impl Server {
    fn new(files: &Files) -> Self {
        let files = (files.certificate.clone(), files.key.clone());
        Server { files, clients: None, versions: vec![&TLS12, &TLS13] }
    }

    /// With a certificate of `authority`.
    fn of(authority: &Authority) -> Self {
        Server::new(&authority.certify("127.0.0.1", 2100))
    }

    fn only(mut self, version: &'static SupportedProtocolVersion) -> Self {
        self.versions = vec![version];
        self
    }

    /// Asks for a certificate of `authority`.
    fn asking_for(mut self, authority: &Authority) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(authority.issuer.der().clone()).unwrap();
        self.clients = Some(Arc::new(roots));
        self
    }

    fn config(&self) -> Arc<ServerConfig> {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&self.versions)
            .unwrap();
        let builder = match &self.clients {
            None => builder.with_no_client_auth(),
            Some(roots) => builder.with_client_cert_verifier(
                WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), provider).build().unwrap(),
            ),
        };
        let (certificate, key) = &self.files;
        let chain = certificates(certificate).unwrap();
        let key = PrivateKeyDer::from_pem_file(key).unwrap();
        let mut config = builder.with_single_cert(chain, key).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), ALPN.to_vec()];
        Arc::new(config)
    }

    fn run(&self, tls: &Tls, script: Script) -> Running {
        let config = self.config();
        run(
            tls,
            script.into_iter().map(move |act| {
                let config = Arc::clone(&config);
                Box::new(move |socket| {
                    let connection = ServerConnection::new(config).unwrap();
                    act(&mut StreamOwned::new(connection, socket));
                }) as Box<dyn FnOnce(TcpStream) + Send>
            }),
        )
    }
}

fn run(
    tls: &Tls,
    script: impl Iterator<Item = Box<dyn FnOnce(TcpStream) + Send>> + Send + 'static,
) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let thread = thread::spawn(move || {
        for act in script {
            act(listener.accept().unwrap().0);
        }
        listener
    });
    let mut client = Client::new(&url.parse().unwrap()).unwrap();
    client.set_tls(tls);
    Running { client, thread }
}

impl Running {
    fn send(&mut self) -> Result<(u16, Vec<u8>), String> {
        let peer = format!("{}: ", self.client.peer());
        match self.client.send(HEAD, b"{}", OnStale::Fail, Instant::now() + PATIENCE) {
            Ok(response) => Ok((response.status, response.body.to_vec())),
            Err(error) => Err(error.to_string().strip_prefix(&peer).unwrap().to_owned()),
        }
    }

    /// The script ran to its end, and nobody connected once more.
    fn done(self) {
        drop(self.client);
        let listener = self.thread.join().unwrap();
        listener.set_nonblocking(true).unwrap();
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    }
}

fn ok() -> Result<(u16, Vec<u8>), String> {
    Ok((200, b"ok".to_vec()))
}

fn read_request(stream: &mut impl Read) {
    let mut request = vec![0; HEAD.len() + 2];
    stream.read_exact(&mut request).unwrap();
    assert_eq!(request, [HEAD, b"{}"].concat());
}

/// Answers `requests` requests, then closes without a word.
fn answering(requests: usize) -> Box<dyn FnOnce(&mut Secured) + Send> {
    Box::new(move |stream| {
        for _ in 0..requests {
            read_request(stream);
            stream.write_all(OK).unwrap();
        }
    })
}

/// Lets the handshake go wrong, and hears the client out.
fn failing() -> Box<dyn FnOnce(&mut Secured) + Send> {
    Box::new(|stream| {
        let failed = stream.read(&mut [0]);
        assert!(!matches!(failed, Ok(1..)), "{failed:?}");
        drop(std::io::copy(&mut stream.sock, &mut std::io::sink()));
    })
}

#[test]
fn both_versions_are_spoken_and_a_connection_is_kept() {
    let authority = Authority::new("versions");
    for version in [&TLS12, &TLS13] {
        let mut running = Server::of(&authority).only(version).run(&authority.tls(), vec![answering(3)]);
        for _ in 0..3 {
            assert_eq!(running.send(), ok());
        }
        running.done();
    }
}

#[test]
fn a_name_is_resolved_sent_along_and_found_in_the_certificate() {
    let authority = Authority::new("name");
    let (say, said) = mpsc::channel();
    let act = move |stream: &mut Secured| {
        read_request(stream);
        let protocol = stream.conn.alpn_protocol().map(<[u8]>::to_vec);
        say.send((stream.conn.server_name().map(str::to_owned), protocol)).unwrap();
        stream.write_all(OK).unwrap();
    };
    let server = Server::new(&authority.certify("localhost", 2100));
    let mut running = server.run(&authority.tls(), vec![Box::new(act)]);
    let port = running.client.peer().rsplit_once(':').unwrap().1;
    running.client = Client::new(&format!("https://localhost:{port}/").parse().unwrap()).unwrap();
    running.client.set_tls(&authority.tls());
    assert_eq!(running.send(), ok());
    assert_eq!(said.recv_timeout(PATIENCE).unwrap(), (Some("localhost".to_owned()), Some(ALPN.to_vec())));
    running.done();
}

#[test]
fn a_certificate_that_proves_nothing_is_refused_with_its_reason() {
    let (authority, stranger) = (Authority::new("proves"), Authority::new("stranger"));
    let issuer =
        "the certificate of the peer is of an issuer that is not trusted: trust it by its file (--ca)";
    for (files, tls, expected) in [
        (authority.certify("127.0.0.1", 2100), stranger.tls(), issuer),
        (authority.certify("127.0.0.1", 2001), authority.tls(), "the certificate of the peer expired "),
        (
            authority.certify_from("127.0.0.1", 2099),
            authority.tls(),
            "the certificate of the peer is not valid for another ",
        ),
        (
            authority.self_signed(&["127.0.0.1"], 2100),
            authority.tls(),
            "the certificate of the peer signed itself and is not trusted: if it is the right one, trust it by its file (--ca)",
        ),
        (
            authority.certify("elsewhere.example", 2100),
            authority.tls(),
            "the certificate of the peer is for 'elsewhere.example', and not for '127.0.0.1': \
             use such a name, or have one made for this",
        ),
    ] {
        let mut running = Server::new(&files).run(&tls, vec![failing()]);
        let error = running.send().unwrap_err();
        assert!(error.starts_with(&format!("cannot speak tls: {expected}")), "{error}");
        running.done();
    }
}

#[test]
fn a_certificate_that_was_named_is_trusted_as_it_is() {
    let authority = Authority::new("named");
    let trust = |files: &Files| Tls::trusting([&files.certificate]).unwrap();
    for files in [
        authority.self_signed(&["127.0.0.1"], 2100),
        // As `openssl req -x509` makes it, unless it is told names.
        authority.self_signed(&[], 2100),
        // One of an authority that nobody trusts.
        authority.certify("127.0.0.1", 2100),
    ] {
        for version in [&TLS12, &TLS13] {
            let server = Server::new(&files).only(version);
            let mut running = server.run(&trust(&files), vec![answering(2)]);
            assert_eq!([running.send(), running.send()], [ok(), ok()]);
            running.done();
        }
    }
    let (named, other) = (authority.self_signed(&[], 2100), authority.self_signed(&[], 2100));
    let (old, elsewhere) =
        (authority.self_signed(&["127.0.0.1"], 2001), authority.self_signed(&["elsewhere.example"], 2100));
    for (shown, tls, expected) in [
        (&other, trust(&named), "signed itself and is not trusted"),
        (&old, trust(&old), "expired "),
        (&elsewhere, trust(&elsewhere), "is for 'elsewhere.example', and not for '127.0.0.1'"),
    ] {
        let mut running = Server::new(shown).run(&tls, vec![failing()]);
        let error = running.send().unwrap_err();
        assert!(
            error.starts_with(&format!("cannot speak tls: the certificate of the peer {expected}")),
            "{error}"
        );
        running.done();
    }
    // Whoever has the certificate and not its key proves nothing.
    let thief = Files { certificate: named.certificate.clone(), key: other.key };
    let server = Server { files: (thief.certificate, thief.key), clients: None, versions: vec![&TLS13] };
    let chain = certificates(&server.files.0).unwrap();
    let key = PrivateKeyDer::from_pem_file(&server.files.1).unwrap();
    let key = ring::sign::any_supported_type(&key).unwrap();
    let resolver = rustls::sign::SingleCertAndKey::from(rustls::sign::CertifiedKey::new(chain, key));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(resolver));
    let act: Box<dyn FnOnce(TcpStream) + Send> = Box::new(move |socket| {
        let connection = ServerConnection::new(Arc::new(config)).unwrap();
        failing()(&mut StreamOwned::new(connection, socket));
    });
    let mut running = run(&trust(&named), vec![act].into_iter());
    let error = running.send().unwrap_err();
    assert!(error.starts_with("cannot speak tls: the certificate of the peer "), "{error}");
    running.done();
}

#[test]
fn a_peer_that_closes_instead_of_an_answer_is_told_in_a_sentence() {
    let authority = Authority::new("closes");
    let act: Box<dyn FnOnce(TcpStream) + Send> = Box::new(drop);
    let mut running = run(&authority.tls(), vec![act].into_iter());
    assert_eq!(
        running.send().unwrap_err(),
        "cannot speak tls: the peer closed before tls was agreed on: does it speak tls at this port?"
    );
    running.done();
}

#[test]
fn a_peer_that_asks_for_a_certificate_is_shown_it() {
    let (authority, clients) = (Authority::new("asks"), Authority::new("clients"));
    let me = clients.certify("me", 2100);
    for version in [&TLS12, &TLS13] {
        let server = Server::of(&authority).only(version).asking_for(&clients);
        let tls = authority.tls().identity(&me.certificate, &me.key).unwrap();
        let mut running = server.run(&tls, vec![answering(2)]);
        assert_eq!([running.send(), running.send()], [ok(), ok()]);
        running.done();
    }
}

#[test]
fn a_peer_that_misses_a_certificate_is_said_to() {
    let (authority, clients) = (Authority::new("misses"), Authority::new("missed"));
    for version in [&TLS12, &TLS13] {
        let server = Server::of(&authority).only(version).asking_for(&clients);
        let mut running = server.run(&authority.tls(), vec![failing()]);
        let error = running.send().unwrap_err();
        let expected = "the peer asked for a client certificate: give one, and its key (--cert and --key)";
        assert_eq!(error, format!("cannot speak tls: {expected}"));
        running.done();
    }
    let me = authority.certify("me", 2100);
    let server = Server::of(&authority).asking_for(&clients);
    let mut running = server.run(&authority.tls().identity(me.certificate, me.key).unwrap(), vec![failing()]);
    let error = running.send().unwrap_err();
    let expected = "the peer does not accept the client certificate (UnknownCA): give one that it trusts (--cert and --key)";
    assert_eq!(error, format!("cannot speak tls: {expected}"));
    running.done();
}

#[test]
fn a_peer_that_leaves_at_once_for_want_of_a_certificate_is_understood() {
    let (authority, clients) = (Authority::new("leaves"), Authority::new("left"));
    let server = Server::of(&authority).asking_for(&clients);
    // It asks, and is gone before its alert could be heard.
    let act = |stream: &mut Secured| {
        while stream.conn.is_handshaking() {
            if stream.conn.wants_write() {
                stream.conn.write_tls(&mut stream.sock).unwrap();
            }
            stream.conn.read_tls(&mut stream.sock).unwrap();
            if stream.conn.process_new_packets().is_err() {
                break;
            }
        }
    };
    let mut running = server.run(&authority.tls(), vec![Box::new(act)]);
    let error = running.send().unwrap_err();
    assert!(error.contains("the peer asked for a client certificate: give one"), "{error}");
    running.done();
}

#[test]
fn a_peer_in_the_clear_is_told_from_one_that_is_broken() {
    let authority = Authority::new("clear");
    let act: Box<dyn FnOnce(TcpStream) + Send> = Box::new(|mut socket| {
        socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        drop(std::io::copy(&mut socket, &mut std::io::sink()));
    });
    let mut running = run(&authority.tls(), vec![act].into_iter());
    assert_eq!(
        running.send().unwrap_err(),
        "cannot speak tls: the peer does not speak tls: is it one of http://?"
    );
    running.done();
}

/// Sends a request that cannot end in time, and tells in which stage the time ran out.
fn stage_of_time_out(running: &mut Running, body: &[u8], patience: Duration) -> Stage {
    let start = Instant::now();
    let error = running.client.send(HEAD, body, OnStale::Retry, start + patience).unwrap_err();
    assert!(start.elapsed() < patience + PATIENCE / 2, "{:?}", start.elapsed());
    match error.kind {
        NetErrorKind::TimedOut { during } => during,
        other => panic!("{other}"),
    }
}

#[test]
fn every_stage_ends_at_the_one_deadline() {
    let authority = Authority::new("deadline");
    let silent: Box<dyn FnOnce(TcpStream) + Send> =
        Box::new(|mut socket| drop(std::io::copy(&mut socket, &mut std::io::sink())));
    let mut running = run(&authority.tls(), vec![silent].into_iter());
    assert_eq!(stage_of_time_out(&mut running, b"{}", Duration::from_millis(200)), Stage::Handshake);
    running.done();

    // Long enough for a handshake on a busy machine.
    let patience = Duration::from_secs(3);
    for (body, expected) in [(vec![b'x'; 32 << 20], Stage::Write), (b"{}".to_vec(), Stage::Read)] {
        let (done, wait) = mpsc::channel::<()>();
        let act = move |stream: &mut Secured| {
            stream.conn.complete_io(&mut stream.sock).unwrap();
            wait.recv_timeout(PATIENCE).expect("the client to be done");
        };
        let mut running = Server::of(&authority).run(&authority.tls(), vec![Box::new(act)]);
        assert_eq!(stage_of_time_out(&mut running, &body, patience), expected);
        done.send(()).unwrap();
        running.done();
    }
}

#[test]
fn a_body_of_many_records_arrives_whole() {
    let authority = Authority::new("records");
    let (head, body) = (b"POST / HTTP/1.1\r\n\r\n", (0..=255).cycle().take(3 << 20).collect::<Vec<u8>>());
    let expected = [&head[..], &body].concat();
    let act = move |stream: &mut Secured| {
        let mut request = vec![0; expected.len()];
        stream.read_exact(&mut request).unwrap();
        assert!(request == expected);
        stream.write_all(OK).unwrap();
    };
    let mut running = Server::of(&authority).run(&authority.tls(), vec![Box::new(act)]);
    let response = running.client.send(head, &body, OnStale::Fail, Instant::now() + PATIENCE).unwrap();
    assert_eq!(response.status, 200);
    running.done();
}

#[test]
fn a_connection_that_was_closed_while_idle_is_left_without_a_retry_however_it_was_closed() {
    let authority = Authority::new("idle");
    for says_so in [true, false] {
        let (told, tell) = mpsc::channel::<()>();
        let (hold, held) = mpsc::channel::<TcpStream>();
        let first = move |stream: &mut Secured| {
            read_request(stream);
            stream.write_all(OK).unwrap();
            tell.recv().unwrap();
            if says_so {
                stream.conn.send_close_notify();
                stream.conn.complete_io(&mut stream.sock).unwrap();
                // The connection below it lives on.
                hold.send(stream.sock.try_clone().unwrap()).unwrap();
            }
        };
        let mut running = Server::of(&authority).run(&authority.tls(), vec![Box::new(first), answering(1)]);
        assert_eq!(running.send(), ok());
        told.send(()).unwrap();
        let deadline = Instant::now() + PATIENCE;
        while running.client.stream.as_mut().unwrap().is_quiet() {
            assert!(Instant::now() < deadline);
            thread::yield_now();
        }
        assert_eq!(running.send(), ok());
        running.done();
        drop(held);
    }
}

#[test]
fn a_connection_that_turns_out_stale_is_retried_where_that_is_allowed() {
    let authority = Authority::new("stale");
    let stale = || -> Box<dyn FnOnce(&mut Secured) + Send> {
        Box::new(|stream| {
            read_request(stream);
            stream.write_all(OK).unwrap();
            read_request(stream);
        })
    };
    let mut running = Server::of(&authority).run(&authority.tls(), vec![stale(), stale()]);
    assert_eq!(running.send(), ok());
    let retried = running.client.send(HEAD, b"{}", OnStale::Retry, Instant::now() + PATIENCE).unwrap();
    assert_eq!(retried.status, 200);
    let error = running.send().unwrap_err();
    assert!(error.starts_with("cannot read the response: "), "{error}");
    running.done();
}

#[test]
fn a_response_that_lasts_until_the_end_has_to_have_an_end() {
    let authority = Authority::new("end");
    let ending = |says_so| -> Box<dyn FnOnce(&mut Secured) + Send> {
        Box::new(move |stream| {
            read_request(stream);
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nok").unwrap();
            if says_so {
                stream.conn.send_close_notify();
            }
            stream.flush().unwrap();
        })
    };
    let mut running = Server::of(&authority).run(&authority.tls(), vec![ending(true), ending(false)]);
    assert_eq!(running.send(), ok());
    let error = running.send().unwrap_err();
    assert!(error.starts_with("cannot read the response: peer closed connection without"), "{error}");
    running.done();
}

#[test]
fn a_client_that_leaves_says_so() {
    let authority = Authority::new("farewell");
    let (say, said) = mpsc::channel();
    let act = move |stream: &mut Secured| {
        read_request(stream);
        stream.write_all(OK).unwrap();
        // An end that nobody announced is an error.
        say.send(stream.read(&mut [0]).ok()).unwrap();
    };
    let mut running = Server::of(&authority).run(&authority.tls(), vec![Box::new(act)]);
    assert_eq!(running.send(), ok());
    running.done();
    assert_eq!(said.recv_timeout(PATIENCE).unwrap(), Some(0));
}

#[test]
fn files_that_are_not_what_they_should_be_are_refused_by_name() {
    let authority = Authority::new("files");
    let (me, other) = (authority.certify("me", 2100), authority.certify("other", 2100));
    let name = |path: &Path| format!("'{}'", path.display());
    let odd = authority.write("odd.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let cut = authority.write("cut.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n");
    let long = authority.directory.join("long.pem");
    fs::File::create(&long).unwrap().set_len(MAX_PEM_BYTES as u64 + 1).unwrap();
    let nowhere = authority.directory.join("nowhere.pem");
    let identity = |certificate: &Path, key: &Path| authority.tls().identity(certificate, key);
    for (made, file, why) in [
        (Tls::trusting([&nowhere]), &nowhere, "cannot be read: ".to_owned()),
        (
            Tls::trusting([authority.file(), me.key.clone()]),
            &me.key,
            "has no certificate in it that is PEM".to_owned(),
        ),
        (Tls::trusting([&odd]), &odd, "is malformed: ".to_owned()),
        (Tls::trusting([&cut]), &cut, "is malformed: ".to_owned()),
        (Tls::trusting([&long]), &long, "is longer than 4194304 bytes".to_owned()),
        (identity(&nowhere, &me.key), &nowhere, "cannot be read: ".to_owned()),
        (identity(&me.certificate, &nowhere), &nowhere, "cannot be read: ".to_owned()),
        (
            identity(&me.certificate, &me.certificate),
            &me.certificate,
            "has no private key in it that is unencrypted PEM".to_owned(),
        ),
        (
            identity(&me.certificate, &other.key),
            &other.key,
            format!("is not the key of the certificate in {}", name(&me.certificate)),
        ),
    ] {
        let error = made.unwrap_err().to_string();
        assert!(error.starts_with(&format!("the file {} {why}", name(file))), "{error}");
    }
    assert_eq!(format!("{:?}", identity(&me.certificate, &me.key).unwrap()), "Tls { .. }");
}

#[test]
fn a_host_of_which_there_is_no_certificate_is_refused() {
    let error = Client::new(&"https://a..b/".parse().unwrap()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a..b:443: cannot speak tls: no certificate can be of such a name: use another"
    );
}

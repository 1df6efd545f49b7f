//! A receiver within the test, which answers every request in one way, in the clear or over TLS.

use super::Authority;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What to answer to a request with that head: a status and a body.
type Answer = dyn Fn(&str) -> (u16, String) + Send + Sync;

/// Serves until the tests end.
pub(crate) struct Receiver {
    url: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    /// In the clear.
    pub(crate) fn start(answer: impl Fn(&str) -> (u16, String) + Send + Sync + 'static) -> Self {
        Self::serve("http", None, Arc::new(answer))
    }

    /// Over TLS, with a certificate of `authority`; to clients with one of `clients` alone, if that is given.
    pub(crate) fn start_tls(authority: &Authority, clients: Option<&Authority>) -> Self {
        Self::serve("https", Some(config(authority, clients)), Arc::new(|_| (200, String::new())))
    }

    fn serve(scheme: &str, tls: Option<Arc<ServerConfig>>, answer: Arc<Answer>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let addr: SocketAddr = listener.local_addr().expect("its address");
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&heads);
        thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                let (tls, answer, seen) = (tls.clone(), Arc::clone(&answer), Arc::clone(&seen));
                // A peer that leaves, or that is not let in, is what is tried.
                thread::spawn(move || drop(host(socket, tls, &*answer, &seen)));
            }
        });
        Self { url: format!("{scheme}://{addr}"), heads }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The heads of the requests so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn host(
    mut socket: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    answer: &Answer,
    seen: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let Some(config) = tls else { return converse(&mut socket, answer, seen) };
    let connection = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, socket);
    let ended = converse(&mut stream, answer, seen);
    // An alert is heard only where nothing is left unread.
    io::copy(&mut stream.sock, &mut io::sink())?;
    ended
}

fn converse(stream: &mut (impl Read + Write), answer: &Answer, seen: &Mutex<Vec<String>>) -> io::Result<()> {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).expect("a head of UTF-8");
        let length = head.split_once("Content-Length: ").and_then(|(_, rest)| rest.lines().next());
        let length: u64 = length.expect("a length").parse().expect("a number");
        io::copy(&mut stream.take(length), &mut io::sink())?;
        let (status, body) = answer(&head);
        seen.lock().unwrap_or_else(PoisonError::into_inner).push(head);
        let length = body.len();
        stream
            .write_all(format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}").as_bytes())?;
    }
}

fn config(authority: &Authority, clients: Option<&Authority>) -> Arc<ServerConfig> {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("both versions");
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_file(clients.file()).expect("a certificate")).expect("a root");
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.expect("a verifier"))
        }
    };
    let own = authority.certify("127.0.0.1");
    let certificate = CertificateDer::from_pem_file(own.certificate).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(own.key).expect("a key");
    Arc::new(builder.with_single_cert(vec![certificate], key).expect("a certificate with its key"))
}

//! A session over a socket.

use std::{
    io::{self, BufRead as _, ErrorKind, Read as _, Write as _},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use rustls::{
    ClientConfig, ClientConnection, SignatureScheme, client::ResolvesClientCert, pki_types::ServerName,
    sign::CertifiedKey,
};

use super::{
    Tls,
    broken::{NO_IDENTITY, broken, explained},
};
use crate::wire::net::{
    error::{NetErrorKind, Stage},
    stream::{Look, Timed, answered_early, is_answer},
};

/// The peer of a URL of `https`, and how to speak to it once that is known.
pub(in crate::wire::net) struct Secure {
    name: ServerName<'static>,
    dialect: Option<Dialect>,
}

impl Secure {
    pub(in crate::wire::net) fn new(host: &str) -> Result<Self, NetErrorKind> {
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|_| unspoken("no certificate can be of such a name: use another"))?;
        Ok(Secure { name, dialect: None })
    }

    pub(in crate::wire::net) fn set(&mut self, tls: &Tls) {
        self.dialect = Some(Dialect::new(tls));
    }

    /// Shakes hands over `socket`, as the system would have it if nobody said how.
    pub(in crate::wire::net) fn open(
        &mut self,
        socket: TcpStream,
        deadline: Instant,
    ) -> Result<Session, NetErrorKind> {
        let dialect = match self.dialect.take() {
            Some(dialect) => dialect,
            None => Dialect::new(&Tls::system().map_err(unspoken)?),
        };
        let dialect = self.dialect.insert(dialect);
        Session::open(dialect, self.name.clone(), socket, deadline)
            .map_err(|error| NetErrorKind::of(error, Stage::Handshake))
    }
}

fn unspoken(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> NetErrorKind {
    NetErrorKind::Tls(Arc::new(io::Error::other(why)))
}

/// How one client speaks TLS.
struct Dialect {
    config: Arc<ClientConfig>,
    /// Whether the peer has asked for a certificate that is not there.
    was_asked: Arc<AtomicBool>,
}

impl Dialect {
    fn new(tls: &Tls) -> Self {
        let was_asked = Arc::new(AtomicBool::new(false));
        let mut config = Arc::clone(&tls.config);
        if !tls.has_identity {
            // The same in all but who hears of it; sessions are resumed from one store.
            let nobody = Nobody { was_asked: Arc::clone(&was_asked) };
            Arc::make_mut(&mut config).client_auth_cert_resolver = Arc::new(nobody);
        }
        Dialect { config, was_asked }
    }
}

/// Nobody in particular, who remembers to have been asked.
#[derive(Debug)]
struct Nobody {
    was_asked: Arc<AtomicBool>,
}

impl ResolvesClientCert for Nobody {
    fn resolve(&self, _issuers: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.was_asked.store(true, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        // Otherwise one is not asked.
        true
    }
}

/// A session of TLS over a connected socket.
pub(in crate::wire::net) struct Session {
    connection: ClientConnection,
    socket: TcpStream,
    was_asked: Arc<AtomicBool>,
    /// The peer has answered a request that it will not take: what is left of that is not sent.
    is_refused: bool,
}

impl Session {
    /// Shakes hands over `socket`.
    fn open(
        dialect: &Dialect,
        peer: ServerName<'static>,
        socket: TcpStream,
        deadline: Instant,
    ) -> io::Result<Self> {
        let connection = ClientConnection::new(Arc::clone(&dialect.config), peer);
        let mut connection = connection.map_err(|error| broken(&error, false))?;
        while connection.is_handshaking() {
            let done = connection.complete_io(&mut Timed::new(&socket, deadline));
            done.map_err(|error| explained(error, dialect.was_asked.load(Ordering::Relaxed)))?;
        }
        let was_asked = Arc::clone(&dialect.was_asked);
        Ok(Session { connection, socket, was_asked, is_refused: false })
    }

    /// Sends `head` and `body`, in one record where they fit.
    pub(in crate::wire::net) fn write_all(
        &mut self,
        head: &[u8],
        body: &[u8],
        deadline: Instant,
    ) -> io::Result<()> {
        for mut left in [head, body] {
            while !left.is_empty() {
                // Takes what its buffer has room for.
                let taken = self.connection.writer().write(left)?;
                left = &left[taken..];
                if !left.is_empty() {
                    self.send(deadline)?;
                }
            }
        }
        self.send(deadline)
    }

    /// Sends what is written, unless the peer answers before it has taken it.
    fn send(&mut self, deadline: Instant) -> io::Result<()> {
        while self.connection.wants_write() {
            let look = Look::before(deadline);
            match self.connection.write_tls(&mut Timed::new(&self.socket, look.at)) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if !look.is_due(&error) => return Err(error),
                Err(_) if self.has_answered() => {
                    self.is_refused = true;
                    return Err(answered_early());
                }
                Err(_) => {}
            }
        }
        Ok(())
    }

    fn has_answered(&mut self) -> bool {
        !self.is_quiet() && self.connection.reader().fill_buf().is_ok_and(is_answer)
    }

    /// Reads what there is, and waits for it if there is nothing; 0 at the end of the stream, which the peer has to
    /// announce.
    pub(in crate::wire::net) fn read(&mut self, into: &mut [u8], deadline: Instant) -> io::Result<usize> {
        loop {
            match self.connection.reader().read(into) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                done => return done.map_err(|error| self.blamed(error)),
            }
            let more = self.connection.read_tls(&mut Timed::new(&self.socket, deadline));
            more.map_err(|error| self.blamed(error))?;
            let processed = self.connection.process_new_packets();
            // An alert, which says what is wrong, or an answer to what the peer wants changed.
            let flushed = if self.is_refused { Ok(()) } else { self.flush(deadline) };
            processed.map_err(|error| broken(&error, self.was_asked()))?;
            flushed?;
        }
    }

    /// Whether the peer has neither closed nor said anything since its last response, tickets for the next session
    /// aside.
    pub(in crate::wire::net) fn is_quiet(&mut self) -> bool {
        let quiet = self.socket.set_nonblocking(true).is_ok() && self.hears_nothing();
        self.socket.set_nonblocking(false).is_ok() && quiet
    }

    fn hears_nothing(&mut self) -> bool {
        loop {
            match self.connection.process_new_packets() {
                Ok(state) if state.plaintext_bytes_to_read() == 0 => {}
                _ => return false,
            }
            match self.connection.read_tls(&mut &self.socket) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
                // Closed, by itself or by word.
                Ok(0) => return false,
                Ok(_) => {}
            }
        }
    }

    fn flush(&mut self, deadline: Instant) -> io::Result<()> {
        while self.connection.wants_write() {
            if self.connection.write_tls(&mut Timed::new(&self.socket, deadline))? == 0 {
                return Err(ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }

    /// Says why the peer may have left without a word: its alert gets lost when it closes before it has read all.
    fn blamed(&self, error: io::Error) -> io::Error {
        let has_left = matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof);
        if has_left && self.was_asked() {
            return io::Error::new(error.kind(), format!("closed, perhaps because {NO_IDENTITY}"));
        }
        error
    }

    fn was_asked(&self) -> bool {
        self.was_asked.load(Ordering::Relaxed)
    }
}

/// Says that nothing more will come, if that can be said at once.
impl Drop for Session {
    fn drop(&mut self) {
        self.connection.send_close_notify();
        if self.socket.set_nonblocking(true).is_ok() {
            drop(self.connection.write_tls(&mut &self.socket));
        }
    }
}

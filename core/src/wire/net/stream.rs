//! A connection whose every operation ends at a deadline, in the clear or in TLS.

use std::{
    io::{self, ErrorKind, IoSlice, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use super::error::{NetErrorKind, Stage};
#[cfg(feature = "tls")]
use super::tls::{Secure, Session};
use crate::wire::http::{Event, ResponseDecoder};

/// A connection to the peer.
pub(super) enum Stream {
    Clear(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<Session>),
}

impl Stream {
    /// Connects to the first of `addresses` that answers. Each gets an equal share of what is left of the time,
    /// so that one that swallows packets does not cost the others their turn.
    pub(super) fn connect(addresses: &[SocketAddr], deadline: Instant) -> Result<Self, NetErrorKind> {
        connect(addresses, deadline).map(Stream::Clear)
    }

    /// As [`Stream::connect`], and then shakes hands.
    #[cfg(feature = "tls")]
    pub(super) fn connect_tls(
        addresses: &[SocketAddr],
        secure: &mut Secure,
        deadline: Instant,
    ) -> Result<Self, NetErrorKind> {
        let session = secure.open(connect(addresses, deadline)?, deadline)?;
        Ok(Stream::Tls(Box::new(session)))
    }

    /// Sends `head` and `body`, in one segment where they fit. A peer that answers before it has taken them, and takes no
    /// more, is as one that has closed: an error of the kind `BrokenPipe`.
    pub(super) fn write_all(&mut self, head: &[u8], body: &[u8], deadline: Instant) -> io::Result<()> {
        match self {
            Stream::Clear(socket) => write_all(socket, head, body, deadline),
            #[cfg(feature = "tls")]
            Stream::Tls(session) => session.write_all(head, body, deadline),
        }
    }

    /// Reads what there is, and waits for it if there is nothing; 0 at the end of the stream.
    pub(super) fn read(&mut self, into: &mut [u8], deadline: Instant) -> io::Result<usize> {
        match self {
            Stream::Clear(socket) => Timed::new(socket, deadline).read(into),
            #[cfg(feature = "tls")]
            Stream::Tls(session) => session.read(into, deadline),
        }
    }

    /// Whether the peer has neither closed nor sent anything since its last response.
    pub(super) fn is_quiet(&mut self) -> bool {
        match self {
            Stream::Clear(socket) => is_quiet(socket),
            #[cfg(feature = "tls")]
            Stream::Tls(session) => session.is_quiet(),
        }
    }
}

fn write_all(socket: &TcpStream, head: &[u8], body: &[u8], deadline: Instant) -> io::Result<()> {
    let mut slices = [IoSlice::new(head), IoSlice::new(body)];
    let mut left = &mut slices[..];
    IoSlice::advance_slices(&mut left, 0);
    while !left.is_empty() {
        let look = Look::before(deadline);
        match Timed::new(socket, look.at).write_vectored(left) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut left, written),
            Err(error) if !look.is_due(&error) => return Err(error),
            Err(_) if has_answered(socket) => return Err(answered_early()),
            Err(_) => {}
        }
    }
    Ok(())
}

/// How often a send that waits for the peer looks whether the peer has answered already: the one may wait for the other.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// When a send that waits for the peer looks next.
pub(super) struct Look {
    pub(super) at: Instant,
    is_last: bool,
}

impl Look {
    pub(super) fn before(deadline: Instant) -> Self {
        let at = Instant::now() + LOOK_EVERY;
        Look { at: at.min(deadline), is_last: deadline <= at }
    }

    /// Whether `error` says that it is time to look, and not that there is none left.
    pub(super) fn is_due(&self, error: &io::Error) -> bool {
        !self.is_last && matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
    }
}

pub(super) fn answered_early() -> io::Error {
    io::Error::new(ErrorKind::BrokenPipe, "answered before it had taken the request")
}

/// The most bytes of which a look makes out whether they are an answer.
const LOOK_BYTES: usize = 4 * 1024;

/// Whether what has come is an answer, or the end. Interim responses (1xx) are none, and do not say that the rest of the
/// request is unwanted; so much that it cannot be told is one.
pub(super) fn is_answer(bytes: &[u8]) -> bool {
    let is_some = !matches!(ResponseDecoder::new(false).decode(bytes), Ok((_, Event::NeedMore)));
    bytes.is_empty() || bytes.len() >= LOOK_BYTES || is_some
}

/// Whether the peer has answered, or has closed.
fn has_answered(socket: &TcpStream) -> bool {
    let mut bytes = [0; LOOK_BYTES];
    let peeked = socket.set_nonblocking(true).and_then(|()| socket.peek(&mut bytes));
    let answered = peeked.is_ok_and(|len| is_answer(&bytes[..len]));
    socket.set_nonblocking(false).is_ok() && answered
}

fn is_quiet(socket: &TcpStream) -> bool {
    let peeked = socket.set_nonblocking(true).and_then(|()| socket.peek(&mut [0]));
    let quiet = matches!(peeked, Err(error) if error.kind() == ErrorKind::WouldBlock);
    socket.set_nonblocking(false).is_ok() && quiet
}

fn connect(addresses: &[SocketAddr], deadline: Instant) -> Result<TcpStream, NetErrorKind> {
    let mut error = NetErrorKind::TimedOut { during: Stage::Connect };
    for (turns, address) in (1..=addresses.len()).rev().zip(addresses) {
        let share = rest(deadline).map(|rest| rest / u32::try_from(turns).unwrap_or(u32::MAX));
        match share.and_then(|share| open(*address, share)) {
            Ok(socket) => return Ok(socket),
            Err(failed) => error = NetErrorKind::of(failed, Stage::Connect),
        }
    }
    Err(error)
}

fn open(address: SocketAddr, share: Duration) -> io::Result<TcpStream> {
    // `connect_timeout` refuses zero.
    let socket = TcpStream::connect_timeout(&address, share.max(Duration::from_nanos(1)))?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// A socket whose operations end at one deadline, and that no signal interrupts.
pub(super) struct Timed<'s> {
    socket: &'s TcpStream,
    deadline: Instant,
}

impl<'s> Timed<'s> {
    pub(super) fn new(socket: &'s TcpStream, deadline: Instant) -> Self {
        Timed { socket, deadline }
    }
}

impl Read for Timed<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            self.socket.set_read_timeout(Some(rest(self.deadline)?))?;
            match self.socket.read(into) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(from)])
    }

    fn write_vectored(&mut self, from: &[IoSlice<'_>]) -> io::Result<usize> {
        loop {
            self.socket.set_write_timeout(Some(rest(self.deadline)?))?;
            match self.socket.write_vectored(from) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The time left, never zero, which sockets take for "for ever".
fn rest(deadline: Instant) -> io::Result<Duration> {
    let rest = deadline.saturating_duration_since(Instant::now());
    if rest.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(rest) }
}

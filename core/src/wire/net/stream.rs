//! A connection whose every operation ends at a deadline. TLS will be another kind of stream behind the same
//! methods.

use std::{
    io::{self, ErrorKind, IoSlice, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use super::error::{NetErrorKind, Stage};

/// A connection in the clear.
#[derive(Debug)]
pub(super) struct Stream(TcpStream);

impl Stream {
    /// Connects to the first of `addresses` that answers. Each gets an equal share of what is left of the time,
    /// so that one that swallows packets does not cost the others their turn.
    pub(super) fn connect(addresses: &[SocketAddr], deadline: Instant) -> Result<Self, NetErrorKind> {
        let mut error = NetErrorKind::TimedOut { during: Stage::Connect };
        for (turns, address) in (1..=addresses.len()).rev().zip(addresses) {
            let share = rest(deadline).map(|rest| rest / u32::try_from(turns).unwrap_or(u32::MAX));
            match share.and_then(|share| Self::open(*address, share)) {
                Ok(stream) => return Ok(stream),
                Err(failed) => error = NetErrorKind::of(failed, Stage::Connect),
            }
        }
        Err(error)
    }

    /// Sends `head` and `body`, in one segment where they fit.
    pub(super) fn write_all(&mut self, head: &[u8], body: &[u8], deadline: Instant) -> io::Result<()> {
        let mut slices = [IoSlice::new(head), IoSlice::new(body)];
        let mut left = &mut slices[..];
        IoSlice::advance_slices(&mut left, 0);
        while !left.is_empty() {
            self.0.set_write_timeout(Some(rest(deadline)?))?;
            match self.0.write_vectored(left) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => IoSlice::advance_slices(&mut left, written),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads what there is, and waits for it if there is nothing; 0 at the end of the stream.
    pub(super) fn read(&mut self, into: &mut [u8], deadline: Instant) -> io::Result<usize> {
        loop {
            self.0.set_read_timeout(Some(rest(deadline)?))?;
            match self.0.read(into) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }

    /// Whether the peer has neither closed nor sent anything since its last response.
    pub(super) fn is_quiet(&self) -> bool {
        let peeked = self.0.set_nonblocking(true).and_then(|()| self.0.peek(&mut [0]));
        let quiet = matches!(peeked, Err(error) if error.kind() == ErrorKind::WouldBlock);
        self.0.set_nonblocking(false).is_ok() && quiet
    }

    fn open(address: SocketAddr, share: Duration) -> io::Result<Self> {
        // `connect_timeout` refuses zero.
        let stream = TcpStream::connect_timeout(&address, share.max(Duration::from_nanos(1)))?;
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }
}

/// The time left, never zero, which sockets take for "for ever".
fn rest(deadline: Instant) -> io::Result<Duration> {
    let rest = deadline.saturating_duration_since(Instant::now());
    if rest.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(rest) }
}

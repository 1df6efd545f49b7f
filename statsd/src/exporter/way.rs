//! The ways to a receiver: two kinds of datagrams, and a stream.

use std::{
    fmt, thread,
    time::{Duration, Instant},
};

use barewire::{
    ExportError,
    wire::{
        datagram::{UDP_LIMIT_BYTES, UNIX_LIMIT_BYTES},
        net::{DatagramSocket, Fate, NetError, NetErrorKind},
    },
};

#[cfg(unix)]
use super::stream::Stream;

/// How long a snapshot waits for room at most. The lane is a thread of its own, so this costs nobody else.
const PATIENCE: Duration = Duration::from_millis(100);
const PAUSE: Duration = Duration::from_millis(1);

/// A way to a receiver.
pub(super) enum Way {
    Udp(DatagramSocket),
    #[cfg(unix)]
    Datagram(DatagramSocket),
    #[cfg(unix)]
    Stream(Stream),
}

/// Why a datagram was not delivered.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) error: ExportError,
    /// There is no room now, and may be in a moment. Else nobody is there, or the time is up.
    pub(super) is_full: bool,
}

impl Way {
    /// The most bytes of a datagram, or of a frame.
    pub(super) fn limit_bytes(&self) -> usize {
        match self {
            Way::Udp(_) => UDP_LIMIT_BYTES,
            #[cfg(unix)]
            Way::Datagram(_) | Way::Stream(_) => UNIX_LIMIT_BYTES,
        }
    }

    /// As the client's own metrics call it.
    pub(super) fn transport(&self) -> &'static str {
        match self {
            Way::Udp(_) => "udp",
            #[cfg(unix)]
            Way::Datagram(_) => "uds",
            #[cfg(unix)]
            Way::Stream(_) => "uds-stream",
        }
    }

    pub(super) fn peer(&self) -> &str {
        match self {
            Way::Udp(socket) => socket.peer(),
            #[cfg(unix)]
            Way::Datagram(socket) => socket.peer(),
            #[cfg(unix)]
            Way::Stream(stream) => stream.peer(),
        }
    }

    /// Delivers one datagram, or one frame, whole or not at all.
    pub(super) fn send(&mut self, datagram: &[u8], deadline: Instant) -> Result<(), Refusal> {
        let refused = |error| Err(Refusal { error, is_full: false });
        if Instant::now() >= deadline {
            return refused(ExportError::TimedOut(format!("{} while sending", self.peer())));
        }
        let socket = match self {
            Way::Udp(socket) => socket,
            #[cfg(unix)]
            Way::Datagram(socket) => socket,
            #[cfg(unix)]
            Way::Stream(stream) => return stream.send(datagram, deadline).or_else(refused),
        };
        match socket.send(datagram, deadline) {
            Ok(Fate::Taken) => Ok(()),
            Ok(Fate::NoRoom) => Err(Refusal {
                error: failed(format!("{}: no room for a datagram", socket.peer())),
                is_full: true,
            }),
            Ok(Fate::Bounced) => refused(failed(format!("{}: nobody listens there", socket.peer()))),
            Err(error) => refused(of_net(&error)),
        }
    }

    /// Delivers many datagrams at once, and returns how many: of those that come first, as many as go without a question.
    pub(super) fn send_batch<'d>(&mut self, datagrams: impl Iterator<Item = &'d [u8]>) -> usize {
        match self {
            Way::Udp(socket) => socket.send_batch(datagrams),
            #[cfg(unix)]
            Way::Datagram(socket) => socket.send_batch(datagrams),
            #[cfg(unix)]
            Way::Stream(_) => 0,
        }
    }

    /// Delivers one, and waits where there is no room: until `patience` ends, which the first such datagram of a snapshot
    /// begins.
    pub(super) fn send_patiently(
        &mut self,
        datagram: &[u8],
        patience: &mut Option<Instant>,
        deadline: Instant,
    ) -> Result<(), ExportError> {
        loop {
            let Refusal { error, is_full } = match self.send(datagram, deadline) {
                Ok(()) => return Ok(()),
                Err(refusal) => refusal,
            };
            let now = Instant::now();
            if !is_full || now >= *patience.get_or_insert(now + PATIENCE) {
                return Err(error);
            }
            thread::sleep(PAUSE);
        }
    }
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.transport(), self.peer())
    }
}

pub(super) fn failed(why: String) -> ExportError {
    ExportError::Failed(why)
}

fn of_net(error: &NetError) -> ExportError {
    match &error.kind {
        NetErrorKind::TimedOut { during } => ExportError::TimedOut(format!("{} while {during}", error.peer)),
        NetErrorKind::Write(why) => failed(format!("{}: cannot send: {why}", error.peer)),
        _ => failed(error.to_string()),
    }
}

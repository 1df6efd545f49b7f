//! Datagrams of whole lines: no answer, no credentials, and what the server cannot read only its log tells.

use std::{fmt, ops::Range, time::Instant};

use barewire::{
    Error, ExportError,
    wire::{
        datagram::{Datagrams, UDP_LIMIT_BYTES},
        net::{DatagramSocket, Fate, NetError, NetErrorKind},
    },
};

/// A server over UDP.
pub(super) struct Udp {
    socket: DatagramSocket,
    pub(super) lines: Datagrams,
}

impl Udp {
    pub(super) fn new(address: &str) -> Result<Self, Error> {
        Ok(Udp { socket: DatagramSocket::udp(address)?, lines: Datagrams::new(UDP_LIMIT_BYTES) })
    }

    /// Hands all datagrams to the kernel. Tells `lost` which of their bytes it did not take, and returns how many it
    /// took, and why it did not take others.
    pub(super) fn send(
        &mut self,
        deadline: Instant,
        mut lost: impl FnMut(Range<usize>),
    ) -> (u64, Option<ExportError>) {
        let (mut sent, mut start, mut error) = (0, 0, None);
        let mut datagrams = self.lines.iter();
        while let Some(datagram) = datagrams.next() {
            let end = start + datagram.len();
            let fate = self.socket.send(datagram, deadline);
            start = end;
            if !matches!(fate, Ok(Fate::Taken)) {
                lost(end - datagram.len()..end);
                error = Some(why(self.socket.peer(), fate));
                continue;
            }
            sent += datagram.len() as u64;
            // With the first that is taken, others may be.
            loop {
                let taken = self.socket.send_batch(datagrams.clone());
                let bytes: usize = datagrams.by_ref().take(taken).map(<[u8]>::len).sum();
                (start, sent) = (start + bytes, sent + bytes as u64);
                if taken == 0 {
                    break;
                }
            }
        }
        (sent, error)
    }
}

fn why(peer: &str, fate: Result<Fate, NetError>) -> ExportError {
    match fate {
        Ok(Fate::Bounced) => ExportError::Failed(format!("{peer}: nobody listens there")),
        Ok(_) => ExportError::Failed(format!("{peer}: no room for a datagram")),
        Err(error) => match &error.kind {
            NetErrorKind::TimedOut { during } => {
                ExportError::TimedOut(format!("{} while {during}", error.peer))
            }
            _ => ExportError::Failed(error.to_string()),
        },
    }
}

impl fmt::Debug for Udp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "udp://{}", self.socket.peer())
    }
}

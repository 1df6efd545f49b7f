//! Many datagrams by one call of the kernel (sendmmsg(2)), once their receiver is known to be there.
//!
//! The kernel sends them in order, and says how many went before one did not; why that one did not, it does not say.

use std::{
    array,
    io::IoSlice,
    net::UdpSocket,
    os::fd::{AsFd, BorrowedFd},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    net::{MMsgHdr, SendAncillaryBuffer, SendFlags, sendmmsg},
};

use super::BATCH;

/// How many datagrams, from the first on, have arrived at the receiver for all that can be known.
///
/// On this machine the refusal of one is told by the call for the next, so a batch that ends early while there is room
/// has ended behind one that was refused.
pub(super) fn send_udp(socket: &UdpSocket, datagrams: &[&[u8]; BATCH]) -> usize {
    let sent = send(socket, datagrams);
    let is_last_refused = match sent {
        BATCH => !matches!(socket.take_error(), Ok(None)),
        _ => has_room(socket.as_fd()),
    };
    sent.saturating_sub(usize::from(is_last_refused))
}

/// How many datagrams, from the first on, the kernel has taken.
pub(super) fn send(socket: &impl AsFd, datagrams: &[&[u8]; BATCH]) -> usize {
    let parts: [_; BATCH] = array::from_fn(|at| [IoSlice::new(datagrams[at])]);
    let mut controls: [_; BATCH] = array::from_fn(|_| SendAncillaryBuffer::default());
    let mut pairs = parts.iter().zip(&mut controls);
    let mut messages: [_; BATCH] = array::from_fn(|_| {
        let (part, control) = pairs.next().expect("as many");
        MMsgHdr::new(part, control)
    });
    // Whatever the error, nothing went, and who sends one will be told.
    sendmmsg(socket.as_fd(), &mut messages, SendFlags::empty()).unwrap_or(0)
}

fn has_room(socket: BorrowedFd<'_>) -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::from_borrowed_fd(socket, PollFlags::OUT)], Some(&now)) != Ok(0)
}

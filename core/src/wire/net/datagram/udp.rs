//! UDP to a name: which of its addresses is sent to, and when the name is asked for them again.

use std::{
    net::{SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use super::{Fate, hand_over, open_udp};
use crate::wire::net::{
    error::{NetErrorKind, Stage},
    resolve::Resolver,
};

/// How long the addresses of a name are taken for its own, by a socket that meets with no error.
const LOOK_UP_EVERY: Duration = Duration::from_secs(30);

pub(super) struct Udp {
    pub(super) resolver: Resolver,
    /// Of the last look-up that had any. They outlive one that fails.
    known: Vec<SocketAddr>,
    /// Which of them is tried next: the one after the one that bounced.
    turn: usize,
    pub(super) socket: Option<UdpSocket>,
    look_up_at: Instant,
    pub(super) look_up_every: Duration,
}

impl Udp {
    pub(super) fn new(resolver: Resolver) -> Self {
        Udp {
            resolver,
            known: Vec::new(),
            turn: 0,
            socket: None,
            look_up_at: Instant::now(),
            look_up_every: LOOK_UP_EVERY,
        }
    }

    /// Tries every address of the name before it says that nobody listens.
    pub(super) fn send(&mut self, datagram: &[u8], deadline: Instant) -> Result<Fate, NetErrorKind> {
        self.follow_the_name(Instant::now());
        let mut turns = 1;
        loop {
            let socket = match self.socket.take() {
                Some(socket) => socket,
                None => {
                    self.look_up(deadline)?;
                    turns = turns.max(self.known.len());
                    let opened = open_udp(self.known[self.turn % self.known.len()]);
                    self.turn += usize::from(opened.is_err());
                    opened.map_err(|error| NetErrorKind::of(error, Stage::Connect))?
                }
            };
            match hand_over(|| socket.send(datagram), || socket.take_error()) {
                Ok(Fate::Bounced) => self.turn += 1,
                Ok(fate) => {
                    self.socket = Some(socket);
                    return Ok(fate);
                }
                Err(error) => return Err(NetErrorKind::of(error, Stage::Write)),
            }
            turns -= 1;
            if turns == 0 {
                return Ok(Fate::Bounced);
            }
        }
    }

    /// Asks for the addresses, and goes without a new answer where there is an old one.
    fn look_up(&mut self, deadline: Instant) -> Result<(), NetErrorKind> {
        match self.resolver.resolve(deadline) {
            Ok(addresses) => self.learn(addresses, Instant::now()),
            Err(error) if self.known.is_empty() => return Err(error),
            Err(_) => {}
        }
        Ok(())
    }

    /// Asks again in time, without a wait, and leaves a socket whose address is none of the name any more.
    fn follow_the_name(&mut self, now: Instant) {
        if self.socket.is_none() || now < self.look_up_at {
            return;
        }
        match self.resolver.poll() {
            Ok(Some(addresses)) => self.learn(addresses, now),
            Ok(None) => {}
            Err(_) => self.look_up_at = now + self.look_up_every,
        }
    }

    fn learn(&mut self, addresses: Vec<SocketAddr>, now: Instant) {
        self.look_up_at = now + self.look_up_every;
        self.socket =
            self.socket.take_if(|socket| socket.peer_addr().is_ok_and(|peer| addresses.contains(&peer)));
        self.known = addresses;
    }
}

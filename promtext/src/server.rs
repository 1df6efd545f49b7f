//! The edge: one thread that serves pages to scrapers, none of whom is trusted.
//!
//! Sockets are edge-triggered and registered once. Every connection has a deadline at every stage, there are never
//! more than a fixed number of them, and none gets more than a turn at a time.

use std::{
    cmp::Reverse,
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use mio::{
    Events, Interest, Poll, Token, Waker,
    net::{TcpListener, TcpStream},
};
use socket2::SockRef;

use crate::{
    connection::{Connection, Patience, Progress, Stage},
    page::Pages,
};

/// What peers may take of us.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) patience: Patience,
    /// The most connections. One more costs one of those that do what most of them do.
    pub(crate) connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { patience: Patience::default(), connections: 256 }
    }
}

/// Connections that wait for their turn in the kernel. One more is not heard at all, and its peer tries again after a second:
/// a storm must not fill this while the thread is busy, and the usual 128 are gone in an instant.
const BACKLOG: i32 = 4096;
/// What the kernel takes of the answers to one peer before that has read them; Linux takes twice as much, for what it adds.
/// Left to itself, it would take megabytes for each, and as long to be filled by whoever asks and never reads.
const UNREAD_BYTES: usize = 128 * 1024;
const LISTENER: Token = Token(usize::MAX);
const WAKER: Token = Token(usize::MAX - 1);
/// Steps of one connection before it is another's turn.
const STEPS_A_TURN: usize = 16;
/// Connections accepted before the others have a turn.
const ACCEPTS_A_TURN: usize = 64;
/// How long to wait after an accept that failed for want of something, such as descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A running server. Dropping it stops its thread and closes every connection.
#[derive(Debug)]
pub(crate) struct Server {
    local_addr: SocketAddr,
    stop: Arc<AtomicBool>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens at `addr` and answers from then on.
    pub(crate) fn start(
        addr: SocketAddr,
        limits: Limits,
        pages: impl Pages + Send + 'static,
    ) -> io::Result<Self> {
        let mut listener = TcpListener::bind(addr)?;
        let socket = SockRef::from(&listener);
        socket.set_send_buffer_size(UNREAD_BYTES)?;
        // It listens already: this makes its queue longer.
        socket.listen(BACKLOG)?;
        let local_addr = listener.local_addr()?;
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let stop = Arc::new(AtomicBool::new(false));
        let scrapers = Scrapers::new(poll, listener, limits, pages);
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new()
            .name("barewire-scrape".to_owned())
            .spawn(move || scrapers.serve(&stopped))?;
        Ok(Server { local_addr, stop, waker, thread: Some(thread) })
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Whether the thread still serves; it ends before its time only by a panic, or if polling fails.
    pub(crate) fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let woken = self.waker.wake();
        if let Some(thread) = self.thread.take()
            && woken.is_ok()
        {
            // A panic of that thread was its own, and has been reported where it happened.
            drop(thread.join());
        }
    }
}

struct Scrapers<P> {
    poll: Poll,
    listener: TcpListener,
    /// When to accept: there may be something to accept, or the last attempt failed.
    accept_at: Option<Instant>,
    /// By token. A token may be somebody else's by the time its event is seen; then it is one step too many.
    connections: Vec<Option<Connection>>,
    patience: Patience,
    ready: Vec<usize>,
    turns: Vec<usize>,
    pages: P,
}

impl<P: Pages> Scrapers<P> {
    fn new(poll: Poll, listener: TcpListener, limits: Limits, pages: P) -> Self {
        Scrapers {
            poll,
            listener,
            accept_at: None,
            connections: (0..limits.connections).map(|_| None).collect(),
            patience: limits.patience,
            ready: Vec::new(),
            turns: Vec::new(),
            pages,
        }
    }

    fn serve(mut self, stopped: &AtomicBool) {
        let mut events = Events::with_capacity(256);
        while !stopped.load(Ordering::Acquire) {
            match self.poll.poll(&mut events, self.time_out(Instant::now())) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return,
                _ => {}
            }
            let now = Instant::now();
            for event in &events {
                match event.token() {
                    LISTENER => self.accept_at = Some(now),
                    WAKER => {}
                    Token(at) => self.ready.push(at),
                }
            }
            self.accept(now);
            self.take_turns(now);
            self.cut_late_ones(now);
        }
    }

    /// How long nothing is to be done unless something happens.
    fn time_out(&self, now: Instant) -> Option<Duration> {
        if !self.ready.is_empty() {
            return Some(Duration::ZERO);
        }
        let deadlines = self.connections.iter().flatten().map(Connection::deadline);
        deadlines.chain(self.accept_at).min().map(|first| first.saturating_duration_since(now))
    }

    fn accept(&mut self, now: Instant) {
        if self.accept_at.is_none_or(|at| at > now) {
            return;
        }
        for _ in 0..ACCEPTS_A_TURN {
            match self.listener.accept() {
                Ok((stream, peer)) => self.admit(stream, peer.ip(), now),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return self.accept_at = None,
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                    _ => {
                        self.make_room();
                        return self.accept_at = Some(now + ACCEPT_PAUSE);
                    }
                },
            }
        }
    }

    fn admit(&mut self, stream: TcpStream, peer: IpAddr, now: Instant) {
        let free = self.connections.iter().position(Option::is_none).or_else(|| self.make_room());
        let Some(at) = free else { return };
        let mut connection = Connection::new(stream, peer, self.patience, now);
        let interest = Interest::READABLE | Interest::WRITABLE;
        if self.poll.registry().register(connection.stream(), Token(at), interest).is_ok() {
            self.connections[at] = Some(connection);
            // Its request is there as a rule: in a storm, the next one to be admitted must not take its place before.
            self.take_turn(at, now);
        }
    }

    /// Cuts the connection that is missed least: of the stage that has the most of them, the oldest.
    ///
    /// So no way to misbehave takes more than its share. Were there an order of stages, whoever fills the last one with
    /// answers that nobody reads would have every newcomer cut before its request is read.
    fn make_room(&mut self) -> Option<usize> {
        let mut crowds = [0_usize; Stage::COUNT];
        self.connections.iter().flatten().for_each(|known| crowds[known.stage() as usize] += 1);
        let known = self.connections.iter().enumerate().filter_map(|(at, slot)| Some((at, slot.as_ref()?)));
        let (at, _) = known.min_by_key(|(_, known)| {
            let stage = known.stage();
            (Reverse(crowds[stage as usize]), stage, known.deadline())
        })?;
        self.cut(at);
        Some(at)
    }

    fn cut(&mut self, at: usize) {
        if let Some(connection) = self.connections[at].take() {
            connection.cut();
        }
    }

    fn take_turns(&mut self, now: Instant) {
        let mut turns = std::mem::take(&mut self.turns);
        std::mem::swap(&mut self.ready, &mut turns);
        turns.drain(..).for_each(|at| self.take_turn(at, now));
        self.turns = turns;
    }

    fn take_turn(&mut self, at: usize, now: Instant) {
        let Some(connection) = &mut self.connections[at] else { return };
        match turn(connection, now, &mut self.pages) {
            Progress::Blocked => {}
            Progress::Again => self.ready.push(at),
            Progress::Over => self.connections[at] = None,
        }
    }

    fn cut_late_ones(&mut self, now: Instant) {
        for at in 0..self.connections.len() {
            if self.connections[at].as_ref().is_some_and(|connection| connection.deadline() <= now) {
                self.cut(at);
            }
        }
    }
}

fn turn(connection: &mut Connection, now: Instant, pages: &mut impl Pages) -> Progress {
    let mut steps = (0..STEPS_A_TURN).map(|_| connection.step(now, pages));
    steps.find(|progress| *progress != Progress::Again).unwrap_or(Progress::Again)
}

#[cfg(test)]
mod tests;

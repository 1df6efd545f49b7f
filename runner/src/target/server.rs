//! The server's thread: one poll, one read and one write a request.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    io::{self, ErrorKind, Read, Write},
    sync::{Arc, atomic::Ordering},
    thread,
    time::Duration,
};

use mio::{
    Events, Interest, Poll, Token, Waker,
    event::Event,
    net::{TcpListener, TcpStream},
};
use rustix::thread::sched_yield;

use super::{
    Behaviour, Shared,
    exchange::{Answers, Request, Requests, push_bad_request},
    trace::Trace,
};
use crate::{
    clock::{Alarm, now_ns},
    rng::Rng,
};

const LISTENER: Token = Token(usize::MAX - 1);
const ALARM: Token = Token(usize::MAX - 2);
const WAKER: Token = Token(usize::MAX - 3);

const BUFFER_BYTES: usize = 64 * 1024;

/// How long to wait before accepting again when there is no file descriptor left.
const EXHAUSTED_NS: u64 = 10_000_000;

/// The errors that are asked for are the same in every run.
const SEED: u64 = 0x7461_7267_6574;

pub(super) struct Server {
    poll: Poll,
    alarm: Alarm,
    waker: Arc<Waker>,
    listener: TcpListener,
    start_ns: u64,
    behaviour: Behaviour,
    trace: Option<Trace>,
    answers: Answers,
    shared: Arc<Shared>,
    requests: u64,
    rng: Rng,
    conns: Vec<Option<Conn>>,
    free: Vec<usize>,
    /// When whose answer is due.
    delayed: BinaryHeap<Reverse<(u64, usize, u64)>>,
    serial: u64,
    accept_again_ns: Option<u64>,
    buffer: Box<[u8]>,
}

struct Conn {
    stream: TcpStream,
    /// Tells this connection from the one that had its place before.
    serial: u64,
    requests: Requests,
    /// When the last bytes were read, where arrivals are traced.
    read_ns: u64,
    /// The request whose answer is delayed.
    waiting: Option<Request>,
    output: Vec<u8>,
    written: usize,
    is_readable: bool,
    /// Nothing more comes after what is readable now.
    is_ending: bool,
    is_last: bool,
}

/// Whether a connection goes on.
enum Fate {
    Stays,
    Ends,
}

impl Server {
    pub(super) fn new(
        mut listener: TcpListener,
        behaviour: Behaviour,
        trace: Option<Trace>,
        shared: Arc<Shared>,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Server {
            alarm: Alarm::new(poll.registry(), ALARM)?,
            waker: Arc::new(Waker::new(poll.registry(), WAKER)?),
            poll,
            listener,
            start_ns: now_ns(),
            behaviour,
            trace,
            answers: Answers::new(),
            shared,
            requests: 0,
            rng: Rng::new(SEED),
            conns: Vec::new(),
            free: Vec::new(),
            delayed: BinaryHeap::new(),
            serial: 0,
            accept_again_ns: None,
            buffer: vec![0; BUFFER_BYTES].into(),
        })
    }

    pub(super) fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }

    pub(super) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        while !self.shared.stopping.load(Ordering::Acquire) {
            self.set_alarm()?;
            match self.poll.poll(&mut events, self.patience()) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            self.sit_out_stall();
            for event in &events {
                match event.token() {
                    LISTENER => self.accept(),
                    ALARM | WAKER => {}
                    Token(at) => self.wake(at, event),
                }
            }
            self.serve_due();
        }
        self.trace.map_or(Ok(()), Trace::end)
    }

    /// How long a poll may wait. That of a traced server does not, for what it takes to wake up would be in every line;
    /// it yields to whoever wants the processor.
    fn patience(&self) -> Option<Duration> {
        self.trace.as_ref()?;
        sched_yield();
        Some(Duration::ZERO)
    }

    fn set_alarm(&mut self) -> io::Result<()> {
        let answer_ns = self.delayed.peek().map(|Reverse((due_ns, ..))| *due_ns);
        match answer_ns.into_iter().chain(self.accept_again_ns).min() {
            Some(at_ns) => self.alarm.set(now_ns(), at_ns),
            None => Ok(()),
        }
    }

    fn sit_out_stall(&self) {
        let Some(stall) = self.behaviour.stall else { return };
        let mut now = now_ns() - self.start_ns;
        let Some(until) = stall.until_ns(now) else { return };
        while now < until && !self.shared.stopping.load(Ordering::Acquire) {
            thread::park_timeout(Duration::from_nanos(until - now));
            now = now_ns() - self.start_ns;
        }
    }

    fn accept(&mut self) {
        self.accept_again_ns = None;
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => self.admit(stream),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if is_of_one_connection(&error) => {}
                Err(_) => {
                    self.accept_again_ns = Some(now_ns() + EXHAUSTED_NS);
                    return;
                }
            }
        }
    }

    /// A connection that cannot be set up is closed, which its peer will notice.
    fn admit(&mut self, mut stream: TcpStream) {
        let at = self.free.pop().unwrap_or(self.conns.len());
        let both = Interest::READABLE | Interest::WRITABLE;
        let ready = stream
            .set_nodelay(true)
            .and_then(|()| self.poll.registry().register(&mut stream, Token(at), both));
        self.serial += 1;
        let conn = ready.is_ok().then(|| Conn::new(stream, self.serial));
        if conn.is_none() {
            self.free.push(at);
        }
        if at == self.conns.len() {
            self.conns.push(conn);
        } else {
            self.conns[at] = conn;
        }
    }

    fn wake(&mut self, at: usize, event: &Event) {
        let Some(conn) = self.conns.get_mut(at).and_then(Option::as_mut) else { return };
        conn.is_readable |= event.is_readable();
        conn.is_ending |= event.is_read_closed();
        self.drive(at);
    }

    fn serve_due(&mut self) {
        let now = now_ns();
        if self.accept_again_ns.is_some_and(|at_ns| at_ns <= now) {
            self.accept();
        }
        while let Some(Reverse((due_ns, at, serial))) = self.delayed.peek().copied()
            && due_ns <= now
        {
            self.delayed.pop();
            let conn = self.conns[at].as_mut().filter(|conn| conn.serial == serial);
            if let Some(request) = conn.and_then(|conn| conn.waiting.take()) {
                self.answer(at, request);
                self.drive(at);
            }
        }
    }

    /// Does all that can be done for a connection now.
    fn drive(&mut self, at: usize) {
        if let Ok(Fate::Ends) | Err(_) = self.try_drive(at) {
            self.conns[at] = None;
            self.free.push(at);
        }
    }

    fn try_drive(&mut self, at: usize) -> io::Result<Fate> {
        loop {
            let Some(conn) = self.conns[at].as_mut() else { return Ok(Fate::Stays) };
            if !conn.flush()? || conn.waiting.is_some() {
                return Ok(Fate::Stays);
            }
            if conn.is_last {
                return Ok(Fate::Ends);
            }
            match conn.requests.next() {
                Ok(Some(request)) => self.take(at, request),
                Ok(None) if conn.requests.push_continue(&mut conn.output) => {}
                Ok(None) if !conn.is_readable => return Ok(Fate::Stays),
                Ok(None) => match conn.fill(&mut self.buffer)? {
                    Fate::Ends => return Ok(Fate::Ends),
                    Fate::Stays => {
                        if self.trace.is_some() {
                            conn.read_ns = now_ns();
                        }
                        self.take_all(at);
                    }
                },
                Err(_) => {
                    push_bad_request(&mut conn.output);
                    conn.is_last = true;
                }
            }
        }
    }

    /// Answers all requests that have come together by one write.
    fn take_all(&mut self, at: usize) {
        while let Some(conn) = self.conns[at].as_mut()
            && conn.waiting.is_none()
            && !conn.is_last
            && conn.output.len() < BUFFER_BYTES
            && let Ok(Some(request)) = conn.requests.next()
        {
            self.take(at, request);
        }
    }

    fn take(&mut self, at: usize, request: Request) {
        if let (Some(trace), Some(conn), true) = (&mut self.trace, &self.conns[at], request.is_counted()) {
            trace.push(conn.read_ns - self.start_ns);
        }
        let delay_ns = self.behaviour.delay.sample_ns(&mut self.rng);
        match self.conns[at].as_mut() {
            Some(conn) if delay_ns > 0 && request.is_counted() => {
                conn.waiting = Some(request);
                self.delayed.push(Reverse((now_ns() + delay_ns, at, conn.serial)));
            }
            _ => self.answer(at, request),
        }
    }

    fn answer(&mut self, at: usize, request: Request) {
        let Some(conn) = self.conns[at].as_mut() else { return };
        let mut is_error = false;
        if request.is_counted() {
            is_error = self.behaviour.errors > 0.0 && self.rng.ratio() * 100.0 < self.behaviour.errors;
            self.requests += 1;
            self.shared.requests.store(self.requests, Ordering::Relaxed);
        }
        self.answers.push(&mut conn.output, request, is_error, self.requests);
        conn.is_last |= request.is_last();
    }
}

impl Conn {
    fn new(stream: TcpStream, serial: u64) -> Self {
        Conn {
            stream,
            serial,
            requests: Requests::default(),
            read_ns: 0,
            waiting: None,
            output: Vec::new(),
            written: 0,
            is_readable: true,
            is_ending: false,
            is_last: false,
        }
    }

    /// Whether everything is written.
    fn flush(&mut self) -> io::Result<bool> {
        while self.written < self.output.len() {
            match self.stream.write(&self.output[self.written..]) {
                Ok(len) => self.written += len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.output.clear();
        self.written = 0;
        Ok(true)
    }

    /// Reads once. A read that does not fill the buffer has emptied the socket.
    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<Fate> {
        match self.stream.read(buffer) {
            Ok(0) => return Ok(Fate::Ends),
            Ok(len) => {
                self.is_readable = len == buffer.len() || self.is_ending;
                self.requests.feed(&buffer[..len]);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.is_readable = false,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(Fate::Stays)
    }
}

/// Whether an `accept` failed because of the connection that it would have given.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted)
}

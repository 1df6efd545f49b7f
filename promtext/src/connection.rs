//! One scraper's connection: a state with a deadline, and one step at a time.
//!
//! ```text
//!            first byte          a whole head           all is sent
//!   Idle ───────────────▶ Reading ────────────▶ Writing ────────────┬─▶ Idle, or Reading what is there already
//!                                                                   └─▶ Lingering ─▶ closed
//! ```

use std::{
    io::{self, ErrorKind, IoSlice, Read as _, Write as _},
    net::{IpAddr, Shutdown},
    sync::Arc,
    time::{Duration, Instant},
};

use barewire::wire::http::{Event, RequestDecoder};
use mio::net::TcpStream;
use socket2::SockRef;

use crate::{
    answer::{Answer, Content},
    page::{Page, Pages},
    scraper::Visit,
};

/// The most bytes that the head of a request takes.
const HEAD_BYTES: usize = 8 * 1024;
/// The most bytes that are read and thrown away before a refused connection is cut.
const LINGER_BYTES: usize = 64 * 1024;

/// How long a peer may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Between requests.
    pub(crate) idle: Duration,
    /// From the first byte of a request to its last.
    pub(crate) request: Duration,
    /// To take a whole answer.
    pub(crate) answer: Duration,
    /// To close after us. An earlier close with bytes unread would be a reset, and cost the peer our answer.
    pub(crate) linger: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience {
            idle: Duration::from_secs(30),
            request: Duration::from_secs(5),
            answer: Duration::from_secs(10),
            linger: Duration::from_secs(1),
        }
    }
}

/// In the order in which they are given up when there are too many connections, and as many of one as of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    Lingering,
    Idle,
    Reading,
    Writing,
}

impl Stage {
    pub(crate) const COUNT: usize = Stage::Writing as usize + 1;
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Nothing more can be done before the next event.
    Blocked,
    /// There may be more to do.
    Again,
    Over,
}

#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    patience: Patience,
    stage: Stage,
    deadline: Instant,
    decoder: RequestDecoder,
    input: Vec<u8>,
    head: Vec<u8>,
    body: Body,
    /// Bytes of head and body that are sent, or bytes that were thrown away.
    done: usize,
    keep_alive: bool,
    visit: Visit,
}

#[derive(Debug)]
enum Body {
    None,
    Text(&'static str),
    Page(Arc<Page>),
}

impl Connection {
    pub(crate) fn new(stream: TcpStream, peer: IpAddr, patience: Patience, now: Instant) -> Self {
        Connection {
            stream,
            patience,
            stage: Stage::Idle,
            deadline: now + patience.idle,
            decoder: RequestDecoder::new(HEAD_BYTES),
            input: Vec::new(),
            head: Vec::new(),
            body: Body::None,
            done: 0,
            keep_alive: true,
            visit: Visit::of(peer),
        }
    }

    pub(crate) fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    pub(crate) fn stage(&self) -> Stage {
        self.stage
    }

    /// When the connection is to be cut, unless it gets to the next stage first.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Ends the connection against the will of its peer. What that has not taken of an answer would stay with the kernel
    /// after an ordinary close, for minutes, and for as many peers as there ever were.
    pub(crate) fn cut(self) {
        if self.stage == Stage::Writing {
            // If this fails, the kernel has to keep it after all.
            drop(SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)));
        }
    }

    /// Takes one step: one system call, or one request decoded.
    pub(crate) fn step(&mut self, now: Instant, pages: &mut impl Pages) -> Progress {
        let step = match self.stage {
            Stage::Idle | Stage::Reading => self.read(now, pages),
            Stage::Writing => self.write(now, pages),
            Stage::Lingering => self.throw_away(),
        };
        match step.map_err(|error| error.kind()) {
            Ok(()) | Err(ErrorKind::Interrupted) => Progress::Again,
            Err(ErrorKind::WouldBlock) => Progress::Blocked,
            Err(_) => Progress::Over,
        }
    }

    fn enter(&mut self, stage: Stage, now: Instant) {
        self.stage = stage;
        self.done = 0;
        self.deadline = now
            + match stage {
                Stage::Lingering => self.patience.linger,
                Stage::Idle => self.patience.idle,
                Stage::Reading => self.patience.request,
                Stage::Writing => self.patience.answer,
            };
    }

    fn read(&mut self, now: Instant, pages: &mut impl Pages) -> io::Result<()> {
        let (len, answer) = match self.decoder.decode(&self.input) {
            Ok((len, Event::Head(head))) => {
                let is_clocked = head.header("x-prometheus-scrape-timeout-seconds").is_some();
                self.visit.calls_itself(head.header("user-agent"), is_clocked);
                (len, Answer::to(&head))
            }
            Ok(_) => return self.receive(now),
            Err(error) => (0, Answer::refusal(error)),
        };
        self.input.drain(..len);
        self.decoder = RequestDecoder::new(HEAD_BYTES);
        self.answer(answer, now, pages);
        Ok(())
    }

    fn receive(&mut self, now: Instant) -> io::Result<()> {
        let mut buffer = [0; HEAD_BYTES];
        let room = HEAD_BYTES - self.input.len();
        let len = self.stream.read(&mut buffer[..room])?;
        if len == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.input.extend_from_slice(&buffer[..len]);
        if self.stage == Stage::Idle {
            self.enter(Stage::Reading, now);
        }
        Ok(())
    }

    fn answer(&mut self, answer: Answer, now: Instant, pages: &mut impl Pages) {
        self.body = match answer.content {
            Content::Page(exposition, coding) => Body::Page(pages.newest(exposition, coding)),
            Content::Text(text) => Body::Text(text),
        };
        self.head.clear();
        answer.push_head(&mut self.head, self.body.bytes().len());
        if answer.is_head {
            self.body = Body::None;
        }
        self.keep_alive = answer.keep_alive;
        self.enter(Stage::Writing, now);
    }

    fn write(&mut self, now: Instant, pages: &mut impl Pages) -> io::Result<()> {
        let (head, body) = (&self.head, self.body.bytes());
        let head_left = &head[self.done.min(head.len())..];
        let body_left = &body[self.done.saturating_sub(head.len())..];
        let len = self.stream.write_vectored(&[IoSlice::new(head_left), IoSlice::new(body_left)])?;
        self.done += len;
        if len < head_left.len() + body_left.len() {
            return if len == 0 { Err(ErrorKind::WriteZero.into()) } else { Ok(()) };
        }
        if let Body::Page(page) = std::mem::replace(&mut self.body, Body::None) {
            pages.taken(&page, &mut self.visit);
        }
        match (self.keep_alive, self.input.is_empty()) {
            (true, true) => self.enter(Stage::Idle, now),
            (true, false) => self.enter(Stage::Reading, now),
            (false, _) => {
                self.enter(Stage::Lingering, now);
                self.stream.shutdown(Shutdown::Write)?;
            }
        }
        Ok(())
    }

    fn throw_away(&mut self) -> io::Result<()> {
        let len = self.stream.read(&mut [0; HEAD_BYTES])?;
        self.done += len;
        if len == 0 || self.done > LINGER_BYTES { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }
}

impl Body {
    fn bytes(&self) -> &[u8] {
        match self {
            Body::None => b"",
            Body::Text(text) => text.as_bytes(),
            Body::Page(page) => &page.bytes,
        }
    }
}

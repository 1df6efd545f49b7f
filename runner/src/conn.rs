//! One connection of a worker: a socket, and how far the exchange on it has come.
//!
//! ```text
//!            begin          connected         written           response whole
//!   Idle ──────────▶ Ready ──▶ Connecting ──▶ Ready ──▶ Sending ──▶ Receiving ──┬──▶ Pausing ──▶ Ready
//!     ▲                └────── the socket is open ────────▲                     │
//!     └─────────────────────────────────────────────────────────────────────────┘
//! ```

use std::{
    io::{self, ErrorKind, IoSlice, Write},
    iter,
    net::SocketAddr,
};

use barewire::{
    TraceContext,
    wire::http::{Event, HttpError, KnownHead, ResponseDecoder},
};
use mio::{Interest, Registry, Token, event, net::TcpStream};
use rustix::io::Errno;

use crate::{
    fault::{Fault, Reason},
    outcome::Failure,
    plan::WorkStep,
    socket,
    trace::{TRACE_LINE_BYTES, trace_line},
};

/// How often a socket is read from before others have their turn: a peer that sends faster than we read would have
/// the thread for itself.
const READS_AT_ONCE: usize = 16;

const REQUEST_TIMEOUT: u16 = 408;

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Between iterations.
    Idle,
    /// Listed for the next send phase.
    Ready,
    /// The request at hand waits for a socket.
    Connecting,
    /// A part of the request is written; the rest goes when the socket takes it.
    Sending,
    /// The request is written.
    Receiving,
    /// A think time, or the pause after a connection that broke.
    Pausing,
}

/// A socket and the exchange on it. Without a socket it is closed, in whatever state it is.
#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) state: State,
    /// The step that is next, or at hand.
    pub(crate) step: usize,
    /// Whether an iteration has begun and not ended.
    pub(crate) is_running: bool,
    pub(crate) iterations_left: u64,
    /// When the request at hand was due.
    pub(crate) due_ns: u64,
    /// When it was sent or, before that, when its connection was begun.
    pub(crate) sent_ns: u64,
    /// Connections in a row that could not be made, or broke before they had carried a whole response.
    pub(crate) breaks: u32,
    /// Whether the socket is listed to be read from again.
    pub(crate) has_more: bool,
    /// Whether an event told of bytes, an end or an error that have not been read since: it is not told again.
    pub(crate) has_news: bool,
    /// Whether the peer has said that nothing more will come.
    pub(crate) is_ending: bool,
    /// Whether the request at hand was sent before, on a connection that had carried others and was closed unanswered.
    pub(crate) is_again: bool,
    /// Whether the socket has carried a whole exchange.
    is_used: bool,
    /// The trace that the request at hand is a part of.
    pub(crate) trace: Option<TraceContext>,
    stream: Option<TcpStream>,
    decoder: ResponseDecoder,
    written: usize,
    bytes_in: u64,
    /// Bytes of the first sending of a request that was sent again: received and sent.
    bytes_before: (u64, u64),
    response: Response,
    /// The beginning of a head whose rest is yet to come.
    partial: Vec<u8>,
}

/// What came of reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Received {
    /// All that there is, and the response is not whole.
    Part,
    /// As much as may be read at once; there may be more.
    More,
    Whole(Response),
}

/// A response, as far as it matters to a load.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body_bytes: u64,
    keep_alive: bool,
}

impl Conn {
    pub(crate) fn new(iterations: u64) -> Self {
        Conn {
            state: State::Idle,
            step: 0,
            is_running: false,
            iterations_left: iterations,
            due_ns: 0,
            sent_ns: 0,
            breaks: 0,
            has_more: false,
            has_news: false,
            is_ending: false,
            is_again: false,
            is_used: false,
            trace: None,
            stream: None,
            decoder: ResponseDecoder::new(false),
            written: 0,
            bytes_in: 0,
            bytes_before: (0, 0),
            response: Response::default(),
            partial: Vec::new(),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.stream.is_some()
    }

    /// Bytes of the exchange at hand: received and sent.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        (self.bytes_in + self.bytes_before.0, self.written as u64 + self.bytes_before.1)
    }

    /// Begins to connect.
    ///
    /// The socket is registered once, for both directions: edge-triggered, write interest costs nothing as long
    /// as no send would block.
    pub(crate) fn connect(&mut self, addr: SocketAddr, registry: &Registry, token: Token) -> io::Result<()> {
        let mut stream = socket::begin_connect(addr)?;
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        self.stream = Some(stream);
        (self.has_news, self.is_ending, self.is_used) = (false, false, false);
        Ok(())
    }

    /// Keeps what `event` says of the socket: an edge-triggered event says it once, in whatever state it comes.
    pub(crate) fn note(&mut self, event: &event::Event) {
        self.has_news |= event.is_readable() || event.is_read_closed() || event.is_error();
        self.is_ending |= event.is_read_closed();
    }

    /// Whether the connection is made; an error if it never will be.
    pub(crate) fn is_connected(&self) -> io::Result<bool> {
        let Some(stream) = &self.stream else { return Ok(false) };
        match stream.take_error()? {
            // It was made, and reset since: what came before that is there to be read.
            Some(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(true),
            Some(error) => return Err(error),
            None => {}
        }
        match stream.peer_addr() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Forgets the exchange before.
    pub(crate) fn reset(&mut self, to_head: bool) {
        self.expect_response(to_head);
        self.bytes_before = (0, 0);
        self.trace = None;
    }

    /// Closes the socket, and forgets what came of the request at hand, which is sent again on another.
    pub(crate) fn start_again(&mut self, to_head: bool) {
        self.close();
        self.bytes_before = self.bytes();
        self.expect_response(to_head);
        self.is_again = true;
    }

    fn expect_response(&mut self, to_head: bool) {
        self.decoder = ResponseDecoder::new(to_head);
        (self.written, self.bytes_in) = (0, 0);
        self.response = Response::default();
        self.partial.clear();
    }

    /// Writes what is left of the request of `step`; whether that was all.
    pub(crate) fn send(&mut self, step: &WorkStep) -> io::Result<bool> {
        if let (Some(trace), Some(at)) = (self.trace, step.trace_at) {
            return self.send_traced(step.bytes.split_at(at), trace);
        }
        let Some(stream) = &self.stream else { return Err(ErrorKind::NotConnected.into()) };
        while self.written < step.bytes.len() {
            match socket::write(stream, &step.bytes[self.written..]) {
                Ok(len) => self.written += len,
                Err(Errno::AGAIN) => return Ok(false),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    /// The same with one more header between these parts. Its line is made anew for each write: a trace always gives
    /// the same one, so nothing has to be kept while the rest waits for the socket.
    fn send_traced(&mut self, (head, rest): (&[u8], &[u8]), trace: TraceContext) -> io::Result<bool> {
        let Some(stream) = &mut self.stream else { return Err(ErrorKind::NotConnected.into()) };
        let line = trace_line(trace);
        let mut slices = [head, &line, rest].map(IoSlice::new);
        let mut left = &mut slices[..];
        IoSlice::advance_slices(&mut left, self.written);
        while !left.is_empty() {
            match stream.write_vectored(left) {
                Ok(len) => {
                    self.written += len;
                    IoSlice::advance_slices(&mut left, len);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Reads what has come.
    ///
    /// A read that does not fill the buffer has emptied the socket. Only when the peer is ending there is one more
    /// thing to read: the end, which is not told again.
    ///
    /// `known` is the head that came last in answer to the same step.
    pub(crate) fn receive(&mut self, buffer: &mut [u8], known: &mut KnownHead) -> Result<Received, Fault> {
        self.has_news = false;
        for _ in 0..READS_AT_ONCE {
            let Some(stream) = &self.stream else { return Err(self.cut_off()) };
            match socket::read(stream, buffer) {
                Ok(0) => {
                    self.decoder.finish().map_err(|_| self.cut_off())?;
                    return Ok(Received::Whole(self.end()));
                }
                Ok(len) => {
                    self.bytes_in += len as u64;
                    if self.decode(&buffer[..len], known).map_err(broken)? {
                        // The end of a kept connection would not be told again.
                        self.response.keep_alive &= !self.is_ending;
                        return Ok(Received::Whole(self.response));
                    }
                    if len < buffer.len() && !self.is_ending {
                        return Ok(Received::Part);
                    }
                }
                Err(Errno::AGAIN) => return Ok(Received::Part),
                Err(Errno::INTR) => {}
                Err(error) => return Err(Fault::of_socket(error, Failure::Reset)),
            }
        }
        Ok(Received::More)
    }

    /// An end of the connection before that of the response.
    fn cut_off(&self) -> Fault {
        let is_begun = self.bytes_in > 0;
        let reason = if is_begun { Reason::Http(HttpError::Truncated) } else { Reason::Closed };
        Fault::new(Failure::Reset, reason)
    }

    /// Whether the peer has closed a connection that had carried others before a byte of its response came: it did so
    /// while nothing was asked of it, as likely as not, and never saw the request.
    pub(crate) fn is_stale(&self) -> bool {
        self.is_used && self.is_unanswered()
    }

    /// Whether no byte of a response has come.
    pub(crate) fn is_unanswered(&self) -> bool {
        self.bytes_in == 0
    }

    /// Whether this answers no request: on a connection that has carried others, 408 with an end says that the peer had
    /// waited for a request in vain (RFC 9110, section 15.5.9), and crossed the one that was sent then.
    pub(crate) fn is_unasked(&self, response: Response) -> bool {
        self.is_used && response.status == REQUEST_TIMEOUT && !response.keep_alive
    }

    /// Whether the peer has refused the request at hand, whose rest it will not read.
    pub(crate) fn is_refused(&self) -> bool {
        self.response.status >= 400
    }

    /// The time-out of the exchange at hand.
    pub(crate) fn timed_out(&self) -> Fault {
        if self.state == State::Connecting && !self.is_again {
            return Fault::new(Failure::Connect, Reason::NoConnection);
        }
        let is_begun = self.bytes_in > 0;
        Fault::new(Failure::Timeout, if is_begun { Reason::PartOfResponse } else { Reason::NoResponse })
    }

    /// Closes the socket if it cannot carry another exchange after this one of `step`.
    pub(crate) fn settle(&mut self, step: &WorkStep) {
        let request_len = step.bytes.len() + if self.trace.is_some() { TRACE_LINE_BYTES } else { 0 };
        self.is_used = true;
        if !self.response.keep_alive || self.written < request_len || step.closes {
            self.close();
        }
    }

    /// Looks at what an event told of a socket on which nothing is expected. The peer may close it, and nobody is hurt; what it may not
    /// do is talk, and there is no telling what it would answer next.
    pub(crate) fn look_idle(&mut self, buffer: &mut [u8]) {
        let Some(stream) = &self.stream else { return };
        let read = iter::repeat_with(|| socket::read(stream, buffer)).find(|read| *read != Err(Errno::INTR));
        self.has_news = false;
        if read != Some(Err(Errno::AGAIN)) {
            self.close();
        }
    }

    /// Closing takes the socket out of the poll.
    pub(crate) fn close(&mut self) {
        self.stream = None;
    }

    /// Whether the response is whole. What stands behind it makes the connection useless, not the response.
    fn decode(&mut self, bytes: &[u8], known: &mut KnownHead) -> Result<bool, HttpError> {
        if self.partial.is_empty() {
            let (consumed, is_whole) = self.decode_slice(bytes, known)?;
            if consumed < bytes.len() {
                self.partial.extend_from_slice(&bytes[consumed..]);
            }
            return Ok(is_whole);
        }
        let mut joined = std::mem::take(&mut self.partial);
        joined.extend_from_slice(bytes);
        let decoded = self.decode_slice(&joined, known);
        joined.drain(..decoded.map_or(0, |(consumed, _)| consumed));
        self.partial = joined;
        decoded.map(|(_, is_whole)| is_whole)
    }

    fn decode_slice(&mut self, input: &[u8], known: &mut KnownHead) -> Result<(usize, bool), HttpError> {
        let mut at = 0;
        loop {
            let (consumed, event) = self.decoder.decode_known(known, &input[at..])?;
            at += consumed;
            match event {
                Event::NeedMore => return Ok((at, false)),
                Event::Head(head) => {
                    (self.response.status, self.response.keep_alive) = (head.status, head.keep_alive)
                }
                Event::Body(part) => self.response.body_bytes += part.len() as u64,
                Event::End => {
                    self.response.keep_alive &= at == input.len();
                    return Ok((at, true));
                }
            }
        }
    }

    /// The response that the peer ended by closing.
    fn end(&mut self) -> Response {
        self.response.keep_alive = false;
        self.response
    }
}

fn broken(error: HttpError) -> Fault {
    Fault::new(Failure::Protocol, Reason::Http(error))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a connection makes of an input that comes in parts: the response and whether it was whole, or an error.
    fn decoded(input: &[u8], cuts: &[usize]) -> Result<(Response, bool), HttpError> {
        let (mut conn, mut known) = (Conn::new(1), KnownHead::default());
        let mut start = 0;
        for cut in cuts.iter().copied().chain([input.len()]) {
            let end = cut.clamp(start, input.len());
            if end > start && conn.decode(&input[start..end], &mut known)? {
                return Ok((conn.response, true));
            }
            start = end;
        }
        Ok((conn.response, false))
    }

    const INPUTS: [&[u8]; 4] = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\nT: r\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
    ];

    #[test]
    fn a_response_is_its_status_its_body_and_whether_the_connection_stays() {
        let answers = INPUTS.map(|input| decoded(input, &[]).unwrap());
        let response = |status, keep_alive| Response { status, body_bytes: 5, keep_alive };
        assert_eq!(
            answers,
            [
                (response(200, true), true),
                (response(404, true), true),
                (response(200, false), true),
                (response(200, true), false)
            ]
        );
    }

    #[test]
    fn a_head_that_does_not_end_is_given_up() {
        let (mut conn, mut known) = (Conn::new(1), KnownHead::default());
        let mut decode = |bytes: &[u8]| conn.decode(bytes, &mut known);
        decode(b"HTTP/1.1 200 OK\r\n").unwrap();
        let ends = (0..100).map(|_| decode(&b"A: b\r\n".repeat(170))).find(Result::is_err);
        assert!(matches!(ends, Some(Err(HttpError::HeadTooLong | HttpError::TooManyHeaders))), "{ends:?}");
        assert!(conn.partial.len() < 70_000);
    }

    #[test]
    fn a_peer_that_has_much_to_say_says_it_in_turns() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let poll = mio::Poll::new().unwrap();
        let mut conn = Conn::new(1);
        conn.connect(listener.local_addr().unwrap(), poll.registry(), Token(0)).unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        let response = [b"HTTP/1.1 200 OK\r\nContent-Length: 960\r\n\r\n".as_slice(), &[b'.'; 960]].concat();
        assert_eq!(response.len(), 1000);
        let told = peer.write(&response).unwrap();
        assert_eq!(told, 1000);
        let (mut buffer, mut known) = ([0; 20], KnownHead::default());
        // What was written to loopback is there: nothing is left to wait for.
        let mut turns = std::iter::from_fn(|| Some((conn.receive(&mut buffer, &mut known), conn.bytes_in)));
        let turn = 20 * READS_AT_ONCE as u64;
        for bytes in [turn, 2 * turn, 3 * turn] {
            assert_eq!(turns.next(), Some((Ok(Received::More), bytes)));
        }
        let response = Response { status: 200, body_bytes: 960, keep_alive: true };
        assert_eq!(turns.next(), Some((Ok(Received::Whole(response)), 1000)));
    }

    proptest! {
        #[test]
        fn every_split_of_a_response_gives_the_same(at in 0..INPUTS.len(), mut cuts in prop::collection::vec(0..150_usize, 0..6)) {
            cuts.sort_unstable();
            prop_assert_eq!(decoded(INPUTS[at], &cuts), decoded(INPUTS[at], &[]));
        }
    }
}

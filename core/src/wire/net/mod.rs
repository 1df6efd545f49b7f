//! A blocking HTTP client whose exchanges end at a deadline, whatever the network does, and a socket for datagrams that
//! waits for nobody.
//!
//! One client speaks to one URL over one connection at a time, which it keeps. It follows no redirect, knows
//! no proxy and decodes no content coding. It waits for nothing beyond the deadline: not for a resolver, not
//! for a peer that takes or gives one byte a second.

mod datagram;
mod error;
mod input;
mod resolve;
mod retry_after;
mod stream;
#[cfg(test)]
mod tests;
#[cfg(feature = "tls")]
mod tls;

use std::{
    fmt,
    io::{self, ErrorKind},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

#[cfg(unix)]
pub use self::datagram::check_unix_path;
#[cfg(fuzzing)]
pub use self::retry_after::read_retry_after;
#[cfg(feature = "tls")]
use self::tls::Secure;
#[cfg(feature = "tls")]
pub use self::tls::Tls;
pub use self::{
    datagram::{BATCH, DatagramSocket, Fate},
    error::{NetError, NetErrorKind, Stage},
    retry_after::MAX_RETRY_AFTER,
};
use self::{input::Input, resolve::Resolver, stream::Stream};
use super::http::{Event, HttpError, ResponseDecoder, ResponseHead, Scheme, Url, says_close};

/// How long an exchange takes at most, if nobody says otherwise.
pub const DEADLINE: Duration = Duration::from_secs(3);
/// The largest body of a response that is read.
pub const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

/// An HTTP client for one URL.
///
/// ```no_run
/// use barewire::wire::{
///     http::{Url, push_request_head},
///     net::{Client, DEADLINE, OnStale},
/// };
/// use std::time::Instant;
///
/// let url: Url = "http://127.0.0.1:4318/v1/metrics".parse()?;
/// let mut client = Client::new(&url)?;
/// let mut head = Vec::new();
/// push_request_head(&mut head, "POST", url.target(), url.authority(), &[], Some(2));
/// let response = client.send(&head, b"{}", OnStale::Retry, Instant::now() + DEADLINE)?;
/// println!("{}: {} bytes", response.status, response.body.len());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Client {
    peer: Arc<str>,
    resolver: Resolver,
    /// How TLS is spoken, if the URL asks for it.
    #[cfg(feature = "tls")]
    secure: Option<Secure>,
    /// Kept from the exchange before, if it can carry another.
    stream: Option<Stream>,
    input: Input,
    body: Vec<u8>,
    notes: Notes,
}

/// Header values of the last response that say how its body is to be read, as they came; empty where they were not there.
#[derive(Debug, Default)]
pub(in crate::wire) struct Notes {
    pub(in crate::wire) content_type: Vec<u8>,
    pub(in crate::wire) content_encoding: Vec<u8>,
    pub(in crate::wire) location: Vec<u8>,
    /// What InfluxDB says about a request that it did not take.
    pub(in crate::wire) influxdb_error: Vec<u8>,
}

impl Notes {
    fn take(&mut self, head: &ResponseHead<'_>) {
        for (name, value) in [
            ("content-type", &mut self.content_type),
            ("content-encoding", &mut self.content_encoding),
            ("location", &mut self.location),
            ("x-influxdb-error", &mut self.influxdb_error),
        ] {
            value.clear();
            value.extend_from_slice(head.header(name).as_deref().unwrap_or_default());
        }
    }
}

/// What to do when a kept connection turns out to be closed, which is known only after a request was sent on
/// it: the peer may have acted on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnStale {
    /// Send it once more on a new connection: for what may arrive twice, such as cumulative values.
    Retry,
    /// Give up.
    Fail,
}

/// What the peer answered. The body is valid until the next exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response<'c> {
    /// 200 to 999.
    pub status: u16,
    /// The pause that the peer asked for, counted from now and at most [`MAX_RETRY_AFTER`].
    pub retry_after: Option<Duration>,
    /// As it came, at most [`MAX_BODY_BYTES`].
    pub body: &'c [u8],
}

impl Client {
    /// A client for the host of `url`. Nothing is resolved or connected before the first exchange.
    ///
    /// With the feature `tls` it speaks `https` too, and trusts whom the system trusts unless it is told otherwise.
    ///
    /// # Errors
    /// [`NetErrorKind::Https`] without that feature, and [`NetErrorKind::Tls`] for a host of which there can be no
    /// certificate.
    pub fn new(url: &Url) -> Result<Self, NetError> {
        let (host, port) = (url.host(), url.port());
        let peer =
            if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }.into();
        #[cfg(not(feature = "tls"))]
        if url.scheme() == Scheme::Https {
            return Err(NetError { peer, kind: NetErrorKind::Https });
        }
        Ok(Self {
            #[cfg(feature = "tls")]
            secure: match url.scheme() {
                Scheme::Http => None,
                Scheme::Https => match Secure::new(host) {
                    Ok(secure) => Some(secure),
                    Err(kind) => return Err(NetError { peer, kind }),
                },
            },
            peer,
            resolver: Resolver::new(host, port),
            stream: None,
            input: Input::default(),
            body: Vec::new(),
            notes: Notes::default(),
        })
    }

    /// Speaks TLS in this way. It has no meaning for a URL of `http`.
    #[cfg(feature = "tls")]
    pub fn set_tls(&mut self, tls: &Tls) {
        if let Some(secure) = &mut self.secure {
            secure.set(tls);
            self.stream = None;
        }
    }

    /// `host:port` of the peer, as errors name it.
    pub fn peer(&self) -> &str {
        &self.peer
    }

    /// The body of the last response, until the next exchange.
    pub(in crate::wire) fn last_body(&self) -> &[u8] {
        &self.body
    }

    /// Headers of the last response, until the next exchange.
    pub(in crate::wire) fn last_notes(&self) -> &Notes {
        &self.notes
    }

    /// Sends a request, a whole head and the body it announces, and reads the response, before `deadline`.
    ///
    /// Any status is a response, redirects and failures too. A kept connection is used again unless the peer
    /// has closed it or spoken out of turn.
    ///
    /// # Errors
    /// [`NetError`]; the connection is closed, and the next exchange begins with a new one.
    pub fn send(
        &mut self,
        head: &[u8],
        body: &[u8],
        on_stale: OnStale,
        deadline: Instant,
    ) -> Result<Response<'_>, NetError> {
        match self.send_over_kept_or_new(head, body, on_stale, deadline) {
            Ok(Answer { status, retry_after, .. }) => Ok(Response { status, retry_after, body: &self.body }),
            Err(kind) => Err(NetError { peer: Arc::clone(&self.peer), kind }),
        }
    }

    fn send_over_kept_or_new(
        &mut self,
        head: &[u8],
        body: &[u8],
        on_stale: OnStale,
        deadline: Instant,
    ) -> Result<Answer, NetErrorKind> {
        if let Some(kept) = self.stream.take().and_then(|mut kept| kept.is_quiet().then_some(kept)) {
            match self.exchange(kept, head, body, deadline) {
                Err(Failure { is_stale: true, .. }) if on_stale == OnStale::Retry => {}
                done => return done.map_err(|failure| failure.kind),
            }
        }
        let stream = self.connect(deadline)?;
        self.exchange(stream, head, body, deadline).map_err(|failure| failure.kind)
    }

    fn connect(&mut self, deadline: Instant) -> Result<Stream, NetErrorKind> {
        let addresses = self.resolver.resolve(deadline)?;
        #[cfg(feature = "tls")]
        if let Some(secure) = &mut self.secure {
            return Stream::connect_tls(&addresses, secure, deadline);
        }
        Stream::connect(&addresses, deadline)
    }

    /// One request and its response over `stream`, which is kept if it can carry another.
    fn exchange(
        &mut self,
        mut stream: Stream,
        head: &[u8],
        body: &[u8],
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        let broken = match stream.write_all(head, body, deadline) {
            Err(error) if !is_closed(error.kind()) => return Err(Failure::of(error, Stage::Write)),
            written => written.err(),
        };
        // A peer that closed before it had read all may have said why: 413 is such an answer.
        let read = self.read_response(&mut stream, head.starts_with(b"HEAD "), deadline);
        match (read, broken) {
            (Ok(answer), broken) => {
                self.stream =
                    Some(stream).filter(|_| answer.can_stay && broken.is_none() && !says_close(head));
                Ok(answer)
            }
            (Err(Failure { is_stale: true, .. }), Some(error)) => Err(Failure::stale(error, Stage::Write)),
            (Err(failure), _) => Err(failure),
        }
    }

    fn read_response(
        &mut self,
        stream: &mut Stream,
        to_head: bool,
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        let (mut decoder, mut answer, mut is_silent) =
            (ResponseDecoder::new(to_head), Answer::default(), true);
        self.input.clear();
        self.body.clear();
        while !self.decode(&mut decoder, &mut answer)? {
            match self.input.fill(|into| stream.read(into, deadline)) {
                Ok(0) if is_silent => return Err(Failure::stale(silent_close(), Stage::Read)),
                Ok(0) => return decoder.finish().map(|()| answer).map_err(Failure::from),
                Ok(_) => is_silent = false,
                Err(error) if is_silent && is_closed(error.kind()) => {
                    return Err(Failure::stale(error, Stage::Read));
                }
                Err(error) => return Err(Failure::of(error, Stage::Read)),
            }
        }
        Ok(answer)
    }

    /// Decodes what has been read, and tells whether that was the end of the response.
    fn decode(&mut self, decoder: &mut ResponseDecoder, answer: &mut Answer) -> Result<bool, Failure> {
        loop {
            let (consumed, event) = decoder.decode(self.input.unread())?;
            match event {
                Event::Head(head) => {
                    self.notes.take(&head);
                    *answer = Answer::of(&head);
                }
                Event::Body(run) if run.len() > MAX_BODY_BYTES - self.body.len() => {
                    return Err(NetErrorKind::TooLarge.into());
                }
                Event::Body(run) => self.body.extend_from_slice(run),
                Event::NeedMore => {
                    self.input.consume(consumed);
                    return Ok(false);
                }
                Event::End => {
                    self.input.consume(consumed);
                    answer.can_stay &= self.input.unread().is_empty();
                    return Ok(true);
                }
            }
            self.input.consume(consumed);
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("peer", &self.peer).finish_non_exhaustive()
    }
}

/// What is kept of a response, its body aside.
#[derive(Debug, Clone, Copy, Default)]
struct Answer {
    status: u16,
    retry_after: Option<Duration>,
    /// Whether the connection can carry another exchange.
    can_stay: bool,
}

impl Answer {
    fn of(head: &ResponseHead<'_>) -> Self {
        let retry_after = head.header("retry-after");
        Self {
            status: head.status,
            retry_after: retry_after.and_then(|value| retry_after::parse(&value, SystemTime::now())),
            can_stay: head.keep_alive,
        }
    }
}

/// An exchange that failed.
struct Failure {
    kind: NetErrorKind,
    /// The peer closed before it answered anything: on a kept connection, it may never have seen the request.
    is_stale: bool,
}

impl Failure {
    fn of(error: io::Error, stage: Stage) -> Self {
        NetErrorKind::of(error, stage).into()
    }

    fn stale(error: io::Error, stage: Stage) -> Self {
        Self { kind: NetErrorKind::of(error, stage), is_stale: true }
    }
}

impl From<NetErrorKind> for Failure {
    fn from(kind: NetErrorKind) -> Self {
        Self { kind, is_stale: false }
    }
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        NetErrorKind::Protocol(error).into()
    }
}

/// Whether the peer has closed the connection; the last is how it ends a session of TLS without a word.
fn is_closed(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::BrokenPipe
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::UnexpectedEof
    )
}

fn silent_close() -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, "closed without a response")
}

//! Why an exchange came to nothing.

use std::{error::Error, fmt, io, sync::Arc};

use crate::wire::http::HttpError;

/// An exchange that came to nothing, and with whom. Neither headers nor bodies are in the text.
#[derive(Debug, Clone)]
pub struct NetError {
    /// `host:port` of the peer.
    pub peer: Arc<str>,
    /// What happened.
    pub kind: NetErrorKind,
}

/// What happened to an exchange.
#[derive(Debug, Clone)]
pub enum NetErrorKind {
    /// The deadline passed, in this stage.
    TimedOut {
        /// The stage that was not over.
        during: Stage,
    },
    /// The name has no address.
    Resolve(Arc<io::Error>),
    /// No address took the connection; the error is that of the last one tried.
    Connect(Arc<io::Error>),
    /// The connection broke while the request was sent.
    Write(Arc<io::Error>),
    /// The connection broke while the response was read.
    Read(Arc<io::Error>),
    /// The peer does not speak HTTP/1.1 as it should, or closed before its response was complete.
    Protocol(HttpError),
    /// The body of the response is beyond [`MAX_BODY_BYTES`](super::MAX_BODY_BYTES).
    TooLarge,
    /// TLS could not be agreed on with the peer, or broke.
    Tls(Arc<io::Error>),
    /// The URL asks for TLS, and the feature `tls` is off.
    Https,
}

/// The stages of an exchange, all under one deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Looking up the addresses of the name.
    Resolve,
    /// Connecting to one of them.
    Connect,
    /// Agreeing on TLS.
    Handshake,
    /// Sending the request.
    Write,
    /// Reading the response.
    Read,
}

impl NetErrorKind {
    /// What an error of the socket means in that stage.
    pub(super) fn of(error: io::Error, stage: Stage) -> Self {
        #[cfg(feature = "tls")]
        if super::tls::is_broken(&error) {
            return Self::Tls(Arc::new(error));
        }
        match (error.kind(), stage) {
            // A socket's time-out is the former on Unix and the latter elsewhere.
            (io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut, during) => Self::TimedOut { during },
            (_, Stage::Resolve) => Self::Resolve(Arc::new(error)),
            (_, Stage::Connect) => Self::Connect(Arc::new(error)),
            (_, Stage::Handshake) => Self::Tls(Arc::new(error)),
            (_, Stage::Write) => Self::Write(Arc::new(error)),
            (_, Stage::Read) => Self::Read(Arc::new(error)),
        }
    }
}

impl fmt::Display for NetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.peer, self.kind)
    }
}

impl fmt::Display for NetErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut { during } => write!(f, "timed out while {during}"),
            Self::Resolve(error) => write!(f, "cannot resolve the name: {error}"),
            Self::Connect(error) => write!(f, "cannot connect: {error}"),
            Self::Write(error) => write!(f, "cannot send the request: {error}"),
            Self::Read(error) => write!(f, "cannot read the response: {error}"),
            Self::Protocol(error) => write!(f, "bad response: {error}"),
            Self::TooLarge => write!(f, "the response is larger than {} bytes", super::MAX_BODY_BYTES),
            Self::Tls(error) => write!(f, "cannot speak tls: {error}"),
            Self::Https => {
                f.write_str("https needs the feature 'tls', which is off: turn it on, or use http")
            }
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Resolve => "resolving the name",
            Stage::Connect => "connecting",
            Stage::Handshake => "agreeing on tls",
            Stage::Write => "sending the request",
            Stage::Read => "waiting for the response",
        })
    }
}

impl Error for NetError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.kind {
            NetErrorKind::Resolve(error)
            | NetErrorKind::Connect(error)
            | NetErrorKind::Write(error)
            | NetErrorKind::Read(error)
            | NetErrorKind::Tls(error) => Some(error),
            NetErrorKind::Protocol(error) => Some(error),
            NetErrorKind::TimedOut { .. } | NetErrorKind::TooLarge | NetErrorKind::Https => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_names_the_peer_and_says_in_lower_case_what_happened() {
        let refused = || io::Error::new(io::ErrorKind::ConnectionRefused, "refused");
        let timed_out = |during| NetErrorKind::TimedOut { during };
        #[rustfmt::skip]
        let cases = [
            (timed_out(Stage::Resolve), "h:1: timed out while resolving the name"),
            (timed_out(Stage::Connect), "h:1: timed out while connecting"),
            (timed_out(Stage::Handshake), "h:1: timed out while agreeing on tls"),
            (timed_out(Stage::Write), "h:1: timed out while sending the request"),
            (timed_out(Stage::Read), "h:1: timed out while waiting for the response"),
            (NetErrorKind::of(refused(), Stage::Resolve), "h:1: cannot resolve the name: refused"),
            (NetErrorKind::of(refused(), Stage::Connect), "h:1: cannot connect: refused"),
            (NetErrorKind::of(refused(), Stage::Handshake), "h:1: cannot speak tls: refused"),
            (NetErrorKind::of(refused(), Stage::Write), "h:1: cannot send the request: refused"),
            (NetErrorKind::of(refused(), Stage::Read), "h:1: cannot read the response: refused"),
            (NetErrorKind::of(io::ErrorKind::WouldBlock.into(), Stage::Read), "h:1: timed out while waiting for the response"),
            (NetErrorKind::of(io::ErrorKind::TimedOut.into(), Stage::Connect), "h:1: timed out while connecting"),
            (NetErrorKind::Protocol(HttpError::ChunkSize), "h:1: bad response: malformed chunk size"),
            (NetErrorKind::TooLarge, "h:1: the response is larger than 4194304 bytes"),
            (NetErrorKind::Https, "h:1: https needs the feature 'tls', which is off: turn it on, or use http"),
        ];
        for (kind, text) in cases {
            assert_eq!(NetError { peer: "h:1".into(), kind }.to_string(), text);
        }
    }
}

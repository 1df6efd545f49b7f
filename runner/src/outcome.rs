//! What became of a request.

/// Why a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No connection could be made.
    Connect,
    /// No whole response came in time.
    Timeout,
    /// The connection broke before the response was whole. That of a kept connection before its first byte, too:
    /// the request may have been executed, so it is not sent again behind the user's back.
    Reset,
    /// What came is not HTTP/1.1.
    Protocol,
    /// The status is none of those expected.
    Status,
}

impl Failure {
    pub(crate) const COUNT: usize = 5;

    pub(crate) fn name(self) -> &'static str {
        match self {
            Failure::Connect => "connect",
            Failure::Timeout => "timeout",
            Failure::Reset => "reset",
            Failure::Protocol => "protocol",
            Failure::Status => "status",
        }
    }
}

/// The end of a request: a response, expected or not, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) status: Option<u16>,
    pub(crate) failure: Option<Failure>,
}

impl Outcome {
    pub(crate) fn failed(failure: Failure) -> Self {
        Outcome { status: None, failure: Some(failure) }
    }

    pub(crate) fn answered(status: u16, is_expected: bool) -> Self {
        Outcome { status: Some(status), failure: (!is_expected).then_some(Failure::Status) }
    }
}

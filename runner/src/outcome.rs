//! What became of a request.

/// The value of the label `outcome` for a good request.
pub(crate) const SUCCESS: &str = "success";
/// The same for a failed one.
pub(crate) const FAILURE: &str = "failure";

/// The class of a failed request, as the label `error.type` gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Failure {
    /// No connection could be made, or not in time.
    Connect,
    /// No whole response came in time.
    Timeout,
    /// The connection broke before the response was whole: by a reset, or by an early end. That of a kept connection before
    /// the first byte is one only if the request may not be sent twice, or was: a request that means the same twice is sent
    /// once more on a new connection, and counted as a retry.
    Reset,
    /// What came is not HTTP/1.1.
    Protocol,
    /// The status is none of those expected.
    Status,
    /// Another expectation of the response was not met.
    Check,
    /// This machine had no local port, descriptor or memory left for the request: no fault of the target.
    Local,
}

impl Failure {
    /// All classes, in their order.
    pub const ALL: [Failure; 7] = [
        Failure::Connect,
        Failure::Timeout,
        Failure::Reset,
        Failure::Protocol,
        Failure::Status,
        Failure::Check,
        Failure::Local,
    ];

    /// The value of the label.
    pub fn name(self) -> &'static str {
        match self {
            Failure::Connect => "connect",
            Failure::Timeout => "timeout",
            Failure::Reset => "reset",
            Failure::Protocol => "protocol",
            Failure::Status => "status",
            Failure::Check => "check",
            Failure::Local => "local",
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

    pub(crate) fn name(self) -> &'static str {
        if self.failure.is_none() { SUCCESS } else { FAILURE }
    }

    pub(crate) fn answered(status: u16, is_expected: bool) -> Self {
        Outcome { status: Some(status), failure: (!is_expected).then_some(Failure::Status) }
    }
}

//! What the response to a request means (OTLP 1.x, "OTLP/HTTP Response").

use std::{fmt, time::Instant};

use barewire::{
    Error, ExportError,
    wire::{
        http::Url,
        net::OnStale,
        post::{Auth, Post},
    },
};
use serde_json::Value as Json;

use super::Sent;

/// The longest body that is searched for a partial success.
const MAX_PARTIAL_SUCCESS_BYTES: usize = 64 * 1024;

/// The port that OTLP over gRPC has by convention, which this exporter does not speak.
const GRPC_PORT: u16 = 4317;
const GRPC_HINT: &str = " (port 4317 is for OTLP over gRPC; OTLP over HTTP has port 4318)";

/// What differs from signal to signal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signal {
    /// Below a base URL.
    pub(super) path: &'static str,
    /// Where a partial success has the number of items that were not taken.
    rejected: &'static str,
}

pub(super) const METRICS: Signal = Signal { path: "/v1/metrics", rejected: "rejectedDataPoints" };
pub(super) const LOGS: Signal = Signal { path: "/v1/logs", rejected: "rejectedLogRecords" };
pub(super) const TRACES: Signal = Signal { path: "/v1/traces", rejected: "rejectedSpans" };

/// A receiver of one signal over HTTP.
pub(super) struct Http {
    pub(super) post: Post,
    signal: Signal,
}

/// Why a document was not taken.
pub(super) struct Refusal {
    pub(super) error: ExportError,
    pub(super) why: Why,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// There was no answer, or one that may be another one later.
    ForNow,
    /// The answer to this document will be the same.
    ForGood,
    /// There is nobody to take any document of this signal.
    Nobody,
}

impl Http {
    pub(super) fn new(url: Url, auth: Option<Auth>, signal: Signal) -> Result<Self, Error> {
        let mut post = Post::new("otlp", url, "application/json")?;
        if let Some(auth) = auth {
            post.set_auth(auth)?;
        }
        Ok(Http { post, signal })
    }

    /// Sends `document`, again after a pause that the receiver asks for if it ends before `deadline`.
    pub(super) fn send(
        &mut self,
        document: &[u8],
        on_stale: OnStale,
        deadline: Instant,
    ) -> Result<Sent, Refusal> {
        let hint = if self.post.url().port() == GRPC_PORT { GRPC_HINT } else { "" };
        let no_answer = |error| Refusal { error: hinted(error, hint), why: Why::ForNow };
        let answer = self.post.send(document, on_stale, deadline).map_err(no_answer)?;
        if !answer.is_success() {
            let why = match answer.status {
                404 | 405 => Why::Nobody,
                _ if answer.is_retryable() => Why::ForNow,
                _ => Why::ForGood,
            };
            return Err(Refusal { error: hinted(answer.refusal(), hint), why });
        }
        if answer.is_html() {
            let error = answer.refusal_saying(&format!("this is no OTLP endpoint: {}", answer.said()));
            return Err(Refusal { error, why: Why::ForNow });
        }
        let (rejected, message) = partial_success(answer.body, self.signal.rejected);
        let message = message.map(|message| answer.line(&message)).filter(|line| !line.is_empty());
        let message = answer.unreadable().or(message);
        Ok(Sent { bytes: answer.bytes, rejected, message, ..Sent::default() })
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.post.fmt(f)
    }
}

fn hinted(error: ExportError, hint: &str) -> ExportError {
    match error {
        ExportError::TimedOut(what) => ExportError::TimedOut(what + hint),
        ExportError::Failed(why) => ExportError::Failed(why + hint),
        ExportError::Throttled => ExportError::Throttled,
    }
}

/// How many items were rejected, and what was said about it. Any other body means nothing.
fn partial_success(body: &[u8], rejected: &str) -> (u64, Option<String>) {
    if matches!(body, b"" | b"{}" | br#"{"partialSuccess":{}}"#) || body.len() > MAX_PARTIAL_SUCCESS_BYTES {
        return (0, None);
    }
    let body: Json = serde_json::from_slice(body).unwrap_or_default();
    let partial = &body["partialSuccess"];
    let rejected = &partial[rejected];
    let rejected = rejected.as_u64().or_else(|| rejected.as_str()?.parse().ok()).unwrap_or(0);
    (rejected, partial["errorMessage"].as_str().map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_success_is_read_in_either_spelling_of_its_number() {
        let some = |text: &str| Some(text.to_owned());
        for (body, expected) in [
            ("", (0, None)),
            ("{}", (0, None)),
            (r#"{"partialSuccess":{}}"#, (0, None)),
            (r#"{ "partialSuccess": { } }"#, (0, None)),
            (r#"{"partialSuccess":{"rejectedDataPoints":"3"}}"#, (3, None)),
            (r#"{"partialSuccess":{"rejectedDataPoints":3,"errorMessage":"no"}}"#, (3, some("no"))),
            (r#"{"partialSuccess":{"rejectedDataPoints":-1,"errorMessage":""}}"#, (0, some(""))),
            (r#"{"partialSuccess":{"rejectedDataPoints":1.5,"errorMessage":5}}"#, (0, None)),
            (r#"{"partialSuccess":{"rejectedSpans":3}}"#, (0, None)),
            (r#"{"partialSuccess":[]}"#, (0, None)),
            ("[[[[[", (0, None)),
            ("<html>", (0, None)),
            ("5", (0, None)),
        ] {
            assert_eq!(partial_success(body.as_bytes(), METRICS.rejected), expected, "{body}");
        }
    }
}

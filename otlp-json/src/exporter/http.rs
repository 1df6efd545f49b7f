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

/// A receiver over HTTP.
pub(super) struct Http {
    pub(super) post: Post,
    warning: Option<String>,
}

impl Http {
    pub(super) fn new(url: Url, auth: Option<Auth>) -> Result<Self, Error> {
        let mut post = Post::new("otlp", url, "application/json")?;
        if let Some(auth) = auth {
            post.set_auth(auth)?;
        }
        Ok(Http { post, warning: None })
    }

    pub(super) fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// Sends `document`, again after a pause that the receiver asks for if it ends before `deadline`.
    pub(super) fn send(
        &mut self,
        document: &[u8],
        on_stale: OnStale,
        deadline: Instant,
    ) -> Result<Sent, ExportError> {
        let answer = self.post.send(document, on_stale, deadline)?;
        if !answer.is_success() {
            return Err(answer.refusal());
        }
        let (rejected, message) = partial_success(answer.body);
        let warning = message.map(|message| answer.line(&message)).filter(|line| !line.is_empty());
        self.warning = warning.or(self.warning.take());
        Ok(Sent { bytes: answer.bytes, rejected })
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.post.fmt(f)
    }
}

/// How many points were rejected, and what was said about it. Any other body means nothing.
fn partial_success(body: &[u8]) -> (u64, Option<String>) {
    if matches!(body, b"" | b"{}" | br#"{"partialSuccess":{}}"#) || body.len() > MAX_PARTIAL_SUCCESS_BYTES {
        return (0, None);
    }
    let body: Json = serde_json::from_slice(body).unwrap_or_default();
    let partial = &body["partialSuccess"];
    let rejected = &partial["rejectedDataPoints"];
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
            (r#"{"partialSuccess":[]}"#, (0, None)),
            ("[[[[[", (0, None)),
            ("<html>", (0, None)),
            ("5", (0, None)),
        ] {
            assert_eq!(partial_success(body.as_bytes()), expected, "{body}");
        }
    }
}

//! One request a snapshot, and what its response means (OTLP 1.x, "OTLP/HTTP Response").

use std::{
    fmt, thread,
    time::{Duration, Instant},
};

use barewire::{
    Error, ExportError,
    wire::{
        http::{Header, Url, push_request_head},
        net::{Client, NetError, NetErrorKind, OnStale},
    },
};
use serde_json::Value as Json;

#[cfg(feature = "gzip")]
use super::gzip::Gzip;
use super::{Sent, refused_destination};

const USER_AGENT: &str = concat!("barewire/", env!("CARGO_PKG_VERSION"));
/// The longest pause that a receiver is granted.
const MAX_PAUSE: Duration = Duration::from_secs(5 * 60);
/// The shortest pause before a request is sent again, also to a receiver that asks for none.
const MIN_PAUSE: Duration = Duration::from_millis(100);
/// The longest body that is searched for a partial success.
const MAX_PARTIAL_SUCCESS_BYTES: usize = 64 * 1024;
/// How much of what a receiver says is repeated.
const MAX_MESSAGE_CHARS: usize = 200;

/// A receiver over HTTP.
pub(super) struct Http {
    url: Url,
    headers: Vec<Header>,
    client: Client,
    head: Vec<u8>,
    #[cfg(feature = "gzip")]
    gzip: Option<Gzip>,
    pause: Pause,
    warning: Option<String>,
}

impl Http {
    pub(super) fn new(url: Url) -> Result<Self, Error> {
        let header = |name, value| Header::new(name, value).expect("a constant header");
        Ok(Http {
            client: Client::new(&url).map_err(refused_destination)?,
            url,
            headers: vec![header("Content-Type", "application/json"), header("User-Agent", USER_AGENT)],
            head: Vec::new(),
            #[cfg(feature = "gzip")]
            gzip: None,
            pause: Pause::default(),
            warning: None,
        })
    }

    pub(super) fn set_header(&mut self, header: Header) -> Result<(), Error> {
        if ["content-type", "content-encoding"].iter().any(|own| header.name().eq_ignore_ascii_case(own)) {
            let name = header.name();
            return Err(Error::Config(format!("otlp: header '{name}' is set by the exporter: leave it out")));
        }
        self.headers.retain(|known| !known.name().eq_ignore_ascii_case(header.name()));
        self.headers.push(header);
        Ok(())
    }

    #[cfg(feature = "gzip")]
    pub(super) fn set_gzip(&mut self) {
        if self.gzip.is_none() {
            self.gzip = Some(Gzip::new());
            self.headers.push(Header::new("Content-Encoding", "gzip").expect("a constant header"));
        }
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
        #[cfg(feature = "gzip")]
        let document = self.gzip.as_mut().map_or(document, |gzip| gzip.pack(document));
        self.head.clear();
        let (target, host, length) = (self.url.target(), self.url.authority(), document.len() as u64);
        push_request_head(&mut self.head, "POST", target, host, &self.headers, Some(length));
        let mut refusal = ExportError::Throttled;
        while self.pause.wait_before(deadline) {
            let response = self.client.send(&self.head, document, on_stale, deadline).map_err(failed)?;
            if (200..300).contains(&response.status) {
                let bytes = self.head.len() as u64 + length;
                let (rejected, warning) = partial_success(response.body);
                self.warning = warning.or(self.warning.take());
                return Ok(Sent { bytes, rejected });
            }
            refusal = refused(host, response.status, response.body);
            match response.retry_after.filter(|_| is_retryable(response.status)) {
                Some(pause) => self.pause.begin(pause, Instant::now()),
                None => break,
            }
        }
        Err(refusal)
    }
}

/// Names the URL, its query left out.
impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.url, f)
    }
}

/// Until when a receiver is left alone.
#[derive(Debug, Default)]
struct Pause {
    until: Option<Instant>,
}

impl Pause {
    fn begin(&mut self, pause: Duration, now: Instant) {
        self.until = Some(now + pause.clamp(MIN_PAUSE, MAX_PAUSE));
    }

    /// Waits for the end of the pause, or not at all if `deadline` comes first.
    fn wait_before(&mut self, deadline: Instant) -> bool {
        let Some(until) = self.until else { return true };
        if until >= deadline {
            return false;
        }
        thread::sleep(until.saturating_duration_since(Instant::now()));
        self.until = None;
        true
    }
}

/// The only statuses after which the same request may succeed.
fn is_retryable(status: u16) -> bool {
    matches!(status, 429 | 502 | 503 | 504)
}

fn failed(error: NetError) -> ExportError {
    match &error.kind {
        NetErrorKind::TimedOut { during } => ExportError::TimedOut(format!("{} while {during}", error.peer)),
        _ => ExportError::Failed(error.to_string()),
    }
}

fn refused(host: &str, status: u16, body: &[u8]) -> ExportError {
    let line = first_line(&String::from_utf8_lossy(&body[..body.len().min(4 * MAX_MESSAGE_CHARS)]));
    let colon = if line.is_empty() { "" } else { ": " };
    ExportError::Failed(format!("{host} answered {status}{colon}{line}"))
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
    let message = partial["errorMessage"].as_str().map(first_line).filter(|line| !line.is_empty());
    (rejected, message)
}

/// The first line of what a receiver says, as much as one cares to read.
fn first_line(text: &str) -> String {
    let line = text.trim_start().lines().next().unwrap_or_default().trim_end();
    line.chars().take(MAX_MESSAGE_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect()
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
            (r#"{"partialSuccess":{"errorMessage":" slow\u0007 down \nplease"}}"#, (0, some("slow  down"))),
            (r#"{"partialSuccess":{"rejectedDataPoints":-1,"errorMessage":""}}"#, (0, None)),
            (r#"{"partialSuccess":{"rejectedDataPoints":1.5,"errorMessage":5}}"#, (0, None)),
            (r#"{"partialSuccess":[]}"#, (0, None)),
            ("[[[[[", (0, None)),
            ("<html>", (0, None)),
            ("5", (0, None)),
        ] {
            assert_eq!(partial_success(body.as_bytes()), expected, "{body}");
        }
    }

    #[test]
    fn a_refusal_repeats_one_short_clean_line() {
        let text = |body: &[u8]| refused("h:1", 400, body).to_string();
        assert_eq!(text(b""), "h:1 answered 400");
        assert_eq!(text(b"\r\n  bad \x1b[31mjson\r\nmore"), "h:1 answered 400: bad  [31mjson");
        assert_eq!(text(&[0xff, b'a']), "h:1 answered 400: \u{fffd}a");
        assert_eq!(text("é".repeat(5000).as_bytes()), format!("h:1 answered 400: {}", "é".repeat(200)));
    }

    #[test]
    fn a_pause_is_as_long_as_was_asked_for_within_reason() {
        let now = Instant::now();
        for (asked_ms, granted_ms) in [(0, 100), (1_000, 1_000), (300_000, 300_000), (3_600_000, 300_000)] {
            let mut pause = Pause::default();
            pause.begin(Duration::from_millis(asked_ms), now);
            assert_eq!(pause.until, Some(now + Duration::from_millis(granted_ms)));
        }
    }

    #[test]
    fn only_what_may_pass_is_waited_for() {
        let retryable: Vec<u16> = (100..600).filter(|&status| is_retryable(status)).collect();
        assert_eq!(retryable, [429, 502, 503, 504]);
    }
}

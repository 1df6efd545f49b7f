//! One request a batch of lines, and what its answer means.

use std::{fmt, time::Instant};

use barewire::{
    Error, ExportError,
    wire::{net::OnStale, post::Post},
};

use super::destination::{Endpoint, Version};

/// What an answer says that could not store some of the lines, and stored the others.
const PARTIAL: &str = "partial write";

/// A server over HTTP.
pub(super) struct Http {
    pub(super) post: Post,
    pub(super) version: Version,
    pub(super) lines: Vec<u8>,
}

/// What was handed to the server, and what it gave back.
#[derive(Debug, PartialEq, Eq, Default)]
pub(super) struct Sent {
    pub(super) bytes: u64,
    /// Lines that were not stored.
    pub(super) rejected: u64,
    /// Why.
    pub(super) message: Option<String>,
}

impl Http {
    pub(super) fn new(version: Version, endpoint: Endpoint) -> Result<Self, Error> {
        let mut post = Post::new("influx", endpoint.url, "text/plain; charset=utf-8")?;
        if let Some(auth) = endpoint.auth {
            post.set_auth(auth)?;
        }
        Ok(Http { post, version, lines: Vec::new() })
    }

    /// Sends the lines, if there are any.
    pub(super) fn send(&mut self, on_stale: OnStale, deadline: Instant) -> Result<Sent, ExportError> {
        if self.lines.is_empty() {
            return Ok(Sent::default());
        }
        let answer = self.post.send(&self.lines, on_stale, deadline)?;
        if answer.is_success() && answer.is_html() {
            let why = format!("this is no write endpoint of InfluxDB: {}", answer.said());
            return Err(answer.refusal_saying(&why));
        }
        if answer.is_success() {
            return Ok(Sent { bytes: answer.bytes, ..Sent::default() });
        }
        let text = String::from_utf8_lossy(answer.body);
        let Some(rejected) = rejected_lines(answer.status, &text) else { return Err(answer.refusal()) };
        Ok(Sent { bytes: answer.bytes, rejected, message: Some(answer.said()) })
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.post.fmt(f)
    }
}

/// How many lines were not stored, of an answer after which the others are: 400 from versions 1 and 3, 422 from
/// version 2. To send such a batch again is in vain.
fn rejected_lines(status: u16, body: &str) -> Option<u64> {
    if !matches!(status, 400 | 422) || !body.contains(PARTIAL) {
        return None;
    }
    // Versions 1 and 2 tell how many lines did not fit what they have, and which they could not read; version 3 which
    // lines there were, in JSON.
    let dropped = body.split("dropped=").skip(1).filter_map(leading_number).sum::<u64>();
    let named = body.matches("unable to parse").count() + body.matches("\"error_message\"").count();
    Some(dropped.max(named as u64).max(1))
}

fn leading_number(text: &str) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    text[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_write_tells_how_many_lines_it_cost() {
        for (status, body, expected) in [
            (
                400,
                r#"{"error":"partial write: field type conflict: input field \"value\" on measurement \"m\" is type float, already exists as type integer dropped=3"}"#,
                Some(3),
            ),
            (
                400,
                r#"{"error":"partial write: unable to parse 'x': missing fields\nunable to parse 'y': missing fields dropped=0"}"#,
                Some(2),
            ),
            (
                422,
                r#"{"code":"unprocessable entity","message":"failure writing points to database: partial write: points beyond retention policy dropped=7"}"#,
                Some(7),
            ),
            (
                400,
                r#"{"error":"partial write of line protocol occurred","data":[{"original_line":"a \"error_message\"","line_number":1,"error_message":"no"},{"original_line":"b","line_number":2,"error_message":"no"}]}"#,
                Some(2),
            ),
            (400, "partial write", Some(1)),
            (400, "partial write dropped=99999999999999999999", Some(1)),
            (400, r#"{"error":"unable to parse 'x': missing fields"}"#, None),
            (404, r#"{"error":"database not found: \"partial write\""}"#, None),
            (413, "", None),
            (500, "partial write", None),
        ] {
            assert_eq!(rejected_lines(status, body), expected, "{body}");
        }
    }
}

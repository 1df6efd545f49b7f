//! Heads: written whole, and found in the input.

use std::borrow::Cow;

use http::StatusCode;

use super::{Header, HttpError, body::elements, is_token};
use crate::wire::text::push_u64;

/// Appends a whole request head, its final CR LF included.
///
/// `method` is a token ([`is_token`](super::is_token)), `target` and `host` come from a [`Url`](super::Url).
/// A `Host` among the `headers` takes the place of `host`. `content_length` is that of the body which follows;
/// `None` says that there is none.
///
/// ```
/// use barewire::wire::http::{Url, push_request_head};
///
/// let url: Url = "http://localhost:4318/v1/metrics".parse()?;
/// let mut out = Vec::new();
/// push_request_head(&mut out, "POST", url.target(), url.authority(), &[], Some(2));
/// assert_eq!(out, b"POST /v1/metrics HTTP/1.1\r\nHost: localhost:4318\r\nContent-Length: 2\r\n\r\n");
/// # Ok::<(), barewire::wire::http::UrlError>(())
/// ```
pub fn push_request_head(
    out: &mut Vec<u8>,
    method: &str,
    target: &str,
    host: &str,
    headers: &[Header],
    content_length: Option<u64>,
) {
    debug_assert!(is_token(method));
    for part in [method, " ", target, " HTTP/1.1\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    if !headers.iter().any(|header| header.is("host")) {
        for part in ["Host: ", host, "\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    }
    push_fields(out, headers, content_length);
}

/// Appends a whole response head, its final CR LF included.
///
/// `status` is 100 to 999. Without a `content_length` the body, if the status allows one, lasts until the
/// connection is closed.
pub fn push_response_head(out: &mut Vec<u8>, status: u16, headers: &[Header], content_length: Option<u64>) {
    debug_assert!((100..=999).contains(&status));
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    out.extend_from_slice(b"HTTP/1.1 ");
    push_u64(out, u64::from(status));
    out.push(b' ');
    out.extend_from_slice(reason.unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
    push_fields(out, headers, content_length);
}

fn push_fields(out: &mut Vec<u8>, headers: &[Header], content_length: Option<u64>) {
    for header in headers {
        out.extend_from_slice(header.line());
    }
    if let Some(length) = content_length {
        out.extend_from_slice(b"Content-Length: ");
        push_u64(out, length);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// When a head that came in pieces is worth a parse.
///
/// The first look at the input parses at once, as it nearly always holds the whole head. Later ones look for
/// the blank line first, and only where no look has been: a head that comes byte by byte is searched once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct HeadSearch {
    searched: usize,
}

impl HeadSearch {
    /// The head at the front of `input` and its length, as `parse` sees it, or `None` when it is not all there.
    pub(super) fn find<T>(
        &mut self,
        input: &[u8],
        limit_bytes: usize,
        parse: impl FnOnce() -> Result<Option<(usize, T)>, HttpError>,
    ) -> Result<Option<(usize, T)>, HttpError> {
        let found = if self.is_worth_a_parse(input) { parse()? } else { None };
        let end = found.as_ref().map_or(input.len() + 1, |(len, _)| *len);
        self.searched = input.len();
        if end > limit_bytes { Err(HttpError::HeadTooLong) } else { Ok(found) }
    }

    fn is_worth_a_parse(&self, input: &[u8]) -> bool {
        // The blank line may have begun in what was searched: "\n\r" there, "\n" here.
        self.searched == 0 || has_blank_line(input.get(self.searched.saturating_sub(2)..).unwrap_or(input))
    }
}

fn has_blank_line(bytes: &[u8]) -> bool {
    bytes.ends_with(b"\n\n")
        || bytes.windows(3).any(|window| window == b"\n\r\n" || window.starts_with(b"\n\n"))
}

/// The header fields of a head that a parser has accepted, found when they are asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Fields<'b>(&'b [u8]);

impl<'b> Fields<'b> {
    /// Of a whole head, its first line included.
    pub(super) fn of(head: &'b [u8]) -> Self {
        Self(head)
    }

    /// The head that it was made of.
    pub(super) fn bytes(&self) -> &'b [u8] {
        self.0
    }

    /// The value of the first field of that name, without blanks around it.
    pub(super) fn value(&self, name: &str) -> Option<&'b [u8]> {
        self.values(name).next()
    }

    /// The values of all fields of that name, in their order.
    pub(super) fn values<'n>(&self, name: &'n str) -> impl Iterator<Item = &'b [u8]> + use<'b, 'n> {
        field_lines(self.0).skip(1).filter_map(move |line| {
            let value = line.get(name.len()..)?.trim_ascii_start().strip_prefix(b":")?;
            line[..name.len()].eq_ignore_ascii_case(name.as_bytes()).then(|| value.trim_ascii())
        })
    }
}

/// Whether a head says that its message is the last one on its connection.
pub(in crate::wire) fn says_close(head: &[u8]) -> bool {
    let mut options = Fields::of(head).values("connection").flat_map(elements);
    options.any(|option| option.eq_ignore_ascii_case(b"close"))
}

/// The lines of a head, those that are folded with their continuations, each with its end.
pub(super) fn field_lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = head;
    std::iter::from_fn(move || {
        let (line, after) = rest.split_at(field_line_len(rest)?);
        rest = after;
        Some(line)
    })
}

/// A line that begins with a blank goes on with the one before (RFC 9112, section 5.2), unless that is the empty line
/// which ends the head: the blank is the body's.
fn field_line_len(lines: &[u8]) -> Option<usize> {
    let mut ends = lines.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    let is_end = |end: &usize| {
        !matches!(lines.get(*end), Some(b' ' | b'\t')) || matches!(&lines[..*end], b"\r\n" | b"\n")
    };
    ends.find(is_end).or((!lines.is_empty()).then_some(lines.len()))
}

/// A value as it would be on one line.
pub(super) fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    if !value.contains(&b'\n') {
        return Cow::Borrowed(value);
    }
    let lines: Vec<&[u8]> = value.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).collect();
    Cow::Owned(lines.join(b" ".as_slice()))
}

/// Field values may be secrets.
impl std::fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> Header {
        text.parse().unwrap()
    }

    fn text(push: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        push(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_request_head_is_complete() {
        let plain = text(|out| push_request_head(out, "GET", "/a?b", "[::1]:8080", &[], None));
        assert_eq!(plain, "GET /a?b HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n");
        let headers = [header("Content-Type: application/json"), header("X-Api-Key: k")];
        let full = text(|out| push_request_head(out, "POST", "/", "h", &headers, Some(u64::MAX)));
        assert_eq!(
            full,
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nX-Api-Key: k\r\n\
             Content-Length: 18446744073709551615\r\n\r\n"
        );
    }

    #[test]
    fn a_host_header_takes_the_place_of_the_host() {
        let head = text(|out| push_request_head(out, "GET", "/", "h", &[header("host: other")], None));
        assert_eq!(head, "GET / HTTP/1.1\r\nhost: other\r\n\r\n");
    }

    #[test]
    fn a_response_head_is_complete() {
        let ok = text(|out| push_response_head(out, 200, &[header("Content-Type: text/plain")], Some(0)));
        assert_eq!(ok, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n");
        let odd = text(|out| push_response_head(out, 599, &[header("Connection: close")], None));
        assert_eq!(odd, "HTTP/1.1 599 \r\nConnection: close\r\n\r\n");
    }

    #[test]
    fn a_value_is_found_by_its_name_in_any_case() {
        let fields = Fields::of(b"HTTP/1.1 200 a: b\r\nA:  1 \r\nlong-name:2\r\na: 3\nEmpty:\r\n\r\n");
        assert_eq!(fields.value("a"), Some(b"1".as_slice()));
        assert_eq!(fields.value("LONG-NAME"), Some(b"2".as_slice()));
        assert_eq!(fields.value("empty"), Some(b"".as_slice()));
        assert_eq!(fields.value("long"), None);
        assert_eq!(fields.value("http/1.1 200 a"), None);
        assert_eq!(fields.values("a").collect::<Vec<_>>(), [b"1", b"3"]);
    }

    #[test]
    fn a_blank_line_is_found_wherever_the_input_was_split() {
        for head in [&b"H\r\nA: b\r\n\r\n"[..], b"H\nA: b\n\n", b"H\r\nA: b\r\n\n", b"H\n\r\n"] {
            for split in 1..head.len() {
                let search = HeadSearch { searched: split };
                assert!(search.is_worth_a_parse(head), "{split}");
                assert!(
                    split + 1 == head.len() || !search.is_worth_a_parse(&head[..head.len() - 1]),
                    "{split}"
                );
            }
        }
    }

    #[test]
    fn a_head_that_comes_byte_by_byte_is_parsed_at_its_first_byte_and_at_its_last() {
        let head = format!("H\r\n{}\r\n", "A: b\r\n".repeat(500));
        let (mut search, mut parsed_at) = (HeadSearch::default(), Vec::new());
        for len in 1..=head.len() {
            let parse = || {
                parsed_at.push(len);
                Ok((len == head.len()).then_some((len, ())))
            };
            search.find(&head.as_bytes()[..len], head.len(), parse).unwrap();
        }
        assert_eq!(parsed_at, [1, head.len()]);
    }
}

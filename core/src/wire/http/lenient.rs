//! Response heads that break a rule, read as browsers read them, as long as nothing that frames a body is in doubt.
//!
//! RFC 9112 lets servers write what no parser should have to read, and servers write more than that: values over several
//! lines, blanks before a colon, lines that are no fields. None of it says where the body ends, so an answer with it is an
//! answer. `Content-Length` and `Transfer-Encoding` say it: a line that anybody could take for one of them, and that is
//! not written by the rules, is refused, because two readers would find two ends.

use super::{HttpError, MAX_HEADERS, body::Framing, head::field_lines, is_token, response::Read};

const NAME: &[u8] = b"HTTP/1.";

/// Reads the head at the front of `input`; nothing when it is not all there.
pub(super) fn read_head(input: &[u8]) -> Result<Option<Read>, HttpError> {
    let known = input.len().min(NAME.len());
    if !input[..known].eq_ignore_ascii_case(&NAME[..known]) {
        return Err(HttpError::StartLine);
    }
    let Some(line_len) = input.iter().position(|&byte| byte == b'\n').map(|at| at + 1) else {
        return Ok(None);
    };
    let (minor_version, status) =
        read_status_line(&input[NAME.len()..line_len]).ok_or(HttpError::StartLine)?;
    let fields = read_fields(&input[line_len..])?;
    Ok(fields.map(|(fields_len, framing)| (line_len + fields_len, status, minor_version, framing)))
}

/// What follows `HTTP/1.`: the minor version, any number of blanks, three digits, and a reason in any characters.
fn read_status_line(line: &[u8]) -> Option<(u8, u16)> {
    let (version, rest) = line.split_first().filter(|(version, _)| version.is_ascii_digit())?;
    let (code, reason) = rest.trim_ascii_start().split_at_checked(3)?;
    let is_apart =
        matches!(rest, [b' ' | b'\t', ..]) && matches!(reason, [byte, ..] if byte.is_ascii_whitespace());
    let status =
        std::str::from_utf8(code).ok()?.parse().ok().filter(|status| (100..=999).contains(status))?;
    // A minor version to come is one that knows HTTP/1.1 (RFC 9110, section 2.5).
    is_apart.then_some(((version - b'0').min(1), status))
}

/// The length of all fields, their blank line included, and what they frame.
fn read_fields(input: &[u8]) -> Result<Option<(usize, Framing)>, HttpError> {
    let (mut framing, mut len) = (Framing::default(), 0);
    for (count, line) in field_lines(input).enumerate() {
        len += line.len();
        match line {
            b"\r\n" | b"\n" => return Ok(Some((len, framing))),
            _ if !line.ends_with(b"\n") => return Ok(None),
            _ if count == MAX_HEADERS => return Err(HttpError::TooManyHeaders),
            _ => read_field(&mut framing, line)?,
        }
    }
    Ok(None)
}

fn read_field(framing: &mut Framing, line: &[u8]) -> Result<(), HttpError> {
    if has_nul_or_bare_cr(line) {
        return Err(HttpError::HeaderLine);
    }
    let (name, value) = match line.iter().position(|&byte| byte == b':') {
        Some(at) => (&line[..at], Some(without_end(&line[at + 1..]))),
        None => (line, None),
    };
    match (std::str::from_utf8(name).is_ok_and(is_token), value) {
        (true, Some(value)) if !frames(name) || is_plain(value) => framing.add(name, value.trim_ascii()),
        _ if looks_like_framing(name) => Err(HttpError::HeaderLine),
        (_, Some(value)) if name.trim_ascii_end().eq_ignore_ascii_case(b"connection") => {
            framing.add(b"connection", value)
        }
        _ => Ok(()),
    }
}

/// Such a line means one thing to one reader and another to the next, whatever is in it.
fn has_nul_or_bare_cr(line: &[u8]) -> bool {
    line.contains(&0) || line.windows(2).any(|pair| pair[0] == b'\r' && pair[1] != b'\n')
}

const FRAMING: [&[u8]; 2] = [b"content-length", b"transfer-encoding"];

fn frames(name: &[u8]) -> bool {
    FRAMING.iter().any(|framing| name.eq_ignore_ascii_case(framing))
}

/// Tells whether a name begins as a framing one once it is rid of what no name has.
fn looks_like_framing(name: &[u8]) -> bool {
    let letters = || name.iter().filter(|byte| byte.is_ascii_alphanumeric() || **byte == b'-');
    FRAMING
        .iter()
        .any(|framing| letters().take(framing.len()).map(u8::to_ascii_lowercase).eq(framing.iter().copied()))
}

/// Cuts off the line end, and nothing else: a blank line that a value is folded over is a fold.
fn without_end(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r\n").or_else(|| line.strip_suffix(b"\n")).unwrap_or(line)
}

/// On one line, and without control characters.
fn is_plain(value: &[u8]) -> bool {
    value.iter().all(|byte| *byte == b'\t' || !byte.is_ascii_control())
}

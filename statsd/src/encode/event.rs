//! Events, service checks, and the frames of a stream.

use barewire::{
    Event, Label, Level,
    wire::{datagram::UNIX_LIMIT_BYTES, text::push_u64},
};

use super::style::{Style, push_clean};

/// What a service check found. The discriminants are DogStatsD's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Check {
    /// All is well.
    Ok = 0,
    /// Not well yet not broken.
    Warning = 1,
    /// Broken.
    Critical = 2,
    /// Nobody knows.
    Unknown = 3,
}

/// How a service is, as far as one check tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceCheck {
    /// What was checked: untrusted text, as all of it.
    pub name: String,
    /// What was found.
    pub status: Check,
    /// When, in nanoseconds since the Unix epoch; the Agent's own time where it is none.
    pub time_unix_ns: Option<u64>,
    /// Of what.
    pub labels: Vec<Label>,
    /// For people; may be empty.
    pub message: String,
}

/// Appends `_e{5,4}:title|text|d:1700000000|h:host|t:info|#event:name,key:value` and a line feed. The lengths are those
/// of the UTF-8, after line feeds have become `\n`. The name of the event is the tag `event`.
///
/// Appends nothing and returns false where the title is empty, which the Agent refuses.
pub fn push_event(out: &mut Vec<u8>, event: &Event, style: &Style) -> bool {
    push_event_within(out, event, style, usize::MAX)
}

/// The same in at most `limit_bytes`: of an event that is longer the text is cut, and if that is not enough the title, behind
/// a whole character and with `…` in the place of the rest.
///
/// Appends nothing and returns false where there is no room for that either, because of the tags.
pub fn push_event_within(out: &mut Vec<u8>, event: &Event, style: &Style, limit_bytes: usize) -> bool {
    let (mut title, mut text) = (prose(&event.title, false), prose(&event.text, false));
    if title.is_empty() {
        return false;
    }
    let mut tail = Vec::new();
    push_event_tail(&mut tail, event, style);
    let len = |title: &str, text: &str| {
        let digits = [title, text].map(|part| part.len().checked_ilog10().unwrap_or(0) as usize + 1);
        b"_e{,}:|".len() + digits[0] + digits[1] + title.len() + text.len() + tail.len()
    };
    for part in 0..2 {
        let excess = len(&title, &text).saturating_sub(limit_bytes);
        let longest = if part == 0 { &mut text } else { &mut title };
        cut(longest, excess);
    }
    if len(&title, &text) > limit_bytes {
        return false;
    }
    out.extend_from_slice(b"_e{");
    push_u64(out, title.len() as u64);
    out.push(b',');
    push_u64(out, text.len() as u64);
    out.extend_from_slice(b"}:");
    out.extend_from_slice(title.as_bytes());
    out.push(b'|');
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(&tail);
    true
}

/// What stands in the place of the rest of a text.
const REST: &str = "…";

/// Takes at least `excess` bytes from the end of a text, as far as it has them, and says so.
fn cut(text: &mut String, excess: usize) {
    if excess == 0 || text.is_empty() {
        return;
    }
    let end = text.floor_char_boundary(text.len().saturating_sub(excess + REST.len()));
    // Not in the middle of a line feed.
    let is_split = text[..end].ends_with('\\') && text[end..].starts_with('n');
    text.truncate(end - usize::from(is_split));
    text.push_str(REST);
}

/// All that stands behind the text of an event.
fn push_event_tail(out: &mut Vec<u8>, event: &Event, style: &Style) {
    push_time(out, event.time_unix_ns);
    out.extend_from_slice(style.host_field());
    out.extend_from_slice(match event.level {
        Level::Info => b"|t:info",
        Level::Success => b"|t:success",
        Level::Warning => b"|t:warning",
        Level::Error => b"|t:error",
    });
    let name = (!event.name.is_empty()).then(|| ("event", event.name.clone()));
    let labels = event.labels.iter().map(|label| (label.key.as_str(), label.value.to_text()));
    style.push_tags(out, name.into_iter().chain(labels));
    out.extend_from_slice(style.container_field());
    out.push(b'\n');
}

/// Appends `_sc|name|0|d:1700000000|h:host|#key:value|m:message` and a line feed.
///
/// Appends nothing and returns false where the name is empty.
pub fn push_service_check(out: &mut Vec<u8>, check: &ServiceCheck, style: &Style) -> bool {
    if check.name.is_empty() {
        return false;
    }
    out.extend_from_slice(b"_sc|");
    push_clean(out, &check.name);
    out.push(b'|');
    push_u64(out, check.status as u64);
    if let Some(time_unix_ns) = check.time_unix_ns {
        push_time(out, time_unix_ns);
    }
    out.extend_from_slice(style.host_field());
    style.push_tags(out, check.labels.iter().map(|label| (label.key.as_str(), label.value.to_text())));
    out.extend_from_slice(style.container_field());
    if !check.message.is_empty() {
        out.extend_from_slice(b"|m:");
        out.extend_from_slice(prose(&check.message.replace("m:", "m\\:"), true).as_bytes());
    }
    out.push(b'\n');
    true
}

/// Appends `payload` as one frame of a stream: its length, of 32 bits and the least significant byte first, and itself.
///
/// Appends nothing and returns false where it is longer than [`UNIX_LIMIT_BYTES`]: the Agent would close the connection.
pub fn push_stream_frame(out: &mut Vec<u8>, payload: &[u8]) -> bool {
    match u32::try_from(payload.len()) {
        Ok(length) if payload.len() <= UNIX_LIMIT_BYTES => {
            out.extend_from_slice(&length.to_le_bytes());
            out.extend_from_slice(payload);
            true
        }
        _ => false,
    }
}

fn push_time(out: &mut Vec<u8>, time_unix_ns: u64) {
    out.extend_from_slice(b"|d:");
    push_u64(out, time_unix_ns / 1_000_000_000);
}

/// Text for people: a line feed becomes `\n`, any other control character `_`; so does `|` where nothing says how long
/// the text is.
fn prose(text: &str, is_open: bool) -> String {
    let is_bad = |c: char| c.is_control() || (is_open && c == '|');
    let lines = text.split('\n').map(|line| line.replace(is_bad, "_"));
    lines.collect::<Vec<_>>().join("\\n")
}

//! Events, service checks, and the frames of a stream.

use barewire::{
    Event, Label, Level,
    wire::{datagram::UNIX_LIMIT_BYTES, text::push_u64},
};

use super::style::{Style, push_clean, push_mapped};

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
    let (mut title, mut text) = (Vec::new(), Vec::new());
    push_prose(&mut title, &event.title, false);
    push_prose(&mut text, &event.text, false);
    if title.is_empty() {
        return false;
    }
    out.extend_from_slice(b"_e{");
    push_u64(out, title.len() as u64);
    out.push(b',');
    push_u64(out, text.len() as u64);
    out.extend_from_slice(b"}:");
    out.extend_from_slice(&title);
    out.push(b'|');
    out.extend_from_slice(&text);
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
    true
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
        push_prose(out, &check.message.replace("m:", "m\\:"), true);
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
fn push_prose(out: &mut Vec<u8>, text: &str, is_open: bool) {
    for (at, line) in text.split('\n').enumerate() {
        if at > 0 {
            out.extend_from_slice(b"\\n");
        }
        push_mapped(out, line, |c| c.is_control() || (is_open && c == '|'));
    }
}

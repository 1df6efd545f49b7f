//! One line from its parts, whatever their texts are.
//!
//! ```text
//! measurement,key=value,key=value field=1i,field="text" 1700000000000000000␊
//! └───────────── head ──────────┘└──────── fields ─────┘└────── time ──────┘
//! ```
//!
//! A backslash stands before `,` and space in a measurement, before `,` `=` and space in keys and in the values of
//! tags, and before `"` and `\` in a text field, where everything else stands raw.
//!
//! What the parsers of InfluxDB 1, 2 and 3 and of others do not read alike has no form, and becomes `_`: in names and
//! tags that is a line feed, a carriage return, a tab, a NUL, and a backslash that is last or that stands before
//! something that could be escaped. So no text of a user changes what a line means.

use std::borrow::Cow;

use barewire::{
    view::{FieldValue, Number},
    wire::text::{push_decimal, push_escaped, push_f64, push_i64, push_u64},
};

use crate::tags::Tags;

/// Keys that mean something to the server: a tag `time` costs the point, a field `time` vanishes.
const RESERVED_KEYS: [&str; 3] = ["time", "_field", "_measurement"];

/// The latest time that InfluxDB stores, in nanoseconds since the Unix epoch: 2262-04-11.
const MAX_TIME: u64 = i64::MAX as u64 - 1;

/// The longest key that InfluxDB 1 and 2 take: measurement, tags and field as they are written, and what the server puts
/// before the field.
const MAX_KEY_BYTES: usize = 65_535;
const SEPARATOR_BYTES: usize = 4;

/// Appends one line: a measurement, tags in any order, fields, and nanoseconds since the Unix epoch.
///
/// Integers are written as `1i`, all other numbers as floats, never as integers. Left out are tags and fields without
/// a key, tags with an empty value, floats that are not finite, and of two tags of one key the second. Keys that the
/// server would take for its own (`time`, `_field`, `_measurement`) get a `_` in front, and so does a measurement that
/// begins with `#`, which would be a comment. A tag that has the key of a field gets `_tag` behind it, as the server would
/// hide it under another name. Tags whose keys become one are one, with `;` between their values.
///
/// Returns whether there was anything to append: not without a name, not without a field, and not where measurement, tags
/// and the longest key of a field have more than 65 531 bytes, which no server takes.
///
/// ```
/// use barewire::view::{FieldValue, Number};
/// use barewire_influx::push_line;
///
/// let mut out = Vec::new();
/// let fields = [("took", FieldValue::Number(Number::Float(0.5))), ("ok", FieldValue::Bool(true))];
/// assert!(push_line(&mut out, "page views", &[("url", "/a=1"), ("host", "b,c")], &fields, 7));
/// assert_eq!(out, b"page\\ views,host=b\\,c,url=/a\\=1 took=0.5,ok=true 7\n");
/// ```
pub fn push_line(
    out: &mut Vec<u8>,
    measurement: &str,
    tags: &[(&str, &str)],
    fields: &[(&str, FieldValue<'_>)],
    time_unix_ns: u64,
) -> bool {
    let tags = tags.iter().map(|(key, value)| (*key, Cow::Borrowed(*value)));
    let tags = Tags::of(tags, |key| fields.iter().any(|(known, _)| clean_key(known) == key));
    let start = out.len();
    if !push_head(out, measurement, &tags, longest_key(fields.iter().map(|(key, _)| *key))) {
        return false;
    }
    let mut line = Line { out, start, separator: b' ' };
    let mut key = Vec::new();
    for (name, value) in fields {
        key.clear();
        if push_key(&mut key, name) {
            line.field(&key, value);
        }
    }
    line.end(|out| push_time(out, time_unix_ns))
}

/// Appends a measurement and its tags; or nothing when the measurement is empty, or when all that with the longest key of a
/// field is beyond what a server takes.
pub(crate) fn push_head(out: &mut Vec<u8>, measurement: &str, tags: &Tags<'_>, longest_field: usize) -> bool {
    if measurement.is_empty() {
        return false;
    }
    let start = out.len();
    push_escaped(out, &shown_measurement(measurement), escape_in_measurement);
    for (key, value) in tags.iter() {
        out.push(b',');
        push_escaped(out, key, escape_in_tag);
        out.push(b'=');
        push_escaped(out, &value, escape_in_tag);
    }
    let fits = out.len() - start + SEPARATOR_BYTES + longest_field <= MAX_KEY_BYTES;
    if !fits {
        out.truncate(start);
    }
    fits
}

/// How long the longest of the keys is, as it is written.
pub(crate) fn longest_key<'k>(keys: impl Iterator<Item = &'k str>) -> usize {
    let written = |key: &str| {
        let mut out = Vec::new();
        push_key(&mut out, key);
        out.len()
    };
    keys.map(written).max().unwrap_or(0)
}

/// Appends the key of a field; or nothing when it is empty.
pub(crate) fn push_key(out: &mut Vec<u8>, key: &str) -> bool {
    push_escaped(out, &clean_key(key), escape_in_tag);
    !key.is_empty()
}

/// A line whose head is written.
pub(crate) struct Line<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    /// What stands before the next field.
    separator: u8,
}

impl<'a> Line<'a> {
    pub(crate) fn begin(out: &'a mut Vec<u8>, head: &[u8]) -> Line<'a> {
        let start = out.len();
        out.extend_from_slice(head);
        Line { out, start, separator: b' ' }
    }

    /// An integer, `i64::MAX` where it is larger: unsigned ones are refused by InfluxDB 1.
    pub(crate) fn count(&mut self, key: &[u8], count: u64) {
        self.int(key, i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub(crate) fn int(&mut self, key: &[u8], int: i64) {
        self.key(key);
        push_i64(self.out, int);
        self.out.push(b'i');
    }

    /// Nothing unless it is finite.
    pub(crate) fn float(&mut self, key: &[u8], number: Number) {
        match number {
            Number::Float(float) if !float.is_finite() => return,
            _ => self.key(key),
        }
        match number {
            Number::Float(float) => push_f64(self.out, float),
            Number::Int(int) => push_i64(self.out, int),
            Number::Decimal { digits, decimals } => push_decimal(self.out, digits, decimals),
        }
    }

    pub(crate) fn field(&mut self, key: &[u8], value: &FieldValue<'_>) {
        match value {
            FieldValue::Number(Number::Int(int)) => self.int(key, *int),
            FieldValue::Number(number) => self.float(key, *number),
            FieldValue::Bool(truth) => {
                self.key(key);
                self.out.extend_from_slice(if *truth { b"true" } else { b"false" });
            }
            FieldValue::Text(text) => self.text(key, text),
        }
    }

    pub(crate) fn text(&mut self, key: &[u8], text: &str) {
        self.key(key);
        self.out.push(b'"');
        push_escaped(self.out, text, escape_in_text);
        self.out.push(b'"');
    }

    /// Ends the line with the time that `push` appends, or takes it back when it has no field; returns whether it has.
    pub(crate) fn end(self, push: impl FnOnce(&mut Vec<u8>)) -> bool {
        if self.separator == b' ' {
            return self.take_back();
        }
        push(self.out);
        true
    }

    /// Takes the line back; false, as it is not there.
    pub(crate) fn take_back(self) -> bool {
        self.out.truncate(self.start);
        false
    }

    fn key(&mut self, key: &[u8]) {
        self.out.push(self.separator);
        self.separator = b',';
        self.out.extend_from_slice(key);
        self.out.push(b'=');
    }
}

/// Appends the end of a line: ` 18446744073709551615␊` at most.
pub(crate) fn push_time(out: &mut Vec<u8>, time_unix_ns: u64) {
    out.push(b' ');
    push_u64(out, time_unix_ns.min(MAX_TIME));
    out.push(b'\n');
}

/// `text` with a `_` for each character that has no form.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let has_no_form = |at: usize| match bytes[at] {
        b'\n' | b'\r' | b'\t' | 0 => true,
        b'\\' => matches!(bytes.get(at + 1), None | Some(b'\\' | b',' | b'=' | b' ')),
        _ => false,
    };
    if !(0..bytes.len()).any(has_no_form) {
        return Cow::Borrowed(text);
    }
    text.char_indices().map(|(at, character)| if has_no_form(at) { '_' } else { character }).collect()
}

/// What a measurement is called in the end, without its escapes.
pub(crate) fn shown_measurement(measurement: &str) -> Cow<'_, str> {
    let shown = clean(measurement);
    if shown.starts_with('#') { Cow::Owned(format!("_{shown}")) } else { shown }
}

pub(crate) fn clean_key(key: &str) -> Cow<'_, str> {
    let key = clean(key);
    if RESERVED_KEYS.contains(&&*key) { Cow::Owned(format!("_{key}")) } else { key }
}

fn escape_in_measurement(byte: u8) -> Option<&'static [u8]> {
    match byte {
        b',' => Some(b"\\,"),
        b' ' => Some(b"\\ "),
        _ => None,
    }
}

fn escape_in_tag(byte: u8) -> Option<&'static [u8]> {
    if byte == b'=' { Some(b"\\=") } else { escape_in_measurement(byte) }
}

fn escape_in_text(byte: u8) -> Option<&'static [u8]> {
    match byte {
        b'"' => Some(b"\\\""),
        b'\\' => Some(b"\\\\"),
        _ => None,
    }
}

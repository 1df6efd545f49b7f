//! Rows: lines with fields of their own.

use std::{borrow::Cow, collections::HashSet};

use barewire::view::{FieldValue, Number};

use super::{Encoded, Encoder};
use crate::{
    fields::{Fields, Type},
    line::{Line, clean_key, longest_key, push_head, push_key, push_time},
    tags::Tags,
};

/// A line in parts, as [`push_line`](crate::push_line) takes them.
#[derive(Debug, Clone, Default)]
pub struct Row<'a> {
    /// The name of the measurement.
    pub measurement: &'a str,
    /// In any order; those of the encoder come behind them.
    pub tags: Vec<(&'a str, Cow<'a, str>)>,
    /// Key and value of each.
    pub fields: Vec<(&'a str, FieldValue<'a>)>,
    /// Nanoseconds since the Unix epoch.
    pub time_unix_ns: u64,
}

/// What a server keeps one value of: the head of a line, its time, and the key of a field.
type Stored = (Vec<u8>, u64, String);

impl Encoder {
    /// Appends one line for each row that line protocol can carry.
    ///
    /// A field is of one type in all rows and points of a measurement: if all its numbers are integers an integer, else a
    /// float. Left out are rows without a name or a field, those with a field of another type than an earlier row's, and those
    /// with a field that an earlier row of the same tags and time has.
    pub fn push_rows(&mut self, rows: &[Row<'_>], out: &mut Vec<u8>) -> Encoded {
        for row in rows {
            self.learn(row);
        }
        let (mut encoded, mut stored) = (Encoded::default(), HashSet::new());
        for row in rows {
            let is_written = self.push_row(row, &mut stored, out);
            *if is_written { &mut encoded.points } else { &mut encoded.left_out } += 1;
        }
        encoded
    }

    fn learn(&mut self, row: &Row<'_>) {
        for (key, value) in fields_of(row) {
            self.measurements.learn_field(row.measurement, &key, Type::of(value));
        }
    }

    fn push_row(&mut self, row: &Row<'_>, stored: &mut HashSet<Stored>, out: &mut Vec<u8>) -> bool {
        let Encoder { tags, measurements, renamed, .. } = self;
        let known = measurements.of(row.measurement);
        let own = row.tags.iter().map(|(key, value)| (*key, Cow::Borrowed(&**value)));
        let common = tags.iter().map(|tag| (tag.key.as_str(), tag.value.to_text()));
        let tags = Tags::of(own.chain(common), |key| known.have(key));
        let mut fit = |(key, value): (Cow<'_, str>, &FieldValue<'_>)| {
            known.keep(&key, Type::of(value)).fit(value).map(|_| key.into_owned())
        };
        let Some(keys) = fields_of(row).map(&mut fit).collect::<Option<Vec<_>>>() else { return false };
        let mut head = Vec::new();
        if !push_head(&mut head, row.measurement, &tags, longest_key(keys.iter().map(String::as_str))) {
            return false;
        }
        let places: Vec<_> = keys.into_iter().map(|key| (head.clone(), row.time_unix_ns, key)).collect();
        if places.iter().any(|place| stored.contains(place)) {
            return false;
        }
        stored.extend(places);
        renamed.add(tags.renamed());
        push_line_of(row, &head, known, out)
    }
}

fn push_line_of(row: &Row<'_>, head: &[u8], known: &mut Fields, out: &mut Vec<u8>) -> bool {
    let mut line = Line::begin(out, head);
    let mut written = Vec::new();
    for (key, value) in fields_of(row) {
        if let Some(value) = known.keep(&key, Type::of(value)).fit(value) {
            written.clear();
            push_key(&mut written, &key);
            line.field(&written, &value);
        }
    }
    line.end(|out| push_time(out, row.time_unix_ns))
}

/// The fields that can be written, by the keys that they get.
fn fields_of<'r>(row: &'r Row<'_>) -> impl Iterator<Item = (Cow<'r, str>, &'r FieldValue<'r>)> {
    let is_written = |(key, value): &&(&str, FieldValue<'_>)| {
        let is_number = !matches!(value, FieldValue::Number(Number::Float(float)) if !float.is_finite());
        !key.is_empty() && is_number
    };
    row.fields.iter().filter(is_written).map(|(key, value)| (clean_key(key), value))
}

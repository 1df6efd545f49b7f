//! Every line is read by a parser that others wrote, and nothing is lost uncounted.

use arbitrary::Arbitrary;
use barewire::{
    Label,
    view::{self, FieldValue, Number, Value},
    wire::datagram::Datagrams,
};
use barewire_influx::{Encoder, push_event, push_line};
use influxdb_line_protocol::{ParsedLine, parse_lines};

use crate::{
    event::Happened,
    frame::{Frame, Text},
};

/// What one exporter tells, and how.
#[derive(Debug, Arbitrary)]
pub struct Told {
    tags: Vec<(Text, Text)>,
    has_resource_tags: bool,
    limit_bytes: u16,
    frames: Vec<Frame>,
    events: Vec<Happened>,
    lines: Vec<Parts>,
}

/// Of a line.
#[derive(Debug, Arbitrary)]
struct Parts {
    measurement: Text,
    tags: Vec<(Text, Text)>,
    fields: Vec<(Text, Field)>,
    time_unix_ns: u64,
}

/// Mirrors [`FieldValue`].
#[derive(Debug, Arbitrary)]
enum Field {
    Int(i64),
    Float(f64),
    Bool(bool),
    Text(String),
}

/// Encodes all of it, and reads the lines.
///
/// # Panics
/// When one is none, when points are missing, or when an encoder does not say the same twice.
pub fn check(told: Told) {
    let Told { tags, has_resource_tags, limit_bytes, frames, events, lines } = told;
    let tags: Vec<Label> =
        tags.into_iter().map(|(key, value)| Label::new(key, String::from(value))).collect();
    let encoder = tags
        .iter()
        .fold(Encoder::new(), |encoder, tag| encoder.tag(tag.key.clone(), tag.value.to_text().into_owned()));
    let encoder = if has_resource_tags { encoder.resource_tags() } else { encoder };
    let frames: Vec<view::Frame> = frames.into_iter().map(Into::into).collect();
    check_frames(encoder, &frames, limit_bytes.into());
    for event in events.into_iter().map(Into::into) {
        let mut out = Vec::new();
        let is_pushed = push_event(&mut out, &event, &tags);
        assert_eq!(parsed(&out).len(), usize::from(is_pushed));
    }
    lines.iter().for_each(Parts::check);
}

fn check_frames(mut encoder: Encoder, frames: &[view::Frame], limit_bytes: usize) {
    let points = frames.iter().flat_map(|frame| &frame.points);
    let present = points.filter(|point| point.value != Value::Absent).count() as u64;
    let (mut lines, mut again, mut datagrams) = (Vec::new(), Vec::new(), Datagrams::new(limit_bytes));
    let encoded = encoder.push(frames, &mut lines);
    assert_eq!(encoded.points + encoded.left_out, present);
    assert_eq!(parsed(&lines).len() as u64, encoded.points);
    assert_eq!(encoder.push(frames, &mut again), encoded);
    assert_eq!(again, lines);
    let packed = encoder.pack(frames, &mut datagrams);
    assert_eq!(packed.points + packed.left_out, present);
    assert!(datagrams.iter().all(|datagram| datagram.len() <= limit_bytes));
    assert_eq!(datagrams.iter().map(|datagram| parsed(datagram).len() as u64).sum::<u64>(), packed.points);
}

impl Parts {
    fn check(&self) {
        let text = |text: &Text| String::from(text.clone());
        let pairs: Vec<_> = self.tags.iter().map(|(key, value)| (text(key), text(value))).collect();
        let tags: Vec<_> = pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let keys: Vec<_> = self.fields.iter().map(|(key, _)| text(key)).collect();
        let fields: Vec<_> =
            keys.iter().zip(&self.fields).map(|(key, (_, field))| (key.as_str(), field.shown())).collect();
        let mut out = Vec::new();
        let is_pushed = push_line(&mut out, &text(&self.measurement), &tags, &fields, self.time_unix_ns);
        let lines = parsed(&out);
        assert_eq!(lines.len(), usize::from(is_pushed));
        for line in lines {
            assert!(line.series.tag_set.iter().flatten().count() <= tags.len());
            assert!((1..=fields.len()).contains(&line.field_set.len()));
            assert!(line.timestamp.is_some());
        }
    }
}

impl Field {
    fn shown(&self) -> FieldValue<'_> {
        match self {
            Field::Int(int) => FieldValue::Number(Number::Int(*int)),
            Field::Float(float) => FieldValue::Number(Number::Float(*float)),
            Field::Bool(truth) => FieldValue::Bool(*truth),
            Field::Text(text) => FieldValue::Text(text),
        }
    }
}

fn parsed(text: &[u8]) -> Vec<ParsedLine<'_>> {
    assert!(text.is_empty() || text.ends_with(b"\n"));
    let text = std::str::from_utf8(text).expect("UTF-8");
    parse_lines(text).collect::<Result<_, _>>().unwrap_or_else(|error| panic!("{error}: {text:?}"))
}

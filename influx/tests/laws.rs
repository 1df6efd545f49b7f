//! What holds for any line, judged by a parser that others wrote: it says what was written, no text of a user changes
//! what it means, and nothing is lost uncounted.

use std::sync::Arc;

use barewire::{
    Distribution, Label, Metric, Precision, Unit,
    view::{Explicit, Exponential, ExponentialBuckets, FieldValue, Frame, Number, Point, Recorded, Value},
    wire::datagram::Datagrams,
};
use barewire_influx::{Encoded, Encoder, push_line};
use influxdb_line_protocol::{FieldValue as Parsed, ParsedLine, parse_lines};
use proptest::{collection::vec, option, prelude::*};

proptest! {
    #[test]
    fn every_line_is_read_back_as_what_was_written(lines in vec(line(), 0..5)) {
        let (mut text, mut expected) = (Vec::new(), Vec::new());
        for line in &lines {
            let before = text.len();
            let said = naive::line(line);
            prop_assert_eq!(line.push(&mut text), said.is_some());
            prop_assert!(said.is_some() || text.len() == before);
            expected.extend(said);
        }
        let text = String::from_utf8(text).expect("UTF-8");
        prop_assert!(text.is_empty() || text.ends_with('\n'));
        let read: Vec<_> = parse(&text).iter().map(Said::of).collect();
        prop_assert_eq!(read, expected, "{}", text);
    }

    #[test]
    fn every_present_point_is_one_line_or_left_out(frame in frame(), tags in vec((text(), text()), 0..3)) {
        let mut encoder = tags.iter().fold(Encoder::new(), |encoder, (key, value)| encoder.tag(key, value));
        let (text, encoded) = encode(&mut encoder, &frame);
        let present = frame.points.iter().filter(|point| point.value != Value::Absent).count() as u64;
        prop_assert_eq!(encoded.points + encoded.left_out, present);
        let lines = parse(&text);
        prop_assert_eq!(lines.len() as u64, encoded.points, "{}", text);
        // In the order of the points, and under their names.
        let mut names = frame.points.iter().map(|point| naive::measurement(&point.metric.name));
        for line in &lines {
            prop_assert!(names.any(|name| name == line.series.measurement.as_str()), "{}", text);
            prop_assert!(line.timestamp.is_some());
        }
    }

    #[test]
    fn no_datagram_is_too_long_and_every_line_is_in_one_or_left_out(
        frame in frame(), limit in 1..400_usize,
    ) {
        let mut datagrams = Datagrams::new(limit);
        let encoded = Encoder::new().pack([&frame], &mut datagrams);
        let present = frame.points.iter().filter(|point| point.value != Value::Absent).count() as u64;
        prop_assert_eq!(encoded.points + encoded.left_out, present);
        let mut lines = 0;
        for datagram in datagrams.iter() {
            prop_assert!(datagram.len() <= limit && datagram.ends_with(b"\n"));
            lines += parse(std::str::from_utf8(datagram).expect("UTF-8")).len();
        }
        prop_assert_eq!(lines as u64, encoded.points);
    }

    #[test]
    fn an_encoder_says_the_same_twice(frame in frame()) {
        let mut encoder = Encoder::new();
        let first = encode(&mut encoder, &frame);
        prop_assert_eq!(encode(&mut encoder, &frame), first);
    }

    #[test]
    fn the_next_tick_says_what_a_fresh_encoder_says(
        mut frame in frame(), time_unix_ns in any::<u64>(), more in vec(point(), 0..3),
    ) {
        let mut encoder = Encoder::new();
        encode(&mut encoder, &frame);
        frame.time_unix_ns = time_unix_ns;
        // Of measurements of their own: a field keeps the type of the first tick.
        frame.points.extend(more.into_iter().map(|Point { metric, value }| {
            let name = format!("more.{}", metric.name);
            Point { metric: Arc::new(Metric { name, ..Metric::clone(&metric) }), value }
        }));
        prop_assert_eq!(encode(&mut encoder, &frame), encode(&mut Encoder::new(), &frame));
    }

    #[test]
    fn a_number_is_the_line_that_its_parts_make(
        numbers in vec((text(), vec((text(), text()), 0..3), number()), 0..8), time_unix_ns in any::<u64>(),
    ) {
        let (mut points, mut expected) = (Vec::new(), Vec::new());
        for (at, (name, labels, number)) in numbers.iter().enumerate() {
            // A name of its own: the first number of a measurement decides for all.
            let name = format!("{at}{name}");
            let metric = labels.iter().fold(Metric::new(name.clone()), |metric, (key, value)| metric.label(key.clone(), value.clone()));
            let tags: Vec<_> = metric.labels.iter().map(|label| (label.key.clone(), label.value.to_text().into_owned())).collect();
            let tags: Vec<_> = tags.iter().map(|(key, value)| (&**key, &**value)).collect();
            push_line(&mut expected, &name, &tags, &[("value", FieldValue::Number(*number))], time_unix_ns);
            points.push(Point { metric: Arc::new(metric), value: Value::Gauge(*number) });
        }
        let frame = Frame { time_unix_ns, points, ..Frame::default() };
        let mut encoder = Encoder::new();
        for _ in 0..2 {
            prop_assert_eq!(&encode(&mut encoder, &frame).0, std::str::from_utf8(&expected).unwrap());
        }
    }

    #[test]
    fn the_fields_of_a_measurement_keep_their_types(frames in vec(frame(), 1..4)) {
        let mut encoder = Encoder::new();
        let mut types = std::collections::HashMap::new();
        for frame in &frames {
            let (text, _) = encode(&mut encoder, frame);
            for line in parse(&text) {
                for (key, value) in &line.field_set {
                    let is_int = matches!(value, Parsed::I64(_));
                    let known = (line.series.measurement.to_string(), key.to_string());
                    prop_assert_eq!(*types.entry(known).or_insert(is_int), is_int, "{}", text);
                }
            }
        }
    }
}

fn encode(encoder: &mut Encoder, frame: &Frame) -> (String, Encoded) {
    let mut out = Vec::new();
    let encoded = encoder.push([frame], &mut out);
    (String::from_utf8(out).expect("UTF-8"), encoded)
}

fn parse(text: &str) -> Vec<ParsedLine<'_>> {
    parse_lines(text).collect::<Result<_, _>>().unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A line in parts.
#[derive(Debug)]
struct Line {
    measurement: String,
    tags: Vec<(String, String)>,
    fields: Vec<(String, Field)>,
    time: u64,
}

#[derive(Debug, Clone, PartialEq)]
enum Field {
    Int(i64),
    Float(f64),
    Bool(bool),
    Text(String),
}

impl Line {
    fn push(&self, out: &mut Vec<u8>) -> bool {
        let tags: Vec<_> = self.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let field = |field: &'_ Field| -> FieldValue<'static> {
            match field {
                Field::Int(int) => FieldValue::Number(Number::Int(*int)),
                Field::Float(float) => FieldValue::Number(Number::Float(*float)),
                Field::Bool(truth) => FieldValue::Bool(*truth),
                Field::Text(text) => FieldValue::Text(text.clone().leak()),
            }
        };
        let fields: Vec<_> = self.fields.iter().map(|(key, value)| (key.as_str(), field(value))).collect();
        push_line(out, &self.measurement, &tags, &fields, self.time)
    }
}

/// What a line says.
#[derive(Debug, PartialEq)]
struct Said {
    measurement: String,
    tags: Vec<(String, String)>,
    fields: Vec<(String, Field)>,
    time: Option<i64>,
}

impl Said {
    fn of(line: &ParsedLine<'_>) -> Said {
        let tags = line.series.tag_set.iter().flatten();
        let field = |value: &Parsed<'_>| match value {
            Parsed::I64(int) => Field::Int(*int),
            Parsed::F64(float) => Field::Float(*float),
            Parsed::Boolean(truth) => Field::Bool(*truth),
            Parsed::String(text) => Field::Text(text.to_string()),
            Parsed::U64(_) => panic!("an unsigned integer: {line:?}"),
        };
        Said {
            measurement: line.series.measurement.to_string(),
            tags: tags.map(|(key, value)| (key.to_string(), value.to_string())).collect(),
            fields: line.field_set.iter().map(|(key, value)| (key.to_string(), field(value))).collect(),
            time: line.timestamp,
        }
    }
}

/// The obvious implementation: what is to be read, without a thought of how it is written.
mod naive {
    use std::collections::BTreeMap;

    use super::{Field, Line, Said};

    pub(super) fn line(line: &Line) -> Option<Said> {
        let mut given = BTreeMap::new();
        for (key, value) in line.tags.iter().filter(|(key, value)| !key.is_empty() && !value.is_empty()) {
            given.entry(key).or_insert(value);
        }
        let mut cleaned: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (key, value) in given {
            cleaned.entry(self::key(key)).or_default().push(value);
        }
        let is_field = |key: &str| line.fields.iter().any(|(field, _)| self::key(field) == key);
        let mut tags: BTreeMap<String, String> = BTreeMap::new();
        let (renamed, kept): (Vec<_>, Vec<_>) = cleaned.iter().partition(|(key, _)| is_field(key));
        tags.extend(kept.into_iter().map(|(key, values)| (key.clone(), name(&values.join(";")))));
        for (key, values) in renamed {
            let mut other = format!("{key}_tag");
            while is_field(&other) || cleaned.contains_key(&other) || tags.contains_key(&other) {
                other += "_tag";
            }
            tags.insert(other, name(&values.join(";")));
        }
        let is_written = |field: &Field| !matches!(field, Field::Float(float) if !float.is_finite());
        let fields = line.fields.iter().filter(|(key, field)| !key.is_empty() && is_written(field));
        let fields: Vec<_> = fields.map(|(key, field)| (self::key(key), field.clone())).collect();
        (!fields.is_empty() && !line.measurement.is_empty()).then(|| Said {
            measurement: measurement(&line.measurement),
            tags: tags.into_iter().collect(),
            fields,
            time: Some(i64::try_from(line.time).unwrap_or(i64::MAX).min(i64::MAX - 1)),
        })
    }

    pub(super) fn measurement(text: &str) -> String {
        if text.starts_with('#') { format!("_{}", name(text)) } else { name(text) }
    }

    fn key(text: &str) -> String {
        let key = name(text);
        if matches!(key.as_str(), "time" | "_field" | "_measurement") { format!("_{key}") } else { key }
    }

    fn name(text: &str) -> String {
        let chars: Vec<char> = text.chars().collect();
        let shown = |at: usize| match chars[at] {
            '\n' | '\r' | '\t' | '\0' => '_',
            '\\' if matches!(chars.get(at + 1).copied().unwrap_or('\\'), '\\' | ',' | '=' | ' ') => '_',
            other => other,
        };
        (0..chars.len()).map(shown).collect()
    }
}

fn line() -> impl Strategy<Value = Line> {
    let field = prop_oneof![
        any::<i64>().prop_map(Field::Int),
        float().prop_map(Field::Float),
        any::<bool>().prop_map(Field::Bool),
        text().prop_map(Field::Text),
    ];
    (text(), vec((text(), text()), 0..4), vec((text(), field), 0..4), any::<u64>())
        .prop_map(|(measurement, tags, fields, time)| Line { measurement, tags, fields, time })
}

fn frame() -> impl Strategy<Value = Frame> {
    (any::<u64>(), vec(point(), 0..8), vec((text(), text()), 0..3)).prop_map(
        |(time_unix_ns, points, labels)| {
            let resource = labels.into_iter().map(|(key, value)| Label::new(key, value)).collect();
            Frame { resource, time_unix_ns, points, ..Frame::default() }
        },
    )
}

fn point() -> impl Strategy<Value = Point> {
    let unit = prop_oneof![Just(Unit::None), Just(Unit::Seconds), Just(Unit::Bytes)];
    (text(), vec((text(), text()), 0..3), unit, value()).prop_map(|(name, labels, unit, value)| {
        let metric = labels
            .into_iter()
            .fold(Metric::new(name).unit(unit), |metric, (key, value)| metric.label(key, value));
        Point { metric: Arc::new(metric), value }
    })
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        1 => Just(Value::Absent),
        3 => number().prop_map(Value::Gauge),
        2 => number().prop_map(Value::Counter),
        1 => explicit().prop_map(Value::from),
        1 => exponential().prop_map(Value::from),
        1 => recorded().prop_map(Value::from),
    ]
}

fn number() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<i64>().prop_map(Number::Int),
        (-9..9_i32).prop_map(|small| Number::Float(small.into())),
        float().prop_map(Number::Float),
        (any::<u128>(), 0..18_u8).prop_map(|(digits, decimals)| Number::Decimal { digits, decimals }),
    ]
}

fn float() -> impl Strategy<Value = f64> {
    any::<u64>().prop_map(f64::from_bits)
}

fn count() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0..5_u64, 1 => any::<u64>()]
}

fn explicit() -> impl Strategy<Value = Explicit> {
    let bound = prop_oneof![4 => -9.0..9.0, 1 => float()];
    let parts = (vec(bound, 0..4), vec(count(), 0..5), any::<bool>(), number(), option::of(number()));
    parts.prop_map(|(mut bounds, mut counts, is_sound, sum, min)| {
        if is_sound {
            bounds.sort_by(f64::total_cmp);
            counts.resize(bounds.len() + 1, 1);
        }
        Explicit { bounds: bounds.into(), counts, sum, min, max: min }
    })
}

fn exponential() -> impl Strategy<Value = Exponential> {
    let buckets = || {
        (any::<i32>(), vec(count(), 0..4)).prop_map(|(offset, counts)| ExponentialBuckets { offset, counts })
    };
    (any::<i32>(), count(), buckets(), buckets(), number(), option::of(number())).prop_map(
        |(scale, zero_count, positive, negative, sum, min)| Exponential {
            scale,
            zero_count,
            positive,
            negative,
            sum,
            min,
            max: min,
        },
    )
}

fn recorded() -> impl Strategy<Value = Recorded> {
    let distribution = || {
        vec(any::<u64>(), 0..5).prop_map(|values| {
            let mut distribution = Distribution::new(Precision::Three);
            values.into_iter().for_each(|value| distribution.record(value));
            distribution
        })
    };
    let decimals = prop_oneof![Just(0), Just(6), Just(9)];
    (decimals, distribution(), distribution()).prop_map(|(decimals, run, window)| Recorded {
        decimals,
        run: run.into(),
        window,
    })
}

/// Often the same, so that series meet; else hostile.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just("a".to_owned()),
        1 => Just(String::new()),
        1 => prop_oneof![Just("time"), Just("_field"), Just("_measurement"), Just("#"), Just("\"")].prop_map(str::to_owned),
        // They end as the same, or nearly.
        1 => "[\n\t_]{2}",
        3 => "[\\\\,= \"#\n\r\t\0ai1]{0,8}",
        2 => vec(prop_oneof![any::<char>(), prop::char::range('\0', '\u{7f}')], 0..6).prop_map(String::from_iter),
    ]
}

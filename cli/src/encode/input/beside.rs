//! What may stand beside the points: rows, events, service checks.

use barewire::{
    Event, Label, Level,
    view::{FieldValue, Number},
};
use barewire_statsd::{Check, ServiceCheck};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};

use super::{Labels, NumberInput, Unsigned};

/// A line with fields of its own.
#[derive(Debug)]
pub(in crate::encode) struct Row {
    pub(in crate::encode) name: String,
    pub(in crate::encode) labels: Vec<Label>,
    pub(in crate::encode) fields: Vec<(String, FieldInput)>,
    pub(in crate::encode) time_unix_ns: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = r#"an object such as {"name": "m", "fields": {"f": 1}}"#)]
pub(super) struct RowInput {
    name: String,
    #[serde(default)]
    labels: Labels,
    fields: Fields,
    #[serde(default)]
    time_unix_nano: Unsigned,
}

impl RowInput {
    pub(super) fn into_row(self) -> Row {
        let RowInput { name, labels, fields, time_unix_nano } = self;
        Row { name, labels: labels.0, fields: fields.0, time_unix_ns: time_unix_nano.0 }
    }
}

/// Names and values, in their order.
struct Fields(Vec<(String, FieldInput)>);

/// A number, a truth or a text. Text that names a number is one only where JSON has no other form: "NaN", "inf", "-inf".
#[derive(Debug, PartialEq)]
pub(in crate::encode) enum FieldInput {
    Number(Number),
    Bool(bool),
    Text(String),
}

impl FieldInput {
    pub(in crate::encode) fn shown(&self) -> FieldValue<'_> {
        match self {
            FieldInput::Number(number) => FieldValue::Number(*number),
            FieldInput::Bool(truth) => FieldValue::Bool(*truth),
            FieldInput::Text(text) => FieldValue::Text(text),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = r#"an object such as {"title": "Start", "level": "info"}"#)]
pub(super) struct EventInput {
    #[serde(default)]
    name: String,
    title: Option<String>,
    #[serde(default)]
    text: String,
    #[serde(default, deserialize_with = "LevelInput::deserialize")]
    level: Level,
    #[serde(default)]
    labels: Labels,
    #[serde(default)]
    time_unix_nano: Unsigned,
}

#[derive(Deserialize)]
#[serde(remote = "Level", rename_all = "lowercase")]
enum LevelInput {
    Info,
    Success,
    Warning,
    Error,
}

impl EventInput {
    pub(super) fn into_event(self) -> Event {
        let mut event = Event::new(self.name, self.time_unix_nano.0).text(self.text).level(self.level);
        if let Some(title) = self.title {
            event.title = title;
        }
        event.labels = self.labels.0;
        event
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = r#"an object such as {"name": "db", "status": "ok"}"#)]
pub(super) struct ServiceCheckInput {
    name: String,
    #[serde(deserialize_with = "CheckInput::deserialize")]
    status: Check,
    #[serde(default)]
    message: String,
    #[serde(default)]
    labels: Labels,
    time_unix_nano: Option<Unsigned>,
}

#[derive(Deserialize)]
#[serde(remote = "Check", rename_all = "lowercase")]
enum CheckInput {
    Ok,
    Warning,
    Critical,
    Unknown,
}

impl ServiceCheckInput {
    pub(super) fn into_check(self) -> ServiceCheck {
        let ServiceCheckInput { name, status, message, labels, time_unix_nano } = self;
        ServiceCheck {
            name,
            status,
            message,
            labels: labels.0,
            time_unix_ns: time_unix_nano.map(|time| time.0),
        }
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(r#"an object such as {"f": 1}, or pairs such as [["f", 1]]"#)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut pairs: A) -> Result<Fields, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = pairs.next_element()? {
            fields.push(field);
        }
        Ok(Fields(fields))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Fields, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = entries.next_entry()? {
            fields.push(field);
        }
        Ok(Fields(fields))
    }
}

impl<'de> Deserialize<'de> for FieldInput {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a number, true, false or text")]
        enum Any {
            Bool(bool),
            Text(String),
            Number(NumberInput),
        }
        Ok(match Any::deserialize(from)? {
            Any::Bool(truth) => FieldInput::Bool(truth),
            Any::Number(number) => FieldInput::Number(number.0),
            Any::Text(text) => match text.as_str() {
                "NaN" | "inf" | "-inf" => FieldInput::Number(Number::Float(text.parse().unwrap_or(f64::NAN))),
                _ => FieldInput::Text(text),
            },
        })
    }
}

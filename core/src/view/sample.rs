//! How a single observation is shown: the vocabulary of a format that tells of each of them.

use std::borrow::Cow;

use crate::{LabelValue, Metric, Sample, Unit};

use super::Number;

/// What one name of a vocabulary says of a sample: by which labels, and in which fields.
///
/// InfluxDB gets one point, with the name as its measurement. DogStatsD gets one line for each field that is a number,
/// called by the name, a point and the field.
///
/// ```
/// use barewire::{Unit, view::{Field, SampleRule}};
///
/// let rule = SampleRule::new("loaddensity")
///     .by_as("http.request.method", "method")
///     .field("requests", Field::Count)
///     .field("request.latency", Field::Duration(Unit::Milliseconds));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SampleRule {
    /// A measurement, or what stands before the names of fields.
    pub name: Cow<'static, str>,
    /// The labels of the series that are shown, and what they are called then.
    pub by: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    /// What is said, by name.
    pub fields: Vec<(Cow<'static, str>, Field)>,
}

/// What a field says.
#[derive(Debug, Clone, PartialEq)]
pub enum Field {
    /// 1: that there was a sample.
    Count,
    /// How long it took, in a unit of time.
    Duration(Unit),
    /// How many bytes it had.
    Bytes,
    /// Whether the label has this value.
    Is(Cow<'static, str>, LabelValue),
    /// The label itself, an integer where it is one. A sample without the label goes without the field; a text is cut
    /// to so many characters.
    Label(Cow<'static, str>, usize),
}

/// A field of one sample.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldValue<'a> {
    /// A number.
    Number(Number),
    /// Yes or no.
    Bool(bool),
    /// Untrusted text.
    Text(&'a str),
}

impl SampleRule {
    /// Shows a sample under `name`, without labels and fields.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        SampleRule { name: name.into(), by: Vec::new(), fields: Vec::new() }
    }

    /// Shows the label `key` as `shown`.
    #[must_use]
    pub fn by_as(mut self, key: impl Into<Cow<'static, str>>, shown: impl Into<Cow<'static, str>>) -> Self {
        self.by.push((key.into(), shown.into()));
        self
    }

    /// Says one more thing.
    #[must_use]
    pub fn field(mut self, name: impl Into<Cow<'static, str>>, field: Field) -> Self {
        self.fields.push((name.into(), field));
        self
    }
}

impl Field {
    /// What this field says of `sample`, whose name and labels are `metric`; `None` where it says nothing.
    pub fn of<'a>(&self, metric: &'a Metric, sample: &Sample) -> Option<FieldValue<'a>> {
        let number = |raw: u64, decimals| Some(FieldValue::Number(Number::scaled(raw.into(), decimals)));
        match self {
            Field::Count => number(1, 0),
            Field::Duration(unit) => number(sample.duration_ns, unit.decimals()),
            Field::Bytes => number(sample.bytes, 0),
            Field::Is(key, value) => Some(FieldValue::Bool(metric.label_value(key) == Some(value))),
            Field::Label(key, most) => Some(match metric.label_value(key)? {
                LabelValue::Int(int) => FieldValue::Number(Number::Int(*int)),
                LabelValue::Text(text) => {
                    let end = text.char_indices().nth(*most).map_or(text.len(), |(at, _)| at);
                    FieldValue::Text(&text[..end])
                }
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Registry;

    #[test]
    fn a_field_says_what_its_sample_and_its_labels_say() {
        let metric = Metric::new("request").label("outcome", "success").label("status", 200);
        let series = Registry::new("test").sample_series(metric.clone());
        let sample =
            Sample { series, start_unix_ns: 1, duration_ns: 2_500_000, bytes: 7, counted: true, trace: None };
        let label = |key: &'static str, most| Field::Label(key.into(), most);
        for (field, expected) in [
            (Field::Count, Some(FieldValue::Number(Number::Int(1)))),
            (
                Field::Duration(Unit::Milliseconds),
                Some(FieldValue::Number(Number::Decimal { digits: 2_500_000, decimals: 6 })),
            ),
            (Field::Bytes, Some(FieldValue::Number(Number::Int(7)))),
            (Field::Is("outcome".into(), "success".into()), Some(FieldValue::Bool(true))),
            (Field::Is("outcome".into(), "failure".into()), Some(FieldValue::Bool(false))),
            (label("outcome", 7), Some(FieldValue::Text("success"))),
            (label("outcome", 3), Some(FieldValue::Text("suc"))),
            (label("status", 0), Some(FieldValue::Number(Number::Int(200)))),
            (label("error", 512), None),
        ] {
            assert_eq!(field.of(&metric, &sample), expected, "{field:?}");
        }
    }
}

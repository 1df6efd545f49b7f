//! Fields: the keys that a measurement has, and their types.
//!
//! A server keeps the first type that it is sent for a field, of all series of a measurement, and refuses another. So the
//! first one that is written is kept here as well, and what does not fit is left out.

use std::{borrow::Cow, collections::HashMap};

use barewire::{
    Metric,
    view::{FieldValue, Number, Value},
};

use crate::line::shown_measurement;

/// The type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Int,
    Float,
    Bool,
    Text,
}

impl Type {
    pub(crate) fn of(value: &FieldValue<'_>) -> Self {
        match value {
            FieldValue::Number(Number::Int(_)) => Type::Int,
            FieldValue::Number(_) => Type::Float,
            FieldValue::Bool(_) => Type::Bool,
            FieldValue::Text(_) => Type::Text,
        }
    }

    /// The value as a field of this type holds it: integers among floats, and floats without a fraction among integers.
    pub(crate) fn fit<'v>(self, value: &FieldValue<'v>) -> Option<FieldValue<'v>> {
        match (self, value) {
            (Type::Int, FieldValue::Number(number)) => {
                whole(*number).map(Number::Int).map(FieldValue::Number)
            }
            (Type::Float, FieldValue::Number(Number::Int(int))) => {
                let decimal = || Some(Number::Decimal { digits: u128::try_from(*int).ok()?, decimals: 0 });
                #[allow(clippy::cast_precision_loss, reason = "a float is what the field holds")]
                Some(FieldValue::Number(decimal().unwrap_or(Number::Float(*int as f64))))
            }
            (Type::Float, FieldValue::Number(_))
            | (Type::Bool, FieldValue::Bool(_))
            | (Type::Text, FieldValue::Text(_)) => Some(value.clone()),
            _ => None,
        }
    }
}

/// The integer that a number is, if it is one.
pub(crate) fn whole(number: Number) -> Option<i64> {
    match number {
        Number::Int(int) => Some(int),
        #[allow(clippy::cast_possible_truncation, reason = "without a fraction and within 2^63")]
        Number::Float(float) if float.fract() == 0.0 && float.abs() < i64::MAX as f64 => Some(float as i64),
        Number::Decimal { digits, decimals: 0 } => Some(i64::try_from(digits).unwrap_or(i64::MAX)),
        _ => None,
    }
}

/// The field of a number.
pub(crate) const VALUE: &str = "value";
/// What stands before the bound in the key of a bucket.
pub(crate) const BUCKET: &str = "le_";

/// The fields of a histogram that are floats.
const HISTOGRAM: [&str; 16] = [
    "sum", "mean", "min", "max", "p50", "p90", "p95", "p99", "p999", "run_min", "run_max", "run_p50",
    "run_p90", "run_p95", "run_p99", "run_p999",
];

fn is_bucket(key: &str) -> bool {
    key.strip_prefix(BUCKET).is_some_and(|bound| bound.parse::<f64>().is_ok())
}

/// What is known of the fields of one measurement.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    /// Of numbers and of rows, by key.
    known: HashMap<String, Field>,
    has_histogram: bool,
}

/// A field that is no histogram's.
#[derive(Debug)]
struct Field {
    kind: Type,
    /// A line was written by that type, or could have been.
    is_kept: bool,
}

impl Fields {
    /// Whether a field has this key.
    pub(crate) fn have(&self, key: &str) -> bool {
        self.known.contains_key(key) || (self.has_histogram && type_in_histogram(key).is_some())
    }

    /// The type of a number, which is kept from now on.
    pub(crate) fn number(&mut self, first: Type) -> Type {
        self.keep(VALUE, first)
    }

    /// The type of the field `key`, which is kept from now on: `first` if there was none.
    pub(crate) fn keep(&mut self, key: &str, first: Type) -> Type {
        if self.has_histogram
            && let Some(kind) = type_in_histogram(key)
        {
            return kind;
        }
        if !self.known.contains_key(key) {
            self.known.insert(key.to_owned(), Field { kind: first, is_kept: true });
        }
        let field = self.known.get_mut(key).expect("it was added if it was not there");
        field.is_kept = true;
        field.kind
    }

    /// Learns of a field before a line has it. Of all numbers that come together, one that is no integer makes floats of all.
    /// Returns whether there was none of this key beside others.
    fn learn(&mut self, key: &str, kind: Type) -> bool {
        match self.known.get_mut(key) {
            Some(field) => {
                if !field.is_kept && field.kind == Type::Int && kind == Type::Float {
                    field.kind = kind;
                }
                false
            }
            None => {
                let has_grown = !self.known.is_empty() || self.has_histogram;
                self.known.insert(key.to_owned(), Field { kind, is_kept: false });
                has_grown
            }
        }
    }

    /// Learns that a histogram has its fields here.
    fn learn_histogram(&mut self) -> bool {
        !std::mem::replace(&mut self.has_histogram, true) && !self.known.is_empty()
    }
}

/// The type of a field of a histogram, if it has one of this key.
fn type_in_histogram(key: &str) -> Option<Type> {
    match key {
        "count" => Some(Type::Int),
        _ if is_bucket(key) => Some(Type::Int),
        _ => HISTOGRAM.contains(&key).then_some(Type::Float),
    }
}

/// A time is a fraction sooner or later.
pub(crate) fn first_type(metric: &Metric, number: Number) -> Type {
    if matches!(number, Number::Int(_)) && metric.unit.decimals() == 0 { Type::Int } else { Type::Float }
}

/// The measurements of all documents, by what they are called in the end.
#[derive(Debug, Default)]
pub(crate) struct Measurements {
    known: HashMap<String, Fields>,
    /// Grows when a measurement gets keys that a tag rendered before may have.
    pub(crate) generation: u64,
}

impl Measurements {
    pub(crate) fn of(&mut self, name: &str) -> &mut Fields {
        let shown = shown_measurement(name);
        // Twice, as an entry would cost a copy of the name each time.
        if !self.known.contains_key(&*shown) {
            self.known.insert(shown.clone().into_owned(), Fields::default());
        }
        self.known.get_mut(&*shown).expect("it was added if it was not there")
    }

    /// Learns of a point before its line is written.
    pub(crate) fn learn(&mut self, metric: &Metric, value: &Value) {
        let has_grown = match value {
            Value::Absent => return,
            Value::Gauge(number) | Value::Counter(number) => {
                self.of(&metric.name).learn(VALUE, first_type(metric, *number))
            }
            _ => self.of(&metric.name).learn_histogram(),
        };
        self.generation += u64::from(has_grown);
    }

    /// Learns of a field of a row before its line is written.
    pub(crate) fn learn_field(&mut self, measurement: &str, key: &str, kind: Type) {
        let has_grown = self.of(measurement).learn(key, kind);
        self.generation += u64::from(has_grown);
    }
}

/// Tags that got another key, each told once.
#[derive(Debug, Default)]
pub(crate) struct Renamed(Vec<String>);

/// So many are told at most: whose keys are made of numbers would fill the terminal.
const MOST_TOLD: usize = 8;

impl Renamed {
    pub(crate) fn add<'k>(&mut self, renamed: impl Iterator<Item = (&'k str, &'k str)>) {
        for (from, to) in renamed {
            let shown = |key: &str| -> Cow<'_, str> {
                let is_bad = |c: char| c.is_control();
                if key.contains(is_bad) { key.replace(is_bad, "_").into() } else { key.to_owned().into() }
            };
            let (from, to) = (shown(from), shown(to));
            let text = format!("the tag '{from}' is sent as '{to}', because a field is called '{from}'");
            if self.0.len() < MOST_TOLD && !self.0.contains(&text) {
                self.0.push(text);
            }
        }
    }

    pub(crate) fn told(&self) -> &[String] {
        &self.0
    }
}

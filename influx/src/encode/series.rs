//! The line of one series: what never changes, rendered once, and digits behind it.

use std::{borrow::Cow, sync::Arc};

use barewire::{
    Label, Metric,
    view::{Number, Shape, Value},
};

use super::{Scene, Type, Types, histogram};
use crate::line::{Line, push_head};
use histogram::Buckets;

/// The rendered parts of one point.
#[derive(Debug)]
pub(super) struct Series {
    metric: Arc<Metric>,
    /// Measurement and tags; empty without a name.
    head: Vec<u8>,
    fields: Fields,
}

/// What the fields of a point are, as far as it is known before the value is.
#[derive(Debug)]
enum Fields {
    /// Until the point has its first value.
    Undecided,
    Number(Type),
    Explicit(Option<Buckets>),
    Exponential,
    Recorded(Option<Buckets>),
}

impl Series {
    /// Labels go before `tags`, and those before `resource`, where the key is the same.
    pub(super) fn new(metric: &Arc<Metric>, tags: &[Label], resource: &[Label]) -> Self {
        let mut head = Vec::new();
        push_head(&mut head, &metric.name, texts(&metric.labels).chain(texts(tags)).chain(texts(resource)));
        Series { metric: Arc::clone(metric), head, fields: Fields::Undecided }
    }

    pub(super) fn is_of(&self, metric: &Arc<Metric>) -> bool {
        Arc::ptr_eq(&self.metric, metric)
    }

    /// Finds out what the fields are, unless that is known.
    pub(super) fn decide(&mut self, value: &Value, types: &mut Types) {
        if self.fields.fit(value) {
            return;
        }
        self.fields = match value {
            Value::Absent => Fields::Undecided,
            Value::Gauge(number) | Value::Counter(number) => Fields::Number(types.of(&self.metric, *number)),
            Value::Histogram(histogram) => Fields::Explicit(Buckets::new(&histogram.bounds)),
            Value::ExponentialHistogram(_) => Fields::Exponential,
            Value::Recorded(_) => Fields::Recorded(Buckets::new(&Shape::bounds(&self.metric.unit))),
        };
    }

    /// Whether there was a line to append.
    pub(super) fn push(&self, value: &Value, scene: &mut Scene<'_>, out: &mut Vec<u8>) -> bool {
        if self.head.is_empty() {
            return false;
        }
        let mut line = Line::begin(out, &self.head);
        match (&self.fields, value) {
            (Fields::Number(Type::Float), Value::Gauge(number) | Value::Counter(number)) => {
                line.float(b"value", *number);
            }
            (Fields::Number(Type::Int), Value::Gauge(number) | Value::Counter(number)) => {
                if let Some(int) = whole(*number) {
                    line.int(b"value", int);
                }
            }
            (Fields::Explicit(Some(buckets)), Value::Histogram(histogram)) => {
                histogram::push_explicit(&mut line, buckets, histogram);
            }
            (Fields::Exponential, Value::ExponentialHistogram(histogram)) => {
                histogram::push_exponential(&mut line, histogram);
            }
            (Fields::Recorded(Some(buckets)), Value::Recorded(recorded)) => {
                histogram::push_recorded(&mut line, buckets, recorded, scene);
            }
            _ => {}
        }
        line.end(|out| out.extend_from_slice(scene.time))
    }
}

impl Fields {
    fn fit(&self, value: &Value) -> bool {
        match (self, value) {
            (Fields::Explicit(buckets), Value::Histogram(histogram)) => {
                buckets.as_ref().is_some_and(|buckets| buckets.are(&histogram.bounds))
            }
            (Fields::Number(_), Value::Gauge(_) | Value::Counter(_))
            | (Fields::Exponential, Value::ExponentialHistogram(_))
            | (Fields::Recorded(_), Value::Recorded(_)) => true,
            _ => false,
        }
    }
}

fn texts(labels: &[Label]) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
    labels.iter().map(|label| (label.key.as_str(), label.value.to_text()))
}

/// The integer that a number is, if it is one.
fn whole(number: Number) -> Option<i64> {
    match number {
        Number::Int(int) => Some(int),
        #[allow(clippy::cast_possible_truncation, reason = "without a fraction and within 2^63")]
        Number::Float(float) if float.fract() == 0.0 && float.abs() < i64::MAX as f64 => Some(float as i64),
        Number::Decimal { digits, decimals: 0 } => Some(i64::try_from(digits).unwrap_or(i64::MAX)),
        _ => None,
    }
}

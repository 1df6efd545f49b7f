//! The line of one series: what never changes, rendered once, and digits behind it.

use std::borrow::Cow;

use barewire::{
    Label, Metric,
    view::{Shape, Value},
    wire::runs::{Run, Runs},
};

use super::{Scene, Type, histogram, plain::KEY};
use crate::line::{Line, push_head};
use histogram::Buckets;

/// The rendered parts of one point.
#[derive(Debug)]
pub(super) struct Series {
    /// Measurement, tags and the key of a number, among the text of all series; empty without a name.
    head: Run,
    fields: Fields,
}

/// What the fields of a point are, as far as it is known before the value is.
#[derive(Debug)]
enum Fields {
    /// Until the point has its first value.
    Undecided,
    Number(Type),
    Explicit(Option<Box<Buckets>>),
    Exponential,
    Recorded(Option<Box<Buckets>>),
}

impl Series {
    /// Labels go before `tags`, and those before `resource`, where the key is the same. Appends the head to `text`.
    pub(super) fn new(metric: &Metric, tags: &[Label], resource: &[Label], text: &mut Runs) -> Self {
        let tags = texts(&metric.labels).chain(texts(tags)).chain(texts(resource));
        let head = text.add(|text| {
            if push_head(text, &metric.name, tags) {
                text.extend_from_slice(KEY);
            }
        });
        Series { head, fields: Fields::Undecided }
    }

    /// The type of the number, which `first` says when it was none before.
    #[inline]
    pub(super) fn decide_number(&mut self, first: impl FnOnce() -> Type) -> Type {
        if let Fields::Number(kind) = self.fields {
            return kind;
        }
        let kind = first();
        self.fields = Fields::Number(kind);
        kind
    }

    /// All that stands before a number; empty without a name.
    #[inline]
    pub(super) fn head(&self) -> Run {
        self.head
    }

    /// Finds out what the fields of a histogram are, unless that is known.
    pub(super) fn decide_histogram(&mut self, metric: &Metric, value: &Value) {
        if self.fields.fit(value) {
            return;
        }
        self.fields = match value {
            Value::Absent | Value::Gauge(_) | Value::Counter(_) => Fields::Undecided,
            Value::Histogram(histogram) => Fields::Explicit(Buckets::new(&histogram.bounds).map(Box::new)),
            Value::ExponentialHistogram(_) => Fields::Exponential,
            Value::Recorded(_) => Fields::Recorded(Buckets::new(&Shape::bounds(&metric.unit)).map(Box::new)),
        };
    }

    /// Whether there was a line to append.
    pub(super) fn push_histogram(
        &self,
        text: &Runs,
        value: &Value,
        scene: &mut Scene<'_>,
        out: &mut Vec<u8>,
    ) -> bool {
        let Some(head) = text.get(self.head).strip_suffix(KEY) else { return false };
        let mut line = Line::begin(out, head);
        match (&self.fields, value) {
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
            (Fields::Exponential, Value::ExponentialHistogram(_))
            | (Fields::Recorded(_), Value::Recorded(_)) => true,
            _ => false,
        }
    }
}

fn texts(labels: &[Label]) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
    labels.iter().map(|label| (label.key.as_str(), label.value.to_text()))
}

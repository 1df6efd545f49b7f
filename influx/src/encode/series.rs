//! The line of one series: what never changes, rendered once, and digits behind it.

use std::borrow::Cow;

use barewire::{
    Label, Metric,
    view::{Number, Shape, Value},
    wire::runs::{Run, Runs},
};

use super::{Beside, Scene, histogram, plain::KEY};
use crate::{
    fields::{Measurements, Type, VALUE, first_type},
    line::{Line, push_head},
    tags::Tags,
};
use histogram::Buckets;

/// The longest key of a histogram's field: a bucket such as `le_-2.2250738585072014e-308`.
const LONGEST_FIELD: usize = 32;

/// The rendered parts of one point.
#[derive(Debug, Default)]
pub(super) struct Series {
    /// Measurement, tags and the key of a number, among the text of all series; empty if there can be no line.
    head: Run,
    fields: Fields,
}

/// What the fields of a point are, as far as it is known before the value is.
#[derive(Debug, Default)]
enum Fields {
    /// Until the point has its first value.
    #[default]
    Undecided,
    Number(Type),
    Explicit(Option<Box<Buckets>>),
    Exponential,
    Recorded(Option<Box<Buckets>>),
}

impl Series {
    /// Labels go before the tags of the encoder, and those before the resource, where the key is the same. Appends the head
    /// to `text`; there is none without a name, nor for a series that another one is written like.
    pub(super) fn new(metric: &Metric, value: &Value, beside: &mut Beside<'_>, text: &mut Runs) -> Self {
        let Beside { claims, measurements, renamed, tags, resource } = beside;
        let fields = measurements.of(&metric.name);
        let tags = texts(&metric.labels).chain(texts(tags)).chain(texts(resource));
        let tags = Tags::of(tags, |key| fields.have(key));
        let is_number = matches!(value, Value::Gauge(_) | Value::Counter(_));
        let mut head = Vec::new();
        let longest_field = if is_number { VALUE.len() } else { LONGEST_FIELD };
        if !push_head(&mut head, &metric.name, &tags, longest_field) {
            return Series::default();
        }
        // A number and a histogram of one name are fields of one point.
        if is_number {
            head.extend_from_slice(KEY);
        }
        if !claims.claim(&head) {
            return Series::default();
        }
        renamed.add(tags.renamed());
        let head = head.strip_suffix(KEY).unwrap_or(&head);
        let head = text.add(|text| {
            text.extend_from_slice(head);
            text.extend_from_slice(KEY);
        });
        let mut series = Series { head, fields: Fields::Undecided };
        match value {
            Value::Absent => {}
            Value::Gauge(number) | Value::Counter(number) => {
                series.decide_number(metric, *number, measurements);
            }
            histogram => series.decide_histogram(metric, histogram),
        }
        series
    }

    /// The type of the number, which the first one of the measurement has fixed.
    #[inline]
    pub(super) fn decide_number(
        &mut self,
        metric: &Metric,
        number: Number,
        measurements: &mut Measurements,
    ) -> Type {
        if let Fields::Number(kind) = self.fields {
            return kind;
        }
        let kind = measurements.of(&metric.name).number(first_type(metric, number));
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

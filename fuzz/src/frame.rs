//! Frames of anything, by way of types that can be made of bytes.

use std::sync::Arc;

use arbitrary::Arbitrary;
use barewire::{
    Distribution, Label, LabelValue, Metric, Unit,
    view::{self, Explicit, Exponential, ExponentialBuckets, Point, Recorded, Scope, Temporality},
};

/// Mirrors [`view::Frame`].
#[derive(Debug, Arbitrary)]
pub struct Frame {
    resource: Vec<(Text, LabelText)>,
    scope: Option<(Text, Text)>,
    start_unix_ns: u64,
    time_unix_ns: u64,
    is_delta: bool,
    points: Vec<(Name, Value)>,
}

/// Often one of few, so that names meet.
#[derive(Debug, Clone, Arbitrary)]
pub(crate) enum Text {
    A,
    Total,
    Sum,
    Bound,
    Empty,
    Any(String),
}

#[derive(Debug, Clone, Arbitrary)]
pub(crate) enum LabelText {
    Text(Text),
    Int(i64),
}

#[derive(Debug, Arbitrary)]
pub(crate) struct Name {
    name: Text,
    help: Text,
    unit: UnitText,
    labels: Vec<(Text, LabelText)>,
}

#[derive(Debug, Arbitrary)]
enum UnitText {
    None,
    One,
    Seconds,
    Milliseconds,
    Bytes,
    Percent,
    Other(Text),
}

#[derive(Debug, Arbitrary)]
enum Value {
    Absent,
    Gauge(Number),
    Counter(Number),
    /// Bounds by their steps, so that they increase, or as they come.
    Histogram {
        steps: Option<Vec<u8>>,
        bounds: Vec<f64>,
        counts: Vec<u8>,
        last: u64,
        ends: Ends,
    },
    Exponential {
        scale: i8,
        zero_count: u64,
        positive: (i32, Vec<u64>),
        negative: (i32, Vec<u8>),
        ends: Ends,
    },
    Recorded {
        decimals: u8,
        run: Vec<u64>,
        window: Vec<u16>,
    },
}

#[derive(Debug, Arbitrary)]
struct Ends {
    sum: Number,
    min: Option<Number>,
    max: Option<Number>,
}

#[derive(Debug, Arbitrary, Clone, Copy)]
enum Number {
    Int(i64),
    Float(f64),
    Decimal(u128, u8),
}

impl From<Frame> for view::Frame {
    fn from(frame: Frame) -> Self {
        let resource = frame.resource.into_iter().map(|(key, value)| Label::new(key, value));
        let temporality = if frame.is_delta { Temporality::Delta } else { Temporality::Cumulative };
        let points = frame
            .points
            .into_iter()
            .map(|(name, value)| Point { metric: Arc::new(name.into()), value: value.into() });
        view::Frame {
            resource: resource.collect(),
            scope: frame.scope.map(|(name, version)| Scope { name: name.into(), version: version.into() }),
            start_unix_ns: frame.start_unix_ns,
            time_unix_ns: frame.time_unix_ns,
            temporality,
            points: points.collect(),
        }
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        match text {
            Text::A => "a".into(),
            Text::Total => "a_total".into(),
            Text::Sum => "a_sum".into(),
            Text::Bound => "le".into(),
            Text::Empty => String::new(),
            Text::Any(text) => text,
        }
    }
}

impl From<LabelText> for LabelValue {
    fn from(value: LabelText) -> Self {
        match value {
            LabelText::Text(text) => LabelValue::Text(text.into()),
            LabelText::Int(int) => LabelValue::Int(int),
        }
    }
}

impl From<Name> for Metric {
    fn from(name: Name) -> Self {
        let metric = Metric::new(name.name).help(name.help).unit(name.unit.into());
        name.labels.into_iter().fold(metric, |metric, (key, value)| metric.label(key, value))
    }
}

impl From<UnitText> for Unit {
    fn from(unit: UnitText) -> Self {
        match unit {
            UnitText::None => Unit::None,
            UnitText::One => Unit::One,
            UnitText::Seconds => Unit::Seconds,
            UnitText::Milliseconds => Unit::Milliseconds,
            UnitText::Bytes => Unit::Bytes,
            UnitText::Percent => Unit::Percent,
            UnitText::Other(text) => Unit::Other(String::from(text).into()),
        }
    }
}

impl From<Value> for view::Value {
    fn from(value: Value) -> Self {
        match value {
            Value::Absent => view::Value::Absent,
            Value::Gauge(number) => view::Value::Gauge(number.into()),
            Value::Counter(number) => view::Value::Counter(number.into()),
            Value::Histogram { steps, bounds, counts, last, ends } => {
                let bounds = steps.map_or(bounds, |steps| rising(&steps));
                let counts = counts.into_iter().map(u64::from).chain([last]).collect();
                let Ends { sum, min, max } = ends;
                view::Value::from(Explicit {
                    bounds: bounds.into(),
                    counts,
                    sum: sum.into(),
                    min: min.map(Into::into),
                    max: max.map(Into::into),
                })
            }
            Value::Exponential { scale, zero_count, positive, negative, ends } => {
                let counts = negative.1.into_iter().map(u64::from).collect();
                let Ends { sum, min, max } = ends;
                view::Value::from(Exponential {
                    scale: scale.into(),
                    zero_count,
                    positive: ExponentialBuckets { offset: positive.0, counts: positive.1 },
                    negative: ExponentialBuckets { offset: negative.0, counts },
                    sum: sum.into(),
                    min: min.map(Into::into),
                    max: max.map(Into::into),
                })
            }
            Value::Recorded { decimals, run, window } => view::Value::from(Recorded {
                decimals: decimals % 19,
                run: recorded(run.into_iter()).into(),
                window: recorded(window.into_iter().map(u64::from)),
            }),
        }
    }
}

fn recorded(values: impl Iterator<Item = u64>) -> Distribution {
    let mut distribution = Distribution::default();
    values.for_each(|value| distribution.record(value));
    distribution
}

fn rising(steps: &[u8]) -> Vec<f64> {
    let mut bound = -64.0;
    let next = |step: &u8| {
        bound += 0.25 * (1.0 + f64::from(*step));
        bound
    };
    steps.iter().map(next).collect()
}

impl From<Number> for view::Number {
    fn from(number: Number) -> Self {
        match number {
            Number::Int(int) => view::Number::Int(int),
            Number::Float(float) => view::Number::Float(float),
            Number::Decimal(digits, decimals) => view::Number::Decimal { digits, decimals: decimals % 19 },
        }
    }
}

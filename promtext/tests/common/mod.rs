//! What the tests of the encoder share.

#![allow(dead_code, reason = "each test binary uses some of it")]

pub(crate) mod hostile;

use barewire::{
    Metric,
    view::{Explicit, Frame, Number, Point, Value},
};
use barewire_promtext::{Encoded, Encoder, Format};

pub(crate) fn point(metric: Metric, value: Value) -> Point {
    Point { metric: metric.into(), value }
}

pub(crate) fn gauge(name: &str, value: f64) -> Point {
    point(Metric::new(name), Value::Gauge(Number::Float(value)))
}

pub(crate) fn counter(name: &str, value: i64) -> Point {
    point(Metric::new(name), Value::Counter(Number::Int(value)))
}

pub(crate) fn explicit(bounds: &[f64], counts: &[u64], sum: Number) -> Value {
    let (min, max) = (None, None);
    Value::Histogram(Explicit { bounds: bounds.into(), counts: counts.to_vec(), sum, min, max })
}

pub(crate) fn frame(points: Vec<Point>) -> Frame {
    Frame { points, ..Frame::default() }
}

pub(crate) fn page(encoder: &mut Encoder, frames: &[Frame]) -> (String, Encoded) {
    let mut out = Vec::new();
    let encoded = encoder.push(frames, &mut out);
    (String::from_utf8(out).expect("a page is UTF-8"), encoded)
}

pub(crate) fn fresh(format: Format, points: Vec<Point>) -> (String, Encoded) {
    page(&mut Encoder::new(format), &[frame(points)])
}

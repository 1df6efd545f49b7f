//! What the tests of the encoder share.

#![allow(dead_code, reason = "each test binary uses some of it")]

pub(crate) mod hostile;

use barewire::{
    Metric,
    view::{Explicit, Frame, Number, Point, Value},
};
use barewire_promtext::{Encoded, Encoder, Escaping, Format};

pub(crate) const FORMATS: [Format; 2] = [Format::Text004, Format::OpenMetrics];
pub(crate) const SCHEMES: [Escaping; 4] =
    [Escaping::Underscores, Escaping::Dots, Escaping::Values, Escaping::AllowUtf8];

/// An encoder for each format under each escaping.
pub(crate) fn encoders() -> impl Iterator<Item = (Format, Escaping, Encoder)> {
    FORMATS.into_iter().flat_map(|format| {
        SCHEMES.map(|escaping| (format, escaping, Encoder::new(format).escaping(escaping)))
    })
}

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
    Value::from(Explicit { bounds: bounds.into(), counts: counts.to_vec(), sum, min, max })
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

/// A page without the zeros that its values end in behind the point, and without a point that nothing follows.
pub(crate) fn trimmed(page: &str) -> String {
    let trim = |line: &str| match line.rsplit_once(' ') {
        Some((series, value)) if !line.starts_with('#') && value.contains('.') && !value.contains('e') => {
            format!("{series} {}", value.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => line.to_owned(),
    };
    page.split('\n').map(trim).collect::<Vec<_>>().join("\n")
}

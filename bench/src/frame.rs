//! One tick of a load test, as a view shows it: 10 totals, and 7 numbers for each of 100 steps.

use std::sync::Arc;

use barewire::{
    Metric, Unit,
    view::{Frame, Number, Point, Value},
};

/// How many points a tick has.
pub const POINTS: usize = 710;

const STEPS: usize = 100;

/// Two ticks of [`POINTS`] points with two labels each, none of which any of the formats leaves out. From one to the
/// other the time and every value moves, so nothing that was written can be written again. They move as in a second of a
/// test: counts grow by a little, and one decimal in ten ends in a zero. None grows by a digit: as ticks take turns, it would
/// lose it again, which no count does.
pub fn ticks() -> [Frame; 2] {
    let (first, mut second) = (load_test(0), load_test(1));
    second.resource = Arc::clone(&first.resource);
    for (second, first) in second.points.iter_mut().zip(&first.points) {
        second.metric = Arc::clone(&first.metric);
    }
    [first, second]
}

fn load_test(tick: u64) -> Frame {
    let totals = (0..10).map(|n| count(&format!("total.{n}"), "all", 10 + n + tick));
    let steps = (0..STEPS).flat_map(|n| step(&format!("step-{n}"), n as u64, tick));
    let points: Vec<Point> = totals.chain(steps).collect();
    assert_eq!(points.len(), POINTS);
    Frame {
        start_unix_ns: 1_700_000_000_000_000_000,
        time_unix_ns: 1_700_000_010_000_000_000 + 1_000_000_000 * tick,
        points,
        ..Frame::default()
    }
}

fn step(step: &str, n: u64, tick: u64) -> [Point; 7] {
    let spread = 1_009 * n + 977 * tick;
    [
        count("step.requests", step, 1_000_000 + spread),
        count("step.errors", step, 7 * n + tick),
        took("step.min", step, 104_729 + spread),
        took("step.mean", step, 1_299_709 + spread),
        took("step.p50", step, 1_250_000 + spread),
        took("step.p99", step, 15_485_863 + spread),
        took("step.max", step, 179_424_673 + spread),
    ]
}

fn count(name: &str, step: &str, n: u64) -> Point {
    let n = i64::try_from(n).expect("a small number");
    point(Metric::new(name), step, Value::Counter(Number::Int(n)))
}

fn took(name: &str, step: &str, ns: u64) -> Point {
    let value = Number::Decimal { digits: ns.into(), decimals: Unit::Milliseconds.decimals() };
    point(Metric::new(name).unit(Unit::Milliseconds), step, Value::Gauge(value))
}

fn point(metric: Metric, step: &str, value: Value) -> Point {
    Point { metric: metric.label("test", "checkout").label("step", step).into(), value }
}

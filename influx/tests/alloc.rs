//! A steady tick allocates nothing. (`allocation_counter` is the global allocator of this binary.)

use std::{
    net::UdpSocket,
    sync::Arc,
    time::{Duration, Instant},
};

use allocation_counter::measure;
use barewire::{
    Distribution, Exporter, Metric, Precision, Registry, Unit,
    view::{Explicit, Exponential, ExponentialBuckets, Frame, Number, Point, Recorded, Value},
};
use barewire_influx::{Encoder, Influx};

#[test]
fn a_steady_tick_allocates_nothing() {
    let (mut encoder, mut out) = (Encoder::new().tag("host", "a"), Vec::new());
    let mut frame = frame();
    let first = measure(|| _ = encoder.push([&frame], &mut out));
    assert!(first.count_total > 0, "the counter counts");
    // Digits grow from here on.
    out.reserve(2 * out.len());
    for tick in 0..100 {
        refill(&mut frame, tick);
        out.clear();
        let steady = measure(|| _ = encoder.push([&frame], &mut out));
        assert_eq!(steady.count_total, 0);
        assert!(!out.is_empty());
    }
}

#[test]
fn a_steady_export_allocates_nothing() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let registry = Registry::new("shop");
    let hits = registry.counter(Metric::new("hits").unit(Unit::Seconds));
    let took = registry.histogram(Metric::new("took"));
    let mut shard = registry.shard();
    let mut influx = Influx::udp(&server.local_addr().unwrap().to_string()).unwrap();
    for tick in 0..100 {
        shard.add(hits, 1);
        shard.record(took, 7u64);
        let (snapshot, deadline) = (registry.snapshot(), Instant::now() + Duration::from_secs(3));
        let steady = measure(|| _ = influx.export(&snapshot, deadline).unwrap());
        assert!(tick < 2 || steady.count_total == 0, "{} at tick {tick}", steady.count_total);
    }
}

#[test]
fn frames_of_strangers_do_not_pile_up() {
    let (mut encoder, mut out) = (Encoder::new(), Vec::new());
    let mut strangers = |count| {
        for _ in 0..count {
            out.clear();
            encoder.push([&frame()], &mut out);
        }
    };
    strangers(3);
    assert_eq!(measure(|| strangers(20)).bytes_current, 0);
}

/// Some steps of every kind.
fn frame() -> Frame {
    let mut points = Vec::new();
    for step in 0..20 {
        let metric = |name: &str| Arc::new(Metric::new(name).unit(Unit::Seconds).label("step", step));
        let number = Number::Float(-f64::MIN_POSITIVE);
        let explicit = Explicit {
            bounds: [0.1, 1.0].into(),
            counts: vec![u64::MAX / 3; 3],
            sum: number,
            min: Some(number),
            max: Some(number),
        };
        let exponential = Exponential {
            scale: 3,
            zero_count: u64::MAX / 4,
            positive: ExponentialBuckets { offset: 0, counts: vec![u64::MAX / 4; 2] },
            negative: ExponentialBuckets::default(),
            sum: number,
            min: Some(number),
            max: Some(number),
        };
        let mut run = Distribution::new(Precision::Three);
        [1_000_000, 5_000_000, 70_000_000].into_iter().for_each(|ns| run.record(ns));
        let recorded = Recorded { decimals: 9, window: run.clone(), run: run.into() };
        points.extend([
            Point { metric: metric("gauge"), value: Value::Gauge(number) },
            Point { metric: metric("late"), value: Value::Gauge(number) },
            Point { metric: metric("counter"), value: Value::Counter(Number::Int(i64::MAX)) },
            Point { metric: metric("explicit"), value: explicit.into() },
            Point { metric: metric("exponential"), value: exponential.into() },
            Point { metric: metric("recorded"), value: recorded.into() },
        ]);
    }
    Frame { time_unix_ns: u64::MAX, points, ..Frame::default() }
}

fn refill(frame: &mut Frame, tick: i64) {
    frame.time_unix_ns = tick.unsigned_abs();
    for point in &mut frame.points {
        match &mut point.value {
            Value::Gauge(number) => {
                *number = Number::Decimal { digits: tick.unsigned_abs().into(), decimals: 9 }
            }
            Value::Counter(number) => *number = Number::Int(tick),
            Value::Histogram(histogram) => histogram.counts[0] = tick.unsigned_abs(),
            Value::ExponentialHistogram(histogram) => histogram.zero_count = tick.unsigned_abs(),
            // Of the buckets that are there already.
            Value::Recorded(recorded) => Arc::make_mut(&mut recorded.run).record(5_000_000),
            Value::Absent => {}
        }
    }
    // The median of a window without requests.
    let gone = tick % 2 == 0;
    frame.points[1].value = if gone { Value::Absent } else { Value::Gauge(Number::Int(tick)) };
}

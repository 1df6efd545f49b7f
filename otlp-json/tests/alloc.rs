//! A steady tick allocates nothing. (`allocation_counter` is the global allocator of this binary.)

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use allocation_counter::measure;
use barewire::{
    Exporter, Label, Metric, Registry, Sample, TraceContext, Unit,
    view::{Explicit, Exponential, ExponentialBuckets, Frame, Number, Point, Scope, Value, View},
};
use barewire_otlp_json::{Encoder, Otlp, SpanEncoder};

#[test]
fn a_steady_tick_allocates_nothing() {
    let (mut encoder, mut out) = (Encoder::new(), Vec::new());
    let mut frame = frame(u64::MAX);
    let first = measure(|| _ = encoder.push_request([&frame], &mut out));
    assert!(first.count_total > 0, "the counter counts");
    let room = out.len();
    for tick in 0..100 {
        refill(&mut frame, tick);
        out.clear();
        let steady = measure(|| _ = encoder.push_request([&frame], &mut out));
        // The first one for which something moves makes room for that.
        assert!(tick == 0 || steady.count_total == 0, "{} at tick {tick}", steady.count_total);
        assert!((1..=room).contains(&out.len()));
    }
}

#[cfg(unix)]
#[test]
fn a_steady_export_allocates_nothing() {
    let registry = Registry::new("shop");
    let hits = registry.counter(Metric::new("hits").unit(Unit::Seconds));
    let took = registry.histogram(Metric::new("took"));
    let mut shard = registry.shard();
    let mut otlp = Otlp::file("/dev/null").unwrap().view(View::everything());
    for tick in 0..100 {
        shard.add(hits, 1);
        shard.record(took, 7u64);
        let (snapshot, deadline) = (registry.snapshot(), Instant::now() + Duration::from_secs(3));
        let steady = measure(|| _ = otlp.export(&snapshot, deadline).unwrap());
        assert!(tick < 2 || steady.count_total == 0, "{} at tick {tick}", steady.count_total);
    }
}

#[test]
fn spans_of_known_series_allocate_nothing() {
    let (registry, resource) = (Registry::new("shop"), [Label::new("service.name", "shop")].into());
    let samples: Vec<_> = (0..100)
        .map(|step| {
            let metric = Metric::new("request").label("load_test.step", step);
            let series = registry.sample_series(metric.clone());
            let trace = Some(TraceContext { trace_id: u128::MAX, span_id: 1 });
            let (start_unix_ns, duration_ns) = (u64::MAX, 0);
            (Arc::new(metric), Sample { series, start_unix_ns, duration_ns, bytes: 0, counted: true, trace })
        })
        .collect();
    let (mut encoder, mut out) = (SpanEncoder::new(None), Vec::new());
    for round in 0..10 {
        out.clear();
        let mut spans = samples.iter().map(|(metric, sample)| (metric, sample));
        let steady = measure(|| _ = encoder.push_request(&resource, &mut spans, usize::MAX, &mut out));
        assert_eq!(steady.count_total == 0, round > 0, "{} in round {round}", steady.count_total);
    }
}

#[test]
fn frames_of_strangers_do_not_pile_up() {
    let (mut encoder, mut out) = (Encoder::new(), Vec::new());
    let mut strangers = |count| {
        for time in 0..count {
            out.clear();
            // All of the same length.
            encoder.push_request([&frame(u64::MAX - time)], &mut out);
        }
    };
    strangers(3);
    assert_eq!(measure(|| strangers(20)).bytes_current, 0);
}

/// A hundred steps of every kind, the numbers as long as they get.
fn frame(time_unix_ns: u64) -> Frame {
    let mut points = Vec::new();
    for step in 0..100 {
        let metric = |name: &str| Arc::new(Metric::new(name).unit(Unit::Seconds).label("step", step));
        let number = Number::Float(-f64::MIN_POSITIVE);
        let bounds: Arc<[f64]> = [0.1, 1.0].into();
        let explicit = Explicit {
            bounds,
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
        points.extend([
            Point { metric: metric("gauge"), value: Value::Gauge(number) },
            Point { metric: metric("late"), value: Value::Gauge(number) },
            Point { metric: metric("counter"), value: Value::Counter(Number::Int(i64::MAX)) },
            Point { metric: metric("explicit"), value: explicit.into() },
            Point { metric: metric("exponential"), value: exponential.into() },
        ]);
    }
    let resource = [Label::new("service.name", "shop")].into();
    let scope = Some(Scope { name: "barewire".into(), version: "1.0.0".into() });
    Frame { resource, scope, time_unix_ns, points, ..Frame::default() }
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
            Value::Absent | Value::Recorded(_) => {}
        }
    }
    // The median of a window without requests.
    let gone = tick % 2 == 0;
    frame.points[1].value = if gone { Value::Absent } else { Value::Gauge(Number::Int(tick)) };
}

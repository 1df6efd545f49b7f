//! A tick that looks like the one before allocates nothing.

mod common;

use barewire::{
    Metric, Unit,
    view::{Exponential, ExponentialBuckets, Number, Value},
};
use barewire_promtext::Encoded;
use common::{counter, encoders, explicit, frame, gauge, point};

#[test]
fn a_steady_tick_allocates_nothing() {
    for (.., mut encoder) in encoders() {
        let took = Metric::new("http.took").unit(Unit::Seconds).label("load_test.step", "a");
        let sum = Number::Decimal { digits: 1_234_567_890, decimals: 9 };
        let buckets = ExponentialBuckets { offset: -3, counts: vec![1, 2, 3] };
        let exponential = Exponential {
            scale: 2,
            zero_count: 1,
            positive: buckets.clone(),
            negative: buckets,
            sum,
            min: None,
            max: None,
        };
        let frames = [frame(vec![
            gauge("g", 0.1),
            counter("c", 1),
            counter("left_out", -1),
            gauge("c_total", 1.0),
            point(Metric::new("absent"), Value::Absent),
            point(took.clone(), explicit(&[0.1, 1.0], &[1, 2, 3], sum)),
            point(took.label("load_test.step", "b"), exponential.into()),
        ])];
        let mut out = Vec::new();
        let first = encoder.push(&frames, &mut out);
        out.clear();
        let mut second = None;
        let tick = allocation_counter::measure(|| second = Some(encoder.push(&frames, &mut out)));
        assert_eq!(tick.count_total, 0);
        assert_eq!(second, Some(first));
        assert!(allocation_counter::measure(|| drop(vec![1])).count_total > 0, "nothing is measured");
    }
}

#[test]
fn nor_does_a_tick_whose_numbers_move() {
    for (.., mut encoder) in encoders() {
        let took = |tick: u64| explicit(&[0.1, 1.0], &[1, tick, 3], Number::Float(0.5 * tick as f64));
        let mut frames = [frame(vec![
            gauge("g", 0.1),
            counter("c", 1),
            point(Metric::new("absent"), Value::Absent),
            point(Metric::new("took"), took(0)),
        ])];
        // Counts grow and shrink by a digit.
        for tick in 0..20 {
            frames[0].points[0].value = Value::Gauge(Number::Float(0.25 * tick as f64));
            frames[0].points[1].value = Value::Counter(Number::Int(100 - tick as i64 % 4));
            frames[0].points[3].value = took(tick);
            let mut encoded = None;
            let ran = allocation_counter::measure(|| encoded = Some(encoder.page(&frames).1));
            // The page grows for the first ten.
            assert!(tick < 13 || ran.count_total == 0, "{ran:?} in tick {tick}");
            assert_eq!(encoded, Some(Encoded { points: 3, left_out: 0 }));
        }
    }
}

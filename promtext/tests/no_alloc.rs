//! A tick that looks like the one before allocates nothing.

mod common;

use barewire::{
    Metric, Unit,
    view::{Exponential, ExponentialBuckets, Number, Value},
};
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
        let mut page = Vec::new();
        let first = encoder.push(&frames, &mut page);
        page.clear();
        let mut second = None;
        let tick = allocation_counter::measure(|| second = Some(encoder.push(&frames, &mut page)));
        assert_eq!(tick.count_total, 0);
        assert_eq!(second, Some(first));
        assert!(allocation_counter::measure(|| drop(vec![1])).count_total > 0, "nothing is measured");
    }
}

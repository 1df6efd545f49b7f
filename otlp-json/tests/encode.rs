//! Frames and the whole documents they must become.

use std::sync::Arc;

use barewire::{
    Label, Metric, Unit,
    view::{Explicit, Exponential, ExponentialBuckets, Frame, Number, Point, Scope, Temporality, Value},
};
use barewire_otlp_json::{Encoded, Encoder};

fn point(metric: Metric, value: Value) -> Point {
    Point { metric: Arc::new(metric), value }
}

fn frame(points: Vec<Point>) -> Frame {
    Frame { start_unix_ns: 1, time_unix_ns: 2, points, ..Frame::default() }
}

fn explicit(bounds: &[f64], counts: &[u64]) -> Value {
    let (bounds, counts) = (bounds.into(), counts.to_vec());
    Value::from(Explicit { bounds, counts, sum: Number::Int(0), min: None, max: None })
}

fn exponential(scale: i32, offset: i32, counts: &[u64]) -> Value {
    Value::from(Exponential {
        scale,
        zero_count: 0,
        positive: ExponentialBuckets { offset, counts: counts.to_vec() },
        negative: ExponentialBuckets::default(),
        sum: Number::Int(0),
        min: None,
        max: None,
    })
}

fn encode(frames: &[Frame]) -> (String, Encoded) {
    let mut out = Vec::new();
    let encoded = Encoder::new().push_request(frames, &mut out);
    (String::from_utf8(out).unwrap(), encoded)
}

/// The document of one frame, everything in it.
fn document(frame: Frame) -> String {
    let (document, encoded) = encode(std::slice::from_ref(&frame));
    assert_eq!(encoded, Encoded { points: frame.points.len() as u64, left_out: 0 });
    document
}

/// The document of a gauge `a` at time 1, between what is always the same.
fn gauge_document(metric: Metric, number: Number) -> String {
    let points = vec![point(metric, Value::Gauge(number))];
    let document = document(Frame { time_unix_ns: 1, points, ..Frame::default() });
    let head = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"a","gauge":{"dataPoints":[{"#;
    let tail = "}]}}]}]}]}";
    document.strip_prefix(head).unwrap().strip_suffix(tail).unwrap().to_owned()
}

fn asserts_left_out(values: impl IntoIterator<Item = Value>) {
    for value in values {
        let what = format!("{value:?}");
        let (document, encoded) = encode(&[frame(vec![
            point(Metric::new("bad"), value),
            point(Metric::new("good"), Value::Gauge(Number::Int(1))),
        ])]);
        assert_eq!(encoded, Encoded { points: 1, left_out: 1 }, "{what}");
        let rest = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"good","gauge":{"dataPoints":[{"timeUnixNano":"2","asInt":"1"}]}}]}]}]}"#;
        assert_eq!(document, rest, "{what}");
    }
}

#[test]
fn a_full_frame_has_every_part_in_its_place() {
    let requests = Metric::new("requests").unit(Unit::One).help("Requests.");
    let took = Metric::new("took").unit(Unit::Seconds).label("step", "login");
    let points = vec![
        point(requests.clone().label("step", "login").label("code", 200), Value::Counter(Number::Int(7))),
        point(
            took,
            Value::from(Explicit {
                bounds: [0.005, 1.0].into(),
                counts: vec![1, 0, 2],
                sum: Number::Decimal { digits: 4_001_500_000, decimals: 9 },
                min: Some(Number::Decimal { digits: 1_500_000, decimals: 9 }),
                max: Some(Number::Int(3)),
            }),
        ),
        point(requests.label("step", "logout"), Value::Counter(Number::Float(0.5))),
        point(
            Metric::new("size").unit(Unit::Bytes),
            Value::from(Exponential {
                scale: 3,
                zero_count: 1,
                positive: ExponentialBuckets { offset: -2, counts: vec![1, 0, 4] },
                negative: ExponentialBuckets { offset: 9, counts: vec![5] },
                sum: Number::Float(-7.25),
                min: Some(Number::Float(-4.5)),
                max: None,
            }),
        ),
        point(Metric::new("users"), Value::Gauge(Number::Int(-3))),
    ];
    let resource = [Label::new("service.name", "shop"), Label::new("service.instance.id", 5)].into();
    let scope = Some(Scope { name: "barewire".into(), version: "1.0.0".into() });
    assert_eq!(
        document(Frame { resource, scope, ..frame(points) }),
        concat!(
            r#"{"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}},"#,
            r#"{"key":"service.instance.id","value":{"intValue":"5"}}]},"#,
            r#""scopeMetrics":[{"scope":{"name":"barewire","version":"1.0.0"},"metrics":["#,
            r#"{"name":"requests","description":"Requests.","unit":"1","sum":{"dataPoints":["#,
            r#"{"startTimeUnixNano":"1","timeUnixNano":"2","attributes":[{"key":"step","value":{"stringValue":"login"}},"#,
            r#"{"key":"code","value":{"intValue":"200"}}],"asInt":"7"},"#,
            r#"{"startTimeUnixNano":"1","timeUnixNano":"2","attributes":[{"key":"step","value":{"stringValue":"logout"}}],"#,
            r#""asDouble":0.5}],"aggregationTemporality":2,"isMonotonic":true}},"#,
            r#"{"name":"took","unit":"s","histogram":{"dataPoints":["#,
            r#"{"startTimeUnixNano":"1","timeUnixNano":"2","attributes":[{"key":"step","value":{"stringValue":"login"}}],"#,
            r#""count":"3","sum":4.0015,"bucketCounts":["1","0","2"],"explicitBounds":[0.005,1],"min":0.0015,"max":3}],"#,
            r#""aggregationTemporality":2}},"#,
            r#"{"name":"size","unit":"By","exponentialHistogram":{"dataPoints":["#,
            r#"{"startTimeUnixNano":"1","timeUnixNano":"2","count":"11","scale":3,"zeroCount":"1","#,
            r#""positive":{"offset":-2,"bucketCounts":["1","0","4"]},"negative":{"offset":9,"bucketCounts":["5"]},"min":-4.5}],"#,
            r#""aggregationTemporality":2}},"#,
            r#"{"name":"users","gauge":{"dataPoints":[{"timeUnixNano":"2","asInt":"-3"}]}}]}]}]}"#,
        )
    );
}

#[test]
fn a_sum_is_written_only_where_nothing_below_zero_was_counted() {
    let of = |bounds: &[f64], counts: &[u64], sum: f64| {
        let (bounds, counts) = (bounds.into(), counts.to_vec());
        Value::from(Explicit { bounds, counts, sum: Number::Float(sum), min: None, max: None })
    };
    for (value, has_sum) in [
        (of(&[0.0, 1.0], &[0, 1, 1], 3.0), true),
        (of(&[], &[1], 3.0), true),
        (of(&[-1.0, 1.0], &[1, 0, 1], 3.0), false),
        (of(&[], &[1], -3.0), false),
        (of(&[], &[1], f64::NAN), false),
    ] {
        let told = format!("{value:?}");
        let document = document(frame(vec![point(Metric::new("h"), value)]));
        assert_eq!(document.contains(r#","sum":"#), has_sum, "{told}: {document}");
    }
}

#[test]
fn a_gauge_is_exact_whatever_its_number() {
    let rows = [
        (Number::Int(i64::MAX), r#""asInt":"9223372036854775807""#),
        (Number::Int(i64::MIN), r#""asInt":"-9223372036854775808""#),
        (Number::Int(9_007_199_254_740_993), r#""asInt":"9007199254740993""#),
        (Number::Float(1.0), r#""asDouble":1"#),
        (Number::Float(-0.1), r#""asDouble":-0.1"#),
        (Number::Float(f64::INFINITY), r#""asDouble":"Infinity""#),
        (Number::Float(f64::NEG_INFINITY), r#""asDouble":"-Infinity""#),
        (Number::Float(f64::NAN), r#""asDouble":"NaN""#),
        (Number::Decimal { digits: 1_234_567, decimals: 6 }, r#""asDouble":1.234567"#),
        (Number::Decimal { digits: 5, decimals: 9 }, r#""asDouble":0.000000005"#),
    ];
    for (number, expected) in rows {
        let expected = format!(r#""timeUnixNano":"1",{expected}"#);
        assert_eq!(gauge_document(Metric::new("a"), number), expected);
    }
}

#[test]
fn a_float_of_any_size_is_read_back_as_it_was() {
    for float in [5e-324, f64::MAX, 1e300, 1e-9, 0.1 + 0.2] {
        let document = gauge_document(Metric::new("a"), Number::Float(float));
        let (_, digits) = document.split_once(r#""asDouble":"#).unwrap();
        assert_eq!(digits.parse(), Ok(float));
        assert!(digits.len() <= 24, "{digits}");
    }
}

#[test]
fn a_label_is_text_or_an_integer_and_cannot_end_its_string() {
    let one = Number::Float(1.0);
    assert_eq!(
        gauge_document(Metric::new("a").label("k", "a\0\n\"\\"), one),
        r#""timeUnixNano":"1","attributes":[{"key":"k","value":{"stringValue":"a\u0000\n\"\\"}}],"asDouble":1"#
    );
    assert_eq!(
        gauge_document(Metric::new("a").label("k", 5), one),
        r#""timeUnixNano":"1","attributes":[{"key":"k","value":{"intValue":"5"}}],"asDouble":1"#
    );
    assert_eq!(
        gauge_document(Metric::new("a").label("é\u{7f}", ""), one),
        "\"timeUnixNano\":\"1\",\"attributes\":[{\"key\":\"é\u{7f}\",\"value\":{\"stringValue\":\"\"}}],\"asDouble\":1"
    );
}

#[test]
fn a_delta_says_so_and_begins_at_its_window() {
    let points = vec![
        point(Metric::new("c"), Value::Counter(Number::Int(7))),
        point(Metric::new("h"), explicit(&[], &[3])),
        point(Metric::new("e"), exponential(0, 0, &[])),
    ];
    assert_eq!(
        document(Frame { temporality: Temporality::Delta, ..frame(points) }),
        concat!(
            r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":["#,
            r#"{"name":"c","sum":{"dataPoints":[{"startTimeUnixNano":"1","timeUnixNano":"2","asInt":"7"}],"#,
            r#""aggregationTemporality":1,"isMonotonic":true}},"#,
            r#"{"name":"h","histogram":{"dataPoints":[{"startTimeUnixNano":"1","timeUnixNano":"2","#,
            r#""count":"3","sum":0,"bucketCounts":["3"],"explicitBounds":[]}],"aggregationTemporality":1}},"#,
            r#"{"name":"e","exponentialHistogram":{"dataPoints":[{"startTimeUnixNano":"1","timeUnixNano":"2","#,
            r#""count":"0","sum":0,"scale":0,"zeroCount":"0","positive":{"offset":0,"bucketCounts":[]}}],"#,
            r#""aggregationTemporality":1}}]}]}]}"#,
        )
    );
}

#[test]
fn each_frame_is_an_entry_and_one_without_points_is_none() {
    let gauge = |name, int| frame(vec![point(Metric::new(name), Value::Gauge(Number::Int(int)))]);
    let (document, encoded) = encode(&[gauge("a", 1), frame(vec![]), gauge("b", 2)]);
    assert_eq!(encoded, Encoded { points: 2, left_out: 0 });
    assert_eq!(
        document,
        concat!(
            r#"{"resourceMetrics":["#,
            r#"{"scopeMetrics":[{"metrics":[{"name":"a","gauge":{"dataPoints":[{"timeUnixNano":"2","asInt":"1"}]}}]}]},"#,
            r#"{"scopeMetrics":[{"metrics":[{"name":"b","gauge":{"dataPoints":[{"timeUnixNano":"2","asInt":"2"}]}}]}]}]}"#,
        )
    );
}

#[test]
fn one_name_with_two_units_or_kinds_is_two_metrics() {
    let a = Metric::new("a");
    let points = vec![
        point(a.clone(), Value::Gauge(Number::Int(1))),
        point(a.clone().unit(Unit::Bytes), Value::Gauge(Number::Int(2))),
        point(a.clone(), Value::Counter(Number::Int(3))),
        point(
            a.unit(Unit::Other("By".into())).help("The second one to say so."),
            Value::Gauge(Number::Int(4)),
        ),
    ];
    assert_eq!(
        document(frame(points)),
        concat!(
            r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":["#,
            r#"{"name":"a","gauge":{"dataPoints":[{"timeUnixNano":"2","asInt":"1"}]}},"#,
            r#"{"name":"a","unit":"By","gauge":{"dataPoints":[{"timeUnixNano":"2","asInt":"2"},{"timeUnixNano":"2","asInt":"4"}]}},"#,
            r#"{"name":"a","sum":{"dataPoints":[{"startTimeUnixNano":"1","timeUnixNano":"2","asInt":"3"}],"#,
            r#""aggregationTemporality":2,"isMonotonic":true}}]}]}]}"#,
        )
    );
}

#[test]
fn an_absent_point_is_neither_there_nor_left_out() {
    let points = vec![point(Metric::new("a"), Value::Absent)];
    assert_eq!(encode(&[frame(points)]), (String::new(), Encoded::default()));
}

#[test]
fn a_request_is_appended_to_what_is_there() {
    let mut out = b"before".to_vec();
    Encoder::new().push_request([&frame(vec![point(Metric::new("a"), Value::Absent)])], &mut out);
    assert_eq!(out, b"before");
}

#[test]
fn a_counter_that_falls_below_zero_or_is_no_number_is_left_out() {
    let numbers = [Number::Int(-1), Number::Float(-0.5), Number::Float(f64::NAN)];
    asserts_left_out(numbers.map(Value::Counter));
}

#[test]
fn a_histogram_that_does_not_add_up_is_left_out() {
    asserts_left_out([
        explicit(&[1.0], &[1]),
        explicit(&[1.0], &[1, 2, 3]),
        explicit(&[], &[]),
        explicit(&[1.0, 1.0], &[1, 2, 3]),
        explicit(&[2.0, 1.0], &[1, 2, 3]),
        explicit(&[1.0, f64::NAN], &[1, 2, 3]),
        explicit(&[1.0, f64::INFINITY], &[1, 2, 3]),
        explicit(&[1.0], &[u64::MAX, 1]),
    ]);
}

#[test]
fn an_exponential_histogram_out_of_range_is_left_out() {
    asserts_left_out([
        exponential(-11, 0, &[1]),
        exponential(21, 0, &[1]),
        exponential(0, i32::MAX, &[1, 1]),
        exponential(0, 0, &[u64::MAX, 1]),
    ]);
    document(frame(vec![point(Metric::new("a"), exponential(20, i32::MAX, &[1]))]));
}

#[test]
fn a_point_that_nobody_can_name_is_left_out() {
    let one = Value::Gauge(Number::Int(1));
    let points = vec![point(Metric::new(""), one.clone()), point(Metric::new("a").label("", "v"), one)];
    assert_eq!(encode(&[frame(points)]), (String::new(), Encoded { points: 0, left_out: 2 }));
}

#[test]
fn a_resource_goes_without_a_label_that_has_no_key() {
    let points = vec![point(Metric::new("a"), Value::Gauge(Number::Int(1)))];
    let resource = [Label::new("", "v"), Label::new("k", "")].into();
    assert_eq!(
        document(Frame { resource, ..frame(points.clone()) }),
        concat!(
            r#"{"resourceMetrics":[{"resource":{"attributes":[{"key":"k","value":{"stringValue":""}}]},"scopeMetrics":[{"#,
            r#""metrics":[{"name":"a","gauge":{"dataPoints":[{"timeUnixNano":"2","asInt":"1"}]}}]}]}]}"#,
        )
    );
    let resource = [Label::new("", "v")].into();
    assert_eq!(document(Frame { resource, ..frame(points.clone()) }), document(frame(points)));
}

#[test]
fn a_series_that_joins_late_joins_its_family() {
    let mut encoder = Encoder::new();
    let absent = point(Metric::new("a").label("k", "1"), Value::Absent);
    let mut frame = frame(vec![absent, point(Metric::new("b"), Value::Gauge(Number::Int(1)))]);
    let mut out = Vec::new();
    encoder.push_request([&frame], &mut out);
    frame.points[0].value = Value::Gauge(Number::Int(2));
    frame.points.push(point(Metric::new("a").label("k", "2"), Value::Gauge(Number::Int(3))));
    out.clear();
    encoder.push_request([&frame], &mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        concat!(
            r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":["#,
            r#"{"name":"b","gauge":{"dataPoints":[{"timeUnixNano":"2","asInt":"1"}]}},"#,
            r#"{"name":"a","gauge":{"dataPoints":["#,
            r#"{"timeUnixNano":"2","attributes":[{"key":"k","value":{"stringValue":"1"}}],"asInt":"2"},"#,
            r#"{"timeUnixNano":"2","attributes":[{"key":"k","value":{"stringValue":"2"}}],"asInt":"3"}]}}]}]}]}"#,
        )
    );
}

#[test]
fn a_resource_or_scope_that_changes_is_rendered_anew() {
    let mut encoder = Encoder::new();
    let mut frame = frame(vec![point(Metric::new("a"), Value::Gauge(Number::Int(1)))]);
    let mut asserts_fresh = |frame: &Frame| {
        let mut out = Vec::new();
        encoder.push_request([frame], &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), encode(std::slice::from_ref(frame)).0);
    };
    for status in ["running", "passed"] {
        frame.resource = [Label::new("status", status)].into();
        asserts_fresh(&frame);
    }
    for version in ["", "1"] {
        frame.scope = Some(Scope { name: "s".into(), version: version.into() });
        asserts_fresh(&frame);
    }
}

#[test]
fn times_are_whole_up_to_the_last() {
    let points = vec![
        point(Metric::new("c"), Value::Counter(Number::Int(7))),
        point(Metric::new("g"), Value::Gauge(Number::Int(7))),
    ];
    let document =
        document(Frame { start_unix_ns: u64::MAX, time_unix_ns: u64::MAX, points, ..Frame::default() });
    let span =
        r#"{"startTimeUnixNano":"18446744073709551615","timeUnixNano":"18446744073709551615","asInt":"7"}"#;
    assert!(document.contains(span), "{document}");
    assert!(document.contains(r#"{"timeUnixNano":"18446744073709551615","asInt":"7"}"#), "{document}");
}

//! Points in, the exact lines out.

use std::sync::Arc;

use barewire::{
    Distribution, Event, Label, Level, Metric, Precision, Registry, Unit,
    view::{
        Explicit, Exponential, ExponentialBuckets, Frame, Number, Point, Recorded, Shape, Temporality, Value,
        View,
    },
    wire::datagram::{Datagrams, UDP_LIMIT_BYTES},
};
use barewire_statsd::{
    Check, Encoded, Encoder, ServiceCheck, Style, push_event, push_event_within, push_service_check,
    push_stream_frame,
};

fn frame(points: impl IntoIterator<Item = (Metric, Value)>) -> Frame {
    let points = points.into_iter().map(|(metric, value)| Point { metric: Arc::new(metric), value });
    Frame { points: points.collect(), time_unix_ns: 1_700_000_000_900_000_000, ..Frame::default() }
}

fn lines_of(style: Style, frame: &Frame, limit: usize) -> (Vec<String>, Encoded) {
    let (mut encoder, mut out) = (Encoder::new(style), Datagrams::new(limit));
    let encoded = encoder.push_frame(frame, &mut out);
    let text = String::from_utf8(out.iter().collect::<Vec<_>>().concat()).unwrap();
    (text.lines().map(str::to_owned).collect(), encoded)
}

/// The lines of one point.
fn encode(metric: Metric, value: Value) -> Vec<String> {
    lines_of(Style::new(), &frame([(metric, value)]), 1432).0
}

fn gauge(number: Number) -> Value {
    Value::Gauge(number)
}

#[test]
fn numbers_are_exact_and_short() {
    let decimal = |digits, decimals| Number::Decimal { digits, decimals };
    for (value, expected) in [
        (gauge(Number::Int(-5)), "a:-5|g"),
        (gauge(Number::Float(0.1)), "a:0.1|g"),
        (gauge(Number::Float(5e-324)), "a:5e-324|g"),
        (gauge(Number::Float(1e300)), "a:1e+300|g"),
        (gauge(decimal(1_500_000, 9)), "a:0.0015|g"),
        (gauge(decimal(420_000, 6)), "a:0.42|g"),
        (Value::Counter(Number::Int(0)), "a:0|c"),
        (Value::Counter(Number::Int(i64::MAX)), "a:9223372036854775807|c"),
        (Value::Counter(Number::Float(1.5)), "a:1.5|c"),
        (Value::Counter(decimal(2_500_000_000, 9)), "a:2.5|c"),
    ] {
        assert_eq!(encode(Metric::new("a"), value), [expected]);
    }
}

#[test]
fn a_fraction_keeps_its_width_from_line_to_line() {
    let metric = Arc::new(Metric::new("request.latency").label("key", "value"));
    let (mut encoder, mut out) = (Encoder::new(Style::new()), Datagrams::new(UDP_LIMIT_BYTES));
    for (digits, expected) in [
        (1_500_000, "1.5"),
        (1_600_000, "1.600000"),
        (2_000_001, "2.000001"),
        (0, "0.000000"),
        // As short as it gets, where it is wider or narrower than the one before.
        (12_500_000, "12.5"),
        (13_500_000, "13.500000"),
        (9_000_000, "9"),
    ] {
        let value = gauge(Number::Decimal { digits, decimals: 6 });
        let points = vec![Point { metric: Arc::clone(&metric), value }];
        out.clear();
        encoder.push_frame(&Frame { points, ..Frame::default() }, &mut out);
        let lines = out.iter().collect::<Vec<_>>().concat();
        assert_eq!(String::from_utf8(lines).unwrap(), format!("request.latency:{expected}|g|#key:value\n"));
    }
}

#[test]
fn what_dogstatsd_cannot_carry_is_left_out_and_counted() {
    let explicit = |bounds: &[f64], counts: &[u64]| {
        let (bounds, counts) = (bounds.into(), counts.to_vec());
        Value::from(Explicit { bounds, counts, sum: Number::Int(0), min: None, max: None })
    };
    for value in [
        gauge(Number::Float(f64::NAN)),
        gauge(Number::Float(f64::INFINITY)),
        Value::Counter(Number::Float(f64::NEG_INFINITY)),
        Value::Counter(Number::Float(-0.5)),
        Value::Counter(Number::Int(-1)),
        explicit(&[1.0], &[1]),
        explicit(&[1.0, 1.0], &[1, 1, 1]),
        explicit(&[f64::NAN], &[1, 1]),
    ] {
        let (lines, encoded) = lines_of(Style::new(), &frame([(Metric::new("a"), value.clone())]), 1432);
        assert_eq!((lines.len(), encoded), (0, Encoded { points: 0, left_out: 1 }), "{value:?}");
    }
    for metric in [Metric::new(""), Metric::new("a").label("", "b"), Metric::new("a".repeat(1500))] {
        let (lines, encoded) = lines_of(Style::new(), &frame([(metric, gauge(Number::Int(1)))]), 1432);
        assert_eq!((lines.len(), encoded), (0, Encoded { points: 0, left_out: 1 }));
    }
    let (lines, encoded) = lines_of(Style::new(), &frame([(Metric::new("a"), Value::Absent)]), 1432);
    assert_eq!((lines.len(), encoded), (0, Encoded::default()));
}

#[test]
fn what_has_a_meaning_in_a_line_is_replaced() {
    for (text, clean) in [
        ("a|b,c:d#e@f", "a_b_c_d_e_f"),
        ("a\nb\rc\td\0e\u{7f}f\u{85}g", "a_b_c_d_e_f_g"),
        ("é 🍭 \"\\/", "é 🍭 \"\\/"),
    ] {
        let expected = format!("{clean}:1|g|#{clean}:{clean}");
        assert_eq!(encode(Metric::new(text).label(text, text), gauge(Number::Int(1))), [expected]);
    }
    // These would be a service check and an event.
    for (name, clean) in [("_score", "__score"), ("_e{1,1}", "__e{1_1}"), (":sc", "__sc"), ("_each", "_each")]
    {
        assert_eq!(encode(Metric::new(name), gauge(Number::Int(1))), [format!("{clean}:1|g")]);
    }
    let (prefixed, _) = lines_of(
        Style::new().prefix("a:b.."),
        &frame([(Metric::new("_score"), gauge(Number::Int(1)))]),
        1432,
    );
    assert_eq!(prefixed, ["a_b._score:1|g"]);
}

#[test]
fn constant_tags_stand_first_and_optional_fields_last() {
    let style = Style::new().tag("region", "eu|1").tag("", "x").tag("b", "").container("ci-1|2").timestamps();
    let metric = |name: &str| Metric::new(name).label("k", 7);
    let points = [(metric("a"), gauge(Number::Int(1))), (metric("b"), Value::Counter(Number::Int(2)))];
    let (lines, _) = lines_of(style.clone(), &frame(points), 1432);
    let tail = "|#region:eu_1,k:7|c:ci-1_2|T1700000000";
    assert_eq!(lines, [format!("a:1|g{tail}"), format!("b:2|c{tail}")]);
    let (lines, _) = lines_of(style, &frame([(metric("a"), recorded(&[5]))]), 1432);
    assert_eq!(lines.last().unwrap(), "a:5|d|#region:eu_1,k:7|c:ci-1_2");
}

fn recorded(values: &[u64]) -> Value {
    let mut window = Distribution::new(Precision::Three);
    values.iter().for_each(|value| window.record(*value));
    Value::from(Recorded { decimals: 0, run: Arc::default(), window })
}

#[test]
fn a_histogram_is_gauges_of_its_quantiles_and_the_binary_digits_of_its_counts() {
    let values: Vec<u64> = [vec![7; 37], vec![9; 4], vec![100; 1]].concat();
    let expected = [
        "a.p50:7|g",
        "a.p90:9|g",
        "a.p95:9|g",
        "a.p99:100|g",
        "a.max:100|g",
        "a.min:7|g",
        "a.avg:9|g",
        "a:7|d|@0.03125",
        "a:7:9|d|@0.25",
        "a:7:100|d",
    ];
    assert_eq!(encode(Metric::new("a"), recorded(&values)), expected);
    assert_eq!(encode(Metric::new("a"), recorded(&[])), Vec::<String>::new());
}

#[test]
fn nanoseconds_are_shown_in_the_unit() {
    let registry = Registry::new("test");
    let took = registry.histogram(Metric::new("took").unit(Unit::Milliseconds));
    registry.shard().record(took, 420_000u64);
    let mut view = View::everything().temporality(Temporality::Delta).histograms(Shape::Recorded);
    let (lines, _) = lines_of(Style::new(), view.show(&registry.snapshot(), None), 1432);
    assert_eq!((lines[0].as_str(), lines[7].as_str()), ("took.p50:0.42|g", "took:0.42|d"));
}

#[test]
fn buckets_are_shown_by_their_middles() {
    let explicit = Explicit {
        bounds: [1.0, 2.0, 4.0].into(),
        counts: vec![1, 2, 0, 1],
        sum: Number::Int(0),
        min: Some(Number::Float(0.5)),
        max: Some(Number::Float(5.0)),
    };
    let lines = encode(Metric::new("a"), explicit.into());
    assert_eq!(lines, ["a:1.5|d|@0.5", "a:0.75:4.5|d"]);
    let exponential = Exponential {
        scale: 0,
        zero_count: 4,
        positive: ExponentialBuckets { offset: 0, counts: vec![1, 0, 1] },
        negative: ExponentialBuckets { offset: 1, counts: vec![1] },
        sum: Number::Int(0),
        min: None,
        max: Some(Number::Int(5)),
    };
    let lines = encode(Metric::new("a"), exponential.into());
    assert_eq!(lines, ["a:0|d|@0.25", "a:-3:1.5:5|d"]);
}

#[test]
fn the_topmost_bucket_of_floats_and_those_beyond_are_told_as_finite_values() {
    for (scale, offset) in
        [(0, 1023), (0, i32::MAX), (0, i32::MIN), (i32::MIN, 0), (i32::MAX, i32::MIN), (20, i32::MAX)]
    {
        let exponential = Exponential {
            scale,
            zero_count: 0,
            positive: ExponentialBuckets { offset, counts: vec![1] },
            negative: ExponentialBuckets { offset, counts: vec![1] },
            sum: Number::Int(0),
            min: None,
            max: None,
        };
        let lines = encode(Metric::new("a"), exponential.into()).concat();
        let values = lines.trim_start_matches("a:").split_once('|').unwrap().0;
        let values: Vec<f64> = values.split(':').map(|value| value.parse().unwrap()).collect();
        let is_symmetric = values.len() == 2 && values[0] == -values[1];
        assert!(is_symmetric && values.iter().all(|value| value.is_finite()), "{scale} {offset}: {lines}");
    }
}

#[test]
fn many_values_are_packed_into_lines_that_fit() {
    let values: Vec<u64> = (0..120).map(|step| 1_000_000 + step * 20_000).collect();
    let frame = frame([(Metric::new("took").label("k", "v"), recorded(&values))]);
    let (lines, encoded) = lines_of(Style::new(), &frame, 300);
    let packed: Vec<_> = lines.iter().filter(|line| line.contains("|d")).collect();
    assert!(packed.len() > 3 && packed.iter().all(|line| line.len() < 300 && line.ends_with("|d|#k:v")));
    let count: usize = packed.iter().map(|line| line.matches(':').count() - 1).sum();
    assert_eq!((count, encoded.points), (120, 1));
}

#[test]
fn an_event_tells_its_lengths_in_bytes() {
    let style = Style::new().prefix("not.used").tag("region", "eu").host("box|1").container("ci");
    let event = Event::new("test.start", 1_700_000_000_000_000_000)
        .title("Stärt\nnow|#a")
        .text("a\r\nb")
        .level(Level::Warning)
        .label("step", "a,b");
    let mut out = Vec::new();
    assert!(push_event(&mut out, &event, &style));
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "_e{14,5}:Stärt\\nnow|#a|a_\\nb|d:1700000000|h:box_1|t:warning|#region:eu,event:test.start,step:a_b|c:ci\n"
    );
    let mut out = Vec::new();
    assert!(push_event(&mut out, &Event::new("a", 0), &Style::new()));
    assert_eq!(out, b"_e{1,0}:a||d:0|t:info|#event:a\n");
    assert!(!push_event(&mut out, &Event::new("a", 0).title(""), &Style::new()));
    assert_eq!(out.len(), 31);
}

#[test]
fn a_service_check_ends_in_its_message() {
    let check = ServiceCheck {
        name: "s|c".to_owned(),
        status: Check::Critical,
        time_unix_ns: None,
        labels: Vec::new(),
        message: "a m:b\nc".to_owned(),
    };
    let mut out = Vec::new();
    assert!(push_service_check(&mut out, &check, &Style::new()));
    assert_eq!(out, b"_sc|s_c|2|m:a m\\:b\\nc\n");
    let whole = ServiceCheck {
        time_unix_ns: Some(1_700_000_000_000_000_000),
        labels: vec![Label::new("k", 1)],
        message: "x|#injected".to_owned(),
        ..check.clone()
    };
    out.clear();
    assert!(push_service_check(&mut out, &whole, &Style::new().host("h").container("ci")));
    assert_eq!(out, b"_sc|s_c|2|d:1700000000|h:h|#k:1|c:ci|m:x_#injected\n");
    assert!(!push_service_check(&mut out, &ServiceCheck { name: String::new(), ..check }, &Style::new()));
}

#[test]
fn a_frame_of_a_stream_begins_with_its_length() {
    let mut out = Vec::new();
    assert!(push_stream_frame(&mut out, b"a:1|c\n"));
    assert_eq!(out, b"\x06\0\0\0a:1|c\n");
    assert!(!push_stream_frame(&mut out, &[b'x'; 8193]));
    assert_eq!(out.len(), 10);
}

#[test]
fn a_rest_that_is_too_large_for_a_float_is_the_largest() {
    let frame = frame([(Metric::new("a"), Value::Counter(Number::Float(f64::MAX)))]);
    let (mut encoder, mut out) = (Encoder::new(Style::new()), Datagrams::new(1432));
    for _ in 0..2 {
        out.clear();
        assert_eq!(encoder.push_frame(&frame, &mut out), Encoded { points: 1, left_out: 0 });
        encoder.settle(0);
    }
    assert_eq!(out.iter().next(), Some(b"a:1.7976931348623157e+308|c\n".as_slice()));
}

#[test]
fn a_tag_without_a_value_is_left_out() {
    let metric = Metric::new("a").label("none", "").label("some", 1);
    assert_eq!(encode(metric, gauge(Number::Int(1))), ["a:1|g|#some:1"]);
    assert_eq!(encode(Metric::new("a").label("none", ""), gauge(Number::Int(1))), ["a:1|g"]);
    let style = Style::new().tag("region", "").tag("zone", "b");
    let frame = frame([(Metric::new("a"), gauge(Number::Int(1)))]);
    assert_eq!(lines_of(style.clone(), &frame, 1432).0, ["a:1|g|#zone:b"]);
    let mut out = Vec::new();
    assert!(push_event(&mut out, &Event::new("e", 1).label("none", ""), &style));
    assert!(out.ends_with(b"|#zone:b,event:e\n"));
}

#[test]
fn a_time_of_zero_is_none() {
    let point = || [(Metric::new("a"), gauge(Number::Int(1)))];
    for (time_unix_ns, expected) in [(999_999_999, "a:1|g"), (1_000_000_000, "a:1|g|T1")] {
        let frame = Frame { time_unix_ns, ..frame(point()) };
        assert_eq!(lines_of(Style::new().timestamps(), &frame, 1432).0, [expected]);
    }
}

#[test]
fn of_two_series_that_are_written_alike_the_second_is_left_out_and_counted() {
    let one = || gauge(Number::Int(1));
    for (first, second) in [
        (Metric::new("a|b"), Metric::new("a:b")),
        (Metric::new("a").label("k", ""), Metric::new("a")),
        (Metric::new("a").label("k", "x,y"), Metric::new("a").label("k", "x_y")),
        (Metric::new("a").label("k", 1).label("l", 2), Metric::new("a").label("l", 2).label("k", 1)),
    ] {
        let frame =
            frame([(first, one()), (second, Value::Counter(Number::Int(2))), (Metric::new("c"), one())]);
        let (lines, encoded) = lines_of(Style::new(), &frame, 1432);
        assert_eq!((lines.len(), encoded), (2, Encoded { points: 2, left_out: 1 }), "{lines:?}");
        assert_eq!(lines[1], "c:1|g");
    }
}

#[test]
fn an_event_longer_than_a_datagram_is_cut_and_says_so() {
    let event = Event::new("e", 0).title("Title").text("é".repeat(2000)).label("k", "v");
    let (mut out, style) = (Vec::new(), Style::new());
    assert!(push_event_within(&mut out, &event, &style, UDP_LIMIT_BYTES));
    let line = String::from_utf8(out).unwrap();
    // The next character would have two bytes.
    assert_eq!(line.len(), UDP_LIMIT_BYTES - 1);
    assert!(
        line.starts_with("_e{5,1389}:Title|éé") && line.ends_with("é…|d:0|t:info|#event:e,k:v\n"),
        "{line}"
    );
    // Tags are kept, and where they leave no room nothing is sent.
    let event = Event::new("e", 0).label("k", "v".repeat(UDP_LIMIT_BYTES));
    assert!(!push_event_within(&mut Vec::new(), &event, &style, UDP_LIMIT_BYTES));
}

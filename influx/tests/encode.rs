//! Frames, parts, and the whole lines they must become.

use std::sync::Arc;

use barewire::{
    Label, Metric, Registry, Unit,
    view::{
        Explicit, Exponential, ExponentialBuckets, FieldValue, Frame, Number, Point, Rule, Shape, Show,
        Temporality, Value, View,
    },
    wire::datagram::Datagrams,
};
use barewire_influx::{Encoded, Encoder, push_line};

fn point(metric: Metric, value: Value) -> Point {
    Point { metric: Arc::new(metric), value }
}

fn frame(points: Vec<Point>) -> Frame {
    Frame { start_unix_ns: 1, time_unix_ns: 2, points, ..Frame::default() }
}

fn encode(encoder: &mut Encoder, frame: &Frame) -> (String, Encoded) {
    let mut out = Vec::new();
    let encoded = encoder.push([frame], &mut out);
    (String::from_utf8(out).unwrap(), encoded)
}

/// The lines of one frame, all of it.
fn lines(points: Vec<Point>) -> String {
    let all = points.len() as u64;
    let (lines, encoded) = encode(&mut Encoder::new(), &frame(points));
    assert_eq!(encoded, Encoded { points: all, left_out: 0 });
    lines
}

/// What stands between the measurement and the time of a gauge.
fn value(number: Number) -> String {
    let line = lines(vec![point(Metric::new("m"), Value::Gauge(number))]);
    line.strip_prefix("m value=").unwrap().strip_suffix(" 2\n").unwrap().to_owned()
}

fn tagged(key: &str, tag: &str) -> String {
    let mut out = Vec::new();
    assert!(push_line(&mut out, "m", &[(key, tag)], &[("f", FieldValue::Number(Number::Int(1)))], 1));
    String::from_utf8(out).unwrap()
}

#[test]
fn a_tag_is_escaped_where_all_parsers_agree_and_replaced_where_they_do_not() {
    for (tag, expected) in [
        ("a", "m,t=a f=1i 1\n"),
        ("\"q\"", "m,t=\"q\" f=1i 1\n"),
        ("🍭", "m,t=🍭 f=1i 1\n"),
        ("http://h/?a=1,2", "m,t=http://h/?a\\=1\\,2 f=1i 1\n"),
        ("a b", "m,t=a\\ b f=1i 1\n"),
        ("a\\b", "m,t=a\\b f=1i 1\n"),
        ("a\\", "m,t=a_ f=1i 1\n"),
        ("a\\\\b", "m,t=a_\\b f=1i 1\n"),
        ("a\\,b", "m,t=a_\\,b f=1i 1\n"),
        ("a\\ b", "m,t=a_\\ b f=1i 1\n"),
        ("a\\=b", "m,t=a_\\=b f=1i 1\n"),
        ("\\\n", "m,t=\\_ f=1i 1\n"),
        ("a\r\n\t\0b", "m,t=a____b f=1i 1\n"),
        ("#", "m,t=# f=1i 1\n"),
        ("", "m f=1i 1\n"),
    ] {
        assert_eq!(tagged("t", tag), expected, "{tag:?}");
    }
    for (key, expected) in [
        ("a=b, c", "m,a\\=b\\,\\ c=v f=1i 1\n"),
        ("time", "m,_time=v f=1i 1\n"),
        ("_field", "m,__field=v f=1i 1\n"),
        ("\tfield", "m,__field=v f=1i 1\n"),
        ("_measurement", "m,__measurement=v f=1i 1\n"),
        ("Time", "m,Time=v f=1i 1\n"),
        ("", "m f=1i 1\n"),
    ] {
        assert_eq!(tagged(key, "v"), expected, "{key:?}");
    }
}

#[test]
fn a_measurement_is_no_comment_and_ends_where_it_should() {
    for (measurement, expected) in [
        ("a.b/c=d", "a.b/c=d f=1i 1\n"),
        ("a, b", "a\\,\\ b f=1i 1\n"),
        ("#a", "_#a f=1i 1\n"),
        ("a#", "a# f=1i 1\n"),
        ("a\\", "a_ f=1i 1\n"),
        ("\n", "_ f=1i 1\n"),
    ] {
        let mut out = Vec::new();
        let fields = [("f", FieldValue::Number(Number::Int(1)))];
        assert!(push_line(&mut out, measurement, &[], &fields, 1));
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}

#[test]
fn a_text_field_escapes_quotes_and_backslashes_and_nothing_else() {
    for (text, expected) in [
        ("a\"b", r#"m f="a\"b" 1"#),
        (r"a\b", r#"m f="a\\b" 1"#),
        (r"a\", r#"m f="a\\" 1"#),
        ("a\nb, c=d\t", "m f=\"a\nb, c=d\t\" 1"),
        ("", r#"m f="" 1"#),
    ] {
        let mut out = Vec::new();
        assert!(push_line(&mut out, "m", &[], &[("f", FieldValue::Text(text))], 1));
        assert_eq!(String::from_utf8(out).unwrap(), format!("{expected}\n"));
    }
}

#[test]
fn what_has_no_form_is_left_out_and_so_is_a_line_without_a_field() {
    let float = |float| FieldValue::Number(Number::Float(float));
    let one = FieldValue::Number(Number::Int(1));
    for (measurement, fields, expected) in [
        ("m", vec![("f", float(f64::NAN)), ("g", one.clone())], "m g=1i 1\n"),
        ("m", vec![("f", float(f64::INFINITY)), ("", one.clone())], ""),
        ("m", vec![("f", float(f64::NEG_INFINITY))], ""),
        ("m", vec![], ""),
        ("", vec![("f", one.clone())], ""),
        ("m", vec![("time", one), ("a b", FieldValue::Bool(false))], "m _time=1i,a\\ b=false 1\n"),
    ] {
        let mut out = b"before\n".to_vec();
        assert_eq!(push_line(&mut out, measurement, &[], &fields, 1), !expected.is_empty());
        assert_eq!(String::from_utf8(out).unwrap(), format!("before\n{expected}"));
    }
}

#[test]
fn tags_stand_in_the_order_of_their_keys_and_each_key_once() {
    let metric =
        Metric::new("m").label("c", 200).label("b", "of the point").label("_time", "x").label("time", "y");
    let points = vec![point(metric, Value::Gauge(Number::Int(1)))];
    let resource: Arc<[Label]> = [Label::new("z", "last"), Label::new("a", "of the resource")].into();
    let frame = Frame { resource, ..frame(points) };
    let encoder = || Encoder::new().tag("b", "of all").tag("a", "of all").tag("empty", "");
    let without = "m,_time=x;y,a=of\\ all,b=of\\ the\\ point,c=200 value=1i 2\n";
    assert_eq!(encode(&mut encoder(), &frame).0, without);
    let with = "m,_time=x;y,a=of\\ all,b=of\\ the\\ point,c=200,z=last value=1i 2\n";
    assert_eq!(encode(&mut encoder().resource_tags(), &frame).0, with);
}

#[test]
fn a_resource_that_changes_changes_the_tags() {
    let mut frame = frame(vec![point(Metric::new("m"), Value::Gauge(Number::Int(1)))]);
    let mut encoder = Encoder::new().resource_tags();
    assert_eq!(encode(&mut encoder, &frame).0, "m value=1i 2\n");
    frame.resource = [Label::new("status", "passed")].into();
    assert_eq!(encode(&mut encoder, &frame).0, "m,status=passed value=1i 2\n");
}

#[test]
fn numbers_are_integers_or_the_shortest_floats() {
    for (number, expected) in [
        (Number::Int(-3), "-3i"),
        (Number::Int(i64::MAX), "9223372036854775807i"),
        (Number::Float(1.0), "1"),
        (Number::Float(1.5), "1.5"),
        (Number::Float(1e-9), "1e-9"),
        (Number::Float(5e-324), "5e-324"),
        (Number::Float(f64::MAX), "1.7976931348623157e+308"),
        (Number::Float(-0.0), "-0"),
        (Number::Decimal { digits: 1_500_000_000, decimals: 9 }, "1.5"),
        (Number::Decimal { digits: 2, decimals: 9 }, "0.000000002"),
    ] {
        assert_eq!(value(number), expected);
    }
}

#[test]
fn a_field_keeps_the_type_that_it_had_first_in_any_series_of_the_measurement() {
    let ints = [Number::Int(1), Number::Int(2), Number::Int(3)];
    let floats = [Number::Int(1), Number::Float(2.0), Number::Decimal { digits: 35, decimals: 1 }];
    let metric = |at: usize| Metric::new("m").label("at", i64::try_from(at).unwrap());
    let points = |numbers: [Number; 3]| {
        let points = numbers.into_iter().enumerate();
        points.map(|(at, number)| point(metric(at), Value::Gauge(number))).collect::<Vec<_>>()
    };
    assert_eq!(lines(points(ints)), "m,at=0 value=1i 2\nm,at=1 value=2i 2\nm,at=2 value=3i 2\n");
    assert_eq!(lines(points(floats)), "m,at=0 value=1 2\nm,at=1 value=2 2\nm,at=2 value=3.5 2\n");

    let mut encoder = Encoder::new();
    let mut frame = frame(points(ints));
    encode(&mut encoder, &frame);
    for (fraction, left_out) in [(Number::Float(0.5), 1), (Number::Float(1e30), 1), (Number::Float(-7.0), 0)]
    {
        frame.points[0].value = Value::Gauge(fraction);
        assert_eq!(encode(&mut encoder, &frame).1, Encoded { points: 3 - left_out, left_out });
    }
    let a_time = Metric::new("t").unit(Unit::Seconds);
    assert_eq!(lines(vec![point(a_time, Value::Counter(Number::Int(4)))]), "t value=4 2\n");
}

#[test]
fn what_is_absent_is_in_no_number() {
    let points =
        vec![point(Metric::new("a"), Value::Absent), point(Metric::new(""), Value::Gauge(Number::Int(1)))];
    assert_eq!(
        encode(&mut Encoder::new(), &frame(points)),
        (String::new(), Encoded { points: 0, left_out: 1 })
    );
}

#[test]
fn a_histogram_with_bounds_has_cumulative_buckets() {
    let histogram = |bounds: &[f64], counts: &[u64]| {
        Value::from(Explicit {
            bounds: bounds.into(),
            counts: counts.to_vec(),
            sum: Number::Decimal { digits: 75, decimals: 2 },
            min: Some(Number::Float(0.05)),
            max: None,
        })
    };
    let of = |value| encode(&mut Encoder::new(), &frame(vec![point(Metric::new("m"), value)]));
    assert_eq!(
        of(histogram(&[-1.0, 0.1, 1e30], &[0, 1, 2, 4])).0,
        "m count=7i,sum=0.75,min=0.05,le_-1=0i,le_0.1=1i,le_1e+30=3i 2\n"
    );
    assert_eq!(of(histogram(&[], &[u64::MAX])).0, "m count=9223372036854775807i,sum=0.75,min=0.05 2\n");
    for (bounds, counts) in [
        (&[0.1][..], &[1][..]),
        (&[0.1, 0.1], &[1, 1, 1]),
        (&[0.2, 0.1], &[1, 1, 1]),
        (&[f64::NAN], &[1, 1]),
        (&[0.1], &[u64::MAX, 1]),
    ] {
        assert_eq!(of(histogram(bounds, counts)), (String::new(), Encoded { points: 0, left_out: 1 }));
    }
}

#[test]
fn an_exponential_histogram_has_percentiles_of_its_buckets() {
    let exponential = |zero_count, counts: &[u64]| {
        Value::from(Exponential {
            scale: 0,
            zero_count,
            positive: ExponentialBuckets { offset: 0, counts: counts.to_vec() },
            negative: ExponentialBuckets { offset: 0, counts: vec![1] },
            sum: Number::Float(9.5),
            min: Some(Number::Int(-2)),
            max: Some(Number::Float(6.5)),
        })
    };
    let of = |value| encode(&mut Encoder::new(), &frame(vec![point(Metric::new("m"), value)]));
    let expected = "m count=10i,sum=9.5,min=-2,max=6.5,p50=2,p90=6.5,p95=6.5,p99=6.5,p999=6.5 2\n";
    assert_eq!(of(exponential(1, &[4, 2, 2])).0, expected);
    assert_eq!(of(exponential(u64::MAX, &[])), (String::new(), Encoded { points: 0, left_out: 1 }));
}

#[test]
fn the_topmost_bucket_of_floats_and_those_beyond_are_told_by_the_largest_float() {
    for (scale, offset) in [(0, 1023), (0, i32::MAX), (i32::MIN, 0), (-10, 1), (20, i32::MAX)] {
        let none = || ExponentialBuckets { offset: 0, counts: Vec::new() };
        let value = Value::from(Exponential {
            scale,
            zero_count: 0,
            positive: ExponentialBuckets { offset, counts: vec![1] },
            negative: none(),
            sum: Number::Int(9),
            min: None,
            max: None,
        });
        let (line, encoded) = encode(&mut Encoder::new(), &frame(vec![point(Metric::new("m"), value)]));
        assert_eq!(encoded, Encoded { points: 1, left_out: 0 });
        let p50 = line.split_once("p50=").unwrap().1.split(',').next().unwrap().parse::<f64>().unwrap();
        assert!(line.starts_with("m count=1i,sum=9,") && p50 == f64::MAX, "{scale} {offset}: {line}");
    }
}

#[test]
fn what_was_recorded_counts_since_the_start_and_has_percentiles_of_window_and_run() {
    let registry = Registry::new("test");
    let took = registry.histogram(Metric::new("took").unit(Unit::Seconds).label("step", "a"));
    let mut shard = registry.shard();
    (0..10).for_each(|_| shard.record(took, 2_000_000_000_u64));
    let earlier = registry.snapshot();
    shard.record(took, 4_014_079_u64); // the highest of its bucket, so that the window knows it exactly
    let now = registry.snapshot();
    let line = |temporality, earlier| {
        let mut view = View::everything().histograms(Shape::Recorded).temporality(temporality);
        let frame = Frame { time_unix_ns: 2, ..view.show(&now, earlier).clone() };
        encode(&mut Encoder::new(), &frame).0
    };
    assert_eq!(
        line(Temporality::Cumulative, Some(&*earlier)),
        "took,step=a count=11i,sum=20.004014079,mean=0.004014079,min=0.004014079,max=0.004014079,\
         p50=0.004014079,p90=0.004014079,p95=0.004014079,p99=0.004014079,p999=0.004014079,run_min=0.004014079,run_max=2,\
         run_p50=2,run_p90=2,run_p95=2,run_p99=2,run_p999=2,\
         le_0.005=1i,le_0.01=1i,le_0.025=1i,le_0.05=1i,le_0.075=1i,le_0.1=1i,le_0.25=1i,le_0.5=1i,le_0.75=1i,\
         le_1=1i,le_2.5=11i,le_5=11i,le_7.5=11i,le_10=11i 2\n"
    );
    assert_eq!(
        line(Temporality::Delta, Some(&*earlier)),
        "took,step=a count=1i,sum=0.004014079,mean=0.004014079,min=0.004014079,max=0.004014079,\
         p50=0.004014079,p90=0.004014079,p95=0.004014079,p99=0.004014079,p999=0.004014079,\
         le_0.005=1i,le_0.01=1i,le_0.025=1i,le_0.05=1i,le_0.075=1i,le_0.1=1i,le_0.25=1i,le_0.5=1i,le_0.75=1i,\
         le_1=1i,le_2.5=1i,le_5=1i,le_7.5=1i,le_10=1i 2\n"
    );
    assert_eq!(
        line(Temporality::Delta, Some(&*now)),
        "took,step=a count=0i,sum=0,\
         le_0.005=0i,le_0.01=0i,le_0.025=0i,le_0.05=0i,le_0.075=0i,le_0.1=0i,le_0.25=0i,le_0.5=0i,le_0.75=0i,\
         le_1=0i,le_2.5=0i,le_5=0i,le_7.5=0i,le_10=0i 2\n"
    );
}

#[test]
fn bytes_are_floats_among_the_figures_and_never_change_their_type() {
    let registry = Registry::new("test");
    let size = registry.histogram(Metric::new("size").unit(Unit::Bytes));
    let mut shard = registry.shard();
    shard.record(size, 3_u64);
    shard.record(size, 4_u64);
    let snapshot = registry.snapshot();
    let mut view = View::table([
        Rule::new("size", "size").unit(Unit::Bytes),
        Rule::new("size.max", "size").unit(Unit::Bytes).show(Show::Max),
    ]);
    view = view.histograms(Shape::Recorded);
    let (lines, _) = encode(&mut Encoder::new(), view.show(&snapshot, None));
    assert!(lines.starts_with("size count=2i,sum=7,mean=3.5,min=3,max=4,p50=3,p90=4,"), "{lines}");
    assert!(lines.contains("\nsize.max value=4i "), "{lines}");
}

#[test]
fn lines_are_packed_whole_and_what_is_too_long_is_left_out() {
    let value = || Value::Gauge(Number::Int(1));
    let points = ["a", "b", "much_too_long_a_name", "c"].map(|name| point(Metric::new(name), value()));
    let mut datagrams = Datagrams::new(26);
    let encoded = Encoder::new().pack([&frame(points.into())], &mut datagrams);
    assert_eq!(encoded, Encoded { points: 3, left_out: 1 });
    let datagrams: Vec<_> =
        datagrams.iter().map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()).collect();
    assert_eq!(datagrams, ["a value=1i 2\nb value=1i 2\n", "c value=1i 2\n"]);
}

#[test]
fn the_latest_time_is_the_latest_that_the_server_stores() {
    let frame = Frame {
        time_unix_ns: u64::MAX,
        ..frame(vec![point(Metric::new("m"), Value::Gauge(Number::Int(1)))])
    };
    assert_eq!(encode(&mut Encoder::new(), &frame).0, "m value=1i 9223372036854775806\n");
}

//! Names that become one: tags with the key of a field, series that are written alike, fields of two types, keys that no
//! server takes.

use std::{borrow::Cow, sync::Arc};

use barewire::{
    Event, Metric, Registry,
    view::{Explicit, FieldValue, Frame, Number, Point, Shape, Value, View},
};
use barewire_influx::{Encoded, Encoder, Row, push_event, push_line};

fn gauge(metric: Metric, number: Number) -> Point {
    Point { metric: Arc::new(metric), value: Value::Gauge(number) }
}

fn histogram(metric: Metric) -> Point {
    let sum = Number::Int(3);
    let explicit = Explicit { bounds: [0.5].into(), counts: vec![1, 2], sum, min: None, max: None };
    Point { metric: Arc::new(metric), value: explicit.into() }
}

fn frame(points: Vec<Point>) -> Frame {
    Frame { time_unix_ns: 2, points, ..Frame::default() }
}

fn encode(encoder: &mut Encoder, frame: &Frame) -> (String, Encoded) {
    let mut out = Vec::new();
    let encoded = encoder.push([frame], &mut out);
    (String::from_utf8(out).unwrap(), encoded)
}

fn fresh(points: Vec<Point>) -> (String, u64) {
    let (text, encoded) = encode(&mut Encoder::new(), &frame(points));
    (text, encoded.left_out)
}

const ONE: Number = Number::Int(1);

#[test]
fn a_tag_with_the_key_of_a_field_gets_another_one_and_that_is_told_once() {
    let mut encoder = Encoder::new().tag("value", "of all");
    let labelled = |step: &str| Metric::new("hits").label("value", "low").label("sum", step);
    let frame = frame(vec![gauge(labelled("a"), ONE), gauge(labelled("b"), ONE)]);
    for _ in 0..2 {
        let (text, _) = encode(&mut encoder, &frame);
        assert_eq!(text, "hits,sum=a,value_tag=low value=1i 2\nhits,sum=b,value_tag=low value=1i 2\n");
        let told = "the tag 'value' is sent as 'value_tag', because a field is called 'value'";
        assert_eq!(encoder.warnings(), [told]);
    }
}

#[test]
fn every_key_that_a_histogram_may_have_is_kept_for_it_alone() {
    let registry = Registry::new("test");
    let took = registry.histogram(Metric::new("took"));
    registry.shard().record(took, 7_u64);
    let snapshot = registry.snapshot();
    let mut view = View::everything().histograms(Shape::Recorded);
    let (text, _) = encode(&mut Encoder::new(), view.show(&snapshot, None));
    let (_, fields) = text.split_once(' ').unwrap();
    for key in fields.rsplit_once(' ').unwrap().0.split(',').map(|field| field.split_once('=').unwrap().0) {
        let (text, left_out) = fresh(vec![histogram(Metric::new("m").label(key, "x"))]);
        assert!(text.starts_with(&format!("m,{key}_tag=x count=3i")), "{text}");
        assert_eq!(left_out, 0);
        let (text, _) = fresh(vec![gauge(Metric::new("m").label(key, "x"), ONE)]);
        assert_eq!(text, format!("m,{key}=x value=1i 2\n"));
    }
    let (text, _) = fresh(vec![histogram(Metric::new("m").label("value", "v").label("le_gal", "g"))]);
    assert!(text.starts_with("m,le_gal=g,value=v count=3i"), "{text}");
}

#[test]
fn the_other_key_is_no_tags_and_no_fields() {
    let metric = Metric::new("m").label("value", "a").label("value_tag", "b");
    assert_eq!(fresh(vec![gauge(metric, ONE)]).0, "m,value_tag=b,value_tag_tag=a value=1i 2\n");
    let fields = [("f", FieldValue::Bool(true)), ("f_tag", FieldValue::Bool(true))];
    let mut out = Vec::new();
    assert!(push_line(&mut out, "m", &[("f", "x")], &fields, 1));
    assert_eq!(out, b"m,f_tag_tag=x f=true,f_tag=true 1\n");
    out.clear();
    let tags = ["title", "text", "tags", "event"].map(|key| barewire::Label::new(key, "x"));
    assert!(push_event(&mut out, &Event::new("e", 1), &tags));
    assert!(out.starts_with(b"events,event=e,level=info,tags_tag=x,text_tag=x,title_tag=x title="));
}

#[test]
fn a_measurement_that_gets_a_histogram_later_renames_the_tags_of_its_numbers() {
    let mut encoder = Encoder::new();
    let mut frame = frame(vec![gauge(Metric::new("m").label("count", "x"), ONE)]);
    assert_eq!(encode(&mut encoder, &frame).0, "m,count=x value=1i 2\n");
    frame.points.push(histogram(Metric::new("m").label("value", "y")));
    for _ in 0..2 {
        let (text, encoded) = encode(&mut encoder, &frame);
        assert!(text.starts_with("m,count_tag=x value=1i 2\nm,value_tag=y count=3i,"), "{text}");
        assert_eq!(encoded, Encoded { points: 2, left_out: 0 });
    }
}

#[test]
fn of_two_series_that_are_written_alike_the_second_is_left_out_and_counted() {
    let labelled = |key: &str, value: &str| Metric::new("m").label("a", "x").label(key, value);
    for (one, other, written) in [
        (labelled("type", ""), Metric::new("m").label("a", "x"), "m,a=x"),
        (labelled("q\n", "y"), labelled("q_", "y"), "m,a=x,q_=y"),
        (labelled("time", "y"), labelled("_time", "y"), "m,_time=y,a=x"),
        (labelled("t", "y\n"), labelled("t", "y\t"), "m,a=x,t=y_"),
        (Metric::new("#m"), Metric::new("_#m"), "_#m"),
    ] {
        let points = |first: &Metric, second: &Metric| {
            vec![
                gauge(first.clone(), ONE),
                gauge(second.clone(), Number::Int(2)),
                gauge(Metric::new("n"), ONE),
            ]
        };
        for points in [points(&one, &other), points(&other, &one)] {
            let mut encoder = Encoder::new();
            for _ in 0..2 {
                let (text, encoded) = encode(&mut encoder, &frame(points.clone()));
                assert_eq!(text, format!("{written} value=1i 2\nn value=1i 2\n"));
                assert_eq!(encoded, Encoded { points: 2, left_out: 1 });
            }
        }
    }
}

#[test]
fn series_are_told_apart_across_the_frames_of_a_document_and_after_a_frame_of_another() {
    let (one, other) =
        (frame(vec![gauge(Metric::new("m"), ONE)]), frame(vec![gauge(Metric::new("m").label("t", ""), ONE)]));
    let (mut encoder, mut out) = (Encoder::new(), Vec::new());
    for _ in 0..2 {
        assert_eq!(encoder.push([&one, &other], &mut out), Encoded { points: 1, left_out: 1 });
    }
    assert_eq!(encoder.push([&other], &mut out), Encoded { points: 1, left_out: 0 });
}

#[test]
fn a_number_and_a_histogram_of_one_series_are_fields_of_one_point() {
    let points = vec![gauge(Metric::new("m"), ONE), histogram(Metric::new("m"))];
    assert_eq!(fresh(points), ("m value=1i 2\nm count=3i,sum=3,le_0.5=1i 2\n".to_owned(), 0));
}

#[test]
fn an_absent_point_keeps_no_other_from_being_written() {
    let absent = Point { metric: Arc::new(Metric::new("m").label("t", "")), value: Value::Absent };
    let mut encoder = Encoder::new();
    let mut frame = frame(vec![absent, gauge(Metric::new("m"), ONE)]);
    assert_eq!(
        encode(&mut encoder, &frame),
        ("m value=1i 2\n".to_owned(), Encoded { points: 1, left_out: 0 })
    );
    frame.points[0].value = Value::Gauge(ONE);
    assert_eq!(encode(&mut encoder, &frame).1, Encoded { points: 1, left_out: 1 });
}

#[test]
fn numbers_that_come_together_are_of_one_type_whatever_their_order() {
    let labelled = |at: i64| Metric::new("m").label("at", at);
    let counter = Point { metric: Arc::new(labelled(0)), value: Value::Counter(Number::Int(7)) };
    for points in [
        [counter.clone(), gauge(labelled(1), Number::Float(0.5))],
        [gauge(labelled(1), Number::Float(0.5)), counter],
    ] {
        let (text, left_out) = fresh(points.into());
        assert!(text.contains("m,at=0 value=7 2\n") && text.contains("m,at=1 value=0.5 2\n"), "{text}");
        assert_eq!(left_out, 0);
    }
}

fn row<'a>(tags: &[(&'a str, &'a str)], fields: &[(&'a str, FieldValue<'a>)], time_unix_ns: u64) -> Row<'a> {
    let tags = tags.iter().map(|(key, value)| (*key, Cow::Borrowed(*value))).collect();
    Row { measurement: "m", tags, fields: fields.to_vec(), time_unix_ns }
}

fn rows(rows: &[Row<'_>]) -> (String, u64) {
    let mut out = Vec::new();
    let encoded = Encoder::new().push_rows(rows, &mut out);
    assert_eq!(encoded.points + encoded.left_out, rows.len() as u64);
    (String::from_utf8(out).unwrap(), encoded.left_out)
}

#[test]
fn a_field_of_rows_is_of_one_type() {
    let number = |number| [("f", FieldValue::Number(number))];
    let (int, float) = (number(Number::Int(1)), number(Number::Float(1.5)));
    let (text, truth) = ([("f", FieldValue::Text("a"))], [("f", FieldValue::Bool(true))]);
    let all = [row(&[], &int, 1), row(&[], &float, 2), row(&[], &text, 3), row(&[], &truth, 4)];
    assert_eq!(rows(&all), ("m f=1 1\nm f=1.5 2\n".to_owned(), 2));
    assert_eq!(rows(&all[..1]), ("m f=1i 1\n".to_owned(), 0));
    assert_eq!(rows(&[row(&[], &text, 3), row(&[], &int, 1)]), ("m f=\"a\" 3\n".to_owned(), 1));
}

#[test]
fn of_two_rows_that_would_overwrite_each_other_the_second_is_left_out() {
    let [f, g] = ["f", "g"].map(|key| [(key, FieldValue::Bool(true))]);
    let (text, left_out) = rows(&[
        row(&[("time", "x")], &f, 1),
        row(&[("_time", "x")], &f, 1),
        row(&[("_time", "x")], &f, 2),
        row(&[("_time", "x")], &g, 1),
    ]);
    assert_eq!(text, "m,_time=x f=true 1\nm,_time=x f=true 2\nm,_time=x g=true 1\n");
    assert_eq!(left_out, 1);
}

#[test]
fn a_key_beyond_what_a_server_takes_is_left_out() {
    let longest = |field: &str| 65_535 - 4 - "m,t=".len() - field.len();
    let [number, bucket] = ["value", "le_-2.2250738585072014e-308     "].map(longest);
    let long = |bytes| Metric::new("m").label("t", "x".repeat(bytes));
    for (point, left_out) in [
        (gauge(long(number), ONE), 0),
        (gauge(long(number + 1), ONE), 1),
        (histogram(long(bucket)), 0),
        (histogram(long(bucket + 1)), 1),
    ] {
        assert_eq!(fresh(vec![point, gauge(Metric::new("n"), ONE)]).1, left_out);
    }
    let fields = [("f", FieldValue::Bool(true)), ("longest", FieldValue::Bool(true))];
    for (bytes, is_written) in
        [(65_535 - 4 - "m,t=longest".len(), true), (65_536 - 4 - "m,t=longest".len(), false)]
    {
        let (long, mut out) = ("x".repeat(bytes), Vec::new());
        assert_eq!(push_line(&mut out, "m", &[("t", &long)], &fields, 1), is_written);
        assert_eq!(out.is_empty(), !is_written);
    }
}

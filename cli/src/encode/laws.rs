//! What holds for every input: it is refused with a reason, or says what stands in it, in every format.

use std::{collections::BTreeMap, sync::Arc};

use barewire::{
    Label, LabelValue, Metric, Unit,
    view::{Explicit, Exponential, ExponentialBuckets, Frame, Number, Point, Scope, Temporality, Value},
};
use clap::Parser;
use proptest::{collection::vec, option, prelude::*, sample::Index};
use serde_json::{Value as Json, json};

use super::{EncodeArgs, input};

const FORMATS: [&str; 5] = ["otlp-json", "dogstatsd", "influx", "prometheus", "openmetrics"];

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: EncodeArgs,
}

/// Reads `json`, and prints what is in it in every format.
fn check(json: &[u8]) {
    let document = match input::parse(json) {
        Ok(document) => document,
        Err(reason) => return assert!(!reason.is_empty()),
    };
    for format in FORMATS {
        let Line { args } = Line::parse_from(["encode", format]);
        let mut out = Vec::new();
        let left_out = args.format.push(&document, &args.manner, &mut out).unwrap().left_out;
        let all =
            document.frame.points.len() + document.rows.len() + document.events.len() + document.checks.len();
        assert!(left_out <= all as u64);
        assert!(std::str::from_utf8(&out).is_ok());
    }
}

proptest! {
    #[test]
    fn noise_is_refused_with_a_reason(noise in vec(any::<u8>(), 0..60)) {
        check(&noise);
    }

    #[test]
    fn a_damaged_document_is_refused_with_a_reason_or_is_another(
        frame in frame(), beside in beside(), marks in vec((any::<Index>(), any::<u8>()), 0..3),
    ) {
        let mut json = write(&frame);
        beside.iter().for_each(|(name, items)| json[name] = items.clone());
        let mut text = json.to_string().into_bytes();
        for (at, mark) in marks {
            let at = at.index(text.len());
            text[at] = mark;
        }
        check(&text);
    }

    #[test]
    fn a_document_says_what_was_written(frame in frame()) {
        let read = input::parse(write(&frame).to_string().as_bytes()).map(|document| document.frame);
        prop_assert_eq!(format!("{read:?}"), format!("{:?}", Ok::<_, String>(frame)));
    }
}

fn frame() -> impl Strategy<Value = Frame> {
    let scope = option::of((text(), text()).prop_map(|(name, version)| Scope { name, version }));
    let temporality = prop_oneof![Just(Temporality::Cumulative), Just(Temporality::Delta)];
    (labels(), scope, any::<u64>(), any::<u64>(), temporality, vec(point(), 0..5)).prop_map(
        |(resource, scope, start_unix_ns, time_unix_ns, temporality, points)| Frame {
            resource: resource.into(),
            scope,
            start_unix_ns,
            time_unix_ns,
            temporality,
            points,
        },
    )
}

/// Rows, events and checks, more or less right.
fn beside() -> impl Strategy<Value = Vec<(String, Json)>> {
    let value = prop_oneof![
        text().prop_map(|text| json!(text)),
        any::<i64>().prop_map(|int| json!(int)),
        Just(json!({"a": 1, "b": true, "c": "NaN"})),
        Just(json!("info")),
        Just(json!("ok")),
    ];
    let field = prop_oneof![
        Just("name"),
        Just("fields"),
        Just("labels"),
        Just("title"),
        Just("status"),
        Just("time_unix_nano")
    ];
    let item = prop::collection::btree_map(field, value, 0..5).prop_map(|fields| json!(fields));
    let list = prop_oneof![Just("rows"), Just("events"), Just("service_checks")].prop_map(str::to_owned);
    vec((list, vec(item, 0..3).prop_map(Json::Array)), 0..3)
}

fn point() -> impl Strategy<Value = Point> {
    let unit = prop_oneof![
        Just(Unit::None),
        Just(Unit::One),
        Just(Unit::Seconds),
        Just(Unit::Other("{request}".into()))
    ];
    (text(), unit, text(), labels(), value()).prop_map(|(name, unit, help, labels, value)| {
        let mut metric = Metric::new(name).unit(unit).help(help);
        metric.labels = labels;
        Point { metric: Arc::new(metric), value }
    })
}

/// One a key.
fn labels() -> impl Strategy<Value = Vec<Label>> {
    let value = prop_oneof![text().prop_map(LabelValue::Text), any::<i64>().prop_map(LabelValue::Int)];
    prop::collection::btree_map(text(), value, 0..4).prop_map(|labels: BTreeMap<_, _>| {
        labels.into_iter().map(|(key, value)| Label::new(key, value)).collect()
    })
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z.]{0,8}", "(?s).{0,6}", "[\\\\\"\n\u{0}|,:=#]{0,4}"]
}

fn number() -> impl Strategy<Value = Number> {
    let float = prop_oneof![
        any::<f64>().prop_filter("equal to itself", |float| !float.is_nan()),
        Just(f64::INFINITY),
        Just(0.5)
    ];
    prop_oneof![any::<i64>().prop_map(Number::Int), float.prop_map(Number::Float)]
}

fn value() -> impl Strategy<Value = Value> {
    let buckets = || {
        (any::<i32>(), vec(0..1000_u64, 0..4))
            .prop_map(|(offset, counts)| ExponentialBuckets { offset, counts })
    };
    let ends = || (number(), option::of(number()), option::of(number()));
    let bound = any::<f64>().prop_filter("equal to itself", |float| !float.is_nan());
    prop_oneof![
        number().prop_map(Value::Gauge),
        number().prop_map(Value::Counter),
        (vec(bound, 0..4), vec(any::<u64>(), 0..5), ends()).prop_map(|(bounds, counts, (sum, min, max))| {
            Value::from(Explicit { bounds: bounds.into(), counts, sum, min, max })
        }),
        (-20..20_i32, any::<u64>(), buckets(), buckets(), ends()).prop_map(
            |(scale, zero_count, positive, negative, (sum, min, max))| {
                Value::from(Exponential { scale, zero_count, positive, negative, sum, min, max })
            }
        ),
    ]
}

/// The obvious writer.
fn write(frame: &Frame) -> Json {
    let scope = frame.scope.as_ref().map(|scope| json!({"name": scope.name, "version": scope.version}));
    let temporality =
        if frame.temporality == Temporality::Delta { json!("delta") } else { json!("cumulative") };
    json!({
        "resource": write_labels(&frame.resource),
        "scope": scope,
        "start_time_unix_nano": frame.start_unix_ns.to_string(),
        "time_unix_nano": frame.time_unix_ns,
        "temporality": temporality,
        "points": frame.points.iter().map(write_point).collect::<Vec<_>>(),
    })
}

fn write_point(point: &Point) -> Json {
    let (kind, value) = match &point.value {
        Value::Gauge(number) => ("gauge", write_number(*number)),
        Value::Counter(number) => ("counter", write_number(*number)),
        Value::Histogram(explicit) => {
            let bounds: Vec<_> =
                explicit.bounds.iter().map(|bound| write_number(Number::Float(*bound))).collect();
            let ends = write_ends(explicit.sum, explicit.min, explicit.max);
            ("histogram", joined(ends, json!({"bounds": bounds, "counts": explicit.counts})))
        }
        Value::ExponentialHistogram(all) => {
            let buckets =
                |of: &ExponentialBuckets| json!({"offset": of.offset, "counts": of.counts.as_slice()});
            let (positive, negative) = (buckets(&all.positive), buckets(&all.negative));
            let own = json!({"scale": all.scale, "zero_count": all.zero_count, "positive": positive, "negative": negative});
            ("exponential_histogram", joined(write_ends(all.sum, all.min, all.max), own))
        }
        Value::Absent | Value::Recorded(_) => unreachable!("there is no such input"),
    };
    let metric = &point.metric;
    json!({
        "name": metric.name, "unit": metric.unit.symbol(), "help": metric.help,
        "labels": write_labels(&metric.labels), "kind": kind, "value": value,
    })
}

fn write_ends(sum: Number, min: Option<Number>, max: Option<Number>) -> Json {
    json!({"sum": write_number(sum), "min": min.map(write_number), "max": max.map(write_number)})
}

fn joined(mut one: Json, mut other: Json) -> Json {
    one.as_object_mut().expect("an object").append(other.as_object_mut().expect("an object"));
    one
}

fn write_labels(labels: &[Label]) -> Json {
    labels
        .iter()
        .map(|label| match &label.value {
            LabelValue::Text(text) => json!([label.key, text]),
            LabelValue::Int(int) => json!([label.key, int]),
        })
        .collect()
}

fn write_number(number: Number) -> Json {
    match number {
        Number::Int(int) => json!(int),
        Number::Float(float) if float.is_finite() => json!(float),
        Number::Float(float) => json!(if float > 0.0 { "inf" } else { "-inf" }),
        Number::Decimal { .. } => unreachable!("there is no such input"),
    }
}

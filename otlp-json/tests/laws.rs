//! What holds for any request: it is JSON, it says what an obvious encoder says, and nothing is lost uncounted.

use std::sync::Arc;

use barewire::{
    Label, LabelValue, Metric, Unit,
    view::{Explicit, Exponential, ExponentialBuckets, Frame, Number, Point, Scope, Temporality, Value},
};
use barewire_otlp_json::{Encoded, Encoder};
use proptest::{collection::vec, option, prelude::*};
use serde_json::{Map, Value as Json, json};

proptest! {
    #[test]
    fn a_request_says_what_an_obvious_encoder_says(frames in vec(frame(), 0..3)) {
        let (document, encoded) = encode(&mut Encoder::new(), &frames);
        let (expected, left_out) = naive::request(&frames);
        prop_assert_eq!(parse(&document), expected);
        prop_assert_eq!(encoded.left_out, left_out);
    }

    #[test]
    fn every_present_point_is_in_the_document_or_left_out(frames in vec(frame(), 0..3)) {
        let (document, encoded) = encode(&mut Encoder::new(), &frames);
        let points = frames.iter().flat_map(|frame| &frame.points);
        let present = points.filter(|point| point.value != Value::Absent).count() as u64;
        prop_assert_eq!(encoded.points + encoded.left_out, present);
        prop_assert_eq!(document.matches(r#","timeUnixNano":""#).count() as u64
            + document.matches(r#"{"timeUnixNano":""#).count() as u64, encoded.points);
    }

    #[test]
    fn an_encoder_says_the_same_twice(frames in vec(frame(), 0..3)) {
        let mut encoder = Encoder::new();
        let first = encode(&mut encoder, &frames);
        prop_assert_eq!(encode(&mut encoder, &frames), first);
    }

    #[test]
    fn what_an_encoder_saw_of_other_frames_does_not_show(
        others in vec(frame(), 0..3),
        frames in vec(frame(), 0..3),
    ) {
        let mut encoder = Encoder::new();
        encode(&mut encoder, &others);
        prop_assert_eq!(encode(&mut encoder, &frames), encode(&mut Encoder::new(), &frames));
    }

    #[test]
    fn the_next_tick_says_what_a_fresh_encoder_says(
        mut frame in frame(),
        values in vec(value(), 8),
        more in vec(point(), 0..3),
    ) {
        let mut encoder = Encoder::new();
        encode(&mut encoder, std::slice::from_ref(&frame));
        frame.points.iter_mut().zip(values).for_each(|(point, value)| point.value = value);
        frame.points.extend(more);
        let (document, encoded) = encode(&mut encoder, std::slice::from_ref(&frame));
        let (fresh, expected) = encode(&mut Encoder::new(), std::slice::from_ref(&frame));
        prop_assert_eq!(encoded, expected);
        prop_assert_eq!(in_any_order(&document), in_any_order(&fresh));
    }

    #[test]
    fn a_tick_whose_numbers_moved_says_what_a_fresh_encoder_says(
        kinds in vec((any::<bool>(), 0..4u8, 0..=9u8), 1..8),
        ticks in vec(vec(any::<u64>(), 8), 1..6),
        shift in 0..64u32,
    ) {
        let mut encoder = Encoder::new();
        let bounds: Arc<[f64]> = [1.0].into();
        let mut frame = Frame { start_unix_ns: 1_700_000_000_000_000_000, ..Frame::default() };
        for (at, numbers) in ticks.iter().enumerate() {
            frame.time_unix_ns = frame.start_unix_ns + at as u64;
            for (nth, (&(is_counter, form, decimals), digits)) in kinds.iter().zip(numbers).enumerate() {
                // Neighbours most of the time: as wide as before, or nearly.
                let digits = (u64::MAX >> 1 >> shift).wrapping_add(digits % 256) >> 1;
                let number = match form {
                    // Now and then one that is no integer in OTLP.
                    0 if digits % 5 == 0 => Number::Decimal { digits: digits.into(), decimals: 0 },
                    0 => Number::Int(digits.cast_signed()),
                    1 => Number::Decimal { digits: digits.into(), decimals },
                    _ => Number::Float(digits as f64 / 8.0),
                };
                let value = match (form, is_counter) {
                    (3, _) => {
                        let (bounds, counts) = (Arc::clone(&bounds), vec![digits, 1]);
                        Value::from(Explicit { bounds, counts, sum: number, min: None, max: None })
                    }
                    (_, true) => Value::Counter(number),
                    (_, false) => Value::Gauge(number),
                };
                if at == 0 {
                    let metric = Metric::new(format!("m{}", nth % 3)).label("n", nth as i64);
                    frame.points.push(Point { metric: metric.into(), value });
                } else {
                    frame.points[nth].value = value;
                }
            }
            let frames = std::slice::from_ref(&frame);
            let ((document, encoded), (fresh, expected)) =
                (encode(&mut encoder, frames), encode(&mut Encoder::new(), frames));
            prop_assert_eq!(encoded, expected);
            prop_assert_eq!(parse(&document), parse(&fresh));
        }
    }
}

fn encode(encoder: &mut Encoder, frames: &[Frame]) -> (String, Encoded) {
    let mut out = Vec::new();
    let encoded = encoder.push_request(frames, &mut out);
    (String::from_utf8(out).expect("UTF-8"), encoded)
}

/// The document with every number as a float, so that `1` equals `1.0`.
fn parse(document: &str) -> Json {
    if document.is_empty() { Json::Null } else { floats(serde_json::from_str(document).expect("JSON")) }
}

fn floats(json: Json) -> Json {
    match json {
        Json::Number(number) => json!(number.as_f64()),
        Json::Array(items) => items.into_iter().map(floats).collect(),
        Json::Object(fields) => fields.into_iter().map(|(key, field)| (key, floats(field))).collect(),
        other => other,
    }
}

/// Families and points sorted; descriptions dropped, as a family has that of its first point.
fn in_any_order(document: &str) -> Vec<String> {
    let document = parse(document);
    let mut points = Vec::new();
    for metric in
        document["resourceMetrics"][0]["scopeMetrics"][0]["metrics"].as_array().into_iter().flatten()
    {
        for kind in ["gauge", "sum", "histogram", "exponentialHistogram"] {
            for point in metric[kind]["dataPoints"].as_array().into_iter().flatten() {
                points.push(format!("{} {} {kind} {point}", metric["name"], metric["unit"]));
            }
        }
    }
    points.sort();
    points
}

fn frame() -> impl Strategy<Value = Frame> {
    let scope = option::of((text(), text()).prop_map(|(name, version)| Scope { name, version }));
    let temporality = prop_oneof![Just(Temporality::Delta), Just(Temporality::Cumulative)];
    let times = (any::<u64>(), any::<u64>());
    (vec((text(), label_value()), 0..3), scope, times, temporality, vec(point(), 0..8)).prop_map(
        |(labels, scope, (start_unix_ns, time_unix_ns), temporality, points)| {
            let resource = labels.into_iter().map(|(key, value)| Label { key, value }).collect();
            Frame { resource, scope, start_unix_ns, time_unix_ns, temporality, points }
        },
    )
}

fn point() -> impl Strategy<Value = Point> {
    (metric(), value()).prop_map(|(metric, value)| Point { metric: Arc::new(metric), value })
}

fn metric() -> impl Strategy<Value = Metric> {
    let unit = prop_oneof![
        Just(Unit::None),
        Just(Unit::Seconds),
        text().prop_map(|symbol| Unit::Other(symbol.into())),
    ];
    (text(), text(), unit, vec((text(), label_value()), 0..3)).prop_map(|(name, help, unit, labels)| {
        let metric = Metric::new(name).help(help).unit(unit);
        labels.into_iter().fold(metric, |metric, (key, value)| metric.label(key, value))
    })
}

/// Often the same, so that families meet; else hostile.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just("a".to_owned()),
        1 => Just("s".to_owned()),
        1 => Just(String::new()),
        3 => vec(prop_oneof![any::<char>(), prop::char::range('\0', '\u{7f}')], 0..6)
            .prop_map(String::from_iter),
    ]
}

fn label_value() -> impl Strategy<Value = LabelValue> {
    prop_oneof![text().prop_map(LabelValue::Text), any::<i64>().prop_map(LabelValue::Int)]
}

fn number() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<i64>().prop_map(Number::Int),
        prop::num::f64::ANY.prop_map(Number::Float),
        (any::<u128>(), 0..=18u8).prop_map(|(digits, decimals)| Number::Decimal { digits, decimals }),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Absent),
        number().prop_map(Value::Gauge),
        number().prop_map(Value::Counter),
        explicit().prop_map(Value::from),
        exponential().prop_map(Value::from),
    ]
}

fn counts() -> impl Strategy<Value = Vec<u64>> {
    vec(prop_oneof![9 => 0..1000u64, 1 => any::<u64>()], 0..5)
}

fn explicit() -> impl Strategy<Value = Explicit> {
    let bound = prop_oneof![9 => (-9..9i8).prop_map(f64::from), 1 => prop::num::f64::ANY];
    let bounds = prop_oneof![3 => vec(-9..9i8, 0..4).prop_map(rising), 1 => vec(bound, 0..4)];
    (bounds, counts(), any::<bool>(), number(), option::of(number()), option::of(number())).prop_map(
        |(bounds, mut counts, fits, sum, min, max)| {
            if fits {
                counts.resize(bounds.len() + 1, 1);
            }
            Explicit { bounds: bounds.into(), counts, sum, min, max }
        },
    )
}

fn rising(mut bounds: Vec<i8>) -> Vec<f64> {
    bounds.sort_unstable();
    bounds.dedup();
    bounds.into_iter().map(f64::from).collect()
}

fn exponential() -> impl Strategy<Value = Exponential> {
    let offset = prop_oneof![9 => -99..99, 1 => i32::MAX - 5..=i32::MAX];
    let buckets =
        (offset, counts()).prop_map(|(offset, counts)| ExponentialBuckets { offset, counts }).boxed();
    let ends = (number(), option::of(number()), option::of(number()));
    (-12..=22, any::<u16>(), buckets.clone(), buckets, ends).prop_map(
        |(scale, zero_count, positive, negative, (sum, min, max))| {
            let zero_count = zero_count.into();
            Exponential { scale, zero_count, positive, negative, sum, min, max }
        },
    )
}

/// The encoder as one would write it without a thought for speed.
mod naive {
    use super::*;

    pub(crate) fn request(frames: &[Frame]) -> (Json, u64) {
        let mut left_out = 0;
        let entries: Vec<Json> = frames.iter().filter_map(|frame| entry(frame, &mut left_out)).collect();
        let request = if entries.is_empty() { Json::Null } else { json!({"resourceMetrics": entries}) };
        (floats(request), left_out)
    }

    fn entry(frame: &Frame, left_out: &mut u64) -> Option<Json> {
        let mut metrics: Vec<(Json, Vec<Json>)> = Vec::new();
        for point in frame.points.iter().filter(|point| point.value != Value::Absent) {
            if !is_placed(point) {
                *left_out += 1;
                continue;
            }
            let head = head(point);
            let index = metrics.iter().position(|(known, _)| same(known, &head)).unwrap_or_else(|| {
                metrics.push((head, Vec::new()));
                metrics.len() - 1
            });
            match data_point(frame, point) {
                Some(data_point) => metrics[index].1.push(data_point),
                None => *left_out += 1,
            }
        }
        let metrics: Vec<Json> = metrics
            .into_iter()
            .filter(|(_, points)| !points.is_empty())
            .map(|(head, points)| metric(frame, head, points))
            .collect();
        let mut entry = json!({"scopeMetrics": [{"metrics": metrics}]});
        let attributes = attributes(&frame.resource);
        if !attributes.is_empty() {
            entry["resource"] = json!({"attributes": attributes});
        }
        if let Some(scope) = &frame.scope {
            entry["scopeMetrics"][0]["scope"] =
                filled([("name", Some(scope.name.as_str())), ("version", non_empty(&scope.version))]);
        }
        (!metrics.is_empty()).then_some(entry)
    }

    fn head(point: &Point) -> Json {
        let kind = match point.value {
            Value::Gauge(_) => "gauge",
            Value::Counter(_) => "sum",
            Value::Histogram(_) => "histogram",
            _ => "exponentialHistogram",
        };
        let mut head = filled([
            ("name", Some(point.metric.name.as_str())),
            ("unit", non_empty(point.metric.unit.symbol())),
            ("description", non_empty(&point.metric.help)),
        ]);
        head[kind] = json!({});
        head
    }

    fn same(one: &Json, other: &Json) -> bool {
        let without = |json: &Json| {
            let mut fields = json.as_object().unwrap().clone();
            fields.remove("description");
            fields
        };
        without(one) == without(other)
    }

    fn metric(frame: &Frame, mut head: Json, points: Vec<Json>) -> Json {
        for (kind, counting, monotonic) in [
            ("gauge", false, false),
            ("sum", true, true),
            ("histogram", true, false),
            ("exponentialHistogram", true, false),
        ] {
            let Some(body) = head.get_mut(kind) else { continue };
            body["dataPoints"] = json!(points);
            if counting {
                body["aggregationTemporality"] = json!(frame.temporality as i32);
            }
            if monotonic {
                body["isMonotonic"] = json!(true);
            }
        }
        head
    }

    fn data_point(frame: &Frame, point: &Point) -> Option<Json> {
        let mut json = json!({"timeUnixNano": frame.time_unix_ns.to_string()});
        if !matches!(point.value, Value::Gauge(_)) {
            json["startTimeUnixNano"] = json!(frame.start_unix_ns.to_string());
        }
        if !point.metric.labels.is_empty() {
            json["attributes"] = json!(attributes(&point.metric.labels));
        }
        match &point.value {
            Value::Absent | Value::Recorded(_) => return None,
            Value::Counter(number) if number.to_f64() < 0.0 || number.to_f64().is_nan() => return None,
            Value::Gauge(Number::Int(int)) | Value::Counter(Number::Int(int)) => {
                json["asInt"] = json!(int.to_string());
            }
            Value::Gauge(number) | Value::Counter(number) => json["asDouble"] = double(*number),
            Value::Histogram(histogram) => {
                if histogram.counts.len() != histogram.bounds.len() + 1 {
                    return None;
                }
                json["count"] = json!(count(&[&histogram.counts])?);
                if !is_below_zero(histogram.sum)
                    && histogram.bounds.first().is_none_or(|&lowest| lowest >= 0.0)
                {
                    json["sum"] = double(histogram.sum);
                }
                json["bucketCounts"] = json!(strings(&histogram.counts));
                json["explicitBounds"] = json!(histogram.bounds.to_vec());
                ends(&mut json, histogram.min, histogram.max);
            }
            Value::ExponentialHistogram(histogram) => {
                let Exponential { scale, zero_count, positive, negative, .. } = &**histogram;
                if !(-10..=20).contains(scale) || [positive, negative].iter().any(|b| overflows(b)) {
                    return None;
                }
                json["count"] = json!(count(&[&positive.counts, &negative.counts, &[*zero_count]])?);
                if !is_below_zero(histogram.sum) && histogram.negative.counts.iter().all(|&count| count == 0)
                {
                    json["sum"] = double(histogram.sum);
                }
                json["scale"] = json!(scale);
                json["zeroCount"] = json!(zero_count.to_string());
                json["positive"] = buckets(positive);
                if !negative.counts.is_empty() {
                    json["negative"] = buckets(negative);
                }
                ends(&mut json, histogram.min, histogram.max);
            }
        }
        Some(json)
    }

    /// Whether its name, labels and bounds are fit for a place in a family.
    fn is_placed(point: &Point) -> bool {
        let bounds = match &point.value {
            Value::Histogram(histogram) => &*histogram.bounds,
            _ => &[],
        };
        !point.metric.name.is_empty()
            && point.metric.labels.iter().all(|label| !label.key.is_empty())
            && bounds.iter().all(|bound| bound.is_finite())
            && bounds.windows(2).all(|pair| pair[0] < pair[1])
    }

    fn attributes(labels: &[Label]) -> Vec<Json> {
        let named = labels.iter().filter(|label| !label.key.is_empty());
        named
            .map(|label| match &label.value {
                LabelValue::Text(text) => json!({"key": label.key, "value": {"stringValue": text}}),
                LabelValue::Int(int) => json!({"key": label.key, "value": {"intValue": int.to_string()}}),
            })
            .collect()
    }

    /// Decimals by way of the standard library's parser, which rounds but once.
    fn double(number: Number) -> Json {
        let float = match number {
            Number::Int(int) => int.to_string().parse().unwrap(),
            Number::Decimal { digits, decimals } => format!("{digits}e-{decimals}").parse().unwrap(),
            Number::Float(float) => float,
        };
        match float {
            f64::INFINITY => json!("Infinity"),
            f64::NEG_INFINITY => json!("-Infinity"),
            _ if float.is_nan() => json!("NaN"),
            _ => json!(float),
        }
    }

    fn ends(json: &mut Json, min: Option<Number>, max: Option<Number>) {
        for (key, end) in [("min", min), ("max", max)] {
            if let Some(number) = end {
                json[key] = double(number);
            }
        }
    }

    fn buckets(buckets: &ExponentialBuckets) -> Json {
        json!({"offset": buckets.offset, "bucketCounts": strings(&buckets.counts)})
    }

    fn overflows(buckets: &ExponentialBuckets) -> bool {
        i64::from(buckets.offset) + buckets.counts.len() as i64 - 1 > i64::from(i32::MAX)
    }

    fn strings(counts: &[u64]) -> Vec<String> {
        counts.iter().map(u64::to_string).collect()
    }

    fn count(counts: &[&[u64]]) -> Option<String> {
        let total: u128 = counts.iter().copied().flatten().map(|&count| u128::from(count)).sum();
        u64::try_from(total).ok().map(|total| total.to_string())
    }

    fn filled<'a>(fields: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) -> Json {
        let filled = fields.into_iter().filter_map(|(key, text)| Some((key.to_owned(), json!(text?))));
        Json::Object(filled.collect::<Map<_, _>>())
    }

    fn non_empty(text: &str) -> Option<&str> {
        (!text.is_empty()).then_some(text)
    }
}

/// Whether a number is not at least zero, as one that is no number.
fn is_below_zero(number: Number) -> bool {
    match number {
        Number::Int(int) => int < 0,
        Number::Float(float) => float.is_nan() || float < 0.0,
        Number::Decimal { .. } => false,
    }
}

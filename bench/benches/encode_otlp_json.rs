//! What it costs to encode a tick as OTLP/JSON, in groups called `encode_otlp_json/<case>/<implementation>`.
//!
//! Two ticks take turns, so that nothing that was written can be written again. Each implementation has both of them in
//! its own form, made beforehand: `opentelemetry-proto`'s structures for serde and prost, two providers with the same
//! measurements for the SDK.

use std::io::Write;

use barewire::{
    LabelValue,
    view::{Frame, Number, Point, Value},
};
use barewire_bench::frame::{POINTS, ticks};
use barewire_otlp_json::Encoder;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest as Request,
    common::v1::{KeyValue, any_value},
    metrics::v1::{NumberDataPoint, metric::Data, number_data_point},
};
use prost::Message;

#[path = "encode_otlp_json/sdk.rs"]
mod sdk;

fn encode(criterion: &mut Criterion) {
    let frames = ticks();
    let documents = frames.each_ref().map(|frame| {
        let mut document = Vec::new();
        assert_eq!(Encoder::new().push_request([frame], &mut document).points, POINTS as u64);
        document
    });
    let requests = documents.each_ref().map(|document| parse(document));
    let providers = frames.each_ref().map(sdk::Provider::new);
    let expected = requests.each_ref().map(points);

    let mut encoder = Encoder::new();
    let mut group = criterion.benchmark_group("encode_otlp_json/710_points");
    group.throughput(Throughput::Elements(POINTS as u64));
    let mut subject = |name: &str, read: fn(&[u8]) -> Request, encode: &mut Encode<'_>| {
        // From the third time on, what is kept from tick to tick is what it will be.
        let [.., zero, one, zero_again, _] = [0, 1, 0, 1, 0, 1].map(|tick| {
            let mut document = Vec::new();
            encode(tick, &mut |out| document.extend_from_slice(out));
            assert_eq!(points(&read(&document)), expected[tick], "{name}");
            document
        });
        let (both, middle) = ([zero, one], zero_again.len() / 2);
        // The SDK asks a clock for its times.
        let is_repeated = both[0] == zero_again;
        let mut tick = 0;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                tick = 1 - tick;
                encode(tick, &mut |out| {
                    // As long as it should be, with the same words in the middle and at the end.
                    assert_eq!(out.len(), both[tick].len());
                    assert_eq!(out.last_chunk::<4>(), both[tick].last_chunk::<4>());
                    assert!(!is_repeated || out[middle..middle + 256] == both[tick][middle..middle + 256]);
                });
            });
        });
        both
    };
    subject("barewire", parse, &mut |tick, check| check(encoder.request([&frames[tick]]).0));
    let mut out = Vec::new();
    let mut pushed = |push: &mut dyn FnMut(&mut Vec<u8>), check: &mut dyn FnMut(&[u8])| {
        out.clear();
        push(&mut out);
        check(&out);
    };
    subject("serde_json", parse, &mut |tick, check| {
        pushed(&mut |out| serde_json::to_writer(out, &requests[tick]).expect("memory takes all"), check);
    });
    subject("opentelemetry_sdk", parse, &mut |tick, check| {
        pushed(&mut |out| providers[tick].push(out), check);
    });
    subject("prost_protobuf", |out| Request::decode(out).expect("a request"), &mut |tick, check| {
        pushed(&mut |out| requests[tick].encode(out).expect("memory takes all"), check);
    });
    let naive = subject("std_fmt", parse, &mut |tick, check| {
        pushed(&mut |out| push_naively(&frames[tick], out).expect("memory takes all"), check);
    });
    assert_eq!(naive.map(|out| parse(&out)), requests);
    subject("memcpy", parse, &mut |tick, check| {
        pushed(&mut |out| out.extend_from_slice(&documents[tick]), check);
    });
}

/// Encodes the tick of that number, and hands it on.
type Encode<'a> = dyn FnMut(usize, &mut dyn FnMut(&[u8])) + 'a;

fn parse(document: &[u8]) -> Request {
    serde_json::from_slice(document).expect("a request")
}

/// Every point as text, in any order and at any time.
fn points(request: &Request) -> Vec<String> {
    let scopes = request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
    let mut points = Vec::new();
    for metric in scopes.flat_map(|scope| &scope.metrics) {
        let (kind, of_kind) = match metric.data.as_ref().expect("data") {
            Data::Gauge(gauge) => ("gauge", &gauge.data_points),
            Data::Sum(sum) if sum.is_monotonic && sum.aggregation_temporality == 2 => {
                ("counter", &sum.data_points)
            }
            _ => panic!("the frame has no other values"),
        };
        let head = format!("{} {} {kind}", metric.name, metric.unit);
        points.extend(of_kind.iter().map(|point| format!("{head} {} {}", attributes(point), number(point))));
    }
    points.sort_unstable();
    points
}

fn attributes(point: &NumberDataPoint) -> String {
    let text = |attribute: &KeyValue| match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(any_value::Value::StringValue(text)) => format!("{}={text}", attribute.key),
        _ => panic!("the frame has no other labels"),
    };
    let mut attributes: Vec<_> = point.attributes.iter().map(text).collect();
    attributes.sort_unstable();
    attributes.join(",")
}

fn number(point: &NumberDataPoint) -> String {
    match point.value.expect("a value") {
        number_data_point::Value::AsInt(int) => int.to_string(),
        number_data_point::Value::AsDouble(double) => double.to_string(),
    }
}

/// As one would write it without a thought for speed, nor for escapes, for frames whose neighbours of a name stand
/// seven apart.
fn push_naively(frame: &Frame, out: &mut Vec<u8>) -> std::io::Result<()> {
    let mut names: Vec<&str> = Vec::new();
    for point in &frame.points {
        if !names.contains(&&*point.metric.name) {
            names.push(&point.metric.name);
        }
    }
    write!(out, "{{\"resourceMetrics\":[{{\"scopeMetrics\":[{{\"metrics\":[")?;
    for (at, name) in names.iter().enumerate() {
        let of_name = frame.points.iter().filter(|point| point.metric.name == *name);
        write!(out, "{}", if at == 0 { "" } else { "," })?;
        push_family_naively(frame, of_name, out)?;
    }
    write!(out, "]}}]}}]}}")
}

fn push_family_naively<'a>(
    frame: &Frame,
    points: impl Iterator<Item = &'a Point>,
    out: &mut Vec<u8>,
) -> std::io::Result<()> {
    let mut points = points.peekable();
    let metric = &points.peek().expect("a point").metric;
    write!(out, "{{\"name\":\"{}\"", metric.name)?;
    if !metric.unit.symbol().is_empty() {
        write!(out, ",\"unit\":\"{}\"", metric.unit.symbol())?;
    }
    let is_counter = matches!(points.peek().expect("a point").value, Value::Counter(_));
    write!(out, ",\"{}\":{{\"dataPoints\":[", if is_counter { "sum" } else { "gauge" })?;
    let mut comma = "";
    for point in points {
        write!(out, "{comma}{{")?;
        comma = ",";
        if is_counter {
            write!(out, "\"startTimeUnixNano\":\"{}\",", frame.start_unix_ns)?;
        }
        write!(out, "\"timeUnixNano\":\"{}\",\"attributes\":[", frame.time_unix_ns)?;
        for (at, label) in point.metric.labels.iter().enumerate() {
            let LabelValue::Text(text) = &label.value else { unreachable!("the frame has no other labels") };
            let comma = if at == 0 { "" } else { "," };
            write!(out, "{comma}{{\"key\":\"{}\",\"value\":{{\"stringValue\":\"{text}\"}}}}", label.key)?;
        }
        match point.value {
            Value::Counter(Number::Int(int)) => write!(out, "],\"asInt\":\"{int}\"}}")?,
            Value::Gauge(number) => write!(out, "],\"asDouble\":{}}}", number.to_f64())?,
            _ => unreachable!("the frame has no other values"),
        }
    }
    let tail = if is_counter { ",\"aggregationTemporality\":2,\"isMonotonic\":true" } else { "" };
    write!(out, "]{tail}}}}}")
}

criterion_group!(name = benches; config = barewire_bench::criterion(); targets = encode);
criterion_main!(benches);

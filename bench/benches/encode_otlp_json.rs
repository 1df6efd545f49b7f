//! What it costs to encode a tick as OTLP/JSON, in groups called `encode_otlp_json/<case>/<implementation>`.

use barewire_bench::frame::{POINTS, ticks};
use barewire_otlp_json::Encoder;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde::{Deserialize, Serialize};

fn encode(criterion: &mut Criterion) {
    let [frame, _] = ticks();
    let mut encoder = Encoder::new();
    let (mut expected, mut out) = (Vec::new(), Vec::new());
    assert_eq!(encoder.push_request([&frame], &mut expected).points, POINTS as u64);
    let request: Request = serde_json::from_slice(&expected).expect("a request");

    let mut group = criterion.benchmark_group("encode_otlp_json/710_points");
    group.throughput(Throughput::Elements(POINTS as u64));
    let mut subject = |name: &str, push: &mut dyn FnMut(&mut Vec<u8>)| {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                out.clear();
                push(&mut out);
                assert_eq!(out.len(), expected.len());
            });
        });
        assert_eq!(out, expected, "{name}");
    };
    subject("barewire", &mut |out| {
        encoder.push_request([&frame], out);
    });
    subject("serde_json", &mut |out| serde_json::to_writer(out, &request).expect("memory takes all"));
    subject("memcpy", &mut |out| out.extend_from_slice(&expected));
}

/// The request as structures that are there already: the least that an encoder by derive has to do.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Request {
    resource_metrics: Vec<ResourceMetrics>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ResourceMetrics {
    scope_metrics: Vec<ScopeMetrics>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ScopeMetrics {
    metrics: Vec<Metric>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Metric {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gauge: Option<Gauge>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sum: Option<Sum>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Gauge {
    data_points: Vec<DataPoint>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Sum {
    data_points: Vec<DataPoint>,
    aggregation_temporality: u8,
    is_monotonic: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DataPoint {
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time_unix_nano: Option<String>,
    time_unix_nano: String,
    attributes: Vec<Attribute>,
    #[serde(skip_serializing_if = "Option::is_none")]
    as_int: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    as_double: Option<f64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Attribute {
    key: String,
    value: Text,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Text {
    string_value: String,
}

criterion_group!(name = benches; config = barewire_bench::criterion(); targets = encode);
criterion_main!(benches);

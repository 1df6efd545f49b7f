//! The OpenTelemetry SDK, and what its exporter does for OTLP/HTTP with JSON: collect, convert, serialise.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::Duration,
};

use barewire::view::{Frame, Number, Value};
use opentelemetry::{
    KeyValue,
    metrics::{Counter, Gauge, MeterProvider},
};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    metrics::{
        InstrumentKind, ManualReader, Pipeline, SdkMeterProvider, Temporality, data::ResourceMetrics,
        reader::MetricReader,
    },
};

/// One that has measured what a frame shows.
pub(crate) struct Provider {
    reader: Reader,
    /// Its instruments live as long as it does.
    _provider: SdkMeterProvider,
}

impl Provider {
    pub(crate) fn new(frame: &Frame) -> Self {
        let reader = Reader::default();
        let provider = SdkMeterProvider::builder()
            .with_resource(Resource::builder_empty().build())
            .with_reader(reader.clone())
            .build();
        let meter = provider.meter("bench");
        let mut counters: HashMap<String, Counter<u64>> = HashMap::new();
        let mut gauges: HashMap<String, Gauge<f64>> = HashMap::new();
        for point in &frame.points {
            let labels = point.metric.labels.iter();
            let labels: Vec<_> = labels
                .map(|label| KeyValue::new(label.key.to_string(), label.value.to_text().into_owned()))
                .collect();
            let name = &point.metric.name;
            match point.value {
                Value::Counter(Number::Int(total)) => {
                    let counter = counters
                        .entry(name.clone())
                        .or_insert_with(|| meter.u64_counter(name.clone()).build());
                    counter.add(total.try_into().expect("a count"), &labels);
                }
                Value::Gauge(number) => {
                    let gauge = gauges.entry(name.clone()).or_insert_with(|| {
                        let unit = point.metric.unit.symbol().to_owned();
                        meter.f64_gauge(name.clone()).with_unit(unit).build()
                    });
                    gauge.record(number.to_f64(), &labels);
                }
                _ => unreachable!("the frame has no other values"),
            }
        }
        Provider { reader, _provider: provider }
    }

    pub(crate) fn push(&self, out: &mut Vec<u8>) {
        let mut metrics = ResourceMetrics::default();
        self.reader.collect(&mut metrics).expect("a provider that is not shut down");
        let request = ExportMetricsServiceRequest::from(&metrics);
        serde_json::to_writer(out, &request).expect("memory takes all");
    }
}

/// A reader that can be read by who gave it away.
#[derive(Debug, Default, Clone)]
struct Reader(Arc<ManualReader>);

impl MetricReader for Reader {
    fn register_pipeline(&self, pipeline: Weak<Pipeline>) {
        self.0.register_pipeline(pipeline);
    }

    fn collect(&self, metrics: &mut ResourceMetrics) -> OTelSdkResult {
        self.0.collect(metrics)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn temporality(&self, kind: InstrumentKind) -> Temporality {
        self.0.temporality(kind)
    }
}

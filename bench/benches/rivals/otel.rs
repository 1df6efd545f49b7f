//! The OpenTelemetry SDK. It finds the series of a record by its attributes, which are made once; there is no other
//! way but an experimental one, [`Bound`].

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use barewire::Precision;
use barewire_bench::record::Rival;
use opentelemetry::{
    KeyValue,
    metrics::{BoundHistogram, Histogram, MeterProvider},
};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    metrics::{
        Aggregation, Instrument, PeriodicReader, SdkMeterProvider, Stream, Temporality,
        data::{AggregatedMetrics, MetricData, ResourceMetrics},
        exporter::PushMetricExporter,
    },
};

/// One histogram that the SDK adds up as a kind of histogram.
#[derive(Clone)]
struct Otel {
    histogram: Histogram<u64>,
    attributes: Arc<[KeyValue]>,
    provider: SdkMeterProvider,
    exported: Arc<AtomicU64>,
}

impl Otel {
    fn new(aggregation: Aggregation) -> Self {
        let exported = Arc::new(AtomicU64::new(0));
        // It exports when it is told to; by itself, not before this is over.
        let reader = PeriodicReader::builder(Count(Arc::clone(&exported)))
            .with_interval(Duration::from_secs(1 << 20))
            .build();
        let view = move |_: &Instrument| Stream::builder().with_aggregation(aggregation.clone()).build().ok();
        let provider = SdkMeterProvider::builder().with_reader(reader).with_view(view).build();
        let histogram = provider.meter("bench").u64_histogram("took").build();
        let attributes = [KeyValue::new("test", "checkout"), KeyValue::new("series", "0")];
        Otel { histogram, attributes: attributes.into(), provider, exported }
    }

    fn count(&self) -> u64 {
        self.provider.force_flush().expect("an exporter that takes all");
        self.exported.load(Relaxed)
    }
}

/// Keeps the count of the histogram that is exported, for the test to see.
struct Count(Arc<AtomicU64>);

impl PushMetricExporter for Count {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let metrics = metrics.scope_metrics().flat_map(|scope| scope.metrics());
        let count = metrics.map(|metric| match metric.data() {
            AggregatedMetrics::U64(MetricData::Histogram(all)) => {
                all.data_points().map(|point| point.count()).sum()
            }
            AggregatedMetrics::U64(MetricData::ExponentialHistogram(all)) => {
                all.data_points().map(|point| point.count() as u64).sum()
            }
            _ => 0,
        });
        self.0.store(count.sum(), Relaxed);
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::Cumulative
    }
}

fn explicit() -> Aggregation {
    Aggregation::ExplicitBucketHistogram { boundaries: super::bounds().into(), record_min_max: true }
}

/// Buckets of fixed bounds, as the SDK does it unless told otherwise.
#[derive(Clone)]
pub struct Explicit(Otel);

impl Rival for Explicit {
    const NAME: &str = "opentelemetry";

    fn new(_: Precision) -> Self {
        Explicit(Otel::new(explicit()))
    }

    #[inline]
    fn record(&mut self, value: u64) {
        self.0.histogram.record(value, &self.0.attributes);
    }

    fn count(&mut self) -> u64 {
        self.0.count()
    }
}

/// Exponential buckets, 160 at most.
pub struct Exponential(Otel);

impl Rival for Exponential {
    const NAME: &str = "opentelemetry_exponential";

    fn new(_: Precision) -> Self {
        Exponential(Otel::new(Aggregation::Base2ExponentialHistogram {
            max_size: 160,
            max_scale: 20,
            record_min_max: true,
        }))
    }

    #[inline]
    fn record(&mut self, value: u64) {
        self.0.histogram.record(value, &self.0.attributes);
    }

    fn count(&mut self) -> u64 {
        self.0.count()
    }
}

/// [`Explicit`], its series found ahead by an experimental feature of the SDK.
pub struct Bound {
    histogram: BoundHistogram<u64>,
    otel: Otel,
}

impl Rival for Bound {
    const NAME: &str = "opentelemetry_bound";

    fn new(_: Precision) -> Self {
        let otel = Otel::new(explicit());
        Bound { histogram: otel.histogram.bind(&otel.attributes), otel }
    }

    #[inline]
    fn record(&mut self, value: u64) {
        self.histogram.record(value);
    }

    fn count(&mut self) -> u64 {
        self.otel.count()
    }
}

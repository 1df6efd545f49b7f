//! Histograms of other libraries, each as its makers mean it to be used, with its handle in hand.
//!
//! Those with buckets of fixed bounds get the same [`bounds`]. Those that need care every so often, lest their counts
//! stay where nobody sees them or their memory grow, get it after each pass of values, inside the measured time.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use barewire::{HIGHEST, Precision};
use barewire_bench::record::{Recorder, Rival, digits};

mod otel;

pub use otel::{Bound, Explicit, Exponential};

const BOUNDS: usize = 14;

/// The bounds of buckets, in nanoseconds: from 100 µs on, doubling, up to 0.8 s.
#[allow(clippy::cast_precision_loss)]
fn bounds() -> [f64; BOUNDS] {
    std::array::from_fn(|n| (100_000_u64 << n) as f64)
}

/// Several threads that count one series.
pub trait Crew: Recorder + Send {
    /// One for each of so many threads.
    fn crew(threads: usize) -> Vec<Self>
    where
        Self: Sized;

    /// What all of them counted.
    fn count_all(crew: Vec<&mut Self>) -> u64;
}

impl Crew for barewire_bench::record::Barewire {
    fn crew(threads: usize) -> Vec<Self> {
        let first = Self::new(Precision::Two, 1);
        (0..threads).map(|_| first.another()).collect()
    }

    fn count_all(crew: Vec<&mut Self>) -> u64 {
        first(crew).count()
    }
}

/// The control: they share nothing at all, and nobody adds them up.
impl Crew for barewire_bench::record::Hdr {
    fn crew(threads: usize) -> Vec<Self> {
        (0..threads).map(|_| Self::new(Precision::Two, 1)).collect()
    }

    fn count_all(crew: Vec<&mut Self>) -> u64 {
        crew.into_iter().map(Recorder::count).sum()
    }
}

/// A rival that all threads count by together.
pub struct Shared<R>(R);

impl<R: Rival> Recorder for Shared<R> {
    const NAME: &str = R::NAME;
    type Series = ();

    fn new(precision: Precision, _: usize) -> Self {
        Shared(R::new(precision))
    }

    fn record_one(&mut self, values: &[u64]) {
        values.iter().for_each(|value| self.0.record(*value));
        self.0.settle();
    }

    fn series(&self, _: usize) {}

    fn record_many(&mut self, values: &[((), u64)]) {
        values.iter().for_each(|(_, value)| self.0.record(*value));
        self.0.settle();
    }

    fn count(&mut self) -> u64 {
        self.0.count()
    }
}

impl<R: Rival + Clone + Send> Crew for Shared<R> {
    fn crew(threads: usize) -> Vec<Self> {
        let one = R::new(Precision::Two);
        (0..threads).map(|_| Shared(one.clone())).collect()
    }

    fn count_all(crew: Vec<&mut Self>) -> u64 {
        first(crew).count()
    }
}

fn first<T>(crew: Vec<T>) -> T {
    crew.into_iter().next().expect("a thread")
}

/// `hdrhistogram`'s own way to read what another thread records. A recorder hands over when it records again after it
/// was asked to, or at its end; an idle one is not waited for.
pub struct HdrRecorder {
    recorder: hdrhistogram::sync::Recorder<u64>,
    all: hdrhistogram::sync::SyncHistogram<u64>,
}

impl Rival for HdrRecorder {
    const NAME: &str = "hdrhistogram_recorder";

    fn new(precision: Precision) -> Self {
        let empty = hdrhistogram::Histogram::new_with_bounds(1, HIGHEST, digits(precision));
        let all = empty.expect("bounds that it takes").into_sync();
        HdrRecorder { recorder: all.recorder(), all }
    }

    #[inline]
    fn record(&mut self, value: u64) {
        self.recorder.record(value).expect("a value within the bounds");
    }

    fn count(&mut self) -> u64 {
        self.recorder = self.all.recorder();
        let _idle = self.recorder.idle();
        self.all.refresh();
        self.all.len()
    }
}

/// What iopsystems' `histogram` takes for the same error and the same range.
fn config(precision: Precision) -> histogram::Config {
    let power = match precision {
        Precision::One => 4,
        Precision::Two => 7,
        Precision::Three => 10,
    };
    let highest = u8::try_from(HIGHEST.ilog2() + 1).expect("at most 64");
    histogram::Config::new(power, highest).expect("powers that it takes")
}

/// Buckets alone, one thread's own.
pub struct Iop(histogram::Histogram);

impl Rival for Iop {
    const NAME: &str = "histogram";

    fn new(precision: Precision) -> Self {
        Iop(histogram::Histogram::with_config(&config(precision)))
    }

    #[inline]
    fn record(&mut self, value: u64) {
        self.0.increment(value).expect("a value within the bounds");
    }

    fn count(&mut self) -> u64 {
        self.0.as_slice().iter().sum()
    }
}

/// Buckets alone, shared.
#[derive(Clone)]
pub struct IopAtomic(Arc<histogram::AtomicHistogram>);

impl Rival for IopAtomic {
    const NAME: &str = "histogram_atomic";

    fn new(precision: Precision) -> Self {
        IopAtomic(Arc::new(histogram::AtomicHistogram::with_config(&config(precision))))
    }

    #[inline]
    fn record(&mut self, value: u64) {
        self.0.increment(value).expect("a value within the bounds");
    }

    fn count(&mut self) -> u64 {
        self.0.load().as_slice().iter().sum()
    }
}

/// Shared by all threads.
#[derive(Clone)]
pub struct Prometheus(prometheus::Histogram);

impl Rival for Prometheus {
    const NAME: &str = "prometheus";

    fn new(_: Precision) -> Self {
        let options = prometheus::HistogramOpts::new("took", "How long it took.").buckets(bounds().to_vec());
        Prometheus(prometheus::Histogram::with_opts(options).expect("a name that it takes"))
    }

    #[inline]
    #[allow(clippy::cast_precision_loss)]
    fn record(&mut self, value: u64) {
        self.0.observe(value as f64);
    }

    fn count(&mut self) -> u64 {
        self.0.get_sample_count()
    }
}

/// The same, gathered by one thread first.
pub struct PrometheusLocal {
    local: prometheus::local::LocalHistogram,
    all: prometheus::Histogram,
}

impl Rival for PrometheusLocal {
    const NAME: &str = "prometheus_local";

    fn new(precision: Precision) -> Self {
        let Prometheus(all) = Prometheus::new(precision);
        PrometheusLocal { local: all.local(), all }
    }

    #[inline]
    #[allow(clippy::cast_precision_loss)]
    fn record(&mut self, value: u64) {
        self.local.observe(value as f64);
    }

    fn settle(&mut self) {
        self.local.flush();
    }

    fn count(&mut self) -> u64 {
        self.all.get_sample_count()
    }
}

/// Shared by all threads.
#[derive(Clone)]
pub struct PrometheusClient(prometheus_client::metrics::histogram::Histogram);

impl Rival for PrometheusClient {
    const NAME: &str = "prometheus_client";

    fn new(_: Precision) -> Self {
        PrometheusClient(prometheus_client::metrics::histogram::Histogram::new(bounds()))
    }

    #[inline]
    #[allow(clippy::cast_precision_loss)]
    fn record(&mut self, value: u64) {
        self.0.observe(value as f64);
    }

    fn count(&mut self) -> u64 {
        self.0.count()
    }
}

/// Exponential buckets that double, spread over threads by their number.
#[derive(Clone)]
pub struct FastTelemetry(Arc<fast_telemetry::Distribution>);

impl Rival for FastTelemetry {
    const NAME: &str = "fast_telemetry";

    fn new(_: Precision) -> Self {
        FastTelemetry(Arc::default())
    }

    #[inline]
    fn record(&mut self, value: u64) {
        self.0.record(value);
    }

    fn count(&mut self) -> u64 {
        self.0.count()
    }
}

/// `metrics::histogram!` with the recorder of `metrics-exporter-prometheus`, as a summary, which is what it is unless
/// told otherwise. A record is put on a list; what counts it, and keeps the list from growing, is the upkeep, which
/// every scrape does too.
pub struct Metrics {
    histogram: metrics::Histogram,
    handle: metrics_exporter_prometheus::PrometheusHandle,
}

impl Rival for Metrics {
    const NAME: &str = "metrics";

    fn new(_: Precision) -> Self {
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
        let histogram = metrics::with_local_recorder(&recorder, || metrics::histogram!("took"));
        Metrics { histogram, handle: recorder.handle() }
    }

    #[inline]
    #[allow(clippy::cast_precision_loss)]
    fn record(&mut self, value: u64) {
        self.histogram.record(value as f64);
    }

    fn settle(&mut self) {
        self.handle.run_upkeep();
    }

    fn count(&mut self) -> u64 {
        let page = self.handle.render();
        let count = page.lines().find_map(|line| line.strip_prefix("took_count "));
        count.and_then(|count| count.parse().ok()).unwrap_or(0)
    }
}

/// An event of one thread that pushes what it counted.
pub struct Nm {
    event: nm::Event<nm::Push>,
    pusher: nm::MetricsPusher,
    name: String,
}

/// [`bounds`], as it takes them.
static NM_BOUNDS: [nm::Magnitude; BOUNDS] = {
    let mut bounds = [0; BOUNDS];
    let mut n = 0;
    while n < BOUNDS {
        bounds[n] = 100_000 << n;
        n += 1;
    }
    bounds
};

impl Rival for Nm {
    const NAME: &str = "nm";

    fn new(_: Precision) -> Self {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let name = format!("took_{}", MADE.fetch_add(1, Relaxed));
        let pusher = nm::MetricsPusher::new();
        let event = nm::Event::builder().name(name.clone()).histogram(&NM_BOUNDS).pusher(&pusher).build();
        Nm { event, pusher, name }
    }

    #[inline]
    fn record(&mut self, value: u64) {
        self.event.observe(i64::try_from(value).expect("less than 2^63"));
    }

    fn settle(&mut self) {
        self.pusher.push();
    }

    fn count(&mut self) -> u64 {
        let report = nm::Report::collect();
        let event = report.events().find(|event| *event.name() == self.name);
        event.map_or(0, |event| event.count())
    }
}

/// Shared by all threads.
pub struct Measured(measured::Histogram<BOUNDS>);

impl Rival for Measured {
    const NAME: &str = "measured";

    fn new(_: Precision) -> Self {
        Measured(measured::Histogram::with_metadata(measured::metric::histogram::Thresholds::with_buckets(
            bounds(),
        )))
    }

    #[inline]
    #[allow(clippy::cast_precision_loss)]
    fn record(&mut self, value: u64) {
        self.0.get_metric().observe(value as f64);
    }

    fn count(&mut self) -> u64 {
        let metric = self.0.get_metric();
        let state = metric.inner.read();
        let beyond = state.inf.load(Relaxed);
        state.buckets.iter().map(|bucket| bucket.load(Relaxed)).sum::<u64>() + beyond
    }
}

/// Shared by all threads.
pub struct FastMetrics(fastmetrics::metrics::histogram::Histogram);

impl Rival for FastMetrics {
    const NAME: &str = "fastmetrics";

    fn new(_: Precision) -> Self {
        FastMetrics(fastmetrics::metrics::histogram::Histogram::new(bounds()))
    }

    #[inline]
    #[allow(clippy::cast_precision_loss)]
    fn record(&mut self, value: u64) {
        self.0.observe(value as f64);
    }

    fn count(&mut self) -> u64 {
        self.0.with_snapshot(|snapshot| snapshot.count())
    }
}

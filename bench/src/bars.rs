//! What is promised of the costs: each a ratio of two of criterion's benches, measured in one run.

/// That `ours` costs at most `at_most` times what `rival` does, for the same work.
#[derive(Debug, Clone, Copy)]
pub struct Bar {
    /// What a reader would call it.
    pub what: &'static str,
    /// A bench's id: `group/case/implementation`.
    pub ours: &'static str,
    /// The id of the bench it is compared to.
    pub rival: &'static str,
    /// The largest ratio that keeps the promise.
    pub at_most: f64,
}

const fn bar(what: &'static str, ours: &'static str, rival: &'static str, at_most: f64) -> Bar {
    Bar { what, ours, rival, at_most }
}

/// All of them, in the order of the table.
#[rustfmt::skip]
pub const BARS: &[Bar] = &[
    bar("record, two digits", "record/1_series_two_digits/barewire", "record/1_series_two_digits/hdrhistogram", 1.0),
    bar("record, three digits", "record/1_series_three_digits/barewire", "record/1_series_three_digits/hdrhistogram", 1.0),
    bar("record", "record/1_series_two_digits/barewire", "record/1_series_two_digits/opentelemetry", 1.0 / 30.0),
    bar("record", "record/1_series_two_digits/barewire", "record/1_series_two_digits/metrics", 1.0 / 25.0),
    bar("record", "record/1_series_two_digits/barewire", "record/1_series_two_digits/prometheus", 1.0 / 9.0),
    bar("record", "record/1_series_two_digits/barewire", "record/1_series_two_digits/fast_telemetry", 1.0 / 6.0),
    bar("2 threads, beside 1", "record/2_threads_1_series/barewire", "record/1_thread_1_series/barewire", 1.0 / 1.95),
    bar("2 threads, 1 series", "record/2_threads_1_series/barewire", "record/2_threads_1_series/prometheus", 1.0 / 100.0),
    bar("a request: latency, size, outcome", "record/request/barewire", "record/1_series_two_digits/hdrhistogram", 2.0),
    bar("100 series, two digits", "record/100_series_two_digits/barewire", "record/100_series_two_digits/hdrhistogram", 0.5),
    bar("100 series, three digits", "record/100_series_three_digits/barewire", "record/100_series_three_digits/hdrhistogram", 0.5),
    bar("OTLP/JSON", "encode_otlp_json/710_points/barewire", "encode_otlp_json/710_points/serde_json", 1.0 / 20.0),
    bar("OTLP/JSON", "encode_otlp_json/710_points/barewire", "encode_otlp_json/710_points/opentelemetry_sdk", 1.0 / 100.0),
    bar("OTLP/JSON", "encode_otlp_json/710_points/barewire", "encode_otlp_json/710_points/memcpy", 3.0),
    bar("Prometheus", "encode_promtext/710_points/barewire", "encode_promtext/710_points/prometheus_client", 1.0 / 12.0),
    bar("Prometheus", "encode_promtext/710_points/barewire", "encode_promtext/710_points/fast_telemetry", 1.0 / 6.0),
    bar("Influx", "encode_influx/710_points/barewire", "encode_influx/710_points/influxdb2_write", 1.0 / 10.0),
    bar("DogStatsD", "encode_statsd/710_points/barewire", "encode_statsd/710_points/metrics_exporter_dogstatsd", 1.0 / 6.0),
    bar("merge 16 shards x 100 series", "merge/16x100/barewire", "merge/16x100/hdrhistogram", 1.0 / 10.0),
    bar("merge 64 x 1000", "merge/64x1000/barewire", "merge/64x1000/hdrhistogram", 1.0 / 4.5),
    bar("merge 64 x 1000, 9 in 10 idle", "merge/64x1000_nine_in_ten_idle/barewire", "merge/64x1000_nine_in_ten_idle/hdrhistogram", 1.0 / 30.0),
    bar("five quantiles, three digits", "quantile/five_three_digits/barewire", "quantile/five_three_digits/hdrhistogram", 1.0 / 4.0),
];

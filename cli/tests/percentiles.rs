//! The percentiles of one run, read back from the histogram type of each receiver, are those of the same requests in
//! the results, to the error of that type.

mod support;

use serde_json::Value;
use std::net::SocketAddr;
use std::thread;
use support::{
    Agent, Collector, Influxd, PATIENCE, Prometheus, RESULTS, Target, barewire_to_end, free_port, poll,
};

/// The results keep ten binary digits of a latency.
const RESULTS_ERROR: f64 = 1.0 / 1024.0;
/// What is sent in other buckets than those it was recorded in is counted where the middle of the old bucket is, eight
/// binary digits of a latency at worst.
const REBUCKETED: f64 = 1.0 / 256.0;
/// A native histogram tells no more than the bucket, in which Prometheus interpolates. 512 buckets hold 32 octaves in
/// steps of the sixteenth root of two, and latencies from nanoseconds to hours are less.
const NATIVE_ERROR: f64 = 0.0443 + REBUCKETED + RESULTS_ERROR;
/// A classic histogram tells between which of the bounds a value is, and a value next to a bound may be on either side.
const CLASSIC_ERROR: f64 = REBUCKETED + RESULTS_ERROR;
/// The bins of the Agent's sketch are off by 1/128.
const SKETCH_ERROR: f64 = 1.0 / 128.0 + REBUCKETED + RESULTS_ERROR;
/// InfluxDB has no histograms: it is sent the percentiles of what was recorded, which the results have too.
const FIELD_ERROR: f64 = RESULTS_ERROR;

const PERCENTILES: [(&str, f64); 3] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)];
const BOUNDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
const DURATION: &str = "http.client.request.duration";

#[test]
fn percentiles_are_the_same_in_every_receiver() {
    let target = Target::start(&["--delay", "1ms..40ms"]);
    let page: SocketAddr = ([127, 0, 0, 1], free_port()).into();
    let (prometheus, collector, agent, influxd) = thread::scope(|scope| {
        let agent = scope.spawn(Agent::start);
        let influxd = scope.spawn(Influxd::start);
        let prometheus = Prometheus::start(&[page]);
        let collector = Collector::start_writing_to(prometheus.addr());
        (prometheus, collector, agent.join().expect("an Agent"), influxd.join().expect("an InfluxDB"))
    });
    poll(PATIENCE, "the first scrape, in vain", || prometheus.value("up").filter(|up| *up == 0.0));
    let (url, otlp, statsd) = (target.url(), collector.otlp_url(), format!("udp://{}", agent.udp()));
    let (influx, page) = (influxd.write_url(Influxd::PASSWORD), page.to_string());
    let load = ["run", &url, "-c", "32", "-t", "1", "-r", "300", "-d", "4s", "--results", RESULTS];
    let ways = ["--otlp", &otlp, "--statsd", &statsd, "--influx", &influx, "--prometheus", &page];
    let ended = barewire_to_end(load.into_iter().chain(ways).chain(["--linger", "60s"]));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let (requests, results) = (ended.requests() as f64, &ended.results);

    let native = format!("sum({}{{job=\"barewire\"}})", "http_client_request_duration_seconds");
    poll(PATIENCE, "all requests in the native histogram", || {
        prometheus.value(&format!("histogram_count({native})")).filter(|count| *count == requests)
    });
    let bucket = "http_client_request_duration_seconds_bucket{job=\"test\"}";
    // The page is gone by now.
    let classic = format!("sum by (le) (last_over_time({bucket}[1h]))");
    poll(PATIENCE, "all requests in the classic histogram", || {
        let all = classic.replace("job=", "le=\"+Inf\",job=");
        prometheus.value(&all).filter(|count| *count == requests)
    });
    let sketch = poll(PATIENCE, "all requests in the Agent's sketch", || {
        agent.intake.sketch(DURATION, &[]).filter(|sketch| sketch.count as f64 == requests)
    });
    poll(PATIENCE, "all requests in InfluxDB", || {
        influxd.last_sum(Influxd::DATABASE, DURATION, "count").filter(|count| *count == requests)
    });
    for (figure, q) in PERCENTILES {
        let told = seconds(results, figure);
        let quantile = |of: &str| {
            let value = prometheus.value(&format!("histogram_quantile({q}, {of})"));
            value.unwrap_or_else(|| panic!("{figure} of {of}"))
        };
        agrees("a native histogram", figure, quantile(&native), told, NATIVE_ERROR);
        agrees("the Agent's sketch", figure, sketch.quantile(q), told, SKETCH_ERROR);
        let field = influxd.last_sum(Influxd::DATABASE, DURATION, &format!("run_{figure}"));
        agrees("a field of InfluxDB", figure, field.expect("a field"), told, FIELD_ERROR);

        let (low, high) = classic_bucket(quantile(&classic));
        let range = low * (1.0 - CLASSIC_ERROR)..=high * (1.0 + CLASSIC_ERROR);
        assert!(range.contains(&told), "{figure} of a classic histogram: {told} is not in {range:?}");
        the_buckets_in_influxdb_agree(&influxd, q * requests, range);
    }
}

fn seconds(results: &Value, figure: &str) -> f64 {
    results["latency_ms"][figure].as_f64().expect("a latency") / 1e3
}

fn agrees(whose: &str, figure: &str, seen: f64, told: f64, error: f64) {
    let off = (seen / told - 1.0).abs();
    assert!(off <= error, "{figure} of {whose}: {seen} is not {told}: off by {off}, {error} is allowed");
}

/// The bounds between which a quantile of a classic histogram is.
fn classic_bucket(quantile: f64) -> (f64, f64) {
    let at = BOUNDS.partition_point(|bound| *bound < quantile);
    (if at == 0 { 0.0 } else { BOUNDS[at - 1] }, BOUNDS[at])
}

/// The same bounds are fields: the first with as many values as the rank asks for is the upper one of the range.
fn the_buckets_in_influxdb_agree(influxd: &Influxd, rank: f64, range: std::ops::RangeInclusive<f64>) {
    let holds = |bound: &f64| {
        let below = influxd.last_sum(Influxd::DATABASE, DURATION, &format!("le_{bound}"));
        below.expect("a bucket") >= rank
    };
    let bound = BOUNDS.iter().find(|bound| holds(bound)).expect("a bucket of that rank");
    assert!(range.contains(bound), "{bound} is not in {range:?}");
}

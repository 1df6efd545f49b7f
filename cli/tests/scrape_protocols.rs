//! The page as the real Prometheus reads it, under every configuration that changes what it asks for.

mod support;

use barewire::{Exporter as _, Metric, Registry, Unit};
use barewire_promtext::PromText;
use std::time::{Duration, Instant};
use support::{PATIENCE, Prometheus, poll};

const LEGACY: &str = "metric_name_validation_scheme: legacy, metric_name_escaping_scheme: underscores";

/// A job's name, what its configuration says of protocols and names, and by which name and label a counter arrives.
const JOBS: [(&str, &str, &str, &str); 15] = [
    ("default", "", "http_hits_total", "http_route"),
    ("plain", "enable_compression: false", "http_hits_total", "http_route"),
    ("legacy", LEGACY, "http_hits_total", "http_route"),
    ("allow", "metric_name_escaping_scheme: allow-utf-8", "http_hits_total", "http_route"),
    ("underscores", "metric_name_escaping_scheme: underscores", "http_hits_total", "http_route"),
    ("dots", "metric_name_escaping_scheme: dots", "http_dot_hits__total", "http_dot_route"),
    ("values", "metric_name_escaping_scheme: values", "U__http_2e_hits__total", "U__http_2e_route"),
    ("text004", "scrape_protocols: [PrometheusText0.0.4]", "http_hits_total", "http_route"),
    ("om001", "scrape_protocols: [OpenMetricsText0.0.1]", "http_hits_total", "http_route"),
    ("text100", "scrape_protocols: [PrometheusText1.0.0]", "http.hits_total", "http.route"),
    ("om100", "scrape_protocols: [OpenMetricsText1.0.0]", "http.hits_total", "http.route"),
    (
        "text100-legacy",
        "scrape_protocols: [PrometheusText1.0.0], metric_name_validation_scheme: legacy, metric_name_escaping_scheme: dots",
        "http_dot_hits__total",
        "http_dot_route",
    ),
    (
        "text100-values",
        "scrape_protocols: [PrometheusText1.0.0], metric_name_escaping_scheme: values",
        "U__http_2e_hits__total",
        "U__http_2e_route",
    ),
    (
        "om100-dots",
        "scrape_protocols: [OpenMetricsText1.0.0], metric_name_escaping_scheme: dots",
        "http_dot_hits__total",
        "http_dot_route",
    ),
    (
        "protobuf-first",
        "scrape_protocols: [PrometheusProto, OpenMetricsText1.0.0, PrometheusText1.0.0]",
        "http.hits_total",
        "http.route",
    ),
];

#[test]
fn every_configuration_of_prometheus_reads_the_page() {
    let registry = Registry::new("checkout");
    let hits = registry.counter(Metric::new("http.hits").help("\"a\\b\"\n").label("http.route", "/"));
    let took = registry.histogram(Metric::new("http.took").unit(Unit::Seconds).label("http.route", "/"));
    // What is not shown well must not cost the rest.
    let odd =
        Metric::new("o\"d\\d\0{n}=,\n# é 1").help("h\0").label("\"l\\\0}\n", "v\0\"\\\n}").label("é", "");
    let odd = registry.counter(odd);
    let mut shard = registry.shard();
    shard.add(hits, 3);
    shard.add(odd, 1);
    shard.record(took, Duration::from_millis(30));
    let mut endpoint = PromText::bind("0").expect("a free port");
    endpoint.export(&registry.snapshot(), Instant::now() + PATIENCE).expect("a page");

    let jobs = JOBS.map(|(name, settings, ..)| {
        let comma = if settings.is_empty() { "" } else { ", " };
        let target = endpoint.local_addr();
        format!("job_name: {name}, static_configs: [ {{ targets: [\"{target}\"] }} ]{comma}{settings}")
    });
    let mut prometheus = Prometheus::with_jobs(&jobs);
    for (job, _, name, label) in JOBS {
        // Whenever that was: one scrape that came too late on a busy machine takes nothing away.
        let selected = |name: &str| {
            prometheus.query(&format!("last_over_time({{job=\"{job}\",__name__=~\"{name}\"}}[5m])"))
        };
        let hits = poll(PATIENCE, job, || selected(".*hits.*").pop());
        assert_eq!(
            (hits["metric"]["__name__"].as_str(), hits["metric"][label].as_str(), hits["value"][1].as_str()),
            (Some(name), Some("/"), Some("3")),
            "{job}: {hits}"
        );
        let count = selected(".*took.*_count").pop().unwrap_or_default();
        assert_eq!(count["value"][1], "1", "{job}");
        assert_eq!(selected("o.*_total|U__o_22_d.*").len(), 1, "{job}");
        assert_eq!(prometheus.value(&format!("max_over_time(up{{job=\"{job}\"}}[5m])")), Some(1.0), "{job}");
    }
    assert!(prometheus.child.terminate().success());
}

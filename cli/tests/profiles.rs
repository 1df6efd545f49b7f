//! Every name, kind, unit and label of every vocabulary, as the receiver that it is meant for shows it.
//!
//! A table has a row for each shape of a series: the name, the kind, the unit (`-` where there is none) and the exact
//! labels in any order. It is what the documentation of the system says, in the spelling of the receiver.

mod support;

use serde_json::Value;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use support::otlp::items;
use support::table::{expect, shop, sorted};
use support::{Child, Collector, Ended, Prometheus, Target, announced_page, barewire, barewire_to_end};

/// OTLP, at the Collector.
mod otlp {
    pub(crate) const BAREWIRE: &str = "
        http.client.request.duration  histogram s  load_test.step http.request.method http.response.status_code
        http.client.request.duration  histogram s  load_test.step http.request.method http.response.status_code error.type
        http.client.request.body.size  histogram By  load_test.step http.request.method
        http.client.response.body.size  histogram By  load_test.step http.request.method outcome
        http.client.response_time  histogram s  load_test.step
        http.client.response_time  histogram s  load_test.step error.type
        http.client.schedule_slip  histogram s  load_test.step
        http.client.requests  sum 1  load_test.step http.request.method outcome
        http.client.errors  sum 1  load_test.step http.request.method error.type
        load_test.virtual_users.active  gauge 1
        load_test.requests.in_flight  gauge 1
        load_test.target_rate  gauge 1
        load_test.iterations  sum 1
        load_test.iterations.dropped  sum 1
        load_test.threshold.value  gauge -  load_test.threshold
        load_test.threshold.limit  gauge -  load_test.threshold
        load_test.threshold.ok  gauge -  load_test.threshold
        process.cpu.utilization  gauge 1
        process.memory.usage  gauge By
        system.cpu.utilization  gauge 1
        system.memory.usage  gauge By
        system.network.io  sum By  network.io.direction
        barewire.exporter.snapshots  sum 1  exporter outcome
        barewire.exporter.points  sum 1  exporter
        barewire.exporter.bytes  sum By  exporter
        barewire.exporter.encode.duration  histogram s  exporter
        barewire.exporter.send.duration  histogram s  exporter
        barewire.tick.lateness  histogram s
    ";

    pub(crate) const TIGRISTER: &str = "
        http.client.request.duration.avg  gauge ms
        http.client.request.duration.p50  gauge ms
        http.client.request.duration.p90  gauge ms
        http.client.request.duration.p95  gauge ms
        http.client.request.duration.p99  gauge ms
        http.client.request.throughput  gauge req/s
        http.client.request.error_rate  gauge 1
        load_test.virtual_users.active  gauge 1
        http.client.requests  sum 1
        http.client.errors  sum 1
        load_test.step.duration.avg  gauge ms  load_test.step
        load_test.step.duration.p50  gauge ms  load_test.step
        load_test.step.duration.p90  gauge ms  load_test.step
        load_test.step.duration.p95  gauge ms  load_test.step
        load_test.step.duration.p99  gauge ms  load_test.step
        load_test.step.throughput  gauge req/s  load_test.step
        load_test.step.error_rate  gauge 1  load_test.step
        load_test.step.requests  sum 1  load_test.step
        load_test.step.errors  sum 1  load_test.step
    ";

    pub(crate) const LOADDENSITY: &str = "
        loaddensity.requests  sum 1  request_type name outcome
        loaddensity.request.latency  histogram ms  request_type name outcome
        loaddensity.response.size  histogram By  request_type name outcome
    ";

    pub(crate) const LOCUST_TELEMETRY: &str = "
        locust.tl.event.test.events  sum 1  event source_id run_id testplan
        locust.tl.system.metric.cpu  gauge %  source_id run_id testplan
        locust.tl.system.metric.mem  gauge By  source_id run_id testplan
        locust.tl.system.metric.network  gauge By  direction source_id run_id testplan
        locust.tl.user.metric.count  gauge 1  source_id run_id testplan
        locust.tl.request.metric.success  histogram ms  metric endpoint status_code source_id run_id testplan
        locust.tl.request.metric.error  histogram ms  metric endpoint status_code source_id run_id testplan
    ";
}

/// The Prometheus page, at Prometheus. It knows a counter by its name without `_total`.
mod page {
    pub(crate) const BAREWIRE: &str = "
        http_client_request_duration_seconds  histogram seconds  load_test_step http_request_method http_response_status_code
        http_client_request_duration_seconds  histogram seconds  load_test_step http_request_method http_response_status_code error_type
        http_client_request_body_size_bytes  histogram bytes  load_test_step http_request_method
        http_client_response_body_size_bytes  histogram bytes  load_test_step http_request_method outcome
        http_client_response_time_seconds  histogram seconds  load_test_step
        http_client_response_time_seconds  histogram seconds  load_test_step error_type
        http_client_schedule_slip_seconds  histogram seconds  load_test_step
        http_client_requests_total  counter -  load_test_step http_request_method outcome
        http_client_errors_total  counter -  load_test_step http_request_method error_type
        load_test_virtual_users_active  gauge -
        load_test_requests_in_flight  gauge -
        load_test_target_rate  gauge -
        load_test_iterations_total  counter -
        load_test_iterations_dropped_total  counter -
        load_test_threshold_value  gauge -  load_test_threshold
        load_test_threshold_limit  gauge -  load_test_threshold
        load_test_threshold_ok  gauge -  load_test_threshold
        process_cpu_utilization  gauge -
        process_memory_usage_bytes  gauge bytes
        system_cpu_utilization  gauge -
        system_memory_usage_bytes  gauge bytes
        system_network_io_bytes_total  counter bytes  network_io_direction
        barewire_exporter_snapshots_total  counter -  exporter outcome
        barewire_exporter_points_total  counter -  exporter
        barewire_exporter_bytes_total  counter bytes  exporter
        barewire_exporter_encode_duration_seconds  histogram seconds  exporter
        barewire_exporter_send_duration_seconds  histogram seconds  exporter
        barewire_tick_lateness_seconds  histogram seconds
    ";

    pub(crate) const LOADDENSITY: &str = "
        loaddensity_requests_total  counter -  request_type method name outcome
        loaddensity_request_latency_ms  histogram -  request_type method name
        loaddensity_response_bytes  histogram bytes  request_type method name
    ";

    pub(crate) const LOADPILOT: &str = "
        loadpilot_requests_total  counter -
        loadpilot_errors_total  counter -
        loadpilot_current_rps  gauge -
        loadpilot_target_rps  gauge -
        loadpilot_active_workers  gauge -
        loadpilot_latency_p50_ms  gauge -
        loadpilot_latency_p95_ms  gauge -
        loadpilot_latency_p99_ms  gauge -
        loadpilot_latency_max_ms  gauge -
        loadpilot_latency_mean_ms  gauge -
        loadpilot_run_latency_p50_ms  gauge -
        loadpilot_run_latency_p95_ms  gauge -
        loadpilot_run_latency_p99_ms  gauge -
        loadpilot_run_latency_max_ms  gauge -
        loadpilot_run_latency_mean_ms  gauge -
        loadpilot_elapsed_secs  gauge -
        loadpilot_phase  gauge -  phase
        loadpilot_task_requests_total  counter -  task
        loadpilot_task_errors_total  counter -  task
        loadpilot_task_latency_p50_ms  gauge -  task
        loadpilot_task_latency_p99_ms  gauge -  task
        loadpilot_task_latency_mean_ms  gauge -  task
    ";

    pub(crate) const LOCUST_TELEMETRY: &str = "
        locust_tl_event_test_events_total  counter -  event source_id run_id testplan
        locust_tl_system_metric_cpu_percent  gauge percent  source_id run_id testplan
        locust_tl_system_metric_mem_bytes  gauge bytes  source_id run_id testplan
        locust_tl_system_metric_network_bytes  gauge bytes  direction source_id run_id testplan
        locust_tl_user_metric_count_ratio  gauge -  source_id run_id testplan
        locust_tl_request_metric_success_milliseconds  histogram milliseconds  metric endpoint status_code source_id run_id testplan
        locust_tl_request_metric_error_milliseconds  histogram milliseconds  metric endpoint status_code source_id run_id testplan
    ";
}

/// What of a Collector's documents is of that scope, in the form of a table.
fn at_collector(collector: &Collector, scope: &str) -> BTreeSet<String> {
    let mut rows = BTreeSet::new();
    for document in collector.documents() {
        let scopes =
            items(&document["resourceMetrics"]).flat_map(|resource| items(&resource["scopeMetrics"]));
        for metric in
            scopes.filter(|each| each["scope"]["name"] == scope).flat_map(|each| items(&each["metrics"]))
        {
            rows.extend(metric_rows(metric));
        }
    }
    rows
}

fn metric_rows(metric: &Value) -> Vec<String> {
    let kinds = [
        ("gauge", "gauge"),
        ("sum", "sum"),
        ("histogram", "histogram"),
        ("exponentialHistogram", "histogram"),
    ];
    let (key, kind) = kinds.into_iter().find(|(key, _)| !metric[key].is_null()).expect("a kind");
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).unwrap_or("-").to_owned();
    let row = |point: &Value| {
        let labels = items(&point["attributes"]).map(|each| each["key"].as_str().expect("a key"));
        format!("{} {kind} {} {}", text(&metric["name"]), text(&metric["unit"]), sorted(labels))
    };
    items(&metric[key]["dataPoints"]).map(row).collect()
}

/// What Prometheus knows of the names of a table, in its form.
fn at_prometheus(prometheus: &Prometheus, table: &str) -> BTreeSet<String> {
    let metadata = prometheus.metadata();
    let names: BTreeSet<_> = table.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let rows = names.into_iter().flat_map(|name| {
        let known = [name, name.trim_end_matches("_total")].map(|name| metadata[name][0].clone());
        let known = known.into_iter().find(|known| !known.is_null()).unwrap_or_default();
        let text = |key: &str| known[key].as_str().filter(|text| !text.is_empty()).unwrap_or("-").to_owned();
        let (kind, told) = (text("type"), text("unit"));
        let unit = if told == "-" { unit_of(name) } else { &told };
        let sample = if kind == "histogram" { format!("{name}_count") } else { name.to_owned() };
        let row = |series: Value| {
            let series = series.as_object().expect("labels").clone();
            let labels = series.keys().filter(|key| !["__name__", "job", "instance"].contains(&key.as_str()));
            format!("{name} {kind} {unit} {}", sorted(labels.map(String::as_str)))
        };
        prometheus.series(&sample).into_iter().map(row).collect::<Vec<_>>()
    });
    rows.collect()
}

/// The unit by the end of a name, which is how the text format without a word for it tells.
fn unit_of(name: &str) -> &str {
    let (_, last) = name.trim_end_matches("_total").rsplit_once('_').unwrap_or_default();
    if ["seconds", "milliseconds", "bytes", "percent"].contains(&last) { last } else { "-" }
}

/// A run under one profile, to a Collector and to Prometheus, that lasts until it has been seen enough of.
struct Seen {
    run: Child,
    collector: Collector,
    prometheus: Prometheus,
    _target: Target,
}

impl Seen {
    fn of(profile: &str) -> Self {
        let (target, collector) = (Target::start(&["--errors", "50"]), Collector::start());
        let (spec, url) = (shop(&target), collector.otlp_url());
        let args = ["run", &spec, "-c", "4", "-t", "1", "-d", "300s", "--otlp", &url];
        let run = barewire(args.into_iter().chain(["--prometheus", "0", "--profile", profile]));
        let page: SocketAddr = announced_page(&run);
        Seen { run, collector, prometheus: Prometheus::start(&[page]), _target: target }
    }

    fn end(self) -> Ended {
        self.run.signal(rustix::process::Signal::INT);
        Ended::of(self.run)
    }
}

#[test]
fn barewire_is_as_its_table_says() {
    let seen = Seen::of("barewire");
    expect(otlp::BAREWIRE, "barewire at the Collector", || at_collector(&seen.collector, "barewire"));
    expect(page::BAREWIRE, "barewire at Prometheus", || at_prometheus(&seen.prometheus, page::BAREWIRE));
    seen.end();
}

#[test]
fn tigrister_is_as_its_table_says() {
    let (target, collector) = (Target::start(&["--errors", "50"]), Collector::start());
    let (spec, url) = (shop(&target), collector.otlp_url());
    barewire_to_end([
        "run",
        &spec,
        "-c",
        "4",
        "-t",
        "1",
        "-d",
        "2s",
        "--otlp",
        &url,
        "--profile",
        "tigrister",
    ]);
    expect(otlp::TIGRISTER, "tigrister at the Collector", || at_collector(&collector, "tigrister-load-test"));
}

#[test]
fn loaddensity_is_as_its_table_says() {
    let seen = Seen::of("loaddensity");
    expect(otlp::LOADDENSITY, "loaddensity at the Collector", || {
        at_collector(&seen.collector, "loaddensity")
    });
    expect(page::LOADDENSITY, "loaddensity at Prometheus", || {
        at_prometheus(&seen.prometheus, page::LOADDENSITY)
    });
    for (name, bounds) in [
        (
            "loaddensity_request_latency_ms",
            &["5", "10", "25", "50", "100", "250", "500", "1000", "2500", "5000", "10000"][..],
        ),
        (
            "loaddensity_response_bytes",
            &["64", "256", "1024", "4096", "16384", "65536", "262144", "1.048576e+06"],
        ),
    ] {
        let series = seen.prometheus.series(&format!("{name}_bucket"));
        let shown: BTreeSet<_> = series.iter().filter_map(|series| series["le"].as_str()).map(le).collect();
        assert_eq!(shown, bounds.iter().copied().chain(["+Inf"]).map(le).collect(), "{name}");
    }
    seen.end();
}

/// A bound as one text: OpenMetrics writes `5.0` for `5`.
fn le(bound: &str) -> String {
    format!("{:?}", bound.parse::<f64>().expect("a bound"))
}

#[test]
fn loadpilot_is_as_its_table_says() {
    let seen = Seen::of("loadpilot");
    expect(page::LOADPILOT, "loadpilot at Prometheus", || at_prometheus(&seen.prometheus, page::LOADPILOT));
    seen.end();
}

#[test]
fn locust_telemetry_is_as_its_table_says() {
    let seen = Seen::of("locust-telemetry");
    let table = otlp::LOCUST_TELEMETRY;
    expect(table, "locust-telemetry at the Collector", || at_collector(&seen.collector, "locust_telemetry"));
    let table = page::LOCUST_TELEMETRY;
    expect(table, "locust-telemetry at Prometheus", || at_prometheus(&seen.prometheus, table));
    seen.end();
}

//! Every name, kind and tag of the vocabularies that are pushed to the Datadog Agent and to InfluxDB, as those show them.
//!
//! Neither wire has units: a column of `-` stands for them.

mod support;

use serde_json::Value;
use std::collections::BTreeSet;
use std::thread;
use support::otlp::items;
use support::table::{expect, shop, sorted};
use support::{Agent, Ended, Influxd, Target, barewire};

/// What the Agent flushes: a counter as a rate, a distribution as a sketch.
mod agent {
    pub(crate) const BAREWIRE: &str = "
        http.client.request.duration  sketch -  load_test.step http.request.method http.response.status_code
        http.client.request.duration  sketch -  load_test.step http.request.method http.response.status_code error.type
        http.client.request.duration.p50  gauge -  load_test.step http.request.method http.response.status_code
        http.client.request.duration.p90  gauge -  load_test.step http.request.method http.response.status_code
        http.client.request.duration.p95  gauge -  load_test.step http.request.method http.response.status_code
        http.client.request.duration.p99  gauge -  load_test.step http.request.method http.response.status_code
        http.client.request.duration.max  gauge -  load_test.step http.request.method http.response.status_code
        http.client.request.duration.min  gauge -  load_test.step http.request.method http.response.status_code
        http.client.request.duration.avg  gauge -  load_test.step http.request.method http.response.status_code
        http.client.request.body.size  sketch -  load_test.step http.request.method
        http.client.response.body.size  sketch -  load_test.step http.request.method outcome
        http.client.response_time  sketch -  load_test.step
        http.client.response_time  sketch -  load_test.step error.type
        http.client.schedule_slip  sketch -  load_test.step
        http.client.requests  rate -  load_test.step http.request.method outcome
        http.client.errors  rate -  load_test.step http.request.method error.type
        load_test.virtual_users.active  gauge -
        load_test.requests.in_flight  gauge -
        load_test.target_rate  gauge -
        load_test.iterations  rate -
        load_test.iterations.dropped  rate -
        load_test.threshold.value  gauge -  load_test.threshold
        load_test.threshold.limit  gauge -  load_test.threshold
        load_test.threshold.ok  gauge -  load_test.threshold
        process.cpu.utilization  gauge -
        process.memory.usage  gauge -
        system.cpu.utilization  gauge -
        system.memory.usage  gauge -
        system.network.io  rate -  network.io.direction
        barewire.exporter.snapshots  rate -  exporter outcome
        barewire.exporter.points  rate -  exporter
        barewire.exporter.bytes  rate -  exporter
        barewire.exporter.encode.duration  sketch -  exporter
        barewire.exporter.send.duration  sketch -  exporter
        barewire.tick.lateness  sketch -
    ";

    /// Of `ms` and `h`, the Agent makes statistics of its own.
    pub(crate) const LOADDENSITY: &str = "
        loaddensity.requests  rate -  method name outcome
        loaddensity.request.latency.count  rate -  method name outcome
        loaddensity.request.latency.avg  gauge -  method name outcome
        loaddensity.request.latency.median  gauge -  method name outcome
        loaddensity.request.latency.max  gauge -  method name outcome
        loaddensity.request.latency.95percentile  gauge -  method name outcome
        loaddensity.response.size.count  rate -  method name outcome
        loaddensity.response.size.avg  gauge -  method name outcome
        loaddensity.response.size.median  gauge -  method name outcome
        loaddensity.response.size.max  gauge -  method name outcome
        loaddensity.response.size.95percentile  gauge -  method name outcome
    ";
}

/// What InfluxDB stores: the kind is told by the fields.
mod influx {
    pub(crate) const BAREWIRE: &str = "
        http.client.request.duration  histogram -  load_test.step http.request.method http.response.status_code
        http.client.request.duration  histogram -  load_test.step http.request.method http.response.status_code error.type
        http.client.request.body.size  histogram -  load_test.step http.request.method
        http.client.response.body.size  histogram -  load_test.step http.request.method outcome
        http.client.response_time  histogram -  load_test.step
        http.client.response_time  histogram -  load_test.step error.type
        http.client.schedule_slip  histogram -  load_test.step
        http.client.requests  integer -  load_test.step http.request.method outcome
        http.client.errors  integer -  load_test.step http.request.method error.type
        load_test.virtual_users.active  float -
        load_test.requests.in_flight  float -
        load_test.target_rate  float -
        load_test.iterations  integer -
        load_test.iterations.dropped  integer -
        load_test.threshold.value  float -  load_test.threshold
        load_test.threshold.limit  float -  load_test.threshold
        load_test.threshold.ok  float -  load_test.threshold
        process.cpu.utilization  float -
        process.memory.usage  float -
        system.cpu.utilization  float -
        system.memory.usage  float -
        system.network.io  integer -  network.io.direction
        barewire.exporter.snapshots  integer -  exporter outcome
        barewire.exporter.points  integer -  exporter
        barewire.exporter.bytes  integer -  exporter
        barewire.exporter.encode.duration  histogram -  exporter
        barewire.exporter.send.duration  histogram -  exporter
        barewire.tick.lateness  histogram -
    ";

    /// A point a request, with the tags of both spellings.
    pub(crate) const LOADDENSITY: &str = "
        loaddensity_request  request -  request_type method name outcome
    ";

    /// The fields of such a point, and their types.
    pub(crate) const REQUEST: [(&str, &str); 7] = [
        ("error", "string"),
        ("latency_ms", "float"),
        ("response_bytes", "integer"),
        ("response_length", "integer"),
        ("response_time_ms", "float"),
        ("status_code", "integer"),
        ("success", "boolean"),
    ];

    /// The fields of a histogram, beside buckets.
    pub(crate) const HISTOGRAM: [&str; 17] = [
        "count", "sum", "min", "max", "mean", "p50", "p90", "p95", "p99", "p999", "run_min", "run_max",
        "run_p50", "run_p90", "run_p95", "run_p99", "run_p999",
    ];
}

/// One run tells each receiver both vocabularies.
#[test]
fn the_agent_and_influxdb_show_the_names_of_the_tables() {
    let target = Target::start(&["--errors", "50"]);
    let (agent, influxd) = thread::scope(|scope| {
        let agent = scope.spawn(Agent::start);
        let influxd = scope.spawn(Influxd::start);
        (agent.join().expect("an Agent"), influxd.join().expect("an InfluxDB"))
    });
    let spec = shop(&target);
    let (udp, unix) = (format!("udp://{}", agent.udp()), format!("unix:{}", agent.stream_socket().display()));
    let (datagrams, v1) = (influxd.udp_url(), influxd.write_url(Influxd::PASSWORD));
    let load = ["run", &spec, "-c", "4", "-t", "1", "-d", "300s"];
    let ways = ["--statsd", &udp, "--statsd", &unix, "--influx", &datagrams, "--influx", &v1];
    let profiles = ["--profile", "statsd-2=loaddensity", "--profile", "influx-2=loaddensity"];
    let run = barewire(load.into_iter().chain(ways).chain(profiles));

    let [by_udp, by_http] = [Influxd::UDP_DATABASE, Influxd::DATABASE];
    expect(influx::BAREWIRE, "barewire at InfluxDB", || at_influxdb(&influxd, by_udp));
    expect(influx::LOADDENSITY, "loaddensity at InfluxDB", || at_influxdb(&influxd, by_http));
    let expected: BTreeSet<_> = influx::REQUEST.map(|(key, kind)| (key.to_owned(), kind.to_owned())).into();
    assert_eq!(fields(&influxd, by_http, "loaddensity_request"), expected);

    expect(agent::BAREWIRE, "barewire at the Agent", || at_agent(&agent));
    expect(agent::LOADDENSITY, "loaddensity at the Agent", || at_agent(&agent));
    run.signal(rustix::process::Signal::INT);
    assert_eq!(Ended::of(run).code, 130);
    assert_eq!((agent.complaints(), influxd.complaints()), (Vec::new(), Vec::new()));
}

/// What the Agent has flushed, in the form of a table.
fn at_agent(agent: &Agent) -> BTreeSet<String> {
    let row = |(name, kind, tags): (String, String, Vec<String>)| {
        let keys = tags.iter().map(|tag| tag.split_once(':').map_or(tag.as_str(), |(key, _)| key));
        format!("{name} {kind} - {}", sorted(keys))
    };
    agent.intake.shapes().into_iter().map(row).collect()
}

/// What a database has, in the form of a table.
fn at_influxdb(influxd: &Influxd, database: &str) -> BTreeSet<String> {
    let measurements = influxd.query(database, "SHOW MEASUREMENTS");
    let names = measurements.iter().flat_map(|series| items(&series["values"]));
    let names = names.filter_map(|row| row[0].as_str());
    names.flat_map(|name| rows_of(influxd, database, name)).collect()
}

fn rows_of(influxd: &Influxd, database: &str, measurement: &str) -> Vec<String> {
    let fields = fields(influxd, database, measurement);
    let has = |key: &&str| fields.iter().any(|(known, _)| known == key);
    let value = fields.iter().find(|(key, _)| key == "value");
    let (kind, field) = match value {
        Some((_, kind)) => (kind.as_str(), "value"),
        None if influx::HISTOGRAM.iter().all(has) => ("histogram", "count"),
        None if has(&"latency_ms") => ("request", "latency_ms"),
        None => return Vec::new(),
    };
    let statement = format!(r#"SELECT last("{field}") FROM "{measurement}" GROUP BY *"#);
    let row = |series: &Value| {
        // A series has all tags of its measurement here, those that are not its own empty.
        let tags = series["tags"].as_object().into_iter().flatten();
        let own = tags.filter(|(_, value)| value.as_str() != Some("")).map(|(key, _)| key.as_str());
        format!("{measurement} {kind} - {}", sorted(own))
    };
    influxd.query(database, &statement).iter().map(row).collect()
}

/// The fields of a measurement and their types.
fn fields(influxd: &Influxd, database: &str, measurement: &str) -> BTreeSet<(String, String)> {
    let series = influxd.query(database, &format!(r#"SHOW FIELD KEYS FROM "{measurement}""#));
    let rows = series.iter().flat_map(|series| items(&series["values"]));
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    rows.map(|row| (text(&row[0]), text(&row[1]))).collect()
}

//! The OpenTelemetry Collector: OTLP over HTTP in, one JSON document a line out.

use super::{Child, http_get, program, serve};
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

const CONFIG: &str = include_str!("otelcol.yaml");
const DOCUMENTS: &str = "otlp.jsonl";

/// A running Collector.
#[derive(Debug)]
pub(crate) struct Collector {
    pub(crate) child: Child,
    http: u16,
    telemetry: u16,
}

impl Collector {
    pub(crate) fn start() -> Self {
        let (child, [http, telemetry]) = serve(
            |dir, [http, telemetry]| {
                let config = CONFIG
                    .replace("@HTTP@", &http.to_string())
                    .replace("@TELEMETRY@", &telemetry.to_string())
                    .replace("@DOCUMENTS@", DOCUMENTS);
                let mut command = Command::new(program("otelcol"));
                command.arg("--config").arg(dir.write("otelcol.yaml", &config));
                command
            },
            // Any answer will do: a GET is not allowed there.
            |[http, telemetry]| {
                http_get(local(http), "/v1/metrics").is_ok()
                    && http_get(local(telemetry), "/metrics").is_ok_and(|answer| answer.status == 200)
            },
        );
        Self { child, http, telemetry }
    }

    /// Where its OTLP receiver listens.
    pub(crate) fn addr(&self) -> SocketAddr {
        local(self.http)
    }

    /// The base that an OTLP exporter is given; `/v1/metrics` is below it.
    pub(crate) fn otlp_url(&self) -> String {
        format!("http://{}", self.addr())
    }

    /// What it received so far, in order; a line that is still being written is left out.
    pub(crate) fn documents(&self) -> Vec<Value> {
        let text = self.child.dir().read(DOCUMENTS);
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        whole.map(|line| serde_json::from_str(line).expect("a JSON document a line")).collect()
    }

    /// The cumulative sum of that name in the last document that has it, added up over its data points.
    pub(crate) fn last_sum(&self, metric: &str) -> Option<f64> {
        self.documents().iter().rev().find_map(|document| cumulative_sum(document, metric))
    }

    /// One of its own metrics, added up over the series; 0 where it has not counted any yet.
    pub(crate) fn self_metric(&self, name: &str) -> f64 {
        let page = http_get(local(self.telemetry), "/metrics").expect("the page of its own metrics").text();
        let series = page.lines().filter_map(|line| line.strip_prefix(name));
        let values =
            series.filter(|rest| rest.starts_with(['{', ' '])).filter_map(|rest| rest.rsplit_once(' '));
        values.map(|(_, value)| value.parse::<f64>().expect("a number")).sum()
    }

    pub(crate) fn log(&self) -> String {
        self.child.log()
    }
}

fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn cumulative_sum(document: &Value, metric: &str) -> Option<f64> {
    const CUMULATIVE: u64 = 2;
    let scopes = items(&document["resourceMetrics"]).flat_map(|resource| items(&resource["scopeMetrics"]));
    let named = scopes.flat_map(|scope| items(&scope["metrics"])).filter(|each| each["name"] == metric);
    let sums = named.map(|each| &each["sum"]).filter(|sum| sum["aggregationTemporality"] == CUMULATIVE);
    let points = sums.flat_map(|sum| items(&sum["dataPoints"]));
    points.map(value).reduce(|total, each| total + each)
}

fn items(array: &Value) -> impl Iterator<Item = &Value> {
    array.as_array().into_iter().flatten()
}

/// A 64-bit integer is a string in OTLP/JSON.
fn value(point: &Value) -> f64 {
    let integer = point["asInt"].as_str().map(|digits| digits.parse().expect("an integer"));
    integer.or(point["asDouble"].as_f64()).expect("asInt or asDouble")
}

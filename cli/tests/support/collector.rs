//! The OpenTelemetry Collector: OTLP over HTTP in, one JSON document a line out.

use super::{Authority, Child, http_get, otlp, program, serve};
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

const CONFIG: &str = include_str!("otelcol.yaml");
/// What makes its receiver speak TLS, to clients with a certificate only.
const TLS: &str = r#", tls: { cert_file: "@CERT@", key_file: "@KEY@", client_ca_file: "@CLIENTS@" }"#;
const DOCUMENTS: &str = "otlp.jsonl";

/// A running Collector.
#[derive(Debug)]
pub(crate) struct Collector {
    pub(crate) child: Child,
    scheme: &'static str,
    http: u16,
    telemetry: u16,
}

impl Collector {
    pub(crate) fn start() -> Self {
        Self::launch("http", CONFIG, "", answers)
    }

    /// One that has no place for logs and traces.
    pub(crate) fn start_for_metrics() -> Self {
        let has_place = |line: &&str| {
            !line.trim_start().starts_with("logs:") && !line.trim_start().starts_with("traces:")
        };
        let config: Vec<_> = CONFIG.lines().filter(has_place).collect();
        Self::launch("http", &config.join("\n"), "", answers)
    }

    /// One that hands metrics on to Prometheus as well, where exponential histograms arrive as native ones.
    pub(crate) fn start_writing_to(prometheus: SocketAddr) -> Self {
        let exporter = format!(
            "exporters:\n  prometheusremotewrite: {{ endpoint: \"http://{prometheus}/api/v1/write\" }}"
        );
        let pipeline = "metrics: { receivers: [otlp], exporters: [";
        let config = CONFIG.replacen("exporters:", &exporter, 1);
        let config = config.replace(pipeline, &format!("{pipeline}prometheusremotewrite, "));
        Self::launch("http", &config, "", answers)
    }

    /// Speaks TLS with a certificate of `authority`, to clients with one of `clients`.
    pub(crate) fn start_tls(authority: &Authority, clients: &Authority) -> Self {
        let own = authority.certify("127.0.0.1");
        let tls = TLS
            .replace("@CERT@", &own.certificate.display().to_string())
            .replace("@KEY@", &own.key.display().to_string())
            .replace("@CLIENTS@", &clients.file().display().to_string());
        Self::launch("https", CONFIG, &tls, |_| true)
    }

    fn launch(scheme: &'static str, config: &str, tls: &str, ready: fn(u16) -> bool) -> Self {
        let (child, [http, telemetry]) = serve(
            |dir, [http, telemetry]| {
                let config = config
                    .replace("@HTTP@", &http.to_string())
                    .replace("@TLS@", tls)
                    .replace("@TELEMETRY@", &telemetry.to_string())
                    .replace("@DOCUMENTS@", DOCUMENTS);
                let mut command = Command::new(program("otelcol"));
                command.arg("--config").arg(dir.write("otelcol.yaml", &config));
                command
            },
            move |[http, telemetry]| ready(http) && tells_of_itself(telemetry),
        );
        Self { child, scheme, http, telemetry }
    }

    /// Starts it once more on its ports, after it was killed. It begins its file anew.
    pub(crate) fn restart(&mut self) {
        self.child.restart();
    }

    /// Where its OTLP receiver listens.
    pub(crate) fn addr(&self) -> SocketAddr {
        local(self.http)
    }

    /// The base that an OTLP exporter is given; `/v1/metrics` is below it.
    pub(crate) fn otlp_url(&self) -> String {
        format!("{}://{}", self.scheme, self.addr())
    }

    /// The metrics that it received so far, in order; a line that is still being written is left out.
    pub(crate) fn documents(&self) -> Vec<Value> {
        otlp::documents(&self.file())
    }

    /// The log records that it received so far.
    pub(crate) fn log_records(&self) -> Vec<Value> {
        otlp::log_records(&self.file())
    }

    /// The spans that it received so far.
    pub(crate) fn spans(&self) -> Vec<Value> {
        otlp::spans(&self.file())
    }

    /// Everything that it received so far, a document a line.
    pub(crate) fn file(&self) -> String {
        self.child.dir().read(DOCUMENTS)
    }

    /// The cumulative sum of that name in the last document that has it, added up over its data points.
    pub(crate) fn last_sum(&self, metric: &str) -> Option<f64> {
        self.documents().iter().rev().find_map(|document| otlp::cumulative_sum(document, metric))
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

/// Whether there is any answer: a GET is not allowed there.
fn answers(http: u16) -> bool {
    http_get(local(http), "/v1/metrics").is_ok()
}

fn tells_of_itself(telemetry: u16) -> bool {
    http_get(local(telemetry), "/metrics").is_ok_and(|answer| answer.status == 200)
}

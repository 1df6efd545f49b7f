//! Prometheus: scrapes once a second, answers queries.

use super::{Child, http_get, percent_encoded, program, serve};
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

/// A running Prometheus.
#[derive(Debug)]
pub(crate) struct Prometheus {
    pub(crate) child: Child,
    addr: SocketAddr,
}

impl Prometheus {
    /// Starts one that scrapes `/metrics` of each target once a second.
    pub(crate) fn start(scrape_targets: &[SocketAddr]) -> Self {
        let targets: Vec<String> = scrape_targets.iter().map(|addr| format!("\"{addr}\"")).collect();
        Self::with_jobs(&[format!(
            "job_name: test, static_configs: [ {{ targets: [{}] }} ]",
            targets.join(", ")
        )])
    }

    /// Starts one that scrapes once a second; each job is the inside of a YAML mapping.
    pub(crate) fn with_jobs(jobs: &[String]) -> Self {
        let jobs: String = jobs.iter().map(|job| format!("  - {{ {job} }}\n")).collect();
        let config =
            format!("global: {{ scrape_interval: 1s, scrape_timeout: 1s }}\nscrape_configs:\n{jobs}");
        let (child, [port]) = serve(
            |dir, [port]| {
                let mut command = Command::new(program("prometheus"));
                command
                    .arg(format!("--web.listen-address={}", local(port)))
                    .arg(format!("--config.file={}", dir.write("prometheus.yaml", &config).display()))
                    .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
                    .arg("--web.enable-remote-write-receiver")
                    .arg("--enable-feature=native-histograms,exemplar-storage");
                command
            },
            answers,
        );
        Self { child, addr: local(port) }
    }

    /// Starts it once more on its port and its data, after it was killed.
    pub(crate) fn restart(&mut self) {
        self.child.restart();
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The series that an instant query selects: the `data.result` of the HTTP API.
    pub(crate) fn query(&self, expr: &str) -> Vec<Value> {
        let mut data = self.api(&format!("/api/v1/query?query={}", percent_encoded(expr)));
        match data["result"].take() {
            Value::Array(series) => series,
            other => panic!("{expr}: not a vector: {other}"),
        }
    }

    /// The value of the only series that an instant query selects.
    pub(crate) fn value(&self, expr: &str) -> Option<f64> {
        let series = self.query(expr);
        assert!(series.len() < 2, "{expr}: more than one series: {series:?}");
        let value = series.first()?["value"][1].as_str().expect("a value in a string");
        Some(value.parse().expect("a number"))
    }

    /// What it knows of each metric, by name: `[{"type", "unit", "help"}]`.
    pub(crate) fn metadata(&self) -> Value {
        self.api("/api/v1/metadata")
    }

    /// The labels of every series that a selector selects.
    pub(crate) fn series(&self, selector: &str) -> Vec<Value> {
        match self.api(&format!("/api/v1/series?match[]={}", percent_encoded(selector))) {
            Value::Array(series) => series,
            other => panic!("{selector}: not a list: {other}"),
        }
    }

    /// How many targets answered their last scrape with a page that Prometheus could read.
    pub(crate) fn targets_up(&self) -> usize {
        let data = self.api("/api/v1/targets");
        let targets = data["activeTargets"].as_array().expect("a list of targets");
        targets.iter().filter(|target| target["health"] == "up").count()
    }

    fn api(&self, path: &str) -> Value {
        let answer = http_get(self.addr, path).expect("an answer of Prometheus");
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let mut document: Value = serde_json::from_slice(&answer.body).expect("JSON");
        document["data"].take()
    }
}

fn answers([port]: [u16; 1]) -> bool {
    http_get(local(port), "/-/ready").is_ok_and(|answer| answer.status == 200)
}

fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

//! VictoriaMetrics: the write API of InfluxDB 2 in, JSON lines out.

use super::{Child, http_get, percent_encoded, program, serve};
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

/// A running VictoriaMetrics.
#[derive(Debug)]
pub(crate) struct Victoria {
    pub(crate) child: Child,
    addr: SocketAddr,
}

impl Victoria {
    pub(crate) fn start() -> Self {
        let (child, [port]) = serve(
            |dir, [port]| {
                let mut command = Command::new(program("victoria-metrics"));
                command
                    .arg(format!("-storageDataPath={}", dir.path().join("data").display()))
                    .arg(format!("-httpListenAddr={}", local(port)))
                    .arg("-retentionPeriod=1d")
                    .arg("-search.latencyOffset=0s")
                    .arg("-memory.allowedBytes=256MB");
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

    /// Where it takes line protocol as InfluxDB 2 does.
    pub(crate) fn v2_url(&self) -> String {
        format!("http://{}/api/v2/write?org=any&bucket=any", self.addr)
    }

    /// The series of that name: `{"metric", "values", "timestamps"}` each.
    pub(crate) fn export(&self, name: &str) -> Vec<Value> {
        self.get("/internal/force_flush");
        let selector = percent_encoded(&format!("{{__name__=\"{name}\"}}"));
        let lines = self.get(&format!("/api/v1/export?match[]={selector}"));
        lines.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }

    /// The last value of each series of that name, added up; `None` without any.
    pub(crate) fn last_sum(&self, name: &str) -> Option<f64> {
        let series = self.export(name);
        let last = |series: &Value| series["values"].as_array().and_then(|values| values.last()?.as_f64());
        (!series.is_empty()).then(|| series.iter().filter_map(last).sum())
    }

    /// One of its own metrics, added up over the series.
    pub(crate) fn self_metric(&self, name: &str) -> f64 {
        let page = self.get("/metrics");
        let series = page.lines().filter_map(|line| line.strip_prefix(name));
        let values =
            series.filter(|rest| rest.starts_with(['{', ' '])).filter_map(|rest| rest.rsplit_once(' '));
        values.map(|(_, value)| value.parse::<f64>().expect("a number")).sum()
    }

    fn get(&self, path: &str) -> String {
        let answer = http_get(self.addr, path).expect("an answer of VictoriaMetrics");
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.text()
    }
}

fn answers([port]: [u16; 1]) -> bool {
    http_get(local(port), "/health").is_ok_and(|answer| answer.status == 200)
}

fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

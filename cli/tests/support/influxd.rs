//! InfluxDB 1.6: line protocol by UDP and by HTTP with Basic authorization, InfluxQL out.

use super::{Child, exchange, percent_encoded, program, serve};
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

const CONFIG: &str = include_str!("influx.conf");

/// A running InfluxDB with one user and two databases.
#[derive(Debug)]
pub(crate) struct Influxd {
    pub(crate) child: Child,
    ports: [u16; 3],
    http: u16,
    udp: u16,
}

impl Influxd {
    pub(crate) const USER: &str = "admin";
    pub(crate) const PASSWORD: &str = "correct horse:battery";
    /// The database for what comes by HTTP.
    pub(crate) const DATABASE: &str = "load";
    /// The database for what comes by UDP.
    pub(crate) const UDP_DATABASE: &str = "udp";

    pub(crate) fn start() -> Self {
        let (child, ports @ [_, http, udp]) = serve(
            |dir, [rpc, http, udp]| {
                let config = CONFIG
                    .replace("@RPC@", &rpc.to_string())
                    .replace("@HTTP@", &http.to_string())
                    .replace("@UDP@", &udp.to_string())
                    .replace("@DIR@", &dir.path().display().to_string());
                let mut command = Command::new(program("influxd"));
                command.arg("-config").arg(dir.write("influx.conf", &config));
                command
            },
            answers,
        );
        let influxd = Self { child, ports, http, udp };
        // Without a user, it lets anybody create the first one.
        let create =
            format!("CREATE USER {} WITH PASSWORD '{}' WITH ALL PRIVILEGES", Self::USER, Self::PASSWORD);
        influxd.post("/query", None, &create);
        for database in [Self::DATABASE, Self::UDP_DATABASE] {
            influxd.query(database, &format!("CREATE DATABASE {database}"));
        }
        influxd
    }

    /// Starts it once more on its ports and its data, after it was killed.
    pub(crate) fn restart(&mut self) {
        self.child.restart();
    }

    /// `HOST:PORT` of its HTTP API.
    pub(crate) fn addr(&self) -> SocketAddr {
        local(self.http)
    }

    /// Where it takes datagrams.
    pub(crate) fn udp_url(&self) -> String {
        format!("udp://{}", local(self.udp))
    }

    /// Where it takes requests, with credentials.
    pub(crate) fn write_url(&self, password: &str) -> String {
        let password = percent_encoded(password);
        format!("http://{}:{password}@{}/write?db={}", Self::USER, self.addr(), Self::DATABASE)
    }

    /// Writes lines as they stand.
    pub(crate) fn write(&self, lines: &str) {
        assert_eq!(self.answer_to(lines), (204, String::new()));
    }

    /// What it says to lines as they stand.
    pub(crate) fn answer_to(&self, lines: &str) -> (u16, String) {
        let path = format!("/write?db={}", Self::DATABASE);
        let head =
            format!("POST {path} HTTP/1.0\r\n{}Content-Length: {}\r\n\r\n", authorization(), lines.len());
        let answer = exchange(self.addr(), &[head.as_bytes(), lines.as_bytes()].concat()).expect("an answer");
        (answer.status, answer.text().to_string())
    }

    /// The series that a statement selects, as the HTTP API gives them: `[{"name", "tags", "columns", "values"}]`.
    pub(crate) fn query(&self, database: &str, statement: &str) -> Vec<Value> {
        let mut document = self.post(&format!("/query?epoch=ns&db={database}"), Some(()), statement);
        match document["results"][0]["series"].take() {
            Value::Array(series) => series,
            _ => Vec::new(),
        }
    }

    /// The number that a statement selects, if it selects one: the first column behind the time.
    pub(crate) fn value(&self, database: &str, statement: &str) -> Option<f64> {
        let series = self.query(database, statement);
        assert!(series.len() < 2, "{statement}: more than one series: {series:?}");
        series.first()?["values"][0][1].as_f64()
    }

    /// The last value of a field, added up over all series of the measurement.
    pub(crate) fn last_sum(&self, database: &str, measurement: &str, field: &str) -> Option<f64> {
        let series =
            self.query(database, &format!(r#"SELECT last("{field}") FROM "{measurement}" GROUP BY *"#));
        let last = |series: &Value| series["values"][0][1].as_f64();
        (!series.is_empty()).then(|| series.iter().filter_map(last).sum())
    }

    /// What its log complains about.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let log = format!("{}{}", self.child.log(), self.child.stdout());
        let is_complaint = |line: &&str| {
            let line = line.to_lowercase();
            ["lvl=error", "lvl=warn", "unable to parse", "partial write", "failed to"]
                .iter()
                .any(|word| line.contains(word))
        };
        log.lines().filter(is_complaint).map(str::to_owned).collect()
    }

    fn post(&self, path: &str, user: Option<()>, statement: &str) -> Value {
        let body = format!("q={}", percent_encoded(statement));
        let head = format!(
            "POST {path} HTTP/1.0\r\n{}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
            user.map_or_else(String::new, |()| authorization()),
            body.len()
        );
        let answer =
            exchange(self.addr(), &[head, body].concat().into_bytes()).expect("an answer of InfluxDB");
        assert_eq!(answer.status, 200, "{statement}: {}", answer.text());
        let document: Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert_eq!(document["results"][0]["error"], Value::Null, "{statement}");
        document
    }
}

/// `admin:correct horse:battery`, as Basic spells it.
fn authorization() -> String {
    "Authorization: Basic YWRtaW46Y29ycmVjdCBob3JzZTpiYXR0ZXJ5\r\n".to_owned()
}

fn answers([_, http, _]: [u16; 3]) -> bool {
    super::http_get(local(http), "/ping").is_ok_and(|answer| answer.status == 204)
}

fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

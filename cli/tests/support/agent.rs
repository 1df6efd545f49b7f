//! The Datadog Agent: DogStatsD over UDP and Unix sockets in, what it flushes out to a listener of ours.

use super::{Child, Intake, Series, http_get, program, serve};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;

const CONFIG: &str = include_str!("datadog.yaml");

/// What tells the three ways into one Agent apart is a vocabulary each: barewire's by UDP, tigrister's in Unix datagrams
/// and loadpilot's over a Unix stream. And so many requests came by each.
pub(crate) const WAYS_INTO_THE_AGENT: [(&str, Total); 3] = [
    ("udp", |intake| requests(intake, "http.client.requests", true)),
    ("unixgram", |intake| requests(intake, "http.client.requests", false)),
    ("unix", |intake| requests(intake, "loadpilot_requests_total", false)),
];

type Total = fn(&Intake) -> f64;

/// Of the series that are told by step, or of the others.
fn requests(intake: &Intake, name: &str, by_step: bool) -> f64 {
    let is_by_step = |series: &Series| series.tags.iter().any(|tag| tag.starts_with("load_test.step:"));
    let series = intake.series(name, &[]);
    series.iter().filter(|series| is_by_step(series) == by_step).map(Series::total).sum()
}

/// A running Agent. It flushes every ten seconds what was counted in whole spans of ten seconds.
#[derive(Debug)]
pub(crate) struct Agent {
    pub(crate) child: Child,
    pub(crate) intake: Intake,
    ports: [u16; 3],
}

impl Agent {
    pub(crate) fn start() -> Self {
        let intake = Intake::start();
        let (child, ports) = serve(
            |dir, [cmd, expvar, dogstatsd]| {
                for folder in ["confd", "run"] {
                    fs::create_dir(dir.path().join(folder)).expect("a folder of the Agent");
                }
                let config = CONFIG
                    .replace("@DIR@", &dir.path().display().to_string())
                    .replace("@INTAKE@", &intake.addr().port().to_string())
                    .replace("@CMD@", &cmd.to_string())
                    .replace("@EXPVAR@", &expvar.to_string())
                    .replace("@DOGSTATSD@", &dogstatsd.to_string());
                dir.write("datadog.yaml", &config);
                command("run", dir.path())
            },
            answers,
        );
        let agent = Self { child, intake, ports };
        agent.await_sockets();
        agent
    }

    /// Starts it once more on its ports and sockets, after it was killed.
    pub(crate) fn restart(&mut self) {
        self.child.restart();
        self.await_sockets();
    }

    /// It makes its sockets one after the other, in place of those that another one left.
    fn await_sockets(&self) {
        super::poll(super::PATIENCE, "the sockets of the Agent", || {
            let datagram = UnixDatagram::unbound().expect("a socket");
            datagram.connect(self.datagram_socket()).ok()?;
            UnixStream::connect(self.stream_socket()).ok()
        });
    }

    /// Where it receives by UDP.
    pub(crate) fn udp(&self) -> SocketAddr {
        local(self.ports[2])
    }

    pub(crate) fn datagram_socket(&self) -> PathBuf {
        self.child.dir().path().join("dgram.socket")
    }

    pub(crate) fn stream_socket(&self) -> PathBuf {
        self.child.dir().path().join("stream.socket")
    }

    /// The metrics that it received so far: name, tags in any order, and how often.
    pub(crate) fn received(&self) -> Vec<(String, Vec<String>, u64)> {
        let output =
            command("dogstatsd-stats", self.child.dir().path()).output().expect("the Agent's own client");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let rows = text.lines().skip_while(|line| !line.starts_with("---")).skip(1);
        let rows = rows.map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
        rows.filter(|row| row.len() == 4)
            .map(|row| {
                let tags = row[1].split_whitespace().map(str::to_owned).collect();
                (row[0].to_owned(), tags, row[2].parse().expect("a count"))
            })
            .collect()
    }

    /// What it could not read.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let log = self.child.dir().read("agent.log");
        log.lines().filter(|line| line.contains("error parsing")).map(str::to_owned).collect()
    }
}

fn answers([_, expvar, _]: [u16; 3]) -> bool {
    http_get(local(expvar), "/debug/vars").is_ok_and(|answer| answer.status == 200)
}

fn command(what: &str, dir: &Path) -> Command {
    let mut command = Command::new(program("datadog-agent"));
    command.arg(what).arg("-c").arg(dir);
    command
}

fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

//! The command itself, as a stranger runs it.

use super::{Child, Dir, PATIENCE, poll};
use serde_json::Value;
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

/// The file for `--results`, in the folder of the child.
pub(crate) const RESULTS: &str = "r.json";

/// How a command that was waited for ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// What `--results` wrote; null where it did not.
    pub(crate) results: Value,
    /// The folder that the command ran in.
    pub(crate) dir: Dir,
}

impl Ended {
    /// What was said on stderr, but for what a busy machine makes any run say: that it did not keep up with its rate.
    pub(crate) fn complaints(&self) -> String {
        let lines = self.stderr.split_inclusive('\n');
        let busy = ["the generator is the bottleneck: ", "behind its schedule: ", "CPU usage above "];
        let is_of_busy_machine = |line: &str| {
            line.strip_prefix("barewire: ").is_some_and(|text| busy.iter().any(|told| text.starts_with(told)))
        };
        lines.filter(|line| !is_of_busy_machine(line)).collect()
    }
}

/// Starts `barewire` with these arguments, in a folder of its own.
pub(crate) fn barewire<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_barewire"));
    command.args(args);
    Child::start(command, Dir::new())
}

/// Runs `barewire` with these arguments to its end.
pub(crate) fn barewire_to_end<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Ended {
    Ended::of(barewire(args))
}

/// A command that ended, and what it took.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) ended: Ended,
    /// From its start to its end.
    pub(crate) wall: Duration,
    /// The most memory that it held, as it was seen last before it ended.
    pub(crate) peak_kib: u64,
}

/// Runs `barewire` with these arguments to its end, and measures it.
pub(crate) fn barewire_measured<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Measured {
    Measured::of(barewire(args))
}

impl Measured {
    /// Waits for the end of `child`, with an eye on its memory.
    pub(crate) fn of(mut child: Child) -> Self {
        let mut peak_kib = 0;
        poll(PATIENCE, "the end of the program", || {
            peak_kib = child.peak_kib().unwrap_or(peak_kib);
            child.exited()
        });
        Self { wall: child.age(), ended: Ended::of(child), peak_kib }
    }
}

impl Ended {
    /// Waits for the end of `child`.
    pub(crate) fn of(mut child: Child) -> Self {
        let exit = child.wait(PATIENCE);
        let code = exit.code().unwrap_or_else(|| panic!("ended by a signal: {exit}: {}", child.log()));
        let (stdout, stderr) = (child.stdout(), child.log());
        let dir = child.into_dir();
        let results = serde_json::from_str(&dir.read(RESULTS)).unwrap_or_default();
        Self { code, stdout, stderr, results, dir }
    }

    /// The requests of the whole run.
    pub(crate) fn requests(&self) -> u64 {
        self.results["requests"].as_u64().unwrap_or_else(|| panic!("no requests: {}", self.stderr))
    }

    /// What became of what the exporter of that name was given.
    pub(crate) fn exporter(&self, name: &str) -> &Value {
        let all = self.results["exporters"].as_array().expect("a list");
        all.iter().find(|exporter| exporter["name"] == name).unwrap_or_else(|| panic!("no {name} in {all:?}"))
    }
}

/// One of the counts of an [exporter](Ended::exporter).
pub(crate) fn count(exporter: &Value, what: &str) -> u64 {
    exporter[what].as_u64().unwrap_or_else(|| panic!("{what} is not in {exporter:#}"))
}

/// Where the Prometheus page of a run is, as it announced that.
pub(crate) fn announced_page(run: &Child) -> SocketAddr {
    poll(PATIENCE, "the address of the page", || {
        let stdout = run.stdout();
        let url = stdout.lines().find_map(|line| line.strip_prefix("Prometheus page: http://"))?;
        Some(url.strip_suffix("/metrics")?.parse().expect("an address"))
    })
}

/// `barewire target`, on a port of its own.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) child: Child,
    addr: SocketAddr,
}

impl Target {
    pub(crate) fn start(args: &[&str]) -> Self {
        let child = barewire(["target", "--listen", "127.0.0.1:0"].iter().chain(args));
        let addr = poll(PATIENCE, "the address of the target", || {
            let stdout = child.stdout();
            let (addr, _) = stdout.strip_prefix("serving at http://")?.split_once('/')?;
            Some(addr.parse().expect("an address"))
        });
        Self { child, addr }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.addr)
    }

    /// Its own count.
    pub(crate) fn requests(&self) -> u64 {
        let stats = super::http_get(self.addr, "/-/stats").expect("its figures");
        let stats: Value = serde_json::from_slice(&stats.body).expect("JSON");
        stats["requests"].as_u64().expect("requests")
    }
}

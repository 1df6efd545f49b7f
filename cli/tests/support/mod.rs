//! Starts the real receivers on loopback, proves that they are ours, and asks them what they saw.
//!
//! This is the judge: it shares no code with what it judges.

// Every file of tests compiles this module anew and uses a part of it.
#![allow(dead_code, unused_imports)]

mod agent;
mod authority;
mod barewire;
mod collector;
mod exposition;
pub(crate) mod faults;
mod http;
mod influxd;
mod intake;
mod misbehave;
mod nginx;
pub(crate) mod otlp;
mod process;
mod prometheus;
mod receiver;
pub(crate) mod siege;
pub(crate) mod table;
mod victoria;

use std::env;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

pub(crate) use agent::{Agent, WAYS_INTO_THE_AGENT};
pub(crate) use authority::Authority;
pub(crate) use barewire::{
    Ended, Measured, RESULTS, Target, announced_page, barewire, barewire_measured, barewire_to_end, count,
};
pub(crate) use collector::Collector;
pub(crate) use exposition::{promtool_check, python_parse_0_0_4, strict_openmetrics};
pub(crate) use http::{Answer, exchange, http_get, http_post, percent_encoded};
pub(crate) use influxd::Influxd;
pub(crate) use intake::{Intake, Series, Sketch};
pub(crate) use misbehave::{Act, Door, Misbehaving};
pub(crate) use nginx::Nginx;
pub(crate) use process::{Child, Dir, free_port, serve};
pub(crate) use prometheus::Prometheus;
pub(crate) use receiver::Receiver;
pub(crate) use victoria::Victoria;

/// The longest that a receiver may take to start, or to show what was sent to it, on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Asks `attempt` again and again until it answers.
///
/// # Panics
/// When there is no answer within `patience`; the message says that `what` did not come.
pub(crate) fn poll<T>(patience: Duration, what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(answer) = attempt() {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what}: not within {patience:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Where a receiver's program is: on `PATH`, else where `scripts/backends` unpacked it.
///
/// # Panics
/// When it is in neither.
pub(crate) fn program(name: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain([backends().join("bin")])
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| {
            panic!("{name} is neither on PATH nor in {}: run scripts/backends", backends().display())
        })
}

fn backends() -> PathBuf {
    let unpacked = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/backends"));
    env::var_os("BAREWIRE_BACKENDS").map_or_else(unpacked, PathBuf::from)
}

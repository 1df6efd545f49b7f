//! Pages judged by somebody else: the parsers of Python's `prometheus_client`, of which the one for OpenMetrics is
//! stricter than Prometheus itself.
//!
//! `scripts/backends` unpacks it, into `target/backends/` unless `BAREWIRE_BACKENDS` names another folder.

mod common;

use std::{
    env,
    io::Write as _,
    mem::discriminant,
    path::PathBuf,
    process::{Command, Stdio},
    slice,
};

use barewire_promtext::{Encoder, Escaping, Format};
use common::{SCHEMES, frame, hostile::any_point, page};
use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config, TestRunner},
};

const PAGES: usize = 200;

#[test]
fn hostile_pages_of_openmetrics_are_read_by_the_strict_parser() {
    judge("prometheus_client.openmetrics.parser", Format::OpenMetrics);
}

#[test]
fn hostile_pages_of_text_are_read_by_another_parser() {
    judge("prometheus_client.parser", Format::Text004);
}

fn judge(parser: &str, format: Format) {
    for escaping in SCHEMES {
        judge_escaped(parser, format, escaping);
    }
}

fn judge_escaped(parser: &str, format: Format, escaping: Escaping) {
    let mut python = Command::new("python3")
        .env("PYTHONPATH", library())
        .args(["-c", include_str!("judge.py"), parser])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is on PATH");
    let mut stdin = python.stdin.take().expect("a pipe");
    for page in pages(format, escaping) {
        // Python has an end of its own, and says in its last words why it came early.
        if write!(stdin, "{}\n{page}", page.len()).is_err() {
            break;
        }
    }
    drop(stdin);
    let output = python.wait_with_output().expect("the end of a child of ours");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), PAGES.to_string(), "{escaping:?}");
}

/// Half of them have the points of the page before, with other values of the same kinds.
fn pages(format: Format, escaping: Escaping) -> impl Iterator<Item = String> {
    let mut runner = TestRunner::new(Config::default());
    let points = prop::collection::vec(any_point(), 0..12);
    (0..PAGES / 2).flat_map(move |_| {
        let mut points = || points.new_tree(&mut runner).expect("a page").current();
        let (mut frame, others) = (frame(points()), points());
        let mut encoder = Encoder::new(format).escaping(escaping);
        let first = page(&mut encoder, slice::from_ref(&frame)).0;
        for (point, other) in frame.points.iter_mut().zip(others) {
            if discriminant(&point.value) == discriminant(&other.value) {
                point.value = other.value;
            }
        }
        [first, page(&mut encoder, &[frame]).0]
    })
}

/// Where the library is.
fn library() -> PathBuf {
    let unpacked = || concat!(env!("CARGO_MANIFEST_DIR"), "/../target/backends").into();
    let library =
        PathBuf::from(env::var_os("BAREWIRE_BACKENDS").unwrap_or_else(unpacked)).join("prometheus_client");
    assert!(library.is_dir(), "{} is not there: run scripts/backends", library.display());
    library
}

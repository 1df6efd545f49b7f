//! Other people's parsers of the Prometheus text formats.

use super::{backends, program};
use serde_json::Value;
use std::io::Write;
use std::process::{Command, Output, Stdio};

const PARSE: &str = include_str!("parse.py");

/// What `promtool check metrics` holds against a page of text format 0.0.4: syntax and naming rules.
pub(crate) fn promtool_check(text: &str) -> Result<(), String> {
    let output = run(Command::new(program("promtool")).args(["check", "metrics"]), text);
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// The families of a page of text format 0.0.4, as Python's `prometheus_client` reads them:
/// `[{"name", "type", "unit", "help", "samples": [{"name", "labels", "value"}]}]`, values as text.
pub(crate) fn python_parse_0_0_4(text: &str) -> Result<Value, String> {
    python_parse("prometheus_client.parser", text)
}

/// Like [`python_parse_0_0_4`], of a page of OpenMetrics 1.0; this parser forgives nothing.
pub(crate) fn strict_openmetrics(text: &str) -> Result<Value, String> {
    python_parse("prometheus_client.openmetrics.parser", text)
}

fn python_parse(parser: &str, text: &str) -> Result<Value, String> {
    let module = backends().join("prometheus_client");
    assert!(module.is_dir(), "{} is not there: run scripts/backends", module.display());
    let output = run(Command::new("python3").env("PYTHONPATH", module).args(["-c", PARSE, parser]), text);
    if output.status.success() {
        return Ok(serde_json::from_slice(&output.stdout).expect("JSON from our own script"));
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

fn run(command: &mut Command, input: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut stdin = process.stdin.take().expect("a pipe");
    stdin.write_all(input.as_bytes()).expect("a reader of the page");
    drop(stdin);
    process.wait_with_output().expect("the end of a child of ours")
}

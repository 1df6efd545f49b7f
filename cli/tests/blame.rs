//! Whose fault a failure is, and what can be done about it.

mod support;

use serde_json::{Value, json};
use std::process::Command;
use support::{Act, Child, Dir, Door, Ended, Misbehaving, RESULTS, barewire_to_end};

/// Answers and closes, so that each request needs a descriptor of its own.
fn closing() -> Misbehaving {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok".to_vec();
    Misbehaving::start(Door::Open, vec![Act::Await, Act::Say(answer), Act::Close])
}

/// Runs `barewire` with so few descriptors that some of 64 connections get none: the limit is what the load needs, and
/// 60 of them are taken by what the process inherits.
fn short_of_descriptors(args: &[&str]) -> Ended {
    let script = "ulimit -n 131; for ((i = 0; i < 60; i++)); do exec {fd}</dev/null; done; exec \"$@\"";
    let mut command = Command::new("bash");
    command.args(["-c", script, "bash", env!("CARGO_BIN_EXE_barewire")]).args(args);
    Ended::of(Child::start(command, Dir::new()))
}

#[test]
fn what_this_machine_lacks_is_not_the_fault_of_the_target_and_has_a_remedy() {
    let target = closing();
    let url = target.url();
    let load = ["run", &url, "-c", "64", "-t", "1", "-d", "1s", "--results", RESULTS];
    let ended = short_of_descriptors(&load);
    let results = &ended.results;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let classes = results["errors_by_class"].as_object().expect("classes");
    assert_eq!(classes.keys().collect::<Vec<_>>(), ["local"], "{results:#}");
    let expected = json!([{
        "class": "local", "reason": "Too many open files (os error 24)", "count": results["errors"],
    }]);
    assert_eq!(results["error_reasons"], expected);
    for told in [
        " failed: local; Too many open files: ",
        "this machine is the bottleneck, not the target: ",
        "raise the limit with 'ulimit -n'",
    ] {
        assert!(ended.stdout.contains(told), "{told}: {}", ended.stdout);
    }
}

/// The statuses of failed responses, and a reason that names the bound.
#[test]
fn a_failure_is_told_with_its_first_reasons() {
    let say = |text: &str| Act::Say(text.as_bytes().to_vec());
    let script = vec![
        Act::Await,
        say("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"),
        Act::Await,
        say("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"),
        Act::Await,
        say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        Act::Close,
    ];
    let target = Misbehaving::sparing(1, Door::Open, script);
    let spec = json!({"target": target.url(), "users": 1, "iterations": 6}).to_string();
    let ended = barewire_to_end(["run", &spec, "--results", RESULTS]);
    let told =
        |class: &str, reason: &str, count: u64| json!({"class": class, "reason": reason, "count": count});
    let expected: Value = json!([
        told("protocol", "malformed chunk size", 2),
        told("status", "500", 2),
        told("status", "503", 2),
    ]);
    assert_eq!(ended.results["error_reasons"], expected);
    for line in ["  2 failed: protocol; malformed chunk size: 2\n", "  4 failed: status; 500: 2, 503: 2\n"] {
        assert!(ended.stdout.contains(line), "{}", ended.stdout);
    }
}

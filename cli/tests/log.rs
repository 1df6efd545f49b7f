//! `--log`: what a program that reads the log line by line finds.

mod support;

use serde_json::Value;
use std::collections::BTreeSet;
use support::{Ended, Target, barewire_to_end};

const STATS: &str = "locust.tl.request.metric.stats";

fn telemetry(text: &str) -> Vec<Value> {
    let line =
        |line: &str| serde_json::from_str::<Value>(line).expect("a document a line")["telemetry"].take();
    text.lines().map(line).collect()
}

/// The events in their order, and the stats of that type.
fn check(lines: &[Value], ended: &Ended) {
    let run_id = &ended.results["run_id"];
    assert!(lines.iter().all(|line| line["run_id"] == *run_id && line["testplan"] == "shop"), "{lines:?}");
    let events: Vec<_> = lines.iter().filter(|line| line["telemetry_type"] == "event").collect();
    let named = |at: usize| events[at]["telemetry_name"].as_str().expect("a name");
    assert_eq!(named(0), "locust.tl.event.test.start");
    assert_eq!(named(events.len() - 1), "locust.tl.event.test.stop");
    assert!(events[events.len() - 1]["end_time"].is_string());

    let stats = |kind: &str| {
        let of_kind = move |line: &&Value| line["telemetry_name"] == STATS && line["stats_type"] == kind;
        lines.iter().filter(of_kind).collect::<Vec<_>>()
    };
    let [last] = stats("final")[..] else { panic!("one final: {lines:?}") };
    let requests = ended.results["requests"].as_u64().expect("requests");
    assert!(requests > 0);
    assert_eq!(last["num_requests"].as_u64(), Some(requests));
    assert_eq!(last["num_failures"], ended.results["errors"]);
    assert!(!stats("current").is_empty());
    let of_steps = stats("endpoint").into_iter().filter(|line| line["status"] == "success");
    assert_eq!(of_steps.filter_map(|line| line["num_requests"].as_u64()).sum::<u64>(), requests);
    let failed = stats("endpoint").into_iter().filter(|line| line["status"] == "error");
    let failures: u64 = failed.filter_map(|line| line["occurrences"].as_u64()).sum();
    assert_eq!(Some(failures), last["num_failures"].as_u64());
}

fn run(log: &str) -> Ended {
    let target = Target::start(&["--errors", "20"]);
    let spec = format!(
        r#"{{"name": "shop", "target": "{}", "steps": [{{"name": "a\nb\"", "url": "/"}}]}}"#,
        target.url()
    );
    barewire_to_end([
        "run",
        &spec,
        "-c",
        "4",
        "-t",
        "1",
        "-d",
        "2500ms",
        "--interval",
        "100ms",
        "--log",
        log,
        "--results",
        "r.json",
    ])
}

#[test]
fn a_file_has_the_events_and_the_figures_to_the_last_request() {
    let ended = run("json:l.jsonl");
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let lines = telemetry(&ended.dir.read("l.jsonl"));
    check(&lines, &ended);
    let names: BTreeSet<_> = lines.iter().filter_map(|line| line["telemetry_name"].as_str()).collect();
    for name in [
        STATS,
        "locust.tl.system.metric.cpu",
        "locust.tl.system.metric.mem",
        "locust.tl.system.metric.network",
        "locust.tl.user.metric.count",
    ] {
        assert!(names.contains(name), "{name} is not among {names:?}");
    }
}

#[test]
fn standard_output_has_nothing_but_the_log() {
    let ended = run("json");
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    check(&telemetry(&ended.stdout), &ended);
}

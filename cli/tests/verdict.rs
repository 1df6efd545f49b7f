//! A run that passes has proved something: of all its requests, and under the load that was asked for.

mod support;

use serde_json::{Value, json};
use std::thread;
use support::{Act, Door, Ended, Misbehaving, RESULTS, Target, barewire_to_end};

fn run(spec: &Value) -> Ended {
    barewire_to_end(["run", &spec.to_string(), "--results", RESULTS])
}

/// A target that answers so many connections, one request each, and is gone.
fn dies_after(answers: usize) -> Misbehaving {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok".to_vec();
    let script = vec![Act::Await, Act::Say(answer), Act::Close];
    // One more looks whether the target is there.
    Misbehaving::sparing(1, Door::OpenFor(answers + 1), script)
}

/// The verdicts by their thresholds.
fn verdicts(ended: &Ended) -> Vec<(String, bool)> {
    let verdicts = ended.results["thresholds"].as_array().expect("verdicts");
    let verdict = |each: &Value| {
        (
            each["threshold"].as_str().expect("a threshold").to_owned(),
            each["ok"].as_bool().expect("a verdict"),
        )
    };
    verdicts.iter().map(verdict).collect()
}

/// 20 of 100 arrivals are answered, in no time; the others are refused, in less.
#[test]
fn a_target_that_died_keeps_no_limit_of_a_latency_that_its_failures_exceed() {
    let checks = [1, 2, 8].map(|threads| thread::spawn(move || check_a_target_that_died(threads)));
    checks.into_iter().for_each(|check| check.join().expect("as it should be"));
}

fn check_a_target_that_died(threads: usize) {
    let target = dies_after(20);
    let spec = json!({
        "target": target.url(), "rate": 100, "duration": "1s", "connections": 8, "threads": threads,
        "timeout": "2s", "max_dropped": "100%",
        "thresholds": ["p50 < 10s", "p95 < 10s", "max < 10s", "avg < 10s", "throughput >= 1"],
    });
    let ended = run(&spec);
    assert_eq!((ended.code, &ended.results["status"]), (1, &json!("failed")), "{}", ended.stderr);
    let expected = [
        ("p50 < 10000ms", false),
        ("p95 < 10000ms", false),
        ("max < 10000ms", false),
        // The mean is that of requests that succeeded.
        ("avg < 10000ms", true),
        ("throughput >= 1 req/s", true),
    ];
    assert_eq!(verdicts(&ended), expected.map(|(text, ok)| (text.to_owned(), ok)));
    assert_eq!(ended.results["thresholds"][0]["value"], Value::Null);
    for of in ["latency_ms", "failed_latency_ms", "response_time_ms", "failed_response_time_ms"] {
        assert!(ended.results[of]["p50"].is_f64(), "{of}: {:#}", ended.results);
    }
    for told in ["\n  fail, due  ", "\n  fail,sent  ", "FAILED p50 < 10000ms: falls on requests that failed"]
    {
        assert!(ended.stdout.contains(told), "{told}: {}", ended.stdout);
    }
}

/// The gauges of a threshold that falls on failures: no value, and it does not hold.
#[test]
fn a_percentile_that_falls_on_failures_has_no_value_on_a_page_and_does_not_hold() {
    let target = Target::start(&["--errors", "50"]);
    let spec = json!({
        "target": target.url(), "users": 2, "duration": "1500ms", "thresholds": ["p95 < 10s", "p50 > 0ms"],
    });
    let ended = barewire_to_end(["run", &spec.to_string(), "--otlp", "-", "--quiet"]);
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    let last = support::otlp::documents(&ended.stdout)
        .into_iter()
        .rev()
        .find(|document| support::otlp::metrics(document, "load_test.threshold.ok").next().is_some());
    let last = last.expect("a document with verdicts");
    let gauges = |name: &str| -> Vec<Value> {
        let points = support::otlp::metrics(&last, name).flat_map(|metric| {
            support::otlp::items(&metric["gauge"]["dataPoints"]).cloned().collect::<Vec<_>>()
        });
        points.filter(|point| point["attributes"].to_string().contains("p95")).collect()
    };
    assert_eq!(gauges("load_test.threshold.value").len(), 0);
    assert_eq!(gauges("load_test.threshold.ok").len(), 1);
    let ok = &gauges("load_test.threshold.ok")[0];
    assert!(
        ["asInt", "asDouble"]
            .iter()
            .any(|key| ok[*key] == json!(0) || ok[*key] == json!("0") || ok[*key] == json!(0.0)),
        "{ok}"
    );
}

/// 100 arrivals in a second for two connections that carry 8 a second.
#[test]
fn a_load_that_was_not_applied_passes_no_gate_unless_it_is_allowed() {
    let rows = [
        (json!({"thresholds": ["error_rate <= 1%"]}), 1, true),
        (json!({"thresholds": ["error_rate <= 1%"], "max_dropped": "100%"}), 0, false),
        (json!({"thresholds": ["error_rate <= 1%", "dropped < 1%"]}), 1, false),
        (json!({"thresholds": ["error_rate <= 1%", "dropped <= 99%"]}), 0, false),
        (json!({"max_dropped": "2.5%"}), 1, true),
        (json!({}), 0, false),
    ];
    let checks = rows.map(|(fields, code, is_told)| {
        thread::spawn(move || {
            let target = Target::start(&["--delay", "250ms"]);
            let mut spec = json!({
                "target": target.url(), "rate": 100, "duration": "1s", "connections": 2, "timeout": "2s",
            });
            spec.as_object_mut().expect("an object").extend(fields.as_object().expect("fields").clone());
            let ended = run(&spec);
            let dropped = ended.results["iterations"]["dropped"].as_u64().expect("a count");
            assert!(dropped > 50, "{:#}", ended.results);
            let sentence = format!(
                "the load was not applied: {dropped} of 100 arrivals were dropped, {dropped}.0% where"
            );
            assert_eq!(ended.code, code, "{fields}: {}", ended.stderr);
            assert_eq!(ended.stderr.contains(&format!("barewire: {sentence}")), is_told, "{}", ended.stderr);
            assert_eq!(ended.stdout.contains(&format!("FAILED {sentence}")), is_told, "{}", ended.stdout);
        })
    });
    checks.into_iter().for_each(|check| check.join().expect("as it should be"));
}

//! The course of a run, and what it takes from its host, as everyone is told.

mod support;

use serde_json::Value;
use support::{RESULTS, Target, barewire_to_end, otlp};

/// The points of a metric, each with the value of one of its attributes.
fn by(document: &Value, metric: &str, attribute: &str) -> Vec<(String, f64)> {
    let points = otlp::metrics(document, metric).flat_map(|each| {
        otlp::items(&each["gauge"]["dataPoints"]).chain(otlp::items(&each["sum"]["dataPoints"]))
    });
    let told =
        |point| (otlp::attribute(point, attribute).unwrap_or_default().to_owned(), otlp::number(point));
    points.map(told).collect()
}

/// The value of a gauge without attributes.
fn gauge(document: &Value, metric: &str) -> Option<f64> {
    by(document, metric, "").first().map(|(_, value)| *value)
}

#[test]
fn a_run_tells_of_its_course_and_of_its_end() {
    let target = Target::start(&["--delay", "1ms"]);
    let spec = format!(
        r#"{{"target": "{}", "stages": [{{"duration": "2s", "users": 4}}, {{"duration": "2s", "users": 4}}],
            "thresholds": ["throughput > 1000000", "error_rate <= 1%"]}}"#,
        target.url()
    );
    let ended = barewire_to_end(
        ["run", &spec, "--otlp", "file:o.jsonl", "--interval", "50ms", "--results", RESULTS].iter(),
    );
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    let documents = otlp::documents(&ended.dir.read("o.jsonl"));
    let documents: Vec<&Value> =
        documents.iter().filter(|each| each.get("resourceMetrics").is_some()).collect();
    let (last, earlier) = documents.split_last().expect("documents");

    let of = |name: &str, value| (name.to_owned(), value);
    let events = [
        of("test.start", 1.0),
        of("spawn.complete", 1.0),
        of("stage.change", 1.0),
        of("threshold.breached", 1.0),
        of("test.stop", 1.0),
    ];
    // Whether the machine is too busy is not ours to say.
    let mut told = by(last, "load_test.events", "event");
    told.retain(|(event, _)| event != "cpu.warning");
    assert_eq!(told, events);
    let phases = |present: &str| {
        ["ramp_up", "steady", "ramp_down", "done"]
            .map(|phase| of(phase, f64::from(u8::from(phase == present))))
    };
    assert_eq!(by(last, "load_test.phase", "phase"), phases("done"));
    for present in ["ramp_up", "steady"] {
        let expected = phases(present);
        assert!(earlier.iter().any(|each| by(each, "load_test.phase", "phase") == expected), "{present}");
    }

    let time = |name| gauge(last, name).unwrap_or_else(|| panic!("no {name}"));
    let (start, end, elapsed) =
        (time("load_test.start_time"), time("load_test.end_time"), time("load_test.elapsed"));
    assert!((end - start - elapsed).abs() < 1e-3 && elapsed >= 4.0, "{start} {end} {elapsed}");
    assert_eq!(gauge(earlier[0], "load_test.end_time"), None);

    for part in ["process.cpu.utilization", "system.cpu.utilization"] {
        assert!((0.0..=1.0).contains(&time(part)), "{part}: {}", time(part));
    }
    assert!(time("process.memory.usage") > 1e6 && time("system.memory.usage") > time("process.memory.usage"));
    let directions: Vec<String> = by(last, "system.network.io", "network.io.direction")
        .into_iter()
        .map(|(direction, _)| direction)
        .collect();
    assert_eq!(directions, ["transmit", "receive"]);
}

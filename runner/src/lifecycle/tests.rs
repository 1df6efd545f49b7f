use barewire::{LabelValue, Reading, Registry};
use proptest::prelude::*;

use super::*;
use crate::Plan;

const START: u64 = 1_700_000_000_000_000_000;

fn lifecycle(fields: &str) -> Lifecycle {
    let json = format!(r#"{{"target": "http://h", "threads": 1, {fields}}}"#);
    Lifecycle::new(&Plan::from_json(&json).unwrap().check().unwrap(), "r", START)
}

fn s(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// What an event says, after which time.
fn told(event: &Event) -> String {
    format!("{} {}: {}: {}", (event.time_unix_ns - START) / 1_000_000, event.name, event.title, event.text)
}

#[test]
fn what_a_plan_says_is_told_with_the_time_of_the_plan() {
    for (fields, expected) in [
        (r#""users": 3, "duration": "5s""#, vec!["0 spawn.complete: Ramp-up complete: 3 users."]),
        (r#""users": 3, "iterations": 5"#, vec!["0 spawn.complete: Ramp-up complete: 3 users."]),
        (
            r#""users": 3, "iterations": 5, "ramp_up": "1s""#,
            vec![
                "1000 spawn.complete: Ramp-up complete: 3 users.",
                "1000 stage.change: Stage 2 of 2: 3 users to the end.",
            ],
        ),
        (
            r#""rate": 0.5, "duration": "5s", "ramp_up": "1s", "ramp_down": "1500ms""#,
            vec![
                "1000 spawn.complete: Ramp-up complete: 0.5 arrivals per second.",
                "1000 stage.change: Stage 2 of 3: 0.5 arrivals per second for 5s.",
                "6000 stage.change: Stage 3 of 3: From 0.5 to 0 arrivals per second in 1.5s.",
            ],
        ),
        (
            // Two jumps: neither is a stage of its own.
            r#""stages": [{"duration": "0s", "users": 5}, {"duration": "2s", "users": 5}, {"duration": "0s", "users": 9},
                {"duration": "3s", "users": 9}, {"duration": "1s", "users": 2}]"#,
            vec![
                "2000 spawn.complete: Ramp-up complete: 9 users.",
                "2000 stage.change: Stage 2 of 3: 9 users for 3s.",
                "5000 stage.change: Stage 3 of 3: From 9 to 2 users in 1s.",
            ],
        ),
        (
            r#""stages": [{"duration": "2s", "rate": 100}, {"duration": "2s", "rate": 300}]"#,
            vec![
                "2000 stage.change: Stage 2 of 2: From 100 to 300 arrivals per second in 2s.",
                "4000 spawn.complete: Ramp-up complete: 300 arrivals per second.",
            ],
        ),
    ] {
        let events = lifecycle(fields).advance(s(1e6));
        assert_eq!(events.iter().map(told).collect::<Vec<_>>(), expected, "{fields}");
    }
}

#[test]
fn a_phase_is_what_the_load_does() {
    let mut ramps = lifecycle(r#""users": 3, "duration": "5s", "ramp_up": "2s", "ramp_down": "2s""#);
    let phases = [0.0, 1.9, 2.0, 6.9, 7.0, 8.9, 30.0].map(|at| ramps.phase(s(at)).name());
    assert_eq!(phases, ["ramp_up", "ramp_up", "steady", "steady", "ramp_down", "ramp_down", "ramp_down"]);
    ramps.end(s(9.0), Status::Passed);
    assert_eq!(ramps.phase(s(1.0)), Phase::Done);
    assert_eq!(lifecycle(r#""rate": 5, "duration": "5s""#).phase(s(0.0)), Phase::Steady);
}

#[test]
fn the_first_and_the_last_event_say_what_was_run_and_how_it_ended() {
    let mut run = lifecycle(r#""name": "shop", "type": "spike", "users": 3"#);
    let event = run.begin();
    assert_eq!(
        told(&event),
        "0 test.start: Load test started: shop: http://h/ with 3 connections on 1 threads."
    );
    let labels = [Label::new("load_test.test_run_id", "r"), Label::new("load_test.test_type", "spike")];
    assert_eq!((event.labels.as_slice(), event.level), (&labels[..], Level::Info));
    for (status, level) in
        [(Status::Passed, Level::Success), (Status::Failed, Level::Error), (Status::Aborted, Level::Warning)]
    {
        let event = run.end(s(34.5), status);
        assert_eq!(told(&event), format!("34500 test.stop: Load test {}: After 34.500 s.", status.name()));
        let label = Label::new("load_test.status", status.name());
        assert_eq!((event.labels.last(), event.level), (Some(&label), level));
    }
}

#[test]
fn a_breach_is_told_once_until_the_threshold_holds_again() {
    let fields = r#""users": 1, "thresholds": ["p95 < 500ms", "error_rate <= 1%"]"#;
    let mut run = lifecycle(fields);
    let [p95, errors] = ["p95 < 500ms", "error_rate <= 1%"].map(|text| text.parse::<Threshold>().unwrap());
    let verdict = |value: f64, ok| Verdict { measured: Measured::Value(value), ok };
    let silent = Verdict { measured: Measured::Nothing, ok: false };
    let failure = Verdict { measured: Measured::Failure, ok: false };
    let rows = [
        ("nothing was measured", silent, silent, vec![]),
        ("both hold", verdict(5.0, true), verdict(0.0, true), vec![]),
        ("one does not", verdict(600.25, false), verdict(0.0, true), vec!["p95 < 500ms at 600.250 ms"]),
        ("it stays so", verdict(700.0, false), verdict(0.0, true), vec![]),
        ("silence is no recovery", silent, verdict(0.0, true), vec![]),
        ("still", verdict(600.0, false), verdict(2.0, false), vec!["error_rate <= 1% at 2.000 %"]),
        ("one has recovered", verdict(400.0, true), verdict(2.0, false), vec![]),
        (
            "and is breached again",
            verdict(501.0, false),
            verdict(2.0, false),
            vec!["p95 < 500ms at 501.000 ms"],
        ),
        ("both have recovered", verdict(5.0, true), verdict(0.0, true), vec![]),
        (
            "one falls on failures",
            failure,
            verdict(0.0, true),
            vec!["p95 < 500ms So far, it falls on requests that failed, which are slower than any limit."],
        ),
    ];
    for (why, first, second, expected) in rows {
        let events = run.judge(s(1.0), &[(&p95, first), (&errors, second)]);
        let breaches: Vec<String> = events
            .iter()
            .map(|event| {
                assert_eq!((&*event.name, event.level), ("threshold.breached", Level::Warning));
                let threshold = event.labels.last().map(|label| label.value.to_text()).unwrap();
                assert_eq!(event.title, format!("Threshold breached: {threshold}"));
                let value = event.text.trim_start_matches("It is ").trim_end_matches(" so far.");
                format!("{threshold} {value}")
            })
            .collect();
        assert_eq!(breaches, expected, "{why}");
    }
}

#[test]
fn busy_processors_are_warned_of_once_they_have_been_busy_for_a_while() {
    let mut run = lifecycle(r#""users": 1"#);
    let (idle, busy) = (Some(0.3), Some(0.95));
    let rows = [
        (0.0, None, None, false, "nothing is known"),
        (1.0, busy, idle, false, "a burst"),
        (2.0, idle, idle, false, "is over"),
        (3.0, idle, busy, false, "others are busy"),
        (7.9, busy, busy, false, "not for long yet"),
        (8.0, idle, busy, true, "for five seconds"),
        (20.0, busy, busy, false, "that was said"),
        (21.0, Some(0.899), None, false, "calm"),
        (22.0, busy, None, false, "busy again"),
        (27.0, busy, None, true, "and again for five seconds"),
    ];
    for (at, process, system, expected, why) in rows {
        let event = run.watch(s(at), CpuUse { process, system });
        assert_eq!(event.is_some(), expected, "{why}");
        if at == 8.0 {
            let text = "This process uses 30 % of the processors, all together use 95 %: latencies may be those of \
                        the load generator.";
            assert_eq!(
                event.as_ref().map(told),
                Some(format!("8000 cpu.warning: CPU usage above 90 %: {text}"))
            );
            assert_eq!(run.cpu_warning(), Some(format!("CPU usage above 90 %. {text}").as_str()));
        }
        assert_eq!(run.cpu_warning().is_some(), at >= 8.0, "{why}");
    }
    assert!(run.cpu_warning().is_some_and(|text| text.contains("30 %")), "the first one stays");
}

#[test]
fn the_course_of_a_run_is_shown_as_series() {
    let registry = Registry::new("test");
    let mut run = lifecycle(r#""users": 3, "duration": "5s", "ramp_up": "2s""#);
    let mut meter = LifecycleMeter::new(&registry);
    meter.show(&run, s(0.0));
    let shown = || {
        let snapshot = registry.snapshot();
        let line = |(metric, reading): (&std::sync::Arc<barewire::Metric>, Reading<'_>)| {
            let label =
                metric.labels.first().map_or(String::new(), |label| format!(" {}", label.value.to_text()));
            match reading {
                Reading::Gauge(Some(value)) => Some(format!("{}{label} {value}", metric.name)),
                Reading::Counter(count) if count > 0 => Some(format!("{}{label} {count}", metric.name)),
                _ => None,
            }
        };
        snapshot.readings().filter_map(line).collect::<Vec<_>>()
    };
    let phases = |present: &str| {
        Phase::ALL
            .map(|phase| format!("load_test.phase {} {}", phase.name(), u8::from(phase.name() == present)))
    };
    let start = "load_test.start_time 1700000000".to_owned();
    let verdicts = |passed: u8| {
        [("passed", passed), ("failed", 0), ("aborted", 0)]
            .map(|(verdict, value)| format!("load_test.verdict {verdict} {value}"))
    };
    let expected = |present, elapsed: &str, end: &[&str], passed: u8, events: &[&str]| {
        let mut lines = phases(present).to_vec();
        lines.extend([format!("load_test.elapsed {elapsed}"), start.clone()]);
        lines.extend(end.iter().map(|line| (*line).to_owned()));
        lines.extend(verdicts(passed));
        lines.extend(events.iter().map(|line| (*line).to_owned()));
        lines
    };
    assert_eq!(shown(), expected("ramp_up", "0", &[], 0, &[]));
    run.advance(s(3.0)).iter().for_each(|event| meter.count(event));
    meter.show(&run, s(3.0));
    let events = ["load_test.events spawn.complete 1", "load_test.events stage.change 1"];
    assert_eq!(shown(), expected("steady", "3", &[], 0, &events));
    run.end(s(7.5), Status::Passed);
    meter.show(&run, s(8.0));
    assert_eq!(shown(), expected("done", "7.5", &["load_test.end_time 1700000007.5"], 1, &events));
}

proptest! {
    #[test]
    fn every_event_of_a_plan_is_told_once_and_in_order_however_often_one_looks(
        stages in prop::collection::vec((0..5_u64, 0..9_u32), 1..8),
        mut looks in prop::collection::vec(0..40_000_u64, 0..20),
    ) {
        let stages = stages.iter().map(|(len, users)| format!(r#"{{"duration": "{len}s", "users": {users}}}"#));
        let stages = format!(r#""users": 1, "stages": [{}]"#, stages.collect::<Vec<_>>().join(","));
        let json = format!(r#"{{"target": "http://h", {stages}}}"#);
        let Ok(workload) = Plan::from_json(&json).unwrap().check() else { return Ok(()) };
        let run = Lifecycle::new(&workload, "r", START);
        let (mut once, mut often) = (run.clone(), run);
        looks.sort_unstable();
        let mut events = Vec::new();
        for at in looks {
            events.extend(often.advance(Duration::from_millis(at)));
            prop_assert!(events.iter().all(|event| event.time_unix_ns <= START + at * 1_000_000));
        }
        events.extend(often.advance(s(1e3)));
        prop_assert!(often.advance(s(1e3)).is_empty());
        prop_assert!(events.is_sorted_by_key(|event| event.time_unix_ns));
        let numbers: Vec<_> = events.iter().filter(|event| event.name == "stage.change")
            .map(|event| event.labels.last().unwrap().value.clone()).collect();
        prop_assert_eq!(numbers, (2..).map(LabelValue::Int).take(workload.load.curve().pieces().len() - 1).collect::<Vec<_>>());
        prop_assert_eq!(events.iter().filter(|event| event.name == "spawn.complete").count(), 1);
        prop_assert_eq!(events, once.advance(s(1e3)));
    }
}

//! Whatever a plan says, its JSON reads as it is written.

use std::{collections::BTreeMap, time::Duration};

use barewire_runner::{Kind, Plan, Stage, Step, ThinkTime, parse_duration};
use proptest::{collection::vec, option, prelude::*};
use serde_json::{Map, Value as Json, json};

proptest! {
    #[test]
    fn a_plan_is_read_as_it_is_written(plan in plan()) {
        let text = write(&plan).to_string();
        prop_assert_eq!(Plan::from_json(&text), Ok(plan));
    }

    #[test]
    fn what_is_checked_is_refused_with_a_reason_or_can_be_run(plan in plan()) {
        if let Err(error) = plan.check() {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn a_damaged_plan_is_refused_with_a_reason_or_is_another(
        plan in plan(), marks in vec((any::<prop::sample::Index>(), any::<char>()), 1..4),
    ) {
        let mut text: Vec<char> = write(&plan).to_string().chars().collect();
        for (at, mark) in marks {
            let at = at.index(text.len());
            text[at] = mark;
        }
        if let Err(error) = Plan::from_json(&String::from_iter(text)) {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn a_duration_is_the_sum_of_its_parts(parts in vec((0..4000_u64, 0..UNITS.len()), 1..5)) {
        let text: String = parts.iter().map(|(count, unit)| format!("{count}{}", UNITS[*unit].0)).collect();
        let sum = parts.iter().map(|(count, unit)| Duration::from_nanos(count * UNITS[*unit].1)).sum();
        prop_assert_eq!(parse_duration(&text), Ok(sum));
    }
}

/// Those of which four thousand are not a year, together.
const UNITS: [(&str, u64); 6] =
    [("ns", 1), ("us", 1_000), ("µs", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000)];

fn plan() -> impl Strategy<Value = Plan> {
    let kind = prop_oneof![
        Just(Kind::Load),
        Just(Kind::Stress),
        Just(Kind::Spike),
        Just(Kind::Soak),
        Just(Kind::Custom)
    ];
    let head = (option::of(text()), kind, text(), vec(step(), 0..4), vec(stage(), 0..4));
    let counts =
        (option::of(any::<u32>()), option::of(rate()), option::of(any::<u32>()), option::of(any::<u32>()));
    let times = [(); 5].map(|()| option::of(duration()));
    let share = option::of((0..=1000_u32).prop_map(|tenths| format!("{}%", f64::from(tenths) / 10.0)));
    let rest = (option::of(any::<u64>()), option::of(think_time()), vec(threshold(), 0..3), share);
    (head, counts, times, rest).prop_map(|(head, counts, times, rest)| {
        let (name, kind, target, steps, stages) = head;
        let (users, rate, connections, threads) = counts;
        let [duration, ramp_up, ramp_down, timeout, drain] = times;
        let (iterations, think_time, thresholds, share) = rest;
        let thresholds = thresholds.iter().map(|text| text.parse().unwrap()).collect();
        Plan {
            name,
            kind,
            target,
            steps,
            users,
            rate,
            connections,
            threads,
            duration,
            iterations,
            ramp_up,
            ramp_down,
            stages,
            think_time,
            timeout,
            drain,
            thresholds,
            max_dropped: share.map(|share| share.parse().unwrap()),
        }
    })
}

fn step() -> impl Strategy<Value = Step> {
    let headers = prop::collection::btree_map(text(), text(), 0..3);
    let words = (option::of(text()), option::of(text()), text(), option::of(text()));
    (words, headers, vec(any::<u16>(), 0..3), option::of(think_time())).prop_map(
        |((name, method, url, body), headers, expect_status, think_time)| Step {
            name,
            method,
            url,
            headers,
            body,
            expect_status,
            think_time,
        },
    )
}

fn stage() -> impl Strategy<Value = Stage> {
    (duration(), option::of(any::<u32>()), option::of(rate())).prop_map(|(duration, users, rate)| Stage {
        duration,
        users,
        rate,
    })
}

fn think_time() -> impl Strategy<Value = ThinkTime> {
    (duration(), duration()).prop_map(|(one, other)| ThinkTime { min: one.min(other), max: one.max(other) })
}

fn rate() -> impl Strategy<Value = f64> {
    prop_oneof![(0..1_000_000_u32).prop_map(|tenths| f64::from(tenths) / 10.0), 0.0..1e7]
}

fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (0..100_u64).prop_map(Duration::from_secs),
        (0..31_536_000_000_000_000_u64).prop_map(Duration::from_nanos),
    ]
}

fn threshold() -> impl Strategy<Value = String> {
    let figure = prop_oneof![
        Just(("avg", "")),
        Just(("p95", "ms")),
        Just(("max", "ms")),
        Just(("error_rate", "%")),
        Just(("dropped", "%")),
        Just(("throughput", "")),
    ];
    let comparison = prop_oneof![Just("<"), Just("<="), Just(">"), Just(">=")];
    (figure, comparison, 0..1_000_000_u32)
        .prop_map(|((figure, unit), comparison, limit)| format!("{figure} {comparison} {limit}{unit}"))
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z/:.]{0,12}", "(?s).{0,6}", "[\\\\\"\n\u{0}{}]{0,4}"]
}

/// The obvious writer: a field for each that is given.
fn write(plan: &Plan) -> Json {
    let thresholds: Vec<String> = plan.thresholds.iter().map(ToString::to_string).collect();
    given([
        ("name", plan.name.as_ref().map(|name| json!(name))),
        ("type", Some(json!(plan.kind.name()))),
        ("target", Some(json!(plan.target))),
        ("steps", (!plan.steps.is_empty()).then(|| plan.steps.iter().map(write_step).collect())),
        ("users", plan.users.map(|users| json!(users))),
        ("rate", plan.rate.map(|rate| json!(rate))),
        ("connections", plan.connections.map(|connections| json!(connections))),
        ("threads", plan.threads.map(|threads| json!(threads))),
        ("duration", plan.duration.map(write_duration)),
        ("iterations", plan.iterations.map(|iterations| json!(iterations))),
        ("ramp_up", plan.ramp_up.map(write_duration)),
        ("ramp_down", plan.ramp_down.map(write_duration)),
        ("stages", (!plan.stages.is_empty()).then(|| plan.stages.iter().map(write_stage).collect())),
        ("think_time", plan.think_time.map(write_think_time)),
        ("timeout", plan.timeout.map(write_duration)),
        ("drain", plan.drain.map(write_duration)),
        ("thresholds", Some(json!(thresholds))),
        ("max_dropped", plan.max_dropped.map(|share| json!(share.to_string()))),
    ])
}

fn write_step(step: &Step) -> Json {
    let headers: &BTreeMap<_, _> = &step.headers;
    given([
        ("name", step.name.as_ref().map(|name| json!(name))),
        ("method", step.method.as_ref().map(|method| json!(method))),
        ("url", Some(json!(step.url))),
        ("headers", Some(json!(headers))),
        ("body", step.body.as_ref().map(|body| json!(body))),
        ("expect_status", Some(json!(step.expect_status))),
        ("think_time", step.think_time.map(write_think_time)),
    ])
}

fn write_stage(stage: &Stage) -> Json {
    given([
        ("duration", Some(write_duration(stage.duration))),
        ("users", stage.users.map(|users| json!(users))),
        ("rate", stage.rate.map(|rate| json!(rate))),
    ])
}

fn write_think_time(pause: ThinkTime) -> Json {
    if pause.min == pause.max {
        return write_duration(pause.min);
    }
    json!({"min": write_duration(pause.min), "max": write_duration(pause.max)})
}

/// Seconds and nanoseconds.
fn write_duration(duration: Duration) -> Json {
    json!(format!("{}s{}ns", duration.as_secs(), duration.subsec_nanos()))
}

fn given<const N: usize>(fields: [(&str, Option<Json>); N]) -> Json {
    let fields = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Json::Object(Map::from_iter(fields))
}

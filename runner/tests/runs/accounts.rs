//! Both sides count the same, whatever the model and however a run ends.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use crate::support::{eventually, run, target, timed, times};
use barewire::{LabelValue, Reading, Registry};
use barewire_runner::{Behaviour, Figures, Plan, Run, Stall, Step, Target, ThinkTime, Totals};

const MS: Duration = Duration::from_millis(1);

fn url(target: &Target) -> String {
    format!("http://{}/", target.local_addr())
}

fn assert_agree(target: &Target, totals: &Totals, figures: &Figures) {
    assert_eq!(figures.requests, target.requests());
    assert_eq!(totals.completed + totals.dropped + totals.unfinished, totals.scheduled);
    assert_eq!(timed(figures), figures.requests);
    assert_eq!(totals.requests_unfinished, 0);
}

/// What a gauge says now.
fn gauge(registry: &Registry, name: &str) -> Option<f64> {
    let snapshot = registry.snapshot();
    let reading = snapshot.readings().find(|(metric, _)| metric.name == name)?.1;
    if let Reading::Gauge(value) = reading { value } else { None }
}

#[test]
fn a_closed_load_by_time_counts_what_the_target_counts() {
    let target = target(Behaviour::default());
    let plan = Plan { users: Some(8), threads: Some(2), duration: Some(300 * MS), ..Plan::get(url(&target)) };
    let (totals, figures) = run(&plan);
    assert_agree(&target, &totals, &figures);
    assert!(figures.requests > 100 && figures.errors == 0, "{figures:?}");
    assert_eq!((totals.completed, totals.unfinished), (figures.requests, 0));
    assert_eq!(figures.response_time.count(), 0);
    // Both heads and the body, to the byte.
    assert_eq!(figures.bytes_out % figures.requests, 0);
    assert_eq!(figures.bytes_in / figures.requests, 103);
}

#[test]
fn iterations_run_all_their_steps_in_order_for_each_user() {
    let target = target(Behaviour::default());
    let step = |name: &str, method: &str, body: Option<&str>| Step {
        name: Some(name.to_owned()),
        method: Some(method.to_owned()),
        body: body.map(str::to_owned),
        ..Step::default()
    };
    let steps =
        vec![step("look", "GET", None), step("ask", "HEAD", None), step("buy", "POST", Some("0123456789"))];
    let plan =
        Plan { users: Some(5), threads: Some(2), iterations: Some(20), steps, ..Plan::get(url(&target)) };
    let (totals, figures) = run(&plan);
    assert_agree(&target, &totals, &figures);
    assert_eq!((totals.scheduled, totals.completed, figures.requests), (100, 100, 300));
    let steps: Vec<_> =
        figures.steps.iter().map(|(name, step)| (name.as_str(), step.requests, step.errors)).collect();
    assert_eq!(steps, [("look", 100, 0), ("ask", 100, 0), ("buy", 100, 0)]);
    let (look, ask) = (&figures.steps[0].1, &figures.steps[1].1);
    assert_eq!(look.bytes_in - ask.bytes_in, 100 * 38, "a response to HEAD has no body");
}

#[test]
fn an_open_load_sends_exactly_what_is_scheduled() {
    let target = target(Behaviour::default());
    for (rate, threads, expected) in [(1000.0, 2, 500), (333.0, 3, 167), (10_000.0, 1, 5000)] {
        let before = target.requests();
        let plan = Plan {
            rate: Some(rate),
            connections: Some(8),
            threads: Some(threads),
            duration: Some(500 * MS),
            ..Plan::get(url(&target))
        };
        let (totals, figures) = run(&plan);
        assert_eq!((totals.scheduled, totals.completed, totals.dropped), (expected, expected, 0));
        assert_eq!((figures.requests, target.requests() - before), (expected, expected));
        assert_eq!((figures.latency.count(), figures.response_time.count()), (expected, expected));
    }
}

#[test]
fn a_rate_keeps_its_times() {
    let target = target(Behaviour::default());
    let plan =
        Plan { rate: Some(100.0), connections: Some(4), duration: Some(500 * MS), ..Plan::get(url(&target)) };
    let begin = Instant::now();
    let (_, figures) = run(&plan);
    assert!((490 * MS..1500 * MS).contains(&begin.elapsed()), "the last of 50 is due after 490 ms");
    assert!(
        figures.response_time.quantile(0.5).unwrap() < 5_000_000,
        "{:?}",
        figures.response_time.quantile(0.5)
    );
}

#[test]
fn connections_work_side_by_side() {
    let target = target(Behaviour { delay: "50ms".parse().unwrap(), ..Behaviour::default() });
    let plan = Plan { connections: Some(20), ..Plan::get(url(&target)) };
    let (totals, figures) = run(&Plan { rate: Some(100.0), duration: Some(500 * MS), ..plan.clone() });
    assert_agree(&target, &totals, &figures);
    assert!(
        figures.response_time.quantile(0.9).unwrap() < 90_000_000,
        "{:?}",
        figures.response_time.quantile(0.9)
    );
    let (totals, figures) = run(&Plan { iterations: Some(5), ..plan });
    assert_eq!(figures.requests, 100);
    assert!((250 * MS..1000 * MS).contains(&totals.elapsed), "{:?}", totals.elapsed);
}

#[test]
fn a_stall_shows_in_response_times_and_not_in_service_times() {
    let stall = Stall::new(200 * MS, 1000 * MS);
    let target = target(Behaviour { stall, ..Behaviour::default() });
    let plan = Plan {
        rate: Some(500.0),
        connections: Some(16),
        duration: Some(4000 * MS),
        ..Plan::get(url(&target))
    };
    let (totals, figures) = run(&plan);
    assert_eq!((totals.completed, figures.requests, target.requests()), (2000, 2000, 2000));
    // One in five waits, up to 200 ms: the 90th percentile is half of that. The median does not wait.
    let ms = |q| figures.response_time.quantile(q).unwrap() / 1_000_000;
    assert!(
        ms(0.5) < 20 && (70..160).contains(&ms(0.9)) && (150..260).contains(&ms(0.99)),
        "{} {} {}",
        ms(0.5),
        ms(0.9),
        ms(0.99)
    );
    assert!(figures.latency.quantile(0.9).unwrap() < 20_000_000, "sixteen connections see a stall once each");
}

#[test]
fn arrivals_that_find_no_connection_until_the_timeout_are_dropped_and_counted() {
    // One connection, 100 ms a request, 10 requests a second: of 100 arrivals it serves those of the second that
    // the load lasts and those of the second of the drain, whose end may cut one off.
    let target = target(Behaviour { delay: "100ms".parse().unwrap(), ..Behaviour::default() });
    let plan = Plan {
        rate: Some(100.0),
        connections: Some(1),
        duration: Some(1000 * MS),
        timeout: Some(1000 * MS),
        ..Plan::get(url(&target))
    };
    let (totals, figures) = run(&plan);
    assert_eq!((totals.scheduled, totals.completed + totals.dropped + totals.unfinished), (100, 100));
    assert_eq!((totals.completed, totals.unfinished), (figures.requests, totals.requests_unfinished));
    assert!(eventually(|| target.requests() == totals.completed + totals.unfinished), "{totals:?}");
    assert!(totals.unfinished <= 1, "{totals:?}");
    assert!((15..=20).contains(&totals.completed), "{totals:?}");
    assert!(figures.response_time.max().unwrap() > 1_500_000_000);
}

#[test]
fn a_run_that_is_stopped_says_what_it_left() {
    let target = target(Behaviour { delay: "10s".parse().unwrap(), ..Behaviour::default() });
    let plan = Plan {
        rate: Some(100.0),
        connections: Some(2),
        duration: Some(60_000 * MS),
        ..Plan::get(url(&target))
    };
    let registry = Registry::new("test");
    let mut run = Run::start(&plan.check().unwrap(), &registry).unwrap();
    assert!(eventually(|| run.elapsed() > 300 * MS) && !run.is_finished());
    assert!(eventually(|| gauge(&registry, "load_test.requests.in_flight") == Some(2.0)));
    assert_eq!(gauge(&registry, "load_test.virtual_users.active"), Some(2.0));
    assert_eq!(gauge(&registry, "load_test.target_rate"), Some(100.0));
    let asked = Instant::now();
    run.stop();
    let totals = run.join().unwrap();
    assert!((900 * MS..2000 * MS).contains(&asked.elapsed()), "a second of grace: {:?}", asked.elapsed());
    assert!((25..200).contains(&totals.scheduled), "{totals:?}");
    assert_eq!((totals.unfinished, totals.requests_unfinished), (2, 2));
    assert_eq!(totals.dropped, totals.scheduled - 2);
    assert_eq!(registry.snapshot().counter("load_test.iterations.dropped"), totals.dropped);
    for name in ["load_test.requests.in_flight", "load_test.virtual_users.active", "load_test.target_rate"] {
        assert_eq!(gauge(&registry, name), Some(0.0), "{name}");
    }
}

#[test]
fn users_come_and_go_with_the_stages_and_think_between_requests() {
    let target = target(Behaviour::default());
    let spec = format!(
        r#"{{"target": "{}", "threads": 2, "think_time": "10ms",
            "stages": [{{"duration": "200ms", "users": 10}}, {{"duration": "200ms", "users": 0}}]}}"#,
        url(&target)
    );
    let (totals, figures) = run(&Plan::from_json(&spec).unwrap());
    assert_agree(&target, &totals, &figures);
    // Five users on average, a started one counted whole, for 400 ms, every 10 ms and a bit.
    assert!((60..=225).contains(&figures.requests), "{}", figures.requests);
    assert_eq!((figures.errors, totals.unfinished), (0, 0));
}

#[test]
fn an_iteration_in_a_pause_ends_with_the_run() {
    let target = target(Behaviour::default());
    let steps =
        vec![Step { think_time: Some(ThinkTime::constant(5000 * MS)), ..Step::default() }, Step::default()];
    let plan = Plan { users: Some(3), duration: Some(200 * MS), steps, ..Plan::get(url(&target)) };
    let begin = Instant::now();
    let (totals, figures) = run(&plan);
    assert!(begin.elapsed() < 1000 * MS);
    assert_eq!((totals.scheduled, totals.completed, totals.unfinished, figures.requests), (3, 0, 3, 3));
}

#[test]
fn errors_are_counted_with_their_status_and_their_duration() {
    let target = target(Behaviour { errors: 30.0, ..Behaviour::default() });
    let plan = times(target.local_addr(), 1000);
    let registry = Registry::new("test");
    Run::start(&plan.check().unwrap(), &registry).unwrap().join().unwrap();
    let snapshot = registry.snapshot();
    let figures = Figures::of(&snapshot, Duration::from_secs(1));
    assert!((250..350).contains(&figures.errors), "{}", figures.errors);
    let durations: Vec<(i64, bool, u64)> = snapshot
        .readings()
        .filter(|(metric, _)| metric.name == "http.client.request.duration")
        .map(|(metric, reading)| {
            let Some(LabelValue::Int(status)) = metric.label_value("http.response.status_code") else {
                panic!()
            };
            let Reading::Histogram(took) = reading else { panic!() };
            (*status, metric.label_value("error.type").is_some(), took.count())
        })
        .collect();
    let good = (200, false, 1000 - figures.errors);
    assert_eq!(
        {
            let mut sorted = durations;
            sorted.sort_unstable();
            sorted
        },
        [good, (500, true, figures.errors)]
    );
}

#[test]
fn expected_statuses_take_the_place_of_the_usual_ones() {
    let target = target(Behaviour { errors: 50.0, ..Behaviour::default() });
    let steps = vec![Step { expect_status: vec![500], ..Step::default() }];
    let (_, figures) = run(&Plan { steps, ..times(target.local_addr(), 100) });
    assert!((30..70).contains(&figures.errors), "the answers of 200 are the wrong ones: {}", figures.errors);
}

#[test]
fn the_target_tells_its_count_and_does_not_count_the_question() {
    let target = target(Behaviour::default());
    run(&times(target.local_addr(), 7));
    let mut stream = TcpStream::connect(target.local_addr()).unwrap();
    stream.write_all(b"GET /-/stats HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("\r\n\r\n{\"requests\":7}\n"), "{answer}");
    assert_eq!(target.requests(), 7);
    target.stop().unwrap();
}

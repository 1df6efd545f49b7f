//! Plans as long as they may be.

use std::{
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use barewire::Registry;
use barewire_runner::{Figures, Plan, Run, Step};

use crate::support::{read_head, server, timed};

/// The most that a plan may have.
const STEPS: usize = 10_000;

/// Every step is answered well by its first request and with a 500 by its second one.
fn count_both_outcomes_of_every_step(plan: Plan) {
    let requests = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&requests);
    let addr = server(move |mut stream| {
        while read_head(&mut stream) {
            let is_first = seen.fetch_add(1, Ordering::Relaxed) < STEPS as u64;
            let status = if is_first { "200 OK" } else { "500 No" };
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    });
    let step = |at: usize| Step { name: Some(format!("step {at}")), url: "/i".to_owned(), ..Step::default() };
    let steps = (0..STEPS).map(step).collect();
    let thresholds = ["error_rate <= 49%", "p95 < 1h", "error_rate <= 50%"];
    let thresholds = thresholds.map(|text| text.parse().expect("a threshold")).into();
    let plan = Plan { target: format!("http://{addr}/"), steps, thresholds, threads: Some(1), ..plan };
    let (workload, registry) = (plan.check().expect("a plan"), Registry::new("test"));
    let totals = Run::start(&workload, &registry).expect("a run").join().expect("its end");
    let figures = Figures::of(&registry.snapshot(), totals.elapsed).with_totals(&totals);
    let (all, half) = (2 * STEPS as u64, STEPS as u64);
    assert_eq!(requests.load(Ordering::Relaxed), all);
    assert_eq!((figures.requests, figures.errors, timed(&figures)), (all, half, all));
    assert_eq!((registry.folded(), figures.is_folded, figures.steps.len()), (0, false, STEPS));
    assert!(figures.steps.iter().all(|(_, step)| (step.requests, step.errors, timed(step)) == (2, 1, 2)));
    let verdicts: Vec<bool> = workload.thresholds().iter().map(|each| each.verdict(&figures).ok).collect();
    assert_eq!(verdicts, [false, false, true]);
}

#[test]
fn both_outcomes_of_ten_thousand_steps_are_counted_for_users() {
    count_both_outcomes_of_every_step(Plan { users: Some(1), iterations: Some(2), ..Plan::default() });
}

#[test]
fn both_outcomes_of_ten_thousand_steps_are_counted_under_a_rate() {
    let (connections, duration) = (Some(1), Some(Duration::from_secs(1)));
    let timeout = Some(Duration::from_secs(60));
    count_both_outcomes_of_every_step(Plan {
        rate: Some(2.0),
        connections,
        duration,
        timeout,
        ..Plan::default()
    });
}

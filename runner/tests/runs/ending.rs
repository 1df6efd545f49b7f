//! When a load ends, how long its drain may take, and which rate it is told to have had.

use std::time::{Duration, Instant};

use barewire_runner::{Behaviour, Delay, Figures, Plan, Stage, Totals};

use crate::support::{run, target};

const MS: Duration = Duration::from_millis(1);

/// A run of `plan` against a target that takes so long for each answer, and how long it took.
fn timed(delay: Duration, plan: Plan) -> (Totals, Figures, Duration) {
    let target = target(Behaviour { delay: Delay::Constant(delay), ..Behaviour::default() });
    let plan = Plan { target: format!("http://{}/", target.local_addr()), ..plan };
    let began = Instant::now();
    let (totals, figures) = run(&plan);
    (totals, figures, began.elapsed())
}

fn arrivals(rate: f64, duration: Duration) -> Plan {
    Plan { rate: Some(rate), duration: Some(duration), ..Plan::default() }
}

#[test]
fn a_rate_lasts_for_as_long_as_was_asked_and_is_told_by_that_time() {
    let (totals, figures, took) = timed(Duration::ZERO, arrivals(0.5, 1500 * MS));
    assert_eq!((totals.scheduled, totals.elapsed), (1, 1500 * MS));
    assert_eq!((figures.rate(), figures.throughput()), (Some(1.0 / 1.5), Some(1.0 / 1.5)));
    assert!(took >= 1500 * MS, "{took:?}");
}

#[test]
fn a_stage_without_arrivals_lasts_as_long_as_the_others() {
    let stage = |ms: u32, rate| Stage { duration: ms * MS, users: None, rate: Some(rate) };
    let stages = vec![stage(300, 20.0), stage(0, 0.0), stage(700, 0.0)];
    let (totals, figures, _) = timed(Duration::ZERO, Plan { rate: Some(20.0), stages, ..Plan::default() });
    assert_eq!((totals.scheduled, totals.elapsed), (6, 1000 * MS));
    assert_eq!(figures.rate(), Some(6.0));
}

#[test]
fn requests_sent_in_the_drain_are_no_part_of_the_rate_and_those_sent_before_it_are() {
    let plan = Plan { connections: Some(2), drain: Some(600 * MS), ..arrivals(400.0, 400 * MS) };
    let (totals, figures, took) = timed(20 * MS, plan);
    assert_eq!(totals.scheduled, 160);
    assert_eq!(totals.completed + totals.dropped + totals.unfinished, 160);
    // Two connections carry 100 requests a second at most, 40 by the end and 60 in the drain.
    assert!(figures.rate().is_some_and(|rate| rate <= 106.0), "{:?}", figures.rate());
    assert!(totals.late_requests > 0 && totals.dropped >= 56, "{totals:?}");
    assert_eq!(figures.requests, totals.completed);
    // Those that were cut off are slower than any that was answered.
    assert_eq!(figures.unanswered, totals.requests_unfinished);
    assert_eq!(figures.quantile_of_all(1.0).is_none(), figures.unanswered > 0);
    assert!(totals.drained >= 600 * MS && took < 5 * Duration::from_secs(1), "{took:?}");

    let (totals, figures, _) = timed(50 * MS, Plan { connections: Some(64), ..arrivals(100.0, 500 * MS) });
    assert_eq!((totals.scheduled, totals.late_requests, figures.requests), (50, 0, 50));
    assert_eq!(figures.throughput(), Some(100.0));
}

#[test]
fn a_drain_bounds_the_end_of_users_and_of_arrivals_and_counts_what_it_cut() {
    let never = Duration::from_secs(3600);
    let users = Plan { users: Some(3), duration: Some(200 * MS), ..Plan::default() };
    let rate = Plan { connections: Some(3), ..arrivals(50.0, 200 * MS) };
    for (plan, dropped) in [(users, 0), (rate, 7)] {
        let plan = Plan { timeout: Some(never), drain: Some(100 * MS), ..plan };
        let (totals, figures, took) = timed(never, plan);
        assert_eq!((totals.unfinished, totals.requests_unfinished, totals.dropped), (3, 3, dropped));
        assert_eq!((figures.requests, figures.unanswered), (0, 3));
        assert!(took < Duration::from_secs(20), "{took:?}");
    }
}

#[test]
fn a_rate_keeps_the_decimals_in_which_it_was_given() {
    for (rate, seconds, scheduled) in [(0.0014, 5_000, 7), (0.001_000_1, 1_000, 2), (33.333_333_333, 3, 100)]
    {
        let plan = Plan { target: "http://h".to_owned(), ..arrivals(rate, Duration::from_secs(seconds)) };
        assert_eq!(plan.check().unwrap().scheduled(), Some(scheduled), "{rate}");
    }
}

//! `--linger`: the page after the run.

mod support;

use rustix::process::Signal;
use support::{
    Child, Ended, PATIENCE, RESULTS, Target, announced_page, barewire, barewire_to_end, http_get, poll,
};

const NOBODY: &str = "barewire: nobody fetched the last page of http://127.0.0.1:";

fn run(target: &Target, linger: &str) -> Child {
    let url = target.url();
    let load = ["run", &url, "-c", "4", "-d", "300ms", "--interval", "100ms", "--results", RESULTS];
    barewire(load.into_iter().chain(["--prometheus", "0", "--linger", linger]))
}

/// Waits until the load and the reporter have ended, so that nothing but the page is left.
fn lingers(run: &Child, target: &Target) {
    poll(PATIENCE, "the end of the load", || {
        let has_run = target.requests() > 0 && run.threads_named("load") == 0;
        (has_run && run.threads_named("barewire-sample") == 0).then_some(())
    });
}

#[test]
fn the_last_scrape_has_all_counts_and_ends_the_wait() {
    let target = Target::start(&[]);
    let run = run(&target, "1h");
    let addr = announced_page(&run);
    lingers(&run, &target);
    let last = http_get(addr, "/metrics").expect("the last page").text();
    let ended = Ended::of(run);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let total: u64 = last
        .lines()
        .filter(|line| line.starts_with("http_client_requests_total{"))
        .map(|line| line.rsplit(' ').next().and_then(|count| count.parse::<u64>().ok()).expect("a count"))
        .sum();
    assert!(total > 0, "{last}");
    assert_eq!(ended.results["requests"], total);
    let points = last.lines().filter(|line| line.starts_with("# TYPE ")).count() as u64;
    assert!(ended.results["exporters"][0]["points"].as_u64() >= Some(points), "{}", ended.results);
    assert!(!ended.stderr.contains(NOBODY), "{}", ended.stderr);
}

#[test]
fn a_page_that_nobody_fetches_costs_what_was_asked_and_a_warning() {
    let target = Target::start(&[]);
    let ended = Ended::of(run(&target, "100ms"));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains(NOBODY), "{}", ended.stderr);
    assert_eq!(ended.results["requests"], target.requests());
}

#[test]
fn an_interrupt_ends_the_wait() {
    let target = Target::start(&[]);
    let run = run(&target, "1h");
    lingers(&run, &target);
    run.signal(Signal::INT);
    let ended = Ended::of(run);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(ended.results["requests"], target.requests());
    assert!(!ended.stderr.contains(NOBODY), "{}", ended.stderr);
}

#[test]
fn a_wait_without_a_page_is_refused() {
    let ended = barewire_to_end(["run", "--otlp", "file:o.jsonl", "--linger", "1s"]);
    assert_eq!(ended.code, 2);
    assert!(
        ended.stderr.contains("--linger: this run has no page to scrape: add --prometheus"),
        "{}",
        ended.stderr
    );
}

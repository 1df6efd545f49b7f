//! `--linger`: the page after the run.

mod support;

use std::net::SocketAddr;

use rustix::process::Signal;
use support::{
    Child, Ended, PATIENCE, RESULTS, Target, announced_page, barewire, barewire_to_end, exchange, poll,
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
    let last = fetch(addr, "Prometheus/3.5.3", "X-Prometheus-Scrape-Timeout-Seconds: 1\r\n");
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
    let said =
        format!("the last page of http://{addr}/metrics was fetched by 127.0.0.1 (Prometheus/3.5.3)\n");
    assert!(ended.stdout.contains(&said) && ended.stderr.is_empty(), "{}", ended.stderr);
}

/// The page, for a scraper that calls itself so.
fn fetch(addr: SocketAddr, agent: &str, header: &str) -> String {
    let request = format!("GET /metrics HTTP/1.0\r\nUser-Agent: {agent}\r\n{header}\r\n");
    exchange(addr, request.as_bytes()).expect("a page").text().to_string()
}

#[test]
fn one_curl_costs_nothing_and_a_scraper_that_has_a_rhythm_is_waited_for() {
    let target = Target::start(&[]);
    let run = run(&target, "1h");
    let addr = announced_page(&run);
    fetch(addr, "curl/8.5.0", "");
    let ended = Ended::of(run);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains(NOBODY) && ended.stderr.contains("has no rhythm"), "{}", ended.stderr);

    let run = self::run(&target, "1h");
    let addr = announced_page(&run);
    fetch(addr, "curl/8.5.0", "");
    fetch(addr, "clocked", "X-Prometheus-Scrape-Timeout-Seconds: 1\r\n");
    lingers(&run, &target);
    fetch(addr, "curl/8.5.0", "");
    fetch(addr, "clocked", "X-Prometheus-Scrape-Timeout-Seconds: 1\r\n");
    let ended = Ended::of(run);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stdout.contains("127.0.0.1 (clocked)"), "{}", ended.stdout);
}

#[test]
fn who_has_the_last_page_and_who_has_not_is_told_apart() {
    let target = Target::start(&[]);
    let run = run(&target, "2s");
    let addr = announced_page(&run);
    fetch(addr, "late", "X-Prometheus-Scrape-Timeout-Seconds: 1\r\n");
    lingers(&run, &target);
    fetch(addr, "Prometheus/3.5.3", "X-Prometheus-Scrape-Timeout-Seconds: 1\r\n");
    let ended = Ended::of(run);
    assert!(ended.stdout.contains("was fetched by 127.0.0.1 (Prometheus/3.5.3)\n"), "{}", ended.stdout);
    let said = "127.0.0.1 (late) scraped before, and did not fetch the last page of http://";
    assert!(ended.stderr.contains(said) && !ended.stderr.contains("nobody"), "{}", ended.stderr);
}

#[test]
fn a_page_that_nobody_fetches_costs_what_was_asked_and_a_warning() {
    let target = Target::start(&[]);
    let ended = Ended::of(run(&target, "100ms"));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains(NOBODY) && ended.stderr.contains("longer --linger"), "{}", ended.stderr);
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

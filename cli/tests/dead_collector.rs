//! A receiver that is slow, or gone, costs the run nothing but resolution.

mod support;

use serde_json::Value;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;
use support::{Collector, Ended, RESULTS, Target, barewire, barewire_to_end, free_port, otlp, poll};

/// Each of these tests has the machine for itself: both measure.
static ALONE: Mutex<()> = Mutex::new(());

/// How much memory may come and go at a run's own pace.
const SLACK_KIB: u64 = 4 << 10;

fn count(results: &Value, name: &str) -> u64 {
    results["exporters"][0][name].as_u64().unwrap_or_else(|| panic!("{name} is not in {results:#}"))
}

#[test]
fn a_collector_that_freezes_misses_ticks_and_gets_all_counts_afterwards() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (target, collector) = (Target::start(&[]), Collector::start());
    let (url, otlp_url) = (target.url(), collector.otlp_url());
    let run = barewire(["run", &url, "-d", "10s", "--otlp", &otlp_url, "--results", RESULTS]);
    poll(Duration::from_secs(5), "two documents", || (collector.documents().len() >= 2).then_some(()));
    let early_kib = run.rss_kib();
    collector.child.stop();
    // The length of the freeze is what is tried: longer than a send may take.
    thread::sleep(Duration::from_millis(4500));
    let frozen_kib = run.rss_kib();
    collector.child.cont();
    poll(Duration::from_secs(5), "a delivery", || run.log().contains("otlp delivers again").then_some(()));
    let late_kib = run.rss_kib().max(frozen_kib);

    let ended = Ended::of(run);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let [sent, dropped, failed, timed_out] =
        ["sent", "dropped", "failed", "timed_out"].map(|name| count(&ended.results, name));
    assert!(dropped > 0 && timed_out > 0 && sent > 4, "{:#}", ended.results["exporters"]);
    assert_eq!(failed, 0, "{:#}", ended.results["exporters"]);
    assert!(late_kib <= early_kib + SLACK_KIB, "from {early_kib} KiB to {late_kib} KiB");

    let requests = ended.results["requests"].as_u64().expect("requests") as f64;
    assert_eq!(target.requests() as f64, requests);
    poll(Duration::from_secs(10), "the last document", || {
        collector.last_sum("http.client.requests").filter(|sum| *sum == requests)
    });
    let documents = collector.documents();
    let sums = documents.iter().filter_map(|document| otlp::cumulative_sum(document, "http.client.requests"));
    assert!(sums.is_sorted(), "a cumulative sum never falls");
    let log = &ended.stderr;
    let told = ["otlp does not deliver: ", "otlp delivers again"].map(|text| log.matches(text).count());
    assert_eq!(told, [1, 1], "{log}");
}

#[test]
fn a_collector_that_is_not_there_costs_one_line_and_no_speed() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let target = Target::start(&[]);
    let (url, nobody) = (target.url(), format!("http://127.0.0.1:{}", free_port()));
    let base = ["run", &url, "-c", "16", "-d", "1s", "--interval", "100ms", "--results", RESULTS];
    let rate = |ended: &Ended| ended.results["rps"].as_f64().expect("a rate");
    // Two cores and their other users: within minutes a machine may be half as fast again, so a run
    // is compared with the one right before it, and the best pair tells most of what is possible.
    let mut pairs = Vec::new();
    let no_slower = (0..10).any(|_| {
        let without = barewire_to_end(base);
        let with = barewire_to_end(base.into_iter().chain(["--otlp", &nobody]));
        assert_eq!((without.code, with.code), (0, 0), "{}", with.stderr);
        says_once_that_nobody_is_there(&with);
        pairs.push([rate(&without), rate(&with)]);
        pairs.len() >= 3 && pairs.iter().any(|[without, with]| *with >= 0.95 * without)
    });
    assert!(no_slower, "requests a second without and with: {pairs:?}");
}

fn says_once_that_nobody_is_there(ended: &Ended) {
    let exporter = &ended.results["exporters"][0];
    assert!(count(&ended.results, "failed") > 2, "{exporter:#}");
    assert_eq!((count(&ended.results, "sent"), &exporter["complete"]), (0, &false.into()));
    assert_eq!(ended.stderr.matches("barewire: otlp does not deliver: ").count(), 1, "{}", ended.stderr);
    assert!(ended.stdout.contains("otlp: the last snapshot was not delivered: "), "{}", ended.stdout);
}

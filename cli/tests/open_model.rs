//! Under a rate, the response time tells what a stalled target does to its users; the service time alone does not.

mod support;

use serde_json::Value;
use support::{RESULTS, Target, barewire_to_end};

/// How often it is measured at most: whatever else the machine does meanwhile can only make users wait longer.
const ATTEMPTS: usize = 3;

/// With S = 1 s stalled in every T = 5 s, hardly any base latency and a backlog that is served in f(S): a share of
/// S / T / (1 - rate / capacity) of all arrivals waits, evenly spread from nothing to a second. So the quantile q is
/// 1 s · (1 - (1 - q) · 5): p90 500 ms, p95 750 ms, p99 950 ms, mean 100 ms. It does not matter where in a period
/// the run begins, as it lasts for four whole ones.
#[test]
fn a_stall_of_one_second_in_five_is_told_as_its_users_feel_it() {
    let target = Target::start(&["--stall", "1s/5s"]);
    let mut deviations = Vec::new();
    let is_told = (1..=ATTEMPTS).any(|attempt| {
        let results = a_run_whose_counts_are_exact(&target, 40_000 * attempt as u64);
        deviations = deviations_of(&results);
        deviations.is_empty()
    });
    assert!(is_told, "in {ATTEMPTS} attempts; the last one: {deviations:#?}");
}

/// 2000 requests a second for 20 s, which are all of them done, however long that took.
fn a_run_whose_counts_are_exact(target: &Target, requests_so_far: u64) -> Value {
    let url = target.url();
    let run = ["run", &url, "-r", "2000", "-d", "20s", "-c", "64", "--quiet", "--results", RESULTS];
    let ended = barewire_to_end(run);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", ""));

    let count = |path: &str| ended.results.pointer(path).and_then(Value::as_u64).expect("a count");
    let counts = ["/requests", "/iterations/scheduled", "/iterations/completed"].map(count);
    assert_eq!(counts, [40_000; 3], "{:#}", ended.results);
    assert_eq!(["/errors", "/iterations/dropped", "/iterations/unfinished"].map(count), [0; 3]);
    assert_eq!(target.requests(), requests_so_far);
    ended.results
}

/// The figures that are not what the arithmetic says.
fn deviations_of(results: &Value) -> Vec<String> {
    let told = |of: &str, figure: &str| results[of][figure].as_f64().expect("milliseconds");
    let expected = [
        ("response_time_ms", "p90", 470.0..=560.0),
        ("response_time_ms", "p95", 725.0..=790.0),
        ("response_time_ms", "p99", 935.0..=985.0),
        ("response_time_ms", "mean", 95.0..=118.0),
        // Only those that are on their way when a stall begins see it: 4 · 64 of 40 000.
        ("latency_ms", "p99", 0.0..=300.0),
    ];
    let off = expected.into_iter().filter(|(of, figure, range)| !range.contains(&told(of, figure)));
    off.map(|(of, figure, range)| format!("{of} {figure}: {} is not in {range:?}", told(of, figure)))
        .collect()
}

//! Under a rate, the response time tells what a stalled target does to its users; the service time alone does not.

mod support;

use serde_json::Value;
use support::{RESULTS, Target, barewire_to_end};

/// With S = 1 s stalled in every T = 5 s, hardly any base latency and a backlog that is served in f(S): a share of
/// S / T / (1 - rate / capacity) of all arrivals waits, evenly spread from nothing to a second. So the quantile q is
/// 1 s · (1 - (1 - q) · 5): p90 500 ms, p95 750 ms, p99 950 ms, mean 100 ms. It does not matter where in a period
/// the run begins, as it lasts for four whole ones.
#[test]
fn a_stall_of_one_second_in_five_is_told_as_its_users_feel_it() {
    let target = Target::start(&["--stall", "1s/5s"]);
    let url = target.url();
    let ended = barewire_to_end([
        "run",
        &url,
        "-r",
        "2000",
        "-d",
        "20s",
        "-c",
        "64",
        "--quiet",
        "--results",
        RESULTS,
    ]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", ""));

    let count = |path: &str| ended.results.pointer(path).and_then(Value::as_u64).expect("a count");
    let counts = ["/requests", "/iterations/scheduled", "/iterations/completed"].map(count);
    assert_eq!(counts, [40_000; 3], "{:#}", ended.results);
    assert_eq!(["/errors", "/iterations/dropped", "/iterations/unfinished"].map(count), [0; 3]);
    assert_eq!(target.requests(), 40_000);

    let told = |of: &str, figure: &str| ended.results[of][figure].as_f64().expect("milliseconds");
    for (figure, range) in
        [("p90", 470.0..=560.0), ("p95", 725.0..=790.0), ("p99", 935.0..=985.0), ("mean", 95.0..=118.0)]
    {
        let ms = told("response_time_ms", figure);
        assert!(range.contains(&ms), "{figure}: {ms} ms is not in {range:?}: {:#}", ended.results);
    }
    // Only those that are on their way when a stall begins see it: 4 · 64 of 40 000.
    let served = told("latency_ms", "p99");
    assert!(served < 300.0, "service time p99: {served} ms");
}

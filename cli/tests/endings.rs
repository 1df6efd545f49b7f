//! How a run ends, and what is left of it.

mod support;

use rustix::process::Signal;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};
use support::{
    Child, Collector, Dir, Ended, PATIENCE, RESULTS, Target, announced_page, barewire, barewire_to_end,
    free_port, http_get, otlp, poll,
};

const DOCUMENTS: &str = "o.jsonl";

fn documents(ended: &Ended) -> Vec<Value> {
    otlp::documents(&ended.dir.read(DOCUMENTS))
}

fn requests(ended: &Ended) -> u64 {
    ended.results["requests"].as_u64().expect("requests")
}

/// Waits until the run has told of something, so that it is in its midst.
fn midst(run: &Child, file: &str) {
    poll(PATIENCE, "a document", || run.dir().read(file).contains('\n').then_some(()));
}

#[test]
fn an_interrupted_run_ends_in_order() {
    let target = Target::start(&["--delay", "1ms"]);
    let url = target.url();
    for (signal, name, code) in
        [(Signal::INT, "SIGINT", 130), (Signal::TERM, "SIGTERM", 143), (Signal::HUP, "SIGHUP", 129)]
    {
        let before = target.requests();
        let run = barewire(
            ["run", &url, "-c", "8", "-d", "60s", "--otlp", "file:o.jsonl", "--profile", "tigrister"]
                .into_iter()
                .chain(["--interval", "100ms", "--results", RESULTS]),
        );
        midst(&run, DOCUMENTS);
        run.signal(signal);
        let ended = Ended::of(run);

        assert_eq!((ended.code, &ended.results["ended_by"]), (code, &json!(name)), "{}", ended.stderr);
        let told = format!("\nended by {name} after ");
        assert!(ended.stdout.contains(&told) && ended.stdout.contains(" s of 60 s\n"), "{}", ended.stdout);
        let told = format!("  {} requests, ", requests(&ended));
        assert!(ended.stdout.contains(&told), "no {told:?} in {}", ended.stdout);
        assert_eq!((&ended.results["status"], &ended.results["errors"]), (&json!("aborted"), &json!(0)));
        assert_eq!(target.requests() - before, requests(&ended));
        let (documents, all) = (documents(&ended), requests(&ended) as f64);
        let (last, earlier) = documents.split_last().expect("documents");
        assert_eq!(otlp::cumulative_sum(last, "http.client.requests"), Some(all));
        assert!(documents.iter().all(|document| status(document) == "running"));
        assert!(
            earlier
                .iter()
                .all(|document| verdicts(document) == [("passed", 0.0), ("failed", 0.0), ("aborted", 0.0)])
        );
        assert_eq!(verdicts(last), [("passed", 0.0), ("failed", 0.0), ("aborted", 1.0)]);
    }
}

/// The series of `load_test.verdict`.
fn verdicts(document: &Value) -> Vec<(&str, f64)> {
    let metrics = otlp::items(&document["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]);
    let verdict = metrics.filter(|metric| metric["name"] == "load_test.verdict").last().expect("a verdict");
    otlp::items(&verdict["gauge"]["dataPoints"])
        .map(|point| {
            let value = point["asDouble"].as_f64().or_else(|| point["asInt"].as_str()?.parse().ok());
            (otlp::attribute(point, "verdict").expect("a verdict"), value.expect("a value"))
        })
        .collect()
}

fn status(document: &Value) -> &str {
    let resource = &document["resourceMetrics"][0]["resource"];
    otlp::attribute(resource, "load_test.status").expect("a status")
}

#[test]
fn requests_that_never_come_back_do_not_hold_up_the_end() {
    let target = Target::start(&["--delay", "1h"]);
    let url = target.url();
    let run = barewire(
        ["run", &url, "-c", "8", "-d", "60s", "--timeout", "1h", "--otlp", "file:o.jsonl"]
            .into_iter()
            .chain(["--interval", "100ms", "--results", RESULTS]),
    );
    midst(&run, DOCUMENTS);
    run.signal(Signal::INT);
    let asked = Instant::now();
    let ended = Ended::of(run);
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert_eq!(ended.code, 130, "{}", ended.stderr);
    assert_eq!((requests(&ended), &ended.results["iterations"]["unfinished"]), (0, &json!(8)));
    // The signal is told, not the second that it left to what was in flight.
    let [after, lasted] =
        ["ended_after_s", "duration_s"].map(|name| ended.results[name].as_f64().expect(name));
    assert!(lasted - after >= 1.0, "{after} s of {lasted} s");
    let told = format!("\nended by SIGINT after {} s of 60 s\n", (after * 10.0).round() / 10.0);
    assert!(ended.stdout.contains(&told), "no {told:?} in {}", ended.stdout);
    assert_eq!(ended.results["unanswered"], 8);
    assert!(ended.stdout.contains("  8 iterations scheduled: 0 completed, 0 dropped, 8 unfinished"));
    assert_eq!(ended.results["latency_ms"]["p99"], Value::Null);
}

#[test]
fn a_drain_is_bound_told_while_it_lasts_and_what_it_cut_is_counted() {
    let target = Target::start(&["--delay", "1h"]);
    let url = target.url();
    let load = ["run", &url, "-r", "40", "-c", "2", "-d", "500ms", "--drain", "4500ms", "--timeout", "1h"];
    let ended = barewire_to_end(load.into_iter().chain(["--results", RESULTS]));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("\ndraining, 2 in flight and 18 due, "), "{}", ended.stderr);
    let (results, drained) = (&ended.results, &ended.results["drained_s"]);
    assert!(drained.as_f64().is_some_and(|drained| (4.5..20.0).contains(&drained)), "{drained}");
    let counts =
        ["scheduled", "completed", "dropped", "unfinished"].map(|what| results["iterations"][what].as_u64());
    assert_eq!(counts, [20, 0, 18, 2].map(Some), "{results:#}");
    assert_eq!((&results["unanswered"], &results["duration_s"]), (&json!(2), &json!(0.5)));
    assert!(ended.stdout.contains(" s, 2 requests were cut off unanswered\n"), "{}", ended.stdout);

    let load =
        ["run", &url, "-c", "3", "-d", "200ms", "--drain", "0s", "--timeout", "1h", "--results", RESULTS];
    let ended = barewire_to_end(load);
    assert_eq!((ended.code, &ended.results["unanswered"]), (0, &json!(3)), "{}", ended.stderr);
    assert!(ended.stdout.contains("s, 3 requests were cut off unanswered\n"), "{}", ended.stdout);
}

#[test]
fn the_second_interrupt_ends_the_process_at_once() {
    let (target, collector) = (Target::start(&[]), Collector::start());
    let (url, otlp_url) = (target.url(), collector.otlp_url());
    let mut run = barewire(["run", &url, "-d", "60s", "--interval", "100ms", "--otlp", &otlp_url]);
    poll(PATIENCE, "a document", || collector.documents().pop());
    collector.child.stop();
    run.signal(Signal::INT);
    // Its threads have ended, and the final flush hangs.
    poll(PATIENCE, "the end of the load", || (run.threads_named("load") == 0).then_some(()));
    assert_eq!(run.exited(), None);
    run.signal(Signal::INT);
    let asked = Instant::now();
    assert_eq!(run.wait(PATIENCE).code(), Some(130));
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    collector.child.cont();
}

#[test]
fn receivers_that_never_answer_cost_one_time_out_of_three_seconds_at_the_end() {
    let target = Target::start(&[]);
    let mutes = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
    let urls = mutes.each_ref().map(|mute| format!("http://{}", mute.local_addr().expect("an address")));
    let url = target.url();
    // A busy machine may take its time, and is asked again.
    let in_time = (0..4).any(|_| {
        let begun = Instant::now();
        let outputs = urls.iter().flat_map(|url| ["--otlp", url]);
        let ended =
            barewire_to_end(["run", &url, "-d", "500ms", "--results", RESULTS].into_iter().chain(outputs));
        let took = begun.elapsed();
        for each in 0..urls.len() {
            assert_eq!((ended.code, &ended.results["exporters"][each]["complete"]), (0, &json!(false)));
        }
        assert!(ended.stdout.contains("  otlp: the last snapshot was not delivered: "), "{}", ended.stdout);
        took < Duration::from_millis(5000)
    });
    assert!(in_time, "the load takes 0.5 s, and one time-out 3 s");
}

#[test]
fn standard_output_holds_documents_and_nothing_else() {
    let target = Target::start(&[]);
    let url = target.url();
    let ended =
        barewire_to_end(["run", &url, "-c", "4", "-d", "1s", "--interval", "200ms"].into_iter().chain([
            "--otlp",
            "-",
            "--results",
            RESULTS,
        ]));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let documents = otlp::documents(&ended.stdout);
    assert_eq!(otlp::all_documents(&ended.stdout).count(), ended.stdout.lines().count());
    let sums: Vec<_> =
        documents.iter().filter_map(|each| otlp::cumulative_sum(each, "http.client.requests")).collect();
    assert!(sums.len() >= 3 && sums.is_sorted(), "{sums:?}");
    assert_eq!(sums.last(), Some(&(target.requests() as f64)));
    assert!(ended.stderr.contains(&format!("  {} requests, ", target.requests())), "{}", ended.stderr);
}

#[test]
fn a_threshold_that_is_not_kept_is_exit_code_1() {
    let target = Target::start(&[]);
    let run = |threshold: &str| {
        let spec = format!(
            r#"{{"target": "{}", "users": 2, "duration": "500ms", "thresholds": ["error_rate <= 1%", "{threshold}"]}}"#,
            target.url()
        );
        let flags = ["--otlp", "file:o.jsonl", "--interval", "100ms", "--results", RESULTS];
        barewire_to_end(["run", &spec].into_iter().chain(flags))
    };
    for (threshold, code, status, mark) in
        [("p95 < 1h", 0, "passed", "  ok     p95"), ("p95 < 1ns", 1, "failed", "  FAILED p95")]
    {
        let ended = run(threshold);
        assert_eq!((ended.code, &ended.results["status"]), (code, &json!(status)), "{}", ended.stderr);
        assert!(ended.stdout.contains(mark), "{}", ended.stdout);
        let verdicts: Vec<_> = otlp::items(&ended.results["thresholds"]).map(|each| &each["ok"]).collect();
        assert_eq!(verdicts, [&json!(true), &json!(code == 0)]);
        let documents = documents(&ended);
        let last = documents.last().expect("a document");
        assert_eq!(self::status(last), "running");
        let told = self::verdicts(last).into_iter().filter(|(_, value)| *value == 1.0);
        assert_eq!(told.collect::<Vec<_>>(), [(status, 1.0)]);
        let gauges = otlp::metrics(last, "load_test.threshold.ok");
        let ok: Vec<_> =
            gauges.flat_map(|gauge| otlp::items(&gauge["gauge"]["dataPoints"])).map(otlp::number).collect();
        assert_eq!(ok, [1.0, f64::from(1 - code)]);
    }
}

#[test]
fn a_quiet_run_says_nothing() {
    let target = Target::start(&[]);
    let url = target.url();
    let ended = barewire_to_end(["run", &url, "-d", "1200ms", "--quiet", "--results", RESULTS]);
    assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (0, "", ""));
    assert_eq!(requests(&ended), target.requests());
}

#[test]
fn a_reader_that_leaves_ends_nothing() {
    let target = Target::start(&[]);
    let mut command = Command::new("sh");
    // Nobody reads the pipe that both outputs go to.
    command.args(["-c", "{ \"$@\" 2>&1; echo $? >code; } | true", "sh", env!("CARGO_BIN_EXE_barewire")]);
    command.args(["run", &target.url(), "-d", "1200ms", "--interval", "100ms", "--results", RESULTS]);
    command.args(["--otlp", &format!("http://127.0.0.1:{}", free_port())]);
    let ended = Ended::of(Child::start(command, Dir::new()));
    assert_eq!((ended.dir.read("code").trim(), requests(&ended)), ("0", target.requests()));
    // The lane that could not warn goes on.
    assert!(ended.results["exporters"][0]["failed"].as_u64() > Some(5), "{:#}", ended.results);
}

#[test]
fn the_page_grows_as_long_as_the_run_lasts() {
    let target = Target::start(&[]);
    let url = target.url();
    let run = barewire(["run", &url, "-c", "4", "-d", "60s", "--interval", "100ms", "--prometheus", "0"]);
    let page = announced_page(&run);
    let count = || {
        let text = http_get(page, "/metrics").ok()?.text();
        let line = text.lines().find(|line| line.starts_with("http_client_requests_total{"))?.to_owned();
        line.rsplit_once(' ')?.1.parse::<u64>().ok()
    };
    let first = poll(PATIENCE, "a count", count);
    poll(PATIENCE, "a higher count", || count().filter(|later| *later > first));
    let health = http_get(page, "/-/healthy").expect("an answer");
    assert_eq!(health.status, 200);
    run.signal(Signal::INT);
    let ended = Ended::of(run);
    assert_eq!(ended.code, 130, "{}", ended.stderr);
}

/// Name, kind, unit.
type Row = (&'static str, &'static str, &'static str);

/// The vocabulary of Tigrister as published.
const TIGRISTER: [Row; 11] = [
    ("load_test.verdict", "gauge", "1"),
    ("http.client.request.duration.avg", "gauge", "ms"),
    ("http.client.request.duration.p50", "gauge", "ms"),
    ("http.client.request.duration.p90", "gauge", "ms"),
    ("http.client.request.duration.p95", "gauge", "ms"),
    ("http.client.request.duration.p99", "gauge", "ms"),
    ("http.client.request.throughput", "gauge", "req/s"),
    ("http.client.request.error_rate", "gauge", "1"),
    ("load_test.virtual_users.active", "gauge", "1"),
    ("http.client.requests", "sum", "1"),
    ("http.client.errors", "sum", "1"),
];

/// Ours, by step.
const BY_STEP: [Row; 9] = [
    ("load_test.step.duration.avg", "gauge", "ms"),
    ("load_test.step.duration.p50", "gauge", "ms"),
    ("load_test.step.duration.p90", "gauge", "ms"),
    ("load_test.step.duration.p95", "gauge", "ms"),
    ("load_test.step.duration.p99", "gauge", "ms"),
    ("load_test.step.throughput", "gauge", "req/s"),
    ("load_test.step.error_rate", "gauge", "1"),
    ("load_test.step.requests", "sum", "1"),
    ("load_test.step.errors", "sum", "1"),
];

#[test]
fn both_profiles_at_once_are_told_in_their_own_words() {
    let (target, collector) = (Target::start(&["--errors", "25"]), Collector::start());
    let spec = format!(
        r#"{{"name": "shop", "type": "spike", "target": "{}", "users": 4, "duration": "1500ms", "ramp_up": "0s", "ramp_down": "0s",
            "think_time": "1ms", "steps": [{{"name": "browse", "url": "/"}}, {{"name": "buy", "url": "/buy"}}]}}"#,
        target.url()
    );
    let otlp_url = collector.otlp_url();
    let ended = barewire_to_end(
        ["run", &spec, "--otlp", &otlp_url, "--profile", "otlp=tigrister", "--profile", "otlp=barewire"]
            .into_iter()
            .chain(["--interval", "500ms", "--results", RESULTS]),
    );
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let sent = ended.results["exporters"][0]["sent"].as_u64().expect("sent");
    let documents = poll(PATIENCE, "all documents", || {
        Some(collector.documents()).filter(|documents| documents.len() as u64 == sent)
    });
    assert_eq!(collector.self_metric("otelcol_receiver_refused_metric_points_total"), 0.0);
    // The first window may end before the first request, and the last one may be too short for any.
    let [_, whole @ .., _] = &documents[..] else { panic!("{} documents", documents.len()) };
    assert!(!whole.is_empty());
    for document in whole {
        speaks_tigrister(&document["resourceMetrics"][0], &ended.results["run_id"]);
    }
    let last = documents.last().expect("a document");
    let resource = |at: usize, key: &str| otlp::attribute(&last["resourceMetrics"][at]["resource"], key);
    assert_eq!([0, 1].map(|at| resource(at, "load_test.status")), [Some("running"), Some("running")]);
    assert_eq!(verdicts(last), [("passed", 1.0), ("failed", 0.0), ("aborted", 0.0)]);
    assert_eq!(resource(1, "service.name"), Some("barewire"));
    let scope = &last["resourceMetrics"][1]["scopeMetrics"][0];
    assert_eq!(scope["scope"]["name"], "barewire");
    let took = otlp::items(&scope["metrics"]).find(|each| each["name"] == "http.client.request.duration");
    assert!(took.is_some_and(|took| took["unit"] == "s" && took["exponentialHistogram"].is_object()));
    // Each profile counts all of it.
    for name in ["http.client.requests", "http.client.errors"] {
        let told = otlp::cumulative_sum(last, name).expect("a sum");
        let field = name.rsplit_once('.').map_or(name, |(_, field)| field);
        assert_eq!(told, 2.0 * ended.results[field].as_f64().expect("a count"), "{name}");
    }
}

fn speaks_tigrister(resource: &Value, run_id: &Value) {
    let attribute = |key: &str| otlp::attribute(&resource["resource"], key);
    assert_eq!(attribute("service.name"), Some("shop - spike"));
    assert_eq!(attribute("load_test.test_run_id"), run_id.as_str());
    assert_eq!(attribute("load_test.spec_name"), Some("shop"));
    assert_eq!(attribute("load_test.test_type"), Some("spike"));
    let scopes: Vec<_> = otlp::items(&resource["scopeMetrics"]).collect();
    assert_eq!(scopes.len(), 1);
    assert_eq!(scopes[0]["scope"], json!({ "name": "tigrister-load-test", "version": "1.0.0" }));

    let told = |by_step: bool| {
        let metrics = otlp::items(&scopes[0]["metrics"]);
        let mut told: Vec<_> = metrics
            .map(|each| {
                (each["name"].as_str().expect("a name"), kind(each), each["unit"].as_str().expect("a unit"))
            })
            .filter(|(name, ..)| name.starts_with("load_test.step.") == by_step)
            .collect();
        told.sort();
        told
    };
    assert_eq!(told(false), sorted(TIGRISTER));
    assert_eq!(told(true), sorted(BY_STEP));
    for (name, kind, _) in BY_STEP {
        let each =
            otlp::items(&scopes[0]["metrics"]).find(|each| each["name"] == name).expect("it was there");
        let steps: Vec<_> = otlp::items(&each[kind]["dataPoints"])
            .map(|point| otlp::attribute(point, "load_test.step"))
            .collect();
        assert_eq!(steps, [Some("browse"), Some("buy")], "{name}");
    }
}

fn kind(metric: &Value) -> &'static str {
    let kinds = ["gauge", "sum", "histogram", "exponentialHistogram"];
    let kind = kinds.into_iter().find(|kind| metric[kind].is_object()).expect("a kind");
    if kind == "sum" {
        let sum = &metric["sum"];
        assert_eq!(
            (&sum["aggregationTemporality"], &sum["isMonotonic"]),
            (&json!(2), &json!(true)),
            "{metric}"
        );
    }
    kind
}

fn sorted<const N: usize>(mut table: [Row; N]) -> Vec<Row> {
    table.sort_unstable();
    table.to_vec()
}

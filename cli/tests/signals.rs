//! Logs and traces as a Collector takes them: what the encoders write is read back, and what a run tells arrives.

mod support;

use barewire::{Event, Label, Level, Metric, Registry, Sample, TraceContext, view::Scope};
use barewire_otlp_json::{LogEncoder, SpanEncoder};
use serde_json::Value;
use std::sync::Arc;
use support::{Collector, PATIENCE, RESULTS, Target, barewire_to_end, http_post, otlp, poll};

/// Text that no format is fond of.
const HOSTILE: &str = "\"\\\n\0é\u{1f600}\u{7f}\u{2028}{}";

fn scope() -> Option<Scope> {
    Some(Scope { name: "barewire".to_owned(), version: "1.0.0".to_owned() })
}

fn resource() -> Arc<[Label]> {
    [Label::new("service.name", "shop"), Label::new(HOSTILE, i64::MIN)].into()
}

/// Posts a document, and waits for as many others to be in the Collector's file.
fn read_back(collector: &Collector, path: &str, document: &[u8], key: &str) -> Value {
    let answer = http_post(collector.addr(), path, "application/json", document).expect("an answer");
    assert_eq!((answer.status, answer.text().as_str()), (200, r#"{"partialSuccess":{}}"#));
    poll(PATIENCE, "the document", || {
        otlp::all_documents(&collector.file()).find(|document| document.get(key).is_some())
    })
}

/// Without what is empty, which the Collector writes down and we do not.
fn without_empty(value: &Value) -> Value {
    let is_empty = |value: &Value| match value {
        Value::Object(fields) => fields.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    };
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(_, value)| !is_empty(value));
            kept.map(|(key, value)| (key.clone(), without_empty(value))).collect()
        }
        Value::Array(items) => items.iter().map(without_empty).collect(),
        other => other.clone(),
    }
}

#[test]
fn the_collector_hands_back_log_records_as_they_were_written() {
    let levels = [Level::Info, Level::Success, Level::Warning, Level::Error];
    let events = levels.map(|level| {
        Event::new("stage.change", 1_700_000_000_123_456_789)
            .title(format!("{level:?} {HOSTILE}"))
            .text(HOSTILE)
            .level(level)
            .label("load_test.stage", i64::MAX)
            .label(HOSTILE, HOSTILE)
            .label("", "nameless")
    });
    let mut document = Vec::new();
    LogEncoder::new(scope()).push_request(&resource(), &events, &mut document);

    let mut collector = Collector::start();
    let written = read_back(&collector, "/v1/logs", &document, "resourceLogs");
    let sent: Value = serde_json::from_slice(&document).expect("JSON");
    assert_eq!(without_empty(&written), sent);
    assert_eq!(collector.log_records().len(), 4);
    assert_eq!(collector.self_metric("otelcol_receiver_accepted_log_records_total"), 4.0);
    assert_eq!(collector.self_metric("otelcol_receiver_refused_log_records_total"), 0.0);
    assert!(collector.child.terminate().success(), "{}", collector.log());
}

#[test]
fn the_collector_hands_back_spans_as_they_were_written() {
    let registry = Registry::new("shop");
    let request = |outcome: &str| {
        Metric::new("http.client.request")
            .label("load_test.step", HOSTILE)
            .label("http.request.method", "GET")
            .label("outcome", outcome)
            .label("http.response.status_code", 503)
            .label("url.full", "http://127.0.0.1:8080/items?q=\"a\"")
            .label("server.address", "127.0.0.1")
            .label("server.port", 8080)
    };
    let traces = [
        (request("success"), 1, 1),
        (request("failure").label("error.type", "503"), u128::MAX, u64::MAX),
        (Metric::new(HOSTILE), 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c, 0xb7ad_6b71_6920_3331),
    ];
    let samples = traces.map(|(metric, trace_id, span_id)| {
        let series = registry.sample_series(metric.clone());
        let trace = Some(TraceContext { trace_id, span_id });
        let start_unix_ns = 1_700_000_000_123_456_789;
        let sample = Sample { series, start_unix_ns, duration_ns: 1_500_001, bytes: 7, counted: true, trace };
        (Arc::new(metric), sample)
    });
    let (mut document, mut pairs) = (Vec::new(), samples.iter().map(|(metric, sample)| (metric, sample)));
    SpanEncoder::new(scope()).push_request(&resource(), &mut pairs, usize::MAX, &mut document);

    let mut collector = Collector::start();
    let written = read_back(&collector, "/v1/traces", &document, "resourceSpans");
    let sent: Value = serde_json::from_slice(&document).expect("JSON");
    assert_eq!(without_empty(&written), sent);
    assert_eq!(collector.spans().len(), 3);
    assert_eq!(collector.self_metric("otelcol_receiver_accepted_spans_total"), 3.0);
    assert_eq!(collector.self_metric("otelcol_receiver_refused_spans_total"), 0.0);
    assert!(collector.child.terminate().success(), "{}", collector.log());
}

#[test]
fn a_run_streams_its_events_and_a_share_of_its_requests_to_a_collector() {
    let (target, collector) = (Target::start(&["--errors", "10"]), Collector::start());
    let (url, otlp_url) = (target.url(), collector.otlp_url());
    let ended = barewire_to_end([
        "run",
        &url,
        "-d",
        "2s",
        "-r",
        "1000",
        "--interval",
        "200ms",
        "--otlp",
        &otlp_url,
        "--trace-sample",
        "0.1",
        "--results",
        RESULTS,
    ]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let exporter = &ended.results["exporters"][0];
    let count = |name: &str| exporter[name].as_u64().unwrap_or_else(|| panic!("{name}: {exporter:#}"));
    // A tenth of what was sent, to one request a thread.
    let requests = ended.results["requests"].as_u64().expect("requests");
    let threads = ended.results["threads"].as_u64().expect("threads");
    let (spans, lost) = (count("samples"), count("samples_lost"));
    assert!(
        (spans + lost).abs_diff(requests / 10) <= threads,
        "{spans} and {lost} spans of {requests} requests"
    );
    assert!(spans > lost, "{exporter:#}");
    // On a busy machine an answer may be late: what is counted as lost may have arrived.
    let written = poll(PATIENCE, "all spans", || {
        Some(collector.spans()).filter(|written| (spans..=spans + lost).contains(&(written.len() as u64)))
    });
    let mut ids: Vec<_> = written.iter().map(|span| span["traceId"].as_str().expect("an id")).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), written.len());
    for span in &written {
        let status = otlp::attribute(span, "outcome").expect("an outcome");
        assert_eq!(span["status"]["code"] == 2, status == "failure", "{span:#}");
        assert!(span["name"].as_str().is_some_and(|name| name.starts_with("GET ")), "{span:#}");
    }
    assert!(written.iter().any(|span| span["status"]["code"] == 2));

    let records = poll(PATIENCE, "the last event", || {
        Some(collector.log_records())
            .filter(|records| records.last().is_some_and(|last| last["eventName"] == "test.stop"))
    });
    assert_eq!((&records[0]["eventName"], count("events_lost")), (&"test.start".into(), 0), "{records:#?}");
    assert!(records.len() as u64 >= count("events"), "{records:#?}");
    for signal in ["metric_points", "log_records", "spans"] {
        assert_eq!(
            collector.self_metric(&format!("otelcol_receiver_refused_{signal}_total")),
            0.0,
            "{signal}"
        );
    }
}

#[test]
fn a_collector_of_metrics_alone_gets_them_whole_and_what_it_does_not_take_is_counted() {
    let (target, collector) = (Target::start(&[]), Collector::start_for_metrics());
    let (url, otlp_url) = (target.url(), collector.otlp_url());
    let args = ["run", &url, "-d", "1s", "-r", "200", "--interval", "100ms", "--trace-sample", "1"];
    let ended = barewire_to_end(args.into_iter().chain(["--otlp", &otlp_url, "--results", RESULTS]));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(!ended.stderr.contains("does not deliver"), "{}", ended.stderr);
    let exporter = &ended.results["exporters"][0];
    assert_eq!(exporter["complete"], true, "{exporter:#}");
    for (delivered, lost) in [("events", "events_lost"), ("samples", "samples_lost")] {
        assert_eq!(exporter[delivered], 0, "{exporter:#}");
        assert!(exporter[lost].as_u64() > Some(0), "{exporter:#}");
    }
    assert!(
        exporter["last_error"].as_str().is_some_and(|error| error.contains("answered 404")),
        "{exporter:#}"
    );
    let requests = ended.results["requests"].as_u64().expect("requests") as f64;
    poll(PATIENCE, "all requests", || {
        (collector.last_sum("http.client.requests") == Some(requests)).then_some(())
    });
}

//! The main job: a real server is loaded, real receivers get the figures live, and all of them agree to the request.

mod support;

use serde_json::Value;
use std::net::SocketAddr;
use support::{
    Collector, Ended, Nginx, PATIENCE, Prometheus, RESULTS, barewire, free_port, http_get, otlp, poll,
    promtool_check, python_parse_0_0_4,
};

#[test]
fn a_run_against_nginx_is_told_alike_by_everyone() {
    let (nginx, collector) = (Nginx::start(), Collector::start());
    let page: SocketAddr = ([127, 0, 0, 1], free_port()).into();
    let prometheus = Prometheus::start(&[page]);
    // It takes some seconds to look at its targets for the first time.
    poll(PATIENCE, "the first scrape, in vain", || prometheus.value("up").filter(|up| *up == 0.0));

    let (url, otlp_url, page_addr) = (nginx.url(), collector.otlp_url(), page.to_string());
    let run = barewire(["run", &url, "-c", "64", "-d", "6s", "--otlp", &otlp_url].into_iter().chain([
        "--prometheus",
        &page_addr,
        "--results",
        RESULTS,
    ]));
    let seen_live = poll(PATIENCE, "requests on the page", || {
        let text = http_get(page, "/metrics").ok()?.text();
        text.contains("outcome=\"success\"").then_some(text)
    });
    poll(PATIENCE, "a document while the run lasts", || collector.documents().pop());
    let ended = Ended::of(run);
    assert_eq!(ended.code, 0, "{}", ended.stderr);

    let requests = ended.results["requests"].as_u64().expect("requests");
    the_collector_agrees(&collector, &ended.results, requests);
    the_page_is_read_by_others(&prometheus, &seen_live);
    the_results_are_whole(&ended.results, &url);
    assert!(ended.stdout.contains(&format!("  {requests} requests, ")), "{}", ended.stdout);
    assert_eq!(nginx.requests(), requests);
    assert_eq!(nginx.quit(), requests);
}

fn the_collector_agrees(collector: &Collector, results: &Value, requests: u64) {
    let all = requests as f64;
    let sent = results["exporters"][0]["sent"].as_u64().expect("sent");
    let documents = poll(PATIENCE, "all documents", || {
        Some(collector.documents()).filter(|documents| documents.len() as u64 == sent)
    });
    let last = documents.last().expect("a document");
    assert_eq!(otlp::cumulative_sum(last, "http.client.requests"), Some(all));
    assert!(sent >= 6, "{sent} documents in six seconds");

    let took = otlp::Exponential::only(last, "http.client.request.duration");
    assert_eq!((took.count, took.bucketed()), (requests, requests));
    let latency = |figure: &str| results["latency_ms"][figure].as_f64().expect("a latency") / 1e3;
    for (figure, q) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)] {
        let (low, high) = took.quantile(q);
        // The results' own error is a thousandth.
        let (told, low, high) = (latency(figure), low * 0.999, high * 1.001);
        assert!((low..=high).contains(&told), "{figure}: {told} is not in {low}..{high}");
    }
    let mean = took.sum / all;
    assert!((latency("mean") / mean - 1.0).abs() < 1e-3, "{mean}");

    assert_eq!(collector.self_metric("otelcol_receiver_refused_metric_points_total"), 0.0);
    let points = results["exporters"][0]["points"].as_f64().expect("points");
    assert_eq!(collector.self_metric("otelcol_receiver_accepted_metric_points_total"), points);
}

fn the_page_is_read_by_others(prometheus: &Prometheus, page: &str) {
    assert_eq!(promtool_check(page), Ok(()));
    let families = python_parse_0_0_4(page).expect("a page that Python reads");
    let names: Vec<_> = otlp::items(&families).filter_map(|family| family["name"].as_str()).collect();
    for name in ["http_client_requests", "http_client_request_duration_seconds", "http_client_received_bytes"]
    {
        assert!(names.contains(&name), "{name} is not among {names:?}");
    }
    assert_eq!(prometheus.value("max_over_time(up{job=\"test\"}[5m])"), Some(1.0));
    let growth = prometheus.value("changes(http_client_requests_total{outcome=\"success\"}[5m])");
    assert!(growth.is_some_and(|scrapes| scrapes >= 3.0), "{growth:?}");
}

fn the_results_are_whole(results: &Value, url: &str) {
    let number = |path: &str| {
        let value = results.pointer(path).unwrap_or_else(|| panic!("{path} is not in {results:#}"));
        value.as_f64().unwrap_or_else(|| panic!("{path}: {value}"))
    };
    let requests = number("/requests");
    assert!(results["run_id"].as_str().is_some_and(|id| !id.is_empty()));
    assert_eq!(results["target"], url);
    assert!((6.0..9.0).contains(&number("/duration_s")), "{}", number("/duration_s"));
    assert!((number("/rps") * number("/duration_s") / requests - 1.0).abs() < 1e-9);
    assert_eq!((number("/errors"), number("/steps/0/errors")), (0.0, 0.0));
    assert_eq!((number("/steps/0/requests"), &results["steps"][0]["name"]), (requests, &"GET /".into()));
    assert_eq!(results["errors_by_class"], serde_json::json!({}));
    assert!(number("/bytes_in") > requests * Nginx::BODY.len() as f64);
    let figures = ["mean", "p50", "p90", "p95", "p99", "p999", "max"];
    for of in ["/latency_ms", "/steps/0/latency_ms"] {
        let all = figures.map(|figure| number(&format!("{of}/{figure}")));
        assert!(all[0] > 0.0 && all[1..].is_sorted(), "{all:?}");
    }
    assert!(results.get("response_time_ms").is_none(), "a closed load has no time at which it was due");
    for (at, name) in ["otlp", "prometheus"].into_iter().enumerate() {
        assert_eq!(results["exporters"][at]["name"], name);
        for count in ["sent", "dropped", "failed", "timed_out", "points", "bytes"] {
            number(&format!("/exporters/{at}/{count}"));
        }
    }
    assert_eq!(number("/exporters/0/failed") + number("/exporters/0/timed_out"), 0.0);
}

#[test]
fn without_arguments_a_run_loads_itself_and_tells_where_its_page_is() {
    let run = barewire(["run", "-d", "2s"]);
    let page = support::announced_page(&run);
    let (count, text) = poll(PATIENCE, "requests on the page", || {
        let text = http_get(page, "/metrics").ok()?.text();
        let line = text.lines().find_map(|line| line.strip_prefix("http_client_requests_total{"))?;
        let (_, value) = line.rsplit_once(' ')?;
        Some((value.parse::<u64>().expect("a count"), text.clone()))
    });
    assert!(count > 0);
    assert_eq!(promtool_check(&text), Ok(()));
    let ended = Ended::of(run);
    assert_eq!((ended.code, ended.stdout.contains(" 0 errors; ")), (0, true), "{}", ended.stdout);
}

#[test]
fn a_run_of_several_steps_is_told_step_by_step() {
    let (target, collector) = (support::Target::start(&[]), Collector::start());
    let spec = format!(
        r#"{{"name": "shop", "target": "{}", "users": 4, "iterations": 50, "steps": [
            {{"name": "browse", "url": "/items"}}, {{"name": "buy", "url": "/orders", "body": "{{}}", "expect_status": [201]}}]}}"#,
        target.url()
    );
    let ended = support::barewire_to_end([
        "run",
        &spec,
        "--otlp",
        &collector.otlp_url(),
        "--results",
        RESULTS,
        "--interval",
        "100ms",
    ]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let counts = |step: &Value| ["requests", "errors"].map(|count| step[count].as_u64().expect("a count"));
    let steps: Vec<_> =
        otlp::items(&ended.results["steps"]).map(|step| (&step["name"], counts(step))).collect();
    assert_eq!(steps, [(&"browse".into(), [200, 0]), (&"buy".into(), [200, 200])]);
    assert_eq!((counts(&ended.results), target.requests()), ([400, 200], 400));
    let classes = serde_json::json!({ "status": 200 });
    assert_eq!(ended.results["errors_by_class"], classes);
    poll(PATIENCE, "the last document", || {
        collector.last_sum("http.client.requests").filter(|requests| *requests == 400.0)
    });
    assert_eq!(collector.last_sum("http.client.errors"), Some(200.0));
}

//! The Datadog Agent: what a run sends it by each of the three ways is what the Agent flushes.

mod support;

use serde_json::Value;
use std::net::{Ipv4Addr, UdpSocket};
use support::{Agent, Ended, PATIENCE, RESULTS, Target, barewire, poll};

/// The Agent's bins are off by 1/128, the buckets that were sent by 1/256 of their middle, the results by 1/1024.
const ERROR: f64 = 1.0 / 128.0 + 1.0 / 256.0 + 1.0 / 1024.0;

#[test]
fn a_run_is_told_alike_by_the_agent_whatever_the_way() {
    let (target, mut agent) = (Target::start(&["--delay", "1ms..20ms"]), Agent::start());
    assert!(agent.child.owns(agent.udp().port()));
    let ways = [
        ("udp", format!("udp://{}", agent.udp())),
        ("unixgram", format!("unixgram:{}", agent.datagram_socket().display())),
        ("unix", format!("unix:{}", agent.stream_socket().display())),
    ];
    // The step is what tells the three apart in one Agent.
    let runs = ways.map(|(way, destination)| {
        let spec = format!(
            r#"{{"target": "{}", "rate": 200, "duration": "4s", "steps": [{{"name": "{way}", "url": "/a|b"}}]}}"#,
            target.url()
        );
        (way, barewire(["run", &spec, "-c", "16", "-t", "1", "--statsd", &destination, "--results", RESULTS]))
    });
    for (way, run) in runs.map(|(way, run)| (way, Ended::of(run))) {
        assert_eq!(run.code, 0, "{way}: {}", run.stderr);
        assert_eq!(run.results["exporters"][0]["name"], "statsd");
        assert_eq!(run.results["exporters"][0]["complete"], true, "{}", run.results["exporters"]);
        the_agent_agrees(&agent, way, &run.results);
    }
    the_agent_knows_the_names(&agent);
    assert_eq!(agent.complaints(), Vec::<String>::new());
    // It would have said so.
    let stranger = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    stranger.send_to(b"no line", agent.udp()).expect("a datagram");
    poll(PATIENCE, "a complaint of the Agent", || (!agent.complaints().is_empty()).then_some(()));
    assert!(agent.child.terminate().success());
}

fn the_agent_agrees(agent: &Agent, way: &str, results: &Value) {
    let step = format!("load_test.step:{way}");
    let tags = [step.as_str(), "http.request.method:GET"];
    let requests = results["requests"].as_f64().expect("requests");
    assert!(requests >= 700.0, "{requests}");
    poll(PATIENCE, "all requests in the Agent's series", || {
        let total = agent.intake.total("http.client.requests", &tags);
        assert!(total < requests + 0.5, "{way}: {total} of {requests}");
        (total > requests - 0.5).then_some(())
    });
    let sketch = poll(PATIENCE, "all requests in the Agent's sketches", || {
        let sketch = agent.intake.sketch("http.client.request.duration", &tags)?;
        assert!(sketch.count as f64 <= requests, "{way}: {} of {requests}", sketch.count);
        (sketch.count as f64 == requests).then_some(sketch)
    });
    for (figure, q) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)] {
        let told = results["latency_ms"][figure].as_f64().expect("a latency") / 1e3;
        let seen = sketch.quantile(q);
        assert!((seen / told - 1.0).abs() <= ERROR, "{way}: {figure}: {seen} is not {told}");
    }
    let max = results["latency_ms"]["max"].as_f64().expect("a latency") / 1e3;
    assert!((sketch.max / max - 1.0).abs() <= ERROR, "{way}: {} is not {max}", sketch.max);
    let gauge = agent.intake.series("http.client.request.duration.p99", &tags);
    assert!(
        gauge.iter().any(|series| series.kind == "gauge" && series.values.iter().any(|value| *value > 0.0))
    );
}

fn the_agent_knows_the_names(agent: &Agent) {
    let received = agent.received();
    let duration = "http.client.request.duration";
    let derived =
        ["p50", "p90", "p95", "p99", "max", "min", "avg"].map(|suffix| format!("{duration}.{suffix}"));
    let telemetry = ["metrics", "bytes_sent", "bytes_dropped", "packets_sent", "packets_dropped"]
        .map(|name| format!("datadog.dogstatsd.client.{name}"));
    let plain = [duration, "http.client.requests", "load_test.requests.in_flight"].map(str::to_owned);
    for name in plain.iter().chain(&derived).chain(&telemetry) {
        assert!(received.iter().any(|(known, ..)| known == name), "{name} is not among {received:?}");
    }
    for way in ["udp", "unixgram", "unix"] {
        let tags = [
            format!("load_test.step:{way}"),
            "http.request.method:GET".to_owned(),
            "http.response.status_code:200".to_owned(),
        ];
        let is_one = |(name, seen, _): &(String, Vec<String>, u64)| {
            name == duration && tags.iter().all(|tag| seen.contains(tag))
        };
        assert!(received.iter().any(is_one), "{tags:?} are not among {received:?}");
    }
    for transport in ["udp", "uds", "uds-stream"] {
        let tag = format!("client_transport:{transport}");
        assert!(received.iter().any(|(_, tags, _)| tags.contains(&tag)), "{tag} is not among {received:?}");
    }
}

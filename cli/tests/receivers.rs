//! The receivers themselves: each starts, is ours, answers and stops. When these fail, no other test can be believed.

mod support;

use serde_json::json;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::process::Command;
use std::time::Duration;
use support::{
    Child, Collector, Dir, Nginx, PATIENCE, Prometheus, free_port, http_get, http_post, poll, promtool_check,
    python_parse_0_0_4, serve, strict_openmetrics,
};

const PAGE: &str = "# HELP hits_total How often.\n# TYPE hits_total counter\nhits_total{route=\"/\"} 3\n";

#[test]
fn the_collector_hands_back_the_sum_that_was_posted() {
    let mut collector = Collector::start();
    let post = |body: String| {
        http_post(collector.addr(), "/v1/metrics", "application/json", body.as_bytes())
            .expect("an answer")
            .status
    };
    assert_eq!(post("{".to_owned()), 400);
    assert_eq!(post(sum("requests", &[30, 10]).to_string()), 200);
    assert_eq!(post(sum("requests", &[30, 12]).to_string()), 200);
    assert_eq!(post(sum("errors", &[1]).to_string()), 200);
    let delta = sum("deltas", &[7]).to_string().replace("Temporality\":2", "Temporality\":1");
    assert_eq!(post(delta), 200);

    let documents =
        poll(PATIENCE, "four documents", || Some(collector.documents()).filter(|all| all.len() == 4));
    assert_eq!(documents[0]["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]["name"], "requests");
    assert_eq!(collector.last_sum("requests"), Some(42.0));
    assert_eq!(collector.last_sum("errors"), Some(1.0));
    assert_eq!(collector.last_sum("deltas"), None);
    assert_eq!(collector.last_sum("no.such.metric"), None);
    assert_eq!(collector.self_metric("otelcol_receiver_accepted_metric_points_total"), 6.0);
    assert_eq!(collector.self_metric("otelcol_receiver_refused_metric_points_total"), 0.0);

    assert!(collector.child.terminate().success(), "{}", collector.log());
}

fn sum(name: &str, values: &[u64]) -> serde_json::Value {
    let point = |(number, value): (usize, &u64)| {
        let attributes = json!([{ "key": "worker", "value": { "intValue": number.to_string() } }]);
        json!({ "attributes": attributes, "startTimeUnixNano": "1", "timeUnixNano": "2", "asInt": value.to_string() })
    };
    let points: Vec<_> = values.iter().enumerate().map(point).collect();
    let sum = json!({ "aggregationTemporality": 2, "isMonotonic": true, "dataPoints": points });
    json!({ "resourceMetrics": [{ "scopeMetrics": [{ "metrics": [{ "name": name, "sum": sum }] }] }] })
}

#[test]
fn prometheus_scrapes_a_target_and_answers_queries() {
    let mut prometheus = Prometheus::start(&[]);
    let mut observer = Prometheus::start(&[prometheus.addr()]);
    poll(PATIENCE, "the target is up", || (observer.targets_up() == 1).then_some(()));
    // A scrape is told of before what it brought can be asked for.
    let up = poll(PATIENCE, "the figures of a scrape", || observer.value("up{job=\"test\"}"));
    assert_eq!(up, 1.0);
    assert_eq!(observer.value("up > 1"), None);

    assert!(prometheus.child.terminate().success());
    poll(PATIENCE, "the target is down", || (observer.targets_up() == 0).then_some(()));
    assert!(observer.child.terminate().success());
}

#[test]
fn nginx_counts_requests_live_and_in_its_log() {
    let nginx = Nginx::start();
    assert_eq!(nginx.requests(), 0);
    for _ in 0..3 {
        let answer = http_get(nginx.addr(), "/").expect("an answer");
        assert_eq!((answer.status, answer.text().as_str()), (200, Nginx::BODY));
        assert_eq!(answer.header("content-type"), Some("text/plain"));
    }
    assert_eq!(nginx.requests(), 3);
    assert_eq!(nginx.requests(), 3);
    assert_eq!(nginx.quit(), 3);
}

#[test]
fn promtool_tells_a_good_page_from_a_bad_one() {
    assert_eq!(promtool_check(PAGE), Ok(()));
    let complaint = promtool_check("hits{route=/} 3\n").expect_err("an unquoted label");
    assert!(complaint.contains("error while linting"), "{complaint}");
}

#[test]
fn python_reads_both_text_formats() {
    let samples = json!([{ "name": "hits_total", "labels": { "route": "/" }, "value": "3.0" }]);
    let families =
        json!([{ "name": "hits", "type": "counter", "unit": "", "help": "How often.", "samples": samples }]);
    assert_eq!(python_parse_0_0_4(PAGE), Ok(families.clone()));

    let openmetrics =
        PAGE.replace("HELP hits_total", "HELP hits").replace("TYPE hits_total", "TYPE hits") + "# EOF\n";
    assert_eq!(strict_openmetrics(&openmetrics), Ok(families));
    let complaint =
        strict_openmetrics(openmetrics.trim_end_matches("# EOF\n")).expect_err("a page without an end");
    assert!(complaint.contains("EOF"), "{complaint}");
}

#[test]
fn a_port_belongs_to_the_program_that_listens_on_it() {
    let nginx = Nginx::start();
    let port = nginx.addr().port();
    assert!(nginx.child.owns(port));
    assert!(!nginx.child.owns(free_port()));

    let stranger = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    assert!(!nginx.child.owns(stranger.local_addr().expect("its address").port()));
    let stranger = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    assert!(!nginx.child.owns(stranger.local_addr().expect("its address").port()));
}

#[test]
fn a_server_that_lost_its_port_is_started_with_another() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let taken = taken.local_addr().expect("its address").port();
    let tries = std::sync::atomic::AtomicU16::new(0);
    let (child, [_]) = serve(
        |_, [port]| {
            let first = tries.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
            listen(if first { taken } else { port })
        },
        |_| true,
    );
    assert_eq!(tries.into_inner(), 2);
    drop(child);
}

#[test]
fn a_killed_server_is_back_on_its_port_with_its_output_behind_that_of_before() {
    let (mut child, [port]) =
        serve(|_, [port]| listen(port), |[port]| http_get(local(port), "/").is_ok_and(|it| it.status == 200));
    let (first, before) = (child.pid(), child.log());
    child.stop();
    child.kill();
    assert!(!child.owns(port));
    child.restart();
    assert!(child.owns(port) && child.pid() != first);
    let log = child.log();
    assert!(log.starts_with(&before) && log.len() > before.len(), "{before}\n{log}");
}

#[test]
#[should_panic(expected = "the restarted server ended")]
fn a_server_that_cannot_come_back_is_no_success() {
    let folder = Dir::new();
    let once = folder.path().join("once");
    let script = format!("mkdir {} && exec python3 -m http.server --bind 127.0.0.1 $0", once.display());
    let command = |_: &Dir, [port]: [u16; 1]| {
        let mut command = Command::new("sh");
        command.args(["-c", &script, &port.to_string()]);
        command
    };
    let (mut child, _) = serve(command, |_| true);
    child.kill();
    child.restart();
}

fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn listen(port: u16) -> Command {
    let mut command = Command::new("python3");
    command.args(["-m", "http.server", "--bind", "127.0.0.1", &port.to_string()]);
    command
}

#[test]
fn a_child_is_frozen_thawed_and_killed_with_its_own_children() {
    let mut sleeper = Command::new("sh");
    sleeper.args(["-c", "sleep 600 & echo $!; wait"]);
    let child = Child::start(sleeper, Dir::new());
    let grandchild = poll(PATIENCE, "its number", || child.stdout().trim().parse::<u32>().ok());
    assert!(child.rss_kib() > 0);

    child.stop();
    poll(PATIENCE, "both are frozen", || (state(grandchild) == Some('T')).then_some(()));
    child.cont();
    poll(PATIENCE, "both run on", || (state(grandchild) == Some('S')).then_some(()));
    drop(child);
    poll(Duration::from_secs(5), "both are gone", || {
        state(grandchild).is_none_or(|state| state == 'Z').then_some(())
    });
}

/// The letter of a process's state, if there is such a process.
fn state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

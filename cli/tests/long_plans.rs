//! A plan of many steps is told as the target has seen it, on every wire, whatever its requests come to.

mod support;

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use support::{
    Act, Answer, Dir, Door, Ended, Misbehaving, PATIENCE, RESULTS, announced_page, barewire, barewire_to_end,
    exchange, otlp, poll,
};

/// Each has some ten series, so together they are more than a registry has room for unless it is told.
const STEPS: usize = 1250;

/// Answers the first request for each step, and every one behind with a 500, on one connection.
fn target() -> Misbehaving {
    let say = |status: &str| Act::Say(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").into_bytes());
    let answers = |status: &str| vec![[Act::Await, say(status)]; STEPS].concat();
    Misbehaving::sparing(1, Door::Open, [answers("200 OK"), answers("500 No"), vec![Act::Close]].concat())
}

/// Requests and errors, as one wire tells them.
type Told = [u64; 2];

const NAMES: [&str; 2] = ["http.client.requests", "http.client.errors"];

/// How often a wire is tried at most: on a busy machine its last snapshot may not be out in time.
const ATTEMPTS: usize = 5;

#[test]
fn every_wire_tells_both_outcomes_of_every_step_for_users() {
    check_each_wire(&json!({"users": 1, "iterations": 2}));
}

#[test]
fn every_wire_tells_both_outcomes_of_every_step_under_a_rate() {
    check_each_wire(&json!({"connections": 1, "rate": 2, "duration": "1s", "timeout": "60s"}));
}

/// One after the other: each has a great deal to say.
fn check_each_wire(load: &Value) {
    for wire in [through_otlp, through_statsd, through_influx, through_a_page] {
        let is_whole = (0..ATTEMPTS).any(|_| {
            let (target, run) = (target(), Load { spec: load.clone() });
            let (ended, told) = wire(run.against(&target));
            let is_whole = ended.results["exporters"][0]["complete"] == true;
            if is_whole {
                assert_eq!(told, check(&target, &ended), "{:#}", ended.results["exporters"]);
            }
            is_whole
        });
        assert!(is_whole, "not out in time, in {ATTEMPTS} attempts");
    }
}

/// The count of the target, which is that of the results.
fn check(target: &Misbehaving, ended: &Ended) -> Told {
    let seen = [2, 1].map(|times| (times * STEPS) as u64);
    assert_eq!(target.requests(), seen[0]);
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert_eq!(["requests", "errors"].map(|of| ended.results[of].as_u64().expect("a count")), seen);
    let verdicts: Vec<_> = otlp::items(&ended.results["thresholds"]).map(|each| &each["ok"]).collect();
    assert_eq!(verdicts, [false, true, false]);
    assert_eq!(ended.results["folded"], json!([]));
    seen
}

struct Load {
    spec: Value,
}

impl Load {
    /// The arguments that load `target`; what is delivered is delivered at the end.
    fn against(mut self, target: &Misbehaving) -> Vec<String> {
        let steps: Vec<Value> = (0..STEPS).map(|at| json!({"url": format!("/{at}")})).collect();
        let fields = json!({
            "target": target.url(), "threads": 1, "steps": steps,
            "thresholds": ["error_rate <= 1%", "error_rate <= 50%", "p95 < 1h"],
        });
        let spec = self.spec.as_object_mut().expect("an object");
        spec.extend(fields.as_object().expect("fields").clone());
        ["run", &self.spec.to_string(), "--quiet", "--interval", "1h", "--results", RESULTS]
            .map(str::to_owned)
            .into()
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of a few thousand")]
fn whole(count: f64) -> u64 {
    count as u64
}

fn with(mut args: Vec<String>, more: &[&str]) -> Vec<String> {
    args.extend(more.iter().map(|arg| (*arg).to_owned()));
    args
}

fn through_otlp(args: Vec<String>) -> (Ended, Told) {
    let ended = barewire_to_end(with(args, &["--otlp", "file:o.jsonl"]));
    let documents = otlp::documents(&ended.dir.read("o.jsonl"));
    let told =
        documents.last().map(|last| NAMES.map(|name| whole(otlp::cumulative_sum(last, name).unwrap_or(0.0))));
    (ended, told.unwrap_or_default())
}

fn through_statsd(args: Vec<String>) -> (Ended, Told) {
    let dir = Dir::new();
    let path = dir.path().join("s.sock");
    let agent = UnixDatagram::bind(&path).expect("a socket for datagrams");
    let (is_over, is_told) = (AtomicBool::new(false), format!("unixgram:{}", path.display()));
    thread::scope(|scope| {
        let told = scope.spawn(|| count_datagrams(&agent, &is_over));
        let ended = barewire_to_end(with(args, &["--statsd", &is_told]));
        is_over.store(true, Ordering::Relaxed);
        (ended, told.join().expect("what was told"))
    })
}

/// Adds up the counts in all datagrams, until it is over and there are no more.
fn count_datagrams(agent: &UnixDatagram, is_over: &AtomicBool) -> Told {
    agent.set_read_timeout(Some(Duration::from_millis(50))).expect("a time-out");
    let (mut told, mut buffer) = (Told::default(), vec![0; 1 << 16]);
    loop {
        // Before the read: what comes after it was over is none of ours.
        let was_over = is_over.load(Ordering::Relaxed);
        let Ok(len) = agent.recv(&mut buffer) else {
            if was_over {
                return told;
            }
            continue;
        };
        let text = String::from_utf8_lossy(&buffer[..len]);
        for (name, count) in text.lines().filter_map(|line| line.split_once(':')) {
            let at = NAMES.iter().position(|known| *known == name);
            let count = count.split('|').next().and_then(|count| count.parse::<u64>().ok());
            if let (Some(at), Some(count)) = (at, count) {
                told[at] += count;
            }
        }
    }
}

/// What each series said last.
fn through_influx(args: Vec<String>) -> (Ended, Told) {
    let bucket = bucket();
    let ended = barewire_to_end(with(args, &["--influx", &format!("{}/write?db=d", bucket.url())]));
    let mut last = BTreeMap::new();
    for body in bucket.last_bodies() {
        for line in String::from_utf8(body).expect("text").lines() {
            let (series, rest) = line.split_once(" value=").unwrap_or((line, ""));
            if let Some(count) = rest.split('i').next().and_then(|count| count.parse::<u64>().ok()) {
                last.insert(series.to_owned(), count);
            }
        }
    }
    let told = NAMES.map(|name| {
        let of_name = last.iter().filter(|(series, _)| series.starts_with(&format!("{name},")));
        of_name.map(|(_, count)| count).sum()
    });
    (ended, told)
}

fn bucket() -> Misbehaving {
    let done = Act::Say(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec());
    Misbehaving::start(Door::Open, vec![Act::Await, done])
}

/// Whether the program did not end while it was sent.
fn is_whole(answer: &Answer) -> bool {
    answer.header("Content-Length").is_some_and(|len| len == answer.body.len().to_string())
}

/// A request as a Prometheus makes it, which is waited for at the end.
const SCRAPE: &[u8] =
    b"GET /metrics HTTP/1.0\r\nHost: page\r\nX-Prometheus-Scrape-Timeout-Seconds: 10\r\n\r\n";

/// The last page, as it was scraped before the end.
fn through_a_page(args: Vec<String>) -> (Ended, Told) {
    let args = args.into_iter().filter(|arg| arg != "--quiet").collect();
    let mut child = barewire(with(args, &["--prometheus", "127.0.0.1:0", "--linger", "60s"]));
    let addr = announced_page(&child);
    let mut page = String::new();
    poll(2 * PATIENCE, "the end of the run", || {
        if let Some(answer) = exchange(addr, SCRAPE).ok().filter(is_whole) {
            page = answer.text();
        }
        // It is long.
        thread::sleep(Duration::from_millis(200));
        child.exited()
    });
    let told = ["http_client_requests_total{", "http_client_errors_total{"].map(|name| {
        let lines = page.lines().filter(|line| line.starts_with(name));
        whole(lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
    });
    (Ended::of(child), told)
}

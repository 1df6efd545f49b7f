//! Loads of targets that misbehave: a row a fault, each a test by that name for a load of users and one of arrivals.
//!
//! `cargo test -p barewire-cli --test bad_target resets_in_the_body` runs the rows of one fault.

mod support;

use libtest_mimic::{Arguments, Trial};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use support::faults::{Fault, OK, answers, answers_then, empty, fault, of_any_server, say};
use support::{Act, Door, Ended, Measured, Misbehaving, PATIENCE, RESULTS, barewire_measured, otlp, poll};

/// Rows at a time: they wait more than they work.
const TOGETHER: usize = 6;

const CONNECTIONS: usize = 4;
const LOAD: Duration = Duration::from_millis(1500);
const TIMEOUT: Duration = Duration::from_secs(2);
/// No request over a socket takes less, not even one that fails.
const LEAST_SECONDS: f64 = 1e-6;
/// How late a busy machine may be.
const SLACK: Duration = Duration::from_secs(5);
/// What a run holds at most, whatever a target sends.
const MEMORY_KIB: u64 = 64 << 10;
/// The pause after a connection that breaks, which doubles with each in a row: see `BACKOFF_NS` in the runner.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
/// Connections that break in a row until the pause has grown to a second; it grows no more.
const BROKEN_IN_A_ROW: usize = 9;

const GREAT_BYTES: usize = 4 << 20;
const GREAT_HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4194304\r\n\r\n";

const USERS: &[&str] = &[];
const ARRIVALS: &[&str] = &["--rate", "100"];

/// A target, and what its load must come to.
struct Row {
    fault: Fault,
    /// The classes that failures have, some of them at least; none where nothing fails.
    classes: &'static [&'static str],
    seen: Seen,
}

/// Whether the target reads every request that has an outcome other than `connect`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    All,
    /// It closes before it has read.
    Some,
}

/// What is expected of the faults that targets and receivers share.
#[rustfmt::skip]
const EXPECTED: &[(&str, &[&str], Seen)] = &[
    ("accepts_nobody", &["connect", "timeout"], Seen::Some),
    ("never_answers", &["timeout"], Seen::All),
    ("answers_a_byte_a_second", &["timeout"], Seen::All),
    ("closes_at_once", &["connect", "reset"], Seen::Some),
    ("resets_at_once", &["connect", "reset"], Seen::Some),
    ("closes_after_the_request", &["reset"], Seen::All),
    ("resets_after_the_request", &["reset"], Seen::All),
    ("resets_at_the_first_byte", &["reset"], Seen::Some),
    ("half_closes_after_the_request", &["reset"], Seen::All),
    ("closes_in_the_head", &["reset"], Seen::All),
    ("resets_in_the_head", &["reset"], Seen::All),
    ("closes_in_the_body", &["reset"], Seen::All),
    ("resets_in_the_body", &["reset"], Seen::All),
    ("closes_in_a_chunk", &["reset"], Seen::All),
    ("says_too_long_a_length", &["timeout"], Seen::All),
    // The response is whole; what stands behind it costs the connection.
    ("says_too_short_a_length", &[], Seen::All),
    ("says_two_lengths", &["protocol"], Seen::All),
    ("says_no_number_as_length", &["protocol"], Seen::All),
    // RFC 9112, section 6.3: the chunks win.
    ("says_a_length_and_chunks", &[], Seen::All),
    ("says_no_number_as_chunk_size", &["protocol"], Seen::All),
    // A GET that crosses the end of its connection is sent once more.
    ("closes_after_each_answer", &[], Seen::Some),
    ("resets_after_each_answer", &[], Seen::Some),
    ("closes_when_the_next_request_comes", &[], Seen::All),
    ("resets_when_the_next_request_comes", &[], Seen::Some),
    ("says_1xx_for_ever", &["protocol"], Seen::All),
    ("switches_protocols", &["protocol"], Seen::All),
    ("sends_headers_for_ever", &["protocol"], Seen::All),
    ("sends_one_header_for_ever", &["protocol"], Seen::All),
    ("sends_a_body_for_ever", &["timeout"], Seen::All),
    ("sends_chunks_for_ever", &["timeout"], Seen::All),
    ("says_garbage", &["protocol"], Seen::All),
    ("says_a_status_line_of_http_2", &["protocol"], Seen::All),
    ("says_a_status_of_four_digits", &["protocol"], Seen::All),
];

fn rows() -> Vec<Row> {
    let expected = |name| {
        let found = EXPECTED.iter().find(|(known, ..)| *known == name);
        *found.unwrap_or_else(|| panic!("what is expected of {name}?"))
    };
    let shared = of_any_server().into_iter().map(|fault| {
        let (_, classes, seen) = expected(fault.name);
        Row { fault, classes, seen }
    });
    shared.chain(of_targets()).collect()
}

fn of_targets() -> Vec<Row> {
    let row = |classes, fault| Row { fault, classes, seen: Seen::All };
    // The first connection is the one that makes sure that there is a target.
    let door = Door::OpenFor(1 + CONNECTIONS);
    vec![
        // Those that wait to be accepted when it goes are connected, and then reset.
        Row {
            seen: Seen::Some,
            ..row(&["connect", "reset"], Fault { door, ..answers_then("goes_away", OK, Act::Close) })
        },
        row(&["status"], answers("is_too_busy", &empty("503 Service Unavailable", ""))),
        row(
            &["status"],
            answers("is_too_busy_and_closes", &empty("503 Service Unavailable", "Connection: close\r\n")),
        ),
        row(
            &["status"],
            answers("wants_fewer_requests", &empty("429 Too Many Requests", "Retry-After: 3600\r\n")),
        ),
        row(&["status"], answers("refuses_the_body", &empty("413 Content Too Large", ""))),
        row(
            &[],
            answers("sends_elsewhere", &empty("301 Moved Permanently", "Location: http://127.0.0.1:1/\r\n")),
        ),
        row(
            &["timeout"],
            fault(
                "sends_a_terabyte",
                vec![
                    Act::Await,
                    say("HTTP/1.1 200 OK\r\nContent-Length: 1099511627776\r\n\r\n"),
                    Act::Flood(vec![0; 64 << 10]),
                ],
            ),
        ),
        // More than is read in one turn, and nothing behind it that would tell of the rest.
        row(
            &[],
            fault("sends_a_great_body", vec![Act::Await, say(GREAT_HEAD), Act::Say(vec![0; GREAT_BYTES])]),
        ),
        // An orderly end: each connection carried what it was made for.
        row(&[], answers_then("closes_and_says_so", &empty("200 OK", "Connection: close\r\n"), Act::Close)),
    ]
}

fn main() {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(TOGETHER);
    let loads = [("users", USERS), ("arrivals", ARRIVALS)];
    let trials = loads.into_iter().flat_map(|(load, flags)| {
        rows().into_iter().map(move |row| {
            let name = format!("{}/{load}", row.fault.name);
            Trial::test(name, move || {
                row.check(flags);
                Ok(())
            })
        })
    });
    let unreachable = Trial::test("refuses", || {
        a_target_that_refuses_is_told_before_the_start();
        Ok(())
    });
    libtest_mimic::run(&arguments, trials.chain([unreachable]).collect()).exit();
}

fn a_target_that_refuses_is_told_before_the_start() {
    let target = Misbehaving::start(Door::Shut, Vec::new());
    let Measured { ended, .. } = load(&target, USERS);
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    let expected = format!("target '{}/' cannot be reached: Connection refused", target.url());
    assert!(ended.stderr.contains(&expected), "no {expected:?} in {}", ended.stderr);
}

fn load(target: &Misbehaving, flags: &[&str]) -> Measured {
    let (connections, timeout) = (CONNECTIONS.to_string(), format!("{}ms", TIMEOUT.as_millis()));
    let (url, duration) = (target.url(), format!("{}ms", LOAD.as_millis()));
    let load = ["run", &url, "-c", &connections, "-t", "1", "-d", &duration, "--timeout", &timeout];
    let out = ["--quiet", "--interval", "500ms", "--otlp", "file:o.jsonl", "--results", RESULTS];
    barewire_measured(load.iter().chain(&out).chain(flags))
}

impl Row {
    fn check(&self, flags: &[&str]) {
        let target = Misbehaving::sparing(1, self.fault.door, self.fault.script.clone());
        let measured = load(&target, flags);
        let told = Told::of(&measured.ended);
        let about = format!(
            "{told:?}; {} connections, {} in a second, {} requests; {:?}, {} KiB",
            target.connections(),
            target.connections_in_a_second(),
            target.requests(),
            measured.wall,
            measured.peak_kib
        );
        println!("{:<38} {about}", self.fault.name);
        assert_eq!((measured.ended.code, measured.ended.complaints().as_str()), (0, ""), "{about}");
        self.check_classes(&told, &about);
        told.check_sums(&about);
        told.check_latency(&about);
        self.check_against(&target, &told, &about);
        let longest = LOAD + 2 * TIMEOUT + SLACK;
        assert!(measured.wall < longest, "longer than {longest:?}: {about}");
        assert!((1..=MEMORY_KIB).contains(&measured.peak_kib), "{about}");
    }

    /// Every failure has a class, and it is one of those that were foretold.
    fn check_classes(&self, told: &Told, about: &str) {
        let unforeseen = told.classes.keys().find(|class| !self.classes.contains(&class.as_str()));
        assert_eq!(unforeseen, None, "foreseen were {:?}: {about}", self.classes);
        assert_eq!(told.classes.values().sum::<u64>(), told.errors, "{about}");
        assert_eq!(told.reasons, told.classes, "every failure has a reason: {about}");
        assert!(told.errors > 0 || self.classes.is_empty(), "no failure: {about}");
        assert!(told.requests > 0, "{about}");
    }

    /// What the target saw is what was counted, and there was no storm.
    fn check_against(&self, target: &Misbehaving, told: &Told, about: &str) {
        let sent = told.requests - told.failed("connect") + told.unfinished + told.retries;
        match self.seen {
            // A target may be late to read what it was sent.
            Seen::All => poll(PATIENCE, about, || (target.requests() == sent).then_some(())),
            Seen::Some => assert!(target.requests() <= sent, "{about}"),
        }
        // Each of these is followed by a pause, the shortest of them after a response that was whole.
        let breaks: u64 = ["connect", "reset", "protocol"].iter().map(|class| told.failed(class)).sum();
        let pauses = told.elapsed.as_nanos() / SHORTEST_PAUSE.as_nanos() + 1;
        assert!(u128::from(breaks) <= CONNECTIONS as u128 * pauses, "a storm: {about}");
        // A whole response or a time-out pays for one connection; all others come ever more slowly.
        let paid = told.requests - told.errors + told.failed("status") + told.failed("timeout");
        let seconds = usize::try_from(told.elapsed.as_secs()).expect("a short run") + 1;
        let unpaid = CONNECTIONS * (BROKEN_IN_A_ROW + seconds);
        // Each whole response begins the row anew.
        let most = 1 + unpaid + 2 * usize::try_from(paid).expect("a short run");
        assert!(target.connections() <= most, "more than {most} connections: {about}");
    }
}

/// What the run said.
#[derive(Debug)]
struct Told {
    requests: u64,
    errors: u64,
    retries: u64,
    classes: BTreeMap<String, u64>,
    /// The counts of the reasons, by class.
    reasons: BTreeMap<String, u64>,
    scheduled: u64,
    completed: u64,
    dropped: u64,
    unfinished: u64,
    elapsed: Duration,
    longest: Duration,
    /// Requests that took no time at all.
    zeros: u64,
    /// Requests by the count of their durations.
    timed: u64,
    /// A lower bound of what they took, in seconds.
    shortest: f64,
}

fn reasons(results: &Value) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for reason in results["error_reasons"].as_array().expect("reasons") {
        let class = reason["class"].as_str().expect("a class").to_owned();
        *counts.entry(class).or_default() += reason["count"].as_u64().expect("a count");
    }
    counts
}

/// Where the lowest bucket of an exponential histogram begins.
fn lowest_bound(point: &Value) -> f64 {
    let exponent = |of: &Value| of.as_i64().unwrap_or(0) as f64;
    2f64.powf(exponent(&point["positive"]["offset"]) * 2f64.powf(-exponent(&point["scale"])))
}

impl Told {
    fn of(ended: &Ended) -> Self {
        let count = |path: &str| {
            ended.results.pointer(path).and_then(Value::as_u64).unwrap_or_else(|| {
                panic!("no {path} in {:#}: {}", ended.results, ended.stderr);
            })
        };
        let number = |path: &str| ended.results.pointer(path).and_then(Value::as_f64).unwrap_or(f64::NAN);
        let documents = otlp::documents(&ended.dir.read("o.jsonl"));
        let last = documents.last().expect("a document");
        let points: Vec<&Value> = otlp::metrics(last, "http.client.request.duration")
            .flat_map(|metric| otlp::items(&metric["exponentialHistogram"]["dataPoints"]))
            .collect();
        let sum = |field: &str| points.iter().map(|point| otlp::integer(&point[field])).sum();
        Self {
            requests: count("/requests"),
            errors: count("/errors"),
            retries: count("/retries"),
            classes: serde_json::from_value(ended.results["errors_by_class"].clone()).expect("classes"),
            reasons: reasons(&ended.results),
            scheduled: count("/iterations/scheduled"),
            completed: count("/iterations/completed"),
            dropped: count("/iterations/dropped"),
            unfinished: count("/iterations/unfinished"),
            elapsed: Duration::from_secs_f64(number("/duration_s")),
            longest: Duration::from_secs_f64(
                // One of them is missing or null where all succeeded, or none did.
                number("/latency_ms/max").max(number("/failed_latency_ms/max")) / 1e3,
            ),
            zeros: sum("zeroCount"),
            timed: sum("count"),
            shortest: points.into_iter().map(lowest_bound).fold(f64::MAX, f64::min),
        }
    }

    fn failed(&self, class: &str) -> u64 {
        self.classes.get(class).copied().unwrap_or(0)
    }

    fn check_sums(&self, about: &str) {
        assert_eq!(self.completed + self.dropped + self.unfinished, self.scheduled, "{about}");
        assert_eq!((self.requests, self.timed), (self.completed, self.completed), "{about}");
    }

    /// No request hangs beyond its time, and none took none.
    fn check_latency(&self, about: &str) {
        assert!(self.longest < TIMEOUT + SLACK, "{about}");
        assert!(self.shortest >= LEAST_SECONDS, "{about}");
        assert_eq!(self.zeros, 0, "{about}");
    }
}

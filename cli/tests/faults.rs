//! Exporters and receivers that misbehave: a row a fault and an exporter, each a test by that name.
//!
//! `cargo test -p barewire-cli --test faults otlp/never_answers` runs one row.

mod support;

use flate2::{Compression, write::GzEncoder};
use libtest_mimic::{Arguments, Trial};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::time::Duration;
use support::faults::{Fault, OK, answers, empty, fault, of_any_server, say};
use support::{
    Act, Dir, Door, Ended, Measured, Misbehaving, PATIENCE, RESULTS, Target, barewire, barewire_measured,
    otlp, poll,
};

/// Rows at a time: they wait more than they work.
const TOGETHER: usize = 8;

const RATE: u64 = 400;
const LOAD: Duration = Duration::from_millis(1500);
/// How long the last snapshot may take, as the command grants it.
const FLUSH: Duration = Duration::from_secs(5);
/// How late a busy machine may be.
const SLACK: Duration = Duration::from_secs(5);
/// What a run holds at most, whatever a receiver sends: more than twice what it holds beside a good one, and half of
/// what a bomb would be.
const MEMORY_KIB: u64 = 32 << 10;

/// An exporter, as far as a receiver has to know it.
struct Kind {
    name: &'static str,
    /// What has it send to `host:port`.
    flags: fn(&str) -> [String; 2],
    /// All requests, by the body of a request that tells of them.
    requests: fn(&[u8]) -> Option<f64>,
    /// Faults that only its receivers have.
    own: fn() -> Vec<(Fault, Becomes)>,
}

const KINDS: &[Kind] = &[
    Kind {
        name: "otlp",
        flags: |addr| ["--otlp".to_owned(), format!("http://{addr}")],
        requests: |body| otlp::cumulative_sum(&serde_json::from_slice(body).ok()?, "http.client.requests"),
        own: of_otlp_receivers,
    },
    Kind {
        name: "influx",
        flags: |addr| ["--influx".to_owned(), format!("http://{addr}/write?db=faults")],
        requests: requests_in_lines,
        own: Vec::new,
    },
];

/// All requests, by a body of line protocol.
fn requests_in_lines(body: &[u8]) -> Option<f64> {
    let lines = str::from_utf8(body).ok()?.lines().filter(|line| line.starts_with("http.client.requests,"));
    let values =
        lines.filter_map(|line| line.split_once(" value=")?.1.split_once("i ")?.0.parse::<f64>().ok());
    values.reduce(|total, each| total + each)
}

/// What becomes of the snapshots.
#[derive(Debug, Clone, Copy)]
enum Becomes {
    /// All that was counted arrives.
    Delivered,
    /// The same, and the receiver says each time that it rejected so many points.
    Rejected(u64),
    /// Nothing arrives, and one of these is said of it.
    Lost(&'static [&'static str]),
}

use Becomes::{Delivered, Lost, Rejected};

const LATE: Becomes = Lost(&[SILENCE]);
/// Where the time ran out.
const SILENCE: &str = "while waiting for the response";

/// Of the faults that targets and receivers share.
#[rustfmt::skip]
const EXPECTED: &[(&str, Becomes)] = &[
    ("accepts_nobody", Lost(&["while connecting", SILENCE])),
    ("never_answers", LATE),
    ("answers_a_byte_a_second", LATE),
    ("closes_at_once", Lost(BROKEN)),
    ("resets_at_once", Lost(BROKEN)),
    ("closes_after_the_request", Lost(&["cannot read the response: closed without a response"])),
    ("resets_after_the_request", Lost(&[RESET])),
    ("resets_at_the_first_byte", Lost(BROKEN)),
    ("half_closes_after_the_request", Lost(&["cannot read the response: closed without a response"])),
    ("closes_in_the_head", Lost(&["bad response: closed in the middle of a message"])),
    ("resets_in_the_head", Lost(&[RESET])),
    ("closes_in_the_body", Lost(&["bad response: closed in the middle of a message"])),
    ("resets_in_the_body", Lost(&[RESET])),
    ("closes_in_a_chunk", Lost(&["bad response: closed in the middle of a message"])),
    ("says_too_long_a_length", LATE),
    ("says_too_short_a_length", Delivered),
    ("says_two_lengths", Lost(&["bad response: content-length is not a number, or given twice"])),
    ("says_no_number_as_length", Lost(&["bad response: content-length is not a number"])),
    ("says_a_length_and_chunks", Delivered),
    ("says_no_number_as_chunk_size", Lost(&["bad response: malformed chunk size"])),
    // What is cumulative may arrive twice, so it is sent again where a kept connection turns out to be closed.
    ("closes_after_each_answer", Delivered),
    ("resets_after_each_answer", Delivered),
    ("closes_when_the_next_request_comes", Delivered),
    ("resets_when_the_next_request_comes", Delivered),
    ("says_1xx_for_ever", Lost(&["bad response: too many interim (1xx) responses"])),
    ("switches_protocols", Lost(&["bad response: unexpected switch of protocols"])),
    ("sends_headers_for_ever", Lost(&["bad response: too many headers", "bad response: the head is too long"])),
    ("sends_one_header_for_ever", Lost(&["bad response: the head is too long"])),
    // A machine that is busy may not have come so far in time.
    ("sends_a_body_for_ever", Lost(&["the response is larger than 4194304 bytes", SILENCE])),
    ("sends_chunks_for_ever", Lost(&["the response is larger than 4194304 bytes", SILENCE])),
    ("says_garbage", Lost(&["bad response: the first line is not one of http/1.1"])),
    ("says_a_status_line_of_http_2", Lost(&["bad response: the first line is not one of http/1.1"])),
    ("says_a_status_of_four_digits", Lost(&["bad response: the first line is not one of http/1.1"])),
];

const RESET: &str = "Connection reset by peer";
/// A receiver that closes before it has read all: which side of the exchange is told is a matter of time.
const BROKEN: &[&str] = &[RESET, "Broken pipe", "closed without a response"];

/// Of receivers of any kind that answer in HTTP.
fn of_receivers() -> Vec<(Fault, Becomes)> {
    let busy = |fields: &str| empty("429 Too Many Requests", fields);
    let refuses = Fault { name: "refuses", door: Door::Shut, script: Vec::new() };
    vec![
        (refuses, Lost(&["cannot connect: Connection refused"])),
        (
            answers("sends_elsewhere", &empty("307 Temporary Redirect", "Location: /\r\n")),
            Lost(&["answered 307"]),
        ),
        (answers("refuses_the_body", &empty("413 Content Too Large", "")), Lost(&["answered 413"])),
        (
            fault(
                "refuses_the_body_unread",
                vec![
                    Act::AwaitByte,
                    say(&empty("413 Content Too Large", "Connection: close\r\n")),
                    Act::Close,
                ],
            ),
            Lost(&["answered 413", RESET, "Broken pipe"]),
        ),
        (answers("is_unavailable", &empty("503 Service Unavailable", "")), Lost(&["answered 503"])),
        (answers("asks_for_a_second", &busy("Retry-After: 1\r\n")), Lost(&["answered 429"])),
        (
            answers("asks_for_a_date_that_is_past", &busy("Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n")),
            Lost(&["answered 429"]),
        ),
        (
            answers("asks_for_a_date_far_away", &busy("Retry-After: Fri, 31 Dec 9999 23:59:59 GMT\r\n")),
            Lost(&["answered 429"]),
        ),
        (
            answers("asks_for_eternity", &busy("Retry-After: 99999999999999999999999\r\n")),
            Lost(&["answered 429"]),
        ),
        (answers("asks_for_no_pause", &busy("")), Lost(&["answered 429"])),
        (
            answers("asks_for_a_pause_nobody_can_read", &busy("Retry-After: soon\r\n")),
            Lost(&["answered 429"]),
        ),
        (
            fault(
                "refuses_every_other_time",
                vec![Act::Await, say(&busy("Retry-After: 0\r\n")), Act::Await, say(OK)],
            ),
            Delivered,
        ),
    ]
}

fn of_otlp_receivers() -> Vec<(Fault, Becomes)> {
    let with = |fields: &str, body: &[u8]| {
        let head = format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: {}\r\n\r\n", body.len());
        vec![Act::Await, Act::Say([head.as_bytes(), body].concat())]
    };
    let rejection = br#"{"partialSuccess":{"rejectedDataPoints":"3","errorMessage":"no room"}}"#;
    vec![
        (fault("rejects_three_points", with("Content-Type: application/json\r\n", rejection)), Rejected(3)),
        (fault("answers_by_a_bomb", with("Content-Encoding: gzip\r\n", &bomb())), Delivered),
        (
            fault("answers_in_deep_json", with("Content-Type: application/json\r\n", &[b'['; 60_000])),
            Delivered,
        ),
    ]
}

/// Sixty members of a mebibyte each, in 60 KiB: small enough to be looked at.
fn bomb() -> Vec<u8> {
    let mut member = GzEncoder::new(Vec::new(), Compression::best());
    member.write_all(&[0; 1 << 20]).expect("memory");
    member.finish().expect("memory").repeat(60)
}

fn main() {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(TOGETHER);
    let mut trials = Vec::new();
    for kind in KINDS {
        for (fault, becomes) in rows(kind) {
            let name = format!("{}/{}", kind.name, fault.name);
            trials.push(trial(name, move || against_a_server(kind, &fault, becomes)));
        }
    }
    trials.push(trial("otlp/has_a_name_that_nobody_knows".to_owned(), a_name_that_nobody_knows));
    trials.push(trial("file/is_on_a_full_disk".to_owned(), a_full_disk));
    trials.push(trial("file/loses_its_folder".to_owned(), a_folder_that_vanishes));
    libtest_mimic::run(&arguments, trials).exit();
}

fn trial(name: String, check: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, || {
        check();
        Ok(())
    })
}

fn rows(kind: &Kind) -> Vec<(Fault, Becomes)> {
    let expected = |fault: Fault| {
        let found = EXPECTED.iter().find(|(known, _)| *known == fault.name);
        let (_, becomes) = found.unwrap_or_else(|| panic!("what is expected of {}?", fault.name));
        (fault, *becomes)
    };
    let shared = of_any_server().into_iter().map(expected);
    shared.chain(of_receivers()).chain((kind.own)()).collect()
}

fn against_a_server(kind: &Kind, fault: &Fault, becomes: Becomes) {
    let server = Misbehaving::start(fault.door, fault.script.clone());
    let addr = server.addr().to_string();
    let told = Told::of_run(kind.name, fault.name, &(kind.flags)(&addr));
    told.check(&addr, becomes);
    if let Delivered | Rejected(_) = becomes {
        // What is behind the last snapshot tells of events.
        let arrived = server.last_bodies().iter().rev().find_map(|body| (kind.requests)(body));
        assert_eq!(arrived, Some(told.requests as f64), "{told:?}");
    }
}

fn a_name_that_nobody_knows() {
    let flags = ["--otlp".to_owned(), "http://nonexistent.invalid:4318".to_owned()];
    let told = Told::of_run("otlp", "has_a_name_that_nobody_knows", &flags);
    // A resolver may as well not answer in time.
    told.check("nonexistent.invalid:4318", Lost(&["cannot resolve the name", "while resolving the name"]));
}

fn a_full_disk() {
    let told = Told::of_run("otlp", "is_on_a_full_disk", &["--otlp".to_owned(), "file:/dev/full".to_owned()]);
    told.check("/dev/full", Lost(&["cannot write to /dev/full: No space left on device"]));
}

fn a_folder_that_vanishes() {
    let (target, folder) = (Target::start(&[]), Dir::new());
    let file = folder.path().join("o.jsonl");
    let flags = ["--otlp".to_owned(), format!("file:{}", file.display())];
    let run = barewire(arguments(&target.url(), &flags));
    let has_snapshot = || fs::read_to_string(&file).is_ok_and(|text| text.contains("resourceMetrics"));
    poll(PATIENCE, "a snapshot", || has_snapshot().then_some(()));
    let name = file.display().to_string();
    drop(folder);
    let told = Told::of("otlp", "loses_its_folder", &target, Measured::of(run));
    assert!(told.count("sent") > 0, "{told:?}");
    told.check_loss(&name, &["it was removed"]);
    told.check_run();
}

/// A run of arrivals, observed by the exporter in question and by a second one that writes to a file.
fn arguments(url: &str, flags: &[String]) -> Vec<String> {
    let (rate, duration) = (RATE.to_string(), format!("{}ms", LOAD.as_millis()));
    let load = ["run", url, "--rate", &rate, "-c", "8", "-t", "1", "-d", &duration, "--quiet"];
    let out = ["--interval", "100ms", "--results", RESULTS];
    let flags = flags.iter().map(String::as_str).chain(["--otlp", "file:control.jsonl"]);
    load.into_iter().chain(out).chain(flags).map(str::to_owned).collect()
}

/// What a run said of itself and of the exporter in question.
#[derive(Debug)]
struct Told {
    requests: u64,
    /// Requests by the target's own count.
    arrived: u64,
    ended: Ended,
    /// The exporter in question, and the one that writes to a file.
    exporters: [Value; 2],
    /// From the end of the load to the end of the process, its start included.
    stop: Duration,
    peak_kib: u64,
}

impl Told {
    fn of_run(exporter: &str, row: &str, flags: &[String]) -> Self {
        let target = Target::start(&[]);
        let measured = barewire_measured(arguments(&target.url(), flags));
        Self::of(exporter, row, &target, measured)
    }

    fn of(exporter: &str, row: &str, target: &Target, measured: Measured) -> Self {
        let Measured { ended, wall, peak_kib } = measured;
        let load = ended.results["duration_s"].as_f64().unwrap_or_else(|| panic!("{}", ended.stderr));
        let requests = ended.results["requests"].as_u64().expect("requests");
        let stop = wall.saturating_sub(Duration::from_secs_f64(load));
        // They are in the order of their kinds, and a second one of a kind has a number.
        let exporters = ended.results["exporters"].as_array().expect("exporters");
        let (in_question, control) = exporters.iter().partition::<Vec<_>, _>(|each| each["name"] == exporter);
        let exporters = [in_question[0].clone(), control[0].clone()];
        let told = Self { requests, arrived: target.requests(), ended, exporters, stop, peak_kib };
        let counts = ["sent", "dropped", "failed", "timed_out", "rejected"].map(|count| told.count(count));
        let offered = told.offered(0);
        println!(
            "{exporter}/{row:<38} {offered} offered {counts:?} stop {stop:?} {peak_kib} KiB {}",
            told.exporter(0)["last_error"]
        );
        told
    }

    fn exporter(&self, at: usize) -> &Value {
        &self.exporters[at]
    }

    fn count(&self, name: &str) -> u64 {
        self.exporter(0)[name].as_u64().expect("a count")
    }

    /// The snapshots that an exporter was offered, by what became of them.
    fn offered(&self, at: usize) -> u64 {
        let became = ["sent", "dropped", "failed", "timed_out"];
        became.iter().map(|name| self.exporter(at)[name].as_u64().expect("a count")).sum()
    }

    fn check(&self, receiver: &str, becomes: Becomes) {
        self.check_run();
        match becomes {
            Delivered => {
                self.check_delivery(0);
                // An answer that cannot be read is told of: it may have said anything.
                let odd = " with a warning: a body ";
                assert!(self.ended.complaints().lines().all(|line| line.contains(odd)), "{self:?}");
            }
            Rejected(points) => {
                self.check_delivery(points);
                assert_eq!(self.count("partial"), self.count("sent"), "{self:?}");
                assert_eq!(self.ended.stderr.matches(" delivers points in part: ").count(), 1, "{self:?}");
            }
            Lost(reasons) => {
                assert_eq!(self.count("sent"), 0, "{self:?}");
                self.check_loss(receiver, reasons);
            }
        }
    }

    /// The load is as it is without an exporter, and no snapshot is unaccounted for.
    fn check_run(&self) {
        let scheduled = RATE * u64::try_from(LOAD.as_millis()).expect("a short run") / 1000;
        let iterations = &self.ended.results["iterations"];
        let counts =
            ["scheduled", "completed", "dropped", "unfinished"].map(|count| iterations[count].as_u64());
        assert_eq!(counts, [scheduled, scheduled, 0, 0].map(Some), "{self:?}");
        assert_eq!((self.requests, self.arrived), (scheduled, scheduled), "{self:?}");
        assert_eq!(&self.ended.results["errors"], &json!(0), "{self:?}");
        assert_eq!(self.ended.code, 0, "{self:?}");

        assert_eq!(self.offered(0), self.offered(1), "{self:?}");
        let control = self.exporter(1);
        assert_eq!((&control["complete"], &control["failed"]), (&json!(true), &json!(0)), "{self:?}");
        let documents = otlp::documents(&self.ended.dir.read("control.jsonl"));
        assert_eq!(Some(documents.len() as u64), control["sent"].as_u64(), "{self:?}");
        let last = documents.last().and_then(|last| otlp::cumulative_sum(last, "http.client.requests"));
        assert_eq!(last, Some(scheduled as f64), "{self:?}");

        assert!(self.stop < FLUSH + SLACK, "{self:?}");
        assert!((1..=MEMORY_KIB).contains(&self.peak_kib), "{self:?}");
    }

    fn check_delivery(&self, rejected: u64) {
        let exporter = self.exporter(0);
        assert_eq!((self.count("failed"), &exporter["complete"]), (0, &json!(true)), "{self:?}");
        assert_eq!(self.count("rejected"), rejected * self.count("sent"), "{self:?}");
        assert_eq!(exporter["last_error"], Value::Null, "{self:?}");
    }

    /// The last snapshot was not delivered, which is counted, and told once, with who and why.
    fn check_loss(&self, receiver: &str, reasons: &[&str]) {
        assert_eq!(self.exporter(0)["complete"], false, "{self:?}");
        let told = self.exporter(0)["last_error"].as_str().expect("an error");
        let (failed, timed_out) = (self.count("failed"), self.count("timed_out"));
        let runs_out = reasons.iter().filter(|reason| reason.starts_with("while ")).count();
        let is_counted = match runs_out {
            // It may have been an event that was refused, and snapshots that kept the pause.
            0 => failed > 0 || (told.contains("answered 429") && self.count("dropped") > 0),
            all if all == reasons.len() => timed_out > 0,
            _ => failed + timed_out > 0,
        };
        assert!(is_counted, "{self:?}");
        let is_foreseen = reasons.iter().any(|reason| told.contains(reason));
        assert!(told.contains(receiver) && is_foreseen, "not {receiver} and one of {reasons:?}: {self:?}");
        assert_eq!(self.ended.stderr.matches("does not deliver: ").count(), 1, "{self:?}");
        // An event that is refused for good is told of by itself.
        let complaints = self.ended.complaints();
        let others = complaints.lines().filter(|line| !line.contains("does not deliver"));
        assert_eq!(others.count(), 0, "{self:?}");
        assert!(self.ended.stderr.contains(receiver), "{self:?}");
    }
}

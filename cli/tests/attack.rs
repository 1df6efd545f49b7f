//! The Prometheus page of a run, and who attacks it: the run goes on, scrapes are answered, nothing grows.

mod support;

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use serde_json::Value;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use support::siege::{CLIENT_HELLO, Siege};
use support::{Child, Ended, PATIENCE, RESULTS, announced_page, barewire, http_get};

/// Requests a second of the run.
const RATE: u64 = 500;
/// The connections of the run. Each has both its ends in the process, and is made when it is needed.
const RUN_CONNECTIONS: usize = 32;
/// The connections that a page has at most.
const PAGE_CONNECTIONS: usize = 256;
/// Descriptors that come and go, such as those of the files that tell of the system's usage.
const OTHER_DESCRIPTORS: usize = 8;
/// What a siege may cost in memory: buffers of 8 KiB for each connection, and pages.
const SIEGE_KIB: u64 = 16 * 1024;
/// Within this, every scrape is answered.
const SCRAPE_LIMIT: Duration = Duration::from_secs(5);
/// Within this, half of them are.
const SCRAPE_MEDIAN: Duration = Duration::from_millis(100);

/// One at a time: they are about time.
static SIEGES: Mutex<()> = Mutex::new(());

/// A run of a known rate, its page, and what it had before anybody came.
struct Besieged {
    run: Child,
    page: SocketAddr,
    descriptors: usize,
    peak_kib: u64,
}

/// What scrapers met.
#[derive(Default)]
struct Scrapes {
    took: Vec<Duration>,
    /// Connections that were lost, and replaced by another.
    lost: usize,
    most_descriptors: usize,
}

impl Besieged {
    fn start(duration_s: u64) -> Self {
        let (rate, connections) = (RATE.to_string(), RUN_CONNECTIONS.to_string());
        let duration = format!("{duration_s}s");
        let run = barewire([
            "run",
            "-r",
            &rate,
            "-d",
            &duration,
            "-c",
            &connections,
            "-t",
            "1",
            "--prometheus",
            "0",
            "--results",
            RESULTS,
        ]);
        let page = announced_page(&run);
        let mut besieged = Self { run, page, descriptors: 0, peak_kib: 0 };
        // Everything that the run itself needs is there by then.
        for _ in 0..20 {
            besieged.scrape(&mut Scrapes::default()).expect("a page as long as the run goes on");
        }
        (besieged.descriptors, besieged.peak_kib) =
            (besieged.run.descriptors(), besieged.run.peak_kib().expect("a running process"));
        besieged
    }

    /// Scrapes for that long, or as long as there is somebody to ask.
    fn scrape_for(&mut self, time: Duration) -> Scrapes {
        let (began, mut scrapes) = (Instant::now(), Scrapes::default());
        while began.elapsed() < time && self.scrape(&mut scrapes).is_some() {
            scrapes.most_descriptors = scrapes.most_descriptors.max(self.run.descriptors());
            thread::sleep(Duration::from_millis(10));
        }
        scrapes
    }

    /// One scrape, by as many connections as it takes; none once the run has ended.
    fn scrape(&mut self, scrapes: &mut Scrapes) -> Option<()> {
        let began = Instant::now();
        loop {
            let answer = http_get(self.page, "/metrics");
            if self.run.exited().is_some() {
                return None;
            }
            match answer {
                Ok(answer) => {
                    assert_eq!(answer.status, 200, "{}", answer.head);
                    assert_eq!(answer.header("content-length"), Some(&*answer.body.len().to_string()));
                    scrapes.took.push(began.elapsed());
                    return Some(());
                }
                Err(error) => {
                    scrapes.lost += 1;
                    assert!(began.elapsed() < SCRAPE_LIMIT, "no answer: {error}");
                }
            }
        }
    }

    /// Nothing grew beyond what the page gives away.
    fn check_size(&self, what: &str, scrapes: &Scrapes) {
        let (peak_kib, most) = (self.run.peak_kib().expect("a running process"), scrapes.most_descriptors);
        println!(
            "{what}: memory {} KiB before and {peak_kib} KiB at most, descriptors {} before and {most} at most",
            self.peak_kib, self.descriptors
        );
        let others = self.descriptors + 2 * RUN_CONNECTIONS + OTHER_DESCRIPTORS;
        assert!(most <= others + PAGE_CONNECTIONS, "{most} descriptors");
        assert!(peak_kib <= self.peak_kib + SIEGE_KIB, "{peak_kib} KiB");
    }

    /// Waits for the end of the run, which did all that was due, but for `unsent` requests at most.
    fn end(self, what: &str, unsent: u64) {
        let ended = Ended::of(self.run);
        // What is not sent was cut off by the signal that ended the run.
        let expected = if unsent > 0 { (130, vec!["barewire: ended by SIGINT"]) } else { (0, Vec::new()) };
        let complaints = ended.complaints();
        let told = complaints.lines().filter(|line| line.starts_with("barewire: "));
        assert_eq!((ended.code, told.collect()), expected, "{}", ended.stderr);
        let count = |path: &str| ended.results.pointer(path).and_then(Value::as_u64).expect("a count");
        let figure = |path: &str| ended.results.pointer(path).and_then(Value::as_f64).expect("a figure");
        let (scheduled, completed) = (count("/iterations/scheduled"), count("/iterations/completed"));
        let [p50, p99] = ["/response_time_ms/p50", "/response_time_ms/p99"].map(figure);
        println!(
            "{what}: {completed} of {scheduled} requests, {:.1} a second, response time p50 {p50:.2} ms, p99 {p99:.2} ms",
            figure("/rps")
        );
        let rest = ["/iterations/dropped", "/iterations/unfinished"].map(count).iter().sum::<u64>();
        assert!(rest <= unsent, "{rest} were not sent");
        assert_eq!((completed + rest, count("/errors")), (scheduled, 0), "{:#}", ended.results);
        assert!(p50 < 250.0, "{p50} ms");
    }
}

impl Scrapes {
    fn check(&mut self, what: &str) {
        self.took.sort_unstable();
        let quantile = |q: usize| self.took[(self.took.len() - 1) * q / 100];
        let [p50, p99, slowest] = [50, 99, 100].map(quantile);
        println!(
            "{what}: {} scrapes answered, p50 {p50:.2?}, p99 {p99:.2?}, slowest {slowest:.2?}, {} connections lost",
            self.took.len(),
            self.lost
        );
        assert!(self.took.len() >= 20, "{} scrapes", self.took.len());
        assert!(p50 < SCRAPE_MEDIAN && slowest < SCRAPE_LIMIT, "p50 {p50:?}, slowest {slowest:?}");
    }
}

#[test]
fn a_thousand_hostile_connections_cost_the_run_nothing_and_the_scrapers_little() {
    let _alone = SIEGES.lock().unwrap_or_else(PoisonError::into_inner);
    let mut calm = Besieged::start(4);
    calm.scrape_for(Duration::from_secs(2)).check("calm");
    calm.end("calm", 0);

    let mut besieged = Besieged::start(12);
    let siege = Siege::lay(besieged.page, 1_000);
    let mut scrapes = besieged.scrape_for(Duration::from_secs(8));
    besieged.check_size("besieged", &scrapes);
    let opened = siege.lift();
    println!("besieged: hostile connections {opened:?}");
    assert!(opened.iter().all(|(_, opened)| *opened >= 100), "{opened:?}");
    scrapes.check("besieged");
    besieged.end("besieged", 0);
}

#[test]
fn ten_thousand_idle_connections_are_no_reason_to_keep_a_scraper_waiting() {
    let _alone = SIEGES.lock().unwrap_or_else(PoisonError::into_inner);
    let wanted = 10_000;
    let most = raise_descriptors(wanted as u64 + 500).saturating_sub(500);
    let count = wanted.min(usize::try_from(most).unwrap_or(usize::MAX));
    if count < wanted {
        println!("the system allows {count} connections, and not {wanted}");
    }
    // Longer than all of this takes on any machine.
    let mut besieged = Besieged::start(600);
    let idle: Vec<TcpStream> =
        (0..count).map(|_| TcpStream::connect(besieged.page).expect("a connection")).collect();
    let mut scrapes = besieged.scrape_for(Duration::from_secs(2));
    scrapes.check(&format!("{} idle", idle.len()));
    besieged.check_size(&format!("{} idle", idle.len()), &scrapes);
    drop(idle);
    besieged.run.signal(Signal::INT);
    besieged.end(&format!("{count} idle"), RATE);
}

/// How many descriptors this process may have, raised to `wanted` as far as the system allows.
fn raise_descriptors(wanted: u64) -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let allowed = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let current = current.unwrap_or(u64::MAX);
    if current < allowed {
        setrlimit(Resource::Nofile, Rlimit { current: Some(allowed), maximum })
            .expect("a limit within the other");
    }
    current.max(allowed)
}

/// What becomes of the connection after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// The next request is answered.
    GoesOn,
    /// Nothing behind the request is read as another one.
    Closes,
}

use Then::{Closes, GoesOn};

/// What a peer sends, and how it is answered. `SCRAPE` stands for [`SCRAPE`].
#[rustfmt::skip]
const SHAPES: &[(&str, &str, u16, Then)] = &[
    ("a scrape", "SCRAPE\r\n", 200, GoesOn),
    ("the head of a scrape", "HEAD /metrics HTTP/1.1\r\nHost: h\r\n\r\n", 200, GoesOn),
    ("HTTP/1.0 without a host", "GET /metrics HTTP/1.0\r\n\r\n", 200, Closes),
    ("an absolute URL", "GET http://h/metrics HTTP/1.1\r\nHost: h\r\n\r\n", 200, GoesOn),
    ("an upgrade that nobody asked for", "SCRAPEUpgrade: h2c\r\nConnection: upgrade\r\n\r\n", 200, GoesOn),
    ("an expectation without a body", "SCRAPEExpect: 100-continue\r\n\r\n", 200, GoesOn),
    ("one empty line before", "\r\nSCRAPE\r\n", 200, GoesOn),
    ("no body, said twice", "SCRAPEContent-Length: 0\r\nContent-Length: 0\r\n\r\n", 200, GoesOn),
    // What two servers might read in two ways.
    ("both lengths", "SCRAPETransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\nSCRAPE\r\n", 400, Closes),
    ("both lengths, the other way round", "SCRAPEContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nSCRAPE\r\n", 400, Closes),
    ("two lengths", "SCRAPEContent-Length: 0\r\nContent-Length: 40\r\n\r\nSCRAPE\r\n", 400, Closes),
    ("two lengths in one", "SCRAPEContent-Length: 0, 40\r\n\r\nSCRAPE\r\n", 400, Closes),
    ("a length with a sign", "SCRAPEContent-Length: +0\r\n\r\n", 400, Closes),
    ("a negative length", "SCRAPEContent-Length: -1\r\n\r\n", 400, Closes),
    ("a hexadecimal length", "SCRAPEContent-Length: 0x0\r\n\r\n", 400, Closes),
    ("a length beyond 64 bits", "SCRAPEContent-Length: 18446744073709551616\r\n\r\n", 400, Closes),
    ("an empty length", "SCRAPEContent-Length:\r\n\r\n", 400, Closes),
    ("a body", "SCRAPEContent-Length: 40\r\n\r\nSCRAPE\r\n", 400, Closes),
    ("a body that is expected", "SCRAPEExpect: 100-continue\r\nContent-Length: 40\r\n\r\nSCRAPE\r\n", 400, Closes),
    ("a chunked body", "SCRAPETransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 400, Closes),
    ("a chunked body of nothing", "SCRAPETransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, Closes),
    ("chunked twice", "SCRAPETransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400, Closes),
    ("a coding that is nearly chunked", "SCRAPETransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400, Closes),
    ("a coding of old", "SCRAPETransfer-Encoding: identity\r\n\r\n", 400, Closes),
    ("chunked, hidden by a vertical tab", "SCRAPETransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400, Closes),
    ("chunked in HTTP/1.0", "GET /metrics HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, Closes),
    ("a blank before the colon", "SCRAPEContent-Length : 40\r\n\r\nSCRAPE\r\n", 400, Closes),
    ("a tab before the colon", "SCRAPETransfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n", 400, Closes),
    ("a field that begins with a blank", "SCRAPE Content-Length: 40\r\n\r\nSCRAPE\r\n", 400, Closes),
    ("a folded field", "SCRAPEX: a\r\n b\r\n\r\n", 400, Closes),
    ("a field without a colon", "SCRAPEX\r\n\r\n", 400, Closes),
    ("a field without a name", "SCRAPE: x\r\n\r\n", 400, Closes),
    ("lines that end in LF alone", "GET /metrics HTTP/1.1\nHost: h\n\n", 400, Closes),
    ("one line that ends in LF alone", "SCRAPEX: a\nContent-Length: 40\r\n\r\nSCRAPE\r\n", 400, Closes),
    ("an end in LF alone", "SCRAPEX: a\n\r\nSCRAPE\r\n", 400, Closes),
    ("a carriage return within a value", "SCRAPEX: a\rContent-Length: 40\r\n\r\n", 400, Closes),
    ("two empty lines before", "\r\n\r\nSCRAPE\r\n", 400, Closes),
    // What is no request.
    ("NUL in a value", "SCRAPEX: a\0b\r\n\r\n", 400, Closes),
    ("NUL in a name", "SCRAPEX\0: a\r\n\r\n", 400, Closes),
    ("NUL in the path", "GET /metrics\0 HTTP/1.1\r\nHost: h\r\n\r\n", 400, Closes),
    ("no host", "GET /metrics HTTP/1.1\r\n\r\n", 400, Closes),
    ("two hosts", "SCRAPEHost: i\r\n\r\n", 400, Closes),
    ("a blank in the path", "GET /metrics a HTTP/1.1\r\nHost: h\r\n\r\n", 400, Closes),
    ("two blanks", "GET  /metrics HTTP/1.1\r\nHost: h\r\n\r\n", 400, Closes),
    ("tabs for blanks", "GET\t/metrics\tHTTP/1.1\r\nHost: h\r\n\r\n", 400, Closes),
    ("HTTP/0.9", "GET /metrics\r\n\r\n", 400, Closes),
    ("HTTP/1.2", "GET /metrics HTTP/1.2\r\nHost: h\r\n\r\n", 400, Closes),
    ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, Closes),
    ("another protocol", "SSH-2.0-OpenSSH_9.9\r\n", 400, Closes),
    ("Redis", "*1\r\n$4\r\nPING\r\n", 400, Closes),
    // What there is none of here.
    ("another path", "GET /secret HTTP/1.1\r\nHost: h\r\n\r\n", 404, GoesOn),
    ("another path with a body", "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 40\r\n\r\nSCRAPE\r\n", 404, Closes),
    ("a path within another", "GET /../metrics HTTP/1.1\r\nHost: h\r\n\r\n", 404, GoesOn),
    ("a path in a query", "GET http://h?/metrics HTTP/1.1\r\nHost: h\r\n\r\n", 404, GoesOn),
    ("a tunnel", "CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n", 404, GoesOn),
    ("everything", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", 404, GoesOn),
    ("another method", "TRACE /metrics HTTP/1.1\r\nHost: h\r\n\r\n", 405, GoesOn),
    ("another method with a body", "POST /metrics HTTP/1.1\r\nHost: h\r\nContent-Length: 40\r\n\r\nSCRAPE\r\n", 405, Closes),
    ("another method, chunked", "POST /metrics HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 405, Closes),
    ("no coding at all", "SCRAPEAccept-Encoding: *;q=0\r\n\r\n", 406, GoesOn),
];

/// The same of shapes that a constant cannot hold.
fn long_shapes() -> Vec<(&'static str, Vec<u8>, u16, Then)> {
    let garbage = (0..4096_u32).map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[0] | 0x80).collect();
    vec![
        ("TLS", CLIENT_HELLO.to_vec(), 400, Closes),
        ("garbage", garbage, 400, Closes),
        ("many fields", format!("{SCRAPE}{}\r\n", "X: y\r\n".repeat(200)).into(), 431, Closes),
        ("a long field", format!("{SCRAPE}X: {}\r\n\r\n", "y".repeat(9_000)).into(), 431, Closes),
        (
            "a long path",
            format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "y".repeat(9_000)).into(),
            431,
            Closes,
        ),
        ("a long nothing", vec![b'y'; 9_000], 431, Closes),
        (
            "fields without an end",
            format!("{SCRAPE}{}", "X: yyyyyyyyyyyyy\r\n".repeat(3_000)).into(),
            431,
            Closes,
        ),
    ]
}

/// A request for the page, but for the empty line.
const SCRAPE: &str = "GET /metrics HTTP/1.1\r\nHost: h\r\n";

fn expand(shape: &str) -> String {
    shape.replace("SCRAPE", SCRAPE)
}

/// The statuses of all answers to `bytes`, up to the end of the connection.
fn statuses(page: SocketAddr, bytes: &[u8]) -> io::Result<Vec<u16>> {
    let mut stream = TcpStream::connect(page)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(bytes)?;
    let mut answers = Vec::new();
    stream.read_to_end(&mut answers)?;
    let answers = String::from_utf8_lossy(&answers).into_owned();
    let status = |line: &str| line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest[..3].parse().ok());
    Ok(answers.lines().filter_map(status).collect())
}

const LAST: &str = "GET /-/healthy HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

#[test]
fn every_hostile_shape_has_one_answer_and_nothing_behind_it_is_a_request() {
    let run = barewire(["run", "-r", "50", "-d", "10m", "-c", "2", "-t", "1", "--prometheus", "0"]);
    let page = announced_page(&run);
    let short =
        SHAPES.iter().map(|(name, shape, status, then)| (*name, expand(shape).into_bytes(), *status, *then));
    for (name, shape, status, then) in short.chain(long_shapes()) {
        let expected = if then == GoesOn { vec![status, 200] } else { vec![status] };
        let answered = statuses(page, &[&shape, LAST.as_bytes()].concat()).expect(name);
        assert_eq!(answered, expected, "{name}");
    }
}

#[test]
fn whoever_goes_away_in_the_middle_is_answered_nothing() {
    let run = barewire(["run", "-r", "50", "-d", "10m", "-c", "2", "-t", "1", "--prometheus", "0"]);
    let page = announced_page(&run);
    let head = format!("{SCRAPE}X: y\r\n");
    for part in [0, 1, 10, head.len()] {
        let mut stream = TcpStream::connect(page).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        stream.write_all(&head.as_bytes()[..part]).expect("a part of a request");
        stream.shutdown(Shutdown::Write).expect("an end");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an end");
        assert_eq!(String::from_utf8_lossy(&answer), "", "after {part} bytes");
    }
}

#[test]
fn nothing_but_get_and_head_of_known_paths_is_answered_200() {
    let run = barewire(["run", "-r", "50", "-d", "10m", "-c", "2", "-t", "1", "--prometheus", "0"]);
    let page = announced_page(&run);
    let methods = [
        "GET", "HEAD", "get", "GETS", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT",
        "M-SEARCH",
    ];
    let known =
        ["/metrics", "/metrics?a=b", "/-/healthy", "/-/healthy?", "http://h/metrics", "http://h:1/metrics?"];
    let unknown = [
        "/",
        "*",
        "h:80",
        "/metrics/",
        "//metrics",
        "/./metrics",
        "/a/../metrics",
        "/METRICS",
        "/metrics;a",
        "/metrics%00",
        "/%6detrics",
        "/metrics&a",
        "metrics",
        "/-/stats",
        "/-/healthy/",
        "/healthy",
        "http://h",
        "http://h?/metrics",
        "http:///metrics",
        "https://h/metrics",
        "ftp://h/metrics",
        "/?/metrics",
        "/metrics.json",
        "/..;/metrics",
    ];
    for method in methods {
        for path in known.iter().chain(&unknown) {
            let request = format!("{method} {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
            let answered = statuses(page, request.as_bytes()).expect(path);
            let is_fine = ["GET", "HEAD"].contains(&method) && known.contains(path);
            assert_eq!(answered.len(), 1, "{method} {path}");
            assert_eq!(answered[0] == 200, is_fine, "{method} {path}: {answered:?}");
        }
    }
}

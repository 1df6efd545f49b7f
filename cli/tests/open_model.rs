//! Under a rate, the response time tells what a stalled target does to its users; the service time alone does not. A rate
//! that is not kept is told, and who did not keep it.

mod support;

use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use support::{Ended, RESULTS, Target, barewire_to_end};

/// How often it is measured at most: whatever else the machine does meanwhile can only make users wait longer.
const ATTEMPTS: usize = 3;

/// With S = 1 s stalled in every T = 5 s, hardly any base latency and a backlog that is served in f(S): a share of
/// S / T / (1 - rate / capacity) of all arrivals waits, evenly spread from nothing to a second. So the quantile q is
/// 1 s · (1 - (1 - q) · 5): p90 500 ms, p95 750 ms, p99 950 ms, mean 100 ms. It does not matter where in a period
/// the run begins, as it lasts for four whole ones.
#[test]
fn a_stall_of_one_second_in_five_is_told_as_its_users_feel_it() {
    let target = Target::start(&["--stall", "1s/5s"]);
    let mut deviations = Vec::new();
    let is_told = (1..=ATTEMPTS).any(|attempt| {
        let results = a_run_whose_counts_are_exact(&target, 40_000 * attempt as u64);
        deviations = deviations_of(&results);
        deviations.is_empty()
    });
    assert!(is_told, "in {ATTEMPTS} attempts; the last one: {deviations:#?}");
}

/// 2000 requests a second for 20 s, which are all of them done, however long that took.
fn a_run_whose_counts_are_exact(target: &Target, requests_so_far: u64) -> Value {
    let url = target.url();
    let run = ["run", &url, "-r", "2000", "-d", "20s", "-c", "64", "--quiet", "--results", RESULTS];
    let ended = barewire_to_end(run);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(ended.stdout, "");

    let count = |path: &str| ended.results.pointer(path).and_then(Value::as_u64).expect("a count");
    let counts = ["/requests", "/iterations/scheduled", "/iterations/completed"].map(count);
    assert_eq!(counts, [40_000; 3], "{:#}", ended.results);
    assert_eq!(["/errors", "/iterations/dropped", "/iterations/unfinished"].map(count), [0; 3]);
    assert_eq!(target.requests(), requests_so_far);
    ended.results
}

/// The figures that are not what the arithmetic says.
fn deviations_of(results: &Value) -> Vec<String> {
    let told = |of: &str, figure: &str| results[of][figure].as_f64().expect("milliseconds");
    let expected = [
        ("response_time_ms", "p90", 470.0..=560.0),
        ("response_time_ms", "p95", 725.0..=790.0),
        ("response_time_ms", "p99", 935.0..=985.0),
        ("response_time_ms", "mean", 95.0..=118.0),
        // Only those that are on their way when a stall begins see it: 4 · 64 of 40 000.
        ("latency_ms", "p99", 0.0..=300.0),
        // Nearly all of the wait is for a connection.
        ("schedule_slip_ms", "p99", 900.0..=985.0),
    ];
    let off = expected.into_iter().filter(|(of, figure, range)| !range.contains(&told(of, figure)));
    off.map(|(of, figure, range)| format!("{of} {figure}: {} is not in {range:?}", told(of, figure)))
        .collect()
}

/// A rate that nobody holds, for a second and one more; again where somebody else had the processor meanwhile.
fn beyond_all_rates(target: SocketAddr, connections: &str, bottleneck: &str) -> Ended {
    let url = format!("http://{target}/");
    let run = ["run", &url, "-r", "1000000", "-d", "1s", "--timeout", "1s", "-c", connections, "-t", "1"];
    let ended = || barewire_to_end(run.iter().chain(&["--results", RESULTS]));
    let is_told = |ended: &Ended| ended.code == 0 && ended.results["bottleneck"] == bottleneck;
    let told = (0..ATTEMPTS).map(|_| ended()).find(is_told);
    told.unwrap_or_else(|| panic!("{bottleneck} was not told in {ATTEMPTS} attempts"))
}

/// One connection is all that there ever was: whether a second one would help cannot be seen.
#[test]
fn where_a_run_cannot_tell_too_few_connections_from_a_slow_target_it_names_both() {
    let target = Target::start(&["--delay", "1ms"]);
    let ended = beyond_all_rates(target.addr(), "1", "connections_or_target");
    let needed = ended.results["connections_needed"].as_u64().expect("a count");
    assert!(needed >= 1150, "{needed}: a million a second for a millisecond each, and headroom");
    for told in [
        "\n  either the connections are too few or the target is the bottleneck: 1 at ",
        "/s, and 1000000/s were asked for; try ",
    ] {
        assert!(ended.stdout.contains(told), "{told}: {}", ended.stdout);
    }
    assert!(!ended.stderr.contains("bottleneck"), "{}", ended.stderr);
}

/// A second of 400 arrivals a second over so many connections.
fn four_hundred(target: SocketAddr, connections: u64, threads: &str) -> Ended {
    let (url, connections) = (format!("http://{target}/"), connections.to_string());
    let load = ["run", &url, "-r", "400", "-d", "1s", "--drain", "300ms", "-t", threads, "-c", &connections];
    barewire_to_end(load.into_iter().chain(["--results", RESULTS]))
}

/// Whether `is_told` of one of a few runs; the last one otherwise.
fn attempts(mut run: impl FnMut() -> Ended, is_told: impl Fn(&Ended) -> bool) -> Result<Ended, Ended> {
    let mut last = run();
    for _ in 1..ATTEMPTS {
        if is_told(&last) {
            break;
        }
        last = run();
    }
    if is_told(&last) { Ok(last) } else { Err(last) }
}

/// Each request takes 50 ms, however many there are: 20 connections carry 400 a second, 4 carry 80.
#[test]
fn too_few_connections_are_told_with_a_number_that_holds_the_rate() {
    let target = Target::start(&["--delay", "50ms"]);
    thread::scope(|scope| {
        for threads in ["1", "2"] {
            let addr = target.addr();
            scope.spawn(move || {
                let few = attempts(
                    || four_hundred(addr, 4, threads),
                    |ended| ended.results["bottleneck"] == "connections",
                );
                let few = few.unwrap_or_else(|ended| panic!("{threads} threads: {}", ended.stdout));
                let needed = few.results["connections_needed"].as_u64().expect("a count");
                assert!((23..60).contains(&needed), "{needed}: {}", few.stdout);
                for told in ["\n  the connections are too few: 4 at ", &format!("give {needed}\n")] {
                    assert!(few.stdout.contains(told), "{told}: {}", few.stdout);
                }
                let enough = attempts(
                    || four_hundred(addr, needed, threads),
                    |ended| {
                        ended.results["bottleneck"].is_null() && ended.results["iterations"]["dropped"] == 0
                    },
                );
                enough.unwrap_or_else(|ended| panic!("{needed} do not hold it: {}", ended.stdout));
            });
        }
    });
}

/// One request at a time, 5 ms each: 200 a second whatever the connections are.
#[test]
fn a_target_that_is_slower_with_more_connections_is_the_bottleneck() {
    let target = answers_one_at_a_time(Duration::from_millis(5));
    let slow = attempts(|| four_hundred(target, 8, "1"), |ended| ended.results["bottleneck"] == "target");
    let slow = slow.unwrap_or_else(|ended| panic!("{}", ended.stdout));
    for told in ["\n  the target is the bottleneck: for ", "with half of them, so more would not help\n"] {
        assert!(slow.stdout.contains(told), "{told}: {}", slow.stdout);
    }
}

/// The target's answer costs it one write, and takes the generator a look at every byte.
#[test]
fn a_generator_that_cannot_hold_the_rate_says_so() {
    let ended = beyond_all_rates(answers_in_chunks_of_a_byte(), "4", "generator");
    let slip = |figure: &str| ended.results["schedule_slip_ms"][figure].as_f64().expect("milliseconds");
    assert!(slip("p50") > 100.0 && slip("max") >= slip("p99"), "{:#}", ended.results);
    for (output, before) in [(&ended.stdout, "\n  "), (&ended.stderr, "barewire: ")] {
        assert!(output.contains(&format!("{before}the generator is the bottleneck: ")), "{output}");
    }
    assert!(ended.stdout.contains("\n  due, sent "), "{}", ended.stdout);
}

#[test]
fn a_rate_that_is_held_has_no_bottleneck() {
    let target = Target::start(&[]);
    let ended = || barewire_to_end(["run", &target.url(), "-r", "100", "-d", "1s", "--results", RESULTS]);
    // A busy machine may keep even this rate from being held.
    let is_held = (0..ATTEMPTS).map(|_| ended()).any(|ended| {
        let slip = ended.results["schedule_slip_ms"]["p50"].as_f64().expect("milliseconds");
        ended.results["bottleneck"].is_null()
            && slip < 100.0
            && !(ended.stdout + &ended.stderr).contains("bottleneck")
    });
    assert!(is_held);
    let closed = barewire_to_end(["run", &target.url(), "-d", "100ms", "--results", RESULTS]);
    assert_eq!((closed.results.get("bottleneck"), closed.results.get("schedule_slip_ms")), (None, None));
}

/// A server with one hand: a request waits for those before it, of all connections.
fn answers_one_at_a_time(takes: Duration) -> SocketAddr {
    let hand = Arc::new(Mutex::new(()));
    serves_each(move |mut stream| {
        let mut buffer = [0; 4096];
        while stream.read(&mut buffer).is_ok_and(|len| len > 0) {
            let held = hand.lock();
            thread::sleep(takes);
            drop(held);
            if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").is_err() {
                return;
            }
        }
    })
}

/// A server that takes whatever it reads for one request.
fn answers_in_chunks_of_a_byte() -> SocketAddr {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let answer: &'static str = format!("{head}{}0\r\n\r\n", "1\r\nx\r\n".repeat(50_000)).leak();
    serves_each(move |mut stream| {
        let mut buffer = [0; 4096];
        while stream.read(&mut buffer).is_ok_and(|len| len > 0) && stream.write_all(answer.as_bytes()).is_ok()
        {
        }
    })
}

/// A server that has a thread do this with each connection.
fn serves_each(each: impl Fn(TcpStream) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = listener.local_addr().expect("its address");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let each = each.clone();
            thread::spawn(move || each(stream));
        }
    });
    addr
}

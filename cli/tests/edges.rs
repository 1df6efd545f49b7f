//! Other edges than the page: files that are no files, and the embedded target, both in hostile hands.

mod support;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};
use support::siege::{CLIENT_HELLO, Siege};
use support::{Child, Dir, Ended, PATIENCE, Target, http_get, poll};

/// A folder with a file of every kind that is no good, by names that stand in the rows.
fn traps() -> Dir {
    let dir = Dir::new();
    let sparse = |name: &str, len: u64| {
        let file = File::create(dir.path().join(name)).expect("a file");
        file.set_len(len).expect("a file of that length");
    };
    sparse("1GB", 1 << 30);
    sparse("100MB.pem", 100 << 20);
    sparse("1GB.json", 1 << 30);
    fs::create_dir(dir.path().join("folder")).expect("a folder");
    mknodat(CWD, dir.path().join("pipe"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
    dir.write("bytes.json", "{\"target\": \"http://h/\"}\n");
    fs::write(dir.path().join("binary.json"), b"{\xff\xfe}").expect("a file");
    dir.write("deep.json", &format!("{{\"steps\": {}", "[".repeat(1_000_000)));
    dir.write(
        "steps.json",
        &format!("{{\"target\": \"http://127.0.0.1:1/\", \"steps\": [{{}}{}]}}", ", {}".repeat(10_000)),
    );
    dir.write(
        "deep-points.json",
        &format!("{{\"points\": [{{\"name\": \"m\", \"value\": {}", "[".repeat(1_000_000)),
    );
    let labels: Vec<String> = (0..2_000).map(|at| format!("\"l{at}\": 1")).collect();
    dir.write(
        "labels.json",
        &format!(
            "{{\"points\": [{{\"name\": \"m\", \"value\": 1, \"labels\": {{{}}}}}]}}",
            labels.join(", ")
        ),
    );
    dir
}

/// Arguments, and what the sentence has in it.
#[rustfmt::skip]
const ROWS: &[(&[&str], &[&str])] = &[
    (&["run", "--otlp", "http://127.0.0.1:1", "--auth", "otlp:bearer @file:pipe"], &["--auth: the file 'pipe' is no file, but a"]),
    (&["run", "--otlp", "http://127.0.0.1:1", "--header", "otlp:X-Key: @file:pipe"], &["--header: the file 'pipe' is no file, but a"]),
    (&["run", "--otlp", "http://127.0.0.1:1", "--auth", "otlp:bearer @file:1GB"], &["--auth: the file '1GB' is longer than 16384 bytes"]),
    (&["run", "--otlp", "http://127.0.0.1:1", "--auth", "otlp:bearer @file:folder"], &["--auth: the file 'folder' is no file"]),
    (&["run", "--otlp", "http://127.0.0.1:1", "--auth", "otlp:bearer @file:/dev/zero"], &["--auth: the file '/dev/zero' is no file"]),
    (&["run", "--otlp", "https://127.0.0.1:1", "--ca", "100MB.pem"], &["--ca: the file '100MB.pem' is longer than 4194304 bytes"]),
    (&["run", "--otlp", "https://127.0.0.1:1", "--ca", "pipe"], &["--ca: the file 'pipe' is no file"]),
    (&["run", "--otlp", "https://127.0.0.1:1", "--cert", "folder"], &["--cert, --key: the file 'folder' is no file"]),
    (&["run", "--results", "folder"], &["--results: 'folder' cannot be written", "choose another file"]),
    (&["run", "--otlp", "file:folder"], &["--otlp: ", "'folder'"]),
    (&["run", "--log", "json:folder"], &["--log: ", "'folder'"]),
    (&["run", "1GB.json"], &["the spec '1GB.json' cannot be read: more than 16 MiB"]),
    (&["run", "folder.json"], &["the spec 'folder.json' cannot be read"]),
    (&["run", "binary.json"], &["the spec 'binary.json' cannot be read", "save it as UTF-8"]),
    (&["run", "deep.json"], &["deep.json: steps[0]"]),
    (&["run", "steps.json"], &["steps: 10001 are too many: 10000 are the most"]),
    (&["encode", "influx", "1GB.json"], &["1GB.json: cannot be read (more than 64 MiB)"]),
    (&["encode", "influx", "folder"], &["folder: cannot be read"]),
    (&["encode", "influx", "deep-points.json"], &["deep-points.json: points[0].value"]),
    (&["encode", "influx", "labels.json"], &["labels.json: points[0].labels", "more than 1024 labels"]),
    (&["encode", "influx", "binary.json"], &["binary.json: "]),
];

#[test]
fn a_file_that_is_none_or_has_no_end_is_refused_in_a_sentence_and_at_once() {
    for (arguments, words) in ROWS {
        let mut command = Command::new(env!("CARGO_BIN_EXE_barewire"));
        command.args(*arguments);
        let ended = Ended::of(Child::start(command, traps()));
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{arguments:?}: {}", ended.stderr);
        for word in *words {
            assert!(ended.stderr.contains(word), "{arguments:?}: no {word:?} in {}", ended.stderr);
        }
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    }
}

/// What a client sends, and the statuses of the answers up to the end of the connection.
#[rustfmt::skip]
const SHAPES: &[(&str, &str, &[u16])] = &[
    ("a request", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", &[200, 200]),
    ("a chunked body", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", &[200, 200]),
    ("both lengths", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", &[400]),
    ("two lengths", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nContent-Length: 4\r\n\r\n", &[400]),
    ("a chunk of a bad size", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", &[400]),
    ("a folded field", "GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n", &[400]),
    ("a blank before the colon", "GET / HTTP/1.1\r\nHost : h\r\n\r\n", &[400]),
    ("lines that end in LF alone", "GET / HTTP/1.1\nHost: h\n\n", &[400]),
    ("NUL", "GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n", &[400]),
    ("no host", "GET / HTTP/1.1\r\n\r\n", &[400]),
    ("two hosts", "GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n", &[400]),
    ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[400]),
];

fn statuses(addr: SocketAddr, bytes: &[u8]) -> Vec<u16> {
    let mut stream = TcpStream::connect(addr).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    stream.write_all(bytes).expect("a request");
    let mut answers = String::new();
    stream.read_to_string(&mut answers).expect("answers and an end");
    let status = |line: &str| line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest[..3].parse().ok());
    answers.lines().filter_map(status).collect()
}

#[test]
fn the_target_answers_what_is_no_request_with_400_and_reads_nothing_behind_it() {
    let target = Target::start(&[]);
    let last = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    for (name, shape, expected) in SHAPES {
        assert_eq!(statuses(target.addr(), format!("{shape}{last}").as_bytes()), *expected, "{name}");
    }
    assert_eq!(statuses(target.addr(), CLIENT_HELLO), [400], "TLS");
    let long = format!("GET / HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n", "y".repeat(9_000));
    assert_eq!(statuses(target.addr(), long.as_bytes()), [400], "a long field");
    assert_eq!(target.requests(), 4);
}

#[test]
fn the_target_writes_when_each_request_came() {
    let mut target = Target::start(&["--trace", "arrivals"]);
    for _ in 0..3 {
        http_get(target.addr(), "/").expect("an answer");
        thread::sleep(Duration::from_millis(20));
    }
    // Three at once have come at once.
    let last = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let kept = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    assert_eq!(statuses(target.addr(), format!("{kept}{kept}{last}").as_bytes()), [200; 3]);
    assert_eq!(target.requests(), 6, "which is not one itself");
    assert_eq!(target.child.dir().read("arrivals"), "", "nothing is written while it matters");
    assert!(target.child.terminate().success());
    let trace = target.child.dir().read("arrivals");
    let came: Vec<u64> = trace.lines().map(|line| line.parse().expect("nanoseconds")).collect();
    assert_eq!(came.len(), 6, "{came:?}");
    assert!(came.windows(2).take(3).all(|two| two[1] - two[0] >= 20_000_000), "{came:?}");
    assert!(came[3] == came[4] && came[4] == came[5], "{came:?}");
    assert!(u128::from(came[5]) < target.child.age().as_nanos());
}

#[test]
fn the_target_outlives_a_siege_and_keeps_nothing_of_it() {
    let target = Target::start(&[]);
    let addr = target.addr();
    http_get(addr, "/").expect("an answer");
    let (before_kib, descriptors) =
        (target.child.peak_kib().expect("a running process"), target.child.descriptors());
    let siege = Siege::lay(addr, 400);
    let (began, mut took) = (Instant::now(), Vec::new());
    while began.elapsed() < Duration::from_secs(3) {
        let asked = Instant::now();
        assert_eq!(http_get(addr, "/").expect("an answer").status, 200);
        took.push(asked.elapsed());
        thread::sleep(Duration::from_millis(10));
    }
    let opened = siege.lift();
    took.sort_unstable();
    let peak_kib = target.child.peak_kib().expect("a running process");
    println!(
        "{} answers, p50 {:.2?}, slowest {:.2?}; memory {before_kib} KiB before and {peak_kib} KiB at most; {opened:?}",
        took.len(),
        took[took.len() / 2],
        took[took.len() - 1]
    );
    // A buffer of 64 KiB for what comes in and one for what goes out, for each.
    assert!(peak_kib <= before_kib + 400 * 2 * 64, "{peak_kib} KiB");
    poll(PATIENCE, "the end of all connections", || {
        (target.child.descriptors() <= descriptors).then_some(())
    });
}

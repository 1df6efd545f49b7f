//! What is wrong is said in one sentence, before a byte is sent.

mod support;

use std::io::{ErrorKind, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use support::{Child, Dir, Ended, barewire_to_end, free_port};

const BAD_USAGE: i32 = 2;
const UNREACHABLE: i32 = 3;

/// Listens for those who must not come.
#[derive(Debug)]
struct Watch(TcpListener);

impl Watch {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        listener.set_nonblocking(true).expect("a listener that does not block");
        Self(listener)
    }

    fn addr(&self) -> String {
        self.0.local_addr().expect("its address").to_string()
    }

    /// The bytes of each connection since the last time. The peers have gone by then.
    fn visits(&self) -> Vec<usize> {
        let mut visits = Vec::new();
        loop {
            match self.0.accept() {
                Ok((mut stream, _)) => {
                    stream.set_nonblocking(false).expect("a stream that blocks");
                    visits.push(stream.read_to_end(&mut Vec::new()).expect("the end of the stream"));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return visits,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// Arguments behind `run`, where TARGET and RECEIVER stand for their addresses; what the sentence has
/// to name: flag or field, value, remedy.
const ROWS: &[(&[&str], &[&str])] = &[
    // The target.
    (&["http://TARGET/a b"], &["target: ", "/a b'", "percent-encode it"]),
    (&["https://TARGET/"], &["target: 'https://TARGET/'", "use http"]),
    (&["ftp://TARGET/"], &["target: 'ftp://TARGET/'", "has to begin with http://"]),
    (&["TARGET"], &["target: 'TARGET'", "has to begin with http://"]),
    (&[""], &["target: ''", "has to begin with http://"]),
    (&["http://me:hunter2@TARGET/"], &["target: ", "credentials", "take them out"]),
    (&["script.js"], &["target: 'script.js' is a script", "write one"]),
    (&["m.yaml"], &["target: 'm.yaml' is a YAML file", "JSON"]),
    (&["-"], &["the spec on standard input is empty", "shows one"]),
    // The spec.
    (&[r#"{"target": "http://TARGET/", "duration": 10}"#], &["duration: 10 has no unit", "write \"10s\""]),
    (&[r#"{"target": "http://TARGET/", "vus": 10}"#], &["vus: ", "write 'users'"]),
    (&["no-such-spec.json"], &["the spec 'no-such-spec.json' cannot be read", "name a file that can"]),
    (&[r#"{"target": "http://TARGET/", "#], &["the spec: the text ends ", "line 1"]),
    (
        &[r#"{"target": "http://TARGET/", "bogus": 1}"#],
        &["bogus: ", "no field 'bogus'", "write one of name, "],
    ),
    (
        &[r#"{"target": "http://TARGET/", "steps": [{"uri": "/"}]}"#],
        &["steps[0].uri: ", "no field 'uri'", "write 'url'"],
    ),
    (&[r#"{"target": "http://TARGET/", "users": "many"}"#], &["users: ", "\"many\"", "give a whole number"]),
    (
        &[r#"{"target": "http://TARGET/", "thresholds": ["p95 ~ 5ms"]}"#],
        &["thresholds[0]: ", "'p95 ~ 5ms'", "write"],
    ),
    (
        &[r#"{"target": "http://TARGET/", "thresholds": ["error_rate < 0.06"]}"#],
        &["thresholds[0]: ", "'error_rate < 0.06' has no unit", "'error_rate < 0.06%' or 'error_rate < 6%'"],
    ),
    (
        &[r#"{"target": "http://TARGET/", "max_dropped": 0.05}"#],
        &["max_dropped: ", "'0.05' has no unit", "write '0.05%', or '5%'"],
    ),
    (
        &[r#"{"target": "http://TARGET/", "steps": [{"headers": {"X": "a\r\nB: c"}}]}"#],
        &["steps[0].headers", "'X'", "remove it"],
    ),
    // Flags.
    (&["http://TARGET/", "--bogus"], &["'--bogus'", "'barewire run --help' shows all"]),
    (&["http://TARGET/", "--insecure"], &["'--insecure'", "the load speaks no TLS"]),
    (&["http://TARGET/", "-z", "5s"], &["'-z'", "-d TIME"]),
    (&["http://TARGET/", "-duration=5s"], &["two dashes", "write --duration"]),
    (&["http://TARGET/", "-c", "many"], &["--connections", "'many' is no whole number", "such as 64"]),
    (&["http://TARGET/", "-c", "-1"], &["--connections", "'-1' is no whole number", "such as 64"]),
    (&["http://TARGET/", "-t", "30s"], &["--threads", "'30s' is no whole number", "such as 64"]),
    (&["http://TARGET/", "-r", "fast"], &["--rate", "'fast' is no rate", "such as 2000"]),
    (&["http://TARGET/", "-d", "10"], &["--duration", "'10'", "10s, 1m30s or 250ms"]),
    (&["http://TARGET/", "-d", "0s"], &["duration: ", "0s", "give at least 1ms"]),
    (&["http://TARGET/", "--duration=-5s"], &["'--duration", "'-5s'", "10s, 1m30s or 250ms"]),
    (&["http://TARGET/", "-c", "0"], &["connections: ", "0 is out of range", "give 1 to"]),
    (&["http://TARGET/", "-t", "0"], &["threads: ", "0 ", "give at least 1"]),
    (&["http://TARGET/", "-r", "0"], &["rate: ", "0 is out of range", "give 0.000001 to"]),
    (&["http://TARGET/", "-r", "-5"], &["rate: ", "-5 is out of range", "give 0.000001 to"]),
    (&["http://TARGET/", "-r", "NaN"], &["rate: ", "NaN is out of range", "give 0.000001 to"]),
    (&["http://TARGET/", "--timeout", "0s"], &["timeout: ", "0s", "give at least 1ms"]),
    (
        &["http://TARGET/", "--sample-rate", "1.5"],
        &["--sample-rate", "'1.5'", "give 0 for none to 1 for all"],
    ),
    (&["http://TARGET/", "--sample-rate", "-1"], &["--sample-rate", "'-1'", "give 0 for none to 1 for all"]),
    (
        &["http://TARGET/", "--sample-rate", "all"],
        &["--sample-rate", "'all'", "give 0 for none to 1 for all"],
    ),
    (
        &["http://TARGET/", "--trace-sample", "1/1000"],
        &["--trace-sample", "'1/1000'", "give 0 for none to 1 for all"],
    ),
    (
        &["http://TARGET/", "--trace-sample", "0.1"],
        &["--trace-sample: ", "no exporter of this run takes traces", "add --otlp"],
    ),
    (
        &["http://TARGET/", "--trace-sample", "0.1", "--otlp", "metrics:http://RECEIVER/"],
        &["--trace-sample: ", "no exporter of this run takes traces", "add --otlp"],
    ),
    (&["http://TARGET/", "--interval", "0s"], &["--interval", "'0s'", "10ms or longer"]),
    (
        &["http://TARGET/", "--results", "no/such/r.json"],
        &["--results: ", "'no/such/r.json'", "choose another file"],
    ),
    // Exporters.
    (&["http://TARGET/", "--otlp", "ftp://RECEIVER"], &["--otlp: ", "'ftp://RECEIVER'", "http://"]),
    (
        &["http://TARGET/", "--otlp", "http://RECEIVER/a b"],
        &["--otlp: ", "'http://RECEIVER/a b'", "percent-encode it"],
    ),
    (&["http://TARGET/", "--otlp", "https://a..b"], &["--otlp: ", "a..b:443", "use another"]),
    (
        &["http://TARGET/", "--otlp", "http://me:hunter2%zz@RECEIVER"],
        &["--otlp: ", "credentials", "percent-encoded"],
    ),
    (&["http://TARGET/", "--otlp", "metrics:RECEIVER"], &["--otlp: ", "write it as http://"]),
    (&["http://TARGET/", "--otlp", "file:"], &["--otlp: ", "'file:'", "file:PATH"]),
    (
        &["http://TARGET/", "--otlp", "file:no/such/o.jsonl"],
        &["--otlp: ", "'no/such/o.jsonl'", "name a file"],
    ),
    (&["http://TARGET/", "--log", "text"], &["--log: ", "'text'", "json:PATH"]),
    (&["http://TARGET/", "--log", "json:"], &["--log: ", "'json:'", "json:PATH"]),
    (
        &["http://TARGET/", "--log", "json:no/such/l.jsonl"],
        &["--log: ", "'no/such/l.jsonl'", "name a file that can be written"],
    ),
    (&["http://TARGET/", "--log", "json", "--log", "json"], &["--log: ", "json", "leave one out"]),
    (
        &["http://TARGET/", "--otlp", "-", "--log", "json"],
        &["--log: ", "standard output", "name a file of its own"],
    ),
    (
        &["http://TARGET/", "--influx", "ftp://RECEIVER/write?db=a&p=hunter2"],
        &["--influx: ", "'ftp://RECEIVER/write'", "udp://HOST:PORT"],
    ),
    (
        &["http://TARGET/", "--influx", "http://RECEIVER/write?u=me&p=hunter2"],
        &["--influx: ", "'http://RECEIVER/write'", "add db=…"],
    ),
    (
        &["http://TARGET/", "--influx", "http://RECEIVER/write?db=a&precision=s&p=hunter2"],
        &["--influx: ", "precision=s", "leave it out"],
    ),
    (&["http://TARGET/", "--influx", "udp://me:hunter2@nowhere"], &["--influx: ", "HOST:PORT"]),
    (
        &["http://TARGET/", "--influx", "udp://RECEIVER", "--header", "influx:X: hunter2"],
        &["--header: ", "udp", "leave it out"],
    ),
    (
        &["http://TARGET/", "--prometheus", "RECEIVER"],
        &["--prometheus: ", "'RECEIVER'", "choose another port"],
    ),
    (
        &["http://TARGET/", "--otlp", "file:o.jsonl", "--otlp", "file:o.jsonl"],
        &["--otlp: ", "'file:o.jsonl'", "leave one out"],
    ),
    (
        &["http://TARGET/", "--prometheus", "nowhere"],
        &["--prometheus: ", "'nowhere'", "such as 127.0.0.1:9090"],
    ),
    (&["http://TARGET/", "--prometheus", "99999"], &["--prometheus: ", "'99999'", "such as 127.0.0.1:9090"]),
    (
        &["http://TARGET/", "--otlp", "http://RECEIVER", "--header", "otlp:X: hunter2\r\nB: c"],
        &["--header: ", "'X'", "remove it"],
    ),
    (
        &["http://TARGET/", "--otlp", "http://RECEIVER", "--header", "otlp:X: hunter2\r\n"],
        &["--header: ", "'X'", "remove it"],
    ),
    (
        &["http://TARGET/", "--otlp", "http://RECEIVER", "--header", "otlp:X\r\nB: hunter2"],
        &["--header: ", "use letters, digits and hyphens"],
    ),
    (
        &["http://TARGET/", "--otlp", "http://RECEIVER", "--header", "statsd:X: hunter2"],
        &["--header: ", "'statsd'", "--otlp URL"],
    ),
    (
        &["http://TARGET/", "--otlp", "http://RECEIVER", "--header", "X-Key hunter2"],
        &["--header", "'EXPORTER:Name: value'"],
    ),
    (&["http://TARGET/", "--header", "otlp:X: hunter2"], &["--header: ", "'otlp'", "--otlp URL"]),
    (
        &["http://TARGET/", "--otlp", "http://RECEIVER", "--header", "otlp:Content-Length: 5"],
        &["--header: ", "'Content-Length'", "leave it out"],
    ),
    (
        &["http://TARGET/", "--otlp", "http://RECEIVER", "--header", "otlp:X: @env:hunter2"],
        &["--header: ", "@env:", "not set"],
    ),
    (
        &["http://TARGET/", "--otlp", "http://RECEIVER", "--auth", "otlp:Bearer hunter2"],
        &["--auth: ", "'EXPORTER:bearer SECRET'"],
    ),
    (
        &["http://TARGET/", "--otlp", "http://RECEIVER", "--auth", "hunter2"],
        &["--auth: ", "'EXPORTER:bearer SECRET'"],
    ),
    (
        &["http://TARGET/", "--otlp", "http://RECEIVER", "--auth", "otlp:bearer hunter2\n"],
        &["--auth: ", "the token has a control character"],
    ),
    (
        &["http://TARGET/", "--otlp", "http://RECEIVER", "--auth", "otlp:bearer "],
        &["--auth: ", "the token is empty"],
    ),
    (
        &["http://TARGET/", "--otlp", "http://RECEIVER", "--auth", "otlp:bearer @file:/no/such/token"],
        &["--auth: ", "'/no/such/token' cannot be read"],
    ),
    (
        &["http://TARGET/", "--otlp", "http://RECEIVER", "--auth", "otlp:bearer @env:hunter2"],
        &["--auth: ", "@env:", "not set"],
    ),
    (
        &["http://TARGET/", "--otlp", "http://RECEIVER", "--auth", "statsd:bearer hunter2"],
        &["--auth: ", "'statsd'", "--otlp URL"],
    ),
    (
        &[
            "http://TARGET/",
            "--otlp",
            "http://RECEIVER",
            "--auth",
            "otlp:bearer hunter2",
            "--auth",
            "otlp:token hunter2",
        ],
        &["--auth: ", "'otlp'", "leave one out"],
    ),
    (
        &["http://TARGET/", "--otlp", "http://me:hunter2@RECEIVER", "--auth", "otlp:bearer hunter2"],
        &["--auth: ", "given twice", "leave one out"],
    ),
    (
        &["http://TARGET/", "--otlp", "file:o.jsonl", "--auth", "otlp:bearer hunter2"],
        &["--auth: ", "has no meaning for a file", "leave it out"],
    ),
    (
        &["http://TARGET/", "--otlp", "https://RECEIVER", "--ca", "/no/such/ca.pem"],
        &["--ca: ", "'/no/such/ca.pem' cannot be read"],
    ),
    (
        &["http://TARGET/", "--otlp", "https://RECEIVER", "--ca", "/dev/null"],
        &["--ca: ", "'/dev/null' is no file"],
    ),
    (&["http://TARGET/", "--otlp", "https://RECEIVER", "--key", "x.pem"], &["--key: ", "add --cert"]),
    (&["http://TARGET/", "--profile", "k6"], &["--profile", "'k6'", "the profiles are barewire, tigrister"]),
    (
        &["http://TARGET/", "--profile", "statsd=barewire"],
        &["--profile: ", "'statsd'", "add --otlp or --statsd or --influx or --prometheus"],
    ),
];

#[test]
fn bad_input_is_refused_in_one_sentence_and_nothing_is_sent() {
    let (target, receiver) = (Watch::start(), Watch::start());
    for (arguments, said) in ROWS {
        let fill = |text: &&str| text.replace("TARGET", &target.addr()).replace("RECEIVER", &receiver.addr());
        let filled: Vec<String> = arguments.iter().map(fill).collect();
        let ended = barewire_to_end(["run"].into_iter().chain(filled.iter().map(String::as_str)));
        let text = &ended.stderr;
        assert_eq!((ended.code, ended.stdout.as_str()), (BAD_USAGE, ""), "{arguments:?}: {text}");
        is_one_sentence(text);
        for words in said.iter().map(fill) {
            assert!(text.contains(&words), "{arguments:?}: no {words:?} in: {text}");
        }
        assert!(!text.contains("hunter2"), "{arguments:?}: {text}");
        for jargon in ["os error", "struct ", "u32", "f64", "float literal", "digit found", "`", "Some("] {
            assert!(!text.contains(jargon), "{arguments:?}: {jargon} in: {text}");
        }
        assert_eq!((target.visits(), receiver.visits()), (vec![], vec![]), "{arguments:?}");
    }
}

/// Hints on the usage may follow after an empty line.
fn is_one_sentence(text: &str) {
    let (first, rest) = text.split_once('\n').expect("a line");
    assert!(first.starts_with("barewire: ") || first.starts_with("error: "), "{text}");
    assert!(rest.is_empty() || rest.starts_with('\n'), "{text}");
}

#[test]
fn a_target_that_nobody_serves_is_another_exit_code() {
    let receiver = Watch::start();
    let (url, otlp) = (format!("http://127.0.0.1:{}/", free_port()), format!("http://{}", receiver.addr()));
    for target in [&url, "http://no-such-host.invalid/"] {
        let ended = barewire_to_end(["run", target, "--otlp", &otlp]);
        assert_eq!((ended.code, ended.stdout.as_str()), (UNREACHABLE, ""), "{}", ended.stderr);
        is_one_sentence(&ended.stderr);
        let sentence = format!("barewire: target '{target}' cannot be reached: ");
        assert!(
            ended.stderr.starts_with(&sentence) && ended.stderr.contains("is it running"),
            "{}",
            ended.stderr
        );
        assert!(receiver.visits().is_empty());
    }
}

#[test]
fn the_target_is_tried_with_a_connection_that_carries_nothing() {
    let target = Watch::start();
    let url = format!("http://{}/", target.addr());
    let ended = barewire_to_end(["run", &url, "-c", "2", "-d", "200ms", "--timeout", "300ms"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let visits = target.visits();
    assert!(visits.len() >= 3, "{visits:?}");
    assert_eq!(visits.iter().position(|bytes| *bytes == 0), Some(0), "{visits:?}");
    assert!(visits[1..].iter().all(|bytes| *bytes > 0), "{visits:?}");
}

#[test]
fn a_run_that_may_not_open_its_connections_is_refused() {
    let target = Watch::start();
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 100; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_barewire")]);
    command.args(["run", &format!("http://{}/", target.addr()), "-c", "100"]);
    let ended = Ended::of(Child::start(command, Dir::new()));
    assert_eq!((ended.code, ended.stdout.as_str()), (BAD_USAGE, ""), "{}", ended.stderr);
    is_one_sentence(&ended.stderr);
    for words in ["connections: 100 need ", "the limit is 100: ", "ask for fewer"] {
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
    }
    assert!(target.visits().is_empty());
}

#[test]
fn a_run_that_would_use_up_the_local_ports_is_refused() {
    let target = Watch::start();
    let ended = barewire_to_end(["run", &format!("http://{}/", target.addr()), "-c", "70000"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (BAD_USAGE, ""), "{}", ended.stderr);
    is_one_sentence(&ended.stderr);
    for words in ["connections: 70000 need a local port each", "ip_local_port_range is ", "ask for fewer"] {
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
    }
    assert!(target.visits().is_empty());
}

#[test]
fn the_target_refuses_what_it_cannot_do() {
    let rows: &[(&[&str], &[&str])] = &[
        (&["--errors", "101"], &["--errors: '101'", "give 0 to 100"]),
        (&["--errors", "-1"], &["--errors: '-1'", "give 0 to 100"]),
        (&["--stall", "5s/1s"], &["--stall", "'5s/1s'", "such as 1s/5s"]),
        (&["--delay", "soon"], &["--delay", "'soon'", "write 5ms"]),
        (&["--listen", "nowhere"], &["--listen", "'nowhere'", "such as 127.0.0.1:8080"]),
        (&["--trace", "/"], &["--trace: '/' cannot be written", "choose another file"]),
    ];
    for (arguments, said) in rows {
        let ended = barewire_to_end(["target"].iter().chain(*arguments));
        assert_eq!((ended.code, ended.stdout.as_str()), (BAD_USAGE, ""), "{}", ended.stderr);
        is_one_sentence(&ended.stderr);
        for words in *said {
            assert!(ended.stderr.contains(words), "{arguments:?}: no {words:?} in: {}", ended.stderr);
        }
    }
    let taken = Watch::start();
    let ended = barewire_to_end(["target", "--listen", &taken.addr()]);
    assert_eq!(ended.code, BAD_USAGE);
    assert!(ended.stderr.contains("choose another port"), "{}", ended.stderr);
}

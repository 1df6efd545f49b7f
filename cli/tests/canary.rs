//! One run that is given a secret in every way, and a search of all that it leaves behind.

mod support;

use std::fs;
use std::process::Command;
use support::{
    Child, Dir, Ended, PATIENCE, RESULTS, Receiver, announced_page, barewire_to_end, http_get, poll,
};

/// The secret. It has letters that no hexadecimal number has, such as those of runs and traces.
const CANARY: &str = "cana/ry+zqvxw==";
/// The canary in a URL, in digits of either case.
const PERCENT: [&str; 2] = ["cana%2Fry%2Bzqvxw%3D%3D", "cana%2fry%2bzqvxw%3d%3d"];
/// What base64 has in it of any text with the canary: at each of three distances from a group of three.
const BASE64: [&str; 3] = ["Y2FuYS9yeSt6cXZ4dz09", "NhbmEvcnkrenF2eHc9P", "jYW5hL3J5K3pxdnh3PT"];

/// The spelling that `text` has of the canary, if any.
fn sighting(text: &str) -> Option<&'static str> {
    // Its middle is in each that is not base64.
    ["zqvxw", CANARY].into_iter().chain(PERCENT).chain(BASE64).find(|spelled| text.contains(spelled))
}

/// A receiver that repeats whatever it is sent, in every spelling that it can think of.
fn parrot() -> Receiver {
    Receiver::start(|head| {
        let spelled = [
            &PERCENT[..],
            &["Y2FuYS9yeSt6cXZ4dz09", "bWU6Y2FuYS9yeSt6cXZ4dz09", "VG9rZW4gY2FuYS9yeSt6cXZ4dz09"],
        ]
        .concat();
        // Each in a line that is short enough to be repeated.
        let line = match head.len() % 3 {
            0 => format!("no {CANARY} {}", spelled.join(" ")),
            _ => format!("{} {CANARY} {}", spelled.join(","), head.replace("\r\n", " ")),
        };
        (401, line)
    })
}

#[test]
fn a_secret_given_in_every_way_is_in_nothing_that_a_run_leaves_behind() {
    let receivers: Vec<Receiver> = (0..6).map(|_| parrot()).collect();
    let url = |at: usize, path: &str| format!("{}{path}", receivers[at].url());
    let host = |at: usize| receivers[at].url().trim_start_matches("http://").to_owned();
    let dir = Dir::new();
    // Beside what the run leaves, which is searched.
    let secrets = Dir::new();
    let token = secrets.write("token", &format!("{CANARY}\n"));
    let spec = secrets.write(
        "shop.json",
        &format!(
            r#"{{"name": "shop", "target": "{}", "steps": [{{"name": "buy", "url": "/buy?key={}",
                "headers": {{"Authorization": "Bearer {CANARY}"}}, "body": "{CANARY}"}}], "users": 2}}"#,
            url(0, ""),
            PERCENT[0]
        ),
    );
    let file = format!("@file:{}", token.display());
    let arguments = [
        vec!["run".to_owned(), spec.display().to_string(), "-d".into(), "600s".into()],
        vec![
            "--interval".into(),
            "50ms".into(),
            "--results".into(),
            RESULTS.into(),
            "--prometheus".into(),
            "0".into(),
        ],
        vec!["--log".into(), "json:log.jsonl".into(), "--otlp".into(), "file:otlp.jsonl".into()],
        vec!["--trace-sample".into(), "1".into(), "--profile".into(), "influx=loadpilot".into()],
        vec!["--otlp".into(), url(1, ""), "--auth".into(), format!("otlp-2:bearer {file}")],
        vec!["--header".into(), format!("otlp-2:X-Api-Key: {CANARY}")],
        vec!["--otlp".into(), format!("http://me:{}@{}", PERCENT[0], host(2))],
        vec!["--influx".into(), url(3, &format!("/write?db=load&u=me&p={}", PERCENT[0]))],
        vec![
            "--influx".into(),
            url(4, "/api/v2/write?org=o&bucket=b"),
            "--auth".into(),
            "influx-2:token @env:SECRET".into(),
        ],
        vec!["--influx".into(), url(5, &format!("/api/v3/write_lp?db=load&token={}", PERCENT[0]))],
    ]
    .concat();
    let mut command = Command::new(env!("CARGO_BIN_EXE_barewire"));
    command.args(&arguments).env("SECRET", CANARY).env("RUST_BACKTRACE", "1");
    let run = Child::start(command, dir);
    let page = announced_page(&run);
    for (name, receiver) in
        ["target", "otlp-2", "otlp-3", "influx", "influx-2", "influx-3"].iter().zip(&receivers)
    {
        poll(PATIENCE, name, || (!receiver.heads().is_empty()).then_some(()));
        let shown = format!("{name} does not deliver: ");
        poll(PATIENCE, &shown, || (*name == "target" || run.log().contains(&shown)).then_some(()));
    }
    let pages = ["text/plain", "application/openmetrics-text"]
        .map(|_| http_get(page, "/metrics").expect("a page").text());
    run.signal(rustix::process::Signal::INT);
    let ended = Ended::of(run);
    let left = fs::read_dir(ended.dir.path()).expect("what the run left");
    let mut names: Vec<_> =
        left.flatten().map(|entry| entry.file_name().into_string().expect("UTF-8")).collect();
    names.sort_unstable();
    assert_eq!(names, ["log.jsonl", "otlp.jsonl", RESULTS, "stderr", "stdout"]);
    for (name, text) in
        names.iter().map(|name| (name.as_str(), ended.dir.read(name))).chain(pages.map(|page| ("page", page)))
    {
        assert!(text.len() > 100, "{name} says nothing: {text}");
        assert_eq!(sighting(&text), None, "{name}: {text}");
    }
    // Rejected events and samples are told beside.
    assert_eq!(ended.stderr.matches(" does not deliver: ").count(), 5, "{}", ended.stderr);
}

/// Commands that are wrong, with a secret where somebody may well put one.
#[rustfmt::skip]
const WRONG: &[&[&str]] = &[
    &["run", "--otlp", "http://h", "--auth", "otlp:bearer CANARY\n"],
    &["run", "--otlp", "http://h", "--auth", "otlp:Bearer CANARY"],
    &["run", "--otlp", "http://h", "--auth", "CANARY"],
    &["run", "--otlp", "http://h", "--auth", "otlp:bearer @CANARY"],
    &["run", "--otlp", "http://h", "--auth", "otlp:bearer @env:CANARY"],
    &["run", "--otlp", "http://h", "--auth", "otlp:bearer CANARY", "--auth", "otlp:token CANARY"],
    &["run", "--otlp", "http://h", "--auth", "otlp:bearer CANARY", "--header", "otlp:Authorization: CANARY"],
    &["run", "--otlp", "http://h", "--auth", "influx:bearer CANARY"],
    &["run", "--otlp", "http://h", "--header", "CANARY"],
    &["run", "--otlp", "http://h", "--header", "otlp:CANARY"],
    &["run", "--otlp", "http://h", "--header", "otlp:X: CANARY\r\nY: z"],
    &["run", "--otlp", "http://me:CANARY@h"],
    &["run", "--otlp", "ftp://me:CANARY@h"],
    &["run", "--otlp", "http://h:0/?token=PERCENT"],
    &["run", "--otlp", "http://h?token=PERCENT", "--otlp", "http://h?token=PERCENT"],
    &["run", "--influx", "http://h/write?u=me&p=PERCENT"],
    &["run", "--influx", "http://me:PERCENT@h/write?db=d&u=me&p=PERCENT"],
    &["run", "--influx", "http://h/?token=PERCENT"],
    &["run", "http://me:PERCENT@h/"],
    &["run", "https://h/?token=PERCENT"],
    &["run", r#"{"target": "http://h/", "steps": [{"headers": {"X": "CANARY\n"}}]}"#],
];

#[test]
fn a_secret_in_a_command_that_is_wrong_is_not_repeated() {
    for arguments in WRONG {
        let filled =
            arguments.iter().map(|text| text.replace("CANARY", CANARY).replace("PERCENT", PERCENT[0]));
        let ended = barewire_to_end(filled);
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{arguments:?}: {}", ended.stderr);
        assert_eq!(sighting(&ended.stderr), None, "{arguments:?}: {}", ended.stderr);
    }
}

//! Inputs and the exact bytes that they become, by `barewire encode` and by what the command line takes and refuses.
//!
//! A row of `vectors.json` has a format, what the input is of, the input, and what is expected: the bytes, or null where
//! the point or the tag is left out or the setting refused.

use std::{
    fmt::Write as _,
    io::Write as _,
    process::{Command, Output, Stdio},
};

use barewire::wire::http::{Header, Url};
use serde_json::{Value, json};

const VECTORS: &str = include_str!("vectors.json");

struct Row<'a> {
    what: &'a str,
    input: &'a Value,
    expected: Option<&'a str>,
}

#[test]
fn every_vector_becomes_the_bytes_that_are_expected() {
    let rows: Vec<Value> = serde_json::from_str(VECTORS).expect("JSON");
    assert!(rows.len() >= 59, "{} rows", rows.len());
    for value in &rows {
        let row = Row {
            what: value["what"].as_str().expect("what it is of"),
            input: &value["input"],
            expected: value["expected"].as_str(),
        };
        match value["format"].as_str().expect("a format") {
            "prometheus-text" => prometheus(&row),
            "openmetrics-1.0" => openmetrics(&row),
            "prometheus-escaping" => escaping(&row),
            "influx-lp" => influx(&row),
            "dogstatsd" => dogstatsd(&row),
            "otlp-json" => otlp(&row),
            "otlp-url" => otlp_url(&row),
            "http" => http(&row),
            other => panic!("no such format: {other}"),
        }
    }
}

/// Standard output of `barewire encode ARGUMENTS` with `input` on standard input, and how many it said were left out.
fn encoded(arguments: &[&str], input: &Value) -> (Vec<u8>, u64) {
    let Output { stdout, stderr, status } = encode(arguments, input);
    let said = String::from_utf8(stderr).expect("UTF-8");
    assert!(status.success(), "{arguments:?} {input}: {said}");
    let count = said.split(' ').next().and_then(|word| word.parse().ok());
    (stdout, count.unwrap_or(0))
}

fn encode(arguments: &[&str], input: &Value) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_barewire"))
        .arg("encode")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(input.to_string().as_bytes()).expect("it reads");
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

#[track_caller]
fn assert_bytes(row: &Row<'_>, got: (Vec<u8>, u64)) {
    let (bytes, left_out) = got;
    let text = String::from_utf8(bytes).expect("UTF-8");
    assert_eq!((text.as_str(), left_out), (row.expected.unwrap_or(""), u64::from(row.expected.is_none())));
}

fn point(point: Value) -> Value {
    json!({ "points": [point] })
}

fn text_of<'a>(row: &Row<'a>) -> &'a str {
    row.input.as_str().expect("an input of text")
}

/// The page in text 0.0.4 says of which kind a family is, which the vectors leave out.
fn prometheus(row: &Row<'_>) {
    let input = match row.what {
        "HELP" => json!({"name": "m", "help": row.input, "value": 1}),
        "value" => json!({"name": "m", "value": row.input}),
        _ => json!({"name": "m", "labels": [["l", row.input]], "value": 1}),
    };
    let (page, left_out) = encoded(&["prometheus"], &point(input));
    let page = String::from_utf8(page).expect("UTF-8").replace("# TYPE m gauge\n", "");
    let page = if row.what == "HELP" { page.replace("m 1\n", "") } else { page };
    assert_eq!((page.as_str(), left_out), (row.expected.expect("bytes"), 0), "{}", row.what);
}

fn openmetrics(row: &Row<'_>) {
    let input = json!({"name": "m", "labels": [["l", row.input]], "value": 1.0});
    assert_bytes(row, encoded(&["openmetrics"], &point(input)));
}

fn escaping(row: &Row<'_>) {
    let input = point(json!({"name": row.input, "value": 1}));
    let (page, _) = encoded(&["prometheus", "--escaping", row.what], &input);
    let page = String::from_utf8(page).expect("UTF-8");
    let line = page.lines().last().expect("a line");
    let name = line.strip_suffix(" 1").expect("a value");
    let name = name.strip_prefix("{\"").and_then(|rest| rest.strip_suffix("\"}")).unwrap_or(name);
    assert_eq!(Some(name), row.expected, "{} {}", row.what, row.input);
}

fn influx(row: &Row<'_>) {
    let of = |labels: Value, field: Value| json!({"rows": [{"name": "m", "labels": labels, "fields": {"f": field}, "time_unix_nano": 1}]});
    match row.what {
        "tag value" => assert_bytes(row, encoded(&["influx"], &of(json!({"t": row.input}), json!(1)))),
        "string field" | "float field" => {
            assert_bytes(row, encoded(&["influx"], &of(json!({}), row.input.clone())));
        }
        "empty tag value" => {
            let (line, _) = encoded(&["influx"], &of(json!({"t": row.input}), json!(1)));
            assert_eq!(line, b"m f=1i 1\n");
        }
        // Any form on which the parsers agree will do: ours has none of what they disagree about.
        unencodable => {
            let (line, left_out) = encoded(&["influx"], &of(json!({"t": row.input}), json!(1)));
            assert!(unencodable.contains("UNENCODABLE") && row.expected.is_none() && left_out == 0);
            let line = String::from_utf8(line).expect("UTF-8");
            let value = line.strip_prefix("m,t=").and_then(|rest| rest.strip_suffix(" f=1i 1\n"));
            let value = value.unwrap_or_else(|| panic!("{line:?}"));
            assert!(value.starts_with("a_") && !value.contains(['\r', '\t', '\0', '\n']), "{value:?}");
            assert!(!value.ends_with('\\') && !value.contains("\\\\"), "{value:?}");
        }
    }
}

fn dogstatsd(row: &Row<'_>) {
    match row.what {
        "tag (policy: replace)" => {
            let (line, _) = encoded(
                &["dogstatsd"],
                &point(json!({"name": "m", "labels": [["k", row.input]], "value": 1})),
            );
            assert_eq!(
                String::from_utf8(line).ok(),
                row.expected.map(|expected| format!("m:1|g|#k:{expected}\n"))
            );
        }
        "metric name" => {
            let (line, _) = encoded(&["dogstatsd"], &point(json!({"name": row.input, "value": 1})));
            assert_eq!(
                String::from_utf8(line).ok(),
                row.expected.map(|expected| format!("{expected}:1|g\n"))
            );
        }
        "service check message" => {
            let message = text_of(row);
            let check = json!({"name": "sc", "status": "critical", "message": message});
            assert_bytes(row, encoded(&["dogstatsd"], &json!({ "service_checks": [check] })));
        }
        "uds stream frame" => {
            assert_eq!(text_of(row), "a:1|c\n");
            let (frame, _) = encoded(
                &["dogstatsd", "--framed"],
                &point(json!({"name": "a", "kind": "counter", "value": 1})),
            );
            let hex = frame.iter().fold(String::new(), |mut hex, byte| {
                write!(hex, "{byte:02x}").expect("a String takes all");
                hex
            });
            assert_eq!(Some(hex.as_str()), row.expected);
        }
        _ => assert_bytes(row, encoded(&["dogstatsd"], &point(json!({"name": "m", "value": row.input})))),
    }
}

fn otlp(row: &Row<'_>) {
    let mut input = match row.what.strip_prefix("attribute ") {
        Some(_) => point(json!({"name": "a", "labels": [["k", row.input]], "value": 1.0})),
        None => point(json!({"name": "a", "value": row.input})),
    };
    input["time_unix_nano"] = json!(1);
    assert_bytes(row, encoded(&["otlp-json"], &input));
}

fn otlp_url(row: &Row<'_>) {
    let url: Url = text_of(row).parse().expect("a URL");
    let url = if row.what == "base endpoint" { url.join_path("/v1/metrics") } else { url };
    assert_eq!(Some(url.target()), row.expected);
}

fn http(row: &Row<'_>) {
    match row.what {
        "header value" => {
            assert!(Header::new("X-Key", text_of(row)).is_err());
            let header = format!("otlp:X-Key: {}", text_of(row));
            let run = ["run", "--otlp", "http://127.0.0.1:1", "--header", &header];
            let refused = Command::new(env!("CARGO_BIN_EXE_barewire")).args(run).output().expect("it runs");
            assert_eq!(refused.status.code(), Some(2), "{header:?}");
        }
        "Host header" => {
            let url: Url = text_of(row).parse().expect("a URL");
            assert_eq!(Some(url.authority()), row.expected);
        }
        // Userinfo is refused, or becomes an authorization: it is in no Host either way.
        _ => {
            let url = text_of(row).parse::<Url>();
            assert!(row.expected.is_none() && url.is_err(), "{url:?}");
        }
    }
}

//! Names of line protocol that become one, as the real InfluxDB 1.6 stores what `barewire encode influx` prints.

mod support;

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use serde_json::json;
use support::Influxd;

/// What is printed for these points, and what is said about it.
fn encoded(document: &str) -> (String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_barewire"))
        .args(["encode", "influx"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command");
    child.stdin.take().expect("a pipe").write_all(document.as_bytes()).expect("all of it is read");
    let output = child.wait_with_output().expect("its end");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (text(output.stdout), text(output.stderr))
}

#[test]
fn what_would_be_hidden_or_overwritten_is_renamed_or_left_out_and_said_once() {
    let influxd = Influxd::start();
    let long = "x".repeat(65_536);
    let (lines, said) = encoded(&format!(
        r#"{{"time_unix_nano":7,"points":[
            {{"name":"hidden","labels":{{"value":"a","sum":"b"}},"value":1}},
            {{"name":"hidden","labels":{{"value":"b","sum":"b"}},"value":2}},
            {{"name":"met","labels":{{"type":""}},"value":1}},
            {{"name":"met","value":2}},
            {{"name":"met","labels":{{"q\n":"x"}},"value":3}},
            {{"name":"met","labels":{{"q_":"x"}},"value":4}},
            {{"name":"met","labels":{{"time":"x"}},"value":5}},
            {{"name":"met","labels":{{"_time":"x"}},"value":6}},
            {{"name":"typed","labels":{{"n":1}},"kind":"counter","value":1}},
            {{"name":"typed","labels":{{"n":2}},"value":1.5}},
            {{"name":"long","labels":{{"t":"{long}"}},"value":1}}],
          "rows":[
            {{"name":"rows","fields":{{"f":1}},"time_unix_nano":1}},
            {{"name":"rows","fields":{{"f":1.5}},"time_unix_nano":2}},
            {{"name":"rows","fields":{{"f":"text"}},"time_unix_nano":3}}]}}"#
    ));
    assert_eq!(
        said,
        "the tag 'value' is sent as 'value_tag', because a field is called 'value'\n\
         5 points left out: influx cannot carry them\n"
    );
    // It panics where the server refuses a line.
    influxd.write(&lines);
    assert_eq!(influxd.complaints(), Vec::<String>::new());
    let one = |query: &str| {
        let series = influxd.query(Influxd::DATABASE, query);
        series.iter().map(|series| series["values"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(one(r#"SELECT "value" FROM "hidden" WHERE "value_tag" = 'b'"#), [json!([[7, 2]])]);
    assert_eq!(one(r#"SELECT "value" FROM "hidden" WHERE "sum" = 'b'"#), [json!([[7, 1], [7, 2]])]);
    assert_eq!(one(r#"SELECT "value" FROM "met" GROUP BY *"#).len(), 3);
    assert_eq!(one(r#"SELECT sum("value") FROM "typed""#), [json!([[0, 2.5]])]);
    assert_eq!(one(r#"SELECT "f" FROM "rows""#), [json!([[1, 1], [2, 1.5]])]);
}

#[test]
fn the_longest_key_is_the_longest_that_the_server_takes() {
    let influxd = Influxd::start();
    let fits = 65_535 - 4 - "long,t=".len() - "value".len();
    let point = |bytes: usize| {
        let tag = "x".repeat(bytes);
        encoded(&format!(
            r#"{{"time_unix_nano":7,"points":[{{"name":"long","labels":{{"t":"{tag}"}},"value":1}}]}}"#
        ))
    };
    let (line, said) = point(fits);
    assert_eq!(said, "");
    influxd.write(&line);
    assert_eq!(influxd.value(Influxd::DATABASE, r#"SELECT count("value") FROM "long""#), Some(1.0));
    assert_eq!(point(fits + 1), (String::new(), "1 point left out: influx cannot carry it\n".to_owned()));
    // By one more byte than ours, the server refuses it.
    let (status, refusal) = influxd.answer_to(&line.replacen("t=", "tt=", 1));
    assert!(status == 400 && refusal.contains("max key length exceeded"), "{status} {refusal}");
}

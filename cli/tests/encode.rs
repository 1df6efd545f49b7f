//! `barewire encode`, run as people run it: what it prints, what it says, how it ends.

use std::{
    fs,
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
};

/// What a run of the command left behind.
#[derive(Debug, PartialEq)]
struct Ended {
    stdout: String,
    stderr: String,
    code: Option<i32>,
}

/// Runs `barewire encode ARGUMENTS` with `input` on its standard input.
fn run(arguments: &[&str], input: &[u8]) -> Ended {
    let mut child = Command::new(env!("CARGO_BIN_EXE_barewire"))
        .arg("encode")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    let output = thread::scope(|scope| {
        // One that does not read its standard input closes it early.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().expect("it ends")
    });
    let text = |bytes| String::from_utf8(bytes).expect("all it prints is UTF-8");
    Ended { stdout: text(output.stdout), stderr: text(output.stderr), code: output.status.code() }
}

/// Everything is printed and nothing is said.
#[track_caller]
fn assert_prints(format: &str, input: &str, expected: &str) {
    let printed = Ended { stdout: expected.to_owned(), stderr: String::new(), code: Some(0) };
    assert_eq!(run(&[format], input.as_bytes()), printed, "{format} of {input}");
}

/// `expected` is printed, and the number of points that are not in it.
#[track_caller]
fn assert_leaves_out(format: &str, input: &str, expected: &str, said: &str) {
    let printed = Ended { stdout: expected.to_owned(), stderr: format!("{said}\n"), code: Some(0) };
    assert_eq!(run(&[format], input.as_bytes()), printed, "{format} of {input}");
}

/// Nothing is printed, and one line says `said`.
#[track_caller]
fn assert_refuses(input: impl AsRef<[u8]>, said: &str) {
    let ended = run(&["otlp-json"], input.as_ref());
    assert_eq!((ended.stdout.as_str(), ended.code), ("", Some(2)), "{ended:?}");
    assert!(ended.stderr.contains(said), "{:?} does not say {said:?}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1, "{:?}", ended.stderr);
}

/// The data points of an OTLP gauge `a`.
fn gauge_a(data_points: &str) -> String {
    format!(
        r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"name":"a","gauge":{{"dataPoints":[{data_points}]}}}}]}}]}}]}}"#
    )
}

#[test]
fn label_values_escape_backslash_quote_and_line_feed_and_nothing_else() {
    for (json, escaped) in [
        (r"a\rb", "a\rb"),
        (r"a\tb", "a\tb"),
        (r#"http://h/?q=\"1\"&x=\\n"#, r#"http://h/?q=\"1\"&x=\\n"#),
        ("\u{1f36d}", "\u{1f36d}"),
        (r"\ud83c\udf6d", "\u{1f36d}"),
        (r"\u2028", "\u{2028}"),
        ("", ""),
        (r"a\\", r"a\\"),
        (r"a\\nb", r"a\\nb"),
        (r"a\nb", r"a\nb"),
    ] {
        for value in ["1", "1.0"] {
            let input = format!(r#"{{"points":[{{"name":"m","labels":[["l","{json}"]],"value":{value}}}]}}"#);
            let text = format!("# TYPE m gauge\nm{{l=\"{escaped}\"}} 1\n");
            assert_prints("prometheus", &input, &text);
            let openmetrics = format!("# TYPE m gauge\nm{{l=\"{escaped}\"}} 1.0\n# EOF\n");
            assert_prints("openmetrics", &input, &openmetrics);
        }
    }
}

#[test]
fn help_escapes_quotes_in_openmetrics_only() {
    let input = r#"{"points":[{"name":"m","help":" a\\b\n\"c\"","value":1}]}"#;
    assert_prints("prometheus", input, "# HELP m  a\\\\b\\n\"c\"\n# TYPE m gauge\nm 1\n");
    assert_prints("openmetrics", input, "# HELP m  a\\\\b\\n\\\"c\\\"\n# TYPE m gauge\nm 1.0\n# EOF\n");
}

#[test]
fn numbers_arrive_exactly_as_they_were_given() {
    for (json, otlp, text) in [
        ("9223372036854775807", r#""asInt":"9223372036854775807""#, "9223372036854775807"),
        ("9007199254740993", r#""asInt":"9007199254740993""#, "9007199254740993"),
        ("-9223372036854775808", r#""asInt":"-9223372036854775808""#, "-9223372036854775808"),
        (r#""9223372036854775807""#, r#""asInt":"9223372036854775807""#, "9223372036854775807"),
        ("9223372036854775808", r#""asDouble":9.223372036854776e+18"#, "9.223372036854776e+18"),
        ("100000000000000000000", r#""asDouble":1e+20"#, "1e+20"),
        ("1.0", r#""asDouble":1"#, "1"),
        ("1e3", r#""asDouble":1000"#, "1000"),
        ("31.245270191439438", r#""asDouble":31.245270191439438"#, "31.245270191439438"),
        ("121.48791951161945", r#""asDouble":121.48791951161945"#, "121.48791951161945"),
        ("5e-324", r#""asDouble":5e-324"#, "5e-324"),
        (r#""NaN""#, r#""asDouble":"NaN""#, "NaN"),
        (r#""inf""#, r#""asDouble":"Infinity""#, "+Inf"),
        (r#""+inf""#, r#""asDouble":"Infinity""#, "+Inf"),
        (r#""Infinity""#, r#""asDouble":"Infinity""#, "+Inf"),
        (r#""-inf""#, r#""asDouble":"-Infinity""#, "-Inf"),
        (r#""-Infinity""#, r#""asDouble":"-Infinity""#, "-Inf"),
    ] {
        let input = format!(r#"{{"time_unix_nano":"1","points":[{{"name":"a","value":{json}}}]}}"#);
        assert_prints("otlp-json", &input, &gauge_a(&format!(r#"{{"timeUnixNano":"1",{otlp}}}"#)));
        assert_prints("prometheus", &input, &format!("# TYPE a gauge\na {text}\n"));
    }
}

#[test]
fn attributes_are_escaped_and_integers_stay_integers() {
    for (json, otlp) in [
        (r#""a\u0000\n\"\\""#, r#"{"stringValue":"a\u0000\n\"\\"}"#),
        (r#""5""#, r#"{"stringValue":"5"}"#),
        ("5", r#"{"intValue":"5"}"#),
        ("-9223372036854775808", r#"{"intValue":"-9223372036854775808"}"#),
    ] {
        let expected =
            format!(r#"{{"timeUnixNano":"1","attributes":[{{"key":"k","value":{otlp}}}],"asDouble":1}}"#);
        for labels in [format!(r#"[["k",{json}]]"#), format!(r#"{{"k":{json}}}"#)] {
            let input =
                format!(r#"{{"time_unix_nano":1,"points":[{{"name":"a","labels":{labels},"value":1.0}}]}}"#);
            assert_prints("otlp-json", &input, &gauge_a(&expected));
        }
    }
}

#[test]
fn of_two_labels_with_one_key_the_last_wins() {
    for labels in [r#"[["k","1"],["l","2"],["k","3"]]"#, r#"{"k":"1","l":"2","k":"3"}"#] {
        let input = format!(r#"{{"points":[{{"name":"m","labels":{labels},"value":1}}]}}"#);
        assert_prints("prometheus", &input, "# TYPE m gauge\nm{k=\"3\",l=\"2\"} 1\n");
    }
}

const EVERYTHING: &str = r#"{
    "resource": {"service.name": "checkout", "process.pid": 7},
    "scope": {"name": "barewire", "version": "1.0"},
    "start_time_unix_nano": "1", "time_unix_nano": 18446744073709551615, "temporality": "cumulative",
    "points": [
        {"name": "users", "unit": "1", "value": 64},
        {"value": 3, "kind": "counter", "help": "Answers.", "unit": "{request}", "name": "hits"},
        {"name": "took", "kind": "histogram", "unit": "s",
         "value": {"bounds": [0.1, 0.5], "counts": [1, 2, 0], "sum": 0.75, "min": 0.05, "max": 0.4}},
        {"name": "size", "kind": "exponential_histogram", "unit": "By",
         "value": {"scale": 0, "zero_count": 1, "positive": {"offset": -2, "counts": [1, 2]},
                   "negative": {"offset": 0, "counts": [1]}, "sum": 3}}
    ]
}"#;

#[test]
fn every_kind_of_point_becomes_otlp() {
    let expected = concat!(
        r#"{"resourceMetrics":[{"resource":{"attributes":["#,
        r#"{"key":"service.name","value":{"stringValue":"checkout"}},"#,
        r#"{"key":"process.pid","value":{"intValue":"7"}}]},"#,
        r#""scopeMetrics":[{"scope":{"name":"barewire","version":"1.0"},"metrics":["#,
        r#"{"name":"users","unit":"1","gauge":{"dataPoints":[{"timeUnixNano":"18446744073709551615","asInt":"64"}]}},"#,
        r#"{"name":"hits","description":"Answers.","unit":"{request}","sum":{"dataPoints":["#,
        r#"{"startTimeUnixNano":"1","timeUnixNano":"18446744073709551615","asInt":"3"}],"#,
        r#""aggregationTemporality":2,"isMonotonic":true}},"#,
        r#"{"name":"took","unit":"s","histogram":{"dataPoints":["#,
        r#"{"startTimeUnixNano":"1","timeUnixNano":"18446744073709551615","count":"3","sum":0.75,"#,
        r#""bucketCounts":["1","2","0"],"explicitBounds":[0.1,0.5],"min":0.05,"max":0.4}],"aggregationTemporality":2}},"#,
        r#"{"name":"size","unit":"By","exponentialHistogram":{"dataPoints":["#,
        r#"{"startTimeUnixNano":"1","timeUnixNano":"18446744073709551615","count":"5","scale":0,"zeroCount":"1","#,
        r#""positive":{"offset":-2,"bucketCounts":["1","2"]},"negative":{"offset":0,"bucketCounts":["1"]}}],"#,
        r#""aggregationTemporality":2}}]}]}]}"#,
    );
    assert_prints("otlp-json", EVERYTHING, expected);
}

#[test]
fn every_kind_of_point_becomes_a_family() {
    let expected = r#"# TYPE users gauge
users 64
# HELP hits_total Answers.
# TYPE hits_total counter
hits_total 3
# TYPE took_seconds histogram
took_seconds_bucket{le="0.1"} 1
took_seconds_bucket{le="0.5"} 3
took_seconds_bucket{le="+Inf"} 3
took_seconds_sum 0.75
took_seconds_count 3
# TYPE size_bytes histogram
size_bytes_bucket{le="-1"} 1
size_bytes_bucket{le="0"} 2
size_bytes_bucket{le="0.5"} 3
size_bytes_bucket{le="1"} 5
size_bytes_bucket{le="+Inf"} 5
size_bytes_sum 3
size_bytes_count 5
"#;
    assert_prints("prometheus", EVERYTHING, expected);
}

#[test]
fn histograms_are_understood_as_otlp_spells_them() {
    for value in [
        r#"{"bounds":[1],"counts":[1,2],"sum":3}"#,
        r#"{"explicit_bounds":[1],"bucket_counts":["1","2"],"count":"3","sum":3}"#,
        r#"{"count":3,"explicitBounds":[1.0],"bucketCounts":["1",2],"sum":"3","min":null}"#,
    ] {
        let input = format!(r#"{{"points":[{{"name":"h","kind":"histogram","value":{value}}}]}}"#);
        let page = "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 3\nh_sum 3\nh_count 3\n";
        assert_prints("prometheus", &input, page);
    }
    for value in [
        r#"{"scale":0,"zero_count":1,"positive":{"offset":0,"counts":[2]},"sum":3}"#,
        r#"{"zeroCount":"1","count":"3","positive":{"bucketCounts":["2"]},"negative":{},"sum":3}"#,
        r#"{"zeroCount":"1","positive":{"bucket_counts":[2]},"sum":3}"#,
    ] {
        let input =
            format!(r#"{{"points":[{{"name":"h","kind":"exponential_histogram","value":{value}}}]}}"#);
        let page = "# TYPE h histogram\nh_bucket{le=\"0\"} 1\nh_bucket{le=\"2\"} 3\nh_bucket{le=\"+Inf\"} 3\nh_sum 3\nh_count 3\n";
        assert_prints("prometheus", &input, page);
    }
}

#[test]
fn units_are_known_by_their_symbols_and_values_are_already_in_them() {
    for (symbol, suffix) in [
        ("", ""),
        ("1", ""),
        ("s", "_seconds"),
        ("ms", "_milliseconds"),
        ("By", "_bytes"),
        ("%", "_percent"),
        ("{request}", ""),
        ("m/s", "_meters_per_second"),
    ] {
        let input = format!(r#"{{"points":[{{"name":"a","unit":"{symbol}","value":1500}}]}}"#);
        assert_prints("prometheus", &input, &format!("# TYPE a{suffix} gauge\na{suffix} 1500\n"));
    }
}

#[test]
fn deltas_are_for_otlp_and_left_out_of_text() {
    let input = r#"{"temporality":"delta","points":[{"name":"c","kind":"counter","value":1}]}"#;
    let otlp = run(&["otlp-json"], input.as_bytes());
    assert!(otlp.stdout.contains(r#""aggregationTemporality":1,"isMonotonic":true"#), "{otlp:?}");
    assert_leaves_out("prometheus", input, "", "1 point left out: prometheus cannot carry it");
}

#[test]
fn what_a_format_cannot_carry_is_left_out_and_counted() {
    let counters = r#"{"points":[{"name":"c","kind":"counter","value":"NaN"},{"name":"d","kind":"counter","value":-1}]}"#;
    assert_leaves_out("otlp-json", counters, "", "2 points left out: otlp-json cannot carry them");
    assert_leaves_out("prometheus", counters, "", "2 points left out: prometheus cannot carry them");
    let end = "# EOF\n";
    assert_leaves_out("openmetrics", counters, end, "2 points left out: openmetrics cannot carry them");

    let histogram = r#"{"points":[{"name":"h","kind":"histogram","value":{"bounds":[1,2],"counts":[1,2],"sum":3}},
        {"name":"a","value":1}]}"#;
    let otlp = gauge_a(r#"{"timeUnixNano":"0","asInt":"1"}"#);
    assert_leaves_out("otlp-json", histogram, &otlp, "1 point left out: otlp-json cannot carry it");
    let text = "# TYPE a gauge\na 1\n";
    assert_leaves_out("prometheus", histogram, text, "1 point left out: prometheus cannot carry it");

    let twice = r#"{"points":[{"name":"a","value":1},{"name":"a","value":2}]}"#;
    assert_leaves_out("prometheus", twice, text, "1 point left out: prometheus cannot carry it");
    let both = r#"{"timeUnixNano":"0","asInt":"1"},{"timeUnixNano":"0","asInt":"2"}"#;
    assert_prints("otlp-json", twice, &gauge_a(both));
}

#[test]
fn no_points_are_no_document_and_an_empty_page() {
    for (format, page) in [("otlp-json", ""), ("prometheus", ""), ("openmetrics", "# EOF\n")] {
        assert_prints(format, r#"{"points":[]}"#, page);
    }
}

#[test]
fn rows_events_and_checks_are_printed_where_a_format_has_them() {
    let input = r#"{"points":[{"name":"hits","kind":"counter","labels":{"k":"v"},"value":3}],
        "rows":[{"name":"m","labels":{"t":"a b"},"fields":{"f":1,"x":0.5,"ok":true,"s":"a\"b"},"time_unix_nano":1}],
        "events":[{"name":"test.start","title":"Start|now","text":"a\nb","level":"warning","time_unix_nano":"1700000000000000000"}],
        "service_checks":[{"name":"db","status":"critical","message":"no m:answer"}]}"#;
    assert_leaves_out(
        "dogstatsd",
        input,
        "hits:3|c|#k:v\n_e{9,4}:Start|now|a\\nb|d:1700000000|t:warning|#event:test.start\n_sc|db|2|m:no m\\:answer\n",
        "1 point left out: dogstatsd cannot carry it",
    );
    assert_leaves_out(
        "influx",
        input,
        "hits,k=v value=3i 0\nm,t=a\\ b f=1i,x=0.5,ok=true,s=\"a\\\"b\" 1\n\
         events,event=test.start,level=warning title=\"Start|now\",text=\"a\nb\",tags=\"test.start,warning\" 1700000000000000000\n",
        "1 point left out: influx cannot carry it",
    );
    assert_leaves_out(
        "prometheus",
        input,
        "# TYPE hits_total counter\nhits_total{k=\"v\"} 3\n",
        "3 points left out: prometheus cannot carry them",
    );
    let otlp = run(&["otlp-json"], input.as_bytes());
    let [metrics, logs] = otlp.stdout.lines().collect::<Vec<_>>()[..] else { panic!("two lines: {otlp:?}") };
    assert!(
        metrics.starts_with(r#"{"resourceMetrics""#) && logs.starts_with(r#"{"resourceLogs""#),
        "{otlp:?}"
    );
    assert_eq!(otlp.stderr, "2 points left out: otlp-json cannot carry them\n");
}

#[test]
fn a_manner_is_for_the_formats_that_have_it() {
    let input =
        br#"{"points":[{"name":"a.b","kind":"counter","value":3}],"time_unix_nano":1700000000000000000}"#;
    let printed = |arguments: &[&str]| run(arguments, input).stdout;
    assert_eq!(
        printed(&["dogstatsd", "--prefix", "p", "--tag", "k=v", "--timestamps", "--container", "c1"]),
        "p.a.b:3|c|#k:v|c:c1|T1700000000\n"
    );
    assert_eq!(printed(&["dogstatsd", "--framed"]), "\u{8}\0\0\0a.b:3|c\n");
    assert_eq!(printed(&["influx", "--tag", "k=v"]), "a.b,k=v value=3i 1700000000000000000\n");
    assert_eq!(
        printed(&["prometheus", "--escaping", "dots"]),
        "# TYPE a_dot_b__total counter\na_dot_b__total 3\n"
    );
    for arguments in [["influx", "--framed"], ["otlp-json", "--timestamps"], ["prometheus", "--tag=a=b"]] {
        let refused = run(&arguments, input);
        assert_eq!((refused.stdout.as_str(), refused.code), ("", Some(2)), "{arguments:?}");
        assert!(refused.stderr.contains("has no meaning for"), "{refused:?}");
    }
}

#[test]
fn a_file_is_read_as_standard_input_is() {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("encode-points.json");
    fs::write(&path, r#"{"points":[{"name":"m","value":1}]}"#).expect("a file for the points");
    let from_file = run(&["prometheus", path.to_str().expect("a path of text")], b"");
    let from_dash = run(&["prometheus", "-"], br#"{"points":[{"name":"m","value":1}]}"#);
    assert_eq!(from_file.stdout, "# TYPE m gauge\nm 1\n");
    assert_eq!(from_file, from_dash);
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let ended = run(&["otlp-json", "no-such-file.json"], b"");
    assert_eq!((ended.stdout.as_str(), ended.code), ("", Some(2)));
    assert!(ended.stderr.contains("no-such-file.json: cannot be read (No such file"), "{ended:?}");
}

#[test]
fn a_file_without_end_is_not_read_to_its_end() {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("encode-large.json");
    fs::File::create(&path).and_then(|file| file.set_len((64 << 20) + 1)).expect("a file of nothing");
    let ended = run(&["otlp-json", path.to_str().expect("a path of text")], b"");
    fs::remove_file(&path).expect("it is ours");
    assert_eq!((ended.stdout.as_str(), ended.code), ("", Some(2)));
    assert!(ended.stderr.contains("encode-large.json: cannot be read (more than 64 MiB)"), "{ended:?}");
}

#[test]
fn an_unknown_format_is_refused_with_those_there_are() {
    let ended = run(&["grpc"], b"");
    assert_eq!((ended.stdout.as_str(), ended.code), ("", Some(2)));
    assert!(
        ended.stderr.contains("[possible values: otlp-json, dogstatsd, influx, prometheus, openmetrics]"),
        "{ended:?}"
    );
}

#[test]
fn what_is_no_json_is_refused_with_its_place() {
    assert_refuses("", "standard input: the text ends where a value is missing (line 1, column 0)");
    assert_refuses(r#"{"points":["#, "points: the text ends in the middle of JSON (line 1, column 11)");
    assert_refuses(r#"{"points":[{"name":"m","value":NaN}]}"#, "points[0].value: this is no value of JSON");
    assert_refuses(
        r#"{"points":[]} {}"#,
        "there is more text behind the end of the JSON: leave it out (line 1, column 15)",
    );
    assert_refuses(b"{\"points\":[{\"name\":\"\xff\",\"value\":1}]}", "points[0].name: invalid unicode");
    assert_refuses(
        r#"[{"name":"m","value":1}]"#,
        r#"a list of 5 cannot stand here: give an object such as {"points""#,
    );
    let deep = r#"{"points":[{"name":"m","value":"#.to_owned() + &"[".repeat(100_000);
    assert_refuses(deep, "points[0].value: the text ends in the middle of JSON");
    assert_refuses(r#"{"points":[{"name":"m","value":1e400}]}"#, "points[0].value: a number is out of range");
}

#[test]
fn a_field_that_is_wrong_is_named_by_its_path() {
    let point = |fields: &str| format!(r#"{{"points":[{{"name":"m","value":1}},{{{fields}}}]}}"#);
    let histogram = |value: &str| point(&format!(r#""name":"m","kind":"histogram","value":{value}"#));
    for (input, said) in [
        ("{}".to_owned(), "'points' is missing: add it"),
        (r#"{"ponits":[]}"#.to_owned(), "ponits: there is no field 'ponits': write 'points'"),
        (r#"{"points":[],"time_unix_nano":-1}"#.to_owned(), "time_unix_nano: -1 cannot stand here"),
        (
            r#"{"points":[],"time_unix_nano":1.5}"#.to_owned(),
            "1.5 cannot stand here: give an integer from 0 to 18446744073709551615",
        ),
        (
            r#"{"points":[],"temporality":"x"}"#.to_owned(),
            "temporality: 'x' is not known: write one of cumulative, delta",
        ),
        (
            r#"{"points":[],"resource":{"k":true}}"#.to_owned(),
            "resource.k: true cannot stand here: give text",
        ),
        (r#"{"points":[],"scope":{"version":"1"}}"#.to_owned(), "scope: 'name' is missing: add it"),
        (point(r#""value":1"#), "points[1]: 'name' is missing: add it"),
        (point(r#""name":"m""#), "points[1]: 'value' is missing: add it"),
        (point(r#""name":"m","value":1,"value":2"#), "points[1]: 'value' is given twice"),
        (
            point(r#""name":"m","lables":[],"value":1"#),
            "points[1].lables: there is no field 'lables': write 'labels'",
        ),
        (
            point(r#""name":"m","kind":"gage","value":1"#),
            "points[1].kind: 'gage' is not known: write one of gauge",
        ),
        (point(r#""name":"m","value":true"#), "points[1].value: true cannot stand here: give a number"),
        (point(r#""name":"m","value":"1.5""#), "points[1].value: \"1.5\" cannot stand here: give a number"),
        (point(r#""name":"m","value":"1e999""#), "points[1].value: \"1e999\" cannot stand here"),
        (point(r#""name":"m","value":{}"#), "points[1].value: an object cannot stand here: give a number"),
        (
            point(r#""name":"m","labels":[["a",1.5]],"value":1"#),
            "points[1].labels[0][1]: 1.5 cannot stand here: give text or an integer",
        ),
        (
            point(r#""name":"m","labels":[["a"]],"value":1"#),
            "points[1].labels[0]: a list of 1 cannot stand here: give a pair",
        ),
        (
            point(r#""name":"m","labels":"a","value":1"#),
            "points[1].labels: \"a\" cannot stand here: give pairs",
        ),
        (histogram("1"), "points[1].value: 1 cannot stand here: give an object such as {\"bounds\""),
        (histogram(r#"{"bounds":[1],"counts":[1,2]}"#), "points[1].value: 'sum' is missing: add it"),
        (
            histogram(r#"{"bounds":[1],"counts":[1,-2],"sum":1}"#),
            "points[1].value.counts[1]: -2 cannot stand here",
        ),
        (
            histogram(r#"{"bounds":[1],"counts":[1,2],"sum":1,"scale":0}"#),
            "points[1].value.scale: there is no field 'scale'",
        ),
        (
            histogram(r#"{"bounds":[1],"counts":[1,2],"sum":1,"count":4}"#),
            "points[1].value.count: 4 is not the sum of the buckets, 3: correct it or leave it out",
        ),
        (
            histogram(r#"{"bounds":[1],"counts":[18446744073709551615,1],"sum":1,"count":0}"#),
            "points[1].value.count: 0 is not the sum of the buckets, 18446744073709551616",
        ),
    ] {
        assert_refuses(&input, said);
    }
}

#[test]
fn a_message_cannot_command_a_terminal() {
    assert_refuses(r#"{"\u001b[2J\n":1}"#, r"\u{1b}[2J\n: there is no field '\u{1b}[2J\n'");
}

#[test]
fn the_example_of_the_help_can_be_copied() {
    let help = run(&["--help"], b"").stdout;
    let lines = help.lines().skip_while(|line| *line != "  {");
    let mut example: String = lines.take_while(|line| *line != "  }").collect();
    example.push('}');
    for format in ["otlp-json", "prometheus", "openmetrics"] {
        let ended = run(&[format], example.as_bytes());
        assert_eq!((ended.stderr.as_str(), ended.code), ("", Some(0)), "{ended:?}");
        for name in ["users", "requests", "took", "size"] {
            assert!(ended.stdout.contains(name), "{name} is missing: {ended:?}");
        }
    }
}

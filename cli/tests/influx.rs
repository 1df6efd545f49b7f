//! Line protocol, as the real InfluxDB 1.6 and VictoriaMetrics take it.

mod support;

use barewire::{
    Event, Exporter, Metric, Registry, Reporter, Sample, Unit,
    view::{Field, FieldValue, Number, SampleRule},
};
use barewire_influx::{Influx, push_line};
use serde_json::Value;
use std::time::{Duration, Instant};
use support::{Ended, Influxd, PATIENCE, RESULTS, Target, Victoria, barewire, barewire_to_end, poll};

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

fn await_last_sum(influxd: &Influxd, database: &str, measurement: &str, field: &str, expected: f64) {
    let mut last = None;
    poll(PATIENCE, &format!("{field} of {measurement} in {database} is {expected}"), || {
        last = influxd.last_sum(database, measurement, field);
        (last == Some(expected)).then_some(())
    });
}

#[test]
fn a_run_is_told_alike_over_udp_and_http_and_by_victoria() {
    let (target, influxd, victoria) = (Target::start(&[]), Influxd::start(), Victoria::start());
    let (url, udp, v1, v2) =
        (target.url(), influxd.udp_url(), influxd.write_url(Influxd::PASSWORD), victoria.v2_url());
    let destinations = ["--influx", &udp, "--influx", &v1, "--influx", &v2];
    let run = ["run", &url, "-c", "4", "-r", "500", "-d", "4s", "--interval", "500ms", "--results", RESULTS];
    let ended = barewire_to_end(run.into_iter().chain(destinations));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let requests = ended.results["requests"].as_f64().expect("requests");
    assert_eq!(requests, target.requests() as f64);

    for database in [Influxd::UDP_DATABASE, Influxd::DATABASE] {
        await_last_sum(&influxd, database, "http.client.requests", "value", requests);
        await_last_sum(&influxd, database, "http.client.request.duration", "count", requests);
        the_percentiles_are_those_of_the_results(&influxd, database, &ended.results);
    }
    assert_eq!(influxd.complaints(), Vec::<String>::new());

    for name in ["http.client.requests_value", "http.client.request.duration_count"] {
        poll(PATIENCE, &format!("{name} is {requests}"), || {
            victoria.last_sum(name).filter(|sum| *sum == requests)
        });
    }
    assert_eq!(victoria.self_metric("vm_rows_invalid_total"), 0.0);

    for name in ["influx", "influx-2", "influx-3"] {
        let account = ended.exporter(name);
        let count = |what: &str| account[what].as_u64().expect("a count");
        assert_eq!((count("failed"), count("timed_out"), count("left_out")), (0, 0, 0), "{account}");
        assert!(count("sent") > 1 && account["complete"] == true, "{account}");
    }
    assert!(!ended.stderr.contains(Influxd::PASSWORD), "{}", ended.stderr);
}

fn the_percentiles_are_those_of_the_results(influxd: &Influxd, database: &str, results: &Value) {
    let last = |field: &str| {
        influxd.last_sum(database, "http.client.request.duration", field).unwrap_or_else(|| panic!("{field}"))
    };
    for figure in ["p50", "p90", "p95", "p99", "p999", "max"] {
        let told = results["latency_ms"][figure].as_f64().expect("a latency") / 1e3;
        let stored = last(&format!("run_{figure}"));
        assert!((stored / told - 1.0).abs() < 1e-3, "{figure}: {stored} is stored, {told} was told");
        // A window never has more than the run, and never more than its own extreme.
        assert!(last(figure) <= last("run_max") * 1.001, "{figure}");
    }
    let (count, mean) = (last("count"), last("sum") / last("count"));
    let told = results["latency_ms"]["mean"].as_f64().expect("a mean") / 1e3;
    assert!((mean / told - 1.0).abs() < 1e-3, "{mean} {told}");
    let buckets = ["le_0.005", "le_0.01", "le_0.1", "le_1", "le_10"].map(last);
    assert!(buckets.is_sorted() && buckets[4] <= count, "{buckets:?}");
}

#[test]
fn a_wrong_password_is_told_as_401_and_not_repeated() {
    let (target, influxd) = (Target::start(&[]), Influxd::start());
    let destination = influxd.write_url("hunter2secret");
    let ended = barewire_to_end([
        "run",
        &target.url(),
        "-c",
        "1",
        "-r",
        "50",
        "-d",
        "1s",
        "--influx",
        &destination,
        "--results",
        RESULTS,
    ]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let account = ended.exporter("influx");
    let why = account["last_error"].as_str().expect("an error");
    assert!(why.starts_with(&format!("{} answered 401: ", influxd.addr())), "{why}");
    assert_eq!(
        (account["sent"].as_u64(), account["complete"].as_bool()),
        (Some(0), Some(false)),
        "{account}"
    );
    let said = format!("{}{}{}", ended.stdout, ended.stderr, ended.results);
    for secret in ["hunter2secret", &support::percent_encoded("hunter2secret")] {
        assert!(!said.contains(secret), "{said}");
    }
}

#[test]
fn a_server_that_stands_still_costs_resolution_and_no_count() {
    let (target, influxd) = (Target::start(&[]), Influxd::start());
    let (url, v1) = (target.url(), influxd.write_url(Influxd::PASSWORD));
    let run = barewire([
        "run",
        &url,
        "-c",
        "4",
        "-r",
        "200",
        "-d",
        "5s",
        "--interval",
        "100ms",
        "--influx",
        &v1,
        "--results",
        RESULTS,
    ]);
    poll(PATIENCE, "requests in InfluxDB", || {
        influxd.last_sum(Influxd::DATABASE, "http.client.requests", "value").filter(|sum| *sum > 0.0)
    });
    influxd.child.stop();
    let before = target.requests();
    poll(PATIENCE, "the load goes on", || (target.requests() >= before + 200).then_some(()));
    influxd.child.cont();
    let ended = Ended::of(run);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let requests = ended.results["requests"].as_f64().expect("requests");
    assert_eq!(requests, target.requests() as f64);
    await_last_sum(&influxd, Influxd::DATABASE, "http.client.requests", "value", requests);
    let account = ended.exporter("influx");
    assert!(account["dropped"].as_u64() > Some(0) && account["complete"] == true, "{account}");
    assert_eq!(influxd.complaints(), Vec::<String>::new());
}

#[test]
fn a_type_conflict_costs_the_points_it_is_about_and_no_others() {
    let (target, influxd) = (Target::start(&[]), Influxd::start());
    // Without a time, it is of now: a server keeps types apart by the week.
    influxd.write("http.client.requests value=\"a text\"\n");
    let ended = barewire_to_end([
        "run",
        &target.url(),
        "-c",
        "1",
        "-r",
        "50",
        "-d",
        "1s",
        "--influx",
        &influxd.write_url(Influxd::PASSWORD),
        "--results",
        RESULTS,
    ]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let requests = ended.results["requests"].as_f64().expect("requests");
    await_last_sum(&influxd, Influxd::DATABASE, "http.client.request.duration", "count", requests);
    let account = ended.exporter("influx");
    let count = |what: &str| account[what].as_u64().expect("a count");
    assert_eq!((count("failed"), count("timed_out")), (0, 0), "{account}");
    assert_eq!(count("partial"), count("sent"), "{account}");
    assert!(
        account["messages"][0].as_str().is_some_and(|said| said.starts_with("partial write: ")),
        "{account}"
    );
    assert_eq!(ended.stderr.matches("influx delivers points in part: ").count(), 1, "{}", ended.stderr);
    assert!(count("rejected") >= count("sent") && account["complete"] == true, "{account}");
}

#[test]
fn what_is_sent_compressed_is_stored_and_a_conflict_is_told() {
    let influxd = Influxd::start();
    let registry = Registry::new("shop");
    let hits = registry.counter(Metric::new("hits").label("url", "/a b?c=1,2\\").label("time", "of day"));
    let took = registry.histogram(Metric::new("took").unit(Unit::Milliseconds));
    let mut shard = registry.shard();
    shard.add(hits, 3);
    shard.record(took, 1_500_000_u64);
    let mut influx = Influx::v1(&influxd.write_url(Influxd::PASSWORD)).expect("a destination").gzip();
    let delivered = influx.export(&registry.snapshot(), soon()).expect("a server that takes it");
    assert_eq!((delivered.points, delivered.left_out), (2, 0));
    let series = influxd.query(Influxd::DATABASE, r#"SELECT last("value") FROM "hits" GROUP BY *"#);
    assert_eq!(series[0]["tags"], serde_json::json!({ "url": "/a b?c=1,2_", "_time": "of day" }));
    assert_eq!(influxd.value(Influxd::DATABASE, r#"SELECT "run_p99" FROM "took""#), Some(1.5));

    let event = Event::new("stage.change", 1_700_000_000_000_000_001)
        .title("a \"title\" \\")
        .text("of two\nlines, a=b")
        .label("stage", 2);
    assert_eq!(influx.event(&event, soon()).expect("an event").points, 1);
    let series =
        influxd.query(Influxd::DATABASE, r#"SELECT "title", "text", "tags", "level", "event" FROM "events""#);
    let stored = serde_json::json!([
        1_700_000_000_000_000_001_u64,
        "a \"title\" \\",
        "of two\nlines, a=b",
        "stage.change,info,stage:2",
        "info",
        "stage.change"
    ]);
    assert_eq!(series[0]["values"], serde_json::json!([stored]));

    influxd.write("gone value=\"a text\"\n");
    let gone = registry.counter(Metric::new("gone"));
    shard.add(gone, 1);
    let delivered = influx.export(&registry.snapshot(), soon()).expect("the others are stored");
    assert_eq!((delivered.points, delivered.rejected), (2, 1));
    let warning = delivered.message.expect("what the server said");
    assert!(warning.contains("partial write: field type conflict"), "{warning}");
}

#[test]
fn as_many_points_are_stored_as_there_were_samples_also_where_all_end_at_once() {
    let influxd = Influxd::start();
    let registry = Registry::new("shop");
    registry.keep_samples(4096);
    let series = registry.sample_series(Metric::new("request").label("method", "GET"));
    let rule = SampleRule::new("requests").by_as("method", "method").field("bytes", Field::Bytes);
    let samples_to = |url: &str| Influx::open(url).expect("a destination").samples(rule.clone());
    let reporting = Reporter::every(Duration::from_secs(3600))
        .export(samples_to(&influxd.write_url(Influxd::PASSWORD)))
        .export(samples_to(&influxd.udp_url()))
        .start(&registry);
    let mut shard = registry.shard();
    let at = registry.start_unix_ns();
    for _ in 0..1000 {
        shard.sample(Sample {
            series,
            start_unix_ns: at,
            duration_ns: 5,
            bytes: 1,
            counted: true,
            trace: None,
        });
    }
    let report = reporting.stop(PATIENCE);
    for (lane, database) in report.lanes.iter().zip([Influxd::DATABASE, Influxd::UDP_DATABASE]) {
        assert_eq!((lane.samples, lane.samples_lost), (1000, 0), "{lane:?}");
        poll(PATIENCE, &format!("all samples in {database}"), || {
            influxd
                .value(database, r#"SELECT count("bytes") FROM "requests""#)
                .filter(|count| *count == 1000.0)
        });
    }
    assert_eq!(influxd.complaints(), Vec::<String>::new());
}

#[test]
fn numbers_and_texts_come_back_as_they_were() {
    let influxd = Influxd::start();
    let mut lines = Vec::new();
    let floats = [1.0, -0.0, 1.5, 1e-9, 1e20, f64::MAX, f64::MIN_POSITIVE, 5e-324];
    for (time, float) in (1..).zip(floats) {
        assert!(push_line(
            &mut lines,
            "floats",
            &[],
            &[("f", FieldValue::Number(Number::Float(float)))],
            time
        ));
    }
    for (time, int) in (1..).zip([0, -1, i64::MAX, i64::MIN + 1]) {
        assert!(push_line(&mut lines, "ints", &[], &[("f", FieldValue::Number(Number::Int(int)))], time));
    }
    let decimal = Number::Decimal { digits: 18_446_744_073_709_551_616, decimals: 9 };
    assert!(push_line(&mut lines, "decimals", &[], &[("f", FieldValue::Number(decimal))], 1));
    let texts = ["", "a\"b", "a\\b", "a\\", "a\nb c,d=e", "🍭"];
    for (time, text) in (1..).zip(texts) {
        assert!(push_line(&mut lines, "texts", &[], &[("f", FieldValue::Text(text))], time));
    }
    let tags = ["\"q\"", "🍭", "http://h/?a=1,2", "a b", "a\\b", "\"", "a\"b\"\""];
    for tag in tags {
        let fields = [("a field, of=1", FieldValue::Bool(true)), ("time", FieldValue::Text("t"))];
        assert!(push_line(&mut lines, "#tags, of", &[("a key, of=1", tag), ("empty", "")], &fields, 1));
    }
    influxd.write(std::str::from_utf8(&lines).expect("UTF-8"));

    let column = |measurement: &str| -> Vec<Value> {
        let series = influxd.query(Influxd::DATABASE, &format!(r#"SELECT "f" FROM "{measurement}""#));
        series[0]["values"].as_array().expect("rows").iter().map(|row| row[1].clone()).collect()
    };
    assert_eq!(column("floats").iter().map(|value| value.as_f64()).collect::<Vec<_>>(), floats.map(Some));
    assert_eq!(column("ints"), [0, -1, i64::MAX, i64::MIN + 1].map(Value::from));
    assert_eq!(column("decimals"), [Value::from(18_446_744_073.709_553)]);
    assert_eq!(column("texts"), texts.map(Value::from));
    let series =
        influxd.query(Influxd::DATABASE, r#"SELECT "a field, of=1", "_time" FROM "_#tags, of" GROUP BY *"#);
    let mut stored: Vec<_> =
        series.iter().map(|one| one["tags"]["a key, of=1"].as_str().expect("a tag")).collect();
    let mut expected = tags;
    stored.sort_unstable();
    expected.sort_unstable();
    assert_eq!(stored, expected);
    assert_eq!(series[0]["values"], serde_json::json!([[1, true, "t"]]));
    assert_eq!(influxd.complaints(), Vec::<String>::new());
}

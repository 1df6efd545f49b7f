//! Events and samples, and the whole documents they must become.

use std::sync::Arc;

use barewire::{Event, Label, Level, Metric, Registry, Sample, TraceContext, view::Scope};
use barewire_otlp_json::{Encoded, LogEncoder, SpanEncoder};

const NO_LIMIT: usize = usize::MAX;

fn scope() -> Option<Scope> {
    Some(Scope { name: "barewire".into(), version: "1.0.0".into() })
}

fn resource() -> Arc<[Label]> {
    [Label::new("service.name", "shop"), Label::new("", "nameless")].into()
}

fn logs(encoder: &mut LogEncoder, resource: &Arc<[Label]>, events: &[Event]) -> String {
    let mut out = Vec::new();
    encoder.push_request(resource, events, &mut out);
    String::from_utf8(out).unwrap()
}

/// One log record, between what is always the same.
fn record(event: Event) -> String {
    let document = logs(&mut LogEncoder::new(None), &Arc::default(), &[event]);
    let record = document.strip_prefix(r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":["#).unwrap();
    record.strip_suffix("]}]}]}").unwrap().to_owned()
}

fn sample(number: u64) -> Sample {
    Sample {
        series: Registry::new("shop").sample_series(Metric::new("work")),
        start_unix_ns: 1_700_000_000_000_000_000 + number,
        duration_ns: 1_500_000,
        bytes: 7,
        counted: number.is_multiple_of(2),
        trace: Some(TraceContext {
            trace_id: 0xaf76_5191_6cd4_3dd8 << 64 | u128::from(number),
            span_id: number,
        }),
    }
}

fn spans(samples: &[(Metric, Sample)]) -> (String, Encoded) {
    let samples: Vec<_> =
        samples.iter().map(|(metric, sample)| (Arc::new(metric.clone()), *sample)).collect();
    let mut out = Vec::new();
    let mut samples = samples.iter().map(|(metric, sample)| (metric, sample));
    let encoded = SpanEncoder::new(None).push_request(&Arc::default(), &mut samples, NO_LIMIT, &mut out);
    (String::from_utf8(out).unwrap(), encoded)
}

/// One span, between what is always the same.
fn span(metric: Metric, sample: Sample) -> String {
    let (document, encoded) = spans(&[(metric, sample)]);
    assert_eq!(encoded, Encoded { points: 1, left_out: 0 });
    let span = document.strip_prefix(r#"{"resourceSpans":[{"scopeSpans":[{"spans":["#).unwrap();
    span.strip_suffix("]}]}]}").unwrap().to_owned()
}

/// What stands between the start and the end of a span of that series.
fn name_and_rest(metric: Metric) -> (String, String) {
    let span = span(metric, sample(5));
    let (_, rest) = span.split_once(r#""name":"#).unwrap();
    let (name, rest) = rest.split_once(r#","kind":3,"startTimeUnixNano":"1700000000000000005","#).unwrap();
    (name.to_owned(), rest.strip_prefix(r#""endTimeUnixNano":"1700000000001500005""#).unwrap().to_owned())
}

#[test]
fn a_full_event_has_every_part_in_its_place() {
    let events = [
        Event::new("stage.change", 1_700_000_000_000_000_000)
            .title("Stage 2 of 3")
            .text("From 50 to 200 users in 30 s.")
            .level(Level::Warning)
            .label("load_test.stage", 2)
            .label("load_test.name", "checkout"),
        Event::new("test.stop", u64::MAX),
    ];
    assert_eq!(
        logs(&mut LogEncoder::new(scope()), &resource(), &events),
        concat!(
            r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},"#,
            r#""scopeLogs":[{"scope":{"name":"barewire","version":"1.0.0"},"logRecords":["#,
            r#"{"timeUnixNano":"1700000000000000000","observedTimeUnixNano":"1700000000000000000","#,
            r#""severityNumber":13,"severityText":"WARN","#,
            r#""body":{"stringValue":"Stage 2 of 3\nFrom 50 to 200 users in 30 s."},"#,
            r#""attributes":[{"key":"load_test.stage","value":{"intValue":"2"}},"#,
            r#"{"key":"load_test.name","value":{"stringValue":"checkout"}}],"eventName":"stage.change"},"#,
            r#"{"timeUnixNano":"18446744073709551615","observedTimeUnixNano":"18446744073709551615","#,
            r#""severityNumber":9,"severityText":"INFO","body":{"stringValue":"test.stop"},"eventName":"test.stop"}"#,
            "]}]}]}"
        )
    );
}

#[test]
fn levels_of_a_range_are_told_apart_within_it() {
    for (level, expected) in [
        (Level::Info, r#""severityNumber":9,"severityText":"INFO","#),
        (Level::Success, r#""severityNumber":10,"severityText":"SUCCESS","#),
        (Level::Warning, r#""severityNumber":13,"severityText":"WARN","#),
        (Level::Error, r#""severityNumber":17,"severityText":"ERROR","#),
    ] {
        let record = record(Event::new("a", 1).level(level));
        assert!(record.contains(expected), "{record}");
    }
}

#[test]
fn a_body_is_of_what_there_is_to_say() {
    for (title, text, body) in [
        ("a", "", r#","body":{"stringValue":"a"}"#),
        ("", "b", r#","body":{"stringValue":"b"}"#),
        ("a", "b", r#","body":{"stringValue":"a\nb"}"#),
        ("", "", ""),
    ] {
        let record = record(Event::new("", 1).title(title).text(text));
        let (_, rest) = record.split_once(r#""severityText":"INFO""#).unwrap();
        assert_eq!(rest, format!("{body}}}"));
    }
}

#[test]
fn labels_that_cannot_be_attributes_are_counted() {
    let event = Event::new("e", 1).label("a", 1).label("", 2).label("a", 3).label("b", "");
    let (_, rest) = record(event)
        .split_once(r#""body":{"stringValue":"e"},"#)
        .map(|(head, rest)| (head.to_owned(), rest.to_owned()))
        .unwrap();
    assert_eq!(
        rest,
        concat!(
            r#""attributes":[{"key":"a","value":{"intValue":"3"}},{"key":"b","value":{"stringValue":""}}],"#,
            r#""droppedAttributesCount":2,"eventName":"e"}"#
        )
    );
    let record = record(Event::new("e", 1).label("", 2));
    assert!(record.ends_with(r#""body":{"stringValue":"e"},"droppedAttributesCount":1,"eventName":"e"}"#));
}

#[test]
fn the_next_events_of_another_resource_are_under_it() {
    let (mut encoder, event) = (LogEncoder::new(None), Event::new("e", 1));
    let first = logs(&mut encoder, &resource(), std::slice::from_ref(&event));
    assert!(first.starts_with(r#"{"resourceLogs":[{"resource":"#));
    let second = logs(&mut encoder, &Arc::default(), std::slice::from_ref(&event));
    assert!(second.starts_with(r#"{"resourceLogs":[{"scopeLogs":"#));
    assert_eq!(logs(&mut encoder, &resource(), std::slice::from_ref(&event)), first);
}

#[test]
fn nothing_to_tell_is_no_document() {
    assert_eq!(logs(&mut LogEncoder::new(scope()), &resource(), &[]), "");
    assert_eq!(spans(&[]), (String::new(), Encoded::default()));
}

#[test]
fn a_full_span_has_every_part_in_its_place() {
    let request = Metric::new("http.client.request")
        .label("load_test.step", "browse")
        .label("http.request.method", "GET")
        .label("outcome", "failure")
        .label("http.response.status_code", 503)
        .label("error.type", "503")
        .label("url.full", "http://shop.example:8080/items?q=\"a\"")
        .label("server.address", "shop.example")
        .label("server.port", 8080);
    let trace =
        TraceContext { trace_id: 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c, span_id: 0xb7ad_6b71_6920_3331 };
    let sample = Sample { trace: Some(trace), ..sample(5) };
    let metric = Arc::new(request);
    let mut out = Vec::new();
    let mut samples = [(&metric, &sample)].into_iter();
    let encoded = SpanEncoder::new(scope()).push_request(&resource(), &mut samples, NO_LIMIT, &mut out);
    assert_eq!(encoded, Encoded { points: 1, left_out: 0 });
    assert_eq!(
        String::from_utf8(out).unwrap(),
        concat!(
            r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},"#,
            r#""scopeSpans":[{"scope":{"name":"barewire","version":"1.0.0"},"spans":["#,
            r#"{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331","flags":257,"#,
            r#""name":"GET browse","kind":3,"#,
            r#""startTimeUnixNano":"1700000000000000005","endTimeUnixNano":"1700000000001500005","#,
            r#""attributes":[{"key":"load_test.step","value":{"stringValue":"browse"}},"#,
            r#"{"key":"http.request.method","value":{"stringValue":"GET"}},"#,
            r#"{"key":"outcome","value":{"stringValue":"failure"}},"#,
            r#"{"key":"http.response.status_code","value":{"intValue":"503"}},"#,
            r#"{"key":"error.type","value":{"stringValue":"503"}},"#,
            r#"{"key":"url.full","value":{"stringValue":"http://shop.example:8080/items?q=\"a\""}},"#,
            r#"{"key":"server.address","value":{"stringValue":"shop.example"}},"#,
            r#"{"key":"server.port","value":{"intValue":"8080"}}],"status":{"code":2}}]}]}]}"#
        )
    );
}

#[test]
fn a_span_is_called_by_method_and_step_or_like_its_series() {
    let named = |labels: &[(&str, &str)]| {
        let metric =
            labels.iter().fold(Metric::new("work"), |metric, (key, value)| metric.label(*key, *value));
        name_and_rest(metric).0
    };
    let (method, step) = (("http.request.method", "GET"), ("load_test.step", "a \"b\""));
    assert_eq!(named(&[method, step]), r#""GET a \"b\"""#);
    assert_eq!(named(&[step, method]), r#""GET a \"b\"""#);
    assert_eq!(named(&[method]), r#""GET""#);
    assert_eq!(named(&[method, ("load_test.step", "")]), r#""GET""#);
    assert_eq!(named(&[step]), r#""work""#);
    assert_eq!(named(&[]), r#""work""#);
}

#[test]
fn only_a_failure_has_a_status() {
    let failed = |labels: &[(&str, &str)]| {
        let metric =
            labels.iter().fold(Metric::new("work"), |metric, (key, value)| metric.label(*key, *value));
        let rest = name_and_rest(metric).1;
        assert_eq!(rest.contains("status\""), rest.ends_with(r#","status":{"code":2}}"#), "{rest}");
        rest.contains("status\"")
    };
    assert!(failed(&[("error.type", "timeout")]));
    assert!(failed(&[("outcome", "failure")]));
    assert!(!failed(&[("outcome", "success")]));
    assert!(!failed(&[]));
}

#[test]
fn samples_without_a_trace_are_not_spans_and_not_left_out() {
    let untraced = Sample { trace: None, ..sample(1) };
    let work = Metric::new("work");
    assert_eq!(spans(&[(work.clone(), untraced)]), (String::new(), Encoded::default()));
    let (document, encoded) = spans(&[(work.clone(), untraced), (work, sample(2))]);
    assert_eq!(encoded, Encoded { points: 1, left_out: 0 });
    assert_eq!(document.matches("spanId").count(), 1);
}

#[test]
fn spans_that_nobody_could_find_are_left_out() {
    let traced = |trace_id, span_id| Sample { trace: Some(TraceContext { trace_id, span_id }), ..sample(1) };
    for (name, sample) in [("work", traced(0, 1)), ("work", traced(1, 0)), ("", sample(1))] {
        assert_eq!(
            spans(&[(Metric::new(name), sample)]),
            (String::new(), Encoded { points: 0, left_out: 1 })
        );
    }
}

#[test]
fn a_span_that_would_end_after_the_end_of_time_ends_there() {
    let span = span(Metric::new("work"), Sample { duration_ns: u64::MAX, ..sample(1) });
    assert!(span.contains(r#""endTimeUnixNano":"18446744073709551615""#), "{span}");
}

#[test]
fn series_of_one_number_in_two_registries_are_not_mistaken_for_each_other() {
    let (one, other) = (Metric::new("one"), Metric::new("other"));
    let samples: Vec<_> = [&one, &other, &one].map(|metric| (metric.clone(), sample(1))).into();
    let (document, _) = spans(&samples);
    let names = document.match_indices(r#""name":""#).map(|(at, key)| &document[at + key.len()..][..3]);
    assert_eq!(names.collect::<Vec<_>>(), ["one", "oth", "one"]);
}

#[test]
fn a_document_that_has_reached_its_limit_takes_no_more_samples() {
    let metric = Arc::new(Metric::new("work"));
    let samples: Vec<_> = (1..=10).map(sample).collect();
    let mut left = samples.iter().map(|sample| (&metric, sample));
    let mut encoder = SpanEncoder::new(None);
    let mut next = |limit| {
        let mut out = b"before".to_vec();
        let encoded = encoder.push_request(&Arc::default(), &mut left, limit, &mut out);
        (encoded.points, out.len() - "before".len())
    };
    let (one, length) = next(1);
    assert_eq!((one, next(0)), (1, (0, 0)));
    let (three, longer) = next(length + 200);
    assert!(three == 3 && longer > length + 200, "{three} in {longer}, one in {length}");
    assert_eq!(next(NO_LIMIT).0, 6);
    assert_eq!(next(NO_LIMIT), (0, 0));
}

//! Points, events and checks that no format is fond of, judged by the receivers themselves: none of them finds a mistake.

mod support;

use std::{net::SocketAddr, os::unix::net::UnixDatagram, sync::Arc};

use barewire::{
    Distribution, Event, Label, Level, Metric, Unit,
    view::{
        Explicit, Exponential, ExponentialBuckets, Frame, Number, Point, Recorded, Scope, Temporality, Value,
    },
    wire::datagram::{Datagrams, UNIX_LIMIT_BYTES},
};
use barewire_statsd::{Check, ServiceCheck, Style};
use proptest::{collection::vec, option, prelude::*, strategy::ValueTree as _, test_runner::TestRunner};
use serde_json::Value as Json;
use support::{Agent, Collector, Influxd, PATIENCE, http_post, poll};

/// How many requests, or frames, each receiver gets.
const FRAMES: usize = 150;

#[test]
fn a_collector_takes_every_hostile_point() {
    let mut collector = Collector::start();
    let mut encoder = barewire_otlp_json::Encoder::new();
    let (mut sent, mut present) = (0, 0);
    for frame in some(frame()) {
        let mut document = Vec::new();
        let encoded = encoder.push_request([&frame], &mut document);
        present += frame.points.iter().filter(|point| point.value != Value::Absent).count() as u64;
        sent += encoded.points;
        if !document.is_empty() {
            assert_taken(collector.addr(), "/v1/metrics", &document);
        }
    }
    assert!(sent * 2 > present, "{sent} of {present} are not a test");
    poll(PATIENCE, "all points in the file of the Collector", || {
        let points: u64 = collector.documents().iter().map(data_points).sum();
        assert!(points <= sent, "{points} of {sent}");
        (points == sent).then_some(())
    });
    assert!(collector.child.terminate().success());
}

#[test]
fn a_collector_takes_every_hostile_event() {
    let mut collector = Collector::start();
    let mut sent = 0;
    for (event, resource) in some((event(), labels())) {
        let mut document = Vec::new();
        let scope = Scope { name: event.title.clone(), version: event.text.clone() };
        barewire_otlp_json::LogEncoder::new(Some(scope)).push_request(
            &resource.into(),
            [&event],
            &mut document,
        );
        assert_taken(collector.addr(), "/v1/logs", &document);
        sent += 1;
    }
    poll(PATIENCE, "all events in the file of the Collector", || {
        (collector.log_records().len() == sent).then_some(())
    });
    assert!(collector.child.terminate().success());
}

/// Nothing of it is rejected.
fn assert_taken(addr: SocketAddr, path: &str, document: &[u8]) {
    let answer = http_post(addr, path, "application/json", document).expect("an answer");
    let shown = || String::from_utf8_lossy(document);
    assert_eq!((answer.status, answer.text().as_str()), (200, "{\"partialSuccess\":{}}"), "{}", shown());
}

/// How many elements the lists of that name have.
fn data_points(json: &Json) -> u64 {
    match json {
        Json::Array(items) => items.iter().map(data_points).sum(),
        Json::Object(fields) => fields
            .iter()
            .map(|(name, field)| match field {
                Json::Array(items) if name == "dataPoints" => items.len() as u64,
                _ => data_points(field),
            })
            .sum(),
        _ => 0,
    }
}

#[test]
fn an_agent_reads_every_hostile_line() {
    let mut agent = Agent::start();
    let socket = UnixDatagram::unbound().expect("a socket");
    socket.connect(agent.datagram_socket()).expect("the Agent's");
    let style = Style::new().prefix("hostile|:").tag("a,b", "|#c:d").container("ci-1|2").host("h|i");
    let mut encoder = barewire_statsd::Encoder::new(style.clone());
    for (frame, event, check) in some((frame(), event(), check())) {
        let mut out = Datagrams::new(UNIX_LIMIT_BYTES);
        encoder.push_frame(&frame, &mut out);
        encoder.settle(out.len_bytes());
        out.push(|out| _ = barewire_statsd::push_event(out, &event, &style));
        out.push(|out| _ = barewire_statsd::push_service_check(out, &check, &style));
        // It waits for room, so that nothing is dropped.
        out.iter().for_each(|datagram| _ = socket.send(datagram).expect("the Agent reads"));
    }
    socket.send(b"the.end:1|c\n").expect("the Agent reads");
    poll(PATIENCE, "the last line in the Agent", || {
        agent.received().iter().any(|(name, ..)| name == "the.end").then_some(())
    });
    assert_eq!(agent.complaints(), Vec::<String>::new());
    // It would have said so.
    socket.send(b"no line").expect("the Agent reads");
    poll(PATIENCE, "a complaint of the Agent", || (!agent.complaints().is_empty()).then_some(()));
    assert!(agent.child.terminate().success());
}

#[test]
fn an_influxdb_takes_every_hostile_line() {
    let mut influxd = Influxd::start();
    let mut encoder = barewire_influx::Encoder::new().tag("a,b", "c=\\d").tag("time", "e f").resource_tags();
    let mut written = 0;
    for (frame, event) in some((frame(), event())) {
        let mut lines = Vec::new();
        written += encoder.push([&frame], &mut lines).points;
        barewire_influx::push_event(&mut lines, &event, &[]);
        influxd.write(std::str::from_utf8(&lines).expect("UTF-8"));
    }
    assert!(written > 0);
    assert_eq!(influxd.complaints(), Vec::<String>::new());
    assert!(influxd.child.terminate().success());
}

/// As many of them as each receiver gets: the same each time, for a receiver that complains is somebody else's program.
fn some<S: Strategy>(of: S) -> impl Iterator<Item = S::Value> {
    let mut runner = TestRunner::deterministic();
    (0..FRAMES).map(move |_| of.new_tree(&mut runner).expect("a value").current())
}

fn frame() -> impl Strategy<Value = Frame> {
    let scope = option::of((text(), text()).prop_map(|(name, version)| Scope { name, version }));
    // Days, so that a server does not make a shard a point.
    let time = 1_700_000_000_000_000_000..1_700_100_000_000_000_000_u64;
    (labels(), scope, time, any::<bool>(), vec(point(), 0..12)).prop_map(
        |(resource, scope, time_unix_ns, is_delta, points)| Frame {
            resource: resource.into(),
            scope,
            start_unix_ns: time_unix_ns - 1_000_000_000,
            time_unix_ns,
            temporality: if is_delta { Temporality::Delta } else { Temporality::Cumulative },
            points,
        },
    )
}

fn point() -> impl Strategy<Value = Point> {
    (text(), labels(), unit(), text(), value()).prop_map(|(name, labels, unit, help, value)| {
        let mut metric = Metric::new(name).unit(unit).help(help);
        metric.labels = labels;
        Point { metric: Arc::new(metric), value }
    })
}

fn event() -> impl Strategy<Value = Event> {
    let level =
        prop_oneof![Just(Level::Info), Just(Level::Success), Just(Level::Warning), Just(Level::Error)];
    let time = 1_700_000_000_000_000_000..1_700_100_000_000_000_000_u64;
    (text(), time, text(), text(), level, labels()).prop_map(|(name, time, title, text, level, labels)| {
        let mut event = Event::new(name, time).title(title).text(text).level(level);
        event.labels = labels;
        event
    })
}

fn check() -> impl Strategy<Value = ServiceCheck> {
    let status =
        prop_oneof![Just(Check::Ok), Just(Check::Warning), Just(Check::Critical), Just(Check::Unknown)];
    (text(), status, option::of(any::<u64>()), labels(), text()).prop_map(
        |(name, status, time_unix_ns, labels, message)| ServiceCheck {
            name,
            status,
            time_unix_ns,
            labels,
            message,
        },
    )
}

/// One a key, as the builders make them.
fn labels() -> impl Strategy<Value = Vec<Label>> {
    let value = prop_oneof![
        4 => text().prop_map(barewire::LabelValue::Text),
        1 => any::<i64>().prop_map(barewire::LabelValue::Int),
    ];
    vec((text(), value), 0..4).prop_map(|labels| {
        labels.into_iter().fold(Metric::new(""), |metric, (key, value)| metric.label(key, value)).labels
    })
}

fn unit() -> impl Strategy<Value = Unit> {
    prop_oneof![
        Just(Unit::None),
        Just(Unit::One),
        Just(Unit::Seconds),
        Just(Unit::Bytes),
        text().prop_map(|symbol| Unit::Other(symbol.into())),
    ]
}

/// What means something in one of the formats, what is no character of text, and anything else.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z.]{1,8}",
        "[|,:#@=\" \\\\a]{1,8}",
        "(_e\\{|_sc|#|__name__|le|time|_field)[a|:]{0,2}",
        "[\n\r\t\u{0}\u{1b}\u{7f}\u{85}\u{2028}\u{feff}a]{1,5}",
        "(?s).{0,8}",
        "[a-z]{300}",
    ]
}

fn number() -> impl Strategy<Value = Number> {
    let special = prop_oneof![
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(-0.0),
        Just(f64::MIN_POSITIVE),
        Just(f64::MAX),
    ];
    prop_oneof![
        any::<i64>().prop_map(Number::Int),
        any::<f64>().prop_map(Number::Float),
        special.prop_map(Number::Float),
        (any::<u64>(), 0..=18_u8)
            .prop_map(|(digits, decimals)| Number::Decimal { digits: digits.into(), decimals }),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let buckets = || {
        (-40..40_i32, vec(0..5_u64, 0..6)).prop_map(|(offset, counts)| ExponentialBuckets { offset, counts })
    };
    let exponential = (-10..20_i32, 0..3_u64, buckets(), buckets(), number(), option::of(number()));
    let steps = vec(1..1000_u32, 0..5);
    prop_oneof![
        1 => Just(Value::Absent),
        4 => number().prop_map(Value::Gauge),
        4 => number().prop_map(Value::Counter),
        2 => (steps, vec(0..9_u64, 6), number(), option::of(number())).prop_map(|(steps, counts, sum, max)| {
            let bounds = steps.iter().scan(0.0, |bound, step| {
                *bound += f64::from(*step);
                Some(*bound)
            });
            let counts = counts[..=steps.len()].to_vec();
            Value::from(Explicit { bounds: bounds.collect(), counts, sum, min: None, max })
        }),
        2 => exponential.prop_map(|(scale, zero_count, positive, negative, sum, min)| {
            Value::from(Exponential { scale, zero_count, positive, negative, sum, min, max: None })
        }),
        2 => (0..10_u8, vec(any::<u32>(), 0..20)).prop_map(|(decimals, values)| {
            let mut window = Distribution::default();
            values.into_iter().for_each(|value| window.record(u64::from(value)));
            Value::from(Recorded { decimals, run: window.clone().into(), window })
        }),
    ]
}

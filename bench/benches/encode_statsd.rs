//! What it costs to write one tick as DogStatsD, in datagrams of 1432 bytes: `encode_statsd/710_points/<implementation>`.
//!
//! All write the same lines, but for zeros at the end of a fraction. That is checked as a whole before anything is measured,
//! and by length and end in every iteration. Ours also keeps what was not delivered, so it is told of a delivery each time. The rivals are given what
//! they write from in the form that they want, for both ticks, before the clock starts.
//!
//! The writer of metrics-exporter-dogstatsd is private, so it is compiled from the published source (`build.rs`) and
//! driven as its exporter does, without the registry and the thread around it. fast-telemetry and cadence do not pack
//! datagrams themselves in the same place; they are measured writing lines into one buffer, which is less work.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use barewire::{
    view::{Frame, Number, Point, Value},
    wire::datagram::{Datagrams, UDP_LIMIT_BYTES},
};
use barewire_bench::{criterion, frame};
use barewire_statsd::{Encoder, Style};
use cadence::{Counted, Gauged, MetricSink, StatsdClient};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fast_telemetry::{Counter, DogStatsDExport, GaugeF64};
use metrics::{Key, Label};

#[allow(dead_code, unreachable_pub, clippy::all, reason = "not ours")]
mod metrics_exporter_dogstatsd {
    include!(concat!(env!("OUT_DIR"), "/dogstatsd_writer.rs"));
}
use metrics_exporter_dogstatsd::PayloadWriter;

/// A point in plain types.
struct Row {
    name: String,
    tags: Vec<(String, String)>,
    value: Field,
    key: Key,
    fast: Fast,
}

#[derive(Clone, Copy)]
enum Field {
    Counter(i64),
    Gauge(f64),
}

/// As fast-telemetry has it.
enum Fast {
    Counter(Counter),
    Gauge(GaugeF64),
}

struct Tick {
    frame: Frame,
    rows: Vec<Row>,
    expected: Vec<u8>,
}

impl Tick {
    fn new(frame: Frame) -> Self {
        let rows: Vec<Row> = frame.points.iter().map(Row::new).collect();
        let mut expected = Vec::new();
        std_fmt(&rows, &mut expected);
        Tick { frame, rows, expected }
    }
}

impl Row {
    fn new(point: &Point) -> Self {
        let name = point.metric.name.clone();
        let labels = point.metric.labels.iter();
        let tags: Vec<_> =
            labels.map(|label| (label.key.clone(), label.value.to_text().into_owned())).collect();
        let (value, fast) = match point.value {
            Value::Counter(Number::Int(int)) => {
                let counter = Counter::new(1);
                counter.add(isize::try_from(int).expect("a small number"));
                (Field::Counter(int), Fast::Counter(counter))
            }
            Value::Gauge(number) => {
                let gauge = GaugeF64::new();
                gauge.set(number.to_f64());
                (Field::Gauge(number.to_f64()), Fast::Gauge(gauge))
            }
            _ => panic!("neither a count nor a time: {point:?}"),
        };
        let labels = tags.iter().map(|(key, value)| Label::new(key.clone(), value.clone()));
        let key = Key::from_parts(name.clone(), labels.collect::<Vec<_>>());
        Row { name, tags, value, key, fast }
    }
}

fn encoders(criterion: &mut Criterion) {
    let ticks = frame::ticks().map(Tick::new);

    let (mut encoder, mut out) = (Encoder::new(Style::new()), Datagrams::new(UDP_LIMIT_BYTES));
    bench(criterion, "barewire", &ticks, |tick, check| {
        out.clear();
        encoder.push_frame(&tick.frame, &mut out);
        out.iter().for_each(check);
        encoder.settle(out.len_bytes());
    });

    let mut writer = PayloadWriter::new(UDP_LIMIT_BYTES, false);
    bench(criterion, "metrics_exporter_dogstatsd", &ticks, |tick, check| {
        for row in &tick.rows {
            let written = match row.value {
                Field::Counter(int) => writer.write_counter(&row.key, int.cast_unsigned(), None, None),
                Field::Gauge(float) => writer.write_gauge(&row.key, float, None, None),
            };
            assert!(!written.any_failures());
        }
        let mut payloads = writer.payloads();
        while let Some(payload) = payloads.next_payload() {
            check(payload);
        }
    });

    let mut lines = String::new();
    let tags: Vec<Vec<(&str, &str)>> = ticks[0].rows.iter().map(|row| borrowed(&row.tags)).collect();
    bench(criterion, "fast_telemetry", &ticks, |tick, check| {
        lines.clear();
        for (row, tags) in tick.rows.iter().zip(&tags) {
            match &row.fast {
                Fast::Counter(counter) => counter.export_dogstatsd(&mut lines, &row.name, tags),
                Fast::Gauge(gauge) => gauge.export_dogstatsd(&mut lines, &row.name, tags),
            }
        }
        check(lines.as_bytes());
    });

    let sink = Sink::default();
    let client = StatsdClient::from_sink("", sink.clone());
    bench(criterion, "cadence", &ticks, |tick, check| {
        for Row { name, tags, value, .. } in &tick.rows {
            match *value {
                Field::Counter(int) => {
                    let line = client.count_with_tags(name, int);
                    tags.iter().fold(line, |line, (key, value)| line.with_tag(key, value)).send();
                }
                Field::Gauge(float) => {
                    let line = client.gauge_with_tags(name, float);
                    tags.iter().fold(line, |line, (key, value)| line.with_tag(key, value)).send();
                }
            }
        }
        let mut lines = sink.0.lock().expect("nobody panicked");
        check(&lines);
        lines.clear();
    });

    let mut lines = Vec::new();
    bench(criterion, "std_fmt", &ticks, |tick, check| {
        lines.clear();
        std_fmt(&tick.rows, &mut lines);
        check(&lines);
    });
    let mut lines = Vec::new();
    bench(criterion, "memcpy", &ticks, |tick, check| {
        lines.clear();
        lines.extend_from_slice(&tick.expected);
        check(&lines);
    });
}

/// `write` gives what it has written to its second argument, piece by piece.
fn bench(
    criterion: &mut Criterion,
    implementation: &str,
    ticks: &[Tick; 2],
    mut write: impl FnMut(&Tick, &mut dyn FnMut(&[u8])),
) {
    // The third and the fourth time, when what is kept from tick to tick is what it will be.
    let [.., zero, one] = [0, 1, 0, 1].map(|at| {
        let (tick, mut all): (&Tick, _) = (&ticks[at], Vec::new());
        write(tick, &mut |piece| all.extend_from_slice(piece));
        assert_eq!(trimmed(&all), trimmed(&tick.expected), "what {implementation} writes");
        all
    });
    let both = [zero, one];
    let mut ticks = ticks.iter().zip(&both).cycle();
    let mut group = criterion.benchmark_group("encode_statsd");
    group.throughput(Throughput::Elements(frame::POINTS as u64));
    group.bench_function(BenchmarkId::new("710_points", implementation), |bencher| {
        bencher.iter(|| {
            let (tick, expected) = ticks.next().expect("one after the other");
            let mut rest = expected.as_slice();
            write(tick, &mut |piece| {
                let expected = rest.split_off(..piece.len()).expect("as much as there is");
                let end = piece.len().saturating_sub(32);
                assert!(piece[end..] == expected[end..]);
            });
            assert!(rest.is_empty());
        });
    });
}

/// The lines without zeros at the end of fractions.
fn trimmed(lines: &[u8]) -> Vec<String> {
    let lines = str::from_utf8(lines).expect("UTF-8").lines();
    let trim = |line: &str| {
        let (head, tail) = line.split_once('|').expect("a type");
        let head = if head.contains('.') { head.trim_end_matches('0') } else { head };
        format!("{head}|{tail}")
    };
    lines.map(trim).collect()
}

/// Keeps what cadence gives it, a line at a time.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl MetricSink for Sink {
    fn emit(&self, metric: &str) -> io::Result<usize> {
        let mut lines = self.0.lock().expect("nobody panicked");
        lines.extend_from_slice(metric.as_bytes());
        lines.push(b'\n');
        Ok(metric.len())
    }
}

fn borrowed(tags: &[(String, String)]) -> Vec<(&str, &str)> {
    tags.iter().map(|(key, value)| (&**key, &**value)).collect()
}

/// Without a look at what would have to be replaced: nothing here has.
fn std_fmt(rows: &[Row], out: &mut Vec<u8>) {
    for Row { name, tags, value, .. } in rows {
        match value {
            Field::Counter(int) => write!(out, "{name}:{int}|c|#"),
            Field::Gauge(float) => write!(out, "{name}:{float}|g|#"),
        }
        .expect("a vector takes all");
        for (at, (key, value)) in tags.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            write!(out, "{comma}{key}:{value}").expect("a vector takes all");
        }
        out.push(b'\n');
    }
}

criterion_group!(name = benches; config = criterion(); targets = encoders);
criterion_main!(benches);

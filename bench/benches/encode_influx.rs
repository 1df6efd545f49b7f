//! What it costs to write one tick as InfluxDB line protocol: `encode_influx/710_points/<implementation>`.
//!
//! All write the same bytes. That is checked as a whole before anything is measured, and by length and end in every
//! iteration. The rivals are given what they write from in the form that they want, for both ticks, before the clock
//! starts; `influxdb2_build_and_write` and `influxdb_line_protocol`, which keep nothing from one tick to the next, do
//! what they would have to do.

use std::io::Write;

use barewire::{
    LabelValue,
    view::{Frame, Number, Point, Value},
};
use barewire_bench::{criterion, frame};
use barewire_influx::Encoder;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use influxdb_line_protocol::LineProtocolBuilder;
use influxdb2::models::{DataPoint, WriteDataPoint};

/// A point in plain types.
struct Row {
    measurement: String,
    /// By key.
    tags: Vec<(String, String)>,
    value: Field,
}

#[derive(Clone, Copy)]
enum Field {
    Int(i64),
    Float(f64),
}

struct Tick {
    frame: Frame,
    time: i64,
    rows: Vec<Row>,
    points: Vec<DataPoint>,
    expected: Vec<u8>,
}

impl Tick {
    fn new(frame: Frame) -> Self {
        let time = i64::try_from(frame.time_unix_ns).expect("a time of this age");
        let rows: Vec<Row> = frame.points.iter().map(Row::new).collect();
        let points = rows.iter().map(|row| row.to_data_point(time)).collect();
        let mut expected = Vec::new();
        std_fmt(&rows, time, &mut expected);
        Tick { frame, time, rows, points, expected }
    }
}

impl Row {
    fn new(point: &Point) -> Self {
        let text = |value: &LabelValue| value.to_text().into_owned();
        let labels = point.metric.labels.iter();
        let mut tags: Vec<_> = labels.map(|label| (label.key.clone(), text(&label.value))).collect();
        tags.sort();
        let value = match point.value {
            Value::Counter(Number::Int(int)) => Field::Int(int),
            Value::Gauge(number) => Field::Float(number.to_f64()),
            _ => panic!("neither a count nor a time: {point:?}"),
        };
        Row { measurement: point.metric.name.clone(), tags, value }
    }

    fn to_data_point(&self, time: i64) -> DataPoint {
        let mut point = DataPoint::builder(&*self.measurement).timestamp(time);
        for (key, value) in &self.tags {
            point = point.tag(&**key, &**value);
        }
        let point = match self.value {
            Field::Int(int) => point.field("value", int),
            Field::Float(float) => point.field("value", float),
        };
        point.build().expect("a point with a field")
    }
}

fn encoders(criterion: &mut Criterion) {
    let ticks = frame::ticks().map(Tick::new);
    let mut encoder = Encoder::new();
    bench(criterion, "barewire", &ticks, |tick, out| {
        encoder.push([&tick.frame], out);
    });
    bench(criterion, "influxdb2_write", &ticks, |tick, out| {
        for point in &tick.points {
            point.write_data_point_to(&mut *out).expect("a vector takes all");
        }
    });
    bench(criterion, "influxdb2_build_and_write", &ticks, |tick, out| {
        for row in &tick.rows {
            row.to_data_point(tick.time).write_data_point_to(&mut *out).expect("a vector takes all");
        }
    });
    bench(criterion, "influxdb_line_protocol", &ticks, |tick, out| line_protocol(&tick.rows, tick.time, out));
    bench(criterion, "std_fmt", &ticks, |tick, out| std_fmt(&tick.rows, tick.time, out));
    bench(criterion, "memcpy", &ticks, |tick, out| out.extend_from_slice(&tick.expected));
}

fn bench(
    criterion: &mut Criterion,
    implementation: &str,
    ticks: &[Tick; 2],
    mut write: impl FnMut(&Tick, &mut Vec<u8>),
) {
    let mut out = Vec::new();
    for tick in ticks {
        out.clear();
        write(tick, &mut out);
        assert_eq!(out, tick.expected, "what {implementation} writes");
    }
    let mut ticks = ticks.iter().cycle();
    let mut group = criterion.benchmark_group("encode_influx");
    group.throughput(Throughput::Elements(frame::POINTS as u64));
    group.bench_function(BenchmarkId::new("710_points", implementation), |bencher| {
        bencher.iter(|| {
            let tick = ticks.next().expect("one after the other");
            out.clear();
            write(tick, &mut out);
            let end = tick.expected.len() - 64;
            assert!(out.len() == tick.expected.len() && out[end..] == tick.expected[end..]);
        });
    });
}

fn line_protocol(rows: &[Row], time: i64, out: &mut Vec<u8>) {
    let mut builder = LineProtocolBuilder::new_with(out);
    for row in rows {
        let mut line = builder.measurement(&row.measurement);
        for (key, value) in &row.tags {
            line = line.tag(key, value);
        }
        let line = match row.value {
            Field::Int(int) => line.field("value", int),
            Field::Float(float) => line.field("value", float),
        };
        builder = line.timestamp(time).close_line();
    }
}

/// Without a look at what would have to be escaped: nothing here has.
fn std_fmt(rows: &[Row], time: i64, out: &mut Vec<u8>) {
    for Row { measurement, tags, value } in rows {
        out.extend_from_slice(measurement.as_bytes());
        for (key, value) in tags {
            write!(out, ",{key}={value}").expect("a vector takes all");
        }
        match value {
            Field::Int(int) => writeln!(out, " value={int}i {time}"),
            Field::Float(float) => writeln!(out, " value={float} {time}"),
        }
        .expect("a vector takes all");
    }
}

criterion_group!(name = benches; config = criterion(); targets = encoders);
criterion_main!(benches);

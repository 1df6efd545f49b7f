//! What it costs to encode a tick as Prometheus text, in groups called `encode_promtext/<case>/<implementation>`.

use std::io::Write;

use barewire::view::{Frame, Number, Value};
use barewire_bench::frame::{POINTS, ticks};
use barewire_promtext::{Encoder, Format};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn encode(criterion: &mut Criterion) {
    let [frame, _] = ticks();
    let mut encoder = Encoder::new(Format::Text004);
    let (mut page, mut out) = (Vec::new(), Vec::new());
    assert_eq!(encoder.push([&frame], &mut page).points, POINTS as u64);

    let mut group = criterion.benchmark_group("encode_promtext/710_points");
    group.throughput(Throughput::Elements(POINTS as u64));
    let mut subject = |name: &str, expected: &[String], push: &mut dyn FnMut(&mut Vec<u8>)| {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                out.clear();
                push(&mut out);
                assert!(out.ends_with(b"\n"));
            });
        });
        assert_eq!(samples(&out), expected, "{name}");
    };
    let expected = samples(&page);
    assert_eq!(expected.len(), POINTS);
    subject("barewire", &expected, &mut |out| {
        encoder.push([&frame], out);
    });
    subject("std_fmt", &expected, &mut |out| push_naively(&frame, out).expect("memory takes all"));
    subject("memcpy", &expected, &mut |out| out.extend_from_slice(&page));
}

/// The samples, in any order, without heads.
fn samples(page: &[u8]) -> Vec<String> {
    let page = std::str::from_utf8(page).expect("UTF-8");
    let mut lines: Vec<_> = page.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

/// As one would write it without a thought for speed, nor for escapes and heads.
fn push_naively(frame: &Frame, out: &mut Vec<u8>) -> std::io::Result<()> {
    for point in &frame.points {
        let name = point.metric.name.replace('.', "_");
        let [test, step] = [0, 1].map(|at| point.metric.labels[at].value.to_text());
        match point.value {
            Value::Counter(Number::Int(n)) => {
                writeln!(out, "{name}_total{{test=\"{test}\",step=\"{step}\"}} {n}")?;
            }
            Value::Gauge(number) => {
                writeln!(out, "{name}_milliseconds{{test=\"{test}\",step=\"{step}\"}} {}", number.to_f64())?;
            }
            _ => unreachable!("the frame has no other values"),
        }
    }
    Ok(())
}

criterion_group!(name = benches; config = barewire_bench::criterion(); targets = encode);
criterion_main!(benches);

//! What it costs to encode a tick as Prometheus text, in groups called `encode_promtext/<case>/<implementation>`.
//!
//! Two ticks take turns, so that nothing that was written can be written again. Each rival has two registries, one for
//! each tick, that were filled beforehand.

use std::io::Write;

use barewire::view::{Frame, Number, Value};
use barewire_bench::frame::{POINTS, ticks};
use barewire_promtext::{Encoder, Format};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

#[path = "encode_promtext/rivals.rs"]
mod rivals;

fn encode(criterion: &mut Criterion) {
    let frames = ticks();
    let pages = frames.each_ref().map(|frame| {
        let mut page = Vec::new();
        assert_eq!(Encoder::new(Format::Text004).push([frame], &mut page).points, POINTS as u64);
        page
    });
    let expected = pages.each_ref().map(|page| samples(page));
    assert_eq!(expected[0].len(), POINTS);
    let by = |make: fn(&Frame) -> rivals::Push| frames.each_ref().map(make);

    let mut encoder = Encoder::new(Format::Text004);
    let mut group = criterion.benchmark_group("encode_promtext/710_points");
    group.throughput(Throughput::Elements(POINTS as u64));
    let mut subject = |name: &str, encode: &mut Encode<'_>| {
        // The third and the fourth time, when what is kept from tick to tick is what it will be.
        let [.., zero, one] = [0, 1, 0, 1].map(|tick| {
            let mut page = Vec::new();
            encode(tick, &mut |out| page.extend_from_slice(out));
            assert_eq!(samples(&page), expected[tick], "{name}");
            page
        });
        let both = [zero, one];
        let mut tick = 0;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                tick = 1 - tick;
                encode(tick, &mut |out| {
                    // As long as it should be, and whole.
                    assert_eq!(out.len(), both[tick].len());
                    assert_eq!(out.last(), Some(&b'\n'));
                });
            });
        });
    };
    subject("barewire", &mut |tick, check| check(encoder.page([&frames[tick]]).0));
    let mut out = Vec::new();
    let mut pushed = |push: &mut dyn FnMut(&mut Vec<u8>), check: &mut dyn FnMut(&[u8])| {
        out.clear();
        push(&mut out);
        check(&out);
    };
    for (name, rival) in [
        ("prometheus_client", by(rivals::prometheus_client)),
        ("fast_telemetry", by(rivals::fast_telemetry)),
        ("prometheus", by(rivals::prometheus)),
        ("metrics_exporter_prometheus", by(rivals::metrics_exporter_prometheus)),
    ] {
        subject(name, &mut |tick, check| pushed(&mut |out| rival[tick](out), check));
    }
    subject("std_fmt", &mut |tick, check| {
        pushed(&mut |out| push_naively(&frames[tick], out).expect("memory takes all"), check);
    });
    subject("memcpy", &mut |tick, check| {
        pushed(&mut |out| out.extend_from_slice(&pages[tick]), check);
    });
}

/// Encodes the tick of that number, and hands it on.
type Encode<'a> = dyn FnMut(usize, &mut dyn FnMut(&[u8])) + 'a;

/// The samples as all implementations mean them: without heads, with labels in one order and values as one float.
fn samples(page: &[u8]) -> Vec<String> {
    let page = std::str::from_utf8(page).expect("UTF-8");
    let lines = page.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut samples: Vec<_> = lines.map(sample).collect();
    samples.sort_unstable();
    samples
}

/// For labels that have neither a comma nor a brace in their values.
fn sample(line: &str) -> String {
    let (series, value) = line.rsplit_once(' ').expect("a value");
    let (name, labels) = series.trim_end_matches('}').split_once('{').expect("labels");
    let mut labels: Vec<_> = labels.split(',').collect();
    labels.sort_unstable();
    let value: f64 = value.parse().expect("a number");
    format!("{name} {labels:?} {value}")
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

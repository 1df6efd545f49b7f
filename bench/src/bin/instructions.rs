//! `instructions SUBJECT PASSES`: one subject and nothing else, for callgrind; `scripts/instructions` runs it.

use std::env;

use barewire::{
    Histogram, Metric, Precision, Registry, Shard, Unit,
    view::Frame,
    wire::datagram::{Datagrams, UDP_LIMIT_BYTES},
};
use barewire_bench::{
    frame::ticks,
    record::{Barewire, Hdr, Recorder},
    values::latencies,
};

fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    let [subject, passes] = &words[..] else { panic!("usage: instructions SUBJECT PASSES") };
    let passes = passes.parse().expect("a number of passes");
    match subject.as_str() {
        "record" => record::<Barewire>(passes),
        "record_hdrhistogram" => record::<Hdr>(passes),
        "record_request" => record_request(passes),
        "record_alone" => {
            let registry = Registry::new("bench");
            let took = registry.histogram(Metric::new("took"));
            let mut shard = registry.shard();
            (0..passes).for_each(|_| record_alone(&mut shard, took, 1));
        }
        "encode_otlp_json" => {
            let mut encoder = barewire_otlp_json::Encoder::new();
            encode(passes, |frame| encoder.request([frame]).1.points);
        }
        "encode_promtext" => {
            let mut encoder = barewire_promtext::Encoder::new(barewire_promtext::Format::Text004);
            encode(passes, |frame| encoder.page([frame]).1.points);
        }
        "encode_influx" => {
            let (mut encoder, mut out) = (barewire_influx::Encoder::new(), Vec::new());
            encode(passes, |frame| {
                out.clear();
                encoder.push([frame], &mut out).points
            });
        }
        "encode_statsd" => {
            let mut encoder = barewire_statsd::Encoder::new(barewire_statsd::Style::new());
            let mut out = Datagrams::new(UDP_LIMIT_BYTES);
            encode(passes, |frame| {
                out.clear();
                let points = encoder.push_frame(frame, &mut out).points;
                encoder.settle(usize::MAX);
                points
            });
        }
        _ => panic!("no subject is called {subject:?}"),
    }
}

fn record<R: Recorder>(passes: usize) {
    let values = latencies();
    let mut recorder = R::new(Precision::Two, 1);
    for _ in 0..passes {
        recorder.record_one(&values);
    }
    assert_eq!(recorder.count(), (passes * values.len()) as u64);
}

/// A record that can be told from everything else in the program, to be looked at.
#[inline(never)]
fn record_alone(shard: &mut Shard, took: Histogram, value: u64) {
    shard.record(took, value);
}

/// Latency, size and outcome.
fn record_request(passes: usize) {
    let registry = Registry::new("bench");
    let took = registry.histogram(Metric::new("took"));
    let size = registry.histogram(Metric::new("size").unit(Unit::Bytes));
    let outcomes = ["ok", "status", "timeout"];
    let outcomes =
        outcomes.map(|outcome| registry.counter(Metric::new("requests").label("outcome", outcome)));
    let mut shard = registry.shard();
    let values = latencies();
    for _ in 0..passes {
        for (at, value) in values.iter().enumerate() {
            shard.record(took, *value);
            shard.record(size, *value >> 10);
            shard.add(outcomes[at % outcomes.len()], 1);
        }
    }
    assert_eq!(registry.snapshot().counter("requests"), (passes * values.len()) as u64);
}

/// Two frames in turn: from one to the next, the time and every value moves.
fn encode(passes: usize, mut push: impl FnMut(&Frame) -> u64) {
    let frames = ticks();
    for frame in frames.iter().cycle().take(passes) {
        assert_eq!(push(frame), frame.points.len() as u64);
    }
}

//! `records barewire|hdrhistogram two|three PASSES`: records and nothing else, for callgrind and perf.

use std::env;

use barewire::Precision;
use barewire_bench::{
    record::{Barewire, Hdr, Recorder},
    values::{VALUES, latencies},
};

fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let [who, digits, passes] = words[..] else {
        panic!("usage: records barewire|hdrhistogram two|three PASSES")
    };
    let precision = if digits == "two" { Precision::Two } else { Precision::Three };
    let passes = passes.parse().expect("a number of passes");
    match who {
        "barewire" => run(Barewire::new(precision, 1), passes),
        _ => run(Hdr::new(precision, 1), passes),
    }
}

fn run<R: Recorder>(mut recorder: R, passes: usize) {
    let values = latencies();
    for _ in 0..passes {
        recorder.record_one(&values);
    }
    assert_eq!(recorder.count(), (passes * VALUES) as u64);
}

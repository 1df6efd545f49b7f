//! `scale core`: what recording and snapshots cost from one shard and ten series to 64 shards and 100 000 series, as a
//! Markdown table.
//!
//! Every shard records to every series. Two digits as long as that takes less than [`MOST_BYTES`] of memory, else one;
//! where that is too much as well, the row says so.

use std::{
    env, fs,
    process::Command,
    time::{Duration, Instant},
};

use barewire::{Histogram, Metric, Precision, Registry, Shard};
use barewire_bench::values::latencies;

const MOST_BYTES: usize = 2 << 30;
const RECORDS: usize = 1 << 20;
const FIRST: usize = 16;
const SNAPSHOTS: usize = 5;

fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    match &words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["core"] => print_table(),
        ["core", shards, series] => print_row([shards, series].map(|n| n.parse().expect("a number"))),
        _ => panic!("usage: scale core [SHARDS SERIES]"),
    }
}

/// Each row by a process of its own, whose memory is new.
fn print_table() {
    println!(
        "| shards | series | digits | ns a record | ms a snapshot: all moved | one in ten | none | bytes a series and shard |"
    );
    println!("|--:|--:|--:|--:|--:|--:|--:|--:|");
    for shards in [1, 4, 16, 64] {
        for series in [10, 1_000, 10_000, 100_000] {
            let program = env::current_exe().expect("this program");
            let row = Command::new(program).args(["core", &shards.to_string(), &series.to_string()]).status();
            assert!(row.expect("a process").success());
        }
    }
}

fn print_row([shards, series]: [usize; 2]) {
    match precision(shards * series) {
        Some(precision) => World::new(shards, series, precision).print(),
        None => println!("| {shards} | {series} | | more than 2 GB | | | | |"),
    }
}

/// The finest one that there is memory for; pages of 4 KB are touched, not bytes.
fn precision(cells: usize) -> Option<Precision> {
    let touched = [(Precision::Two, 16 << 10), (Precision::One, 3 << 10)];
    touched.into_iter().find(|(_, bytes)| cells * bytes < MOST_BYTES).map(|(precision, _)| precision)
}

struct World {
    precision: Precision,
    registry: Registry,
    series: Vec<Histogram>,
    shards: Vec<Shard>,
    values: Vec<u64>,
    bytes_before: usize,
    bytes: usize,
}

impl World {
    fn new(shards: usize, series: usize, precision: Precision) -> Self {
        let registry = Registry::with_budget("scale", series);
        let metric = |n: usize| Metric::new("took").precision(precision).label("series", n.to_string());
        let histograms = (0..series).map(|n| registry.histogram(metric(n))).collect();
        let bytes_before = resident_bytes();
        let shards = (0..shards).map(|_| registry.shard()).collect();
        let mut world = World {
            precision,
            registry,
            series: histograms,
            shards,
            values: latencies(),
            bytes_before,
            bytes: 0,
        };
        world.record(1, FIRST);
        world.bytes = resident_bytes().saturating_sub(world.bytes_before);
        world
    }

    /// Records `times` to one in `one_in` series of every shard.
    fn record(&mut self, one_in: usize, times: usize) {
        let mut values = self.values.iter().cycle();
        for shard in &mut self.shards {
            for series in self.series.iter().step_by(one_in) {
                values.by_ref().take(times).for_each(|value| shard.record(*series, *value));
            }
        }
    }

    #[allow(clippy::cast_precision_loss)]
    fn print(mut self) {
        let digits = self.precision as usize + 1;
        let [shards, series] = [self.shards.len(), self.series.len()];
        let ns = self.ns_per_record();
        let [all, tenth, none] =
            [Some(1), Some(10), None].map(|one_in| self.snapshot(one_in).as_secs_f64() * 1e3);
        let bytes = self.bytes / (shards * series);
        println!(
            "| {shards} | {series} | {digits} | {ns:.1} | {all:.3} | {tenth:.3} | {none:.3} | {bytes} |"
        );
    }

    /// Over random series of one shard.
    #[allow(clippy::cast_precision_loss)]
    fn ns_per_record(&mut self) -> f64 {
        let numbers = (0..RECORDS).map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20);
        let what: Vec<_> = numbers
            .zip(self.values.iter().cycle())
            .map(|(n, value)| (self.series[n % self.series.len()], *value))
            .collect();
        let shard = &mut self.shards[0];
        let round = |_| {
            let start = Instant::now();
            what.iter().for_each(|(series, value)| shard.record(*series, *value));
            start.elapsed()
        };
        let fastest = (0..3).map(round).min().expect("a round");
        fastest.as_nanos() as f64 / RECORDS as f64
    }

    /// The fastest of some, of each of which the one before is still held.
    fn snapshot(&mut self, one_in: Option<usize>) -> Duration {
        let mut held = self.registry.snapshot();
        let mut round = |_| {
            if let Some(one_in) = one_in {
                self.record(one_in, 1);
            }
            let start = Instant::now();
            let snapshot = self.registry.snapshot();
            let took = start.elapsed();
            assert!(snapshot.elapsed_ns() > held.elapsed_ns());
            held = snapshot;
            took
        };
        (0..SNAPSHOTS).map(&mut round).min().expect("a round")
    }
}

/// Of this process, as the kernel counts them.
fn resident_bytes() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = statm.split_whitespace().nth(1).expect("the second word");
    pages.parse::<usize>().expect("a number of pages") * 4096
}

//! What a record costs, ours against a plain one, in one run; fails when the promised ratios do not hold.
//!
//! Rounds of both take turns, so that whatever else the machine does befalls both. With `--test`, one short round
//! and no judgement.

use std::{
    env,
    process::ExitCode,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use barewire::Precision;
use barewire_bench::{
    record::{Barewire, Hdr, Recorder},
    values::{VALUES, latencies, latencies_of},
};

/// A record may cost this many times a plain one, of which no other thread can read anything.
const MOST_COST: f64 = 1.3;
/// Two threads must count this many times what one counts.
const LEAST_SCALE: f64 = 1.9;

fn main() -> ExitCode {
    let is_test = env::args().any(|arg| arg == "--test");
    let effort = if is_test { Effort { rounds: 1, passes: 1 } } else { Effort { rounds: 31, passes: 100 } };
    println!(
        "barewire {} against hdrhistogram {}, one record of one value",
        version("barewire"),
        version("hdrhistogram")
    );
    println!("{} rounds of {} records each, taking turns", effort.rounds, effort.passes * VALUES);
    println!();
    // Two free cores for a whole round are rarer than one: rounds are shorter and many, lest the best be a bad one.
    let short = Effort { rounds: 12 * effort.rounds, passes: effort.passes.div_ceil(4) };
    let kept = [effort.costs(), short.scale()];
    if is_test || kept == [true; 2] { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

struct Effort {
    rounds: usize,
    /// Over all values, in a round.
    passes: usize,
}

impl Effort {
    /// Prints the medians of both; whether ours are low enough.
    fn costs(&self) -> bool {
        println!("{:24}{:>12}{:>16}{:>8}{:>10}", "", "barewire ns", "hdrhistogram ns", "ratio", "at most");
        let (one, many) = (latencies(), latencies_of(100));
        let mut kept = true;
        for (digits, precision) in [("two", Precision::Two), ("three", Precision::Three)] {
            kept &= self.compare(&format!("1 series, {digits} digits"), |_| {
                [
                    self.time::<Barewire>(precision, 1, |recorder| recorder.record_one(&one)),
                    self.time::<Hdr>(precision, 1, |recorder| recorder.record_one(&one)),
                ]
            });
            kept &= self.compare(&format!("100 series, {digits} digits"), |_| {
                [
                    self.time::<Barewire>(precision, 100, |recorder| recorder.record_many(&many)),
                    self.time::<Hdr>(precision, 100, |recorder| recorder.record_many(&many)),
                ]
            });
        }
        kept
    }

    fn compare(&self, case: &str, round: impl FnMut(usize) -> [Duration; 2]) -> bool {
        let (ours, theirs) = (0..self.rounds).map(round).map(|[ours, theirs]| (ours, theirs)).unzip();
        let [ours, theirs] = [ours, theirs].map(|times| self.ns_per_record(median(times)));
        let ratio = ours / theirs;
        println!("{case:24}{ours:12.2}{theirs:16.2}{ratio:8.2}{MOST_COST:10.2}");
        ratio <= MOST_COST
    }

    /// How long one round takes, after one pass that does not count.
    fn time<R: Recorder>(&self, precision: Precision, series: usize, pass: impl Fn(&mut R)) -> Duration {
        let mut recorder = R::new(precision, series);
        pass(&mut recorder);
        let start = Instant::now();
        for _ in 0..self.passes {
            pass(&mut recorder);
        }
        let took = start.elapsed();
        assert_eq!(recorder.count(), ((self.passes + 1) * VALUES) as u64, "{} lost count", R::NAME);
        took
    }

    /// Prints what the best round of two threads makes of the best round of one: other programs of the machine can
    /// only make a round longer. Whether it is good enough.
    fn scale(&self) -> bool {
        let values = latencies();
        let rounds = (0..self.rounds).map(|_| [1, 2].map(|threads| self.time_threads(threads, &values)));
        let [one, two] = rounds.reduce(|best, round| [0, 1].map(|n| best[n].min(round[n]))).expect("a round");
        let scale = 2.0 * one.as_secs_f64() / two.as_secs_f64();
        println!();
        println!("2 threads on 1 series: {scale:.2} times the records of 1 thread; at least {LEAST_SCALE}");
        scale >= LEAST_SCALE
    }

    /// How long `threads` threads take, from the start of the first to the end of the last, for a round each.
    fn time_threads(&self, threads: usize, values: &[u64]) -> Duration {
        let first = Barewire::new(Precision::Two, 1);
        let ready = Barrier::new(threads);
        let run = |mut recorder: Barewire| {
            recorder.record_one(values);
            ready.wait();
            let start = Instant::now();
            (0..self.passes).for_each(|_| recorder.record_one(values));
            (start, Instant::now())
        };
        let recorders: Vec<Barewire> = (0..threads).map(|_| first.another()).collect();
        let times: Vec<(Instant, Instant)> = thread::scope(|scope| {
            let running: Vec<_> =
                recorders.into_iter().map(|recorder| scope.spawn(|| run(recorder))).collect();
            running.into_iter().map(|thread| thread.join().expect("a thread that counts")).collect()
        });
        assert_eq!(first.count(), (threads * (self.passes + 1) * VALUES) as u64, "threads lost count");
        let (starts, ends): (Vec<_>, Vec<_>) = times.into_iter().unzip();
        ends.into_iter().max().expect("a thread") - starts.into_iter().min().expect("a thread")
    }

    #[allow(clippy::cast_precision_loss)]
    fn ns_per_record(&self, took: Duration) -> f64 {
        took.as_nanos() as f64 / (self.passes * VALUES) as f64
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// The version of a package, by the lock file.
fn version(package: &str) -> &'static str {
    let entry = format!("name = \"{package}\"\nversion = \"");
    let (_, after) = include_str!("../Cargo.lock").split_once(&entry).expect("a package of the lock file");
    after.split_once('"').expect("the end of a version").0
}

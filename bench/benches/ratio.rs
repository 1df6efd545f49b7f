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
/// Two threads on one series must make this much of what two threads make that share nothing at all: 1.9 times one,
/// where the machine has two whole cores to give.
const LEAST_SCALE: f64 = 0.95;

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

    /// Prints what two threads on one series make of one, beside two that share nothing at all, which tell how much of
    /// two cores there is to be had. The best rounds count: other programs of the machine can only make one longer.
    fn scale(&self) -> bool {
        let values = latencies();
        let sharing = |threads: usize| -> Vec<Barewire> {
            let first = Barewire::new(Precision::Two, 1);
            (0..threads).map(|_| first.another()).collect()
        };
        let apart = |threads| (0..threads).map(|_| Hdr::new(Precision::Two, 1)).collect();
        let round = |_| {
            [
                [1, 2].map(|n| self.time_threads(sharing(n), &values, |all| all[0].count())),
                [1, 2].map(|n| self.time_threads(apart(n), &values, |all| all.iter().map(Hdr::count).sum())),
            ]
        };
        let best = |best: [[Duration; 2]; 2], round: [[Duration; 2]; 2]| {
            [0, 1].map(|who| [0, 1].map(|n| best[who][n].min(round[who][n])))
        };
        let rounds = (0..self.rounds).map(round).reduce(best).expect("a round");
        let [ours, theirs] = rounds.map(|[one, two]| 2.0 * one.as_secs_f64() / two.as_secs_f64());
        println!();
        println!(
            "2 threads on 1 series make {ours:.2} times the records of 1; 2 that share nothing {theirs:.2}"
        );
        println!("that is {:.2} of what there is to be had; at least {LEAST_SCALE}", ours / theirs);
        ours / theirs >= LEAST_SCALE
    }

    /// How long threads take, one for each recorder, from the start of the first to the end of the last.
    fn time_threads<R: Recorder + Send>(
        &self,
        recorders: Vec<R>,
        values: &[u64],
        count: impl Fn(&[R]) -> u64,
    ) -> Duration {
        let ready = Barrier::new(recorders.len());
        let run = |mut recorder: R| {
            recorder.record_one(values);
            ready.wait();
            let start = Instant::now();
            (0..self.passes).for_each(|_| recorder.record_one(values));
            ((start, Instant::now()), recorder)
        };
        let (times, recorders): (Vec<(Instant, Instant)>, Vec<R>) = thread::scope(|scope| {
            let running: Vec<_> =
                recorders.into_iter().map(|recorder| scope.spawn(|| run(recorder))).collect();
            running.into_iter().map(|thread| thread.join().expect("a thread that counts")).unzip()
        });
        let recorded = recorders.len() * (self.passes + 1) * VALUES;
        assert_eq!(count(&recorders), recorded as u64, "{} lost count over threads", R::NAME);
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

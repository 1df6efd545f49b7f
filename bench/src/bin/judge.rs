//! `judge CRITERION_DIR`: prints each bar beside what criterion measured; fails when one is not kept.
//!
//! A bench is as fast as its fastest sample, over all rounds (criterion's baselines): other programs of a machine can
//! only make one longer.

use std::{collections::BTreeMap, env, fs, path::Path, process::ExitCode};

use barewire_bench::bars::BARS;
use serde::{Deserialize, de::DeserializeOwned};

/// What criterion writes as `sample.json`.
#[derive(Deserialize)]
struct Sample {
    iters: Vec<f64>,
    times: Vec<f64>,
}

/// What criterion writes as `benchmark.json`.
#[derive(Deserialize)]
struct Benchmark {
    full_id: String,
}

fn main() -> ExitCode {
    let dir = env::args().nth(1).expect("usage: judge CRITERION_DIR");
    let mut fastest: BTreeMap<String, f64> = BTreeMap::new();
    collect(Path::new(&dir), &mut fastest);

    println!("| | barewire | rival | | ratio | bar | |");
    println!("|---|--:|--:|---|--:|--:|---|");
    let mut kept = true;
    for bar in BARS {
        let rival = bar.rival.rsplit('/').next().unwrap_or(bar.rival);
        let (Some(ours), Some(theirs)) = (fastest.get(bar.ours), fastest.get(bar.rival)) else {
            println!("| {} | | | {rival} | | {:.4} | not measured |", bar.what, bar.at_most);
            kept = false;
            continue;
        };
        let ratio = ours / theirs;
        let holds = ratio <= bar.at_most;
        kept &= holds;
        let verdict = if holds { "holds" } else { "**falls short**" };
        println!(
            "| {} | {} | {} | {rival} | {ratio:.4} | {:.4} | {verdict} |",
            bar.what,
            nanoseconds(*ours),
            nanoseconds(*theirs),
            bar.at_most
        );
    }
    println!("\nAll that was measured, an iteration:\n");
    println!("| | |\n|---|--:|");
    for (id, ns) in &fastest {
        println!("| {id} | {} |", nanoseconds(*ns));
    }
    if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Reads every `sample.json` under `dir`, and beside it in `benchmark.json` what was measured.
fn collect(dir: &Path, fastest: &mut BTreeMap<String, f64>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()) {
        if entry.is_dir() {
            collect(&entry, fastest);
        } else if entry.ends_with("sample.json") {
            let sample: Sample = read(&entry);
            let Benchmark { full_id } = read(&entry.with_file_name("benchmark.json"));
            let ns = sample.times.iter().zip(&sample.iters).map(|(time, iters)| time / iters);
            let best = ns.fold(f64::INFINITY, f64::min);
            let known = fastest.entry(full_id).or_insert(f64::INFINITY);
            *known = known.min(best);
        }
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> T {
    let text = fs::read_to_string(path).expect("a readable file");
    serde_json::from_str(&text).expect("a file of criterion's")
}

fn nanoseconds(ns: f64) -> String {
    match ns {
        ..1e3 => format!("{ns:.1} ns"),
        ..1e6 => format!("{:.2} µs", ns / 1e3),
        _ => format!("{:.2} ms", ns / 1e6),
    }
}

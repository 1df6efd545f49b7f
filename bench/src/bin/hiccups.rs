//! `hiccups SECONDS`: how often and for how long a thread that does nothing but look at the clock is kept from it.
//!
//! What a machine takes away from whoever runs on it, no program can be more punctual than. Pin it to the core in question:
//! `taskset -c 1 target/release/hiccups 10`.

use std::{
    env,
    time::{Duration, Instant},
};

/// Longer than any look at the clock takes.
const LEAST: Duration = Duration::from_micros(50);
const LONG: Duration = Duration::from_millis(1);

fn main() {
    let seconds = env::args().nth(1).and_then(|word| word.parse().ok()).expect("usage: hiccups SECONDS");
    let (start, lasts) = (Instant::now(), Duration::from_secs(seconds));
    let (mut last, mut hiccups) = (start, Vec::new());
    while last - start < lasts {
        let now = Instant::now();
        if now - last > LEAST {
            hiccups.push(now - last);
        }
        last = now;
    }
    let total: Duration = hiccups.iter().sum();
    let long = hiccups.iter().filter(|hiccup| **hiccup > LONG).count();
    let longest = hiccups.iter().max().copied().unwrap_or_default();
    println!(
        "{} of more than {LEAST:?}, {:.2} % of the time; {long} of more than {LONG:?}, the longest of {longest:?}",
        hiccups.len(),
        100.0 * total.as_secs_f64() / lasts.as_secs_f64(),
    );
}

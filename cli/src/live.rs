//! One line of figures a second while the run lasts.

use std::time::Duration;

use barewire::Distribution;
use barewire_runner::Figures;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{console, format};

/// On a terminal one line that changes, elsewhere a line a second; on stderr, so that stdout stays clean.
#[derive(Debug)]
pub(crate) struct Live {
    line: ProgressBar,
    quiet: bool,
    /// Requests in an iteration.
    steps: usize,
    last: Figures,
    window: Distribution,
    /// Of requests that failed.
    failures: Distribution,
}

impl Live {
    /// That of a plan of so many steps.
    pub(crate) fn new(quiet: bool, steps: usize) -> Self {
        let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let line = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
            line.set_style(style);
        }
        let [window, failures] = [(); 2].map(|()| Distribution::default());
        Live { line, quiet, steps, last: Figures::default(), window, failures }
    }

    /// A way to print a warning without tearing the line.
    pub(crate) fn warner(&self) -> impl Fn(&str) + Send + Sync + 'static {
        let line = self.line.clone();
        move |text| warn(&line, text)
    }

    /// Prints a warning.
    pub(crate) fn warn(&self, text: &str) {
        warn(&self.line, text);
    }

    /// Shows what came since the last time.
    pub(crate) fn show(&mut self, now: Figures) {
        if self.quiet {
            return;
        }
        now.judged().since_into(Some(self.last.judged()), &mut self.window);
        now.judged_failures().since_into(Some(self.last.judged_failures()), &mut self.failures);
        let text = text(&now, &self.last, self.steps, [&self.window, &self.failures]);
        self.last = now;
        self.put(text);
    }

    /// Shows what a drain waits for: requests in flight, and arrivals that were due and are not sent.
    pub(crate) fn drain(&self, in_flight: u64, due: u64, left: Duration) {
        if self.quiet {
            return;
        }
        let due = if due > 0 { format!(" and {due} due") } else { String::new() };
        let text = format!("draining, {in_flight} in flight{due}, {} s left", left.as_secs_f64().ceil());
        self.put(text);
    }

    /// Puts a text in place of the one before or, where this is no terminal, behind it.
    fn put(&self, text: String) {
        if self.line.is_hidden() {
            console::eprint(&format!("{text}\n"));
        } else {
            self.line.tick();
            self.line.set_message(text);
        }
    }

    /// Says, on a terminal, what takes a while.
    pub(crate) fn say(&self, text: &'static str) {
        self.line.set_message(text);
    }

    pub(crate) fn finish(&self) {
        self.line.finish_and_clear();
    }
}

fn warn(line: &ProgressBar, text: &str) {
    line.suspend(|| console::eprint(&format!("barewire: {text}\n")));
}

/// The figures of a window, whose latencies are those of the requests that succeeded, and those of its failures behind.
fn text(now: &Figures, last: &Figures, steps: usize, [window, failures]: [&Distribution; 2]) -> String {
    let requests = now.requests - last.requests;
    let elapsed = now.elapsed.saturating_sub(last.elapsed);
    format!(
        "{:>4.0}s  {}  p50 {:>7}  p99 {:>7}  max {:>7}  errors {}{}",
        now.elapsed.as_secs_f64(),
        format::rates(per_second(requests, elapsed), steps, 8),
        format::quantile(window, 0.5),
        format::quantile(window, 0.99),
        format::quantile(window, 1.0),
        now.errors - last.errors,
        failed(failures),
    )
}

fn failed(took: &Distribution) -> String {
    let [p50, p99, max] = [0.5, 0.99, 1.0].map(|q| format::quantile(took, q));
    if took.count() == 0 { String::new() } else { format!(" (p50 {p50}, p99 {p99}, max {max})") }
}

#[allow(clippy::cast_precision_loss, reason = "three digits are shown")]
fn per_second(count: u64, elapsed: Duration) -> Option<f64> {
    (!elapsed.is_zero()).then(|| count as f64 / elapsed.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_of_the_last_window_only() {
        let mut took = Distribution::default();
        took.record(2_000_000);
        let last = Figures { elapsed: Duration::from_secs(1), requests: 10, errors: 1, ..Figures::default() };
        let now = Figures { elapsed: Duration::from_secs(3), requests: 30, errors: 4, ..Figures::default() };
        let line = "   3s      10.0 req/s  p50  2.00ms  p99  2.00ms  max  2.00ms  errors 3";
        let mut failed = Distribution::default();
        assert_eq!(text(&now, &last, 1, [&took, &failed]), line);
        let told = text(&now, &last, 2, [&took, &failed]);
        assert!(told.starts_with("   3s      10.0 requests/s      5.0 iterations/s  p50"), "{told}");
        failed.record(5_000_000);
        let expected = format!("{line} (p50 5.00ms, p99 5.00ms, max 5.00ms)");
        assert_eq!(text(&now, &last, 1, [&took, &failed]), expected);
    }
}

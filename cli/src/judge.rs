//! The thresholds of a plan, judged while it runs, as gauges for everyone to see.

use barewire::{Gauge, Metric, Registry, Shard};
use barewire_runner::{Figures, Threshold, Verdict};

/// The gauges of a threshold.
const GAUGES: usize = 3;

/// Three gauges a threshold: its value, its limit, and whether it holds.
///
/// A value that falls on failures is infinite, which not every format can say: it is absent, and the threshold does not
/// hold.
#[derive(Debug)]
pub(crate) struct Judge<'a> {
    shard: Shard,
    thresholds: Vec<(&'a Threshold, [Gauge; GAUGES])>,
}

impl<'a> Judge<'a> {
    pub(crate) fn new(registry: &Registry, thresholds: &'a [Threshold]) -> Self {
        registry.extend_budget(GAUGES * thresholds.len());
        let gauges = |threshold: &Threshold| {
            [
                (
                    "load_test.threshold.value",
                    "The figure that a threshold judges, in milliseconds, percent, or requests a second; none where it falls \
                     on requests that failed.",
                ),
                ("load_test.threshold.limit", "The bound of a threshold."),
                ("load_test.threshold.ok", "Whether a threshold holds: 1 or 0."),
            ]
            .map(|(name, help)| {
                registry
                    .gauge(Metric::new(name).help(help).label("load_test.threshold", threshold.to_string()))
            })
        };
        let thresholds = thresholds.iter().map(|threshold| (threshold, gauges(threshold))).collect();
        Judge { shard: registry.shard(), thresholds }
    }

    /// The verdict on each threshold.
    pub(crate) fn judge(&mut self, figures: &Figures) -> Vec<(&'a Threshold, Verdict)> {
        let shard = &mut self.shard;
        let judged = self.thresholds.iter().map(|(threshold, [value, limit, ok])| {
            let verdict = threshold.verdict(figures);
            shard.set(*value, verdict.measured.value().unwrap_or(f64::NAN));
            shard.set(*limit, threshold.limit());
            shard.set(*ok, f64::from(u8::from(verdict.ok)));
            (*threshold, verdict)
        });
        judged.collect()
    }
}

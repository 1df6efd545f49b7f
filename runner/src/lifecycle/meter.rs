//! The course of a run as series, for formats that have no events.

use std::time::Duration;

use barewire::{Counter, Event, Gauge, Metric, Registry, Shard, Unit};

use super::{Lifecycle, Phase, Status};
use crate::name;

/// Shows where a run stands: `load_test.phase` is 1 for the present one and 0 for the others, `load_test.elapsed`,
/// `load_test.start_time` and, once it has ended, `load_test.end_time` are in seconds, the latter two since the Unix
/// epoch, and `load_test.events` counts the events by name. `load_test.verdict` is 0 for `passed`, `failed` and `aborted`
/// until the run has ended, and 1 for one of them from then on.
#[derive(Debug)]
pub struct LifecycleMeter {
    shard: Shard,
    phases: [Gauge; Phase::ALL.len()],
    elapsed: Gauge,
    start_time: Gauge,
    end_time: Gauge,
    verdicts: [Gauge; Status::ALL.len()],
    events: [Counter; name::ALL_EVENTS.len()],
}

impl LifecycleMeter {
    /// Registers the series.
    pub fn new(registry: &Registry) -> Self {
        let time = |name, help| registry.gauge(Metric::new(name).unit(Unit::Seconds).help(help));
        let phase = |phase: Phase| {
            let metric =
                Metric::new(name::PHASE).help("1 for the present phase of the run, 0 for the others.");
            registry.gauge(metric.label("phase", phase.name()))
        };
        let verdict = |status: Status| {
            let metric =
                Metric::new(name::VERDICT).help("1 for the verdict on the run, 0 before and for the others.");
            registry.gauge(metric.label("verdict", status.name()))
        };
        let events = |event| {
            let metric = Metric::new(name::EVENTS).unit(Unit::One).help("What happened in the run, by kind.");
            registry.counter(metric.label("event", event))
        };
        LifecycleMeter {
            shard: registry.shard(),
            phases: Phase::ALL.map(phase),
            elapsed: time(name::ELAPSED, "How long the run has lasted."),
            start_time: time(name::START_TIME, "When the run began, since the Unix epoch."),
            end_time: time(name::END_TIME, "When the run ended, since the Unix epoch."),
            verdicts: Status::ALL.map(verdict),
            events: name::ALL_EVENTS.map(events),
        }
    }

    /// Shows where the run stands `elapsed` after its start.
    pub fn show(&mut self, lifecycle: &Lifecycle, elapsed: Duration) {
        let present = lifecycle.phase(elapsed);
        for (phase, gauge) in Phase::ALL.into_iter().zip(self.phases) {
            self.shard.set(gauge, f64::from(u8::from(phase == present)));
        }
        for (status, gauge) in Status::ALL.into_iter().zip(self.verdicts) {
            self.shard.set(gauge, f64::from(u8::from(lifecycle.status() == Some(status))));
        }
        self.shard.set(self.start_time, unix_seconds(lifecycle.start_unix_ns()));
        self.shard.set(self.elapsed, lifecycle.ended().unwrap_or(elapsed).as_secs_f64());
        if let Some(ended) = lifecycle.ended() {
            self.shard.set(self.end_time, unix_seconds(lifecycle.start_unix_ns()) + ended.as_secs_f64());
        }
    }

    /// Counts an event of a run.
    pub fn count(&mut self, event: &Event) {
        if let Some(at) = name::ALL_EVENTS.iter().position(|name| *name == event.name) {
            self.shard.add(self.events[at], 1);
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "a quarter of a microsecond is lost")]
fn unix_seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

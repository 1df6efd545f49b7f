//! A run in which everything has happened once, for the tests of the vocabularies.

use std::sync::Arc;

use ::barewire::{
    Metric, Registry, Shard, Snapshot, Unit,
    view::{Point, Value, View},
};

use crate::{Plan, Wire, Workload, name};

pub(super) const EVERY_WIRE: [Wire; 4] = [Wire::Otlp, Wire::Statsd, Wire::Influx, Wire::Prometheus];

/// The step `browse` has had a good request, one that was answered 404 and one that was not answered.
pub(super) struct Scene {
    registry: Registry,
    /// Gauges live as long as their shard.
    _shard: Shard,
}

impl Scene {
    pub(super) fn new() -> Self {
        let registry = Registry::new("test");
        registry.resource("load_test.test_run_id", "r1");
        registry.resource("load_test.spec_name", "shop");
        let mut shard = registry.shard();
        let step = |name| Metric::new(name).label(name::STEP, "browse");
        let request = |name| step(name).label(name::METHOD, "GET");
        for (outcome, count) in [("success", 1), ("failure", 2)] {
            let labelled = |name| request(name).label(name::OUTCOME, outcome);
            shard.add(registry.counter(labelled(name::REQUESTS).unit(Unit::One)), count);
            shard.record(registry.histogram(labelled(name::RESPONSE_SIZE).unit(Unit::Bytes)), 100u64);
        }
        let took = |metric: Metric| registry.histogram(metric.unit(Unit::Seconds));
        let duration = || request(name::DURATION);
        let failed = |class| duration().label(name::ERROR_TYPE, class);
        shard.record(took(duration().label(name::STATUS_CODE, 200)), 2_000_000u64);
        shard.record(took(failed("status").label(name::STATUS_CODE, 404)), 1_000_000u64);
        shard.record(took(failed("timeout")), 1_500_000u64);
        shard.record(took(step(name::RESPONSE_TIME)), 9_000_000u64);
        for (name, level) in [
            (name::USERS, 3.0),
            (name::TARGET_RATE, 100.0),
            (name::ELAPSED, 1.5),
            (name::PROCESS_CPU, 0.25),
            (name::PROCESS_MEMORY, 4096.0),
        ] {
            shard.set(registry.gauge(Metric::new(name)), level);
        }
        for phase in ["ramp_up", "steady", "ramp_down", "done"] {
            shard.set(registry.gauge(Metric::new(name::PHASE).label("phase", phase)), 0.0);
        }
        for direction in ["transmit", "receive"] {
            let carried = Metric::new(name::NETWORK_IO).label(name::NETWORK_DIRECTION, direction);
            shard.add(registry.counter(carried.unit(Unit::Bytes)), 1000);
        }
        for event in ["test.start", "spawn.complete", "stage.change", "cpu.warning", "test.stop"] {
            shard.add(registry.counter(Metric::new(name::EVENTS).label("event", event)), 1);
        }
        Scene { registry, _shard: shard }
    }

    /// A plan of that name, under a rate if there is one.
    pub(super) fn workload(rate: Option<f64>) -> Workload {
        let plan = Plan { name: Some("shop".to_owned()), rate, ..Plan::get("http://127.0.0.1:1/") };
        plan.check().expect("a plan that can be run")
    }

    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        self.registry.snapshot()
    }

    /// What `view` shows, sorted: name, kind, unit and labels of every point that has a value.
    pub(super) fn show(&self, view: &mut View) -> Vec<String> {
        let frame = view.show(&self.snapshot(), None);
        let mut shown: Vec<_> = frame.points.iter().filter_map(line).collect();
        shown.sort();
        shown
    }
}

fn line(point: &Point) -> Option<String> {
    let kind = match point.value {
        Value::Absent => return None,
        Value::Gauge(_) => "gauge",
        Value::Counter(_) => "counter",
        Value::Histogram(_) => "histogram",
        Value::ExponentialHistogram(_) => "exponential",
        Value::Recorded(_) => "recorded",
    };
    let metric = &point.metric;
    let labels: Vec<_> = metric.labels.iter().map(|l| format!(" {}={}", l.key, l.value.to_text())).collect();
    let unit = Some(metric.unit.symbol()).filter(|unit| !unit.is_empty()).unwrap_or("-");
    Some(format!("{} {kind} {unit}{}", metric.name, labels.concat()))
}

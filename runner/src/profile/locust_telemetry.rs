//! Locust Telemetry's vocabulary, as its OpenTelemetry recorder has it.
//!
//! Every point says which run and which test plan it belongs to, for the dashboards select by that. Three things are
//! not as they are there: a request without a response has no status code instead of 500, any other has its own; the
//! memory is in bytes, as its unit says; and what is counted at the end is delivered.

use ::barewire::{
    Unit,
    view::{Rule, Select, Show, View},
};

use super::Wire;
use crate::name;

/// Who speaks: there it is the master or one of the workers.
pub(crate) const SOURCE_ID: &str = "master";

/// What the resource of a run, and its labels here, say of it.
pub(crate) const RUN: [(&str, &str); 2] = [(name::RUN_ID, "run_id"), ("load_test.spec_name", "testplan")];

/// What events are called, with the runner's name behind it.
pub(crate) const EVENT_PREFIX: &str = "locust.tl.event.";

pub(crate) const USER_COUNT: &str = "locust.tl.user.metric.count";

/// Bounds in milliseconds: those of an OpenTelemetry SDK that is told of none.
const BOUNDS: [f64; 15] =
    [0.0, 5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1000.0, 2500.0, 5000.0, 7500.0, 10000.0];

pub(super) fn view(wire: Wire) -> View {
    let users = match wire {
        // So do the Collector and Prometheus call a gauge of the unit 1, and so do the dashboards.
        Wire::Prometheus => "locust.tl.user.metric.count.ratio",
        _ => USER_COUNT,
    };
    let users = Rule::new(users, name::USERS).unit(Unit::One).help("Active virtual users.");
    let rules = requests(wire).into_iter().chain(events()).chain(system()).chain([users]);
    let view = View::table(rules.map(|rule| rule.label("source_id", SOURCE_ID)))
        .scope("locust_telemetry", "")
        .resource("service.name", "locust_telemetry")
        .resource("service.instance.id", SOURCE_ID);
    RUN.into_iter().fold(view, |view, (key, shown)| view.label_points(key, shown))
}

fn requests(wire: Wire) -> [Rule; 2] {
    let show = match wire {
        Wire::Otlp | Wire::Prometheus => Show::Buckets(BOUNDS.into()),
        Wire::Statsd | Wire::Influx => Show::Value,
    };
    let durations = |metric: &'static str, source, help: &'static str| {
        Rule::new(metric, source)
            .unit(Unit::Milliseconds)
            .label("metric", metric)
            .by_as(name::STEP, "endpoint")
            .by_as(name::STATUS_CODE, "status_code")
            .show(show.clone())
            .help(help)
    };
    let of = || Select::of(name::DURATION);
    [
        durations(
            "locust.tl.request.metric.success",
            of().without(name::ERROR_TYPE),
            "Duration of requests that succeeded.",
        ),
        durations(
            "locust.tl.request.metric.error",
            of().with(name::ERROR_TYPE),
            "Duration of requests that failed.",
        ),
    ]
}

fn events() -> impl Iterator<Item = Rule> {
    name::ALL_EVENTS.into_iter().map(|event| {
        Rule::new("locust.tl.event.test.events", Select::of(name::EVENTS).only("event", event))
            .unit(Unit::One)
            .label("event", format!("{EVENT_PREFIX}{event}"))
            .help("Events of the run.")
    })
}

/// The usage of the machine by the process and, of the network, by all of them.
pub(crate) fn system() -> [Rule; 4] {
    let network = |direction, shown: &'static str| {
        let source = Select::of(name::NETWORK_IO).only(name::NETWORK_DIRECTION, direction);
        Rule::new("locust.tl.system.metric.network", source)
            .unit(Unit::Bytes)
            .show(Show::Level(1.0))
            .label("direction", shown)
            .help("Bytes that the network interfaces carried.")
    };
    [
        Rule::new("locust.tl.system.metric.cpu", name::PROCESS_CPU)
            .unit(Unit::Percent)
            .show(Show::Level(100.0))
            .help("Share of the processors that the process uses."),
        Rule::new("locust.tl.system.metric.mem", name::PROCESS_MEMORY)
            .unit(Unit::Bytes)
            .show(Show::Level(1.0))
            .help("Resident memory of the process."),
        network("transmit", "sent"),
        network("receive", "recv"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Profile,
        profile::scene::{EVERY_WIRE, Scene},
    };

    #[test]
    fn names_kinds_units_and_attributes_are_those_of_the_recorder_on_every_wire() {
        for wire in EVERY_WIRE {
            let users = if wire == Wire::Prometheus { "count.ratio" } else { "count" };
            let durations = match wire {
                Wire::Otlp | Wire::Prometheus => "histogram",
                Wire::Statsd | Wire::Influx => "recorded",
            };
            let events = ["cpu.warning", "spawn.complete", "stage.change", "test.start", "test.stop"];
            let events = events.map(|event| {
                format!(
                    "locust.tl.event.test.events counter 1 event=locust.tl.event.{event} \
                     source_id=master run_id=r1 testplan=shop\n"
                )
            });
            // No threshold was breached.
            let expected = format!(
                "{}\
                locust.tl.request.metric.error {durations} ms endpoint=browse \
                metric=locust.tl.request.metric.error source_id=master run_id=r1 testplan=shop\n\
                locust.tl.request.metric.error {durations} ms endpoint=browse status_code=404 \
                metric=locust.tl.request.metric.error source_id=master run_id=r1 testplan=shop\n\
                locust.tl.request.metric.success {durations} ms endpoint=browse status_code=200 \
                metric=locust.tl.request.metric.success source_id=master run_id=r1 testplan=shop\n\
                locust.tl.system.metric.cpu gauge % source_id=master run_id=r1 testplan=shop\n\
                locust.tl.system.metric.mem gauge By source_id=master run_id=r1 testplan=shop\n\
                locust.tl.system.metric.network gauge By direction=recv source_id=master run_id=r1 testplan=shop\n\
                locust.tl.system.metric.network gauge By direction=sent source_id=master run_id=r1 testplan=shop\n\
                locust.tl.user.metric.{users} gauge 1 source_id=master run_id=r1 testplan=shop",
                events.concat()
            );
            let mut view = Profile::LocustTelemetry.view(&Scene::workload(None), wire);
            assert_eq!(Scene::new().show(&mut view).join("\n"), expected, "{wire:?}");
        }
    }
}

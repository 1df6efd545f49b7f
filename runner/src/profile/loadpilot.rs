//! LoadPilot's vocabulary: counters of the run, and gauges of the last window.
//!
//! Its own percentiles are those of the whole run, which hide what happens now; here they are those of the window,
//! and the run's stand beside them as `loadpilot_run_latency_…`. Under a rate the latency counts from when a request
//! was due; without one there is no target rate to show. Latencies are those of requests that succeeded, and the target
//! rate is in requests, as the current one is.

use ::barewire::{
    Unit,
    view::{Rule, Select, Show, Span, View},
};

use crate::{name, plan::Workload};

pub(super) fn view(workload: &Workload) -> View {
    let latency = if workload.is_open() { name::RESPONSE_TIME } else { name::DURATION };
    View::table(rules(latency, workload.steps.len())).scope("loadpilot", "")
}

#[allow(clippy::cast_precision_loss, reason = "a plan has ten thousand steps at most")]
fn rules(latency: &'static str, steps: usize) -> Vec<Rule> {
    let source = || Select::of(latency).without(name::ERROR_TYPE);
    let failed = || Select::of(name::REQUESTS).only(name::OUTCOME, "failure");
    let whole = [
        Rule::new("loadpilot_requests_total", name::REQUESTS).help("Requests so far."),
        Rule::new("loadpilot_errors_total", failed()).help("Failed requests so far."),
        Rule::new("loadpilot_current_rps", name::REQUESTS)
            .show(Show::Rate)
            .help("Requests a second, over the last window as it was measured."),
        // An arrival is an iteration, with a request for each step.
        Rule::new("loadpilot_target_rps", name::TARGET_RATE)
            .show(Show::Level(steps as f64))
            .help("Requests a second that the plan asks for."),
        Rule::new("loadpilot_active_workers", name::USERS).help("Virtual users at work."),
        Rule::new("loadpilot_elapsed_secs", name::ELAPSED).help("Seconds since the load began."),
        Rule::new("loadpilot_phase", name::PHASE).by("phase").help("1 for the present phase."),
    ];
    let window = LATENCIES.map(|latency| latency.rule("loadpilot_latency", source()));
    let run = LATENCIES.map(|latency| latency.rule("loadpilot_run_latency", source()).over(Span::Run));
    let counts = [
        Rule::new("loadpilot_task_requests_total", name::REQUESTS).help("Requests of a task so far."),
        Rule::new("loadpilot_task_errors_total", failed()).help("Failed requests of a task so far."),
    ];
    let of_task = TASK_LATENCIES.map(|latency| latency.rule("loadpilot_task_latency", source()));
    let task = counts.into_iter().chain(of_task).map(|rule| rule.by_as(name::STEP, "task"));
    whole.into_iter().chain(window).chain(run).chain(task).collect()
}

/// A figure of a latency, and what it is called.
struct Latency(&'static str, Show);

const P50: Latency = Latency("p50", Show::Quantile(0.50));
const P95: Latency = Latency("p95", Show::Quantile(0.95));
const P99: Latency = Latency("p99", Show::Quantile(0.99));
const MAX: Latency = Latency("max", Show::Max);
const MEAN: Latency = Latency("mean", Show::Mean);

const LATENCIES: [Latency; 5] = [P50, P95, P99, MAX, MEAN];
const TASK_LATENCIES: [Latency; 3] = [P50, P99, MEAN];

impl Latency {
    fn rule(self, prefix: &str, source: Select) -> Rule {
        let Latency(what, show) = self;
        Rule::new(format!("{prefix}_{what}_ms"), source)
            .unit(Unit::Milliseconds)
            .show(show)
            .help(format!("The {what} of latencies in milliseconds."))
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        Profile, Wire,
        profile::scene::{EVERY_WIRE, Scene},
    };
    use ::barewire::view::{Number, Value};

    #[test]
    fn names_kinds_and_labels_are_those_of_the_documentation_on_every_wire() {
        let expected = "\
            loadpilot_active_workers gauge -\n\
            loadpilot_current_rps gauge -\n\
            loadpilot_elapsed_secs gauge -\n\
            loadpilot_errors_total counter -\n\
            loadpilot_latency_max_ms gauge ms\n\
            loadpilot_latency_mean_ms gauge ms\n\
            loadpilot_latency_p50_ms gauge ms\n\
            loadpilot_latency_p95_ms gauge ms\n\
            loadpilot_latency_p99_ms gauge ms\n\
            loadpilot_phase gauge - phase=done\n\
            loadpilot_phase gauge - phase=ramp_down\n\
            loadpilot_phase gauge - phase=ramp_up\n\
            loadpilot_phase gauge - phase=steady\n\
            loadpilot_requests_total counter -\n\
            loadpilot_run_latency_max_ms gauge ms\n\
            loadpilot_run_latency_mean_ms gauge ms\n\
            loadpilot_run_latency_p50_ms gauge ms\n\
            loadpilot_run_latency_p95_ms gauge ms\n\
            loadpilot_run_latency_p99_ms gauge ms\n\
            loadpilot_target_rps gauge -\n\
            loadpilot_task_errors_total counter - task=browse\n\
            loadpilot_task_latency_mean_ms gauge ms task=browse\n\
            loadpilot_task_latency_p50_ms gauge ms task=browse\n\
            loadpilot_task_latency_p99_ms gauge ms task=browse\n\
            loadpilot_task_requests_total counter - task=browse";
        for wire in EVERY_WIRE {
            let mut view = Profile::LoadPilot.view(&Scene::workload(Some(100.0)), wire);
            assert_eq!(Scene::new().show(&mut view).join("\n"), expected, "{wire:?}");
        }
    }

    #[test]
    fn the_target_rate_is_in_requests_as_the_current_one_is() {
        let plan = crate::Plan {
            rate: Some(100.0),
            steps: vec![crate::Step::default(), crate::Step::default(), crate::Step::default()],
            ..crate::Plan::get("http://127.0.0.1:1/")
        };
        let mut view =
            Profile::LoadPilot.view(&plan.check().expect("a plan that can be run"), Wire::Prometheus);
        let scene = Scene::new();
        let frame = view.show(&scene.snapshot(), None);
        let target = frame.points.iter().find(|point| point.metric.name == "loadpilot_target_rps");
        // The scene has 100 arrivals a second, each of three requests.
        assert_eq!(target.map(|point| point.value.clone()), Some(Value::Gauge(Number::Float(300.0))));
    }

    #[test]
    fn latency_counts_from_when_a_request_was_due_where_it_was() {
        let max = |rate| {
            let mut view = Profile::LoadPilot.view(&Scene::workload(rate), Wire::Prometheus);
            let scene = Scene::new();
            let frame = view.show(&scene.snapshot(), None);
            let point = frame.points.iter().find(|point| point.metric.name == "loadpilot_latency_max_ms");
            point.map(|point| point.value.clone())
        };
        let ms = |ms: u128| Some(Value::Gauge(Number::Decimal { digits: ms * 1_000_000, decimals: 6 }));
        assert_eq!((max(None), max(Some(100.0))), (ms(2), ms(9)));
    }
}

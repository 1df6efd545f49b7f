//! Tigrister's vocabulary: aggregates of the last window, and cumulative sums. Latencies are those of requests that
//! succeeded.

use ::barewire::{
    Unit,
    view::{Rule, Select, Show, View},
};

use crate::{name, plan::Workload};

/// By Tigrister's documentation of its live metrics: the scope, and `service.name` of the resource.
pub(super) fn view(workload: &Workload) -> View {
    let service = format!("{} - {}", workload.name(), workload.kind().name());
    View::table(rules()).scope("tigrister-load-test", "1.0.0").resource("service.name", service)
}

/// The published names, and the same figures by step, whose names are not published.
fn rules() -> Vec<Rule> {
    let run = Family {
        latency: "http.client.request.duration",
        throughput: "http.client.request.throughput",
        error_rate: "http.client.request.error_rate",
        requests: "http.client.requests",
        errors: "http.client.errors",
        step: false,
    };
    let step = Family {
        latency: "load_test.step.duration",
        throughput: "load_test.step.throughput",
        error_rate: "load_test.step.error_rate",
        requests: "load_test.step.requests",
        errors: "load_test.step.errors",
        step: true,
    };
    let users = Rule::new("load_test.virtual_users.active", name::USERS).unit(Unit::One);
    // In the words of the resource's `load_test.status`, which is `running` on every export.
    let verdict = Rule::new("load_test.verdict", name::VERDICT).by("verdict").unit(Unit::One);
    run.rules().chain([users, verdict]).chain(step.rules()).collect()
}

/// What the figures are called, of the whole run or of each step.
struct Family {
    latency: &'static str,
    throughput: &'static str,
    error_rate: &'static str,
    requests: &'static str,
    errors: &'static str,
    step: bool,
}

const LATENCIES: [(&str, Show); 5] = [
    ("avg", Show::Mean),
    ("p50", Show::Quantile(0.50)),
    ("p90", Show::Quantile(0.90)),
    ("p95", Show::Quantile(0.95)),
    ("p99", Show::Quantile(0.99)),
];

impl Family {
    fn rules(self) -> impl Iterator<Item = Rule> {
        // The counter of requests is there from the start, that of errors only with the first one.
        let by_outcome = |outcome: &str| Select::of(name::REQUESTS).only(name::OUTCOME, outcome);
        let latencies = LATENCIES.map(|(suffix, show)| {
            let name = format!("{}.{suffix}", self.latency);
            Rule::new(name, Select::of(name::DURATION).without(name::ERROR_TYPE))
                .unit(Unit::Milliseconds)
                .show(show)
        });
        let counts = [
            Rule::new(self.throughput, by_outcome("success"))
                .unit(Unit::Other("req/s".into()))
                .show(Show::Rate),
            Rule::new(self.error_rate, by_outcome("failure"))
                .unit(Unit::One)
                .show(Show::Share(Select::of(name::REQUESTS), 1.0)),
            Rule::new(self.requests, name::REQUESTS).unit(Unit::One),
            Rule::new(self.errors, by_outcome("failure")).unit(Unit::One),
        ];
        let step = self.step;
        let kept_apart = move |rule: Rule| if step { rule.by(name::STEP) } else { rule };
        latencies.into_iter().chain(counts).map(kept_apart)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Plan;
    use ::barewire::{
        Registry,
        view::{Frame, Value},
    };

    fn shown(frame: &Frame) -> Vec<String> {
        let kind = |value: &Value| match value {
            Value::Absent => "absent",
            Value::Gauge(_) => "gauge",
            Value::Counter(_) => "sum",
            _ => "histogram",
        };
        let point = |point: &::barewire::view::Point| {
            let labels: Vec<_> =
                point.metric.labels.iter().map(|l| format!(" {}={}", l.key, l.value.to_text())).collect();
            let metric = &point.metric;
            format!("{} {} {}{}", metric.name, kind(&point.value), metric.unit.symbol(), labels.concat())
        };
        frame.points.iter().map(point).collect()
    }

    #[test]
    fn names_kinds_and_units_are_those_of_the_documentation() {
        let plan = Plan { name: Some("shop".to_owned()), users: Some(1), ..Plan::get("http://127.0.0.1:1/") };
        let workload = plan.check().unwrap();
        let registry = Registry::new("test");
        let mut meters =
            crate::meter::Meters::new(&registry, &workload, crate::Sampling::default().shown(0, 1));
        meters.gauges(1, 1);
        meters.finished(0, &crate::meter::Exchange::sample());
        let mut view = view(&workload);
        let frame = view.show(&registry.snapshot(), None);
        let expected = "\
            http.client.request.duration.avg gauge ms\n\
            http.client.request.duration.p50 gauge ms\n\
            http.client.request.duration.p90 gauge ms\n\
            http.client.request.duration.p95 gauge ms\n\
            http.client.request.duration.p99 gauge ms\n\
            http.client.request.throughput gauge req/s\n\
            http.client.request.error_rate gauge 1\n\
            http.client.requests sum 1\n\
            http.client.errors sum 1\n\
            load_test.virtual_users.active gauge 1\n\
            load_test.step.throughput gauge req/s load_test.step=GET /\n\
            load_test.step.error_rate gauge 1 load_test.step=GET /\n\
            load_test.step.requests sum 1 load_test.step=GET /\n\
            load_test.step.errors sum 1 load_test.step=GET /\n\
            load_test.step.duration.avg gauge ms load_test.step=GET /\n\
            load_test.step.duration.p50 gauge ms load_test.step=GET /\n\
            load_test.step.duration.p90 gauge ms load_test.step=GET /\n\
            load_test.step.duration.p95 gauge ms load_test.step=GET /\n\
            load_test.step.duration.p99 gauge ms load_test.step=GET /";
        let mut points = shown(frame);
        points.sort_by_key(|point| point.starts_with("load_test.step"));
        assert_eq!(points.join("\n"), expected);
        let scope = frame.scope.as_ref().unwrap();
        assert_eq!((scope.name.as_str(), scope.version.as_str()), ("tigrister-load-test", "1.0.0"));
        assert_eq!(frame.resource[0].value, "shop - custom".into());
    }
}

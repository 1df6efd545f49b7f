//! LoadDensity's vocabulary, by both of its documentation's pages: where one says `request_type` and the other
//! `method`, there is the same value under both.

use ::barewire::{
    Unit,
    view::{Field, Rule, SampleRule, Select, Show, View},
};

use super::{Names, Wire};
use crate::name;

/// Milliseconds, of both wires that count between bounds.
const LATENCY_BOUNDS: [f64; 11] =
    [5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0, 10000.0];

/// Bytes, likewise.
const SIZE_BOUNDS: [f64; 8] = [64.0, 256.0, 1024.0, 4096.0, 16384.0, 65536.0, 262_144.0, 1_048_576.0];

/// The longest text of an error, in characters.
const MAX_ERROR: usize = 512;

/// The prefix of its names and the name of its service, unless they are set.
const NAME: &str = "loaddensity";

pub(super) fn view(wire: Wire, names: &Names) -> View {
    let prefix = names.prefix.as_deref().unwrap_or(NAME);
    let rules = match wire {
        Wire::Prometheus => scraped(prefix),
        Wire::Otlp => pushed(prefix),
        // Each request is told of by itself, and would count twice.
        Wire::Statsd | Wire::Influx => Vec::new(),
    };
    View::table(rules).scope(NAME, "").resource("service.name", NAME)
}

/// One DogStatsD line for each field, one InfluxDB point with all of them.
pub(super) fn samples(wire: Wire, names: &Names) -> Option<SampleRule> {
    let prefix = names.prefix.as_deref().unwrap_or(NAME).to_owned();
    let latency = || Field::Duration(Unit::Milliseconds);
    match wire {
        Wire::Otlp | Wire::Prometheus => None,
        Wire::Statsd => Some(
            SampleRule::new(prefix)
                .by_as(name::METHOD, "method")
                .by_as(name::STEP, "name")
                .by_as(name::OUTCOME, "outcome")
                .field("requests", Field::Count)
                .field("request.latency", latency())
                .field("response.size", Field::Bytes),
        ),
        Wire::Influx => Some(
            SampleRule::new(prefix + "_request")
                .by_as(name::METHOD, "request_type")
                .by_as(name::METHOD, "method")
                .by_as(name::STEP, "name")
                .by_as(name::OUTCOME, "outcome")
                .field("latency_ms", latency())
                .field("response_time_ms", latency())
                .field("response_bytes", Field::Bytes)
                .field("response_length", Field::Bytes)
                .field("success", Field::Is(name::OUTCOME.into(), "success".into()))
                .field("error", Field::Label(name::ERROR_TYPE.into(), MAX_ERROR))
                .field("status_code", Field::Label(name::STATUS_CODE.into(), MAX_ERROR)),
        ),
    }
}

fn scraped(prefix: &str) -> Vec<Rule> {
    let by_request = |rule: Rule| {
        rule.by_as(name::METHOD, "request_type").by_as(name::METHOD, "method").by_as(name::STEP, "name")
    };
    vec![
        by_request(Rule::new(format!("{prefix}_requests_total"), name::REQUESTS))
            .by(name::OUTCOME)
            .help("Requests by type, name and outcome."),
        by_request(Rule::new(format!("{prefix}_request_latency_ms"), name::DURATION))
            .unit(Unit::Milliseconds)
            .show(Show::Buckets(LATENCY_BOUNDS.into()))
            .help("Latency of requests in milliseconds."),
        by_request(Rule::new(format!("{prefix}_response_bytes"), name::RESPONSE_SIZE))
            .unit(Unit::Bytes)
            .show(Show::Buckets(SIZE_BOUNDS.into()))
            .help("Size of responses in bytes."),
    ]
}

fn pushed(prefix: &str) -> Vec<Rule> {
    let by_request = |rule: Rule| rule.by_as(name::METHOD, "request_type").by_as(name::STEP, "name");
    // Durations tell by the class of a failure what others tell by the outcome.
    let latency = |source, outcome| {
        by_request(Rule::new(format!("{prefix}.request.latency"), source))
            .label(name::OUTCOME, outcome)
            .unit(Unit::Milliseconds)
            .show(Show::Buckets(LATENCY_BOUNDS.into()))
            .help("Latency of requests.")
    };
    vec![
        by_request(Rule::new(format!("{prefix}.requests"), name::REQUESTS))
            .by(name::OUTCOME)
            .unit(Unit::One)
            .help("Number of requests."),
        latency(Select::of(name::DURATION).without(name::ERROR_TYPE), "success"),
        latency(Select::of(name::DURATION).with(name::ERROR_TYPE), "failure"),
        by_request(Rule::new(format!("{prefix}.response.size"), name::RESPONSE_SIZE))
            .by(name::OUTCOME)
            .unit(Unit::Bytes)
            .show(Show::Buckets(SIZE_BOUNDS.into()))
            .help("Size of responses."),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Profile, profile::scene::Scene};
    use ::barewire::view::Value;

    fn shown(wire: Wire) -> String {
        Scene::new().show(&mut Profile::LoadDensity.view(&Scene::workload(None), wire)).join("\n")
    }

    #[test]
    fn a_page_has_the_names_and_labels_of_both_spellings() {
        let expected = "\
            loaddensity_request_latency_ms histogram ms request_type=GET method=GET name=browse\n\
            loaddensity_requests_total counter - request_type=GET method=GET name=browse outcome=failure\n\
            loaddensity_requests_total counter - request_type=GET method=GET name=browse outcome=success\n\
            loaddensity_response_bytes histogram By request_type=GET method=GET name=browse";
        assert_eq!(shown(Wire::Prometheus), expected);
    }

    #[test]
    fn what_is_pushed_has_the_names_kinds_units_and_attributes_of_the_documentation() {
        let expected = "\
            loaddensity.request.latency histogram ms request_type=GET name=browse outcome=failure\n\
            loaddensity.request.latency histogram ms request_type=GET name=browse outcome=success\n\
            loaddensity.requests counter 1 request_type=GET name=browse outcome=failure\n\
            loaddensity.requests counter 1 request_type=GET name=browse outcome=success\n\
            loaddensity.response.size histogram By request_type=GET name=browse outcome=failure\n\
            loaddensity.response.size histogram By request_type=GET name=browse outcome=success";
        assert_eq!(shown(Wire::Otlp), expected);
    }

    #[test]
    fn latencies_are_told_apart_by_the_outcome_and_lose_none() {
        let mut view = Profile::LoadDensity.view(&Scene::workload(None), Wire::Otlp);
        let scene = Scene::new();
        let frame = view.show(&scene.snapshot(), None);
        let count = |outcome: &str| {
            let of_outcome = frame.points.iter().filter(|point| {
                point.metric.name.ends_with("latency")
                    && point.metric.label_value(name::OUTCOME) == Some(&outcome.into())
            });
            let counts = of_outcome.map(|point| match &point.value {
                Value::Histogram(shown) => (shown.count(), shown.bounds.len()),
                other => panic!("another shape: {other:?}"),
            });
            counts.collect::<Vec<_>>()
        };
        let bounds = LATENCY_BOUNDS.len();
        assert_eq!((count("success"), count("failure")), (vec![(1, bounds)], vec![(2, bounds)]));
    }

    #[test]
    fn where_each_request_is_told_of_nothing_else_counts_it() {
        for wire in [Wire::Statsd, Wire::Influx] {
            assert_eq!(shown(wire), "");
            assert!(Profile::LoadDensity.samples(wire).is_some());
        }
        for wire in [Wire::Otlp, Wire::Prometheus] {
            assert_eq!(Profile::LoadDensity.samples(wire), None);
        }
    }

    #[test]
    fn a_request_has_the_tags_and_fields_of_the_documentation() {
        let names = |wire| {
            let rule = samples(wire, &Names::default()).expect("a rule");
            let tags: Vec<_> = rule.by.iter().map(|(from, shown)| format!("{shown}={from}")).collect();
            let fields: Vec<_> = rule.fields.iter().map(|(name, _)| name.to_string()).collect();
            [rule.name.to_string(), tags.join(","), fields.join(",")].join(" ")
        };
        assert_eq!(
            names(Wire::Statsd),
            "loaddensity method=http.request.method,name=load_test.step,outcome=outcome \
             requests,request.latency,response.size"
        );
        assert_eq!(
            names(Wire::Influx),
            "loaddensity_request \
             request_type=http.request.method,method=http.request.method,name=load_test.step,outcome=outcome \
             latency_ms,response_time_ms,response_bytes,response_length,success,error,status_code"
        );
    }

    #[test]
    fn another_prefix_and_another_service_take_the_place_of_its_own_on_every_wire() {
        let names = Names { prefix: Some("shop".to_owned()), service: Some("checkout".to_owned()) };
        let (profile, workload) = (Profile::LoadDensity, Scene::workload(None));
        for wire in [Wire::Otlp, Wire::Prometheus] {
            let mut view = profile.view_as(&workload, wire, &names);
            let shown = Scene::new().show(&mut view);
            assert!(!shown.is_empty() && shown.iter().all(|line| line.starts_with("shop")), "{shown:?}");
            let resource = view.resource_upon(&[]);
            assert_eq!((resource.len(), &resource[0].value), (1, &"checkout".into()));
        }
        for (wire, measurement) in [(Wire::Statsd, "shop"), (Wire::Influx, "shop_request")] {
            assert_eq!(profile.samples_as(wire, &names).expect("a rule").name, measurement);
        }
    }
}

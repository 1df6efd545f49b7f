//! Which figures the records have, by the names that Locust gives them.

use barewire::{
    Unit,
    view::{Rule, Select, Show, Span, View},
};

use crate::{name, profile::locust_telemetry};

/// Every tick: latencies of the window, counts of the run.
pub(super) fn current() -> View {
    View::table(aggregated(Span::Window))
}

/// Once: everything of the run.
pub(super) fn whole() -> View {
    View::table(aggregated(Span::Run))
}

/// Once: every step, and every class of its failures.
pub(super) fn endpoints() -> View {
    let of_endpoint = |rule: Rule| rule.by_as(name::METHOD, "method").by_as(name::STEP, "name");
    let stats = stats(Span::Run).map(|rule| of_endpoint(rule).label("status", "success"));
    let errors = of_endpoint(Rule::new("occurrences", name::ERRORS))
        .by_as(name::ERROR_TYPE, "error")
        .label("status", "error");
    View::table(stats.chain([errors]))
}

/// Every tick: what each has a record of its own.
pub(super) fn levels() -> View {
    let users = Rule::new(locust_telemetry::USER_COUNT, name::USERS).unit(Unit::One);
    View::table(locust_telemetry::system().into_iter().chain([users]))
}

fn aggregated(span: Span) -> impl Iterator<Item = Rule> {
    let users = Rule::new("user_count", name::USERS);
    stats(span).chain([users]).map(|rule| rule.label("method", "").label("name", "Aggregated"))
}

fn stats(span: Span) -> impl Iterator<Item = Rule> {
    let failed = || Select::of(name::REQUESTS).only(name::OUTCOME, "failure");
    let rate = |shown, source, over| Rule::new(shown, source).show(Show::Rate).over(over);
    let counts = [
        Rule::new("num_requests", name::REQUESTS),
        Rule::new("num_failures", failed()),
        rate("current_rps", Select::of(name::REQUESTS), Span::Window),
        rate("current_fail_per_sec", failed(), Span::Window),
        rate("total_rps", Select::of(name::REQUESTS), Span::Run),
        rate("total_fail_per_sec", failed(), Span::Run),
        Rule::new("avg_content_length", name::RESPONSE_SIZE).show(Show::Mean).over(span),
    ];
    let latencies = [
        ("min_response_time", Show::Min),
        ("max_response_time", Show::Max),
        ("avg_response_time", Show::Mean),
        ("median_response_time", Show::Quantile(0.50)),
        ("percentile_95", Show::Quantile(0.95)),
        ("percentile_99", Show::Quantile(0.99)),
    ];
    let succeeded = || Select::of(name::DURATION).without(name::ERROR_TYPE);
    let latencies = latencies
        .map(|(shown, show)| Rule::new(shown, succeeded()).unit(Unit::Milliseconds).show(show).over(span));
    counts.into_iter().chain(latencies)
}

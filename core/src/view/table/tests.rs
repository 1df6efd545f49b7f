use crate::{
    Metric, Registry, Unit,
    view::{Number, Rule, Select, Show, Span, Temporality, Value, View},
};
use std::sync::Arc;

fn requests(step: &str, outcome: &str) -> Metric {
    Metric::new("requests").label("step", step).label("outcome", outcome)
}

/// Two windows of counting: 3 good and 1 bad request of step a, then 4 good ones of b.
fn scene() -> (Arc<crate::Snapshot>, Arc<crate::Snapshot>) {
    let registry = Registry::new("test");
    let mut shard = registry.shard();
    let took = registry.histogram(Metric::new("took").label("step", "a").unit(Unit::Seconds));
    let [a, bad, b] = [("a", "ok"), ("a", "bad"), ("b", "ok")]
        .map(|(step, outcome)| registry.counter(requests(step, outcome)));
    shard.add(a, 3);
    shard.add(bad, 1);
    shard.record(took, 2_500_000u64);
    let earlier = registry.snapshot();
    shard.add(b, 4);
    (earlier, registry.snapshot())
}

fn shown(view: &mut View, now: &crate::Snapshot, earlier: Option<&crate::Snapshot>) -> Vec<(String, Value)> {
    let frame = view.show(now, earlier);
    let named = |point: &crate::view::Point| {
        let labels: Vec<_> =
            point.metric.labels.iter().map(|l| format!("{}={}", l.key, l.value.to_text())).collect();
        (format!("{}{{{}}}", point.metric.name, labels.join(",")), point.value.clone())
    };
    frame.points.iter().map(named).collect()
}

fn counter(count: i64) -> Value {
    Value::Counter(Number::Int(count))
}

#[test]
fn series_are_added_up_and_kept_apart_by_the_labels_asked_for() {
    let (earlier, now) = scene();
    let mut view =
        View::table([Rule::new("all", "requests"), Rule::new("per_step", "requests").by_as("step", "task")]);
    let expected = [("all{}", 8), ("per_step{task=a}", 4), ("per_step{task=b}", 4)];
    assert_eq!(shown(&mut view, &now, None), expected.map(|(name, n)| (name.to_owned(), counter(n))));
    let mut delta = view.clone().temporality(Temporality::Delta);
    let expected = [("all{}", 4), ("per_step{task=a}", 0), ("per_step{task=b}", 4)];
    assert_eq!(
        shown(&mut delta, &now, Some(&earlier)),
        expected.map(|(name, n)| (name.to_owned(), counter(n)))
    );
}

#[test]
fn a_share_is_that_of_the_window_unless_the_run_is_asked_for() {
    let (earlier, now) = scene();
    let bad = Rule::new("bad", Select::of("requests").only("outcome", "bad"))
        .show(Show::Share(Select::of("requests"), 1.0));
    let mut view = View::table([bad.clone(), bad.over(Span::Run)]);
    let shares: Vec<_> = shown(&mut view, &now, Some(&earlier)).into_iter().map(|(_, value)| value).collect();
    assert_eq!(shares, [0.0, 0.125].map(|share| Value::Gauge(Number::Float(share))));
}

#[test]
fn a_quantile_of_an_empty_window_is_absent_and_that_of_the_run_is_there() {
    let (earlier, now) = scene();
    let p50 = Rule::new("p50", "took").unit(Unit::Milliseconds).show(Show::Quantile(0.5));
    let mut view = View::table([p50.clone(), p50.over(Span::Run)]);
    let first = Value::Gauge(Number::Decimal { digits: 2_500_000, decimals: 6 });
    let values: Vec<_> = shown(&mut view, &now, Some(&earlier)).into_iter().map(|(_, value)| value).collect();
    assert_eq!(values, [Value::Absent, first]);
}

#[test]
fn what_is_not_kept_apart_is_there_before_anything_is_counted() {
    let registry = Registry::new("test");
    let mut view = View::table([
        Rule::new("rate", "requests").show(Show::Rate),
        Rule::new("per_step", "requests").by("step"),
    ]);
    let frame = view.show(&registry.snapshot(), None);
    assert_eq!(frame.points.len(), 1);
    assert_eq!(frame.points[0].value, Value::Gauge(Number::Float(0.0)));
}

#[test]
fn points_stay_where_they_are_when_series_come() {
    let registry = Registry::new("test");
    let mut view = View::table([
        Rule::new("per_step", "requests").by("step"),
        Rule::new("all", "requests"),
        Rule::new("bad", Select::of("requests").only("outcome", "bad"))
            .by("step")
            .show(Show::Share("requests".into(), 1.0)),
    ]);
    let mut before: Vec<(String, Value)> = Vec::new();
    for (step, outcome) in [("a", "ok"), ("b", "bad"), ("a", "bad"), ("c", "ok")] {
        registry.shard().add(registry.counter(requests(step, outcome)), 1);
        let after = shown(&mut view, &registry.snapshot(), None);
        let stayed = before.iter().zip(&after).all(|((old, _), (new, _))| old == new);
        assert!(stayed && after.len() >= before.len(), "{after:?} after {before:?}");
        before = after;
    }
    let names: Vec<_> = before.iter().map(|(name, _)| name.as_str()).collect();
    let a = ["per_step{step=a}", "bad{step=a}"];
    let b = ["per_step{step=b}", "bad{step=b}"];
    let c = ["per_step{step=c}", "bad{step=c}"];
    assert_eq!(names, [&["all{}"][..], &a, &b, &c].concat());
}

#[test]
fn a_series_that_several_rules_name_is_added_up_once() {
    let (_, now) = scene();
    let p99 = Rule::new("p99", "took").by("step").unit(Unit::Seconds).show(Show::Quantile(0.99));
    let all = Rule::new("all", "requests");
    let share = Rule::new("share", "requests").show(Show::Share("requests".into(), 100.0));
    let mut view =
        View::table([all.clone(), share, all, p99.clone(), p99.show(Show::Value), Rule::new("none", "x")]);
    let values: Vec<_> = shown(&mut view, &now, None).into_iter().map(|(_, value)| value).collect();
    let [all, share, again, none, p99, whole] = &values[..] else { panic!("six points: {values:?}") };
    assert_eq!((all, again, none), (&counter(8), &counter(8), &Value::Absent));
    assert_eq!(*share, Value::Gauge(Number::Float(100.0)));
    assert_eq!(*p99, Value::Gauge(Number::Decimal { digits: 2_500_000, decimals: 9 }));
    let Value::ExponentialHistogram(whole) = whole else { panic!("another shape: {whole:?}") };
    assert_eq!(whole.count(), 1);
}

#[test]
fn a_rate_divides_by_the_measured_time() {
    let (earlier, now) = scene();
    let rate = Rule::new("rate", "requests").show(Show::Rate);
    let mut view = View::table([rate.clone(), rate.over(Span::Run)]);
    let rates = shown(&mut view, &now, Some(&earlier));
    let expected = [(now.elapsed_ns() - earlier.elapsed_ns(), 4.0), (now.elapsed_ns(), 8.0)];
    for ((_, rate), (ns, count)) in rates.into_iter().zip(expected) {
        let Value::Gauge(Number::Float(rate)) = rate else { panic!("not a rate: {rate:?}") };
        let seconds = f64::from(u32::try_from(ns).unwrap()) / 1e9;
        assert!((rate * seconds - count).abs() < 1e-6, "{rate} over {ns} ns");
    }
}

#[test]
fn series_are_told_apart_by_whether_they_have_a_label() {
    let registry = Registry::new("test");
    let mut shard = registry.shard();
    for (metric, count) in [(Metric::new("hits"), 1), (Metric::new("hits").label("error", "reset"), 2)] {
        shard.add(registry.counter(metric), count);
    }
    let of = |select| Rule::new("hits", select);
    let mut view = View::table([
        of(Select::of("hits").without("error")),
        of(Select::of("hits").with("error")),
        of(Select::of("hits").only("error", "reset").without("error")),
    ]);
    let values = shown(&mut view, &registry.snapshot(), None).into_iter().map(|(_, value)| value);
    assert_eq!(values.collect::<Vec<_>>(), [counter(1), counter(2), Value::Absent]);
}

#[test]
fn a_level_is_a_gauge_whatever_it_is_a_level_of() {
    let registry = Registry::new("test");
    let mut shard = registry.shard();
    shard.set(registry.gauge(Metric::new("cpu")), 0.25);
    shard.add(registry.counter(Metric::new("sent")), 7);
    let earlier = registry.snapshot();
    let level = |name: &'static str, factor| Rule::new("level", name).show(Show::Level(factor));
    let rules = [level("cpu", 100.0), level("sent", 1.0), level("none", 1.0)];
    let mut view = View::table(rules).temporality(Temporality::Delta);
    let values = shown(&mut view, &registry.snapshot(), Some(&earlier)).into_iter().map(|(_, value)| value);
    let gauge = |level| Value::Gauge(Number::Float(level));
    assert_eq!(values.collect::<Vec<_>>(), [gauge(25.0), gauge(7.0), Value::Absent]);
}

#[test]
fn the_extremes_are_those_of_the_time() {
    let registry = Registry::new("test");
    let took = registry.histogram(Metric::new("took"));
    let mut shard = registry.shard();
    shard.record(took, 3u64);
    let earlier = registry.snapshot();
    shard.record(took, 5u64);
    let of = |show| Rule::new("took", "took").show(show);
    let rules = [of(Show::Min), of(Show::Max), of(Show::Min).over(Span::Run)];
    let values = shown(&mut View::table(rules), &registry.snapshot(), Some(&earlier));
    let gauges = [5, 5, 3].map(|value| Value::Gauge(Number::Int(value)));
    assert_eq!(values.into_iter().map(|(_, value)| value).collect::<Vec<_>>(), gauges);
}

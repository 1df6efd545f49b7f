//! Which points a backend is shown: names, units, rates and quantiles, computed from a snapshot and the one before.
//!
//! ```text
//! Snapshot, earlier Snapshot ──View──▶ Frame ──encoder──▶ bytes
//! ```
//!
//! A [`View`] shows everything as it is, or what a table of [`Rule`]s says: a *vocabulary*, by which a dashboard
//! made for another system finds the names it knows. Nothing here reads a clock or opens a socket.

mod everything;
mod exponential;
mod point;
mod rule;
mod sample;
mod shape;
mod table;

use std::{borrow::Cow, sync::Arc};

pub use point::{
    Explicit, Exponential, ExponentialBuckets, Frame, Number, Point, Recorded, Scope, Temporality, Value,
};
pub use rule::{Rule, Select, Show, Span};
pub use sample::{Field, FieldValue, SampleRule};
pub use shape::Shape;

use crate::{Label, LabelValue, Metric, Unit, record::snapshot::Snapshot};
use everything::Everything;
use table::Table;

/// What one backend is shown. It refills one frame a tick, and allocates only when a series appears.
///
/// ```
/// use barewire::{Metric, Registry, view::{Number, Rule, Show, Value, View}};
///
/// let registry = Registry::new("checkout");
/// let hits = registry.counter(Metric::new("hits").label("route", "/"));
/// registry.shard().add(hits, 3);
///
/// let mut view = View::table([Rule::new("all_hits", "hits").show(Show::Value)]);
/// let frame = view.show(&registry.snapshot(), None);
/// assert_eq!(frame.points[0].metric.name, "all_hits");
/// assert_eq!(frame.points[0].value, Value::Counter(Number::Int(3)));
/// ```
#[derive(Debug, Clone)]
pub struct View {
    resource: Vec<Label>,
    shape: Shape,
    table: Option<Table>,
    /// Without a table.
    everything: Everything,
    /// Labels of the resource that every point has, and what they are called there.
    point_labels: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    /// The registry's resource that `frame.resource` was made from.
    resource_seen: Option<Arc<[Label]>>,
    frame: Frame,
}

impl View {
    /// Every series as it is.
    pub fn everything() -> Self {
        View {
            resource: Vec::new(),
            shape: Shape::Exponential,
            table: None,
            everything: Everything::default(),
            point_labels: Vec::new(),
            resource_seen: None,
            frame: Frame::default(),
        }
    }

    /// What the rules say, and nothing else.
    pub fn table(rules: impl IntoIterator<Item = Rule>) -> Self {
        View { table: Some(Table::new(rules.into_iter().collect())), ..View::everything() }
    }

    /// Adds a label to the registry's resource, or replaces the one of that key.
    #[must_use]
    pub fn resource(mut self, key: impl Into<String>, value: impl Into<LabelValue>) -> Self {
        self.resource.push(Label::new(key, value));
        self
    }

    /// Gives every point what the resource says for `key`, as the label `shown`: for backends that look for it there.
    /// It says what was true when the point appeared; without the `key` there is no label.
    #[must_use]
    pub fn label_points(
        mut self,
        key: impl Into<Cow<'static, str>>,
        shown: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.point_labels.push((key.into(), shown.into()));
        self
    }

    /// Names what produces the points.
    #[must_use]
    pub fn scope(mut self, name: impl Into<String>, version: impl Into<String>) -> Self {
        self.frame.scope = Some(Scope { name: name.into(), version: version.into() });
        self
    }

    /// Sets the shape of histograms; [`Shape::Exponential`] unless set.
    #[must_use]
    pub fn histograms(mut self, shape: Shape) -> Self {
        self.shape = shape;
        self
    }

    /// Sets since when counters and histograms count; cumulative unless set.
    #[must_use]
    pub fn temporality(mut self, temporality: Temporality) -> Self {
        self.frame.temporality = temporality;
        self
    }

    /// Shows what did not move since the earlier snapshot only every so many times, spread evenly over them; every time
    /// unless set. For receivers that keep the last value of a series, where there are many series and most of them stand
    /// still: what is not shown is neither encoded nor sent. Not for gauges of a DogStatsD Agent, which tells of one only in the
    /// ten seconds in which it came. It has no meaning for a table, whose points are few.
    #[must_use]
    pub fn idle_every(mut self, times: u32) -> Self {
        self.everything.rest(times);
        self
    }

    /// What is true at `now`. Rates, quantiles and deltas are those of the window since `earlier`, an earlier
    /// snapshot of the same registry, or since its start.
    ///
    /// A view belongs to one registry, whose snapshots it is shown in the order in which they were taken.
    pub fn show(&mut self, now: &Snapshot, earlier: Option<&Snapshot>) -> &Frame {
        let window = now.since(earlier);
        self.refresh_resource(now.resource());
        self.frame.time_unix_ns = now.unix_ns();
        self.frame.start_unix_ns = match self.frame.temporality {
            Temporality::Cumulative => now.start_unix_ns(),
            Temporality::Delta => window.start_unix_ns(),
        };
        let known = self.frame.points.len();
        match &mut self.table {
            None => self.everything.show(now, earlier, self.shape, &mut self.frame),
            Some(table) => table.show(now, &window, self.shape, &mut self.frame),
        }
        self.label_from(known);
        &self.frame
    }

    /// Labels the points from number `known` on.
    fn label_from(&mut self, known: usize) {
        let Frame { resource, points, .. } = &mut self.frame;
        for (key, shown) in &self.point_labels {
            let Some(label) = resource.iter().find(|label| label.key == *key) else { continue };
            for point in &mut points[known..] {
                let labelled = Metric::clone(&point.metric).label(shown.clone(), label.value.clone());
                point.metric = Arc::new(labelled);
            }
        }
    }

    fn refresh_resource(&mut self, registry: &Arc<[Label]>) {
        if self.resource_seen.as_ref().is_some_and(|seen| Arc::ptr_eq(seen, registry)) {
            return;
        }
        self.resource_seen = Some(Arc::clone(registry));
        self.frame.resource = self.resource_upon(registry);
    }

    /// The resource under which this view shows a registry of the resource `registry`, for what is told of it beside its
    /// points, such as events.
    pub fn resource_upon(&self, registry: &[Label]) -> Arc<[Label]> {
        let mut resource = Metric::new("");
        for label in registry.iter().chain(&self.resource) {
            resource = resource.label(label.key.clone(), label.value.clone());
        }
        resource.labels.into()
    }
}

impl Default for View {
    fn default() -> Self {
        View::everything()
    }
}

/// An integer as recorded, in the unit in which it is shown.
fn integer(digits: u128, unit: &Unit) -> Number {
    Number::scaled(digits, unit.decimals())
}

fn gauge(value: Option<f64>) -> Value {
    value.map_or(Value::Absent, |value| Value::Gauge(Number::Float(value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Registry;

    #[test]
    fn everything_counts_since_the_start_or_since_the_snapshot_before() {
        let registry = Registry::new("test");
        let (hits, took) = (registry.counter(Metric::new("hits")), registry.histogram(Metric::new("took")));
        let mut shard = registry.shard();
        shard.add(hits, 5);
        shard.record(took, 100u64);
        let earlier = registry.snapshot();
        shard.add(hits, 2);
        let now = registry.snapshot();
        for (temporality, start, hits, recorded) in [
            (Temporality::Cumulative, now.start_unix_ns(), 7, 1),
            (Temporality::Delta, earlier.unix_ns(), 2, 0),
        ] {
            let mut view = View::everything().temporality(temporality);
            let frame = view.show(&now, Some(&earlier));
            assert_eq!((frame.start_unix_ns, frame.time_unix_ns), (start, now.unix_ns()));
            assert_eq!(frame.points[0].value, Value::Counter(Number::Int(hits)));
            let Value::ExponentialHistogram(took) = &frame.points[1].value else { panic!("{frame:?}") };
            assert_eq!(took.count(), recorded);
        }
    }

    #[test]
    fn what_was_recorded_is_shown_of_the_run_and_of_the_window() {
        let registry = Registry::new("test");
        let took = registry.histogram(Metric::new("took").unit(Unit::Milliseconds));
        let mut shard = registry.shard();
        shard.record(took, 5_000_000u64);
        let earlier = registry.snapshot();
        shard.record(took, 7_000_000u64);
        let now = registry.snapshot();
        for (temporality, run) in [(Temporality::Cumulative, 12_000_000), (Temporality::Delta, 0)] {
            let rule = Rule::new("took", "took").unit(Unit::Milliseconds);
            for view in [View::everything(), View::table([rule])] {
                let mut view = view.histograms(Shape::Recorded).temporality(temporality);
                let frame = view.show(&now, Some(&earlier));
                let Value::Recorded(shown) = &frame.points[0].value else { panic!("{frame:?}") };
                assert_eq!((shown.run.sum(), shown.window.sum(), shown.window.count()), (run, 7_000_000, 1));
                assert_eq!(shown.number(7_000_000), Number::Decimal { digits: 7_000_000, decimals: 6 });
            }
        }
    }

    #[test]
    fn points_have_the_labels_of_the_resource_that_are_asked_for() {
        let registry = Registry::new("test");
        registry.resource("load_test.test_run_id", "7");
        registry.shard().add(registry.counter(Metric::new("hits").label("route", "/")), 1);
        for view in [View::everything(), View::table([Rule::new("hits", "hits").by("route")])] {
            let mut view = view.label_points("load_test.test_run_id", "run_id").label_points("none", "none");
            let metric = Arc::clone(&view.show(&registry.snapshot(), None).points[0].metric);
            assert_eq!(metric.labels, [Label::new("route", "/"), Label::new("run_id", "7")]);
            assert!(Arc::ptr_eq(&view.show(&registry.snapshot(), None).points[0].metric, &metric));
        }
    }

    #[test]
    fn the_resource_is_the_registrys_with_the_views_own_upon_it() {
        let registry = Registry::new("test");
        let mut view = View::everything().resource("service.name", "ours").resource("region", "eu");
        let seen = |frame: &Frame| {
            let labels = frame.resource.iter().map(|l| format!("{}={}", l.key, l.value.to_text()));
            labels.collect::<Vec<_>>().join(",")
        };
        assert_eq!(seen(view.show(&registry.snapshot(), None)), "service.name=ours,region=eu");
        let before = Arc::clone(&view.frame.resource);
        assert!(Arc::ptr_eq(&view.show(&registry.snapshot(), None).resource, &before));
        registry.resource("host", 7);
        assert_eq!(seen(view.show(&registry.snapshot(), None)), "service.name=ours,host=7,region=eu");
    }
}

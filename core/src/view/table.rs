//! A vocabulary at work: which series each of its points adds up, and what they come to.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use super::{
    Frame, Number, Point, Rule, Select, Shape, Show, Span, Temporality, Value, gauge, integer,
    shape::fill_explicit,
};
use crate::{
    Distribution, LabelValue, Metric,
    record::snapshot::{Reading, Series, Snapshot, Window},
};

/// The rules, and what is known of the series so far.
///
/// Series are added up in groups: those that a selection takes and that agree in the labels it keeps. Rules that
/// select alike share their groups, so five quantiles of one histogram cost one merge.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    rules: Vec<Rule>,
    /// By rule: the selection of its source, and of what that is a share of.
    sources: Vec<(usize, Option<usize>)>,
    selections: Vec<Selection>,
    groups: Vec<Group>,
    group_of: HashMap<(usize, Key), usize>,
    outputs: Vec<Output>,
    output_of: HashMap<(usize, Key), usize>,
    /// What the outputs that the frame does not have yet are called.
    fresh: Vec<Arc<Metric>>,
    /// How many series of the registry are in the groups.
    compiled: usize,
    scratch: Distribution,
}

/// Which series are added up, and by which labels they are kept apart.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Selection {
    select: Select,
    by: Vec<Cow<'static, str>>,
}

/// The value of each of those labels.
type Key = Vec<Option<LabelValue>>;

/// One point of the frame: a rule at work on a group.
#[derive(Debug, Clone, Copy)]
struct Output {
    rule: usize,
    group: usize,
    /// The group that it is a share of.
    of: Option<usize>,
}

impl Table {
    pub(crate) fn new(rules: Vec<Rule>) -> Self {
        let mut selections = Vec::new();
        let sources = rules.iter().map(|rule| select(rule, &mut selections)).collect();
        let mut table = Table {
            rules,
            sources,
            selections,
            groups: Vec::new(),
            group_of: HashMap::new(),
            outputs: Vec::new(),
            output_of: HashMap::new(),
            fresh: Vec::new(),
            compiled: 0,
            scratch: Distribution::default(),
        };
        // What is not kept apart is one point, there from the beginning.
        for rule in 0..table.rules.len() {
            if table.rules[rule].by.is_empty() {
                table.output(rule, &Vec::new());
            }
        }
        table
    }

    pub(crate) fn show(&mut self, now: &Snapshot, window: &Window<'_>, shape: Shape, frame: &mut Frame) {
        for (at, series) in now.series().iter().enumerate().skip(self.compiled) {
            self.compile(at, &series.metric);
        }
        self.compiled = now.series().len();
        let fresh = self.fresh.drain(..).map(|metric| Point { metric, value: Value::Absent });
        frame.points.extend(fresh);
        for group in &mut self.groups {
            group.merge(now, window, &mut self.scratch);
        }
        let scene =
            Scene { groups: &self.groups, now, window, delta: frame.temporality == Temporality::Delta };
        for (output, point) in self.outputs.iter().zip(&mut frame.points) {
            scene.fill(*output, &self.rules[output.rule], shape, &mut point.value);
        }
    }

    /// Finds out which points the series number `at` is a part of.
    fn compile(&mut self, at: usize, metric: &Metric) {
        for rule in 0..self.rules.len() {
            let (source, of) = self.sources[rule];
            for selection in [Some(source), of].into_iter().flatten() {
                let Selection { select, by } = &self.selections[selection];
                if select.matches(metric) {
                    let key: Key = by.iter().map(|label| metric.label_value(label).cloned()).collect();
                    self.output(rule, &key);
                    let group = self.group(selection, &key);
                    self.groups[group].admit(at);
                }
            }
        }
    }

    /// Makes sure of the point that `rule` shows for `key`.
    fn output(&mut self, rule: usize, key: &Key) {
        if self.output_of.contains_key(&(rule, key.clone())) {
            return;
        }
        self.output_of.insert((rule, key.clone()), self.outputs.len());
        let (source, of) = self.sources[rule];
        let group = self.group(source, key);
        let of = of.map(|of| self.group(of, key));
        self.groups[group].expect(&self.rules[rule]);
        self.outputs.push(Output { rule, group, of });
        self.fresh.push(self.rules[rule].metric(key));
    }

    fn group(&mut self, selection: usize, key: &Key) -> usize {
        *self.group_of.entry((selection, key.clone())).or_insert_with(|| {
            self.groups.push(Group::default());
            self.groups.len() - 1
        })
    }
}

/// The numbers of the selections of `rule`; those that are new are added.
fn select(rule: &Rule, selections: &mut Vec<Selection>) -> (usize, Option<usize>) {
    let mut number = |select: &Select| {
        let by = rule.by.iter().map(|(from, _)| from.clone()).collect();
        let selection = Selection { select: select.clone(), by };
        selections.iter().position(|known| *known == selection).unwrap_or_else(|| {
            selections.push(selection);
            selections.len() - 1
        })
    };
    let of = if let Show::Share(of, _) = &rule.show { Some(number(of)) } else { None };
    (number(&rule.source), of)
}

/// Series that are added up.
#[derive(Debug, Clone, Default)]
struct Group {
    /// By their place among the series of the registry.
    members: Vec<usize>,
    /// What was recorded in the window, if a rule asks for it.
    window: Option<Distribution>,
    /// What was recorded since the start, if a rule asks for it.
    run: Option<Distribution>,
}

impl Group {
    fn admit(&mut self, member: usize) {
        // Rules that share the group name the same series one after the other.
        if self.members.last() != Some(&member) {
            self.members.push(member);
        }
    }

    /// Prepares for what `rule` is going to ask.
    fn expect(&mut self, rule: &Rule) {
        let whole = matches!(rule.show, Show::Value | Show::Buckets(_));
        let part = matches!(rule.show, Show::Mean | Show::Quantile(_) | Show::Min | Show::Max);
        if whole || (part && rule.over == Span::Window) {
            self.window.get_or_insert_default();
        }
        if whole || (part && rule.over == Span::Run) {
            self.run.get_or_insert_default();
        }
    }

    fn merge(&mut self, now: &Snapshot, window: &Window<'_>, scratch: &mut Distribution) {
        let series = |member: &usize| &now.series()[*member];
        for total in [&mut self.window, &mut self.run].into_iter().flatten() {
            let precision = self.members.iter().filter_map(|member| precision(now, series(member))).max();
            total.reset(precision.unwrap_or_default());
        }
        for member in &self.members {
            let Reading::Histogram(all) = now.read(series(member)) else { continue };
            if let Some(total) = &mut self.run {
                total.merge(all);
            }
            if let Some(total) = &mut self.window {
                window.histogram_into(series(member), scratch);
                total.merge(scratch);
            }
        }
    }
}

fn precision(now: &Snapshot, series: &Series) -> Option<crate::Precision> {
    match now.read(series) {
        Reading::Histogram(distribution) => Some(distribution.precision()),
        _ => None,
    }
}

/// Everything that the value of a point is made from.
#[derive(Clone, Copy)]
struct Scene<'a> {
    groups: &'a [Group],
    now: &'a Snapshot,
    window: &'a Window<'a>,
    delta: bool,
}

impl Scene<'_> {
    fn fill(&self, output: Output, rule: &Rule, shape: Shape, value: &mut Value) {
        let group = &self.groups[output.group];
        let recorded = match rule.over {
            Span::Window => group.window.as_ref(),
            Span::Run => group.run.as_ref(),
        };
        let shown = |raw: Option<u64>| match raw {
            Some(raw) => Value::Gauge(integer(raw.into(), &rule.unit)),
            None => Value::Absent,
        };
        *value = match &rule.show {
            Show::Value => return self.fill_whole(group, rule, None, shape, value),
            Show::Buckets(bounds) => return self.fill_whole(group, rule, Some(bounds), shape, value),
            Show::Level(factor) => gauge(self.level(group).map(|level| level * factor)),
            Show::Rate => self.rate(group, rule.over),
            Show::Mean => shown(recorded.and_then(Distribution::mean)),
            Show::Quantile(q) => shown(recorded.and_then(|recorded| recorded.quantile(*q))),
            Show::Min => shown(recorded.and_then(Distribution::min)),
            Show::Max => shown(recorded.and_then(Distribution::max)),
            Show::Share(_, factor) => {
                let of = output.of.map_or(0, |of| self.grown(&self.groups[of], rule.over));
                share(self.grown(group, rule.over), of, *factor)
            }
        };
    }

    fn fill_whole(
        &self,
        group: &Group,
        rule: &Rule,
        bounds: Option<&Arc<[f64]>>,
        shape: Shape,
        value: &mut Value,
    ) {
        let Some(first) = group.members.first() else { return };
        match self.now.read(&self.now.series()[*first]) {
            Reading::Counter(_) => {
                let span = if self.delta { Span::Window } else { Span::Run };
                *value = Value::Counter(integer(self.grown(group, span).into(), &rule.unit));
            }
            Reading::Gauge(_) => *value = gauge(self.level(group)),
            Reading::Histogram(_) => {
                let (Some(window), Some(run)) = (&group.window, &group.run) else { return };
                let run = (!self.delta).then_some(run);
                match bounds {
                    Some(bounds) => fill_explicit(run.unwrap_or(window), &rule.unit, bounds, value),
                    None => shape.fill(run, window, &rule.unit, value),
                }
            }
        }
    }

    /// By how much the counters of a group grew.
    fn grown(&self, group: &Group, over: Span) -> u64 {
        let grown = |member: &usize| {
            let series = &self.now.series()[*member];
            match (over, self.now.read(series)) {
                (Span::Run, Reading::Counter(total)) => total,
                (Span::Window, Reading::Counter(_)) => self.window.counter(series),
                _ => 0,
            }
        };
        group.members.iter().map(grown).fold(0, u64::wrapping_add)
    }

    /// The sum of the gauges and counters of a group; `None` when there is none, or none that is set.
    #[allow(clippy::cast_precision_loss, reason = "a level is a float")]
    fn level(&self, group: &Group) -> Option<f64> {
        let level = |member: &usize| match self.now.read(&self.now.series()[*member]) {
            Reading::Gauge(value) => value,
            Reading::Counter(total) => Some(total as f64),
            Reading::Histogram(_) => None,
        };
        group.members.iter().filter_map(level).reduce(|sum, value| sum + value)
    }

    #[allow(clippy::cast_precision_loss, reason = "a rate is a float")]
    fn rate(&self, group: &Group, over: Span) -> Value {
        let elapsed_ns = match over {
            Span::Window => self.window.elapsed_ns(),
            Span::Run => self.now.elapsed_ns(),
        };
        let seconds = elapsed_ns as f64 / 1e9;
        let grown = self.grown(group, over) as f64;
        gauge((seconds > 0.0).then(|| grown / seconds))
    }
}

#[allow(clippy::cast_precision_loss, reason = "a share is a float")]
fn share(part: u64, of: u64, factor: f64) -> Value {
    if of == 0 { Value::Absent } else { Value::Gauge(Number::Float(part as f64 / of as f64 * factor)) }
}

#[cfg(test)]
mod tests;

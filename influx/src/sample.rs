//! Single observations in, lines out: one a rule and sample.
//!
//! A server keeps one point for each series and time, and a later one takes the place of an earlier. So the times of
//! a series strictly increase: the time of a sample is when it ended, or a nanosecond after the sample before it where
//! that is not later. A batch is put in order first, so that this moves hardly any.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use barewire::{Metric, Sample, SampleSeries, Samples, view::SampleRule};

use crate::{
    encode::{Lines, Shared},
    fields::Type,
    line::{Line, clean_key, longest_key, push_head, push_key, push_time},
    tags::Tags,
};

/// Renders what samples are called once, and then copies it.
#[derive(Debug, Default)]
pub(crate) struct SampleEncoder {
    rules: Vec<Rule>,
    sources: Vec<Source>,
    /// Where each is in `sources`.
    source_of: HashMap<SampleSeries, usize>,
    series: Vec<Series>,
    /// Where each head is in `series`: what a rule does not keep apart is one series.
    series_of: HashMap<Vec<u8>, usize>,
    batch: Vec<Entry>,
}

#[derive(Debug)]
struct Rule {
    rule: SampleRule,
    fields: Vec<RuleField>,
}

/// How a field of a rule is written.
#[derive(Debug)]
struct RuleField {
    /// Empty if it has none.
    key: Vec<u8>,
    /// Of the first that was written.
    kind: Option<Type>,
}

/// What samples come from, as the registry knows it.
#[derive(Debug)]
struct Source {
    metric: Arc<Metric>,
    /// By rule; `None` where that has no name.
    series: Vec<Option<usize>>,
}

/// What samples go to, as the server knows it.
#[derive(Debug)]
struct Series {
    head: Vec<u8>,
    last_unix_ns: u64,
}

/// A sample that waits for its turn.
#[derive(Debug, Clone, Copy)]
struct Entry {
    end_unix_ns: u64,
    source: usize,
    sample: Sample,
}

impl SampleEncoder {
    pub(crate) fn add(&mut self, rule: SampleRule) {
        let key = |name: &Cow<'_, str>| {
            let mut key = Vec::new();
            push_key(&mut key, name);
            key
        };
        let fields = rule.fields.iter().map(|(name, _)| RuleField { key: key(name), kind: None }).collect();
        self.rules.push(Rule { rule, fields });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Appends the lines of all samples that count, and calls `pushed` after each sample: with whether all its lines
    /// were added.
    pub(crate) fn push<L: Lines>(
        &mut self,
        samples: Samples<'_>,
        shared: &mut Shared<'_>,
        out: &mut L,
        mut pushed: impl FnMut(&L, bool),
    ) {
        self.batch.clear();
        for (metric, sample) in samples.iter().filter(|(_, sample)| sample.counted) {
            let source = self.source(sample.series, metric, shared);
            let end_unix_ns = sample.start_unix_ns.saturating_add(sample.duration_ns);
            self.batch.push(Entry { end_unix_ns, source, sample: *sample });
        }
        self.batch.sort_unstable_by_key(|entry| entry.end_unix_ns);
        for at in 0..self.batch.len() {
            let is_whole = self.push_sample(self.batch[at], shared, out);
            pushed(out, is_whole);
        }
    }

    fn push_sample(&mut self, entry: Entry, shared: &mut Shared<'_>, out: &mut impl Lines) -> bool {
        let SampleEncoder { rules, sources, series, .. } = self;
        let source = &sources[entry.source];
        let mut is_whole = true;
        for (rule, at) in rules.iter_mut().zip(&source.series) {
            is_whole &= at.is_some_and(|at| {
                let series = &mut series[at];
                let time = entry.end_unix_ns.max(series.last_unix_ns.saturating_add(1));
                series.last_unix_ns = time;
                out.push_line(|out| {
                    let mut line = Line::begin(out, &series.head);
                    match rule.push_fields(&source.metric, &entry.sample, shared, &mut line) {
                        Some(()) => line.end(|out| push_time(out, time)),
                        None => line.take_back(),
                    }
                })
            });
        }
        is_whole
    }

    fn source(&mut self, series: SampleSeries, metric: &Arc<Metric>, shared: &mut Shared<'_>) -> usize {
        if let Some(&at) = self.source_of.get(&series)
            && Arc::ptr_eq(&self.sources[at].metric, metric)
        {
            return at;
        }
        let SampleEncoder { rules, series: all, series_of, .. } = self;
        let series_of_rule = |rule: &Rule| {
            let head = rule.head(metric, shared)?;
            Some(*series_of.entry(head).or_insert_with_key(|head| {
                all.push(Series { head: head.clone(), last_unix_ns: 0 });
                all.len() - 1
            }))
        };
        let of_rules = rules.iter().map(series_of_rule).collect();
        self.sources.push(Source { metric: Arc::clone(metric), series: of_rules });
        self.source_of.insert(series, self.sources.len() - 1);
        self.sources.len() - 1
    }
}

impl Rule {
    /// Measurement and tags.
    fn head(&self, metric: &Metric, shared: &mut Shared<'_>) -> Option<Vec<u8>> {
        let shown = |(key, shown): &'_ (Cow<'static, str>, Cow<'static, str>)| {
            Some((shown.clone(), metric.label_value(key)?.to_text()))
        };
        let labels: Vec<_> = self.rule.by.iter().filter_map(shown).collect();
        let labels = labels.iter().map(|(key, value)| (&**key, Cow::Borrowed(&**value)));
        let common = shared.tags.iter().map(|tag| (tag.key.as_str(), tag.value.to_text()));
        let known = shared.measurements.of(&self.rule.name);
        let own = |key: &str| self.rule.fields.iter().any(|(name, _)| clean_key(name) == key);
        let tags = Tags::of(labels.chain(common), |key| known.have(key) || own(key));
        let longest = longest_key(self.rule.fields.iter().map(|(name, _)| &**name));
        let mut head = Vec::new();
        let is_written = push_head(&mut head, &self.rule.name, &tags, longest);
        shared.renamed.add(tags.renamed());
        is_written.then_some(head)
    }

    /// Nothing, and half a line, if a field is of another type than the first one of its key.
    fn push_fields(
        &mut self,
        metric: &Metric,
        sample: &Sample,
        shared: &mut Shared<'_>,
        line: &mut Line<'_>,
    ) -> Option<()> {
        let Rule { rule, fields } = self;
        for ((name, field), RuleField { key, kind }) in rule.fields.iter().zip(fields) {
            let Some(value) = field.of(metric, sample).filter(|_| !key.is_empty()) else { continue };
            let mut first = || shared.measurements.of(&rule.name).keep(&clean_key(name), Type::of(&value));
            let kind = *kind.get_or_insert_with(&mut first);
            line.field(key, &kind.fit(&value)?);
        }
        Some(())
    }
}

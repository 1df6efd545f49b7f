//! Single observations in, lines out: one a rule and sample.
//!
//! A server keeps one point for each series and time, and a later one takes the place of an earlier. So the times of
//! a series strictly increase: the time of a sample is when it ended, or a nanosecond after the sample before it where
//! that is not later. A batch is put in order first, so that this moves hardly any.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use barewire::{
    Label, Metric, Sample, SampleSeries, Samples,
    view::{Field, SampleRule},
};

use crate::{
    encode::Lines,
    line::{Line, push_head, push_key, push_time},
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
    /// The key of each field; empty if it has none.
    keys: Vec<Vec<u8>>,
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
        let keys = rule.fields.iter().map(|(name, _)| key(name)).collect();
        self.rules.push(Rule { rule, keys });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Appends the lines of all samples that count, and calls `pushed` after each sample: with whether all its lines
    /// were added.
    pub(crate) fn push<L: Lines>(
        &mut self,
        samples: Samples<'_>,
        tags: &[Label],
        out: &mut L,
        mut pushed: impl FnMut(&L, bool),
    ) {
        self.batch.clear();
        for (metric, sample) in samples.iter().filter(|(_, sample)| sample.counted) {
            let source = self.source(sample.series, metric, tags);
            let end_unix_ns = sample.start_unix_ns.saturating_add(sample.duration_ns);
            self.batch.push(Entry { end_unix_ns, source, sample: *sample });
        }
        self.batch.sort_unstable_by_key(|entry| entry.end_unix_ns);
        for at in 0..self.batch.len() {
            let is_whole = self.push_sample(self.batch[at], out);
            pushed(out, is_whole);
        }
    }

    fn push_sample(&mut self, entry: Entry, out: &mut impl Lines) -> bool {
        let source = &self.sources[entry.source];
        let mut is_whole = true;
        for (rule, at) in self.rules.iter().zip(&source.series) {
            is_whole &= at.is_some_and(|at| {
                let series = &mut self.series[at];
                let time = entry.end_unix_ns.max(series.last_unix_ns.saturating_add(1));
                series.last_unix_ns = time;
                out.push_line(|out| {
                    let mut line = Line::begin(out, &series.head);
                    rule.push_fields(&source.metric, &entry.sample, &mut line);
                    line.end(|out| push_time(out, time))
                })
            });
        }
        is_whole
    }

    fn source(&mut self, series: SampleSeries, metric: &Arc<Metric>, tags: &[Label]) -> usize {
        if let Some(&at) = self.source_of.get(&series)
            && Arc::ptr_eq(&self.sources[at].metric, metric)
        {
            return at;
        }
        let SampleEncoder { rules, series: all, series_of, .. } = self;
        let series_of_rule = |rule: &Rule| {
            let head = rule.head(metric, tags)?;
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
    fn head(&self, metric: &Metric, tags: &[Label]) -> Option<Vec<u8>> {
        let shown = |(key, shown): &'_ (Cow<'static, str>, Cow<'static, str>)| {
            Some((shown.clone(), metric.label_value(key)?.to_text()))
        };
        let labels: Vec<_> = self.rule.by.iter().filter_map(shown).collect();
        let labels = labels.iter().map(|(key, value)| (&**key, Cow::Borrowed(&**value)));
        let tags = tags.iter().map(|tag| (tag.key.as_str(), tag.value.to_text()));
        let mut head = Vec::new();
        push_head(&mut head, &self.rule.name, labels.chain(tags)).then_some(head)
    }

    fn push_fields(&self, metric: &Metric, sample: &Sample, line: &mut Line<'_>) {
        let fields: &[(_, Field)] = &self.rule.fields;
        for ((_, field), key) in fields.iter().zip(&self.keys).filter(|(_, key)| !key.is_empty()) {
            if let Some(value) = field.of(metric, sample) {
                line.field(key, &value);
            }
        }
    }
}

//! One line of a vocabulary.

use std::{borrow::Cow, sync::Arc};

use crate::{Label, LabelValue, Metric, Unit};

/// What one name of a vocabulary stands for: which series it adds up, by which labels it keeps them apart, and what
/// it shows of them.
///
/// ```
/// use barewire::{Unit, view::{Rule, Select, Show}};
///
/// let p99 = Rule::new("load_test.step.duration.p99", "http.client.request.duration")
///     .unit(Unit::Milliseconds)
///     .by("load_test.step")
///     .show(Show::Quantile(0.99));
/// let rate = Rule::new("http.client.request.throughput", Select::of("http.client.requests").only("outcome", "success"))
///     .unit(Unit::Other("req/s".into()))
///     .show(Show::Rate);
/// ```
#[derive(Debug, Clone)]
pub struct Rule {
    pub(crate) name: Cow<'static, str>,
    pub(crate) help: Cow<'static, str>,
    pub(crate) unit: Unit,
    pub(crate) source: Select,
    pub(crate) by: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    pub(crate) labels: Vec<Label>,
    pub(crate) show: Show,
    pub(crate) over: Span,
}

impl Rule {
    /// Shows what `source` selects, all of it added up, as the metric `name`.
    pub fn new(name: impl Into<Cow<'static, str>>, source: impl Into<Select>) -> Self {
        Rule {
            name: name.into(),
            help: Cow::Borrowed(""),
            unit: Unit::None,
            source: source.into(),
            by: Vec::new(),
            labels: Vec::new(),
            show: Show::Value,
            over: Span::Window,
        }
    }

    /// Sets the unit that is shown. Times, recorded in nanoseconds, are shown in any unit of time.
    #[must_use]
    pub fn unit(mut self, unit: Unit) -> Self {
        self.unit = unit;
        self
    }

    /// Sets the sentence that explains the metric.
    #[must_use]
    pub fn help(mut self, help: impl Into<Cow<'static, str>>) -> Self {
        self.help = help.into();
        self
    }

    /// Keeps series apart by the label `key`, one point for each of its values.
    #[must_use]
    pub fn by(self, key: impl Into<Cow<'static, str>>) -> Self {
        let key = key.into();
        self.by_as(key.clone(), key)
    }

    /// The same, with the label shown as `shown`.
    #[must_use]
    pub fn by_as(mut self, key: impl Into<Cow<'static, str>>, shown: impl Into<Cow<'static, str>>) -> Self {
        self.by.push((key.into(), shown.into()));
        self
    }

    /// Adds a label that is always the same.
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<LabelValue>) -> Self {
        self.labels.push(Label::new(key, value));
        self
    }

    /// Sets what is shown; [`Show::Value`] unless set.
    #[must_use]
    pub fn show(mut self, show: Show) -> Self {
        self.show = show;
        self
    }

    /// Sets over which time rates, quantiles, means, extremes and shares are taken; the window unless set.
    #[must_use]
    pub fn over(mut self, span: Span) -> Self {
        self.over = span;
        self
    }

    /// The metric that is shown for one value of each label in `by`; a series without the label is shown without it.
    pub(crate) fn metric(&self, key: &[Option<LabelValue>]) -> Arc<Metric> {
        let mut metric = Metric::new(self.name.clone()).help(self.help.clone()).unit(self.unit.clone());
        for ((_, shown), value) in self.by.iter().zip(key) {
            if let Some(value) = value {
                metric = metric.label(shown.clone(), value.clone());
            }
        }
        for label in &self.labels {
            metric = metric.label(label.key.clone(), label.value.clone());
        }
        Arc::new(metric)
    }
}

/// Which series a rule adds up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Select {
    name: Cow<'static, str>,
    only: Vec<(Cow<'static, str>, Wanted)>,
}

/// What is asked of one label.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wanted {
    Value(LabelValue),
    Any,
    None,
}

impl Select {
    /// All series of the metric `name`.
    pub fn of(name: impl Into<Cow<'static, str>>) -> Self {
        Select { name: name.into(), only: Vec::new() }
    }

    /// Only those whose label `key` has this value.
    #[must_use]
    pub fn only(mut self, key: impl Into<Cow<'static, str>>, value: impl Into<LabelValue>) -> Self {
        self.only.push((key.into(), Wanted::Value(value.into())));
        self
    }

    /// Only those that have the label `key`, whatever its value.
    #[must_use]
    pub fn with(mut self, key: impl Into<Cow<'static, str>>) -> Self {
        self.only.push((key.into(), Wanted::Any));
        self
    }

    /// Only those that do not have the label `key`.
    #[must_use]
    pub fn without(mut self, key: impl Into<Cow<'static, str>>) -> Self {
        self.only.push((key.into(), Wanted::None));
        self
    }

    pub(crate) fn matches(&self, metric: &Metric) -> bool {
        metric.name == self.name && self.only.iter().all(|(key, wanted)| wanted.is(metric.label_value(key)))
    }
}

impl Wanted {
    fn is(&self, value: Option<&LabelValue>) -> bool {
        match self {
            Wanted::Value(wanted) => value == Some(wanted),
            Wanted::Any => value.is_some(),
            Wanted::None => value.is_none(),
        }
    }
}

impl From<&'static str> for Select {
    fn from(name: &'static str) -> Self {
        Select::of(name)
    }
}

/// What a rule shows of the series it adds up.
#[derive(Debug, Clone, PartialEq)]
pub enum Show {
    /// The thing itself: a counter as a counter, a gauge as a gauge, a histogram in the view's shape.
    Value,
    /// A histogram with these bounds, in the rule's unit.
    Buckets(Arc<[f64]>),
    /// How high a gauge is, or a counter has come since the registry was made, as a gauge and times the factor: 100
    /// for a ratio in percent.
    Level(f64),
    /// How much a counter grew a second, by the measured length of the time.
    Rate,
    /// The mean of a histogram.
    Mean,
    /// A quantile of a histogram, as a ratio: 0.99 is the 99th percentile.
    Quantile(f64),
    /// The smallest value of a histogram.
    Min,
    /// The largest value of a histogram.
    Max,
    /// How much the counters grew in proportion to those of the other selection, times the factor: 1 for a ratio,
    /// 100 for percent. Absent where those did not grow.
    Share(Select, f64),
}

/// Over which time a rate, a quantile, a mean, an extreme or a share is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Span {
    /// Since the snapshot before: shows what happens now.
    #[default]
    Window,
    /// Since the registry was made.
    Run,
}

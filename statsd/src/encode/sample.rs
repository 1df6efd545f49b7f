//! Single observations: a line for each field that is a number.

use std::{collections::HashMap, sync::Arc};

use barewire::{
    Label, Metric, Sample, SampleSeries,
    view::{Field, FieldValue, SampleRule},
};

use super::{
    push_number,
    style::{Style, push_rate},
};

/// Turns samples into lines as one rule of a vocabulary says.
#[derive(Debug)]
pub struct SampleEncoder {
    style: Style,
    rule: SampleRule,
    /// `name.field:`, by the field.
    heads: Vec<Vec<u8>>,
    /// `|@rate`
    rate: Vec<u8>,
    /// `|#tags|c:id`, by the series.
    tails: HashMap<SampleSeries, Tail>,
}

#[derive(Debug)]
struct Tail {
    metric: Arc<Metric>,
    text: Vec<u8>,
}

impl SampleEncoder {
    /// Says of every line that it stands for `1 / rate` of its kind. A rate that is not between 0 and 1 is 1.
    pub fn new(style: Style, rule: SampleRule, rate: f64) -> Self {
        let head = |(field, _): &(std::borrow::Cow<'static, str>, Field)| {
            let mut head = Vec::new();
            style.push_name(&mut head, &[&rule.name, ".", field].concat());
            head.push(b':');
            head
        };
        let heads = rule.fields.iter().map(head).collect();
        let mut at_rate = Vec::new();
        if rate > 0.0 {
            push_rate(&mut at_rate, rate);
        }
        SampleEncoder { heads, rate: at_rate, tails: HashMap::new(), style, rule }
    }

    /// Appends the lines of `sample`, and says whether there are any.
    pub fn push_sample(&mut self, metric: &Arc<Metric>, sample: &Sample, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        let tail = tail(&mut self.tails, &self.style, &self.rule, metric, sample.series);
        for ((_, field), head) in self.rule.fields.iter().zip(&self.heads) {
            let Some(FieldValue::Number(number)) = field.of(metric, sample) else { continue };
            out.extend_from_slice(head);
            push_number(out, number);
            out.extend_from_slice(kind(field));
            out.extend_from_slice(&self.rate);
            out.extend_from_slice(tail);
            out.push(b'\n');
        }
        out.len() > start
    }
}

/// The type of the line of a field.
fn kind(field: &Field) -> &'static [u8] {
    match field {
        Field::Count => b"|c",
        Field::Duration(_) => b"|ms",
        Field::Bytes => b"|h",
        Field::Is(..) | Field::Label(..) => b"|g",
    }
}

/// What a series shows of its labels, rendered once.
fn tail<'a>(
    tails: &'a mut HashMap<SampleSeries, Tail>,
    style: &Style,
    rule: &SampleRule,
    metric: &Arc<Metric>,
    series: SampleSeries,
) -> &'a [u8] {
    let render = || {
        let shown = rule.by.iter().filter_map(|(key, shown)| Some((shown, metric.label_value(key)?)));
        let labels: Vec<_> = shown.map(|(shown, value)| Label::new(shown.clone(), value.clone())).collect();
        let mut text = Vec::new();
        style.push_tail(&mut text, &labels);
        Tail { metric: Arc::clone(metric), text }
    };
    let tail = tails.entry(series).or_insert_with(render);
    if !Arc::ptr_eq(&tail.metric, metric) {
        *tail = render();
    }
    &tail.text
}

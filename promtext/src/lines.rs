//! The lines of one series: its texts, and digits behind them.

use std::ops::Range;

use barewire::{
    view::{Explicit, Exponential, Number, Temporality, Value},
    wire::text::{push_decimal, push_f64, push_i64, push_u64},
};

use crate::{
    encode::Format,
    family::{HistogramText, SeriesText, push_bound},
};

/// What became of a point.
pub(crate) enum Pushed {
    Shown,
    LeftOut,
    Absent,
}

pub(crate) struct Lines<'a> {
    pub(crate) out: &'a mut Vec<u8>,
    pub(crate) format: Format,
    pub(crate) texts: &'a [u8],
}

impl Lines<'_> {
    pub(crate) fn push(&mut self, text: &mut SeriesText, value: &Value, temporality: Temporality) -> Pushed {
        let start = self.out.len();
        let is_total = temporality == Temporality::Cumulative;
        let shown = match (text, value) {
            (SeriesText::Gauge(text), Value::Gauge(number)) => self.push_sample(text, *number),
            (SeriesText::Counter(text), Value::Counter(number)) if is_total && is_count(*number) => {
                self.push_sample(text, *number)
            }
            (SeriesText::Histogram(text), Value::Histogram(histogram)) if is_total => {
                self.push_explicit(text, histogram)
            }
            (SeriesText::Histogram(text), Value::ExponentialHistogram(histogram)) if is_total => {
                self.push_exponential(text, histogram)
            }
            _ => None,
        };
        if shown.is_some() {
            return Pushed::Shown;
        }
        self.out.truncate(start);
        Pushed::LeftOut
    }

    /// The number alone, of a point that has one, and of an integer its digits alone; all lines of a histogram. Nothing
    /// if the point cannot be shown so.
    pub(crate) fn push_again(&mut self, text: &mut SeriesText, value: &Value, is_int: bool) -> Option<()> {
        let number = match (&*text, value) {
            (SeriesText::Gauge(_), Value::Gauge(number)) => *number,
            (SeriesText::Counter(_), Value::Counter(number)) if is_count(*number) => *number,
            (SeriesText::Histogram(_), value) => {
                let pushed = self.push(text, value, Temporality::Cumulative);
                return matches!(pushed, Pushed::Shown).then_some(());
            }
            _ => return None,
        };
        match number {
            Number::Int(int) if is_int => push_i64(self.out, int),
            Number::Int(_) => return None,
            _ if is_int => return None,
            number => self.push_number(number),
        }
        Some(())
    }

    fn push_sample(&mut self, text: &Range<usize>, number: Number) -> Option<()> {
        self.push_text(text);
        self.push_number(number);
        self.out.push(b'\n');
        Some(())
    }

    fn push_text(&mut self, text: &Range<usize>) {
        self.out.extend_from_slice(&self.texts[text.clone()]);
    }

    fn push_number(&mut self, number: Number) {
        let start = self.out.len();
        match number {
            Number::Int(int) => push_i64(self.out, int),
            Number::Decimal { digits, decimals } => push_decimal(self.out, digits, decimals),
            Number::Float(float) if float.is_finite() => push_f64(self.out, float),
            Number::Float(float) if float.is_nan() => return self.out.extend_from_slice(b"NaN"),
            Number::Float(float) => {
                return self.out.extend_from_slice(if float > 0.0 { b"+Inf" } else { b"-Inf" });
            }
        }
        if self.format == Format::OpenMetrics && !self.out[start..].iter().any(|b| matches!(b, b'.' | b'e')) {
            self.out.extend_from_slice(b".0");
        }
    }

    fn push_count(&mut self, count: u64) {
        push_u64(self.out, count);
        self.out.push(b'\n');
    }

    /// Nothing, and half a histogram behind it, if the format cannot carry it.
    fn push_explicit(&mut self, text: &mut HistogramText, histogram: &Explicit) -> Option<()> {
        let (&above, counts) = histogram.counts.split_last()?;
        let buckets = text.buckets(&histogram.bounds, self.format)?;
        if counts.len() != histogram.bounds.len() {
            return None;
        }
        let mut count = 0_u64;
        for (bucket, &in_bucket) in buckets.spans.iter().zip(counts) {
            count = count.checked_add(in_bucket)?;
            self.out.extend_from_slice(&buckets.texts[bucket.clone()]);
            self.push_count(count);
        }
        let lowest = histogram.bounds.first().copied();
        self.push_rest(text, lowest, count.checked_add(above)?, histogram.sum)
    }

    /// Nothing, and half a histogram behind it, if the format cannot carry it.
    fn push_exponential(&mut self, text: &HistogramText, histogram: &Exponential) -> Option<()> {
        let mut used = histogram.buckets().filter(|&(_, in_bucket)| in_bucket > 0).peekable();
        let lowest = used.peek().map(|&(bound, _)| bound);
        let mut count = 0_u64;
        while let Some((bound, in_bucket)) = used.next() {
            count = count.checked_add(in_bucket)?;
            // Buckets finer than floats have one line, and those beyond floats the one without a bound.
            let is_last = used.peek().is_none_or(|&(next, _)| next > bound);
            if is_last && bound < f64::INFINITY {
                self.push_bucket(text, bound.max(f64::MIN) + 0.0, count);
            }
        }
        self.push_rest(text, lowest, count, histogram.sum)
    }

    fn push_bucket(&mut self, text: &HistogramText, bound: f64, count: u64) {
        self.out.extend_from_slice(&text.bucket);
        push_bound(self.out, self.format, bound);
        self.out.extend_from_slice(b"\"} ");
        self.push_count(count);
    }

    /// The bucket without a bound, the sum and the count.
    fn push_rest(
        &mut self,
        text: &HistogramText,
        lowest: Option<f64>,
        count: u64,
        sum: Number,
    ) -> Option<()> {
        self.push_text(&text.last);
        self.push_count(count);
        let is_negative = lowest.is_some_and(|bound| bound < 0.0) || !is_count(sum);
        if self.format == Format::OpenMetrics && is_negative {
            return Some(());
        }
        self.push_sample(&text.sum, sum)?;
        self.push_text(&text.count);
        self.push_count(count);
        Some(())
    }
}

fn is_count(number: Number) -> bool {
    match number {
        Number::Int(int) => int >= 0,
        Number::Float(float) => float >= 0.0,
        Number::Decimal { .. } => true,
    }
}

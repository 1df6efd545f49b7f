//! What must hold of a run: `p95 < 500ms`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, de::Error};

use crate::figures::Figures;

/// One condition on the figures of a run.
///
/// ```
/// use barewire_runner::Threshold;
///
/// let threshold: Threshold = "p95 < 500ms".parse()?;
/// assert_eq!((threshold.limit(), threshold.to_string()), (500.0, "p95 < 500ms".to_owned()));
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold {
    figure: Figure,
    comparison: Comparison,
    limit: f64,
}

/// What a threshold said of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// In the unit of the threshold: ms, percent, or requests a second. `None` when nothing was measured.
    pub value: Option<f64>,
    /// Whether the threshold holds. It does not when nothing was measured.
    pub ok: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Figure {
    Avg,
    P50,
    P90,
    P95,
    P99,
    Max,
    ErrorRate,
    Throughput,
}

const FIGURES: [(&str, Figure, &str); 8] = [
    ("avg", Figure::Avg, "ms"),
    ("p50", Figure::P50, "ms"),
    ("p90", Figure::P90, "ms"),
    ("p95", Figure::P95, "ms"),
    ("p99", Figure::P99, "ms"),
    ("max", Figure::Max, "ms"),
    ("error_rate", Figure::ErrorRate, "%"),
    ("throughput", Figure::Throughput, "req/s"),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Less,
    AtMost,
    More,
    AtLeast,
}

/// The longer ones first: one is the beginning of another.
const COMPARISONS: [(&str, Comparison); 4] = [
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("<", Comparison::Less),
    (">", Comparison::More),
];

impl Threshold {
    /// The bound, in ms, percent, or requests a second.
    pub fn limit(&self) -> f64 {
        self.limit
    }

    /// What its limit and its values are in: `ms`, `%` or `req/s`.
    pub fn unit(&self) -> &'static str {
        self.figure.entry().1
    }

    /// Whether it holds of `figures`.
    ///
    /// Latencies are response times where the run has them, so that a target that stalls cannot hide it by
    /// holding the load back; service times otherwise.
    pub fn verdict(&self, figures: &Figures) -> Verdict {
        let value = self.figure.of(figures);
        Verdict { value, ok: value.is_some_and(|value| self.comparison.holds(value, self.limit)) }
    }
}

impl Figure {
    fn of(self, figures: &Figures) -> Option<f64> {
        match self {
            Figure::Avg => figures.judged().mean().map(ms),
            Figure::P50 => quantile_ms(figures, 0.5),
            Figure::P90 => quantile_ms(figures, 0.9),
            Figure::P95 => quantile_ms(figures, 0.95),
            Figure::P99 => quantile_ms(figures, 0.99),
            Figure::Max => quantile_ms(figures, 1.0),
            Figure::ErrorRate => figures.error_percent(),
            Figure::Throughput => figures.throughput(),
        }
    }

    fn entry(self) -> (&'static str, &'static str) {
        let known = FIGURES.iter().find(|(_, figure, _)| *figure == self);
        known.map_or(("", ""), |(name, _, unit)| (name, unit))
    }
}

fn quantile_ms(figures: &Figures, q: f64) -> Option<f64> {
    figures.judged().quantile(q).map(ms)
}

#[allow(clippy::cast_precision_loss)]
fn ms(ns: u64) -> f64 {
    ns as f64 / 1e6
}

impl Comparison {
    fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Comparison::Less => value < limit,
            Comparison::AtMost => value <= limit,
            Comparison::More => value > limit,
            Comparison::AtLeast => value >= limit,
        }
    }

    fn symbol(self) -> &'static str {
        COMPARISONS.iter().find(|(_, known)| *known == self).map_or("", |(symbol, _)| symbol)
    }
}

/// Reads `figure comparison limit`, the limit with or without its unit (`ms`, `%`, `req/s`) or, for a latency, as
/// a duration of any other unit.
impl FromStr for Threshold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text).ok_or_else(|| {
            format!(
                "'{text}' is not a threshold: write one of avg, p50, p90, p95, p99, max, error_rate, throughput, \
                 then <, <=, > or >=, then a limit, such as 'p95 < 500ms'"
            )
        })
    }
}

fn parse(text: &str) -> Option<Threshold> {
    let at = text.find(['<', '>'])?;
    let (name, rest) = (text[..at].trim(), &text[at..]);
    let (_, figure, unit) = FIGURES.iter().find(|(known, ..)| *known == name)?;
    let (symbol, comparison) = COMPARISONS.iter().find(|(symbol, _)| rest.starts_with(symbol))?;
    let limit = parse_limit(rest[symbol.len()..].trim(), unit)?;
    Some(Threshold { figure: *figure, comparison: *comparison, limit })
}

fn parse_limit(text: &str, unit: &str) -> Option<f64> {
    let number = text.strip_suffix(unit).unwrap_or(text).trim_end();
    let plain = number.starts_with(|c: char| c.is_ascii_digit()).then(|| number.parse().ok()).flatten();
    let duration_ms =
        || (unit == "ms").then(|| super::parse_duration(text).ok()).flatten().map(|d| d.as_secs_f64() * 1e3);
    plain.or_else(duration_ms).filter(|limit: &f64| limit.is_finite())
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, unit) = self.figure.entry();
        let space = if unit == "req/s" { " " } else { "" };
        write!(f, "{name} {} {}{space}{unit}", self.comparison.symbol(), self.limit)
    }
}

impl<'de> Deserialize<'de> for Threshold {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn thresholds_are_read_with_and_without_units() {
        for (text, expected) in [
            ("p95 < 500ms", "p95 < 500ms"),
            ("p95<500", "p95 < 500ms"),
            ("avg <= 1.5s", "avg <= 1500ms"),
            ("max<1m", "max < 60000ms"),
            (" error_rate <= 1% ", "error_rate <= 1%"),
            ("error_rate<0.5", "error_rate < 0.5%"),
            ("throughput > 100", "throughput > 100 req/s"),
            ("throughput >= 1e3 req/s", "throughput >= 1000 req/s"),
        ] {
            assert_eq!(
                text.parse::<Threshold>().map(|threshold| threshold.to_string()),
                Ok(expected.to_owned())
            );
        }
    }

    #[test]
    fn what_is_no_threshold_is_repeated() {
        for text in [
            "",
            "p95",
            "p95 500",
            "p95 = 5",
            "p97 < 5",
            "p95 < ",
            "p95 < x",
            "p95 < -1",
            "p95 < nan",
            "error_rate < 5ms",
            "p95 << 5",
            "< 5",
        ] {
            let refused = text.parse::<Threshold>().unwrap_err();
            assert!(refused.starts_with(&format!("'{text}' is not a threshold: ")), "{refused}");
        }
    }

    #[test]
    fn a_verdict_gives_the_value_and_whether_it_holds() {
        let mut figures =
            Figures { elapsed: Duration::from_secs(2), requests: 4, errors: 1, ..Figures::default() };
        (1..=4).for_each(|ms| figures.latency.record(ms * 1_000_000));
        let verdict = |text: &str| {
            let Verdict { value, ok } = text.parse::<Threshold>().unwrap().verdict(&figures);
            (value.map(|value| (value * 10.0).round() / 10.0), ok)
        };
        assert_eq!("throughput > 1".parse::<Threshold>().unwrap().unit(), "req/s");
        assert_eq!(verdict("avg < 2.5"), (Some(2.5), false));
        assert_eq!(verdict("avg <= 2.5"), (Some(2.5), true));
        assert_eq!(verdict("p50 < 2.1"), (Some(2.0), true));
        assert_eq!(verdict("max >= 4"), (Some(4.0), true));
        assert_eq!(verdict("error_rate <= 25%"), (Some(25.0), true));
        assert_eq!(verdict("throughput > 1.5"), (Some(1.5), false));
    }

    #[test]
    fn response_times_are_judged_where_there_are_any() {
        let mut figures = Figures::default();
        figures.latency.record(1_000_000);
        figures.response_time.record(900_000_000);
        assert!(!"max < 500".parse::<Threshold>().unwrap().verdict(&figures).ok);
    }

    #[test]
    fn a_run_that_measured_nothing_proves_nothing() {
        let nothing = Figures::default();
        for text in ["p95 < 500", "error_rate <= 100", "throughput >= 0"] {
            assert_eq!(
                text.parse::<Threshold>().unwrap().verdict(&nothing),
                Verdict { value: None, ok: false }
            );
        }
    }
}

//! What must hold of a run: `p95 < 500ms`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, de::Error};

use super::percent;
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

/// The verdict of a threshold on a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// The figure that was judged.
    pub measured: Measured,
    /// Whether the threshold holds. It holds of a [`Measured::Value`] alone.
    pub ok: bool,
}

/// The figure that a threshold judges.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Measured {
    /// There is nothing to judge yet.
    Nothing,
    /// A part of the data was folded into a series of others.
    Folded,
    /// The figure falls on a request that failed, which counts as slower than any limit.
    Failure,
    /// A figure in the unit of the threshold: ms, percent, or requests a second.
    Value(f64),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Figure {
    Mean,
    /// A percentile of all requests; the maximum is the hundredth.
    Percentile(f64),
    ErrorRate,
    Dropped,
    Throughput,
}

const FIGURES: [(&str, Figure, &str); 9] = [
    ("avg", Figure::Mean, "ms"),
    ("p50", Figure::Percentile(0.5), "ms"),
    ("p90", Figure::Percentile(0.9), "ms"),
    ("p95", Figure::Percentile(0.95), "ms"),
    ("p99", Figure::Percentile(0.99), "ms"),
    ("max", Figure::Percentile(1.0), "ms"),
    ("error_rate", Figure::ErrorRate, PERCENT),
    ("dropped", Figure::Dropped, PERCENT),
    ("throughput", Figure::Throughput, "req/s"),
];

const PERCENT: &str = "%";

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

    /// The unit of its limit and its values: `ms`, `%` or `req/s`.
    pub fn unit(&self) -> &'static str {
        self.figure.entry().1
    }

    /// Whether it judges how many arrivals were dropped.
    pub(crate) fn is_of_dropped(&self) -> bool {
        self.figure == Figure::Dropped
    }

    /// Judges `figures`.
    ///
    /// A percentile is one of all requests, and a request that failed counts as slower than any limit: `p95 < 500ms`
    /// holds if 95 % of all requests were answered with success within 500 ms. So does the maximum. The mean is that of
    /// the requests that succeeded. Without a success no limit of a latency holds, and none does of a percentile that
    /// falls on a failure, be it an upper or a lower one.
    ///
    /// Latencies are response times where the run has them, so that a target that stalls cannot hide it by
    /// holding the load back; service times otherwise.
    pub fn verdict(&self, figures: &Figures) -> Verdict {
        let measured = if figures.is_folded { Measured::Folded } else { self.figure.of(figures) };
        Verdict {
            measured,
            ok: measured.value().is_some_and(|value| self.comparison.holds(value, self.limit)),
        }
    }

    /// The figure that it judged, in words: `12.300ms`.
    pub fn tell(&self, measured: Measured) -> String {
        match measured {
            Measured::Nothing => "nothing measured".to_owned(),
            Measured::Folded => "not known, for some of its data were folded into other series".to_owned(),
            Measured::Failure => "falls on requests that failed, which are slower than any limit".to_owned(),
            Measured::Value(value) => format!("{value:.3}{}{}", space(self.unit()), self.unit()),
        }
    }
}

impl Measured {
    /// The figure, where there is one.
    pub fn value(self) -> Option<f64> {
        if let Measured::Value(value) = self { Some(value) } else { None }
    }
}

impl Figure {
    fn of(self, figures: &Figures) -> Measured {
        let known = |value: Option<f64>| value.map_or(Measured::Nothing, Measured::Value);
        match self {
            Figure::Mean => latency(figures, figures.judged().mean()),
            Figure::Percentile(q) => latency(figures, figures.quantile_of_all(q)),
            Figure::ErrorRate => known(figures.error_percent()),
            Figure::Dropped => known(figures.dropped_percent()),
            Figure::Throughput => known(figures.throughput()),
        }
    }

    fn entry(self) -> (&'static str, &'static str) {
        let known = FIGURES.iter().find(|(_, figure, _)| *figure == self);
        known.map_or(("", ""), |(name, _, unit)| (name, unit))
    }
}

/// A latency of a run whose requests may have failed, all of them even.
#[allow(clippy::cast_precision_loss, reason = "milliseconds are shown with three decimals")]
fn latency(figures: &Figures, ns: Option<u64>) -> Measured {
    match ns {
        Some(ns) => Measured::Value(ns as f64 / 1e6),
        None if figures.requests > 0 => Measured::Failure,
        None => Measured::Nothing,
    }
}

fn space(unit: &str) -> &'static str {
    if unit == "req/s" { " " } else { "" }
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

/// Reads `figure comparison limit`: a limit in percent with its unit, any other with or without (`ms`, `req/s`) or, for
/// a latency, as a duration of any other unit.
impl FromStr for Threshold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || {
            let names = FIGURES.map(|(name, ..)| name).join(", ");
            format!(
                "'{text}' is not a threshold: write one of {names}, then <, <=, > or >=, then a limit, such as \
                 'p95 < 500ms' or 'error_rate <= 1%'"
            )
        };
        let (name, figure, unit, comparison, limit) = parts(text).ok_or_else(refused)?;
        if unit == PERCENT
            && let Some(bare) = percent::parse_number(limit)
        {
            return Err(without_unit(text, &format!("{name} {}", comparison.symbol()), bare));
        }
        let limit = parse_limit(limit, unit).ok_or_else(refused)?;
        Ok(Threshold { figure, comparison, limit })
    }
}

/// The two things that a share without a unit may mean, each as it is to be written.
fn without_unit(text: &str, condition: &str, bare: f64) -> String {
    let meant = percent::spellings(bare).into_iter().flatten().map(|share| format!("'{condition} {share}'"));
    let meant: Vec<String> = meant.collect();
    format!("'{}' has no unit: write {}", text.trim(), meant.join(" or "))
}

fn parts(text: &str) -> Option<(&'static str, Figure, &'static str, Comparison, &str)> {
    let at = text.find(['<', '>'])?;
    let (name, rest) = (text[..at].trim(), &text[at..]);
    let (name, figure, unit) = FIGURES.iter().find(|(known, ..)| *known == name)?;
    let (symbol, comparison) = COMPARISONS.iter().find(|(symbol, _)| rest.starts_with(symbol))?;
    Some((name, *figure, unit, *comparison, rest[symbol.len()..].trim()))
}

fn parse_limit(text: &str, unit: &str) -> Option<f64> {
    let plain = || percent::parse_number(text.strip_suffix(unit).unwrap_or(text));
    let duration_ms =
        || (unit == "ms").then(|| super::parse_duration(text).ok()).flatten().map(|d| d.as_secs_f64() * 1e3);
    plain().or_else(duration_ms)
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, unit) = self.figure.entry();
        write!(f, "{name} {} {}{}{unit}", self.comparison.symbol(), self.limit, space(unit))
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

    fn verdict(text: &str, figures: &Figures) -> Verdict {
        text.parse::<Threshold>().unwrap().verdict(figures)
    }

    /// So many requests that took 1, 2, 3 … ms and succeeded, and so many that failed in a microsecond.
    fn figures(successes: u64, failures: u64) -> Figures {
        let requests = successes + failures;
        let mut figures = Figures { requests, errors: failures, ..Figures::default() };
        figures.elapsed = Duration::from_secs(2);
        (1..=successes).for_each(|ms| figures.latency.record(ms * 1_000_000));
        (0..failures).for_each(|_| figures.failed_latency.record(1_000));
        figures
    }

    #[test]
    fn thresholds_are_read_with_and_without_units() {
        for (text, expected) in [
            ("p95 < 500ms", "p95 < 500ms"),
            ("p95<500", "p95 < 500ms"),
            ("avg <= 1.5s", "avg <= 1500ms"),
            ("max<1m", "max < 60000ms"),
            (" error_rate <= 1% ", "error_rate <= 1%"),
            ("error_rate<0.5 %", "error_rate < 0.5%"),
            ("dropped < 1%", "dropped < 1%"),
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
    fn a_share_without_a_unit_is_refused_with_all_that_it_may_mean() {
        for (text, expected) in [
            (
                "error_rate < 0.06",
                "'error_rate < 0.06' has no unit: write 'error_rate < 0.06%' or 'error_rate < 6%'",
            ),
            (
                "error_rate<=0.07",
                "'error_rate<=0.07' has no unit: write 'error_rate <= 0.07%' or 'error_rate <= 7%'",
            ),
            ("error_rate <= 5", "'error_rate <= 5' has no unit: write 'error_rate <= 5%'"),
            ("error_rate <= 0", "'error_rate <= 0' has no unit: write 'error_rate <= 0%'"),
            ("dropped < 1", "'dropped < 1' has no unit: write 'dropped < 1%' or 'dropped < 100%'"),
        ] {
            assert_eq!(text.parse::<Threshold>(), Err(expected.to_owned()));
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
    fn a_verdict_gives_the_value_in_its_unit_and_whether_it_holds() {
        let figures = Figures { errors: 1, scheduled: 4, dropped: 1, ..figures(4, 0) };
        for (text, told, ok) in [
            ("avg < 2.5", "2.500ms", false),
            ("avg <= 2.5", "2.500ms", true),
            ("p50 < 2.1", "2.001ms", true),
            ("max >= 4", "4.000ms", true),
            ("error_rate <= 25%", "25.000%", true),
            ("dropped < 25%", "25.000%", false),
            ("throughput > 1.5", "1.500 req/s", false),
        ] {
            let threshold: Threshold = text.parse().unwrap();
            let Verdict { measured, ok: holds } = threshold.verdict(&figures);
            assert_eq!((threshold.tell(measured).as_str(), holds), (told, ok), "{text}");
        }
    }

    #[test]
    fn a_failure_is_slower_than_any_limit_of_a_percentile() {
        let figures = figures(90, 10);
        for (text, measured, ok) in [
            // The ninetieth of a hundred is the last one that succeeded.
            ("p90 < 91ms", Some(90.0), true),
            ("p90 < 90ms", Some(90.0), false),
            ("p50 < 51ms", Some(50.0), true),
            ("p95 < 1h", None, false),
            ("p99 < 1h", None, false),
            ("p95 > 1ms", None, false),
            ("max < 1h", None, false),
            ("max >= 0ms", None, false),
            // The mean is that of the successes.
            ("avg < 46ms", Some(45.0), true),
        ] {
            let verdict = verdict(text, &figures);
            let value = verdict.measured.value().map(f64::floor);
            assert_eq!((value, verdict.ok), (measured, ok), "{text}");
            assert_eq!(verdict.measured == Measured::Failure, measured.is_none(), "{text}");
        }
    }

    #[test]
    fn without_a_success_no_limit_of_a_latency_holds() {
        let figures = figures(0, 10);
        for text in ["avg < 1h", "p50 < 1h", "p99 > 0ms", "max < 1h", "avg >= 0ms"] {
            assert_eq!(verdict(text, &figures), Verdict { measured: Measured::Failure, ok: false }, "{text}");
        }
    }

    #[test]
    fn response_times_are_judged_where_there_are_any() {
        let mut figures = figures(1, 0);
        figures.response_time.record(900_000_000);
        assert!(!verdict("max < 500", &figures).ok);
    }

    #[test]
    fn a_run_that_measured_nothing_proves_nothing() {
        for text in ["p95 < 500", "error_rate <= 100%", "throughput >= 0", "dropped <= 100%"] {
            let expected = Verdict { measured: Measured::Nothing, ok: false };
            assert_eq!(verdict(text, &Figures::default()), expected, "{text}");
        }
    }

    #[test]
    fn what_was_not_measured_or_was_folded_keeps_no_threshold() {
        // Its durations are missing.
        let lost = Figures { requests: 2500, ..Figures::default() };
        assert_eq!(verdict("p95 < 1h", &lost), Verdict { measured: Measured::Failure, ok: false });
        let folded = Figures { is_folded: true, ..figures(4, 0) };
        for text in ["p95 < 1h", "error_rate <= 100%", "throughput >= 0"] {
            assert_eq!(verdict(text, &folded), Verdict { measured: Measured::Folded, ok: false }, "{text}");
        }
    }
}

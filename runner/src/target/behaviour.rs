//! How the embedded target answers: late, wrong, or not at all for a while.

use std::{f64::consts::TAU, fmt, str::FromStr, time::Duration};

use crate::{plan::parse_duration, rng::Rng};

/// How a [`Target`](super::Target) behaves. The default answers everything at once with 200.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Behaviour {
    /// How long each request waits for its answer.
    pub delay: Delay,
    /// The share of requests that are answered with 500, 0 to 100: the same ones in every run.
    pub errors: f64,
    /// When nothing is read or answered.
    pub stall: Option<Stall>,
}

/// How long an answer takes.
///
/// ```
/// use barewire_runner::Delay;
/// use std::time::Duration;
///
/// assert_eq!("5ms".parse(), Ok(Delay::Constant(Duration::from_millis(5))));
/// assert_eq!("exp(10ms)".parse(), Ok(Delay::Exponential(Duration::from_millis(10))));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delay {
    /// Always the same: `5ms`.
    Constant(Duration),
    /// Evenly spread: `1ms..10ms`.
    Uniform(Duration, Duration),
    /// Bell-shaped, with mean and standard deviation, and never below nothing: `normal(10ms,2ms)`.
    Normal(Duration, Duration),
    /// Mostly short and sometimes long, with this mean: `exp(10ms)`.
    Exponential(Duration),
}

impl Default for Delay {
    fn default() -> Self {
        Delay::Constant(Duration::ZERO)
    }
}

impl Delay {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub(super) fn sample_ns(self, rng: &mut Rng) -> u64 {
        match self {
            Delay::Constant(delay) => nanos(delay),
            Delay::Uniform(low, high) => rng.between(nanos(low), nanos(high)),
            // A float below zero becomes zero.
            Delay::Normal(mean, deviation) => (float_ns(mean) + float_ns(deviation) * bell(rng)) as u64,
            Delay::Exponential(mean) => (float_ns(mean) * -(1.0 - rng.ratio()).ln()) as u64,
        }
    }
}

/// The standard normal distribution, by Box and Muller.
fn bell(rng: &mut Rng) -> f64 {
    (-2.0 * (1.0 - rng.ratio()).ln()).sqrt() * (TAU * rng.ratio()).cos()
}

fn float_ns(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e9
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl FromStr for Delay {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse_delay(text.trim()).ok_or_else(|| {
            format!("'{text}' is not a delay: write 5ms, 1ms..10ms, normal(10ms,2ms) or exp(10ms)")
        })
    }
}

fn parse_delay(text: &str) -> Option<Delay> {
    let duration = |text: &str| parse_duration(text).ok();
    if let Some(inside) = text.strip_prefix("normal(").and_then(|rest| rest.strip_suffix(')')) {
        let (mean, deviation) = inside.split_once(',')?;
        return Some(Delay::Normal(duration(mean)?, duration(deviation)?));
    }
    if let Some(inside) = text.strip_prefix("exp(").and_then(|rest| rest.strip_suffix(')')) {
        return Some(Delay::Exponential(duration(inside)?));
    }
    match text.split_once("..") {
        Some((low, high)) => {
            let (low, high) = (duration(low)?, duration(high)?);
            (low <= high).then_some(Delay::Uniform(low, high))
        }
        None => duration(text).map(Delay::Constant),
    }
}

/// A target that does nothing for the last part of each period, counted from its start: `1s/5s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stall {
    stalled: Duration,
    period: Duration,
}

impl Stall {
    /// Stalled for the last `stalled` of each `period`; `None` if it would never do anything.
    pub fn new(stalled: Duration, period: Duration) -> Option<Self> {
        (stalled < period).then_some(Stall { stalled, period })
    }

    /// When the stall that holds at this time since the start is over.
    pub(super) fn until_ns(self, since_start_ns: u64) -> Option<u64> {
        let period = nanos(self.period);
        let phase = since_start_ns % period;
        (phase >= period - nanos(self.stalled)).then_some(since_start_ns - phase + period)
    }
}

impl FromStr for Stall {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let (stalled, period) = text.split_once('/')?;
            Stall::new(parse_duration(stalled).ok()?, parse_duration(period).ok()?)
        };
        parse().ok_or_else(|| {
            format!(
                "'{text}' is not a stall: write how long and how often, such as 1s/5s, the first one shorter"
            )
        })
    }
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}/{:?}", self.stalled, self.period)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn delays_are_read_as_they_are_written() {
        for (text, expected) in [
            ("5ms", Delay::Constant(5 * MS)),
            ("1ms..10ms", Delay::Uniform(MS, 10 * MS)),
            ("normal(10ms, 2ms)", Delay::Normal(10 * MS, 2 * MS)),
            ("exp(1.5s)", Delay::Exponential(1500 * MS)),
        ] {
            assert_eq!(text.parse(), Ok(expected));
        }
        for text in ["", "5", "10ms..1ms", "normal(1ms)", "exp(1ms", "exp 1ms"] {
            let refused = text.parse::<Delay>().unwrap_err();
            assert!(refused.starts_with(&format!("'{text}' is not a delay: ")), "{refused}");
        }
    }

    #[test]
    fn delays_spread_as_they_say() {
        let mean_ms = |text: &str| {
            let (delay, mut rng) = (text.parse::<Delay>().unwrap(), Rng::new(3));
            (0..100_000).map(|_| delay.sample_ns(&mut rng) as f64).sum::<f64>() / 1e11
        };
        for (text, expected) in [
            ("5ms", 5.0),
            ("1ms..10ms", 5.5),
            ("normal(10ms,2ms)", 10.0),
            ("exp(10ms)", 10.0),
            ("normal(0s,1ms)", 0.4),
        ] {
            let mean = mean_ms(text);
            assert!((mean - expected).abs() < 0.1, "{text}: {mean}");
        }
    }

    #[test]
    fn a_stall_takes_the_last_part_of_each_period() {
        let stall: Stall = "1s/5s".parse().unwrap();
        let s = 1_000_000_000;
        let until = [0, 4 * s - 1, 4 * s, 5 * s - 1, 5 * s, 9 * s].map(|at| stall.until_ns(at));
        assert_eq!(until, [None, None, Some(5 * s), Some(5 * s), None, Some(10 * s)]);
        for text in ["1s", "5s/5s", "6s/5s", "x/5s"] {
            assert!(text.parse::<Stall>().unwrap_err().starts_with(&format!("'{text}' is not a stall: ")));
        }
    }
}

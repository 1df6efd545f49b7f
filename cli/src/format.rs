//! Numbers as people read them.

use std::time::Duration;

use barewire::Distribution;

/// Nanoseconds with three significant digits: `812ns`, `1.23ms`, `45.6s`.
#[allow(clippy::cast_precision_loss, reason = "three digits are shown")]
pub(crate) fn time(ns: u64) -> String {
    let (value, unit) = match ns {
        0..1_000 => return format!("{ns}ns"),
        1_000..1_000_000 => (ns as f64 / 1e3, "us"),
        1_000_000..1_000_000_000 => (ns as f64 / 1e6, "ms"),
        _ => (ns as f64 / 1e9, "s"),
    };
    format!("{}{unit}", three_digits(value))
}

/// A time with three significant digits.
pub(crate) fn duration(duration: Duration) -> String {
    time(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}

/// A quantile of a distribution of nanoseconds, or a dash where there is none.
pub(crate) fn quantile(took: &Distribution, q: f64) -> String {
    took.quantile(q).map_or_else(|| "-".to_owned(), time)
}

/// Bytes with three significant digits: `12B`, `1.23kB`, `45.6MB`.
#[allow(clippy::cast_precision_loss, reason = "three digits are shown")]
pub(crate) fn bytes(count: u64) -> String {
    let (value, unit) = match count {
        0..1_000 => return format!("{count}B"),
        1_000..1_000_000 => (count as f64 / 1e3, "kB"),
        1_000_000..1_000_000_000 => (count as f64 / 1e6, "MB"),
        _ => (count as f64 / 1e9, "GB"),
    };
    format!("{}{unit}", three_digits(value))
}

/// A rate a second, without digits that say nothing: `0.0014`, `12.3`, `123457`.
pub(crate) fn rate(per_second: Option<f64>) -> String {
    match per_second {
        None => "-".to_owned(),
        Some(rate @ 100.0..) => format!("{rate:.0}"),
        // Three significant digits, and not those that are zero.
        Some(rate) if rate > 0.0 && rate < 1.0 => {
            format!("{}", format!("{rate:.2e}").parse().unwrap_or(rate))
        }
        Some(rate) => format!("{rate:.1}"),
    }
}

/// Seconds with one decimal, if it is one: `3.2 s`, `10 s`.
pub(crate) fn short(time: Duration) -> String {
    format!("{} s", (time.as_secs_f64() * 10.0).round() / 10.0)
}

/// Requests a second, at least so wide, and iterations a second where they are something else.
#[allow(clippy::cast_precision_loss, reason = "a plan has ten thousand steps at most")]
pub(crate) fn rates(requests: Option<f64>, steps: usize, width: usize) -> String {
    let requests_text = rate(requests);
    if steps < 2 {
        return format!("{requests_text:>width$} req/s");
    }
    let iterations = rate(requests.map(|requests| requests / steps as f64));
    let comma = if width == 0 { "," } else { "" };
    format!("{requests_text:>width$} requests/s{comma} {iterations:>width$} iterations/s")
}

/// Seconds with two decimals.
pub(crate) fn seconds(elapsed: Duration) -> String {
    format!("{:.2}s", elapsed.as_secs_f64())
}

fn three_digits(value: f64) -> String {
    match value {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_are_enough() {
        let times = [0, 999, 1_000, 12_345, 999_900, 1_234_567, 45_600_000_000].map(time);
        assert_eq!(times, ["0ns", "999ns", "1.00us", "12.3us", "1000us", "1.23ms", "45.6s"]);
        assert_eq!([12, 1_234, 45_600_000, 7_890_000_000].map(bytes), ["12B", "1.23kB", "45.6MB", "7.89GB"]);
        let rates = [None, Some(0.0), Some(0.0014), Some(0.5), Some(1.0 / 3.0), Some(12.34), Some(123_456.7)];
        assert_eq!(rates.map(rate), ["-", "0.0", "0.0014", "0.5", "0.333", "12.3", "123457"]);
        let told = [1, 3].map(|steps| super::rates(Some(600.0), steps, 0));
        assert_eq!(told, ["600 req/s", "600 requests/s, 200 iterations/s"]);
        let times = [0, 3_240, 10_000].map(|ms| short(Duration::from_millis(ms)));
        assert_eq!(times, ["0 s", "3.2 s", "10 s"]);
    }
}

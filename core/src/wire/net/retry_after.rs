//! `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date in one of three forms.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The longest pause that a receiver is granted, whatever it asks for.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);

const DAY_SECONDS: u64 = 24 * 60 * 60;
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// How long to wait from `now` on, at most [`MAX_RETRY_AFTER`]; a date in the past is no wait at all, and what
/// cannot be read is `None`.
pub(super) fn parse(value: &[u8], now: SystemTime) -> Option<Duration> {
    let value = std::str::from_utf8(value).ok()?.trim_ascii();
    let pause = if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        // Digits that do not fit are a number all the same.
        Duration::from_secs(value.parse().unwrap_or(u64::MAX))
    } else {
        let date = UNIX_EPOCH.checked_add(Duration::from_secs(parse_date(value)?))?;
        date.duration_since(now).unwrap_or_default()
    };
    Some(pause.min(MAX_RETRY_AFTER))
}

/// For `fuzz/`.
#[cfg(fuzzing)]
pub fn read_retry_after(value: &[u8], now: SystemTime) -> Option<Duration> {
    parse(value, now)
}

/// Seconds since 1970 (RFC 9110, section 5.6.7). The name of the day is not compared.
fn parse_date(date: &str) -> Option<u64> {
    let mut parts = [""; 6];
    let mut count = 0;
    for part in date.split([' ', ',', '-']).filter(|part| !part.is_empty()) {
        *parts.get_mut(count)? = part;
        count += 1;
    }
    match parts[..count] {
        // "Sun, 06 Nov 1994 08:49:37 GMT", and the "Sunday, 06-Nov-94 08:49:37 GMT" of old
        [_, day, month, year, time, "GMT"] => seconds(year, month, day, time),
        // "Sun Nov  6 08:49:37 1994"
        [_, month, day, time, year] => seconds(year, month, day, time),
        _ => None,
    }
}

fn seconds(year: &str, month: &str, day: &str, time: &str) -> Option<u64> {
    let year = match number(year)? {
        // Two digits are those of the nearest year; a pause does not reach across a century.
        short @ 0..70 => short + 2000,
        short @ 70..100 => short + 1900,
        year @ 1970..=9999 => year,
        _ => return None,
    };
    let month = MONTHS.iter().position(|name| *name == month)?;
    let day = number(day).filter(|day| (1..=31).contains(day))?;
    let mut clock = time.split(':').map(number);
    let (hours, minutes, seconds) = (clock.next()??, clock.next()??, clock.next()??);
    // 60 is a leap second.
    if clock.next().is_some() || hours > 23 || minutes > 59 || seconds > 60 {
        return None;
    }
    Some((days_before(year, month) + day - 1) * DAY_SECONDS + hours * 3600 + minutes * 60 + seconds)
}

fn number(digits: &str) -> Option<u64> {
    let is_number = (1..=4).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}

/// Days from 1970 to the first of a month, counted from 0.
fn days_before(year: u64, month: usize) -> u64 {
    const DAYS: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
    (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969)
        + DAYS[month]
        + u64::from(is_leap && month > 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_date_is_read_in_its_three_forms() {
        for (date, expected) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777),
            ("Sun Nov  6 08:49:37 1994", 784_111_777),
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Tue, 29 Feb 2000 12:00:00 GMT", 951_825_600),
            ("Wed, 01 Mar 2000 00:00:00 GMT", 951_868_800),
            ("Fri, 01 Mar 2024 00:00:00 GMT", 1_709_251_200),
            ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799),
            ("Monday, 01-Jan-69 00:00:00 GMT", 3_124_224_000),
        ] {
            assert_eq!(parse_date(date), Some(expected), "{date}");
        }
    }

    #[test]
    fn what_is_asked_for_is_granted_within_reason() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (value, expected) in [
            ("0", Some(0)),
            ("7", Some(7)),
            (" 120 ", Some(120)),
            ("3600", Some(3600)),
            ("3601", Some(3600)),
            ("18446744073709551615", Some(3600)),
            ("99999999999999999999999999", Some(3600)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sun, 06 Nov 1994 08:49:27 GMT", Some(0)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(3600)),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1.5", None),
            ("soon", None),
            ("Sun, 06 Nov 1994 08:49:37", None),
            ("Sun, 06 Nov 1994 08:49:37 CET", None),
            ("Sun, 06 Nov 1994 24:00:00 GMT", None),
            ("Sun, 00 Nov 1994 00:00:00 GMT", None),
            ("Sun, 06 Nov 99999 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37:00 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37 GMT GMT", None),
        ] {
            let expected = expected.map(Duration::from_secs);
            assert_eq!(parse(value.as_bytes(), now), expected, "{value}");
        }
        assert_eq!(parse(b"\xff", now), None);
    }

    proptest! {
        #[test]
        fn the_days_of_a_year_follow_each_other(year in 1970..9999_u64) {
            prop_assert!([365, 366].contains(&(days_before(year + 1, 0) - days_before(year, 0))));
            for month in 1..12 {
                prop_assert!((28..=31).contains(&(days_before(year, month) - days_before(year, month - 1))));
            }
        }

        #[test]
        fn every_pause_is_within_reason(
            value in prop_oneof![
                "\\PC{0,40}",
                "[0-9]{1,24}",
                "[A-Z][a-z]{2}, [012][1-8] (Feb|Jun|Dec) (19[7-9]|[2-9][0-9]{2})[0-9] [01][0-9]:[0-5][0-9]:[0-5][0-9] GMT",
            ],
        ) {
            prop_assert!(parse(value.as_bytes(), UNIX_EPOCH).is_none_or(|pause| pause <= MAX_RETRY_AFTER));
        }
    }
}

//! Durations as people write them: `10s`, `1m30s`, `250ms`.

use std::{fmt, time::Duration};

use serde::{
    Deserializer,
    de::{Error, Visitor},
};

/// The units, with their nanoseconds.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// The longest duration: with room for some of them in a row.
const LONGEST: Duration = Duration::from_hours(365 * 24);

/// Reads a duration: numbers, each with its unit (`ns`, `us`, `ms`, `s`, `m`, `h`, `d`), one behind the other.
/// A number may have a decimal point. At most a year.
///
/// ```
/// use std::time::Duration;
///
/// assert_eq!(barewire_runner::parse_duration("1m30s"), Ok(Duration::from_secs(90)));
/// assert!(barewire_runner::parse_duration("90").is_err());
/// ```
///
/// # Errors
/// A sentence that repeats the text and says how a duration is written.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let refused =
        || format!("'{text}' is not a duration: write a number and a unit, such as 10s, 1m30s or 250ms");
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    while {
        let (part, behind) = first_part(rest).ok_or_else(refused)?;
        total = total.checked_add(part).ok_or_else(refused)?;
        rest = behind;
        !rest.is_empty()
    } {}
    if total > LONGEST {
        return Err(format!("'{text}' is too long for a duration: a year is the most"));
    }
    Ok(total)
}

/// One number with its unit, and what stands behind it.
fn first_part(text: &str) -> Option<(Duration, &str)> {
    let (number, rest) = text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != '.')?);
    let (symbol, rest) = rest.split_at(rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len()));
    let (_, unit_ns) = UNITS.iter().find(|(unit, _)| *unit == symbol.trim())?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let whole_ns = whole.parse::<u64>().ok()?.checked_mul(*unit_ns)?;
    Some((Duration::from_nanos(whole_ns.checked_add(fraction_ns(fraction, *unit_ns)?)?), rest))
}

/// The digits behind a decimal point, below a nanosecond cut off.
fn fraction_ns(digits: &str, unit_ns: u64) -> Option<u64> {
    let value: u64 = digits.parse().ok()?;
    let scale = 10_u128.checked_pow(u32::try_from(digits.len()).ok()?)?;
    u64::try_from(u128::from(value) * u128::from(unit_ns) / scale).ok()
}

/// For `#[serde(deserialize_with)]`.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    from.deserialize_any(DurationVisitor)
}

struct DurationVisitor;

impl Visitor<'_> for DurationVisitor {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#"a duration such as "10s""#)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
        parse_duration(text).map_err(E::custom)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Duration, E> {
        Err(E::custom(without_unit(number)))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Duration, E> {
        Err(E::custom(without_unit(number)))
    }
}

/// A number that may be meant in seconds or in milliseconds, as other tools have it.
pub(super) fn without_unit(number: impl fmt::Display) -> String {
    format!("{number} has no unit: write \"{number}s\" or \"{number}ms\"")
}

/// The same for a field that may be left out.
pub(super) fn deserialize_some<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    deserialize(from).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, expected) in [
            ("10s", Duration::from_secs(10)),
            ("1m30s", Duration::from_secs(90)),
            ("1h 2m 3s", Duration::from_secs(3723)),
            ("250ms", Duration::from_millis(250)),
            ("1.5s", Duration::from_millis(1500)),
            ("0.0000000019s", Duration::from_nanos(1)),
            ("7us", Duration::from_micros(7)),
            ("7µs", Duration::from_micros(7)),
            ("0s", Duration::ZERO),
            ("365d", LONGEST),
        ] {
            assert_eq!(parse_duration(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_repeated_and_explained() {
        for text in [
            "",
            "10",
            "s",
            "-1s",
            "1 fortnight",
            "1s2",
            ".5s",
            "1.s",
            "1e3s",
            "99999999999999999999s",
            "1..2s",
        ] {
            let expected =
                format!("'{text}' is not a duration: write a number and a unit, such as 10s, 1m30s or 250ms");
            assert_eq!(parse_duration(text), Err(expected));
        }
        assert_eq!(
            parse_duration("366d"),
            Err("'366d' is too long for a duration: a year is the most".to_owned())
        );
    }
}

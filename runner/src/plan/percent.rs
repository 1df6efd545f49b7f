//! Shares in percent, always with their unit: 0.06 may be meant as 6 %.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, de::Error};

/// A share, 0 to 100 percent, written with its unit: `1%`.
///
/// ```
/// use barewire_runner::Percent;
///
/// assert_eq!("0.5 %".parse::<Percent>().map(Percent::value), Ok(0.5));
/// assert_eq!("0.06".parse::<Percent>().unwrap_err(), "'0.06' has no unit: write '0.06%', or '6%' if 0.06 is a share of 1");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Percent(f64);

impl Percent {
    /// The number before the sign.
    pub fn value(self) -> f64 {
        self.0
    }
}

impl FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("'{text}' is not a share: write 0% to 100%, such as 1%");
        let Some(number) = text.trim().strip_suffix('%') else {
            let bare = parse_number(text).ok_or_else(refused)?;
            let [first, second] = spellings(bare);
            let or =
                second.map_or_else(String::new, |share| format!(", or '{share}' if {bare} is a share of 1"));
            return Err(format!("'{}' has no unit: write '{}'{or}", text.trim(), first.unwrap_or_default()));
        };
        let share = parse_number(number).filter(|share| (0.0..=100.0).contains(share));
        share.map(Percent).ok_or_else(refused)
    }
}

/// What a number without a unit may mean: percent, or, up to 1, a share of 1.
pub(super) fn spellings(bare: f64) -> [Option<String>; 2] {
    // Two decimals more than the share, for 0.07 of 1 is 7.000000000000001 otherwise.
    let percent = (bare * 1e2 * 1e9).round() / 1e9;
    [Some(format!("{bare}%")), (bare > 0.0 && bare <= 1.0).then(|| format!("{percent}%"))]
}

/// A plain number that is not negative.
pub(super) fn parse_number(text: &str) -> Option<f64> {
    let text = text.trim();
    let number = text.starts_with(|c: char| c.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    number.filter(|number: &f64| number.is_finite())
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl serde::de::Visitor<'_> for Visitor {
            type Value = Percent;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a share with its unit, such as \"1%\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Percent, E> {
                text.parse().map_err(E::custom)
            }

            // A number without a unit is refused with what it may mean.
            fn visit_f64<E: Error>(self, number: f64) -> Result<Percent, E> {
                number.to_string().parse().map_err(E::custom)
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Percent, E> {
                number.to_string().parse().map_err(E::custom)
            }
        }

        from.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_has_its_unit_and_is_none_to_all() {
        for (text, expected) in [("0%", 0.0), (" 1 % ", 1.0), ("0.25%", 0.25), ("100%", 100.0)] {
            assert_eq!(text.parse(), Ok(Percent(expected)), "{text}");
        }
        for text in ["", "%", "101%", "-1%", "x", "nan%", "1%%"] {
            let refused = text.parse::<Percent>().unwrap_err();
            assert!(refused.starts_with(&format!("'{text}' is not a share: ")), "{refused}");
        }
        assert_eq!("5".parse::<Percent>().unwrap_err(), "'5' has no unit: write '5%'");
        assert_eq!(
            "0.07".parse::<Percent>().unwrap_err(),
            "'0.07' has no unit: write '0.07%', or '7%' if 0.07 is a share of 1"
        );
    }

    #[test]
    fn a_share_in_json_has_its_unit_too() {
        let read = |text: &str| serde_json::from_str::<Percent>(text).map_err(|error| error.to_string());
        assert_eq!(read(r#""2.5%""#), Ok(Percent(2.5)));
        for (text, expected) in [
            ("0.06", "'0.06' has no unit: write '0.06%', or '6%' if 0.06 is a share of 1"),
            ("100", "'100' has no unit: write '100%'"),
            ("null", "expected a share with its unit, such as \"1%\""),
        ] {
            let refused = read(text).unwrap_err();
            assert!(refused.contains(expected), "{refused}");
        }
    }
}

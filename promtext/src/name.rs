//! Names as Prometheus takes them: escaping schemes, unit suffixes, label names.

use std::{borrow::Cow, fmt::Write as _};

use barewire::{Metric, Unit};

/// How a name outside `[a-zA-Z_:][a-zA-Z0-9_:]*` is written, by the names that Prometheus gives these schemes in
/// `Accept: …;escaping=…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Escaping {
    /// Every other character becomes `_`. Not reversible.
    #[default]
    Underscores,
    /// `.` becomes `_dot_`, `_` and every other character `__`, in valid names as well.
    Dots,
    /// `U__` and then `_` as `__`, every other character as its code point: `_2e_`. Reversible.
    Values,
    /// Nothing is escaped; such a name stands in quotes, inside the braces.
    AllowUtf8,
}

impl Escaping {
    /// `name` under this scheme. The empty name stays empty.
    ///
    /// ```
    /// use barewire_promtext::Escaping;
    ///
    /// assert_eq!(Escaping::Underscores.escape("http.requests"), "http_requests");
    /// assert_eq!(Escaping::Dots.escape("http.requests"), "http_dot_requests");
    /// assert_eq!(Escaping::Values.escape("http.requests"), "U__http_2e_requests");
    /// ```
    pub fn escape(self, name: &str) -> Cow<'_, str> {
        match self {
            Escaping::AllowUtf8 => Cow::Borrowed(name),
            Escaping::Dots => Cow::Owned(dots(name)),
            _ if is_valid(name) => Cow::Borrowed(name),
            Escaping::Underscores => Cow::Owned(
                name.char_indices().map(|(at, c)| if is_name_char(at, c) { c } else { '_' }).collect(),
            ),
            Escaping::Values => Cow::Owned(values(name)),
        }
    }
}

/// The name of the family that shows `metric`, without `_total`: escaped, and ending in the unit.
///
/// Empty if the metric has no name; such a metric cannot be shown.
pub(crate) fn family(metric: &Metric, is_counter: bool) -> String {
    let mut name = Escaping::Underscores.escape(&metric.name).into_owned();
    if name.is_empty() {
        return name;
    }
    if is_counter && name.len() > TOTAL.len() && name.ends_with(TOTAL) {
        name.truncate(name.len() - TOTAL.len());
    }
    let unit = unit_suffix(&metric.unit);
    // A vocabulary may end its names in the symbol: `latency_ms` has said what it counts.
    let is_said = name == unit || has_suffix(&name, &unit) || has_suffix(&name, metric.unit.symbol());
    if !unit.is_empty() && !is_said {
        name.push('_');
        name.push_str(&unit);
    }
    name
}

/// What the sample of a counter ends in.
pub(crate) const TOTAL: &str = "_total";

/// Whether `name` ends in `_` and `suffix`.
pub(crate) fn has_suffix(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('_'))
}

/// A label's name: `[a-zA-Z_][a-zA-Z0-9_]*`, and none that Prometheus keeps for itself: `__` and anything behind
/// it, and `le` on a histogram. Those get the prefix that Prometheus itself uses on a collision.
pub(crate) fn label(key: &str, is_histogram: bool) -> String {
    let name = Escaping::Underscores.escape(key).replace(':', "_");
    if name.is_empty() {
        return "_".to_owned();
    }
    let is_reserved = name.starts_with("__") || (is_histogram && name == "le");
    if is_reserved { format!("exported_{name}") } else { name }
}

/// The word that a unit adds to a name; empty if none.
///
/// The OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility", gives the rules: UCUM symbols are
/// spelled out, text in braces is dropped, `a/b` is `a_per_b`. It also calls every gauge of the unit `1` a `ratio`;
/// here that adds nothing, because a number of users is none.
pub(crate) fn unit_suffix(unit: &Unit) -> String {
    let symbol = unit.symbol();
    if symbol == "1" {
        return String::new();
    }
    let (counted, per) = symbol.split_once('/').unwrap_or((symbol, ""));
    let counted = unit_word(counted, UNITS);
    let per = unit_word(per, PER_UNITS);
    match (counted.is_empty(), per.is_empty()) {
        (_, true) => counted,
        (true, false) => format!("per_{per}"),
        (false, false) => format!("{counted}_per_{per}"),
    }
}

const UNITS: &[(&str, &str)] = &[
    ("d", "days"),
    ("h", "hours"),
    ("min", "minutes"),
    ("s", "seconds"),
    ("ms", "milliseconds"),
    ("us", "microseconds"),
    ("ns", "nanoseconds"),
    ("By", "bytes"),
    ("KiBy", "kibibytes"),
    ("MiBy", "mebibytes"),
    ("GiBy", "gibibytes"),
    ("TiBy", "tibibytes"),
    ("KBy", "kilobytes"),
    ("MBy", "megabytes"),
    ("GBy", "gigabytes"),
    ("TBy", "terabytes"),
    ("m", "meters"),
    ("V", "volts"),
    ("A", "amperes"),
    ("J", "joules"),
    ("W", "watts"),
    ("g", "grams"),
    ("Cel", "celsius"),
    ("Hz", "hertz"),
    ("%", "percent"),
    ("1", ""),
];

const PER_UNITS: &[(&str, &str)] = &[
    ("s", "second"),
    ("m", "minute"),
    ("h", "hour"),
    ("d", "day"),
    ("w", "week"),
    ("mo", "month"),
    ("y", "year"),
];

fn unit_word(symbol: &str, words: &[(&str, &str)]) -> String {
    let symbol = match (symbol.find('{'), symbol.find('}')) {
        (Some(open), Some(close)) if open < close => [&symbol[..open], &symbol[close + 1..]].concat(),
        _ => symbol.to_owned(),
    };
    if let Some((_, word)) = words.iter().find(|(known, _)| *known == symbol) {
        return (*word).to_owned();
    }
    let word: String = symbol.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    word.trim_matches('_').to_owned()
}

fn is_valid(name: &str) -> bool {
    name.char_indices().all(|(at, c)| is_name_char(at, c))
}

fn is_name_char(at: usize, c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || c == ':' || (c.is_ascii_digit() && at > 0)
}

fn dots(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len() * 2);
    for (at, c) in name.char_indices() {
        match c {
            '.' => escaped.push_str("_dot_"),
            c if c != '_' && is_name_char(at, c) => escaped.push(c),
            _ => escaped.push_str("__"),
        }
    }
    escaped
}

fn values(name: &str) -> String {
    let mut escaped = String::from("U__");
    for (at, c) in name.char_indices() {
        match c {
            '_' => escaped.push_str("__"),
            c if is_name_char(at, c) => escaped.push(c),
            c => write!(escaped, "_{:x}_", u32::from(c)).expect("a string takes every write"),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_scheme_writes_what_prometheus_writes() {
        for (scheme, name, expected) in [
            (Escaping::Underscores, "1a", "_a"),
            (Escaping::Underscores, "a.b/c", "a_b_c"),
            (Escaping::Underscores, "a:b_c9", "a:b_c9"),
            (Escaping::Underscores, "é", "_"),
            (Escaping::Underscores, "", ""),
            (Escaping::Dots, "a/b", "a__b"),
            (Escaping::Dots, "a.b_c", "a_dot_b__c"),
            (Escaping::Dots, "1a", "__a"),
            (Escaping::Values, "a.b", "U__a_2e_b"),
            (Escaping::Values, "a_b", "a_b"),
            (Escaping::Values, "a_b.c", "U__a__b_2e_c"),
            (Escaping::Values, "é", "U___e9_"),
            (Escaping::Values, "1a", "U___31_a"),
            (Escaping::AllowUtf8, "a.b", "a.b"),
        ] {
            assert_eq!(scheme.escape(name), expected, "{scheme:?} {name}");
        }
    }

    #[test]
    fn a_family_ends_in_its_unit_once() {
        for (name, unit, expected) in [
            ("m", Unit::None, "m"),
            ("took", Unit::Seconds, "took_seconds"),
            ("took_seconds", Unit::Seconds, "took_seconds"),
            ("seconds", Unit::Seconds, "seconds"),
            ("took", Unit::Milliseconds, "took_milliseconds"),
            ("took.ms", Unit::Milliseconds, "took_ms"),
            ("items", Unit::Milliseconds, "items_milliseconds"),
            ("body.size", Unit::Bytes, "body_size_bytes"),
            ("cpu", Unit::Percent, "cpu_percent"),
            ("users", Unit::One, "users"),
            ("http.throughput", Unit::Other("req/s".into()), "http_throughput_req_per_second"),
            ("queue", Unit::Other("{request}".into()), "queue"),
            ("rate", Unit::Other("{request}/s".into()), "rate_per_second"),
            ("speed", Unit::Other("By/s".into()), "speed_bytes_per_second"),
            ("odd", Unit::Other("}a b{\n".into()), "odd_a_b"),
            ("odd", Unit::Other("///".into()), "odd"),
            ("", Unit::Seconds, ""),
        ] {
            assert_eq!(family(&Metric::new(name).unit(unit.clone()), false), expected, "{name} {unit:?}");
        }
    }

    #[test]
    fn a_counter_s_family_is_named_without_total() {
        for (name, unit, expected) in [
            ("hits", Unit::One, "hits"),
            ("hits_total", Unit::None, "hits"),
            ("sent_total", Unit::Bytes, "sent_bytes"),
            ("sent_bytes_total", Unit::Bytes, "sent_bytes"),
            ("_total", Unit::None, "_total"),
        ] {
            assert_eq!(family(&Metric::new(name).unit(unit), true), expected, "{name}");
        }
    }

    #[test]
    fn labels_have_no_colon_and_no_name_that_prometheus_reads_itself() {
        for (key, expected) in [
            ("http.route", "http_route"),
            ("a:b.c", "a_b_c"),
            ("a:b", "a_b"),
            ("1a", "_a"),
            ("", "_"),
            ("__name__", "exported___name__"),
            ("..name..", "exported___name__"),
            ("__", "exported___"),
            ("_a", "_a"),
            ("le", "exported_le"),
        ] {
            assert_eq!(label(key, true), expected);
        }
        assert_eq!(label("le", false), "le");
    }

    proptest! {
        #[test]
        fn every_scheme_but_utf8_leaves_a_valid_name(name in ".{1,20}") {
            for scheme in [Escaping::Underscores, Escaping::Dots, Escaping::Values] {
                let escaped = scheme.escape(&name);
                prop_assert!(is_valid(&escaped) && !escaped.is_empty(), "{:?} {}", scheme, escaped);
            }
        }

        #[test]
        fn every_label_has_a_valid_name(key in ".{0,20}", is_histogram: bool) {
            let name = label(&key, is_histogram);
            prop_assert!(is_valid(&name) && !name.is_empty() && !name.contains(':'), "{}", name);
        }
    }
}

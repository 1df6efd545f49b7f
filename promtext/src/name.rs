//! Names as Prometheus takes them: escaping schemes, unit suffixes, label names.

use std::{borrow::Cow, fmt::Write as _, str::FromStr};

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
    /// Such a name stands in quotes, inside the braces. Only control characters, which not every reader takes there,
    /// become `_`.
    AllowUtf8,
}

impl Escaping {
    /// Every scheme, in the order of their numbers.
    pub(crate) const ALL: [Escaping; 4] =
        [Escaping::Underscores, Escaping::Dots, Escaping::Values, Escaping::AllowUtf8];

    /// What the parameter `escaping` calls it.
    ///
    /// ```
    /// use barewire_promtext::Escaping;
    ///
    /// assert_eq!(Escaping::AllowUtf8.name(), "allow-utf-8");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Escaping::Underscores => "underscores",
            Escaping::Dots => "dots",
            Escaping::Values => "values",
            Escaping::AllowUtf8 => "allow-utf-8",
        }
    }

    /// `name` of a metric under this scheme. The empty name stays empty.
    ///
    /// ```
    /// use barewire_promtext::Escaping;
    ///
    /// assert_eq!(Escaping::Underscores.escape("http.requests"), "http_requests");
    /// assert_eq!(Escaping::Dots.escape("http.requests"), "http_dot_requests");
    /// assert_eq!(Escaping::Values.escape("http.requests"), "U__http_2e_requests");
    /// ```
    pub fn escape(self, name: &str) -> Cow<'_, str> {
        self.escape_with(name, is_name_char)
    }

    /// `is_char` says what may stand at a place.
    fn escape_with(self, name: &str, is_char: fn(usize, char) -> bool) -> Cow<'_, str> {
        let is_valid = || name.char_indices().all(|(at, c)| is_char(at, c));
        match self {
            Escaping::AllowUtf8 => utf8(name),
            Escaping::Dots => Cow::Owned(dots(name, is_char)),
            _ if is_valid() => Cow::Borrowed(name),
            Escaping::Underscores => {
                Cow::Owned(name.char_indices().map(|(at, c)| if is_char(at, c) { c } else { '_' }).collect())
            }
            Escaping::Values => Cow::Owned(values(name, is_char)),
        }
    }
}

/// The name by its parameter, and a message that lists them all where there is none of it.
impl FromStr for Escaping {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Escaping::ALL.into_iter().find(|scheme| scheme.name() == name);
        known.ok_or_else(|| {
            let names = Escaping::ALL.map(Escaping::name).join(", ");
            format!("there is no escaping '{}': choose one of {names}", name.escape_debug())
        })
    }
}

/// The name of the series that shows `metric`: ending in the unit, and `_total` for a counter, and escaped as a whole,
/// as Prometheus' own libraries do it.
///
/// Which of the endings the metric's name has already does not depend on the scheme: whatever would be `_` among
/// [`Escaping::Underscores`] may stand before one. Empty if the metric has no name; such a metric cannot be shown.
pub(crate) fn family(metric: &Metric, is_counter: bool, escaping: Escaping) -> String {
    let mut name = &*metric.name;
    if name.is_empty() {
        return String::new();
    }
    if is_counter {
        name = without_word(name, &TOTAL[1..]).filter(|rest| !rest.is_empty()).unwrap_or(name);
    }
    let unit = unit_suffix(&metric.unit);
    let mut name = name.to_owned();
    // A vocabulary may end its names in the symbol: `latency_ms` has said what it counts.
    let is_said = |word: &str| name == word || without_word(&name, word).is_some();
    if !unit.is_empty() && !is_said(&unit) && !is_said(metric.unit.symbol()) {
        name.push('_');
        name.push_str(&unit);
    }
    if is_counter {
        name.push_str(TOTAL);
    }
    escaping.escape(&name).into_owned()
}

/// What the sample of a counter ends in.
pub(crate) const TOTAL: &str = "_total";

/// Whether `name` ends in `_` and `suffix`.
pub(crate) fn has_suffix(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('_'))
}

/// What stands before `word` and the one character that keeps it apart, if `name` ends so.
fn without_word<'n>(name: &'n str, word: &str) -> Option<&'n str> {
    let rest = name.strip_suffix(word)?;
    let (at, c) = rest.char_indices().next_back()?;
    (c == '_' || !is_name_char(at, c)).then(|| &rest[..at])
}

/// A label's name: `[a-zA-Z_][a-zA-Z0-9_]*` unless the scheme allows all, and none that Prometheus keeps for itself:
/// `__` and anything behind it, and `le` on a histogram. Those get the prefix that Prometheus itself uses on a
/// collision.
pub(crate) fn label(key: &str, is_histogram: bool, escaping: Escaping) -> String {
    let name = escaping.escape_with(key, is_label_char).into_owned();
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

/// Whether it is the name of a metric that needs no quotes.
pub(crate) fn is_metric_name(name: &str) -> bool {
    !name.is_empty() && name.char_indices().all(|(at, c)| is_name_char(at, c))
}

/// Whether it is the name of a label that needs no quotes.
pub(crate) fn is_label_name(name: &str) -> bool {
    !name.is_empty() && name.char_indices().all(|(at, c)| is_label_char(at, c))
}

fn is_name_char(at: usize, c: char) -> bool {
    c == ':' || is_label_char(at, c)
}

fn is_label_char(at: usize, c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || (c.is_ascii_digit() && at > 0)
}

fn utf8(name: &str) -> Cow<'_, str> {
    if name.contains(char::is_control) {
        Cow::Owned(name.replace(char::is_control, "_"))
    } else {
        Cow::Borrowed(name)
    }
}

fn dots(name: &str, is_char: fn(usize, char) -> bool) -> String {
    let mut escaped = String::with_capacity(name.len() * 2);
    for (at, c) in name.char_indices() {
        match c {
            '.' => escaped.push_str("_dot_"),
            c if c != '_' && is_char(at, c) => escaped.push(c),
            _ => escaped.push_str("__"),
        }
    }
    escaped
}

fn values(name: &str, is_char: fn(usize, char) -> bool) -> String {
    let mut escaped = String::from("U__");
    for (at, c) in name.char_indices() {
        match c {
            '_' => escaped.push_str("__"),
            c if is_char(at, c) => escaped.push(c),
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
            (Escaping::AllowUtf8, "\"a\\b\n\"", "\"a\\b_\""),
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
            let metric = Metric::new(name).unit(unit.clone());
            assert_eq!(family(&metric, false, Escaping::Underscores), expected, "{name} {unit:?}");
        }
    }

    #[test]
    fn a_counter_ends_in_total_once_and_behind_its_unit() {
        for (name, unit, expected) in [
            ("hits", Unit::One, "hits_total"),
            ("hits_total", Unit::None, "hits_total"),
            ("hits.total", Unit::None, "hits_total"),
            ("sent_total", Unit::Bytes, "sent_bytes_total"),
            ("sent_bytes_total", Unit::Bytes, "sent_bytes_total"),
            ("_total", Unit::None, "_total_total"),
            ("\u{e9}total", Unit::None, "_total_total"),
        ] {
            let metric = Metric::new(name).unit(unit);
            assert_eq!(family(&metric, true, Escaping::Underscores), expected, "{name}");
        }
    }

    #[test]
    fn a_name_is_escaped_with_its_endings() {
        for (scheme, counter, histogram) in [
            (Escaping::Underscores, "http_sent_bytes_total", "took_seconds"),
            (Escaping::Dots, "http_dot_sent__bytes__total", "took_dot_seconds"),
            (Escaping::Values, "U__http_2e_sent__bytes__total", "U__took_2e_seconds"),
            (Escaping::AllowUtf8, "http.sent_bytes_total", "took.seconds"),
        ] {
            let sent = Metric::new("http.sent.total").unit(Unit::Bytes);
            assert_eq!(family(&sent, true, scheme), counter);
            assert_eq!(family(&Metric::new("took.seconds").unit(Unit::Seconds), false, scheme), histogram);
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
            assert_eq!(label(key, true, Escaping::Underscores), expected);
        }
        assert_eq!(label("le", false, Escaping::Underscores), "le");
    }

    #[test]
    fn labels_are_escaped_by_the_scheme_too() {
        for (scheme, key, expected) in [
            (Escaping::Dots, "http.route", "http_dot_route"),
            (Escaping::Dots, "a:b", "a__b"),
            (Escaping::Dots, "_a", "exported___a"),
            (Escaping::Values, "http.route", "U__http_2e_route"),
            (Escaping::Values, "a:b", "U__a_3a_b"),
            (Escaping::Values, "__name__", "exported___name__"),
            (Escaping::AllowUtf8, "http.route", "http.route"),
            (Escaping::AllowUtf8, "a\0b\n", "a_b_"),
            (Escaping::AllowUtf8, "__name__", "exported___name__"),
            (Escaping::AllowUtf8, "", "_"),
            (Escaping::AllowUtf8, "le", "exported_le"),
        ] {
            assert_eq!(label(key, true, scheme), expected, "{scheme:?} {key}");
        }
    }

    #[test]
    fn a_scheme_is_found_by_its_name() {
        for scheme in Escaping::ALL {
            assert_eq!(scheme.name().parse(), Ok(scheme));
        }
        assert_eq!(
            "Dots".parse::<Escaping>().unwrap_err(),
            "there is no escaping 'Dots': choose one of underscores, dots, values, allow-utf-8"
        );
    }

    /// As Prometheus reads the scheme `values` back.
    fn unescaped(name: &str) -> Option<String> {
        let Some(mut rest) = name.strip_prefix("U__") else { return Some(name.to_owned()) };
        let mut plain = String::new();
        while let Some(at) = rest.find('_') {
            plain.push_str(&rest[..at]);
            let (code, after) = rest[at + 1..].split_once('_')?;
            plain.push(match code {
                "" => '_',
                code => char::from_u32(u32::from_str_radix(code, 16).ok()?)?,
            });
            rest = after;
        }
        Some(plain + rest)
    }

    proptest! {
        #[test]
        fn every_scheme_but_utf8_leaves_a_valid_name(name in ".{1,20}") {
            for scheme in [Escaping::Underscores, Escaping::Dots, Escaping::Values] {
                let escaped = scheme.escape(&name);
                prop_assert!(is_metric_name(&escaped), "{:?} {}", scheme, escaped);
            }
        }

        #[test]
        fn values_can_be_read_back(name in "\\PC{0,8}|[a_.:1]{0,8}") {
            prop_assume!(!name.starts_with("U__"));
            prop_assert_eq!(unescaped(&Escaping::Values.escape(&name)), Some(name.clone()));
        }

        #[test]
        fn every_label_has_a_valid_name(key in ".{0,20}", is_histogram: bool) {
            for scheme in [Escaping::Underscores, Escaping::Dots, Escaping::Values] {
                let name = label(&key, is_histogram, scheme);
                prop_assert!(is_label_name(&name), "{}", name);
            }
        }
    }
}

//! What a scraper is sent, by what it says that it takes: its `Accept` and `Accept-Encoding` (RFC 9110, section 12.5).
//!
//! Pure, without allocation, and forgiving: what is no media range or no coding is passed over, and whoever takes
//! nothing that there is gets the classic text, as Prometheus' own "Scrape protocol content negotiation" has it.

use std::{cmp::Reverse, fmt, iter};

use crate::{encode::Format, name::Escaping};

/// A format, the version by which it was asked for, and the escaping of its names.
///
/// ```
/// use barewire_promtext::{Escaping, Exposition, Format};
///
/// let accept: &[u8] = b"application/openmetrics-text;version=1.0.0;escaping=dots;q=0.9,text/plain;q=0.5";
/// let exposition = Exposition::negotiate([accept]);
/// assert_eq!((exposition.format(), exposition.escaping()), (Format::OpenMetrics, Escaping::Dots));
/// assert_eq!(
///     exposition.to_string(),
///     "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=dots"
/// );
/// assert_eq!(Exposition::negotiate([]).to_string(), "text/plain; version=0.0.4; charset=utf-8");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Exposition {
    protocol: Protocol,
    escaping: Escaping,
}

/// What Prometheus calls a scrape protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
enum Protocol {
    #[default]
    Text004,
    Text100,
    OpenMetrics001,
    OpenMetrics100,
}

impl Exposition {
    /// What the scraper likes best, by the values of all fields `Accept` of its request.
    ///
    /// The most precise range that fits a protocol tells how much that one is liked; of several that are liked alike the
    /// one comes that was named more precisely, then the one that was named first. `escaping` counts for the versions
    /// 1.0.0 alone, the others know none; without one, or with one that is unknown, it is
    /// [`Escaping::Underscores`].
    ///
    /// `escaping=allow-utf-8` is a permission. A scraper that takes something without UTF-8 as well, as Prometheus does
    /// unless `scrape_protocols` says otherwise, gets the names that dashboards know: with underscores.
    pub fn negotiate<'a>(accept: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let ranges = accept.into_iter().flat_map(|value| split(value, b',')).filter_map(Range::read);
        let mut fits: [Option<Fit>; Protocol::ALL.len()] = Default::default();
        let mut takes_underscores = false;
        for (at, range) in ranges.enumerate() {
            for (best, protocol) in fits.iter_mut().zip(Protocol::ALL) {
                let Some(fit) = range.fit(protocol, at) else { continue };
                let is_named = fit.precision > Precision::Type && fit.weight > 0;
                takes_underscores |= is_named && fit.exposition.escaping == Escaping::Underscores;
                if best.as_ref().is_none_or(|best| best.rank_of_range() < fit.rank_of_range()) {
                    *best = Some(fit);
                }
            }
        }
        // Of equals the last one would be taken, and the first is preferred.
        let liked = fits.into_iter().rev().flatten().filter(|fit| fit.weight > 0);
        let mut exposition = liked.max_by_key(Fit::rank).map(|fit| fit.exposition).unwrap_or_default();
        if takes_underscores && exposition.escaping == Escaping::AllowUtf8 {
            exposition.escaping = Escaping::Underscores;
        }
        exposition
    }

    /// How the page is written.
    pub fn format(self) -> Format {
        match self.protocol {
            Protocol::Text004 | Protocol::Text100 => Format::Text004,
            Protocol::OpenMetrics001 | Protocol::OpenMetrics100 => Format::OpenMetrics,
        }
    }

    /// How its names are written.
    pub fn escaping(self) -> Escaping {
        self.escaping
    }
}

/// The value of `Content-Type`.
impl fmt::Display for Exposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, subtype, version) = self.protocol.names();
        write!(f, "{kind}/{subtype}; version={version}; charset=utf-8")?;
        if self.protocol.has_escaping() { write!(f, "; escaping={}", self.escaping.name()) } else { Ok(()) }
    }
}

impl Protocol {
    /// In the order in which they are given to those who have no preference.
    const ALL: [Protocol; 4] =
        [Protocol::Text004, Protocol::OpenMetrics100, Protocol::Text100, Protocol::OpenMetrics001];

    /// Type, subtype and version.
    fn names(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Protocol::Text004 => ("text", "plain", "0.0.4"),
            Protocol::Text100 => ("text", "plain", "1.0.0"),
            Protocol::OpenMetrics001 => ("application", "openmetrics-text", "0.0.1"),
            Protocol::OpenMetrics100 => ("application", "openmetrics-text", "1.0.0"),
        }
    }

    fn has_escaping(self) -> bool {
        matches!(self, Protocol::Text100 | Protocol::OpenMetrics100)
    }
}

/// One element of `Accept`.
struct Range<'a> {
    kind: &'a [u8],
    subtype: &'a [u8],
    version: Option<&'a [u8]>,
    escaping: Escaping,
    /// In thousandths.
    weight: u16,
}

/// How exactly a range names a protocol.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Precision {
    Anything,
    Type,
    Subtype,
    Version,
}

/// That a range names a protocol.
struct Fit {
    exposition: Exposition,
    precision: Precision,
    weight: u16,
    position: usize,
}

impl<'a> Range<'a> {
    fn read(element: &'a [u8]) -> Option<Self> {
        let mut parts = split(element, b';');
        let name = parts.next()?;
        let slash = name.iter().position(|&byte| byte == b'/');
        let (kind, subtype) = match slash {
            Some(at) => (&name[..at], &name[at + 1..]),
            // Some say `*` for `*/*`.
            None => (name, name),
        };
        let mut range = Range { kind, subtype, version: None, escaping: Escaping::default(), weight: 1000 };
        for (name, value) in parts.filter_map(parameter) {
            if name.eq_ignore_ascii_case(b"q") {
                range.weight = weight(value)?;
            } else if name.eq_ignore_ascii_case(b"version") {
                range.version = Some(value);
            } else if name.eq_ignore_ascii_case(b"escaping") {
                range.escaping = Escaping::ALL
                    .into_iter()
                    .find(|scheme| scheme.name().as_bytes() == value)
                    .unwrap_or_default();
            }
        }
        Some(range)
    }

    fn fit(&self, protocol: Protocol, position: usize) -> Option<Fit> {
        let (kind, subtype, version) = protocol.names();
        let is_kind = self.kind.eq_ignore_ascii_case(kind.as_bytes());
        let is_subtype = self.subtype.eq_ignore_ascii_case(subtype.as_bytes());
        let precision = match (self.kind, self.subtype, self.version) {
            (b"*", b"*", _) => Precision::Anything,
            (_, b"*", _) if is_kind => Precision::Type,
            (_, _, None) if is_kind && is_subtype => Precision::Subtype,
            (_, _, Some(asked)) if is_kind && is_subtype && asked == version.as_bytes() => Precision::Version,
            _ => return None,
        };
        let escaping = if protocol.has_escaping() { self.escaping } else { Escaping::default() };
        Some(Fit { exposition: Exposition { protocol, escaping }, precision, weight: self.weight, position })
    }
}

impl Fit {
    /// Among the ranges for one protocol.
    fn rank_of_range(&self) -> impl Ord + use<> {
        (self.precision, self.weight, Reverse(self.position))
    }

    /// Among protocols.
    fn rank(&self) -> impl Ord + use<> {
        (self.weight, self.precision, Reverse(self.position))
    }
}

/// A way to pack a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Coding {
    /// As it is.
    #[default]
    Identity,
    /// RFC 1952. Never chosen without the feature `gzip`.
    Gzip,
}

impl Coding {
    /// What the scraper likes best, by the values of all fields `Accept-Encoding` of its request; gzip, where it likes
    /// both alike. `None` if it takes neither.
    ///
    /// ```
    /// use barewire_promtext::Coding;
    ///
    /// assert_eq!(Coding::negotiate([]), Some(Coding::Identity));
    /// assert_eq!(Coding::negotiate([&b"identity;q=0, br"[..]]), None);
    /// ```
    pub fn negotiate<'a>(accept_encoding: impl IntoIterator<Item = &'a [u8]>) -> Option<Self> {
        let (mut gzip, mut identity, mut any) = (None, None, None);
        for element in accept_encoding.into_iter().flat_map(|value| split(value, b',')) {
            let mut parts = split(element, b';');
            let name = parts.next().unwrap_or_default();
            let said = parts.filter_map(parameter).find(|(name, _)| name.eq_ignore_ascii_case(b"q"));
            let Some(weight) = said.map_or(Some(1000), |(_, value)| weight(value)) else { continue };
            let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
            let of = match () {
                () if is("gzip") || is("x-gzip") => &mut gzip,
                () if is("identity") => &mut identity,
                () if is("*") => &mut any,
                () => continue,
            };
            of.get_or_insert(weight);
        }
        let gzip = gzip.or(any).filter(|_| cfg!(feature = "gzip")).unwrap_or(0);
        // It need not be named to be taken.
        let identity = identity.or(any).unwrap_or(1);
        match (gzip, identity) {
            (0, 0) => None,
            _ if gzip >= identity => Some(Coding::Gzip),
            _ => Some(Coding::Identity),
        }
    }
}

/// The parts of a list without the blanks around them. What is in quotes separates nothing.
fn split(list: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(list);
    iter::from_fn(move || {
        let list = rest?;
        let (mut in_quotes, mut is_escaped) = (false, false);
        let end = list.iter().position(|&byte| {
            let escapes = byte == b'\\' && in_quotes && !is_escaped;
            in_quotes ^= byte == b'"' && !is_escaped;
            is_escaped = escapes;
            byte == separator && !in_quotes
        });
        rest = end.map(|at| &list[at + 1..]);
        Some(list[..end.unwrap_or(list.len())].trim_ascii())
    })
}

/// Name and value of a parameter, the value without its quotes.
fn parameter(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|&byte| byte == b'=')?;
    let value = text[at + 1..].trim_ascii();
    let unquoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
    Some((text[..at].trim_ascii(), unquoted.unwrap_or(value)))
}

/// Thousandths, of 1 at most; further digits count for nothing. `None` where it is no number.
fn weight(text: &[u8]) -> Option<u16> {
    let dot = text.iter().position(|&byte| byte == b'.').unwrap_or(text.len());
    let (whole, fraction) = (&text[..dot], text.get(dot + 1..).unwrap_or_default());
    if whole.len() + fraction.len() == 0 || !whole.iter().chain(fraction).all(u8::is_ascii_digit) {
        return None;
    }
    if whole.iter().any(|&digit| digit != b'0') {
        return Some(1000);
    }
    let digits = fraction.iter().chain(iter::repeat(&b'0')).take(3);
    Some(digits.fold(0, |weight, digit| weight * 10 + u16::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
    const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=";

    fn content_type(accept: &str) -> String {
        Exposition::negotiate([accept.as_bytes()]).to_string()
    }

    #[test]
    fn real_scrapers_get_what_they_like_best() {
        let prometheus_3 = |escaping: &str| {
            format!(
                "application/openmetrics-text;version=1.0.0;escaping={escaping};q=0.6,\
                 application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping={escaping};q=0.4,\
                 text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
            )
        };
        assert_eq!(content_type(&prometheus_3("allow-utf-8")), format!("{OPENMETRICS}underscores"));
        assert_eq!(content_type(&prometheus_3("values")), format!("{OPENMETRICS}values"));
        let prometheus_2 = "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        assert_eq!(content_type(prometheus_2), format!("{OPENMETRICS}underscores"));
        let prometheus_2_5 =
            "application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(
            content_type(prometheus_2_5),
            "application/openmetrics-text; version=0.0.1; charset=utf-8"
        );
        for other in [
            "*/*",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,text/plain;version=0.0.4;q=0.3,*/*;q=0.1",
        ] {
            assert_eq!(content_type(other), TEXT, "{other}");
        }
    }

    #[test]
    fn ranges_are_weighed_and_told_apart() {
        for (accept, expected) in [
            ("", "0.0.4"),
            ("text/plain", "0.0.4"),
            ("text/*", "0.0.4"),
            ("application/*", "OM 1.0.0 underscores"),
            ("application/openmetrics-text", "OM 1.0.0 underscores"),
            ("APPLICATION/OpenMetrics-Text ; Version = \"1.0.0\" ; ESCAPING=dots", "OM 1.0.0 dots"),
            ("application/openmetrics-text;version=0.0.1;escaping=dots", "OM 0.0.1"),
            ("text/plain;version=0.0.4;escaping=values", "0.0.4"),
            ("text/plain;version=1.0.0", "1.0.0 underscores"),
            ("text/plain;version=1.0.0;escaping=allow-utf-8", "1.0.0 allow-utf-8"),
            ("text/plain;version=1.0.0;escaping=allow-utf-8,*/*;q=0.1", "1.0.0 allow-utf-8"),
            ("text/plain;version=1.0.0;escaping=allow-utf-8,text/plain;q=0.1", "1.0.0 underscores"),
            ("text/plain;version=1.0.0;escaping=allow-utf-8,text/plain;q=0", "1.0.0 allow-utf-8"),
            ("text/plain;version=1.0.0;escaping=nonsense", "1.0.0 underscores"),
            (
                "text/plain;version=1.0.0;escaping=dots;q=0.2,text/plain;version=1.0.0;escaping=values",
                "1.0.0 values",
            ),
            ("text/plain;version=0.0.4,application/openmetrics-text", "0.0.4"),
            ("application/openmetrics-text,text/plain;version=0.0.4", "0.0.4"),
            ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4", "OM 1.0.0 underscores"),
            ("text/plain;version=0.0.4;q=0.5,*/*", "OM 1.0.0 underscores"),
            ("text/plain;q=0,*/*;q=0.1", "OM 1.0.0 underscores"),
            ("*/*,application/openmetrics-text;q=0.9", "0.0.4"),
            ("application/openmetrics-text;q=0", "0.0.4"),
            ("application/openmetrics-text;version=2.0.0", "0.0.4"),
            ("application/openmetrics-text;q=0.001,text/plain;q=0.0009", "OM 1.0.0 underscores"),
            ("application/openmetrics-text;q=7,text/plain;q=0.9", "OM 1.0.0 underscores"),
            ("application/openmetrics-text;q=high,text/plain;q=0.1", "0.0.4"),
            ("application/openmetrics-text;q=,text/plain;q=-1", "0.0.4"),
            ("application/json", "0.0.4"),
            (
                "a=\"b,application/openmetrics-text,\\\"\",/,;;=,application/openmetrics-text;;q=.5;x",
                "OM 1.0.0 underscores",
            ),
            ("\"application/openmetrics-text", "0.0.4"),
        ] {
            let shown = content_type(accept)
                .replace("application/openmetrics-text; version=", "OM ")
                .replace("text/plain; version=", "")
                .replace("; charset=utf-8", "")
                .replace("; escaping=", " ");
            assert_eq!(shown, expected, "{accept}");
        }
    }

    #[test]
    fn a_list_may_come_in_several_fields() {
        let fields: [&[u8]; 2] = [b"text/plain;q=0.1", b"application/openmetrics-text"];
        assert_eq!(Exposition::negotiate(fields).format(), Format::OpenMetrics);
        assert_eq!(Coding::negotiate([&b"br"[..], b"identity;q=0"]), None);
    }

    #[test]
    #[cfg(feature = "gzip")]
    fn gzip_is_chosen_where_it_is_liked_no_less() {
        let (gzip, identity) = (Some(Coding::Gzip), Some(Coding::Identity));
        for (accept, expected) in [
            ("", identity),
            ("gzip", gzip),
            ("GZip , deflate", gzip),
            ("x-gzip", gzip),
            ("*", gzip),
            ("br, *;q=0.1", gzip),
            ("gzip;q=0.001", gzip),
            ("identity", identity),
            ("identity, gzip", gzip),
            ("identity, gzip;q=0.5", identity),
            ("identity;q=0.5, gzip;q=1.0", gzip),
            ("gzip;q=0", identity),
            ("gzip;q=0, *", identity),
            ("gzip;q=x", identity),
            ("identity;q=0", None),
            ("*;q=0", None),
            ("*;q=0, gzip;q=0.5", gzip),
            ("*;q=0, identity", identity),
            ("identity;q=0, *", gzip),
            ("deflate, br", identity),
            (",;;q=1,\"gzip\"", identity),
        ] {
            assert_eq!(Coding::negotiate([accept.as_bytes()]), expected, "{accept}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_asked_for_is_answered_with_something_that_there_is(
            accept in prop::collection::vec("(text|application|[*])?/?(plain|openmetrics-text|[*])?(;(q|version|escaping)?=?\"?(1|0|[.]|dots|allow-utf-8|\\PC){0,4}\"?){0,3}|.{0,9}", 0..4),
        ) {
            let exposition = Exposition::negotiate(accept.iter().map(String::as_bytes));
            prop_assert!(exposition.protocol.has_escaping() || exposition.escaping == Escaping::Underscores);
            prop_assert_eq!(content_type(&exposition.to_string()), exposition.to_string());
            Coding::negotiate(accept.iter().map(String::as_bytes));
        }
    }
}

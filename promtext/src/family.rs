//! What of a page never changes: which families there are, which series stand in them, and their text.

use std::{
    collections::{HashMap, HashSet},
    io::Write as _,
    ops::Range,
    sync::Arc,
};

use barewire::{
    Label, Metric,
    view::{Number, Temporality, Value},
    wire::text::push_escaped,
};

use crate::{
    encode::Format,
    layout::{Shown, Spot},
    lines::{Lines, Pushed},
    name::{self, Escaping, TOTAL},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Gauge,
    Counter,
    Histogram,
}

/// Series of one name and kind.
#[derive(Debug)]
struct Family {
    name: String,
    kind: Kind,
    /// `# HELP`, `# TYPE` and `# UNIT`.
    head: Vec<u8>,
    /// Those of this page, from one point after another.
    lines: Vec<u8>,
    /// Where its points stand in the lines.
    spots: Vec<Spot>,
}

/// Where a point is shown.
#[derive(Debug)]
pub(crate) enum Place {
    /// It had no value yet, so that its kind is not known.
    Unknown,
    /// There is none for it.
    Nowhere,
    Family(usize, SeriesText),
}

/// Everything of a series' lines that stands before the digits.
#[derive(Debug)]
pub(crate) enum SeriesText {
    /// `m{l="v"} `
    Gauge(Range<usize>),
    /// `m_total{l="v"} `
    Counter(Range<usize>),
    Histogram(Box<HistogramText>),
}

#[derive(Debug)]
pub(crate) struct HistogramText {
    /// `m_bucket{l="v",le="`
    pub(crate) bucket: Vec<u8>,
    /// `m_bucket{l="v",le="+Inf"} `
    pub(crate) last: Range<usize>,
    /// `m_sum{l="v"} `
    pub(crate) sum: Range<usize>,
    /// `m_count{l="v"} `
    pub(crate) count: Range<usize>,
    below: Option<Buckets>,
}

/// The text of each bucket that has a bound, such as `m_bucket{l="v",le="0.005"} `.
#[derive(Debug)]
pub(crate) struct Buckets {
    bounds: Arc<[f64]>,
    pub(crate) texts: Vec<u8>,
    pub(crate) spans: Vec<Range<usize>>,
}

/// Families in order of first appearance, and what keeps them apart.
#[derive(Debug)]
pub(crate) struct Families {
    format: Format,
    escaping: Escaping,
    families: Vec<Family>,
    /// Of all series but for their buckets, side by side: the next is on its way into the cache when one is read.
    texts: Vec<u8>,
    /// Every name that a family or one of its samples has, and whose it is.
    names: HashMap<String, usize>,
    /// Every series, as Prometheus tells them apart.
    identities: HashSet<Vec<u8>>,
}

impl Families {
    pub(crate) fn new(format: Format, escaping: Escaping) -> Self {
        Families {
            format,
            escaping,
            families: Vec::new(),
            texts: Vec::new(),
            names: HashMap::new(),
            identities: HashSet::new(),
        }
    }

    /// Takes away all lines.
    pub(crate) fn clear(&mut self) {
        for family in &mut self.families {
            family.lines.clear();
            family.spots.clear();
        }
    }

    /// Writes the families that have lines to an empty `page`, and where the points stand on it.
    pub(crate) fn push(&self, page: &mut Vec<u8>, spots: &mut Vec<Spot>) {
        for family in self.families.iter().filter(|family| !family.lines.is_empty()) {
            page.extend_from_slice(&family.head);
            let lines = page.len();
            page.extend_from_slice(&family.lines);
            let on_page = |spot: &Spot| Spot { start: lines + spot.start, end: lines + spot.end, ..*spot };
            spots.extend(family.spots.iter().map(on_page));
        }
    }

    /// Appends the lines of the point at `index` to those of its family.
    pub(crate) fn push_value(
        &mut self,
        index: usize,
        place: &mut Place,
        value: &Value,
        temporality: Temporality,
    ) -> Pushed {
        match (place, value) {
            (_, Value::Absent) => Pushed::Absent,
            (Place::Family(at, text), value) => {
                let Family { lines: out, spots, .. } = &mut self.families[*at];
                let start = out.len();
                let pushed =
                    Lines { out, format: self.format, texts: &self.texts }.push(text, value, temporality);
                if let Pushed::Shown = pushed {
                    spots.push(spot(index, start, out.len(), text, value, self.format));
                }
                pushed
            }
            _ => Pushed::LeftOut,
        }
    }

    /// Appends what takes the place of a spot: the number of a point, or all its lines. Nothing if it is not shown.
    pub(crate) fn push_again(
        &self,
        place: &mut Place,
        value: &Value,
        is_int: bool,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        let Place::Family(_, text) = place else { return None };
        let mut lines = Lines { out, format: self.format, texts: &self.texts };
        lines.push_again(text, value, is_int)
    }

    /// Gives a point its place, by its first value.
    pub(crate) fn place(&mut self, metric: &Metric, value: &Value) -> Place {
        let kind = match value {
            Value::Absent | Value::Recorded(_) => return Place::Unknown,
            Value::Gauge(_) => Kind::Gauge,
            Value::Counter(_) => Kind::Counter,
            Value::Histogram(_) | Value::ExponentialHistogram(_) => Kind::Histogram,
        };
        let Some(at) = self.family_of(metric, kind) else { return Place::Nowhere };
        let family = &self.families[at].name;
        let labels = labels_of(metric, kind, self.escaping);
        if !self.identities.insert(identity(family, &labels)) {
            return Place::Nowhere;
        }
        Place::Family(at, SeriesText::new(&mut self.texts, family, kind, &labels, self.format))
    }

    fn family_of(&mut self, metric: &Metric, kind: Kind) -> Option<usize> {
        let mut name = name::family(metric, kind == Kind::Counter, self.escaping);
        if name.is_empty() {
            return None;
        }
        if kind == Kind::Counter && self.format == Format::OpenMetrics {
            name.truncate(name.len() - TOTAL.len());
        }
        match self.names.get(&name) {
            Some(&at) => (self.families[at].name == name && self.families[at].kind == kind).then_some(at),
            None => self.open(name, metric, kind),
        }
    }

    fn open(&mut self, name: String, metric: &Metric, kind: Kind) -> Option<usize> {
        let names: Vec<String> =
            suffixes(kind, self.format).iter().map(|suffix| [&name, *suffix].concat()).collect();
        if names.iter().any(|name| self.names.contains_key(name)) {
            return None;
        }
        let at = self.families.len();
        self.names.extend(names.into_iter().map(|name| (name, at)));
        let head = head(&name, metric, kind, self.format);
        self.families.push(Family { name, kind, head, lines: Vec::new(), spots: Vec::new() });
        Some(at)
    }
}

/// What of the lines from `start` to `end` changes from tick to tick.
fn spot(index: usize, start: usize, end: usize, text: &SeriesText, value: &Value, format: Format) -> Spot {
    let (text, number, shown) = match (text, value) {
        (SeriesText::Gauge(text), Value::Gauge(number)) => (text, number, Shown::Gauge(*number)),
        (SeriesText::Counter(text), Value::Counter(number)) => (text, number, Shown::Counter(*number)),
        _ => return Spot { index, start, end, shown: Shown::Lines },
    };
    let tail = match (number, format) {
        (Number::Int(_), Format::OpenMetrics) => b".0\n".len(),
        _ => b"\n".len(),
    };
    Spot { index, start: start + text.len(), end: end - tail, shown }
}

/// What the names that belong to a family end in, the one of the family first.
fn suffixes(kind: Kind, format: Format) -> &'static [&'static str] {
    match (kind, format) {
        (Kind::Gauge, _) | (Kind::Counter, Format::Text004) => &[""],
        (Kind::Counter, Format::OpenMetrics) => &["", TOTAL, "_created"],
        (Kind::Histogram, Format::Text004) => &["", "_bucket", "_sum", "_count"],
        (Kind::Histogram, Format::OpenMetrics) => &["", "_bucket", "_sum", "_count", "_created"],
    }
}

fn head(name: &str, metric: &Metric, kind: Kind, format: Format) -> Vec<u8> {
    let mut head = Vec::new();
    let line = |head: &mut Vec<u8>, word: &str| {
        head.extend_from_slice(word.as_bytes());
        push_name(head, name, name::is_metric_name(name));
        head.push(b' ');
    };
    if !metric.help.is_empty() {
        line(&mut head, "# HELP ");
        push_escaped(&mut head, &metric.help, |byte| match byte {
            b'"' if format == Format::Text004 => None,
            _ => escape(byte),
        });
        head.push(b'\n');
    }
    line(&mut head, "# TYPE ");
    head.extend_from_slice(match kind {
        Kind::Gauge => b"gauge\n",
        Kind::Counter => b"counter\n",
        Kind::Histogram => b"histogram\n",
    });
    let unit = name::unit_suffix(&metric.unit);
    if format == Format::OpenMetrics && !unit.is_empty() && name::has_suffix(name, &unit) {
        line(&mut head, "# UNIT ");
        head.extend_from_slice(unit.as_bytes());
        head.push(b'\n');
    }
    head
}

/// The name, in quotes unless it is `bare`.
fn push_name(out: &mut Vec<u8>, name: &str, bare: bool) {
    if bare {
        return out.extend_from_slice(name.as_bytes());
    }
    out.push(b'"');
    push_escaped(out, name, escape);
    out.push(b'"');
}

/// Names and values as they are shown, in the order of the metric; a name stands once.
fn labels_of(metric: &Metric, kind: Kind, escaping: Escaping) -> Vec<(String, Vec<u8>)> {
    let mut labels: Vec<(String, Vec<&Label>)> = Vec::with_capacity(metric.labels.len());
    for label in &metric.labels {
        let name = name::label(&label.key, kind == Kind::Histogram, escaping);
        match labels.iter_mut().find(|(known, _)| *known == name) {
            Some((_, same)) => same.push(label),
            None => labels.push((name, vec![label])),
        }
    }
    labels.into_iter().map(|(name, same)| (name, joined(same))).collect()
}

/// The values of labels whose names became one, in the order of their keys and with `;` between: the rule of the
/// OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility".
fn joined(mut same: Vec<&Label>) -> Vec<u8> {
    same.sort_by(|one, other| one.key.cmp(&other.key));
    let mut value = Vec::new();
    for (at, label) in same.into_iter().enumerate() {
        if at > 0 {
            value.push(b';');
        }
        push_escaped(&mut value, &label.value.to_text(), escape);
    }
    value
}

fn escape(byte: u8) -> Option<&'static [u8]> {
    match byte {
        b'\\' => Some(b"\\\\"),
        b'"' => Some(b"\\\""),
        b'\n' => Some(b"\\n"),
        _ => None,
    }
}

/// The same for series that are the same to Prometheus, which looks neither at the order of labels nor at those
/// without a value.
fn identity(family: &str, labels: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut told_apart: Vec<_> = labels.iter().filter(|(_, value)| !value.is_empty()).cloned().collect();
    told_apart.sort_unstable();
    unclosed(family, &told_apart)
}

/// `m{l="v",k="w"`, or `{"m.n",l="v",k="w"` where the name needs quotes: all that stands before another label or the
/// closing brace.
fn unclosed(name: &str, labels: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut text = Vec::new();
    if name::is_metric_name(name) {
        push_name(&mut text, name, true);
        text.push(b'{');
    } else {
        text.push(b'{');
        push_name(&mut text, name, false);
    }
    for (name, value) in labels {
        push_comma(&mut text);
        push_name(&mut text, name, name::is_label_name(name));
        text.extend_from_slice(b"=\"");
        text.extend_from_slice(value);
        text.push(b'"');
    }
    text
}

/// Keeps what follows apart from what is in the braces already.
fn push_comma(unclosed: &mut Vec<u8>) {
    if !unclosed.ends_with(b"{") {
        unclosed.push(b',');
    }
}

impl SeriesText {
    fn new(
        texts: &mut Vec<u8>,
        family: &str,
        kind: Kind,
        labels: &[(String, Vec<u8>)],
        format: Format,
    ) -> Self {
        let mut sample = |suffix| add(texts, &sample(family, suffix, labels));
        match (kind, format) {
            (Kind::Gauge, _) => SeriesText::Gauge(sample("")),
            (Kind::Counter, Format::Text004) => SeriesText::Counter(sample("")),
            (Kind::Counter, Format::OpenMetrics) => SeriesText::Counter(sample(TOTAL)),
            (Kind::Histogram, _) => {
                let (sum, count) = (sample("_sum"), sample("_count"));
                let bucket = bucket(family, labels);
                let last = add(texts, &[&bucket, &b"+Inf\"} "[..]].concat());
                SeriesText::Histogram(Box::new(HistogramText { bucket, last, sum, count, below: None }))
            }
        }
    }
}

/// Appends `text`, and says where it is.
fn add(texts: &mut Vec<u8>, text: &[u8]) -> Range<usize> {
    texts.extend_from_slice(text);
    texts.len() - text.len()..texts.len()
}

fn sample(family: &str, suffix: &str, labels: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut text = unclosed(&[family, suffix].concat(), labels);
    match text.pop_if(|&mut last| last == b'{') {
        Some(_) => text.push(b' '),
        None => text.extend_from_slice(b"} "),
    }
    text
}

fn bucket(family: &str, labels: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut text = unclosed(&[family, "_bucket"].concat(), labels);
    push_comma(&mut text);
    text.extend_from_slice(b"le=\"");
    text
}

impl HistogramText {
    /// The texts of the buckets below `bounds`; nothing unless those are finite and strictly increasing.
    ///
    /// They are rendered again only when the bounds are not those of the last call.
    pub(crate) fn buckets(&mut self, bounds: &Arc<[f64]>, format: Format) -> Option<&Buckets> {
        let HistogramText { bucket, below, .. } = self;
        match below {
            Some(known) if Arc::ptr_eq(&known.bounds, bounds) || known.bounds == *bounds => {}
            _ => *below = Some(Buckets::new(bucket, bounds, format)?),
        }
        below.as_ref()
    }
}

impl Buckets {
    fn new(bucket: &[u8], bounds: &Arc<[f64]>, format: Format) -> Option<Self> {
        let increasing = bounds.windows(2).all(|pair| pair[0] < pair[1]);
        if !increasing || !bounds.iter().all(|bound| bound.is_finite()) {
            return None;
        }
        let mut texts = Vec::new();
        let spans = bounds.iter().map(|&bound| {
            let mut text = bucket.to_vec();
            push_bound(&mut text, format, bound);
            text.extend_from_slice(b"\"} ");
            add(&mut texts, &text)
        });
        let spans = spans.collect();
        Some(Buckets { bounds: Arc::clone(bounds), texts, spans })
    }
}

/// Appends the value of `le` for a **finite** `bound`: `0.005`, `1` (`1.0` in OpenMetrics), `1e+06`, `1e-05`.
///
/// That is how every client library spells it, and it has to be spelled alike: it is a label, compared as text.
pub(crate) fn push_bound(out: &mut Vec<u8>, format: Format, bound: f64) {
    let bound = if bound == 0.0 { 0.0 } else { bound };
    let start = out.len();
    if bound == 0.0 || (1e-4..1e6).contains(&bound.abs()) {
        write!(out, "{bound}").expect("a vector takes every write");
        if format == Format::OpenMetrics && !out[start..].contains(&b'.') {
            out.extend_from_slice(b".0");
        }
        return;
    }
    write!(out, "{bound:e}").expect("a vector takes every write");
    let exponent_at = start + 1 + out[start..].iter().position(|&b| b == b'e').expect("it has an exponent");
    let exponent: i32 =
        str::from_utf8(&out[exponent_at..]).ok().and_then(|e| e.parse().ok()).expect("digits");
    out.truncate(exponent_at);
    write!(out, "{exponent:+03}").expect("a vector takes every write");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_spelled_as_client_libraries_spell_it() {
        for (bound, text, openmetrics) in [
            (0.0, "0", "0.0"),
            (-0.0, "0", "0.0"),
            (0.005, "0.005", "0.005"),
            (1.0, "1", "1.0"),
            (7.5, "7.5", "7.5"),
            (-10.0, "-10", "-10.0"),
            (0.0001, "0.0001", "0.0001"),
            (0.00001, "1e-05", "1e-05"),
            (100_000.0, "100000", "100000.0"),
            (999_999.5, "999999.5", "999999.5"),
            (1_000_000.0, "1e+06", "1e+06"),
            (1_048_576.0, "1.048576e+06", "1.048576e+06"),
            (-2.5e-10, "-2.5e-10", "-2.5e-10"),
            (1e100, "1e+100", "1e+100"),
        ] {
            for (format, expected) in [(Format::Text004, text), (Format::OpenMetrics, openmetrics)] {
                let mut out = Vec::new();
                push_bound(&mut out, format, bound);
                assert_eq!(String::from_utf8(out).unwrap(), expected);
            }
        }
    }
}

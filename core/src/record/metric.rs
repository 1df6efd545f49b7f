//! What a series is called: name, unit, help and labels.

use std::borrow::Cow;

/// The identity of one series, and what a reader needs to understand it.
///
/// ```
/// use barewire::{Metric, Precision, Unit};
///
/// let took = Metric::new("http.client.request.duration")
///     .unit(Unit::Seconds)
///     .help("How long a request took, from its first byte sent to its last byte received.")
///     .label("http.request.method", "GET")
///     .label("http.response.status_code", 200)
///     .precision(Precision::Three);
/// assert_eq!(took.unit.symbol(), "s");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Metric {
    /// Untrusted text: every encoder escapes it or replaces what its format cannot carry.
    pub name: String,
    /// One sentence for people; empty when there is none.
    pub help: String,
    /// What the numbers are counted in.
    pub unit: Unit,
    /// In the order in which they were given; a key stands once.
    pub labels: Vec<Label>,
    /// How finely a histogram of this name tells values apart; counters and gauges ignore it.
    pub precision: Precision,
}

impl Metric {
    /// A metric without unit, help and labels.
    pub fn new(name: impl Into<String>) -> Self {
        Metric {
            name: name.into(),
            help: String::new(),
            unit: Unit::None,
            labels: Vec::new(),
            precision: Precision::default(),
        }
    }

    /// Sets what the numbers are counted in.
    #[must_use]
    pub fn unit(mut self, unit: Unit) -> Self {
        self.unit = unit;
        self
    }

    /// Sets the sentence that explains the metric.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    /// Adds a label; a key that is already there takes the new value.
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<LabelValue>) -> Self {
        let label = Label { key: key.into(), value: value.into() };
        match self.labels.iter_mut().find(|known| known.key == label.key) {
            Some(known) => *known = label,
            None => self.labels.push(label),
        }
        self
    }

    /// Sets how finely a histogram tells values apart.
    #[must_use]
    pub fn precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// The value of the label `key`.
    pub fn label_value(&self, key: &str) -> Option<&LabelValue> {
        self.labels.iter().find(|label| label.key == key).map(|label| &label.value)
    }
}

/// One `key = value` of a series or of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Label {
    /// Untrusted text.
    pub key: String,
    /// Untrusted text, or an integer where a format can tell the difference (OTLP).
    pub value: LabelValue,
}

impl Label {
    /// The label `key = value`.
    pub fn new(key: impl Into<String>, value: impl Into<LabelValue>) -> Self {
        Label { key: key.into(), value: value.into() }
    }
}

/// The value of a label.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LabelValue {
    /// Any text, the empty one included.
    Text(String),
    /// A number that OTLP sends as `intValue`; the text formats print it in decimal.
    Int(i64),
}

impl LabelValue {
    /// The value as the text formats show it.
    pub fn to_text(&self) -> Cow<'_, str> {
        match self {
            LabelValue::Text(text) => Cow::Borrowed(text),
            LabelValue::Int(int) => Cow::Owned(int.to_string()),
        }
    }
}

impl From<&str> for LabelValue {
    fn from(text: &str) -> Self {
        LabelValue::Text(text.to_owned())
    }
}

impl From<String> for LabelValue {
    fn from(text: String) -> Self {
        LabelValue::Text(text)
    }
}

impl From<i64> for LabelValue {
    fn from(int: i64) -> Self {
        LabelValue::Int(int)
    }
}

impl From<u16> for LabelValue {
    fn from(int: u16) -> Self {
        LabelValue::Int(int.into())
    }
}

impl From<i32> for LabelValue {
    fn from(int: i32) -> Self {
        LabelValue::Int(int.into())
    }
}

/// What the numbers of a metric are counted in.
///
/// Integers under a unit of time are always **nanoseconds** inside; the encoder moves the decimal point by
/// [`Unit::decimals`] digits, exactly. Gauges are floats, in the unit itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Unit {
    /// Nothing is said about the unit.
    #[default]
    None,
    /// A pure number: a count or a ratio. UCUM `1`.
    One,
    /// Recorded in nanoseconds, shown in seconds. UCUM `s`.
    Seconds,
    /// Recorded in nanoseconds, shown in milliseconds. UCUM `ms`.
    Milliseconds,
    /// UCUM `By`.
    Bytes,
    /// UCUM `%`, from 0 to 100.
    Percent,
    /// Any other UCUM symbol.
    Other(Cow<'static, str>),
}

impl Unit {
    /// The unit as UCUM spells it; empty for [`Unit::None`].
    pub fn symbol(&self) -> &str {
        match self {
            Unit::None => "",
            Unit::One => "1",
            Unit::Seconds => "s",
            Unit::Milliseconds => "ms",
            Unit::Bytes => "By",
            Unit::Percent => "%",
            Unit::Other(symbol) => symbol,
        }
    }

    /// How many decimal digits a recorded integer has below the unit: 9 for seconds, 6 for milliseconds, else 0.
    pub fn decimals(&self) -> u8 {
        match self {
            Unit::Seconds => 9,
            Unit::Milliseconds => 6,
            _ => 0,
        }
    }
}

/// How finely a histogram tells values apart, in significant decimal digits.
///
/// A record costs what its buckets cost the cache, so [`Precision::Two`] is the default. What a histogram takes of memory
/// in each shard that records to it, in bytes:
///
/// | | allocated | written to by latencies from 100 µs to 1 s |
/// |---|--:|--:|
/// | [`One`](Precision::One) | 2 752 | 856 |
/// | [`Two`](Precision::Two) | 19 584 | 6 832 |
/// | [`Three`](Precision::Three) | 143 488 | 54 632 |
///
/// What is not written to is not mapped, and takes none, in pages of 4 KB. As much again where the histogram stood still in
/// one shard while it moved in another; and, once for all shards, twice the right column for the total and for each state
/// of it that a snapshot in somebody's hands shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Precision {
    /// At most 6.25 % error.
    One,
    /// At most 0.79 % error.
    #[default]
    Two,
    /// At most 0.098 % error.
    Three,
}

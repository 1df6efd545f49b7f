//! Points as JSON: the frame that they describe, and what may stand beside it.
//!
//! ```text
//! {"resource":{…},"scope":{…},"start_time_unix_nano":"1","time_unix_nano":"2","temporality":"cumulative",
//!  "points":[{"name":"m","kind":"gauge","unit":"","help":"","labels":[["l","v"]],"value":…}],
//!  "rows":[…],"events":[…],"service_checks":[…]}
//! ```
//!
//! What a point's value looks like depends on its kind, which may stand behind it. So values stay text in the first
//! pass and are read in a second one.

mod beside;

use std::fmt;

use barewire::{
    Event, Label, LabelValue, Metric, Unit,
    view::{Explicit, Exponential, ExponentialBuckets, Frame, Number, Point, Scope, Temporality, Value},
};
use barewire_statsd::ServiceCheck;
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Unexpected, Visitor},
};
use serde_json::value::RawValue;

pub(super) use self::beside::Row;
use self::beside::{EventInput, RowInput, ServiceCheckInput};

/// All that `json` describes.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) frame: Frame,
    pub(super) rows: Vec<Row>,
    pub(super) events: Vec<Event>,
    pub(super) checks: Vec<ServiceCheck>,
}

/// The document that `json` describes.
///
/// # Errors
/// What is no JSON, a field that is not known, a value of the wrong type: the field by its path, what stands there,
/// and what would have been right.
pub(super) fn parse(json: &[u8]) -> Result<Document, String> {
    read::<Input<'_>>(json).and_then(Input::into_document).map_err(|refusal| refusal.to_string())
}

/// A field that cannot be read.
struct Refusal {
    /// Such as `points[0].value`; empty for the whole.
    path: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = r#"an object such as {"points": [{"name": "m", "value": 1}]}"#)]
struct Input<'a> {
    #[serde(default)]
    resource: Labels,
    #[serde(default)]
    scope: Option<ScopeInput>,
    #[serde(default)]
    start_time_unix_nano: Unsigned,
    #[serde(default)]
    time_unix_nano: Unsigned,
    #[serde(default, deserialize_with = "TemporalityInput::deserialize")]
    temporality: Temporality,
    /// Without a default of its own, so that a list is not taken for the fields in their order.
    #[serde(borrow)]
    points: Option<Vec<PointInput<'a>>>,
    #[serde(default)]
    rows: Vec<RowInput>,
    #[serde(default)]
    events: Vec<EventInput>,
    #[serde(default)]
    service_checks: Vec<ServiceCheckInput>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = r#"an object such as {"name": "checkout", "version": "1.0.0"}"#)]
struct ScopeInput {
    name: String,
    #[serde(default)]
    version: String,
}

#[derive(Deserialize)]
#[serde(remote = "Temporality", rename_all = "lowercase")]
enum TemporalityInput {
    Cumulative,
    Delta,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = r#"an object such as {"name": "m", "value": 1}"#)]
struct PointInput<'a> {
    name: String,
    #[serde(default)]
    kind: Kind,
    #[serde(default)]
    unit: String,
    #[serde(default)]
    help: String,
    #[serde(default)]
    labels: Labels,
    #[serde(borrow)]
    value: &'a RawValue,
}

#[derive(Deserialize, Clone, Copy, Default)]
#[serde(rename_all = "snake_case")]
enum Kind {
    #[default]
    Gauge,
    Counter,
    Histogram,
    ExponentialHistogram,
}

#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = r#"an object such as {"bounds": [0.5], "counts": [1, 2], "sum": 3.5}"#
)]
struct ExplicitInput {
    #[serde(default, alias = "explicit_bounds", alias = "explicitBounds")]
    bounds: Vec<NumberInput>,
    #[serde(alias = "bucket_counts", alias = "bucketCounts")]
    counts: Vec<Unsigned>,
    count: Option<Unsigned>,
    sum: NumberInput,
    min: Option<NumberInput>,
    max: Option<NumberInput>,
}

#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = r#"an object such as {"scale": 3, "positive": {"offset": -2, "counts": [1, 2]}, "sum": 3.5}"#
)]
struct ExponentialInput {
    #[serde(default)]
    scale: i32,
    #[serde(default, alias = "zeroCount")]
    zero_count: Unsigned,
    #[serde(default)]
    positive: BucketsInput,
    #[serde(default)]
    negative: BucketsInput,
    count: Option<Unsigned>,
    sum: NumberInput,
    min: Option<NumberInput>,
    max: Option<NumberInput>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default, expecting = r#"an object such as {"offset": -2, "counts": [1, 2]}"#)]
struct BucketsInput {
    offset: i32,
    #[serde(alias = "bucket_counts", alias = "bucketCounts")]
    counts: Vec<Unsigned>,
}

/// Keys and values, the last of each key.
#[derive(Default)]
struct Labels(Vec<Label>);

struct LabelValueInput(LabelValue);

struct NumberInput(Number);

/// A time or a count.
#[derive(Clone, Copy, Default)]
struct Unsigned(u64);

fn read<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, Refusal> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let path = if path == "." { String::new() } else { path };
        Refusal { path, reason: barewire_runner::plain(&error.into_inner().to_string()) }
    })?;
    deserializer.end().map_err(|error| Refusal {
        path: String::new(),
        reason: barewire_runner::plain(&error.to_string()),
    })?;
    Ok(value)
}

/// Like [`read`], for a part of the input, in which a line and a column say nothing.
fn read_part<'a, T: Deserialize<'a>>(json: &'a RawValue) -> Result<T, Refusal> {
    read(json.get().as_bytes()).map_err(|mut refusal| {
        let end = refusal.reason.rfind(" (line ").unwrap_or(refusal.reason.len());
        refusal.reason.truncate(end);
        refusal
    })
}

impl Refusal {
    fn below(mut self, parent: &str) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = [parent, dot, &self.path].concat();
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refusal { path, reason } = self;
        match path.as_str() {
            "" => write!(f, "{reason}: 'barewire encode --help' shows an example"),
            _ => write!(f, "{path}: {reason}"),
        }
    }
}

impl Input<'_> {
    fn into_document(self) -> Result<Document, Refusal> {
        let is_empty = self.rows.is_empty() && self.events.is_empty() && self.service_checks.is_empty();
        if self.points.is_none() && is_empty {
            return Err(Refusal { path: String::new(), reason: "'points' is missing: add it".to_owned() });
        }
        let points = self.points.into_iter().flatten().enumerate();
        let points = points.map(|(at, point)| {
            point.into_point().map_err(|refusal| refusal.below(&format!("points[{at}].value")))
        });
        let frame = Frame {
            resource: self.resource.0.into(),
            scope: self.scope.map(|ScopeInput { name, version }| Scope { name, version }),
            start_unix_ns: self.start_time_unix_nano.0,
            time_unix_ns: self.time_unix_nano.0,
            temporality: self.temporality,
            points: points.collect::<Result<_, _>>()?,
        };
        let (rows, events) = (self.rows.into_iter(), self.events.into_iter());
        Ok(Document {
            frame,
            rows: rows.map(RowInput::into_row).collect(),
            events: events.map(EventInput::into_event).collect(),
            checks: self.service_checks.into_iter().map(ServiceCheckInput::into_check).collect(),
        })
    }
}

impl PointInput<'_> {
    fn into_point(self) -> Result<Point, Refusal> {
        let value = self.kind.read(self.value)?;
        let mut metric = Metric::new(self.name).help(self.help).unit(unit(self.unit));
        metric.labels = self.labels.0;
        Ok(Point { metric: metric.into(), value })
    }
}

fn unit(symbol: String) -> Unit {
    let known = [Unit::None, Unit::One, Unit::Seconds, Unit::Milliseconds, Unit::Bytes, Unit::Percent];
    known.into_iter().find(|unit| unit.symbol() == symbol).unwrap_or(Unit::Other(symbol.into()))
}

impl Kind {
    fn read(self, value: &RawValue) -> Result<Value, Refusal> {
        Ok(match self {
            Kind::Gauge => Value::Gauge(read_part::<NumberInput>(value)?.0),
            Kind::Counter => Value::Counter(read_part::<NumberInput>(value)?.0),
            Kind::Histogram => Value::from(read_part::<ExplicitInput>(value)?.into_histogram()?),
            Kind::ExponentialHistogram => {
                Value::from(read_part::<ExponentialInput>(value)?.into_histogram()?)
            }
        })
    }
}

impl ExplicitInput {
    fn into_histogram(self) -> Result<Explicit, Refusal> {
        check_count(self.count, &self.counts)?;
        Ok(Explicit {
            bounds: self.bounds.iter().map(|bound| bound.0.to_f64()).collect(),
            counts: plain(&self.counts),
            sum: self.sum.0,
            min: self.min.map(|min| min.0),
            max: self.max.map(|max| max.0),
        })
    }
}

impl ExponentialInput {
    fn into_histogram(self) -> Result<Exponential, Refusal> {
        let buckets = self.positive.counts.iter().chain(&self.negative.counts);
        check_count(self.count, buckets.chain([&self.zero_count]))?;
        Ok(Exponential {
            scale: self.scale,
            zero_count: self.zero_count.0,
            positive: self.positive.into_buckets(),
            negative: self.negative.into_buckets(),
            sum: self.sum.0,
            min: self.min.map(|min| min.0),
            max: self.max.map(|max| max.0),
        })
    }
}

impl BucketsInput {
    fn into_buckets(self) -> ExponentialBuckets {
        ExponentialBuckets { offset: self.offset, counts: plain(&self.counts) }
    }
}

fn plain(counts: &[Unsigned]) -> Vec<u64> {
    counts.iter().map(|count| count.0).collect()
}

/// No encoder is given a count, for it is the sum of the buckets. One that says otherwise would be lost unseen.
fn check_count<'a>(
    given: Option<Unsigned>,
    buckets: impl IntoIterator<Item = &'a Unsigned>,
) -> Result<(), Refusal> {
    let Some(Unsigned(given)) = given else { return Ok(()) };
    let sum: u128 = buckets.into_iter().map(|count| u128::from(count.0)).sum();
    if u128::from(given) == sum {
        return Ok(());
    }
    let reason = format!("{given} is not the sum of the buckets, {sum}: correct it or leave it out");
    Err(Refusal { path: "count".to_owned(), reason })
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(LabelsVisitor)
    }
}

/// More than any backend takes of one point.
const MAX_LABELS: usize = 1024;

struct LabelsVisitor;

impl<'de> Visitor<'de> for LabelsVisitor {
    type Value = Labels;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#"pairs such as [["key", "value"]], or an object such as {"key": "value"}"#)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut pairs: A) -> Result<Labels, A::Error> {
        let mut labelled = Metric::new("");
        while let Some((key, value)) = pairs.next_element::<(String, LabelValueInput)>()? {
            labelled = labelled_with(labelled, key, value.0)?;
        }
        Ok(Labels(labelled.labels))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Labels, A::Error> {
        let mut labelled = Metric::new("");
        while let Some((key, value)) = entries.next_entry::<String, LabelValueInput>()? {
            labelled = labelled_with(labelled, key, value.0)?;
        }
        Ok(Labels(labelled.labels))
    }
}

/// Each label is compared with all before it, so there is an end to them.
fn labelled_with<E: Error>(metric: Metric, key: String, value: LabelValue) -> Result<Metric, E> {
    if metric.labels.len() == MAX_LABELS {
        return Err(E::custom(format_args!("more than {MAX_LABELS} labels")));
    }
    Ok(metric.label(key, value))
}

impl<'de> Deserialize<'de> for LabelValueInput {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(LabelValueVisitor).map(LabelValueInput)
    }
}

struct LabelValueVisitor;

impl Visitor<'_> for LabelValueVisitor {
    type Value = LabelValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text or an integer of 64 bits")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<LabelValue, E> {
        Ok(text.into())
    }

    fn visit_i64<E: Error>(self, int: i64) -> Result<LabelValue, E> {
        Ok(int.into())
    }

    fn visit_u64<E: Error>(self, int: u64) -> Result<LabelValue, E> {
        let int = i64::try_from(int).map_err(|_| E::invalid_value(Unexpected::Unsigned(int), &self))?;
        Ok(int.into())
    }
}

impl<'de> Deserialize<'de> for NumberInput {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(NumberVisitor).map(NumberInput)
    }
}

struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#"a number or one of "NaN", "inf", "-inf" (buckets need the kind of a histogram)"#)
    }

    fn visit_i64<E: Error>(self, int: i64) -> Result<Number, E> {
        Ok(Number::Int(int))
    }

    #[allow(clippy::cast_precision_loss, reason = "what no integer holds becomes the nearest float")]
    fn visit_u64<E: Error>(self, int: u64) -> Result<Number, E> {
        Ok(i64::try_from(int).map_or(Number::Float(int as f64), Number::Int))
    }

    fn visit_f64<E: Error>(self, float: f64) -> Result<Number, E> {
        Ok(Number::Float(float))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Number, E> {
        let int = text.parse().map(Number::Int).ok();
        // Without digits, what the parser takes are the names of NaN and the infinities.
        let is_word = !text.contains(|c: char| c.is_ascii_digit());
        let word = || text.parse().ok().filter(|_| is_word).map(Number::Float);
        int.or_else(word).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

impl<'de> Deserialize<'de> for Unsigned {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(UnsignedVisitor).map(Unsigned)
    }
}

struct UnsignedVisitor;

impl Visitor<'_> for UnsignedVisitor {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an integer from 0 to {}", u64::MAX)
    }

    fn visit_u64<E: Error>(self, int: u64) -> Result<u64, E> {
        Ok(int)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
        text.parse().map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
    }
}

//! Frames in, lines out.
//!
//! ```text
//! name:3|c|#key:value,key:value|c:id|T1700000000            a counter: what came since the last delivery
//! name:1.5|g|#…                                             a gauge
//! name.p50:0.0042|g|#…                                      a histogram: .p50 .p90 .p95 .p99 .max .min .avg
//! name:0.0041:0.0043|d|@0.25|#…                             and the whole of it, four samples of each value here
//! ```
//!
//! The Agent takes a sample that was sent at a rate `r` for `1/r` samples, a whole number of them. So the count of a
//! bucket is written as its binary digits: 37 samples are one at `@0.03125` (32), one at `@0.25` (4) and one without a
//! rate, and all values with the same digit share a line. The Agent's sketch then counts what we counted, to the sample.
//!
//! What never changes of a line is rendered once, when its series appears. Nearly all points are plain numbers, and their
//! lines are those of the last time with other digits ([`Stencil`](barewire::wire::stencil)), where a fraction keeps its zeros:
//! `1.600000` behind `1.528711`. Where a counter's line ends is all that has to be known to find out, with the next frame,
//! whether it was delivered.
//!
//! What a receiver did not get stays with the encoder, which adds it to what comes next ([`Encoder::settle`]). The law:
//! of every counter and every bucket, what was delivered and what is kept add up to what was counted, always.
//!
//! DogStatsD has no escapes: what has a meaning in a line becomes `_` in names, keys and values. A name that is empty or
//! a number that is not finite is left out, and counted; so is a line that is longer than a datagram, and the second of two
//! series that become one so.

pub(crate) mod event;
mod plain;
mod rest;
mod sample;
mod style;

use std::{collections::HashSet, sync::Arc};

use barewire::{
    Metric,
    view::{Frame, Number, Point, Recorded, Value},
    wire::{
        datagram::Datagrams,
        runs::{Run, Runs},
        text::{MAX_DECIMAL_LEN, push_decimal, push_f64, push_i64, push_u64},
    },
};

use plain::{End, Kind, Plain};
use rest::{NOWHERE, Rest, Scratch, Sum, is_count};
pub use sample::SampleEncoder;
pub use style::Style;
use style::push_rate;

/// The quantiles that a histogram shows as gauges, by the suffix of its name.
const QUANTILES: ([&[u8]; 4], [f64; 4]) = ([b".p50", b".p90", b".p95", b".p99"], [0.50, 0.90, 0.95, 0.99]);

/// Turns the frames of one view into lines. Its counters and histograms must be deltas
/// ([`Temporality::Delta`](barewire::view::Temporality::Delta)).
///
/// ```
/// use std::{collections::HashSet, sync::Arc};
///
/// use barewire::{Metric, view::{Frame, Number, Point, Value}, wire::datagram::{Datagrams, UDP_LIMIT_BYTES}};
/// use barewire_statsd::{Encoded, Encoder, Style};
///
/// let metric = Arc::new(Metric::new("hits").label("route", "/a|b"));
/// let points = vec![Point { metric, value: Value::Counter(Number::Int(3)) }];
/// let frame = Frame { points, ..Frame::default() };
///
/// let (mut encoder, mut out) = (Encoder::new(Style::new().prefix("shop")), Datagrams::new(UDP_LIMIT_BYTES));
/// assert_eq!(encoder.push_frame(&frame, &mut out), Encoded { points: 1, left_out: 0 });
/// assert!(out.iter().eq([b"shop.hits:3|c|#route:/a_b\n"]));
///
/// // It did not arrive: the next line has it.
/// encoder.settle(0);
/// out.clear();
/// encoder.push_frame(&frame, &mut out);
/// assert!(out.iter().eq([b"shop.hits:6|c|#route:/a_b\n"]));
/// ```
#[derive(Debug)]
pub struct Encoder {
    style: Style,
    /// By which series are known again; by the index of the point, as `plains` and `rests` are.
    metrics: Vec<Arc<Metric>>,
    plains: Vec<Plain>,
    /// Apart, as a gauge does without.
    rests: Vec<Rest>,
    /// Every series that has lines, as the Agent tells them apart.
    claims: HashSet<Vec<u8>>,
    /// How much of the last frame was delivered, once that is known.
    delivered: Option<usize>,
    rare: Rare,
}

/// What only the lines need that do not look like those before them.
#[derive(Debug, Default)]
struct Rare {
    /// The names and tails of all series.
    text: Runs,
    /// `|T1700000000`, or nothing.
    stamp: Vec<u8>,
    /// The lines of the last frame that deliver a part of a histogram's rest.
    marks: Vec<Mark>,
    scratch: Scratch,
}

/// What became of the points of a frame. Absent ones are in neither number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Encoded {
    /// Points whose lines were appended, all of them.
    pub points: u64,
    /// Points that DogStatsD cannot carry: a number that is not finite, a counter that is negative, a histogram that
    /// contradicts itself, a name or a label key that is empty, a series that is written like an earlier one, a line longer than a
    /// datagram.
    pub left_out: u64,
}

/// The rendered parts of one series, and its rest.
#[derive(Debug)]
struct Series<'a> {
    plain: &'a mut Plain,
    rest: &'a mut Rest,
}

/// A line that delivers the binary digit `power` of the counts of the samples from `from` to `to`.
#[derive(Debug, Clone, Copy)]
struct Mark {
    /// Where it ends among the bytes of all datagrams.
    end: usize,
    series: usize,
    power: u32,
    from: usize,
    to: usize,
}

impl Encoder {
    /// An encoder that knows no series yet.
    pub fn new(style: Style) -> Self {
        let (metrics, plains, rests) = (Vec::new(), Vec::new(), Vec::new());
        let claims = HashSet::new();
        Encoder { style, metrics, plains, rests, claims, delivered: None, rare: Rare::default() }
    }

    /// Appends the lines of a frame, with what was not delivered before.
    ///
    /// The frames must be those of one view: a frame of somebody else's makes the encoder forget what it kept.
    #[inline(never)]
    pub fn push_frame(&mut self, frame: &Frame, out: &mut Datagrams) -> Encoded {
        self.follow(&frame.points);
        let Encoder { style, plains, rests, delivered, rare, .. } = self;
        rare.stamp.clear();
        let seconds = frame.time_unix_ns / 1_000_000_000;
        // The Agent refuses a metric of the time 0.
        if style.timestamps && seconds > 0 {
            rare.stamp.extend_from_slice(b"|T");
            push_u64(&mut rare.stamp, seconds);
        }
        rare.marks.clear();
        let delivered = delivered.take().unwrap_or(0);
        let end = End::of(&[&rare.stamp, b"\n"]);
        let mut encoded = Encoded::default();
        let series = plains.iter_mut().zip(rests).map(|(plain, rest)| Series { plain, rest });
        for (index, (mut series, point)) in series.zip(&frame.points).enumerate() {
            if series.push_again(&point.value, delivered, &end, out) {
                encoded.points += 1;
                continue;
            }
            match rare.push(index, series, &point.value, delivered, &end, out) {
                Outcome::Nothing => {}
                Outcome::Pushed => encoded.points += 1,
                Outcome::LeftOut => encoded.left_out += 1,
            }
        }
        encoded
    }

    /// Says how much of what the last frame's datagrams hold was delivered: the first `bytes` of them
    /// ([`Datagrams::len_bytes`] for all), counted from the first datagram, whoever filled it. The rest is kept.
    pub fn settle(&mut self, bytes: usize) {
        self.delivered.get_or_insert(bytes.min(NOWHERE - 1));
        let marks = &mut self.rare.marks;
        let delivered = marks.iter().take_while(|mark| mark.end <= bytes);
        for Mark { series, power, from, to, .. } in delivered.clone() {
            self.rests[*series].settle_samples(*power, *from, *to);
        }
        delivered.for_each(|mark| self.rests[mark.series].tidy());
        marks.clear();
    }

    /// Renders what was not seen before.
    fn follow(&mut self, points: &[Point]) {
        let known = self.metrics.len() <= points.len()
            && self.metrics.iter().zip(points).all(|(metric, point)| Arc::ptr_eq(metric, &point.metric));
        if !known {
            self.metrics.clear();
            self.plains.clear();
            self.rests.clear();
            self.claims.clear();
            self.rare.text.clear();
        }
        for Point { metric, .. } in &points[self.metrics.len()..] {
            let head = self.rare.text.add(|text| {
                self.style.push_name(text, &metric.name);
                text.push(b':');
            });
            let tail = self.rare.text.add(|text| self.style.push_tail(text, &metric.labels));
            let is_named = !metric.name.is_empty() && metric.labels.iter().all(|label| !label.key.is_empty());
            let is_named = is_named && self.claims.insert(identity(&self.rare.text, head, tail));
            self.metrics.push(Arc::clone(metric));
            self.plains.push(Plain::new(head, tail, is_named));
            self.rests.push(Rest::None);
        }
    }
}

/// The same for series that are the same to the Agent, which looks at the order of tags no more than at what stood in the place
/// of a `_`: it would add their counters up, and show of their gauges the last.
fn identity(text: &Runs, head: Run, tail: Run) -> Vec<u8> {
    let mut tags: Vec<_> = text.get(tail).split(|byte| *byte == b',').collect();
    if let Some(first) = tags.first_mut() {
        *first = first.strip_prefix(b"|#").unwrap_or(first);
    }
    tags.sort_unstable();
    [text.get(head), &tags.join(&b',')].concat()
}

impl Rare {
    /// Appends what there is to say of a point that does not look like the one before it.
    #[inline(never)]
    fn push(
        &mut self,
        index: usize,
        mut series: Series<'_>,
        value: &Value,
        delivered: usize,
        end: &End,
        out: &mut Datagrams,
    ) -> Outcome {
        let Rare { text, stamp, marks, scratch } = self;
        if series.rests(value, delivered) {
            return Outcome::Nothing;
        }
        if let Some((kind, number)) = series.plain(value, delivered) {
            return Outcome::of(series.push_plain(kind, number, (text, end), out));
        }
        let (name, tail) = series.plain.parts(text);
        let mut lines = Lines { name, tail, stamp, series: index, marks, out };
        push_point(&mut series, value, delivered, scratch, &mut lines)
    }
}

impl Series<'_> {
    /// Whether there is nothing to say: not now, and not of what was before.
    #[inline]
    fn rests(&mut self, value: &Value, delivered: usize) -> bool {
        let rests = matches!(value, Value::Absent) && self.rest.is_nothing(delivered);
        if rests {
            self.rest.settle_sum(delivered);
        }
        rests
    }

    /// Appends the line of a plain number that looks like the one before. Whether it was one.
    #[inline(always)]
    fn push_again(&mut self, value: &Value, delivered: usize, end: &End, out: &mut Datagrams) -> bool {
        match value {
            // Nothing is kept of what was a gauge.
            Value::Gauge(number) => self.plain.push_again(Kind::Gauge, number, end, out),
            Value::Counter(number) if self.rest.is_nothing(delivered) => {
                let pushed = self.plain.push_again(Kind::Counter, number, end, out);
                if pushed {
                    *self.rest = Rest::Sum(Sum { number: *number, end: out.len_bytes() });
                }
                pushed
            }
            _ => false,
        }
    }

    /// The number of a point whose line is all that there is to say.
    fn plain(&self, value: &Value, delivered: usize) -> Option<(Kind, Number)> {
        match (value, &*self.rest) {
            _ if !self.plain.is_named() => None,
            (Value::Gauge(number), Rest::None) if is_finite(*number) => Some((Kind::Gauge, *number)),
            (Value::Counter(number), rest) if rest.is_nothing(delivered) && is_count(*number) => {
                Some((Kind::Counter, *number))
            }
            _ => None,
        }
    }

    /// Appends its line. Whether it fits into a datagram.
    #[inline(never)]
    fn push_plain(
        &mut self,
        kind: Kind,
        number: Number,
        (text, end): (&Runs, &End),
        out: &mut Datagrams,
    ) -> bool {
        let pushed = self.plain.push(kind, number, text, end, out);
        if kind == Kind::Counter {
            let end = if pushed { out.len_bytes() } else { NOWHERE };
            *self.rest = Rest::Sum(Sum { number, end });
        }
        pushed
    }
}

/// Where the lines of one series go.
struct Lines<'a> {
    name: &'a [u8],
    tail: &'a [u8],
    stamp: &'a [u8],
    series: usize,
    marks: &'a mut Vec<Mark>,
    out: &'a mut Datagrams,
}

/// What became of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Nothing,
    Pushed,
    LeftOut,
}

impl Outcome {
    fn of(pushed: bool) -> Self {
        if pushed { Outcome::Pushed } else { Outcome::LeftOut }
    }

    /// Of two parts of a point.
    fn and(self, other: Outcome) -> Self {
        match (self, other) {
            (Outcome::LeftOut, _) | (_, Outcome::LeftOut) => Outcome::LeftOut,
            (Outcome::Nothing, other) => other,
            _ => Outcome::Pushed,
        }
    }
}

fn push_point(
    series: &mut Series<'_>,
    value: &Value,
    delivered: usize,
    scratch: &mut Scratch,
    lines: &mut Lines<'_>,
) -> Outcome {
    if !series.plain.is_named() {
        return if matches!(value, Value::Absent) { Outcome::Nothing } else { Outcome::LeftOut };
    }
    series.plain.forget_gauge();
    series.rest.settle_sum(delivered);
    let absorbed = series.rest.absorb(value, scratch);
    let shown = match value {
        Value::Gauge(number) => Outcome::of(lines.push_gauge(b"", *number)),
        Value::Recorded(recorded) => lines.push_quantiles(recorded),
        _ => Outcome::Nothing,
    };
    let kept = lines.push_rest(series.rest);
    if absorbed { shown.and(kept) } else { Outcome::LeftOut }
}

impl Lines<'_> {
    fn push_gauge(&mut self, suffix: &[u8], number: Number) -> bool {
        let Lines { name, tail, stamp, .. } = *self;
        is_finite(number)
            && self.out.push(|out| {
                out.extend_from_slice(name);
                out.extend_from_slice(suffix);
                out.push(b':');
                push_number(out, number);
                out.extend_from_slice(b"|g");
                out.extend_from_slice(tail);
                out.extend_from_slice(stamp);
                out.push(b'\n');
            })
    }

    /// The window of a histogram as gauges; nothing of an empty one.
    fn push_quantiles(&mut self, recorded: &Recorded) -> Outcome {
        let window = &recorded.window;
        let (suffixes, qs) = QUANTILES;
        let quantiles = window.quantiles(qs).into_iter().flat_map(|values| suffixes.into_iter().zip(values));
        let extremes: [(&[u8], _); 3] =
            [(b".max", window.max()), (b".min", window.min()), (b".avg", window.mean())];
        let gauges = quantiles.chain(extremes.into_iter().filter_map(|(suffix, raw)| Some((suffix, raw?))));
        gauges.fold(Outcome::Nothing, |outcome, (suffix, raw)| {
            outcome.and(Outcome::of(self.push_gauge(suffix, recorded.number(raw))))
        })
    }

    fn push_rest(&mut self, rest: &mut Rest) -> Outcome {
        match rest {
            Rest::None => Outcome::Nothing,
            Rest::Sum(sum) => {
                let pushed = self.push_sum(sum.number);
                sum.end = if pushed { self.out.len_bytes() } else { NOWHERE };
                Outcome::of(pushed)
            }
            Rest::Samples(samples) => {
                let used = samples.iter().fold(0, |used, sample| used | sample.count);
                let powers = (0..u64::BITS).rev().filter(|power| used & (1 << power) != 0);
                powers.fold(Outcome::Nothing, |outcome, power| {
                    outcome.and(Outcome::of(self.push_samples(samples, power)))
                })
            }
        }
    }

    fn push_sum(&mut self, sum: Number) -> bool {
        let Lines { name, tail, stamp, .. } = *self;
        self.out.push(|out| {
            out.extend_from_slice(name);
            out.push(b':');
            push_number(out, sum);
            out.extend_from_slice(b"|c");
            out.extend_from_slice(tail);
            out.extend_from_slice(stamp);
            out.push(b'\n');
        })
    }

    /// The samples whose count has the binary digit `power`, in as few lines as datagrams allow.
    fn push_samples(&mut self, samples: &[rest::Weighted], power: u32) -> bool {
        let Lines { name, tail, .. } = *self;
        let rate = f64::exp2(-f64::from(power));
        let limit = self.out.limit_bytes();
        let mut from = 0;
        loop {
            let mut to = from;
            let pushed = self.out.push(|out| {
                let start = out.len();
                out.extend_from_slice(name);
                // What may still come: `:value`, the type, `|@rate`, the tail and the end.
                let room = limit.saturating_sub(MAX_DECIMAL_LEN + MAX_RATE_LEN + tail.len() + 4);
                let mut has_value = false;
                for sample in &samples[from..] {
                    if sample.count & (1 << power) != 0 {
                        if has_value && out.len() - start > room {
                            break;
                        }
                        out.push(b':');
                        push_number(out, sample.value);
                        has_value = true;
                    }
                    to += 1;
                }
                out.extend_from_slice(b"|d");
                push_rate(out, rate);
                out.extend_from_slice(tail);
                out.push(b'\n');
            });
            if !pushed {
                return false;
            }
            let (end, series) = (self.out.len_bytes(), self.series);
            self.marks.push(Mark { end, series, power, from, to });
            from = to;
            if !samples[from..].iter().any(|sample| sample.count & (1 << power) != 0) {
                return true;
            }
        }
    }
}

/// The longest rate: `|@1.0842021724855044e-19`, of 2^-63.
const MAX_RATE_LEN: usize = 24;

fn is_finite(number: Number) -> bool {
    if let Number::Float(float) = number { float.is_finite() } else { true }
}

/// A finite number, in full or in its shortest form: in a line that looks like none before it.
#[inline]
pub(crate) fn push_number(out: &mut Vec<u8>, number: Number) {
    match number {
        Number::Int(int) => push_i64(out, int),
        Number::Float(float) => push_f64(out, float),
        Number::Decimal { digits, decimals } => push_decimal(out, digits, decimals),
    }
}

//! What holds for every input: lines keep their structure, datagrams their limit, and no count is lost.

use std::{collections::BTreeMap, sync::Arc};

use barewire::{
    Counter, Event, Histogram, Metric, Registry, Snapshot, Unit,
    view::{Frame, Number, Point, Shape, Temporality, Value, View},
    wire::datagram::Datagrams,
};
use barewire_statsd::{Encoded, Encoder, Style, push_event, push_event_within};
use proptest::{collection::vec, prelude::*};

/// A line as any reader of DogStatsD sees it: name at the first `:`, fields at `|`, tags at `,`.
#[derive(Debug, PartialEq)]
struct Line<'a> {
    name: &'a str,
    values: Vec<f64>,
    kind: &'a str,
    rate: f64,
    tags: Vec<(&'a str, &'a str)>,
}

fn parse(line: &str) -> Line<'_> {
    assert!(!line.starts_with("_e{") && !line.starts_with("_sc"), "no metric: {line}");
    let (name, rest) = line.split_once(':').expect("a name");
    let mut fields = rest.split('|');
    let values =
        fields.next().expect("values").split(':').map(|value| value.parse().expect("a number")).collect();
    let kind = fields.next().expect("a type");
    let (mut rate, mut tags) = (1.0, Vec::new());
    for field in fields {
        if let Some(text) = field.strip_prefix('@') {
            rate = text.parse().expect("a rate");
        } else if let Some(text) = field.strip_prefix('#') {
            tags = text.split(',').map(|tag| tag.split_once(':').expect("a key")).collect();
        } else {
            panic!("an unknown field '{field}' in {line}");
        }
    }
    Line { name, values, kind, rate, tags }
}

fn number() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<i64>().prop_map(Number::Int),
        any::<f64>().prop_map(Number::Float),
        (any::<u64>(), 0..=18u8)
            .prop_map(|(digits, decimals)| Number::Decimal { digits: digits.into(), decimals }),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[|,:#@a\n_esc{]{0,6}", "a{0,400}"]
}

fn point() -> impl Strategy<Value = Point> {
    let value =
        prop_oneof![Just(Value::Absent), number().prop_map(Value::Gauge), number().prop_map(Value::Counter),];
    (text(), vec((text(), text()), 0..4), value).prop_map(|(name, labels, value)| {
        let metric =
            labels.into_iter().fold(Metric::new(name), |metric, (key, value)| metric.label(key, value));
        Point { metric: Arc::new(metric), value }
    })
}

proptest! {
    #[test]
    fn no_text_changes_the_structure_of_a_line(points in vec(point(), 0..20), limit in 20..1500usize) {
        let frame = Frame { points, ..Frame::default() };
        let (mut encoder, mut out) = (Encoder::new(Style::new()), Datagrams::new(limit));
        let Encoded { points, left_out } = encoder.push_frame(&frame, &mut out);
        let present: Vec<_> = frame.points.iter().filter(|point| point.value != Value::Absent).collect();
        prop_assert_eq!(points + left_out, present.len() as u64);
        let mut lines = 0;
        for datagram in out.iter() {
            prop_assert!(datagram.len() <= limit && datagram.ends_with(b"\n"));
            for line in std::str::from_utf8(datagram).unwrap().split_terminator('\n') {
                let line = parse(line);
                let is_like = |point: &&&Point| {
                    let kind = if matches!(point.value, Value::Gauge(_)) { "g" } else { "c" };
                    let tags = point.metric.labels.iter().filter(|label| !label.value.to_text().is_empty());
                    line.kind == kind && line.tags.len() == tags.count()
                        && line.name.trim_start_matches('_').chars().count()
                            <= point.metric.name.chars().count()
                };
                prop_assert!(present.iter().any(|point| is_like(&point)), "{:?}", line);
                prop_assert!((line.values.len(), line.rate) == (1, 1.0) && line.values[0].is_finite());
                lines += 1;
            }
        }
        prop_assert_eq!(lines, points);
    }

    #[test]
    fn no_text_changes_the_structure_of_an_event(
        title in text(), body in text(), name in text(), labels in vec((text(), text()), 0..3),
    ) {
        let event = labels.iter().fold(
            Event::new(name, 1).title(title.clone()).text(body),
            |event, (key, value)| event.label(key.clone(), value.clone()),
        );
        let mut out = Vec::new();
        let pushed = push_event(&mut out, &event, &Style::new());
        prop_assert_eq!(pushed, !title.is_empty());
        prop_assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), usize::from(pushed));
        if pushed {
            let line = String::from_utf8(out).unwrap();
            let (_, _, rest) = parts_of_event(&line);
            let fields: Vec<_> = rest.trim_end().split('|').skip(1).collect();
            prop_assert_eq!(&fields[..2], ["d:0", "t:info"]);
            prop_assert!(fields.len() <= 3 && fields[2..].iter().all(|field| field.starts_with('#')));
        }
    }
}

/// Title, text and all that is behind them of the line of an event, by the lengths that it says.
fn parts_of_event(line: &str) -> (&str, &str, &str) {
    let (lengths, rest) = line.strip_prefix("_e{").unwrap().split_once("}:").unwrap();
    let (title, text) = lengths.split_once(',').unwrap();
    let (title, text): (usize, usize) = (title.parse().unwrap(), text.parse().unwrap());
    assert_eq!(&rest[title..=title], "|");
    (&rest[..title], &rest[title + 1..][..text], &rest[title + 1 + text..])
}

proptest! {
    #[test]
    fn an_event_is_cut_at_a_character_to_what_a_datagram_holds(
        title in "[a-zé🍭\n]{1,30}", body in "[a-zé🍭\n\\\\]{0,60}", limit in 0..120_usize,
    ) {
        let event = Event::new("e", 1).title(title).text(body);
        let (mut whole, mut out) = (Vec::new(), Vec::new());
        push_event(&mut whole, &event, &Style::new());
        let pushed = push_event_within(&mut out, &event, &Style::new(), limit);
        prop_assert_eq!(pushed, !out.is_empty());
        // A sign of a cut and the rest of the line need some room.
        prop_assert!(pushed || limit < 45);
        prop_assert!(out.len() <= limit);
        if whole.len() <= limit {
            prop_assert_eq!(out, whole);
        } else if pushed {
            let (line, whole) = (String::from_utf8(out).unwrap(), String::from_utf8(whole).unwrap());
            let ((title, text, rest), (all_title, all_text, all_rest)) = (parts_of_event(&line), parts_of_event(&whole));
            prop_assert_eq!(rest, all_rest);
            for (part, all) in [(title, all_title), (text, all_text)] {
                let kept = part.strip_suffix('…').unwrap_or(part);
                prop_assert!(all.starts_with(kept) && (kept == all || part.ends_with('…')));
                prop_assert!(!(kept.ends_with('\\') && all[kept.len()..].starts_with('n')), "half a line feed");
            }
        }
    }
}

/// What a series says in a tick.
#[derive(Debug, Clone)]
enum Say {
    Nothing,
    Gauge(i64),
    /// In milliseconds, by its nanoseconds.
    Took(u32),
    Count(i64),
    /// What no counter can have counted.
    Nonsense,
}

fn say() -> impl Strategy<Value = Say> {
    prop_oneof![
        1 => Just(Say::Nothing),
        1 => any::<i64>().prop_map(Say::Gauge),
        // As wide as the last one, most of the time.
        3 => (100..1_000i64).prop_map(Say::Gauge),
        3 => prop_oneof![any::<u32>(), 1_000_000..1_000_100u32].prop_map(Say::Took),
        5 => prop_oneof![0..1_000_000_000i64, 100..1_000i64].prop_map(Say::Count),
        1 => Just(Say::Nonsense),
    ]
}

/// A line without zeros at the end of its fraction.
fn trimmed(line: &str) -> String {
    let (head, tail) = line.split_once('|').expect("a type");
    let head = if head.contains('.') { head.trim_end_matches('0').trim_end_matches('.') } else { head };
    format!("{head}|{tail}")
}

proptest! {
    /// Whatever way a line takes through the encoder.
    #[test]
    fn lines_are_what_an_obvious_encoder_says(
        names in vec("[a-z]{1,90}", 1..6),
        ticks in vec((vec(say(), 6), prop::option::of(0..=100usize)), 1..8),
        limit in 40..200usize,
    ) {
        let metric = |name: &String| Arc::new(Metric::new(name.clone()).label("key", "value"));
        let metrics: Vec<_> = names.iter().map(metric).collect();
        let (mut encoder, mut out) = (Encoder::new(Style::new()), Datagrams::new(limit));
        // What each series has counted and not delivered.
        let mut kept = vec![None; names.len()];
        for (says, hundredths) in &ticks {
            let mut points = Vec::new();
            // By the series, whose count a line tells if it does.
            let mut lines = Vec::new();
            for (at, (metric, say)) in metrics.iter().zip(says).enumerate() {
                let value = match say {
                    Say::Nothing => Value::Absent,
                    Say::Gauge(int) => Value::Gauge(Number::Int(*int)),
                    Say::Took(ns) => Value::Gauge(Number::Decimal { digits: (*ns).into(), decimals: 6 }),
                    Say::Count(int) => Value::Counter(Number::Int(*int)),
                    Say::Nonsense => Value::Counter(Number::Int(-1)),
                };
                let name = &metric.name;
                if let Say::Gauge(int) = say {
                    lines.push((None, format!("{name}:{int}|g|#key:value\n")));
                }
                if let Say::Took(ns) = say {
                    let ms = f64::from(*ns) / 1e6;
                    lines.push((None, format!("{name}:{ms}|g|#key:value\n")));
                }
                if let Say::Count(int) = say {
                    kept[at] = Some(kept[at].unwrap_or(0) + int);
                }
                if let Some(count) = kept[at] {
                    lines.push((Some(at), format!("{name}:{count}|c|#key:value\n")));
                }
                points.push(Point { metric: Arc::clone(metric), value });
            }
            lines.retain(|(_, line)| line.len() <= limit);
            out.clear();
            encoder.push_frame(&Frame { points, ..Frame::default() }, &mut out);
            let all: String = lines.iter().map(|(_, line)| &**line).collect();
            let told = String::from_utf8(out.iter().collect::<Vec<_>>().concat()).unwrap();
            prop_assert_eq!(told.split_inclusive('\n').map(trimmed).collect::<String>(), all);
            let Some(hundredths) = hundredths else { continue };
            let count = out.iter().count() * hundredths / 100;
            let delivered: usize = out.iter().take(count).map(<[u8]>::len).sum();
            encoder.settle(delivered);
            let mut end = 0;
            for ((at, _), line) in lines.iter().zip(told.split_inclusive('\n')) {
                end += line.len();
                if let Some(at) = at && end <= delivered {
                    kept[*at] = None;
                }
            }
        }
    }
}

/// Who counts, and what the receiver has got.
struct Scene {
    registry: Registry,
    hits: Counter,
    busy: Counter,
    took: Histogram,
    view: View,
    shown: Option<Arc<Snapshot>>,
    encoder: Encoder,
    out: Datagrams,
    sums: BTreeMap<String, f64>,
    /// How many samples of which value.
    samples: BTreeMap<u64, u64>,
}

impl Scene {
    fn new() -> Self {
        let registry = Registry::new("test");
        Scene {
            hits: registry.counter(Metric::new("hits")),
            busy: registry.counter(Metric::new("busy").unit(Unit::Seconds)),
            took: registry.histogram(Metric::new("took")),
            registry,
            view: View::everything().temporality(Temporality::Delta).histograms(Shape::Recorded),
            shown: None,
            encoder: Encoder::new(Style::new()),
            out: Datagrams::new(60),
            sums: BTreeMap::new(),
            samples: BTreeMap::new(),
        }
    }

    /// Counts, and delivers so many hundredths of the datagrams that come of it.
    fn tick(&mut self, hits: u64, values: &[u64], hundredths: usize) {
        let mut shard = self.registry.shard();
        shard.add(self.hits, hits);
        shard.add(self.busy, hits * 1_000_000);
        values.iter().for_each(|value| shard.record(self.took, *value));
        let snapshot = self.registry.snapshot();
        self.out.clear();
        self.encoder.push_frame(self.view.show(&snapshot, self.shown.as_deref()), &mut self.out);
        self.shown = Some(snapshot);
        let all = self.out.iter().count();
        let delivered: Vec<_> = self.out.iter().take(all * hundredths / 100).map(<[u8]>::to_vec).collect();
        self.encoder.settle(delivered.iter().map(Vec::len).sum());
        delivered.iter().for_each(|datagram| self.receive(std::str::from_utf8(datagram).unwrap()));
    }

    #[allow(
        clippy::cast_possible_truncation,
        reason = "a weight, and a value that was recorded as an integer"
    )]
    fn receive(&mut self, datagram: &str) {
        for line in datagram.split_terminator('\n').map(parse) {
            match line.kind {
                "c" => *self.sums.entry(line.name.to_owned()).or_default() += line.values[0],
                "d" => {
                    // As the Agent does it.
                    let weight = (1.0 / line.rate) as u64;
                    line.values
                        .iter()
                        .for_each(|value| *self.samples.entry(*value as u64).or_default() += weight);
                }
                _ => {}
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_is_delivered_and_what_is_kept_add_up_to_what_was_counted(
        ticks in vec((0..1000u64, vec(prop_oneof![0..10u64, 0..2000u64], 0..60), 0..=100usize), 0..12),
    ) {
        let mut scene = Scene::new();
        let (mut hits, mut counts) = (0, BTreeMap::<u64, u64>::new());
        for (more, values, delivered) in &ticks {
            scene.tick(*more, values, *delivered);
            hits += more;
            // Small values have a bucket each.
            values.iter().for_each(|value| *counts.entry(*value).or_default() += 1);
            prop_assert!(scene.sums.get("hits").copied().unwrap_or(0.0) <= hits as f64);
            prop_assert!(scene.samples.values().sum::<u64>() <= counts.values().sum());
        }
        // A whole delivery at last brings all that is kept, and nothing twice.
        scene.tick(0, &[], 100);
        prop_assert_eq!(scene.sums["hits"], hits as f64);
        prop_assert!((scene.sums["busy"] - hits as f64 / 1000.0).abs() < 1e-9);
        prop_assert_eq!(scene.samples.values().sum::<u64>(), counts.values().sum::<u64>());
        for (value, count) in counts.iter().filter(|(value, _)| **value < 256) {
            prop_assert_eq!(scene.samples.get(value), Some(count), "{}", value);
        }
        let before = (scene.sums.clone(), scene.samples.clone());
        scene.tick(0, &[], 100);
        prop_assert_eq!((scene.sums, scene.samples), before);
    }
}

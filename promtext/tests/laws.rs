//! What holds for every page, whatever the names and labels: it is parsed back by a reader that shares no code
//! with the encoder.

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    mem::discriminant,
    slice,
};

use barewire::{
    Metric,
    view::{Frame, Number, Point, Value},
};
use barewire_promtext::{Encoder, Escaping, Format};
use common::{
    encoders, frame,
    hostile::{any_point, any_value},
    page, trimmed,
};
use proptest::prelude::*;

proptest! {
    #[test]
    fn every_page_is_read_back(points in prop::collection::vec(any_point(), 0..12), split in 0..12_usize) {
        for (format, escaping, mut encoder) in encoders() {
            let frames = frames(&points, split);
            let (text, encoded) = page(&mut encoder, &frames);
            let present = points.iter().filter(|point| point.value != Value::Absent).count() as u64;
            prop_assert_eq!(encoded.points + encoded.left_out, present);
            let read = Page::read(&text, format, escaping);
            prop_assert_eq!(read.points(), encoded.points, "{}", text);
            read.assert_labels_of(&points);
        }
    }

    #[test]
    fn a_second_page_of_the_same_values_is_the_same(points in prop::collection::vec(any_point(), 0..12), split in 0..12_usize) {
        for (.., mut encoder) in encoders() {
            for frames in [&frames(&points, split)[..], &[frame(points.clone())]] {
                let first = page(&mut encoder, frames);
                prop_assert_eq!(page(&mut encoder, frames), first);
            }
        }
    }

    #[test]
    fn a_page_that_is_filled_says_what_one_from_scratch_says(
        points in prop::collection::vec(any_point(), 0..5),
        ticks in prop::collection::vec(prop::collection::vec((any_value(), prop::bool::weighted(0.05)), 5), 1..6),
    ) {
        for (format, escaping, mut encoder) in encoders() {
            let mut from_scratch = Encoder::new(format).escaping(escaping);
            let mut frame = frame(points.clone());
            for tick in &ticks {
                for (point, (value, changes_kind)) in frame.points.iter_mut().zip(tick) {
                    if *changes_kind || discriminant(value) == discriminant(&point.value) {
                        point.value.clone_from(value);
                    }
                }
                let (filled, encoded) = page(&mut encoder, slice::from_ref(&frame));
                // Those of two frames are never filled.
                let expected = page(&mut from_scratch, &[frame.clone(), Frame::default()]);
                prop_assert_eq!((trimmed(&filled), encoded), (trimmed(&expected.0), expected.1));
            }
        }
    }

    #[test]
    fn points_may_come_one_by_one(points in prop::collection::vec(any_point(), 0..12)) {
        let mut encoder = Encoder::new(Format::Text004);
        let mut growing = [frame(vec![])];
        for point in &points {
            growing[0].points.push(point.clone());
            let grown = page(&mut encoder, &growing);
            prop_assert_eq!(grown, page(&mut Encoder::new(Format::Text004), &growing));
        }
    }
}

proptest! {
    #[test]
    fn a_page_whose_numbers_moved_says_what_that_of_a_fresh_encoder_says(
        kinds in prop::collection::vec((any::<bool>(), 0..3u8, 0..=9u8), 1..8),
        ticks in prop::collection::vec(prop::collection::vec(any::<u64>(), 8), 1..6),
        shift in 0..64u32,
        label in "[a-z]{0,20}",
    ) {
        for (format, escaping, mut encoder) in encoders() {
            let mut frames = [frame(vec![])];
            for (at, numbers) in ticks.iter().enumerate() {
                for (nth, (&(is_counter, form, decimals), digits)) in kinds.iter().zip(numbers).enumerate() {
                    // Neighbours most of the time: as wide as before, or nearly.
                    let digits = (u64::MAX >> 1 >> shift).wrapping_add(digits % 256) >> 1;
                    let number = match form {
                        0 => Number::Int(digits.cast_signed()),
                        1 => Number::Decimal { digits: digits.into(), decimals },
                        _ => Number::Float(digits as f64 / 8.0),
                    };
                    let value = if is_counter { Value::Counter(number) } else { Value::Gauge(number) };
                    if at == 0 {
                        let metric = Metric::new(format!("m{}", nth % 3)).label("n", nth as i64).label("l", label.clone());
                        frames[0].points.push(Point { metric: metric.into(), value });
                    } else {
                        frames[0].points[nth].value = value;
                    }
                }
                let (fresh, expected) = page(&mut Encoder::new(format).escaping(escaping), &frames);
                let (moved, encoded) = page(&mut encoder, &frames);
                prop_assert_eq!((trimmed(&moved), encoded), (trimmed(&fresh), expected));
            }
        }
    }
}

fn frames(points: &[Point], split: usize) -> [Frame; 2] {
    let (left, right) = points.split_at(split.min(points.len()));
    [frame(left.to_vec()), frame(right.to_vec())]
}

/// What a reader makes of a page. It panics where the text breaks a rule of its format.
struct Page {
    families: Vec<Family>,
}

struct Family {
    name: String,
    kind: String,
    samples: Vec<Sample>,
}

struct Sample {
    suffix: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Page {
    fn read(text: &str, format: Format, escaping: Escaping) -> Page {
        let quotes = escaping == Escaping::AllowUtf8;
        assert!(quotes || !text.lines().any(|line| line.starts_with('{')), "a name in quotes");
        let is_openmetrics = format == Format::OpenMetrics;
        let text = if is_openmetrics { text.strip_suffix("# EOF\n").expect("an end") } else { text };
        assert!(text.is_empty() || text.ends_with('\n'));
        let mut families: Vec<Family> = Vec::new();
        let mut help_of = None;
        for line in text.split_terminator('\n') {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = name_and_rest(help);
                assert!(!is_openmetrics || !help.replace("\\\\", "").replace("\\\"", "").contains('"'));
                help_of = Some(name);
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = name_and_rest(kind);
                assert!(help_of.take().is_none_or(|helped| helped == name), "{line}");
                families.push(Family { name, kind: kind.to_owned(), samples: vec![] });
            } else if let Some(unit) = line.strip_prefix("# UNIT ") {
                let family = families.last().expect("a family");
                let (name, unit) = name_and_rest(unit);
                assert!(is_openmetrics && family.samples.is_empty() && family.name == name, "{line}");
                assert!(is_name(&format!("_{unit}")) && name.ends_with(&format!("_{unit}")), "{line}");
            } else {
                families.last_mut().expect("a family").read(line, is_openmetrics);
            }
        }
        let page = Page { families };
        page.check();
        page
    }

    fn check(&self) {
        let mut names = BTreeSet::new();
        let mut series = BTreeSet::new();
        for family in &self.families {
            assert!(!family.samples.is_empty(), "{} has no samples", family.name);
            assert!(names.insert(&family.name), "{} stands twice", family.name);
            for sample in &family.samples {
                let told_apart: Vec<_> =
                    sample.labels.iter().filter(|(_, value)| !value.is_empty()).collect();
                assert!(
                    series.insert((family.name.clone() + &sample.suffix, told_apart)),
                    "a series stands twice"
                );
            }
        }
    }

    fn points(&self) -> u64 {
        let per_family =
            |family: &Family| family.samples.iter().filter(|sample| sample.ends_a_point()).count();
        self.families.iter().map(per_family).sum::<usize>() as u64
    }

    /// No label is made of another's text, but where several of one point are joined.
    fn assert_labels_of(&self, points: &[Point]) {
        let known: BTreeSet<_> = points.iter().flat_map(|point| values_of(&point.metric)).collect();
        for (name, value) in self.families.iter().flat_map(|f| &f.samples).flat_map(|sample| &sample.labels) {
            assert!(name == "le" || known.contains(value.as_str()), "{name}={value:?}");
        }
    }
}

/// Every value that a label of it may have: those of any of its labels, in the order of their keys.
fn values_of(metric: &Metric) -> Vec<String> {
    let mut labels: Vec<_> = metric.labels.iter().collect();
    labels.sort_by(|one, other| one.key.cmp(&other.key));
    let of_subset = |subset: u32| {
        let chosen = (0..).zip(&labels).filter(|(at, _)| subset >> at & 1 == 1);
        chosen.map(|(_, label)| label.value.to_text()).collect::<Vec<_>>().join(";")
    };
    (1..1 << labels.len()).map(of_subset).collect()
}

impl Family {
    fn read(&mut self, line: &str, is_openmetrics: bool) {
        let sample = Sample::read(&self.name, line);
        match (self.kind.as_str(), sample.suffix.as_str()) {
            ("gauge", "") => {}
            ("counter", suffix) => {
                assert_eq!(suffix, if is_openmetrics { "_total" } else { "" }, "{line}");
                assert!(is_openmetrics || self.name.ends_with("_total"), "{line}");
                assert!(sample.value >= 0.0, "{line}");
            }
            ("histogram", "_bucket") => self.check_bucket(&sample, line),
            ("histogram", "_sum") => {
                let negative = is_openmetrics && (sample.value < 0.0 || sample.value.is_nan());
                assert!(!negative && self.samples.last().is_some_and(Sample::ends_a_point), "{line}");
            }
            ("histogram", "_count") => {
                let buckets = self.samples.iter().rev().find(|s| s.suffix == "_bucket").expect("buckets");
                assert!(buckets.ends_a_point() && buckets.value == sample.value, "{line}");
            }
            _ => panic!("{line} does not belong to the {} {}", self.kind, self.name),
        }
        self.samples.push(sample);
    }

    fn check_bucket(&self, sample: &Sample, line: &str) {
        let below = self.samples.last().filter(|last| last.suffix == "_bucket" && !last.ends_a_point());
        if let Some(below) = below {
            assert!(below.bound() < sample.bound() && below.value <= sample.value, "{line}");
        }
    }
}

impl Sample {
    fn read(family: &str, line: &str) -> Sample {
        let mut labels = BTreeMap::new();
        let (mut name, mut rest) = (String::new(), line);
        if !line.starts_with('{') {
            let name_len = line.find(['{', ' ']).expect("a name");
            (name, rest) = (line[..name_len].to_owned(), &line[name_len..]);
            assert!(is_name(&name));
        }
        while let Some(label) = rest.strip_prefix(['{', ',']) {
            let after = match label.strip_prefix('"').map(unquote) {
                None => {
                    let (key, value) = label.split_once("=\"").expect("a label");
                    assert!(is_name(key) && !key.contains(':'), "{key}");
                    read_label(&mut labels, key, value)
                }
                Some((text, behind)) => match behind.strip_prefix("=\"") {
                    Some(value) => {
                        assert!(!is_name(&text) || text.contains(':'), "{text} needs no quotes");
                        read_label(&mut labels, &text, value)
                    }
                    None => {
                        assert!(name.is_empty() && !is_name(&text), "{line}");
                        name = text;
                        behind
                    }
                },
            };
            rest = after.strip_prefix('}').unwrap_or(after);
        }
        let suffix = name.strip_prefix(family).expect("the family's name").to_owned();
        let value = rest.strip_prefix(' ').expect("a space").parse().expect("a number");
        Sample { suffix, labels, value }
    }

    fn bound(&self) -> f64 {
        self.labels["le"].parse().expect("a bound")
    }

    fn ends_a_point(&self) -> bool {
        match self.suffix.as_str() {
            "" | "_total" => true,
            "_bucket" => self.labels["le"] == "+Inf",
            _ => false,
        }
    }
}

/// Notes a label; returns what follows it.
fn read_label<'t>(labels: &mut BTreeMap<String, String>, name: &str, value: &'t str) -> &'t str {
    assert!(!name.starts_with("__"), "{name}");
    let (text, after) = unquote(value);
    assert!(labels.insert(name.to_owned(), text).is_none(), "{name} stands twice");
    after
}

/// The name at the front of a line, in quotes or not, and what follows the space behind it.
fn name_and_rest(line: &str) -> (String, &str) {
    let (name, rest) = match line.strip_prefix('"') {
        Some(quoted) => unquote(quoted),
        None => line.find(' ').map(|at| (line[..at].to_owned(), &line[at..])).expect("a space"),
    };
    assert!(is_name(&name) != line.starts_with('"'), "{line}");
    (name, rest.strip_prefix(' ').expect("a space"))
}

/// The text up to the closing quote, and what follows that.
fn unquote(text: &str) -> (String, &str) {
    let mut unquoted = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (unquoted, &text[at + 1..]),
            '\\' => unquoted.push(match chars.next().expect("an escape").1 {
                'n' => '\n',
                c @ ('"' | '\\') => c,
                c => panic!("\\{c}"),
            }),
            c => unquoted.push(c),
        }
    }
    panic!("no quote ends {text}")
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || "_:".contains(c))
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_:".contains(c))
}

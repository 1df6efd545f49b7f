//! Every line of every datagram is one that a reader of DogStatsD takes for what it is.

use std::sync::Arc;

use arbitrary::Arbitrary;
use barewire::{
    Label, Metric, Registry, Sample, Unit,
    view::{self, Field, SampleRule, Value},
    wire::datagram::Datagrams,
};
use barewire_statsd::{
    Check, Encoded, Encoder, SampleEncoder, ServiceCheck, Style, push_event, push_service_check,
};

use crate::{
    event::Happened,
    frame::{Frame, LabelText, Name, Text},
};

/// What one exporter tells, and how.
#[derive(Debug, Arbitrary)]
pub struct Told {
    manner: Manner,
    limit_bytes: u16,
    /// Each with the share of its bytes that is delivered, of 255.
    frames: Vec<(Frame, u8)>,
    events: Vec<Happened>,
    checks: Vec<Checked>,
    samples: Vec<(Name, u64)>,
    rule: Vec<(Text, Text)>,
    rate: f64,
}

#[derive(Debug, Arbitrary)]
struct Manner {
    prefix: Text,
    tags: Vec<(Text, Text)>,
    container: Text,
    host: Text,
    timestamps: bool,
}

/// Mirrors [`ServiceCheck`].
#[derive(Debug, Arbitrary)]
struct Checked {
    name: Text,
    status: u8,
    time_unix_ns: Option<u64>,
    labels: Vec<(Text, LabelText)>,
    message: Text,
}

/// Encodes all of it, and reads the lines.
///
/// # Panics
/// When one is none, or a datagram is too long, or a point is in neither number.
pub fn check(told: Told) {
    let style = Style::from(told.manner);
    let mut out = Datagrams::new(told.limit_bytes.into());
    check_frames(told.frames, &style, &mut out);
    for event in told.events.into_iter().map(Into::into) {
        out.clear();
        let fits = out.push(|out| _ = push_event(out, &event, &style));
        assert!(!fits || event.title.is_empty() == out.is_empty());
        check_lines(&out, is_event);
    }
    for check in told.checks.into_iter().map(ServiceCheck::from) {
        out.clear();
        let fits = out.push(|out| _ = push_service_check(out, &check, &style));
        assert!(!fits || check.name.is_empty() == out.is_empty());
        check_lines(&out, is_check);
    }
    out.clear();
    let mut encoder = SampleEncoder::new(style, rule(told.rule), told.rate);
    let registry = Registry::new("fuzz");
    for (name, number) in told.samples {
        let metric = Metric::from(name);
        let series = registry.sample_series(metric.clone());
        let (start_unix_ns, duration_ns, bytes) = (number, number, number);
        let sample = Sample { series, start_unix_ns, duration_ns, bytes, counted: true, trace: None };
        out.push(|out| _ = encoder.push_sample(&Arc::new(metric), &sample, out));
    }
    check_lines(&out, is_metric);
}

fn check_frames(frames: Vec<(Frame, u8)>, style: &Style, out: &mut Datagrams) {
    let mut encoder = Encoder::new(style.clone());
    for (at, (frame, share)) in frames.into_iter().enumerate() {
        let frame = view::Frame::from(frame);
        out.clear();
        let Encoded { points, left_out } = encoder.push_frame(&frame, out);
        let present = frame.points.iter().filter(|point| point.value != Value::Absent).count() as u64;
        // A histogram of nothing is told by no line; what was not delivered before is told without a point of now.
        assert!(points + left_out <= frame.points.len() as u64);
        assert!(at > 0 || points + left_out <= present);
        check_lines(out, is_metric);
        encoder.settle(out.len_bytes() * usize::from(share) / 255);
    }
}

fn rule(fields: Vec<(Text, Text)>) -> SampleRule {
    let kinds =
        [Field::Count, Field::Duration(Unit::Milliseconds), Field::Duration(Unit::Seconds), Field::Bytes];
    fields.into_iter().enumerate().fold(SampleRule::new("request"), |rule, (at, (field, by))| {
        let (field, by) = (String::from(field), String::from(by));
        rule.field(field, kinds[at % kinds.len()].clone()).by_as(by.clone(), by)
    })
}

/// # Panics
/// When a line is of another kind.
fn check_lines(out: &Datagrams, is_one: impl Fn(&str) -> bool) {
    for datagram in out.iter() {
        assert!(datagram.len() <= out.limit_bytes() && datagram.ends_with(b"\n"));
        let text = std::str::from_utf8(datagram).expect("UTF-8");
        for line in text.split_terminator('\n') {
            assert!(is_one(line) && !line.contains(|c: char| c.is_control()), "{line:?}");
        }
    }
}

/// `name:value:…|type|@rate|#key:value,…|c:id|T1700000000`
fn is_metric(line: &str) -> bool {
    let Some((name, rest)) = line.split_once(':') else { return false };
    let mut fields = rest.split('|');
    let (values, kind) = (fields.next().unwrap_or(""), fields.next().unwrap_or(""));
    let is_number = |text: &str| text.parse().is_ok_and(f64::is_finite);
    !name.is_empty()
        && !line.starts_with("_e{")
        && !line.starts_with("_sc")
        && !name.contains(['|', '#', '@', ','])
        && values.split(':').all(is_number)
        && ["c", "g", "d", "h", "ms"].contains(&kind)
        && fields.all(|field| match field.split_at_checked(1) {
            Some(("@", rate)) => rate.parse().is_ok_and(|rate: f64| 0.0 < rate && rate < 1.0),
            Some(("T", time)) => time.parse::<u64>().is_ok(),
            _ => is_common(field),
        })
}

/// `_e{5,4}:title|text|d:1700000000|h:host|t:info|#event:name,key:value|c:id`
fn is_event(line: &str) -> bool {
    let read = || {
        let (lengths, rest) = line.strip_prefix("_e{")?.split_once("}:")?;
        let (title, text) = lengths.split_once(',')?;
        let (title, text): (usize, usize) = (title.parse().ok()?, text.parse().ok()?);
        let rest = rest.get(title..)?.strip_prefix('|')?;
        rest.get(text..)?.strip_prefix('|')
    };
    read().is_some_and(|fields| fields.split('|').all(is_common))
}

/// `_sc|name|0|d:1700000000|h:host|#key:value|c:id|m:message`
fn is_check(line: &str) -> bool {
    let mut fields = line.split('|');
    let [head, name, status] = [(); 3].map(|()| fields.next().unwrap_or(""));
    let status: Option<u8> = status.parse().ok();
    let fields: Vec<_> = fields.collect();
    let behind = fields.iter().position(|field| field.starts_with("m:")).map_or(fields.len(), |at| at + 1);
    head == "_sc"
        && !name.is_empty()
        && status.is_some_and(|status| status < 4)
        && behind == fields.len()
        && fields.iter().all(|field| field.starts_with("m:") || is_common(field))
}

/// A field that stands behind every kind of line.
fn is_common(field: &str) -> bool {
    if let Some(tags) = field.strip_prefix('#') {
        return tags.split(',').all(|tag| {
            tag.split_once(':')
                .is_some_and(|(key, value)| !key.is_empty() && !value.contains([':', '#', '@']))
        });
    }
    match field.split_once(':') {
        Some(("c" | "h", id)) => !id.is_empty() && !id.contains([':', '#', ',']),
        Some(("d", time)) => time.parse::<u64>().is_ok(),
        Some(("t", level)) => ["info", "success", "warning", "error"].contains(&level),
        _ => false,
    }
}

impl From<Manner> for Style {
    fn from(manner: Manner) -> Self {
        let Manner { prefix, tags, container, host, timestamps } = manner;
        let style = Style::new()
            .prefix(&String::from(prefix))
            .container(&String::from(container))
            .host(&String::from(host));
        let style = if timestamps { style.timestamps() } else { style };
        tags.into_iter()
            .fold(style, |style, (key, value)| style.tag(&String::from(key), &String::from(value)))
    }
}

impl From<Checked> for ServiceCheck {
    fn from(checked: Checked) -> Self {
        let Checked { name, status, time_unix_ns, labels, message } = checked;
        let status = [Check::Ok, Check::Warning, Check::Critical, Check::Unknown][usize::from(status % 4)];
        ServiceCheck {
            name: name.into(),
            status,
            time_unix_ns,
            labels: labels.into_iter().map(|(key, value)| Label::new(key, value)).collect(),
            message: message.into(),
        }
    }
}

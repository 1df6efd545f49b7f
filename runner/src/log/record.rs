//! Points and events in, lines out. Whatever a name or a label holds, a line is one document.

use std::{
    collections::HashMap,
    io::Write as _,
    time::{Duration, UNIX_EPOCH},
};

use barewire::{
    Event, Label, LabelValue, Level,
    view::{Frame, Number, Point, Value},
    wire::text::{push_decimal, push_f64, push_i64, push_json_string},
};

use super::Origin;
use crate::{name, profile::locust_telemetry::EVENT_PREFIX};

const STATS: &str = "locust.tl.request.metric.stats";

/// What a record says of itself: no label of an event takes the place of one of these.
const KEYS: [&str; 8] =
    ["telemetry_type", "telemetry_name", "run_id", "testplan", "source", "source_id", "text", "end_time"];

/// The lines of one tick, or of one event.
pub(super) struct Records {
    text: Vec<u8>,
    /// The members that every record has, rendered once.
    origin: Vec<u8>,
    /// Values and events on the lines.
    pub(super) points: u64,
    /// Values that JSON has no number for.
    pub(super) left_out: u64,
}

impl Records {
    pub(super) fn new(origin: &Origin) -> Self {
        let Origin { run_id, testplan, source, source_id } = origin;
        let mut rendered = Vec::new();
        for (key, value) in
            [("run_id", run_id), ("testplan", testplan), ("source", source), ("source_id", source_id)]
        {
            push_text(&mut rendered, key, value);
        }
        Records { text: Vec::new(), origin: rendered, points: 0, left_out: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
        (self.points, self.left_out) = (0, 0);
    }

    /// Whole lines.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    pub(super) fn push_event(&mut self, event: &Event) {
        let name = format!("{EVENT_PREFIX}{}", event.name);
        self.begin(event.time_unix_ns, level(event.level), &event.title, "event", &name);
        if !event.text.is_empty() {
            push_text(&mut self.text, "text", &event.text);
        }
        if event.name == name::TEST_STOP {
            push_key(&mut self.text, "end_time");
            push_time(&mut self.text, event.time_unix_ns);
        }
        for (at, Label { key, value }) in event.labels.iter().enumerate() {
            let is_taken = event.labels[..at].iter().any(|label| label.key == *key);
            if !is_taken && !KEYS.contains(&key.as_str()) {
                push_label(&mut self.text, key, value);
            }
        }
        self.points += 1;
        self.end();
    }

    /// One record of the labels and the values of `points`, which have the same labels.
    pub(super) fn push_stats(&mut self, at: u64, stats_type: &str, points: &[Point]) {
        self.push_point_stats(at, stats_type, points.iter());
    }

    /// One such record for each set of labels.
    pub(super) fn push_each_stats(&mut self, at: u64, stats_type: &str, frame: &Frame) {
        let mut place_of: HashMap<&[Label], usize> = HashMap::new();
        let mut groups: Vec<Vec<&Point>> = Vec::new();
        for point in &frame.points {
            let place = *place_of.entry(&point.metric.labels).or_insert(groups.len());
            if place == groups.len() {
                groups.push(Vec::new());
            }
            groups[place].push(point);
        }
        for group in groups {
            self.push_point_stats(at, stats_type, group.into_iter());
        }
    }

    fn push_point_stats<'a>(
        &mut self,
        at: u64,
        stats_type: &str,
        points: impl Iterator<Item = &'a Point> + Clone,
    ) {
        self.begin(at, "INFO", STATS, "metrics", STATS);
        push_text(&mut self.text, "stats_type", stats_type);
        for Label { key, value } in points.clone().take(1).flat_map(|point| &point.metric.labels) {
            push_label(&mut self.text, key, value);
        }
        for point in points {
            if let Some(number) = self.number(&point.value) {
                push_number(&mut self.text, &point.metric.name, number);
            }
        }
        self.end();
    }

    /// A record for each point that has a value.
    pub(super) fn push_levels(&mut self, at: u64, frame: &Frame) {
        for Point { metric, value } in &frame.points {
            let Some(number) = self.number(value) else { continue };
            self.begin(at, "INFO", &metric.name, "metrics", &metric.name);
            for Label { key, value } in &metric.labels {
                push_label(&mut self.text, key, value);
            }
            push_number(&mut self.text, "value", number);
            push_text(&mut self.text, "unit", metric.unit.symbol());
            self.end();
        }
    }

    /// The number of a value, which is counted.
    fn number(&mut self, value: &Value) -> Option<Number> {
        let number = match value {
            Value::Absent => return None,
            Value::Gauge(number) | Value::Counter(number) => Some(*number),
            _ => None,
        };
        let number = number.filter(|number| number.to_f64().is_finite());
        match number {
            Some(_) => self.points += 1,
            None => self.left_out += 1,
        }
        number
    }

    fn begin(&mut self, at: u64, level: &str, message: &str, telemetry_type: &str, telemetry_name: &str) {
        let out = &mut self.text;
        out.extend_from_slice(b"{\"time\":");
        push_time(out, at);
        push_text(out, "level", level);
        push_text(out, "name", "barewire");
        push_text(out, "message", message);
        out.extend_from_slice(b",\"telemetry\":{\"telemetry_type\":");
        push_json_string(out, telemetry_type);
        push_text(out, "telemetry_name", telemetry_name);
        out.extend_from_slice(&self.origin);
    }

    fn end(&mut self) {
        self.text.extend_from_slice(b"}}\n");
    }
}

/// As Python's logging calls it.
fn level(level: Level) -> &'static str {
    match level {
        Level::Info | Level::Success => "INFO",
        Level::Warning => "WARNING",
        Level::Error => "ERROR",
    }
}

/// `"2026-01-01T00:00:01.000Z"`: RFC 3339 in UTC, cut to milliseconds.
fn push_time(out: &mut Vec<u8>, unix_ns: u64) {
    let time = humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_nanos(unix_ns));
    write!(out, "\"{time}\"").expect("a vector takes every write, and the year has four digits");
}

fn push_key(out: &mut Vec<u8>, key: &str) {
    out.push(b',');
    push_json_string(out, key);
    out.push(b':');
}

fn push_text(out: &mut Vec<u8>, key: &str, value: &str) {
    push_key(out, key);
    push_json_string(out, value);
}

fn push_label(out: &mut Vec<u8>, key: &str, value: &LabelValue) {
    push_key(out, key);
    match value {
        LabelValue::Text(text) => push_json_string(out, text),
        LabelValue::Int(int) => push_i64(out, *int),
    }
}

/// The number is finite.
fn push_number(out: &mut Vec<u8>, key: &str, number: Number) {
    push_key(out, key);
    match number {
        Number::Int(int) => push_i64(out, int),
        Number::Float(float) => push_f64(out, float),
        Number::Decimal { digits, decimals } => push_decimal(out, digits, decimals),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barewire::Metric;
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};
    use std::sync::Arc;

    fn records() -> Records {
        Records::new(&Origin::new("r1", "shop"))
    }

    fn lines(records: &Records) -> Vec<Json> {
        let text = str::from_utf8(records.text()).expect("UTF-8");
        assert!(text.is_empty() || text.ends_with('\n'));
        text.lines().map(|line| serde_json::from_str(line).expect("a document a line")).collect()
    }

    #[test]
    fn an_event_is_a_line_as_locust_telemetry_writes_it() {
        let mut records = records();
        let event = Event::new("test.stop", 1_700_000_000_123_999_999)
            .title("The run has ended")
            .text("It passed.")
            .level(Level::Warning)
            .label("users", 5);
        records.push_event(&event);
        let expected = concat!(
            r#"{"time":"2023-11-14T22:13:20.123Z","level":"WARNING","name":"barewire","#,
            r#""message":"The run has ended","telemetry":{"telemetry_type":"event","#,
            r#""telemetry_name":"locust.tl.event.test.stop","run_id":"r1","testplan":"shop","#,
            r#""source":"barewire","source_id":"master","text":"It passed.","#,
            r#""end_time":"2023-11-14T22:13:20.123Z","users":5}}"#,
            "\n"
        );
        assert_eq!(str::from_utf8(records.text()).unwrap(), expected);
        assert_eq!((records.points, records.left_out), (1, 0));
    }

    #[test]
    fn a_label_does_not_take_the_place_of_what_a_record_says_of_itself() {
        let mut records = records();
        let mut event = Event::new("test.start", 0);
        event.labels = ["run_id", "text", "a", "a"]
            .into_iter()
            .zip(1..)
            .map(|(key, value)| Label::new(key, value))
            .collect();
        records.push_event(&event);
        let telemetry = &lines(&records)[0]["telemetry"];
        assert_eq!((&telemetry["run_id"], &telemetry["a"]), (&json!("r1"), &json!(3)));
        assert_eq!(telemetry.get("text"), None);
    }

    #[test]
    fn a_value_that_is_no_number_is_left_out_and_counted() {
        let mut records = records();
        let point = |name, value| Point { metric: Arc::new(Metric::new(name)), value };
        let gauge = |float| Value::Gauge(Number::Float(float));
        let points = [
            point("nan", gauge(f64::NAN)),
            point("one", gauge(1.0)),
            point("none", Value::Absent),
            point("ms", Value::Gauge(Number::Decimal { digits: 1_500_000, decimals: 6 })),
            point("big", Value::Counter(Number::Int(i64::MAX))),
        ];
        records.push_stats(0, "current", &points);
        assert_eq!((records.points, records.left_out), (3, 1));
        let text = str::from_utf8(records.text()).unwrap();
        let expected =
            concat!(r#""stats_type":"current","one":1,"ms":1.5,"big":9223372036854775807}}"#, "\n");
        assert!(text.ends_with(expected), "{text}");
    }

    proptest! {
        #[test]
        fn whatever_texts_hold_a_line_is_one_document_that_says_them(
            name in ".*", title in ".*", text in ".*", at: u64,
            labels in prop::collection::vec(("[ab\"\n]{0,2}|.*", ".*"), 0..5), origin in ".*",
        ) {
            let origin = Origin { source: origin.clone(), source_id: origin.clone(), ..Origin::new(&*origin, &*origin) };
            let mut records = Records::new(&origin);
            let mut event = Event::new(name.clone(), at).title(&*title).text(&*text);
            event.labels = labels.iter().map(|(key, value)| Label::new(key, &**value)).collect();
            records.push_event(&event);
            let lines = lines(&records);
            prop_assert_eq!(lines.len(), 1);
            let telemetry = &lines[0]["telemetry"];
            prop_assert_eq!(&lines[0]["message"], &title);
            prop_assert_eq!(&telemetry["telemetry_name"], &format!("{EVENT_PREFIX}{name}"));
            for key in ["run_id", "testplan", "source", "source_id"] {
                prop_assert_eq!(&telemetry[key], &origin.run_id);
            }
            for (key, _) in labels.iter().filter(|(key, _)| !KEYS.contains(&key.as_str())) {
                let (_, first) = labels.iter().find(|(known, _)| known == key).expect("at least this one");
                prop_assert_eq!(&telemetry[key], first);
            }
        }
    }
}

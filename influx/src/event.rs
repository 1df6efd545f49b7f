//! Events, as Grafana reads annotations: a measurement `events` with the fields `title`, `text` and `tags`, the last of
//! them words with commas between, and to select by, the tags `event` and `level`.

use std::borrow::Cow;

use barewire::{Event, Label, Level};

use crate::{
    line::{Line, longest_key, push_head, push_time},
    tags::Tags,
};

const FIELDS: [&str; 3] = ["title", "text", "tags"];

/// Appends the line of `event`, which `tags` are added to; whether there was anything to append.
pub fn push_event(out: &mut Vec<u8>, event: &Event, tags: &[Label]) -> bool {
    let own = [("event", Cow::Borrowed(&*event.name)), ("level", Cow::Borrowed(name_of(event.level)))];
    let more = tags.iter().map(|tag| (tag.key.as_str(), tag.value.to_text()));
    let tags = Tags::of(own.into_iter().chain(more), |key| FIELDS.contains(&key));
    let mut head = Vec::new();
    if !push_head(&mut head, "events", &tags, longest_key(FIELDS.into_iter())) {
        return false;
    }
    let mut line = Line::begin(out, &head);
    line.text(b"title", &event.title);
    line.text(b"text", &event.text);
    line.text(b"tags", &words(event));
    line.end(|out| push_time(out, event.time_unix_ns))
}

/// The same in at most `limit_bytes`: of an event that is longer the text is cut, and if that is not enough the title, behind a
/// whole character and with `…` in the place of the rest. Nothing is appended where tags leave no room for that.
pub(crate) fn push_event_within(
    out: &mut Vec<u8>,
    event: &Event,
    tags: &[Label],
    limit_bytes: usize,
) -> bool {
    let (start, mut event) = (out.len(), Cow::Borrowed(event));
    let parts: [fn(&mut Event) -> &mut String; 2] = [|event| &mut event.text, |event| &mut event.title];
    for part in parts {
        if !push_event(out, &event, tags) {
            return false;
        }
        let excess = (out.len() - start).saturating_sub(limit_bytes);
        if excess == 0 {
            return true;
        }
        out.truncate(start);
        cut(part(event.to_mut()), excess);
    }
    let is_written = push_event(out, &event, tags) && out.len() - start <= limit_bytes;
    if !is_written {
        out.truncate(start);
    }
    is_written
}

/// What stands in the place of the rest of a text.
const REST: &str = "…";

/// Takes at least `excess` bytes, as they are written, from the end of a text, as far as it has them, and says so.
fn cut(text: &mut String, excess: usize) {
    if text.is_empty() {
        return;
    }
    let mut taken = 0;
    while taken < excess + REST.len()
        && let Some(last) = text.pop()
    {
        taken += if matches!(last, '"' | '\\') { 2 } else { last.len_utf8() };
    }
    text.push_str(REST);
}

/// When the last event was, and when it is said to have been: a server keeps one of a name and level for each time.
#[derive(Debug, Default)]
pub(crate) struct EventTimes {
    last_unix_ns: u64,
    told_unix_ns: u64,
}

impl EventTimes {
    /// The event at its own time, or a nanosecond after the one before it where that was at the same time.
    pub(crate) fn place<'e>(&mut self, event: &'e Event) -> Cow<'e, Event> {
        let is_at_once = event.time_unix_ns == self.last_unix_ns;
        self.last_unix_ns = event.time_unix_ns;
        self.told_unix_ns = if is_at_once { self.told_unix_ns + 1 } else { event.time_unix_ns };
        if !is_at_once {
            return Cow::Borrowed(event);
        }
        Cow::Owned(Event { time_unix_ns: self.told_unix_ns, ..event.clone() })
    }
}

/// The name, the level, and `key:value` of each label.
fn words(event: &Event) -> String {
    let labels = event.labels.iter().map(|label| format!("{}:{}", label.key, label.value.to_text()));
    let words = [event.name.to_string(), name_of(event.level).to_owned()].into_iter().chain(labels);
    words.map(|word| word.replace(',', "_")).collect::<Vec<_>>().join(",")
}

fn name_of(level: Level) -> &'static str {
    match level {
        Level::Info => "info",
        Level::Success => "success",
        Level::Warning => "warning",
        Level::Error => "error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_at_one_time_are_told_a_nanosecond_apart() {
        let mut times = EventTimes::default();
        let told = [5, 5, 5, 9, 9, 5].map(|time| times.place(&Event::new("e", time)).time_unix_ns);
        assert_eq!(told, [5, 6, 7, 9, 10, 5]);
    }

    #[test]
    fn an_event_is_cut_at_a_character_to_what_there_is_room_for() {
        let event = Event::new("e", 1).title("\"Title\"").text("é\"".repeat(40));
        let mut whole = Vec::new();
        assert!(push_event(&mut whole, &event, &[]));
        let mut shortest = usize::MAX;
        for limit in 0..whole.len() {
            let mut out = b"before\n".to_vec();
            let is_written = push_event_within(&mut out, &event, &[], limit);
            let line = std::str::from_utf8(&out).unwrap().strip_prefix("before\n").unwrap();
            assert!(line.len() <= limit && line.is_empty() != is_written);
            if is_written {
                shortest = shortest.min(limit);
                assert!(line.contains("…\",tags=\"e,info\" 1\n"), "{line}");
            }
            assert!(is_written || limit < shortest, "a longer one was left out");
        }
        assert_eq!(shortest, "events,event=e,level=info title=\"…\",text=\"…\",tags=\"e,info\" 1\n".len());
        let mut out = Vec::new();
        assert!(push_event_within(&mut out, &event, &[], whole.len()) && out == whole);
    }

    #[test]
    fn an_event_is_an_annotation() {
        let event = Event::new("threshold.breached", 5)
            .title("p95 is \"high\"")
            .text("620 ms,\nlimit 500 ms")
            .level(Level::Error)
            .label("load_test.threshold", "p95 < 500ms, always")
            .label("load_test.stage", 2);
        let mut out = Vec::new();
        assert!(push_event(&mut out, &event, &[Label::new("host", "a"), Label::new("level", "none")]));
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "events,event=threshold.breached,host=a,level=error \
             title=\"p95 is \\\"high\\\"\",text=\"620 ms,\nlimit 500 ms\",\
             tags=\"threshold.breached,error,load_test.threshold:p95 < 500ms_ always,load_test.stage:2\" 5\n"
        );
    }
}

//! Events in, one OTLP/JSON document of log records out.
//!
//! ```text
//! {"resourceLogs":[
//!   {"resource":{"attributes":[…]},"scopeLogs":[{"scope":{"name":"s","version":"1"},"logRecords":[
//!     {"timeUnixNano":"2","observedTimeUnixNano":"2","severityNumber":9,"severityText":"INFO",
//!      "body":{"stringValue":"title\ntext"},"attributes":[…],"eventName":"stage.change"}]}]}]}
//! ```
//!
//! An event is seen where it happens, so both times are the same (logs data model, `ObservedTimestamp`). What is for
//! people is the body, the title as its first line; what is for programs is the name and the labels. Events can always
//! be carried: a label that cannot be an attribute is counted in `droppedAttributesCount`.

use std::{borrow::Cow, sync::Arc};

use barewire::{
    Event, Label, Level,
    view::Scope,
    wire::text::{push_json_string, push_u64},
};

use super::envelope::{Head, ITEMS_END, LOGS, List, RESOURCES_END, push_attributes_or_count, push_text};

/// Turns events into `ExportLogsServiceRequest`s.
///
/// ```
/// use std::sync::Arc;
///
/// use barewire::{Event, Level};
/// use barewire_otlp_json::LogEncoder;
///
/// let event = Event::new("test.stop", 7).title("Stopped").level(Level::Success).label("load_test.stage", 2);
///
/// let mut out = Vec::new();
/// LogEncoder::new(None).push_request(&Arc::default(), [&event], &mut out);
/// assert_eq!(
///     String::from_utf8(out).unwrap(),
///     concat!(
///         r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"7","observedTimeUnixNano":"7","#,
///         r#""severityNumber":10,"severityText":"SUCCESS","body":{"stringValue":"Stopped"},"#,
///         r#""attributes":[{"key":"load_test.stage","value":{"intValue":"2"}}],"eventName":"test.stop"}]}]}]}"#
///     )
/// );
/// ```
#[derive(Debug)]
pub struct LogEncoder {
    head: Head,
}

impl LogEncoder {
    /// An encoder of what `scope` tells.
    pub fn new(scope: Option<Scope>) -> Self {
        LogEncoder { head: Head::new(LOGS, scope) }
    }

    /// Appends one document with the events of one resource, or nothing if there is none.
    pub fn push_request<'a>(
        &mut self,
        resource: &Arc<[Label]>,
        events: impl IntoIterator<Item = &'a Event>,
        out: &mut Vec<u8>,
    ) {
        let resources = List::open(LOGS.resources, out);
        let records = List::open(self.head.of(resource), out);
        events.into_iter().for_each(|event| push_record(event, out));
        records.close(ITEMS_END, out);
        resources.close(RESOURCES_END, out);
    }
}

fn push_record(event: &Event, out: &mut Vec<u8>) {
    let (number, text) = severity(event.level);
    out.extend_from_slice(br#"{"timeUnixNano":""#);
    push_u64(out, event.time_unix_ns);
    out.extend_from_slice(br#"","observedTimeUnixNano":""#);
    push_u64(out, event.time_unix_ns);
    out.extend_from_slice(br#"","severityNumber":"#);
    push_u64(out, number);
    push_text(br#","severityText":"#, text, out);
    push_body(event, out);
    push_attributes_or_count(&event.labels, out);
    push_text(br#","eventName":"#, &event.name, out);
    out.extend_from_slice(b"},");
}

fn push_body(event: &Event, out: &mut Vec<u8>) {
    let body = match (event.title.as_str(), event.text.as_str()) {
        ("", "") => return,
        (one, "") | ("", one) => Cow::Borrowed(one),
        (title, text) => Cow::Owned(format!("{title}\n{text}")),
    };
    out.extend_from_slice(br#","body":{"stringValue":"#);
    push_json_string(out, &body);
    out.push(b'}');
}

/// Logs data model, "Mapping of `SeverityNumber`": levels of the same range get numbers by how severe they are, the
/// first of them the smallest. The text is the short name that the specification has for the number, and the level's
/// own where that would say less.
fn severity(level: Level) -> (u64, &'static str) {
    match level {
        Level::Info => (9, "INFO"),
        Level::Success => (10, "SUCCESS"),
        Level::Warning => (13, "WARN"),
        Level::Error => (17, "ERROR"),
    }
}

//! What requests of all signals have around and within their items: resource, scope, attributes.

use std::sync::Arc;

use barewire::{
    Label, LabelValue,
    view::Scope,
    wire::text::{push_i64, push_json_string, push_u64},
};

/// How the levels of a request are called: resources, scopes, items.
#[derive(Debug)]
pub(super) struct Signal {
    pub(super) resources: &'static [u8],
    scopes: &'static [u8],
    items: &'static [u8],
}

pub(super) const METRICS: Signal = Signal {
    resources: br#"{"resourceMetrics":["#,
    scopes: br#""scopeMetrics":[{"#,
    items: br#""metrics":["#,
};

pub(super) const LOGS: Signal =
    Signal { resources: br#"{"resourceLogs":["#, scopes: br#""scopeLogs":[{"#, items: br#""logRecords":["# };

pub(super) const SPANS: Signal =
    Signal { resources: br#"{"resourceSpans":["#, scopes: br#""scopeSpans":[{"#, items: br#""spans":["# };

/// Closes the items of one resource, its comma included.
pub(super) const ITEMS_END: &[u8] = b"]}]},";

/// Closes the resources.
pub(super) const RESOURCES_END: &[u8] = b"]}";

/// The beginning of one resource's entry, rendered when the resource changes.
#[derive(Debug)]
pub(super) struct Head {
    signal: Signal,
    scope: Option<Scope>,
    resource: Arc<[Label]>,
    text: Vec<u8>,
}

impl Head {
    pub(super) fn new(signal: Signal, scope: Option<Scope>) -> Self {
        Head { signal, scope, resource: Arc::default(), text: Vec::new() }
    }

    /// `{"resource":…,"scopeLogs":[{"scope":…,"logRecords":[`, in the words of the signal.
    pub(super) fn of(&mut self, resource: &Arc<[Label]>) -> &[u8] {
        if self.text.is_empty() || !Arc::ptr_eq(&self.resource, resource) {
            self.resource = Arc::clone(resource);
            self.text.clear();
            push_head(&self.signal, resource, self.scope.as_ref(), &mut self.text);
        }
        &self.text
    }
}

/// Nothing empty is written. A resource goes without labels that have no key.
pub(super) fn push_head(signal: &Signal, resource: &[Label], scope: Option<&Scope>, out: &mut Vec<u8>) {
    out.push(b'{');
    if resource.iter().any(is_named) {
        out.extend_from_slice(br#""resource":{"attributes":["#);
        push_labels(resource.iter().filter(|label| is_named(label)), out);
        out.extend_from_slice(b"]},");
    }
    out.extend_from_slice(signal.scopes);
    if let Some(scope) = scope {
        out.extend_from_slice(br#""scope":{"name":"#);
        push_json_string(out, &scope.name);
        push_text(br#","version":"#, &scope.version, out);
        out.extend_from_slice(b"},");
    }
    out.extend_from_slice(signal.items);
}

/// `,"attributes":[…]` of those labels that can be attributes, `,"droppedAttributesCount":…` of the others: those
/// without a key, and those whose key another one behind it has too. For an item that is worth more than one of its
/// labels.
pub(super) fn push_attributes_or_count(labels: &[Label], out: &mut Vec<u8>) {
    let kept = labels
        .iter()
        .enumerate()
        .filter(|(at, label)| is_named(label) && labels[at + 1..].iter().all(|later| later.key != label.key));
    let kept = kept.map(|(_, label)| label);
    let dropped = labels.len() - kept.clone().count();
    if dropped < labels.len() {
        out.extend_from_slice(br#","attributes":["#);
        push_labels(kept, out);
        out.push(b']');
    }
    if dropped > 0 {
        out.extend_from_slice(br#","droppedAttributesCount":"#);
        push_u64(out, dropped as u64);
    }
}

pub(super) fn push_labels<'a>(labels: impl Iterator<Item = &'a Label>, out: &mut Vec<u8>) {
    push_separated(labels, out, |label, out| {
        out.extend_from_slice(br#"{"key":"#);
        push_json_string(out, &label.key);
        match &label.value {
            LabelValue::Text(text) => {
                out.extend_from_slice(br#","value":{"stringValue":"#);
                push_json_string(out, text);
                out.extend_from_slice(b"}}");
            }
            LabelValue::Int(int) => {
                out.extend_from_slice(br#","value":{"intValue":""#);
                push_i64(out, *int);
                out.extend_from_slice(b"\"}}");
            }
        }
    });
}

/// Whether it can be an attribute: some receivers refuse the whole batch for one without a key.
pub(super) fn is_named(label: &Label) -> bool {
    !label.key.is_empty()
}

/// `key` and `text`, unless there is no text.
pub(super) fn push_text(key: &[u8], text: &str, out: &mut Vec<u8>) {
    if !text.is_empty() {
        out.extend_from_slice(key);
        push_json_string(out, text);
    }
}

pub(super) fn push_separated<T>(
    items: impl Iterator<Item = T>,
    out: &mut Vec<u8>,
    push: impl Fn(T, &mut Vec<u8>),
) {
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        push(item, out);
    }
}

/// An array in the making. Every element ends in a comma, and an array without elements leaves no trace.
pub(super) struct List {
    opened: usize,
    first: usize,
}

impl List {
    pub(super) fn open(head: &[u8], out: &mut Vec<u8>) -> List {
        let opened = out.len();
        out.extend_from_slice(head);
        List { opened, first: out.len() }
    }

    pub(super) fn close(self, tail: &[u8], out: &mut Vec<u8>) {
        if out.len() == self.first {
            return out.truncate(self.opened);
        }
        out.pop();
        out.extend_from_slice(tail);
    }
}

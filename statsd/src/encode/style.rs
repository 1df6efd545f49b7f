//! What all lines of one exporter have in common.

use barewire::Label;
use barewire::wire::text::push_f64;

/// What all lines of one exporter have in common: a prefix, tags, and which of the optional fields they carry.
///
/// ```
/// use barewire_statsd::Style;
///
/// let style = Style::new().prefix("shop").tag("region", "eu").container("ci-1234").timestamps();
/// ```
#[derive(Debug, Clone, Default)]
pub struct Style {
    /// Sanitised, and a point at its end.
    prefix: Vec<u8>,
    /// `key:value,key:value`
    tags: Vec<u8>,
    /// `|c:id`
    container: Vec<u8>,
    /// `|h:name`
    host: Vec<u8>,
    pub(crate) timestamps: bool,
}

impl Style {
    /// No prefix, no tags, no optional fields.
    pub fn new() -> Self {
        Style::default()
    }

    /// Sets what stands before every name, with a point between; an empty one is none.
    #[must_use]
    pub fn prefix(mut self, prefix: &str) -> Self {
        self.prefix.clear();
        push_clean(&mut self.prefix, prefix.trim_end_matches('.'));
        if !self.prefix.is_empty() {
            self.prefix.push(b'.');
        }
        self
    }

    /// Adds a tag to every line; one without a key or a value is left out.
    #[must_use]
    pub fn tag(mut self, key: &str, value: &str) -> Self {
        if is_tag(key, value) {
            push_tag(&mut self.tags, key, value);
        }
        self
    }

    /// Says which container the lines come from: the field `c:`.
    #[must_use]
    pub fn container(mut self, id: &str) -> Self {
        self.container = field(b"|c:", id);
        self
    }

    /// Says which host events and service checks come from: the field `h:`. Metrics have no such field.
    #[must_use]
    pub fn host(mut self, name: &str) -> Self {
        self.host = field(b"|h:", name);
        self
    }

    /// Says of counters and gauges when they were true, in seconds: the field `T`. The Agent then takes them as they
    /// stand, without adding them up. Other types have no such field.
    #[must_use]
    pub fn timestamps(mut self) -> Self {
        self.timestamps = true;
        self
    }

    /// Appends a name with the prefix before it.
    ///
    /// What begins with `_e{` or `_sc` would be an event or a service check, so it gets another `_`.
    pub(crate) fn push_name(&self, out: &mut Vec<u8>, name: &str) {
        let start = out.len();
        out.extend_from_slice(&self.prefix);
        push_clean(out, name);
        if out[start..].starts_with(b"_e{") || out[start..].starts_with(b"_sc") {
            out.insert(start, b'_');
        }
    }

    /// Appends `|#tags|c:id`, the constant tags first; nothing where there is nothing to say.
    pub(crate) fn push_tail(&self, out: &mut Vec<u8>, labels: &[Label]) {
        self.push_tags(out, labels.iter().map(|label| (label.key.as_str(), label.value.to_text())));
        out.extend_from_slice(&self.container);
    }

    /// Appends `|#tags`, the constant ones first.
    pub(crate) fn push_tags<'a>(
        &self,
        out: &mut Vec<u8>,
        labels: impl Iterator<Item = (&'a str, impl AsRef<str>)>,
    ) {
        let opened = out.len();
        out.extend_from_slice(b"|#");
        let first = out.len();
        out.extend_from_slice(&self.tags);
        for (key, value) in labels.filter(|(key, value)| is_tag(key, value.as_ref())) {
            if out.len() > first {
                out.push(b',');
            }
            push_pair(out, key, value.as_ref());
        }
        if out.len() == first {
            out.truncate(opened);
        }
    }

    pub(crate) fn host_field(&self) -> &[u8] {
        &self.host
    }

    pub(crate) fn container_field(&self) -> &[u8] {
        &self.container
    }
}

/// Appends `text` with `_` for whatever has a meaning in a line: DogStatsD has no escapes.
pub(crate) fn push_clean(out: &mut Vec<u8>, text: &str) {
    push_mapped(out, text, |c| matches!(c, '|' | ',' | ':' | '#' | '@') || c.is_control());
}

/// Appends `text` with `_` for whatever is `bad`.
pub(crate) fn push_mapped(out: &mut Vec<u8>, text: &str, bad: impl Fn(char) -> bool) {
    for c in text.chars() {
        let c = if bad(c) { '_' } else { c };
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

/// Appends `|@rate`; nothing for 1.
pub(crate) fn push_rate(out: &mut Vec<u8>, rate: f64) {
    if rate < 1.0 {
        out.extend_from_slice(b"|@");
        push_f64(out, rate);
    }
}

/// A tag without a value (`#key:`) is none to the Agent, and neither is one without a key.
fn is_tag(key: &str, value: &str) -> bool {
    !key.is_empty() && !value.is_empty()
}

fn push_tag(out: &mut Vec<u8>, key: &str, value: &str) {
    if !out.is_empty() {
        out.push(b',');
    }
    push_pair(out, key, value);
}

fn push_pair(out: &mut Vec<u8>, key: &str, value: &str) {
    push_clean(out, key);
    out.push(b':');
    push_clean(out, value);
}

fn field(head: &[u8], value: &str) -> Vec<u8> {
    let mut field = Vec::new();
    if !value.is_empty() {
        field.extend_from_slice(head);
        push_clean(&mut field, value);
    }
    field
}

//! What happens once, at a time, and is told in words: the beginning of a run, a stage, a warning.

use std::borrow::Cow;

use crate::record::metric::{Label, LabelValue};

/// Something that happened.
///
/// ```
/// use barewire::{Event, Level};
///
/// let event = Event::new("stage.change", 1_700_000_000_000_000_000)
///     .title("Stage 2 of 3")
///     .text("From 50 to 200 users in 30 s.")
///     .level(Level::Info)
///     .label("load_test.stage", 2);
/// assert_eq!(event.name, "stage.change");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What kind of event it is, for programs: words with points between them.
    pub name: Cow<'static, str>,
    /// When it happened, in nanoseconds since the Unix epoch.
    pub time_unix_ns: u64,
    /// One line for people; the name unless it is set.
    pub title: String,
    /// More for people; may be empty.
    pub text: String,
    /// How good or bad it is.
    pub level: Level,
    /// Untrusted text, like the title and the text.
    pub labels: Vec<Label>,
}

/// How good or bad an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Level {
    /// As expected.
    #[default]
    Info,
    /// What was hoped for.
    Success,
    /// Worth a look.
    Warning,
    /// Something failed.
    Error,
}

impl Event {
    /// An event called `name` that happened at `time_unix_ns`, nanoseconds since the Unix epoch.
    pub fn new(name: impl Into<Cow<'static, str>>, time_unix_ns: u64) -> Self {
        let name = name.into();
        let title = name.clone().into_owned();
        Event { name, time_unix_ns, title, text: String::new(), level: Level::Info, labels: Vec::new() }
    }

    /// Sets the line for people.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Sets what there is to say beyond the title.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    /// Sets how good or bad it is.
    #[must_use]
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Adds a label.
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<LabelValue>) -> Self {
        self.labels.push(Label::new(key, value));
        self
    }
}

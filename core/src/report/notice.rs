//! What whoever follows a run is told of an exporter: once for each change, never once a tick.

use std::fmt;

use super::exporter::{Delivered, ExportError};

/// A change in what becomes of an exporter's items. `Display` is a sentence for people.
#[derive(Debug, Clone, Copy)]
pub struct Notice<'a> {
    /// The exporter's name.
    pub exporter: &'a str,
    /// The change.
    pub news: News<'a>,
}

/// A change that a [`Notice`] tells of.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum News<'a> {
    /// Snapshots are not delivered from now on, for this reason.
    Failing(&'a ExportError),
    /// Snapshots are delivered again.
    Delivering,
    /// The receiver took a request, and rejected items of it or gave a warning.
    Remark {
        /// The kind of items.
        items: Items,
        /// Items of the request that the receiver accepted.
        accepted: u64,
        /// Items of the request that it rejected.
        rejected: u64,
        /// The receiver's own sentence, if it gave one.
        message: Option<&'a str>,
    },
    /// The receiver accepts all items of this kind again.
    Accepting(Items),
}

/// A kind of items that an exporter delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Items {
    /// Points of snapshots.
    Points,
    /// Events.
    Events,
    /// Samples.
    Samples,
}

impl Items {
    const fn name(self) -> &'static str {
        match self {
            Items::Points => "points",
            Items::Events => "events",
            Items::Samples => "samples",
        }
    }
}

impl fmt::Display for Items {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Notice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.exporter)?;
        match self.news {
            News::Failing(error) => write!(f, "does not deliver: {error}"),
            News::Delivering => f.write_str("delivers again"),
            News::Accepting(items) => write!(f, "delivers all {items} again"),
            News::Remark { items, accepted, rejected: 0, message } => {
                let how = if accepted == 0 { "leaves" } else { "delivers" };
                let what = if accepted == 0 { "out" } else { "with a warning" };
                write!(f, "{how} {items} {what}: {}", message.unwrap_or_default())
            }
            News::Remark { items, accepted, rejected, message } => {
                let (how, part) =
                    if accepted == 0 { ("does not deliver", "") } else { ("delivers", " in part") };
                write!(f, "{how} {items}{part}: {rejected} of {} were rejected", accepted + rejected)?;
                message.map_or(Ok(()), |message| write!(f, ": {message}"))
            }
        }
    }
}

/// The state of an exporter as it was told last, by which a change is recognised.
#[derive(Debug, Default)]
pub(super) struct Told {
    failing: bool,
    /// By kind of items.
    rejecting: [bool; 3],
}

impl Told {
    /// Returns `true` if snapshots began to fail, or ceased to.
    pub(super) fn outcome(&mut self, is_failing: bool) -> bool {
        std::mem::replace(&mut self.failing, is_failing) != is_failing
    }

    /// Returns the news in what was delivered, if any; `is_new` says that its message was not heard before.
    pub(super) fn delivery<'d>(
        &mut self,
        items: Items,
        delivered: &'d Delivered,
        is_new: bool,
    ) -> Option<News<'d>> {
        let is_rejecting = delivered.rejected > 0;
        // A request without items says nothing about the next one that has some.
        let is_decisive = is_rejecting || delivered.points > 0;
        let state = &mut self.rejecting[items as usize];
        let is_changed = is_decisive && std::mem::replace(state, is_rejecting) != is_rejecting;
        match (is_changed, is_rejecting) {
            (true, false) if !is_new => Some(News::Accepting(items)),
            _ if is_new || is_changed => Some(News::Remark {
                items,
                accepted: delivered.points,
                rejected: delivered.rejected,
                message: delivered.message.as_deref(),
            }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(told: &mut Told, points: u64, rejected: u64, message: Option<&str>, is_new: bool) -> String {
        let delivered =
            Delivered { points, rejected, message: message.map(str::to_owned), ..Delivered::default() };
        let news = told.delivery(Items::Points, &delivered, is_new);
        news.map_or_else(String::new, |news| Notice { exporter: "otlp", news }.to_string())
    }

    #[test]
    fn a_rejection_is_told_when_it_begins_when_its_reason_is_new_and_when_it_ends() {
        let mut state = Told::default();
        let mut tell =
            |points, rejected, message, is_new| told(&mut state, points, rejected, message, is_new);
        assert_eq!(tell(5, 0, None, false), "");
        assert_eq!(
            tell(3, 2, Some("too old"), true),
            "otlp delivers points in part: 2 of 5 were rejected: too old"
        );
        assert_eq!(tell(3, 2, Some("too old"), false), "");
        assert_eq!(tell(0, 0, None, false), "", "nothing was sent");
        assert_eq!(tell(0, 5, None, false), "", "the reason may be missing");
        assert_eq!(
            tell(4, 1, Some("too new"), true),
            "otlp delivers points in part: 1 of 5 were rejected: too new"
        );
        assert_eq!(tell(5, 0, None, false), "otlp delivers all points again");
        assert_eq!(tell(5, 0, None, false), "");
        assert_eq!(tell(0, 2, Some("bad"), true), "otlp does not deliver points: 2 of 2 were rejected: bad");
        assert_eq!(tell(3, 0, None, false), "otlp delivers all points again");
        assert_eq!(tell(3, 2, None, false), "otlp delivers points in part: 2 of 5 were rejected");
    }

    #[test]
    fn a_warning_is_told_once_for_each_sentence() {
        let mut state = Told::default();
        let mut tell = |message, is_new| told(&mut state, 5, 0, Some(message), is_new);
        assert_eq!(tell("slow down", true), "otlp delivers points with a warning: slow down");
        assert_eq!(tell("slow down", false), "");
        assert_eq!(tell("stop", true), "otlp delivers points with a warning: stop");
        let news = told(&mut state, 0, 0, Some("no logs here"), true);
        assert_eq!(news, "otlp leaves points out: no logs here");
    }

    #[test]
    fn kinds_of_items_are_told_of_apart() {
        let mut state = Told::default();
        let part = Delivered { rejected: 1, ..Delivered::default() };
        for items in [Items::Points, Items::Events, Items::Samples] {
            assert!(matches!(state.delivery(items, &part, false), Some(News::Remark { .. })), "{items}");
            assert!(state.delivery(items, &part, false).is_none(), "{items}");
        }
    }
}

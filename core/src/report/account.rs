//! What became of everything that one exporter was given.

use std::sync::{
    Arc,
    atomic::{
        AtomicBool, AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
    },
};

use parking_lot::Mutex;

use super::exporter::{Delivered, ExportError};

/// How many sentences of a receiver an account keeps.
const MAX_MESSAGES: usize = 4;

/// What became of the snapshots that one exporter was offered: `sent + dropped + failed + timed_out` of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LaneReport {
    /// What the exporter calls itself, and its number if another one of the same name came before.
    pub name: String,
    /// Snapshots delivered, as a whole or in part.
    pub sent: u64,
    /// Snapshots among [`LaneReport::sent`] of which the receiver rejected points.
    pub partial: u64,
    /// Snapshots not taken, because the one before was still on its way or the receiver had asked for a pause.
    pub dropped: u64,
    /// Snapshots that the receiver, or the way to it, refused.
    pub failed: u64,
    /// Snapshots that were not delivered before the deadline.
    pub timed_out: u64,
    /// Points that the receiver accepted.
    pub points: u64,
    /// Points that the receiver rejected.
    pub rejected: u64,
    /// Points that the format could not carry.
    pub left_out: u64,
    /// Bytes delivered, of snapshots.
    pub bytes: u64,
    /// Fetches by receivers, of an exporter that waits to be asked, such as a page; `None` of one that sends.
    pub scrapes: Option<u64>,
    /// Events delivered; those that the format does not have are in no number.
    pub events: u64,
    /// Events that the receiver rejected.
    pub events_rejected: u64,
    /// Events that were not delivered, because too many waited, time was up, or the format could not carry them.
    pub events_lost: u64,
    /// Samples delivered.
    pub samples: u64,
    /// Samples that the receiver rejected.
    pub samples_rejected: u64,
    /// Samples that were written over before the lane came, or not delivered.
    pub samples_lost: u64,
    /// Whether the last snapshot, with all counts of the run, was delivered. False as long as it runs.
    pub complete: bool,
    /// Sentences of the receiver about requests that it took: why it rejected items, and warnings. Each is there once,
    /// whatever its numbers are, and the first four are kept.
    pub messages: Vec<String>,
    /// What went wrong last, if anything did.
    pub last_error: Option<String>,
}

/// What an account counts; in this order it is shown as metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Count {
    Sent,
    Dropped,
    Failed,
    TimedOut,
    Partial,
    Points,
    Rejected,
    LeftOut,
    Bytes,
    Scrapes,
    Events,
    EventsRejected,
    EventsLost,
    Samples,
    SamplesRejected,
    SamplesLost,
}

/// How many numbers an account has.
pub(crate) const COUNTS: usize = Count::SamplesLost as usize + 1;

/// What became of everything so far, readable from any thread.
#[derive(Debug, Clone)]
pub(crate) struct Account(Arc<Ledger>);

#[derive(Debug)]
struct Ledger {
    name: String,
    counts: [AtomicU64; COUNTS],
    complete: AtomicBool,
    /// The exporter waits to be asked.
    is_asked: AtomicBool,
    messages: Mutex<Vec<String>>,
    last_error: Mutex<Option<String>>,
}

impl Account {
    pub(crate) fn new(name: String) -> Self {
        let counts = std::array::from_fn(|_| AtomicU64::default());
        Account(Arc::new(Ledger {
            name,
            counts,
            complete: AtomicBool::default(),
            is_asked: AtomicBool::default(),
            messages: Mutex::default(),
            last_error: Mutex::default(),
        }))
    }

    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    pub(crate) fn counts(&self) -> [u64; COUNTS] {
        std::array::from_fn(|at| self.0.counts[at].load(Relaxed))
    }

    pub(crate) fn add(&self, count: Count, n: u64) {
        self.0.counts[count as usize].fetch_add(n, Relaxed);
    }

    /// What became of one snapshot.
    pub(crate) fn settle(&self, outcome: &Result<Delivered, ExportError>) {
        match outcome {
            Ok(delivered) => {
                self.add(Count::Sent, 1);
                self.add(Count::Partial, u64::from(delivered.rejected > 0));
                self.add(Count::Points, delivered.points);
                self.add(Count::Rejected, delivered.rejected);
                self.add(Count::LeftOut, delivered.left_out);
                self.add(Count::Bytes, delivered.bytes);
                if let Some(scrapes) = delivered.scrapes {
                    self.add(Count::Scrapes, scrapes);
                    self.0.is_asked.store(true, Relaxed);
                }
            }
            Err(error) => {
                self.add(
                    match error {
                        ExportError::Throttled => Count::Dropped,
                        ExportError::TimedOut(_) => Count::TimedOut,
                        ExportError::Failed(_) => Count::Failed,
                    },
                    1,
                );
                self.note(error);
            }
        }
    }

    /// Remembers what went wrong. A pause says neither who asked for it nor why, and what went wrong before does: that
    /// stays.
    pub(crate) fn note(&self, error: &ExportError) {
        let mut last = self.0.last_error.lock();
        if last.is_none() || *error != ExportError::Throttled {
            *last = Some(error.to_string());
        }
    }

    /// Returns `true` if the receiver has never answered, neither with consent nor with a refusal.
    pub(crate) fn is_mute(&self) -> bool {
        let answers = [
            Count::Sent,
            Count::Failed,
            Count::Events,
            Count::EventsRejected,
            Count::Samples,
            Count::SamplesRejected,
        ];
        answers.iter().all(|&answer| self.0.counts[answer as usize].load(Relaxed) == 0)
    }

    /// Remembers a sentence of the receiver, and returns `true` if it is news: one that differs from another in numbers
    /// only is not, nor is any once the room for them is used up.
    pub(crate) fn hear(&self, message: &str) -> bool {
        let mut messages = self.0.messages.lock();
        let is_news = messages.len() < MAX_MESSAGES
            && !messages.iter().any(|known| letters(known).eq(letters(message)));
        if is_news {
            messages.push(message.to_owned());
        }
        is_news
    }

    /// Says whether the last snapshot was delivered.
    pub(crate) fn complete(&self, delivered: bool) {
        self.0.complete.store(delivered, Release);
    }

    pub(crate) fn report(&self) -> LaneReport {
        // First of all, so that what is complete is counted as well.
        let complete = self.0.complete.load(Acquire);
        let counts = self.counts();
        let count = |which: Count| counts[which as usize];
        LaneReport {
            name: self.0.name.clone(),
            sent: count(Count::Sent),
            partial: count(Count::Partial),
            dropped: count(Count::Dropped),
            failed: count(Count::Failed),
            timed_out: count(Count::TimedOut),
            points: count(Count::Points),
            rejected: count(Count::Rejected),
            left_out: count(Count::LeftOut),
            bytes: count(Count::Bytes),
            scrapes: self.0.is_asked.load(Relaxed).then(|| count(Count::Scrapes)),
            events: count(Count::Events),
            events_rejected: count(Count::EventsRejected),
            events_lost: count(Count::EventsLost),
            samples: count(Count::Samples),
            samples_rejected: count(Count::SamplesRejected),
            samples_lost: count(Count::SamplesLost),
            complete,
            messages: self.0.messages.lock().clone(),
            last_error: self.0.last_error.lock().clone(),
        }
    }
}

/// A sentence without its digits.
fn letters(sentence: &str) -> impl Iterator<Item = char> {
    sentence.chars().filter(|c| !c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_news_once_whatever_its_numbers_are() {
        let account = Account::new("otlp".to_owned());
        let sentences = ["3 points are too old", "14 points are too old", "no", "a", "b", "c"];
        assert_eq!(sentences.map(|sentence| account.hear(sentence)), [true, false, true, true, true, false]);
        assert_eq!(account.report().messages, ["3 points are too old", "no", "a", "b"]);
    }
}

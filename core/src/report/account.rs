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

/// What became of the snapshots that one exporter was offered: `sent + dropped + failed + timed_out` of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LaneReport {
    /// What the exporter calls itself, and its number if another one of the same name came before.
    pub name: String,
    /// Snapshots delivered.
    pub sent: u64,
    /// Snapshots not taken, because the one before was still on its way or the receiver had asked for a pause.
    pub dropped: u64,
    /// Snapshots that the receiver, or the way to it, refused.
    pub failed: u64,
    /// Snapshots that were not delivered before the deadline.
    pub timed_out: u64,
    /// Points delivered.
    pub points: u64,
    /// Points that the format could not carry or that the receiver rejected.
    pub left_out: u64,
    /// Bytes delivered, of snapshots.
    pub bytes: u64,
    /// Events delivered; those that the format does not have are in neither number.
    pub events: u64,
    /// Events that were not delivered, because too many waited or time was up.
    pub events_lost: u64,
    /// Samples delivered.
    pub samples: u64,
    /// Samples that were written over before the lane came, or not delivered.
    pub samples_lost: u64,
    /// Whether the last snapshot, with all counts of the run, was delivered. False as long as it runs.
    pub complete: bool,
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
    Points,
    LeftOut,
    Bytes,
    Events,
    EventsLost,
    Samples,
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
    last_error: Mutex<Option<String>>,
}

impl Account {
    pub(crate) fn new(name: String) -> Self {
        let counts = std::array::from_fn(|_| AtomicU64::default());
        Account(Arc::new(Ledger {
            name,
            counts,
            complete: AtomicBool::default(),
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
                self.add(Count::Points, delivered.points);
                self.add(Count::LeftOut, delivered.left_out);
                self.add(Count::Bytes, delivered.bytes);
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
        let answers = [Count::Sent, Count::Failed, Count::Events, Count::Samples];
        answers.iter().all(|&answer| self.0.counts[answer as usize].load(Relaxed) == 0)
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
            dropped: count(Count::Dropped),
            failed: count(Count::Failed),
            timed_out: count(Count::TimedOut),
            points: count(Count::Points),
            left_out: count(Count::LeftOut),
            bytes: count(Count::Bytes),
            events: count(Count::Events),
            events_lost: count(Count::EventsLost),
            samples: count(Count::Samples),
            samples_lost: count(Count::SamplesLost),
            complete,
            last_error: self.0.last_error.lock().clone(),
        }
    }
}

//! Everything there is to say at the end of a run.

use std::time::Duration;

use barewire::LaneReport;
use barewire_runner::{Figures, Status, Threshold, Totals, Verdict, Workload};

use crate::{failure::Failure, interrupt::Signal};

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Outcome<'a> {
    pub(crate) run_id: &'a str,
    pub(crate) workload: &'a Workload,
    pub(crate) totals: &'a Totals,
    pub(crate) figures: &'a Figures,
    pub(crate) verdicts: Vec<(&'a Threshold, Verdict)>,
    pub(crate) lanes: Vec<LaneReport>,
    /// The signal that ended it before its time.
    pub(crate) ended_by: Option<Signal>,
    /// The first warning that the processors were too busy.
    pub(crate) cpu_warning: Option<String>,
}

impl Outcome<'_> {
    /// Whether every threshold was kept, over a load that was applied.
    pub(crate) fn passed(&self) -> bool {
        self.complaint().is_none()
    }

    /// The reason why it did not pass.
    pub(crate) fn complaint(&self) -> Option<String> {
        let is_kept = self.verdicts.iter().all(|(_, verdict)| verdict.ok);
        self.too_many_dropped().or_else(|| (!is_kept).then(|| "a threshold was not kept".to_owned()))
    }

    /// A load that was not applied, in a sentence.
    pub(crate) fn too_many_dropped(&self) -> Option<String> {
        self.totals.too_many_dropped(self.workload)
    }

    /// When the signal that ended the run came, since the beginning of the load.
    pub(crate) fn stopped(&self) -> Option<Duration> {
        self.ended_by.map(|_| self.totals.stopped.unwrap_or(self.totals.elapsed))
    }

    /// What the exit code of the command tells of the run.
    pub(crate) fn verdict(&self) -> Result<(), Failure> {
        match self.ended_by {
            Some(signal) => Err(Failure::Signal(signal)),
            None => self.complaint().map_or(Ok(()), |why| Err(Failure::Threshold(why))),
        }
    }

    pub(crate) fn status(&self) -> Status {
        match (self.ended_by.is_some(), self.passed()) {
            (true, _) => Status::Aborted,
            (false, true) => Status::Passed,
            (false, false) => Status::Failed,
        }
    }
}

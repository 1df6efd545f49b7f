//! Everything there is to say at the end of a run.

use barewire::LaneReport;
use barewire_runner::{Figures, Status, Threshold, Totals, Verdict, Workload};

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Outcome<'a> {
    pub(crate) run_id: &'a str,
    pub(crate) workload: &'a Workload,
    pub(crate) totals: &'a Totals,
    pub(crate) figures: &'a Figures,
    pub(crate) verdicts: Vec<(&'a Threshold, Verdict)>,
    pub(crate) lanes: Vec<LaneReport>,
    /// Whether it was ended before its time.
    pub(crate) aborted: bool,
}

impl Outcome<'_> {
    /// Whether every threshold was kept.
    pub(crate) fn passed(&self) -> bool {
        self.verdicts.iter().all(|(_, verdict)| verdict.ok)
    }

    pub(crate) fn status(&self) -> Status {
        match (self.aborted, self.passed()) {
            (true, _) => Status::Aborted,
            (false, true) => Status::Passed,
            (false, false) => Status::Failed,
        }
    }
}

//! Everything there is to say at the end of a run.

use barewire::LaneReport;
use barewire_runner::{Bottleneck, Failure as Class, Figures, Status, Threshold, Totals, Verdict, Workload};

use crate::{failure::Failure, format, interrupt::Signal};

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

    pub(crate) fn bottleneck(&self) -> Option<Bottleneck> {
        self.totals.bottleneck(self.workload.threads())
    }

    /// Requests that this machine could not make, and the remedy.
    fn local_text(&self) -> Option<String> {
        let count = self.totals.reasons.blame_this_machine()?;
        let remedies = self.totals.reasons.of(Class::Local).filter_map(|(reason, _)| reason.remedy());
        let mut remedies: Vec<&str> = remedies.collect();
        remedies.dedup();
        Some(format!(
            "this machine is the bottleneck, not the target: {count} requests could not be made; {}",
            remedies.join("; ")
        ))
    }

    /// What kept the run from its rate, for people.
    pub(crate) fn bottleneck_text(&self) -> Option<String> {
        if let Some(text) = self.local_text() {
            return Some(text);
        }
        let (behind, total) =
            (self.totals.behind, self.totals.lasted().as_secs_f64() * threads(self.workload));
        let percent = 100.0 * behind.as_secs_f64() / total;
        let slip = format::quantile(&self.figures.schedule_slip, 0.99);
        Some(match self.bottleneck()? {
            Bottleneck::Generator => format!(
                "the generator is the bottleneck: behind its schedule for {percent:.0} % of the time and at work \
                 meanwhile, by {slip} at p99; latencies from due are its own, ask for a lower rate or more threads"
            ),
            Bottleneck::Target => format!(
                "the target is the bottleneck: for {percent:.0} % of the time requests were due and no connection was \
                 free, they were sent {slip} late at p99"
            ),
        })
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

#[allow(clippy::cast_precision_loss, reason = "few digits are shown")]
fn threads(workload: &Workload) -> f64 {
    workload.threads() as f64
}

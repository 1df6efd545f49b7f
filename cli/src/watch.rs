//! A run while it lasts: followed, judged, shown and told of.

use std::{thread, time::Duration};

use barewire::{Event, LaneReport, Registry, Reporting};
use barewire_runner::{CpuUse, Figures, Lifecycle, LifecycleMeter, Run, Status, Threshold, Totals, Verdict};

use crate::{
    behind::Behind,
    interrupt::{GLANCE, Interrupt},
    judge::Judge,
    live::Live,
};

/// What looks at a run.
pub(crate) struct Watch<'a> {
    pub(crate) registry: &'a Registry,
    pub(crate) reporting: Reporting,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) meter: LifecycleMeter,
    pub(crate) judge: Judge<'a>,
    pub(crate) behind: Behind<'a>,
}

impl<'a> Watch<'a> {
    /// Follows the load until it ends, and ends it when the user asks for that.
    pub(crate) fn follow(&mut self, load: &Run, interrupt: &Interrupt, live: &mut Live) {
        self.tell(&self.lifecycle.begin());
        let mut looked = 0;
        while !load.is_finished() {
            if interrupt.is_set() {
                load.stop();
            }
            let elapsed = load.elapsed();
            self.advance(elapsed);
            if elapsed.as_secs() > looked {
                looked = elapsed.as_secs();
                self.show(load, elapsed, live);
            }
            thread::sleep(GLANCE);
        }
    }

    /// Shows the last second. What the drain brings changes no rate, so it is shown by itself.
    fn show(&mut self, load: &Run, elapsed: Duration, live: &mut Live) {
        let drain = load.drain();
        match drain.filter(|drain| drain.since >= Duration::from_secs(1)) {
            Some(drain) => {
                let figures = Figures::of(&self.registry.snapshot(), elapsed);
                live.drain(figures.in_flight, self.behind.unsent(&figures), drain.left);
            }
            None => {
                // A rate is told by the time of its load, which may have ended a moment ago.
                let is_open = self.behind.is_open();
                let since = drain.filter(|_| is_open).map_or(Duration::ZERO, |drain| drain.since);
                let figures = self.look(elapsed.saturating_sub(since), live);
                if let Some(text) = self.behind.look(&figures) {
                    live.warn(&text);
                }
                live.show(figures);
            }
        }
    }

    /// The first warning that the processors were too busy, if there was one.
    pub(crate) fn cpu_warning(&self) -> Option<String> {
        self.lifecycle.cpu_warning().map(str::to_owned)
    }

    /// The figures of a run that came to `totals`, and the verdicts on them.
    pub(crate) fn verdicts(&mut self, totals: &Totals) -> (Figures, Vec<(&'a Threshold, Verdict)>) {
        let figures = Figures::of(&self.registry.snapshot(), totals.elapsed).with_totals(totals);
        let verdicts = self.judge(&figures);
        (figures, verdicts)
    }

    /// Tells of the end, and of everything for the last time; what became of the exporters.
    pub(crate) fn end(mut self, elapsed: Duration, status: Status, within: Duration) -> Vec<LaneReport> {
        self.advance(elapsed);
        let event = self.lifecycle.end(elapsed, status);
        self.tell(&event);
        self.meter.show(&self.lifecycle, elapsed);
        self.reporting.stop(within).lanes
    }

    /// What happens because time passes.
    fn advance(&mut self, elapsed: Duration) {
        self.lifecycle.advance(elapsed).iter().for_each(|event| self.tell(event));
        self.meter.show(&self.lifecycle, elapsed);
    }

    /// Looks at what was measured, and warns where the processors are too busy for it.
    fn look(&mut self, elapsed: Duration, live: &Live) -> Figures {
        let snapshot = self.registry.snapshot();
        if let Some(event) = self.lifecycle.watch(elapsed, CpuUse::of(&snapshot)) {
            self.tell(&event);
            live.warn(&format!("{}. {}", event.title, event.text));
        }
        let figures = Figures::of(&snapshot, elapsed);
        self.judge(&figures);
        figures
    }

    fn judge(&mut self, figures: &Figures) -> Vec<(&'a Threshold, Verdict)> {
        let verdicts = self.judge.judge(figures);
        self.lifecycle.judge(figures.elapsed, &verdicts).iter().for_each(|event| self.tell(event));
        verdicts
    }

    fn tell(&mut self, event: &Event) {
        self.meter.count(event);
        self.reporting.event(event);
    }
}

//! A rate that is not held, told while the run lasts.

use std::time::Duration;

use barewire_runner::{Figures, Workload};

/// An arrival that is overdue by less may just be sent.
const LATE: Duration = Duration::from_millis(100);

/// Looks, once a second, for arrivals that are overdue.
#[derive(Debug)]
pub(crate) struct Behind<'a> {
    workload: &'a Workload,
    /// Looks in a row at which there were any.
    late: usize,
}

impl<'a> Behind<'a> {
    pub(crate) fn new(workload: &'a Workload) -> Self {
        Behind { workload, late: 0 }
    }

    /// A warning at the second look in a row at which arrivals are overdue, and again only after there were none.
    pub(crate) fn look(&mut self, figures: &Figures) -> Option<String> {
        let overdue = self.overdue(figures);
        self.late = if overdue == 0 { 0 } else { self.late.saturating_add(1) };
        (self.late == 2).then(|| {
            format!(
                "behind its schedule: {overdue} arrivals are overdue by {} ms and more, so the rate is not held; the \
                 summary tells the cause",
                LATE.as_millis()
            )
        })
    }

    /// Whether there is a rate to be behind.
    pub(crate) fn is_open(&self) -> bool {
        self.workload.is_open()
    }

    /// Arrivals that are due and were not sent.
    pub(crate) fn unsent(&self, figures: &Figures) -> u64 {
        self.unsent_at(figures, figures.elapsed)
    }

    /// Arrivals that should have been sent some time ago.
    fn overdue(&self, figures: &Figures) -> u64 {
        let unsent = self.unsent_at(figures, figures.elapsed.saturating_sub(LATE));
        // One is allowed to the rounding of a slope.
        if unsent > 1 { unsent } else { 0 }
    }

    /// Each arrival sends the first step once.
    fn unsent_at(&self, figures: &Figures, elapsed: Duration) -> u64 {
        let sent = figures.steps.first().map_or(0, |(_, step)| step.schedule_slip.count());
        self.workload.arrivals_before(elapsed).saturating_sub(sent)
    }
}

#[cfg(test)]
mod tests {
    use barewire::Distribution;
    use barewire_runner::Plan;

    use super::*;

    #[test]
    fn overdue_arrivals_are_told_once_when_they_last_and_again_after_they_were_made_up_for() {
        let plan = Plan { rate: Some(100.0), ..Plan::get("http://h/") };
        let workload = plan.check().unwrap();
        let mut behind = Behind::new(&workload);
        let mut look = |second: u64, sent: u64| {
            let mut schedule_slip = Distribution::default();
            (0..sent).for_each(|_| schedule_slip.record(1));
            let step = Figures { schedule_slip, ..Figures::default() };
            let steps = vec![("GET /".to_owned(), step)];
            let elapsed = Duration::from_secs(second);
            behind.look(&Figures { elapsed, steps, ..Figures::default() })
        };
        let told = Some(
            "behind its schedule: 90 arrivals are overdue by 100 ms and more, so the rate is not held; the summary \
             tells the cause"
                .to_owned(),
        );
        let looks = [(1, 80), (2, 100), (3, 200), (4, 389), (5, 400), (6, 500)];
        let texts = looks.map(|(second, sent)| look(second, sent));
        assert_eq!(texts, [None, told.clone(), None, None, None, told]);
        let closed = Plan::get("http://h/").check().unwrap();
        let elapsed = Duration::from_secs(5);
        let figures = Figures { elapsed, ..Figures::default() };
        assert_eq!([1, 2].map(|_| Behind::new(&closed).look(&figures)), [None, None]);
    }
}

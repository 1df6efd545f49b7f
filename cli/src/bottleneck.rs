//! The cause of a rate that was not held, in a sentence with its arithmetic.

use barewire_runner::{Bottleneck, Capacity, Crowding, Failure as Class};

use crate::{format, report::Outcome};

impl Outcome<'_> {
    pub(crate) fn bottleneck(&self) -> Option<Bottleneck> {
        self.totals.bottleneck(self.workload, self.cpu_warning.is_some())
    }

    /// The cause that kept the run from its rate, for people.
    pub(crate) fn bottleneck_text(&self) -> Option<String> {
        if let Some(text) = self.local_text() {
            return Some(text);
        }
        let capacity = self.totals.capacity(self.workload);
        let crowding = self.totals.occupancy.crowding();
        Some(match self.bottleneck()? {
            Bottleneck::Generator => self.generator_text(),
            Bottleneck::Connections => format!(
                "the connections are too few: {}; requests took {} with all of them busy and {} with half of them, so \
                 more will carry more: give {}",
                little(capacity),
                all(crowding),
                few(crowding),
                needed(capacity)
            ),
            Bottleneck::Target => {
                format!("the target is the bottleneck: {}{}", self.waits(), self.target_text())
            }
            Bottleneck::ConnectionsOrTarget => format!(
                "either the connections are too few or the target is the bottleneck: {}; try {}: where requests take \
                 longer with them, it is the target",
                little(capacity),
                needed(capacity)
            ),
        })
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

    fn generator_text(&self) -> String {
        if self.totals.waited * 2 >= self.totals.behind {
            return format!("this machine is the bottleneck: its processors were full, and {}", self.waits());
        }
        let (percent, slip) = (self.behind_percent(), self.slip());
        format!(
            "the generator is the bottleneck: behind its schedule for {percent:.0} % of the time and at work meanwhile, \
             by {slip} at p99; latencies from due are its own, ask for a lower rate or more threads"
        )
    }

    fn waits(&self) -> String {
        format!(
            "for {:.0} % of the time requests were due and no connection was free, they were sent {} late at p99",
            self.behind_percent(),
            self.slip()
        )
    }

    /// The reason why more connections would not help, where there are figures for it.
    fn target_text(&self) -> String {
        if let Some(count) = self.totals.mute() {
            return format!("; {count} requests failed without an answer");
        }
        let crowding = self.totals.occupancy.crowding();
        match (self.totals.capacity(self.workload), crowding) {
            (Some(capacity), _) if capacity.needed <= capacity.connections as u64 => format!(
                "; the connections are enough for its mean of {}, and some answers took up to {}",
                format::duration(capacity.held),
                format::quantile(&self.figures.latency, 1.0)
            ),
            (_, Some(crowding)) if crowding.is_slower() => format!(
                "; requests took {} with all connections busy and {} with half of them, so more would not help",
                format::duration(crowding.all),
                format::duration(crowding.few)
            ),
            _ => String::new(),
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "few digits are shown")]
    fn behind_percent(&self) -> f64 {
        let available = self.totals.lasted().as_secs_f64() * self.workload.threads() as f64;
        100.0 * self.totals.behind.as_secs_f64() / available
    }

    fn slip(&self) -> String {
        format::quantile(&self.figures.schedule_slip, 0.99)
    }
}

/// Little's law: `4 at 5.20ms carry 769/s, and 4000/s were asked for`.
fn little(capacity: Option<Capacity>) -> String {
    capacity.map_or_else(String::new, |capacity| {
        format!(
            "{} at {} carry {}/s, and {}/s were asked for",
            capacity.connections,
            format::duration(capacity.held),
            format::rate(Some(capacity.carries)),
            format::rate(Some(capacity.asked)),
        )
    })
}

fn needed(capacity: Option<Capacity>) -> String {
    capacity.map_or_else(String::new, |capacity| capacity.needed.to_string())
}

fn few(crowding: Option<Crowding>) -> String {
    crowding.map_or_else(String::new, |crowding| format::duration(crowding.few))
}

fn all(crowding: Option<Crowding>) -> String {
    crowding.map_or_else(String::new, |crowding| format::duration(crowding.all))
}

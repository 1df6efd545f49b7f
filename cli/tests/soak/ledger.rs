//! What Agents that died had not flushed, told from what was never sent.
//!
//! An Agent is told what came since the last delivery, hands that on every ten seconds, and forgets the rest when it
//! ends. So its lives are looked at one by one. A life begins with the total that had been delivered when the life before
//! ended; what is flushed in it ends at a tick; and in the last life everything up to the last request is flushed. A life
//! that is shorter than the time between two ticks may have been told nothing: then the next one begins where it did.

use super::outages::End;
use super::support::otlp;
use std::ops::RangeInclusive;

const REQUESTS: &str = "http.client.requests";

/// How much sooner or later than a tick its snapshot may be delivered, in nanoseconds.
const LATENESS_NS: u64 = 1_500_000_000;

/// The total of requests at each tick.
#[derive(Debug)]
pub(crate) struct Ticks(Vec<(u64, f64)>);

impl Ticks {
    /// From the documents that a run wrote to a file.
    pub(crate) fn read(text: &str) -> Self {
        let ticks = otlp::documents(text).into_iter().filter_map(|document| {
            let metric = otlp::metrics(&document, REQUESTS).next()?;
            let time = metric["sum"]["dataPoints"][0]["timeUnixNano"].as_str()?.parse().ok()?;
            Some((time, otlp::cumulative_sum(&document, REQUESTS)?))
        });
        Self([(0, 0.0)].into_iter().chain(ticks).collect())
    }

    /// The last of all.
    pub(crate) fn total(&self) -> f64 {
        self.0.last().expect("a tick").1
    }

    fn knows(&self, total: f64) -> bool {
        self.0.iter().any(|(_, tick)| *tick == total)
    }

    /// The totals that may have been the last to be delivered before a life ended.
    fn at(&self, end: &End) -> Vec<f64> {
        let window: RangeInclusive<u64> =
            end.began_ns.saturating_sub(LATENESS_NS)..=end.ended_ns + LATENESS_NS;
        // What was true at the beginning of the window is what the last tick before it said.
        let before = self.0.iter().rev().find(|(time, _)| time < window.start());
        let within = self.0.iter().filter(|(time, _)| window.contains(time));
        before.into_iter().chain(within).map(|(_, total)| *total).collect()
    }
}

/// How many of `requests` the Agent's lives had not flushed when they ended, where every life adds up.
pub(crate) fn forgotten(ticks: &Ticks, ends: &[End], handed_on: f64, requests: f64) -> Result<f64, String> {
    let (mut starts, mut before) = (vec![0.0], 0.0);
    for (life, end) in ends.iter().enumerate() {
        let flushed = end.handed_on - before;
        if !starts.iter().any(|start| ticks.knows(start + flushed)) {
            return Err(format!("life {life} began at one of {starts:?}, and its {flushed} end at no tick"));
        }
        let unless_told = if flushed == 0.0 { starts } else { Vec::new() };
        (starts, before) = (ticks.at(end), end.handed_on);
        starts.extend(unless_told);
    }
    let flushed = handed_on - before;
    if starts.iter().any(|start| start + flushed == requests) {
        Ok(requests - handed_on)
    } else {
        Err(format!("the last life began at one of {starts:?}, and its {flushed} do not end at {requests}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn ticks() -> Ticks {
        Ticks([(0, 0.0)].into_iter().chain((1..=100).map(|at| (at * SECOND, at as f64 * 7.0))).collect())
    }

    fn end(at: u64, handed_on: f64) -> End {
        let at = at * SECOND + SECOND / 2;
        End { began_ns: at, ended_ns: at, handed_on }
    }

    #[test]
    fn lives_that_add_up_have_forgotten_the_rest() {
        assert_eq!(forgotten(&ticks(), &[], 700.0, 700.0), Ok(0.0));
        // The first life flushed 10 of its 15 ticks.
        assert_eq!(forgotten(&ticks(), &[end(15, 70.0)], 70.0 + 595.0, 700.0), Ok(35.0));
    }

    #[test]
    fn a_life_that_was_told_nothing_leaves_its_beginning_to_the_next() {
        // Back at second 20, and gone before a tick came; then back at second 30.
        let ends = [end(15, 70.0), end(20, 70.0)];
        assert_eq!(forgotten(&ticks(), &ends, 70.0 + 595.0, 700.0), Ok(35.0));
        // It flushed a tick, so it was told: the next life begins later.
        let ends = [end(15, 70.0), end(20, 77.0)];
        assert!(forgotten(&ticks(), &ends, 77.0 + 595.0, 700.0).is_err());
    }

    #[test]
    fn one_request_that_is_missing_or_told_twice_is_found_in_any_life() {
        for off in [-1.0, 1.0] {
            assert!(forgotten(&ticks(), &[], 700.0 + off, 700.0).is_err());
            assert!(forgotten(&ticks(), &[end(15, 70.0 + off)], 70.0 + off + 595.0, 700.0).is_err());
            assert!(forgotten(&ticks(), &[end(15, 70.0)], 70.0 + 595.0 + off, 700.0).is_err());
        }
        // What was sent while nobody was there.
        assert!(forgotten(&ticks(), &[end(15, 70.0)], 70.0 + 595.0 - 35.0, 700.0).is_err());
    }
}

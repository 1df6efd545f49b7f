//! The cause of a rate that was not held: this machine, too few connections, or the target. Pure.
//!
//! An arrival that is overdue waits for a thread or for a connection ([`lag`](crate::lag) tells which). Where it waits for
//! a connection, Little's law says how many a rate takes: arrivals a second times the seconds that each holds a
//! connection. More of them help as long as they do not make the target slower. Whether they do is seen in the run
//! itself: requests that were sent while few connections were busy, beside those sent while all were.
//!
//! ```text
//! a target with room:    5 ms with 1 busy,  5 ms with 4 busy   more connections carry more
//! a target at its limit: 5 ms with 1 busy, 20 ms with 4 busy   more connections wait longer, and carry the same
//! ```
//!
//! A rate far too high keeps all connections busy from the first moment on, and leaves few requests to compare with. Then
//! both causes are named, and nothing is made up.

use std::time::Duration;

use crate::{outcome::Failure, plan::Workload, run::Totals};

/// The part of a run that has to be behind for it to be said: a hiccup is no bottleneck.
const NOTABLE: f64 = 0.1;

/// The advice is so much above what the law asks for: a rate is no mean alone.
const HEADROOM: f64 = 1.15;

/// Latency with all connections busy, as a multiple of that with at most half of them. A target at its limit has at least
/// twice; one with room has the same, or less where its first requests were slow.
const ALIKE: std::ops::RangeInclusive<f64> = 0.7..=1.3;
const SLOWER: f64 = 1.6;

/// The relative error of a mean up to which it is compared.
const CERTAIN: f64 = 0.2;

/// What kept an open load from its rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bottleneck {
    /// This machine: the threads of the run had more to do than time, or the processors were full. What was measured is
    /// this machine, not the target.
    Generator,
    /// All connections were taken, and the target answered as fast as with few: they were too few.
    Connections,
    /// All connections were taken, and more would not have helped.
    Target,
    /// All connections were taken, and the run does not show whether more would have helped.
    ConnectionsOrTarget,
}

/// Count, sum and sum of squares of times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Moments {
    count: u64,
    sum_ns: u128,
    squares: u128,
}

/// How long arrivals held their connections, and how fast they were answered with few and with all connections busy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Occupancy {
    held: Moments,
    few: Moments,
    all: Moments,
}

/// The connections of one thread, as far as the [`Occupancy`] needs to know them.
#[derive(Debug)]
pub(crate) struct Holders {
    /// When the arrival that holds it began, and beside how many others.
    begun: Box<[(u64, Crowd)]>,
    pub(crate) occupancy: Occupancy,
}

/// The busy connections of a thread at the beginning of an arrival, its own among them.
#[derive(Debug, Clone, Copy, Default)]
enum Crowd {
    /// Half of them at most.
    Few,
    #[default]
    Many,
    All,
}

/// Little's law for a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Capacity {
    /// Connections of the run.
    pub connections: usize,
    /// Mean time for which an arrival held its connection.
    pub held: Duration,
    /// Arrivals a second that so many connections carry.
    pub carries: f64,
    /// Arrivals a second that were asked for, at the peak.
    pub asked: f64,
    /// Connections that the peak takes, with some headroom.
    pub needed: u64,
}

/// Mean service times with few and with all connections busy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crowding {
    /// With at most half of the connections busy.
    pub few: Duration,
    /// With all of them.
    pub all: Duration,
    /// Whether enough was measured for them to be compared.
    is_certain: bool,
}

/// What there is to judge by.
#[derive(Debug, Clone, Copy)]
struct Evidence {
    behind: Duration,
    waited: Duration,
    /// Time of all threads together.
    available: Duration,
    is_local: bool,
    is_cpu_full: bool,
    /// Whether a good part of the requests had no answer in time.
    is_mute: bool,
    capacity: Option<Capacity>,
    crowding: Option<Crowding>,
}

impl Bottleneck {
    /// As results name it.
    pub fn name(self) -> &'static str {
        match self {
            Bottleneck::Generator => "generator",
            Bottleneck::Connections => "connections",
            Bottleneck::Target => "target",
            Bottleneck::ConnectionsOrTarget => "connections_or_target",
        }
    }

    fn of(evidence: &Evidence) -> Option<Self> {
        let Evidence { behind, waited, available, .. } = *evidence;
        if evidence.is_local {
            return Some(Bottleneck::Generator);
        }
        if available.is_zero() || behind < available.mul_f64(NOTABLE) {
            return None;
        }
        Some(if waited * 2 < behind { Bottleneck::Generator } else { Bottleneck::of_waiting(evidence) })
    }

    /// The cause where arrivals waited for a connection.
    fn of_waiting(evidence: &Evidence) -> Self {
        let Some(capacity) = evidence.capacity.filter(|_| !evidence.is_mute) else {
            return Bottleneck::Target;
        };
        let helps = capacity.needed > capacity.connections as u64;
        let is_alike = evidence.crowding.is_some_and(|crowding| crowding.is_alike());
        let is_slower = evidence.crowding.is_some_and(|crowding| crowding.is_slower());
        match (helps, is_alike, is_slower) {
            (true, true, _) => Bottleneck::Connections,
            _ if evidence.is_cpu_full => Bottleneck::Generator,
            (false, ..) | (_, _, true) => Bottleneck::Target,
            (true, false, false) => Bottleneck::ConnectionsOrTarget,
        }
    }
}

impl Totals {
    /// The cause that kept an open load from its rate, if it was behind for a good part of its time; `is_cpu_full` says
    /// that the processors of this machine had no time left.
    ///
    /// Where most failures are a want of this machine, the target is not to blame.
    pub fn bottleneck(&self, workload: &Workload, is_cpu_full: bool) -> Option<Bottleneck> {
        let is_local = self.reasons.blame_this_machine().is_some();
        if !workload.is_open() && !is_local {
            return None;
        }
        Bottleneck::of(&Evidence {
            behind: self.behind,
            waited: self.waited,
            available: self.lasted().saturating_mul(u32::try_from(workload.threads()).unwrap_or(u32::MAX)),
            is_local,
            is_cpu_full,
            is_mute: self.mute().is_some(),
            capacity: self.capacity(workload),
            crowding: self.occupancy.crowding(),
        })
    }

    /// Requests that failed without an answer, if they are a good part of all: connections wait for those, and pause after
    /// them, however many there are.
    pub fn mute(&self) -> Option<u64> {
        let classes = [Failure::Timeout, Failure::Connect, Failure::Reset, Failure::Protocol];
        let mute = classes.into_iter().flat_map(|class| self.reasons.of(class)).map(|(_, count)| count).sum();
        (mute > 0 && mute * 10 >= self.completed).then_some(mute)
    }

    /// Little's law for this run; `None` where no arrival came to its end, and under the closed model.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "few digits are shown"
    )]
    pub fn capacity(&self, workload: &Workload) -> Option<Capacity> {
        let held_s = self.occupancy.held.mean_ns()? / 1e9;
        let (asked, connections) = (workload.peak_rate()?, workload.connections());
        Some(Capacity {
            connections,
            held: Duration::from_secs_f64(held_s),
            carries: connections as f64 / held_s.max(1e-9),
            asked,
            needed: (asked * held_s * HEADROOM).ceil() as u64,
        })
    }
}

impl Crowding {
    /// Whether the target is as fast with all connections busy as with few of them.
    pub fn is_alike(&self) -> bool {
        self.is_certain && ALIKE.contains(&self.ratio())
    }

    /// Whether the target is slower with more connections busy.
    pub fn is_slower(&self) -> bool {
        self.is_certain && self.ratio() >= SLOWER
    }

    fn ratio(&self) -> f64 {
        self.all.as_secs_f64() / self.few.as_secs_f64().max(1e-9)
    }
}

impl Occupancy {
    /// Service times with few and with all connections busy; `None` where there were none of either.
    pub fn crowding(&self) -> Option<Crowding> {
        let ns = |moments: &Moments| Some(Duration::from_secs_f64(moments.mean_ns()? / 1e9));
        Some(Crowding {
            few: ns(&self.few)?,
            all: ns(&self.all)?,
            // The spread of the many is that of the few, or they would not be alike.
            is_certain: self.all.error(self.few.count) <= CERTAIN
                && self.all.error(self.all.count) <= CERTAIN,
        })
    }

    /// Adds what another thread measured.
    pub(crate) fn merge(&mut self, other: &Occupancy) {
        self.held.merge(&other.held);
        self.few.merge(&other.few);
        self.all.merge(&other.all);
    }
}

impl Holders {
    pub(crate) fn new(connections: usize) -> Self {
        Holders { begun: vec![Default::default(); connections].into(), occupancy: Occupancy::default() }
    }

    /// An arrival takes connection `at`, and so many are busy with it.
    pub(crate) fn begin(&mut self, at: usize, now_ns: u64, busy: usize) {
        let connections = self.begun.len();
        let crowd = match busy {
            _ if busy == connections => Crowd::All,
            _ if busy * 2 <= connections => Crowd::Few,
            _ => Crowd::Many,
        };
        self.begun[at] = (now_ns, crowd);
    }

    /// The first request of the arrival was answered well.
    pub(crate) fn answered(&mut self, at: usize, service_ns: u64) {
        match self.begun[at].1 {
            Crowd::Few => self.occupancy.few.record(service_ns),
            Crowd::Many => {}
            Crowd::All => self.occupancy.all.record(service_ns),
        }
    }

    /// The arrival has come to its end.
    pub(crate) fn end(&mut self, at: usize, now_ns: u64) {
        self.occupancy.held.record(now_ns.saturating_sub(self.begun[at].0));
    }
}

impl Moments {
    fn record(&mut self, ns: u64) {
        self.count += 1;
        self.sum_ns += u128::from(ns);
        self.squares += u128::from(ns) * u128::from(ns);
    }

    fn merge(&mut self, other: &Moments) {
        self.count += other.count;
        self.sum_ns += other.sum_ns;
        self.squares += other.squares;
    }

    #[allow(clippy::cast_precision_loss, reason = "an estimate")]
    fn mean_ns(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum_ns as f64 / self.count as f64)
    }

    /// The relative standard error of a mean of `count` times that are spread like these.
    #[allow(clippy::cast_precision_loss, reason = "an estimate")]
    fn error(&self, count: u64) -> f64 {
        let Some(mean) = self.mean_ns().filter(|mean| *mean > 0.0 && count > 0) else { return f64::INFINITY };
        let variance = (self.squares as f64 / self.count as f64 - mean * mean).max(0.0);
        variance.sqrt() / mean / (count as f64).sqrt()
    }
}

#[cfg(test)]
mod tests;

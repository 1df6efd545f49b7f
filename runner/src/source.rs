//! Who begins the next iteration: the closed and the open model, as a value.

use std::sync::Arc;

use crate::{
    pace::{Arrivals, Curve, RATE_SCALE},
    plan::Load,
};

/// One thread's part of a load. Times are in nanoseconds since the start of the run.
#[derive(Debug)]
pub(crate) enum Source {
    /// Users who begin as soon as they are done with the iteration before.
    Users(Users),
    /// Arrivals that take any free connection when they are due.
    Arrivals {
        arrivals: Arrivals,
        /// The one used last is on top: few arrivals keep few connections busy.
        idle: Vec<usize>,
    },
}

/// The users of one thread: of `threads`, the n-th has every user whose number leaves the remainder n.
#[derive(Debug)]
pub(crate) struct Users {
    curve: Arc<Curve>,
    thread: u64,
    threads: u64,
    active: usize,
    next_change_ns: Option<u64>,
}

impl Source {
    /// The part of thread `thread`, which has so many connections.
    pub(crate) fn new(load: &Load, thread: usize, threads: usize, connections: usize) -> Self {
        let (thread, threads) = (thread as u64, threads as u64);
        match load {
            Load::Closed(curve) => Source::Users(Users::new(Arc::clone(curve), thread, threads)),
            Load::Open(curve) => Source::Arrivals {
                arrivals: Arrivals::new(Arc::clone(curve), thread, threads),
                idle: (0..connections).rev().collect(),
            },
        }
    }

    /// When there may be something new to begin.
    pub(crate) fn next_ns(&self) -> Option<u64> {
        match self {
            Source::Users(users) => users.next_change_ns,
            Source::Arrivals { arrivals, idle } => arrivals.due_ns().filter(|_| !idle.is_empty()),
        }
    }

    /// When the next arrival was or is due; users are never.
    pub(crate) fn due_ns(&self) -> Option<u64> {
        match self {
            Source::Users(_) => None,
            Source::Arrivals { arrivals, .. } => arrivals.due_ns(),
        }
    }

    /// Whether an arrival, once it is due, will have to wait for a connection.
    pub(crate) fn is_saturated(&self) -> bool {
        matches!(self, Source::Arrivals { idle, .. } if idle.is_empty())
    }

    /// Whether nothing will be begun any more but by those who are busy.
    pub(crate) fn is_exhausted(&self) -> bool {
        match self {
            Source::Users(users) => users.next_change_ns.is_none(),
            Source::Arrivals { arrivals, .. } => arrivals.due_ns().is_none(),
        }
    }

    /// How many arrivals were due before `end_ns` and never began.
    pub(crate) fn backlog(&self, end_ns: u64) -> u64 {
        match self {
            Source::Users(_) => 0,
            Source::Arrivals { arrivals, .. } => arrivals.clone().count_before(end_ns),
        }
    }
}

impl Users {
    fn new(curve: Arc<Curve>, thread: u64, threads: u64) -> Self {
        Users { curve, thread, threads, active: 0, next_change_ns: Some(0) }
    }

    /// Whether this thread's user `at` is to go on.
    pub(crate) fn is_active(&self, at: usize) -> bool {
        at < self.active
    }

    /// Follows the curve to `now_ns`; the users who were not active before and are now.
    pub(crate) fn activate(&mut self, now_ns: u64) -> std::ops::Range<usize> {
        let before = self.active;
        if self.next_change_ns.is_some_and(|at_ns| at_ns <= now_ns) {
            let share = self.curve.level_at(now_ns).saturating_sub(self.thread).div_ceil(self.threads);
            self.active = usize::try_from(share).unwrap_or(usize::MAX);
            self.next_change_ns = self.curve.next_change_ns(now_ns);
        }
        before..self.active
    }
}

/// A thread's part of the arrival rate: of a rate curve, for people to look at.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn target_rate(load: &Load, now_ns: u64, threads: usize) -> f64 {
    match load {
        Load::Open(curve) if now_ns < curve.end_ns() => {
            curve.level_at(now_ns) as f64 / RATE_SCALE / threads as f64
        }
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_wakes_each_user_once() {
        let mut users = Users::new(Arc::new(Curve::new(0, &[(40, 4), (10, 4), (40, 0)])), 1, 2);
        let woken: Vec<_> = [0, 1, 11, 12, 31, 50].map(|now| users.activate(now)).into();
        assert_eq!(woken, [0..0, 0..0, 0..1, 1..1, 1..2, 2..2]);
        assert!(users.is_active(1));
        assert!(users.activate(60).is_empty());
        assert!(users.is_active(0) && !users.is_active(1));
        users.activate(90);
        assert!(!users.is_active(0));
        assert_eq!(users.next_change_ns, None);
    }
}

//! Who begins the next iteration: the closed and the open model, as a value.

mod arrivals;
mod pool;

use std::sync::Arc;

pub(crate) use self::{
    arrivals::{ArrivalSource, Sleep, Wake},
    pool::Pool,
};
use crate::{
    pace::{Curve, RATE_SCALE},
    plan::Load,
};

/// One thread's part of a load. Times are in nanoseconds since the start of the run.
#[derive(Debug)]
pub(crate) enum Source {
    /// Users who begin as soon as they are done with the iteration before.
    Users(Users),
    /// Arrivals that take any free connection when they are due.
    Arrivals(ArrivalSource),
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
    pub(crate) fn new(load: &Load, thread: usize, connections: usize, pool: &Arc<Pool>) -> Self {
        match load {
            Load::Closed(curve) => {
                Source::Users(Users::new(Arc::clone(curve), thread as u64, pool.threads() as u64))
            }
            Load::Open(curve) => {
                Source::Arrivals(ArrivalSource::new(Arc::clone(curve), thread, connections, Arc::clone(pool)))
            }
        }
    }

    /// Decides until when a thread that has nothing else to do sleeps, and whom it wakes before.
    pub(crate) fn sleep(&mut self, now_ns: u64) -> Sleep {
        match self {
            Source::Users(users) => Sleep { due_ns: users.next_change_ns, wake: Wake::Nobody },
            Source::Arrivals(arrivals) => arrivals.sleep(now_ns),
        }
    }

    /// When the next arrival of this thread's part was or is due; users are never.
    pub(crate) fn due_ns(&self) -> Option<u64> {
        match self {
            Source::Users(_) => None,
            Source::Arrivals(arrivals) => arrivals.due_ns(),
        }
    }

    /// Whether an arrival, once it is due, will have to wait for a connection of this thread.
    pub(crate) fn is_saturated(&self) -> bool {
        matches!(self, Source::Arrivals(arrivals) if !arrivals.has_idle())
    }

    /// Whether nothing will be begun any more but by those who are busy.
    pub(crate) fn is_exhausted(&self) -> bool {
        match self {
            Source::Users(users) => users.next_change_ns.is_none(),
            Source::Arrivals(arrivals) => arrivals.is_exhausted(),
        }
    }

    /// Ends it; returns how many arrivals of its part were due before `end_ns` and never began.
    pub(crate) fn backlog(&mut self, end_ns: u64) -> u64 {
        match self {
            Source::Users(_) => 0,
            Source::Arrivals(arrivals) => arrivals.backlog(end_ns),
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

//! One thread's part of the arrivals, and of those that other threads cannot serve.

use std::sync::Arc;

use super::pool::{Pool, Watch};
use crate::{
    clock::TAIL_NS,
    pace::{Arrivals, Curve},
};

/// Arrivals that take any free connection when they are due. Times are in nanoseconds since the start of the run.
#[derive(Debug)]
pub(crate) struct ArrivalSource {
    thread: usize,
    /// This thread's part of the schedule; none while it is lent, or when nothing is left of it.
    arrivals: Option<Arrivals>,
    /// Free connections. The one used last is on top: few arrivals keep few connections busy.
    idle: Vec<usize>,
    pool: Arc<Pool>,
    /// Whether the last arrival of all threads was taken here, and nobody was told.
    took_last: bool,
}

/// What a thread does when there is nothing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sleep {
    /// The time to wake up for.
    pub(crate) due_ns: Option<u64>,
    pub(crate) wake: Wake,
}

/// The threads to be woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wake {
    Nobody,
    Thread(usize),
    /// All: nothing is left to begin.
    All,
}

impl ArrivalSource {
    pub(crate) fn new(curve: Arc<Curve>, thread: usize, connections: usize, pool: Arc<Pool>) -> Self {
        let arrivals = Arrivals::new(curve, thread as u64, pool.threads() as u64);
        let mut source = ArrivalSource {
            thread,
            arrivals: Some(arrivals),
            idle: (0..connections).rev().collect(),
            pool,
            took_last: false,
        };
        source.drop_exhausted();
        source
    }

    /// The next arrival that is due, of this thread or of one that has no free connection, and the connection to serve
    /// it; `None` when there is none of either.
    pub(crate) fn next(&mut self, now_ns: u64) -> Option<(usize, u64)> {
        if self.idle.is_empty() {
            return None;
        }
        let due_ns = self.take_own(now_ns).or_else(|| self.take_lent(now_ns))?;
        Some((self.idle.pop()?, due_ns))
    }

    /// Has connection `at` back.
    pub(crate) fn release(&mut self, at: usize) {
        self.idle.push(at);
    }

    pub(crate) fn has_idle(&self) -> bool {
        !self.idle.is_empty()
    }

    pub(crate) fn due_ns(&self) -> Option<u64> {
        match &self.arrivals {
            Some(arrivals) => arrivals.due_ns(),
            None => self.pool.due_ns(self.thread),
        }
    }

    pub(crate) fn is_exhausted(&self) -> bool {
        self.pool.is_exhausted()
    }

    pub(crate) fn backlog(&mut self, end_ns: u64) -> u64 {
        let arrivals = self.arrivals.take().or_else(|| self.pool.reclaim(self.thread));
        arrivals.map_or(0, |arrivals| arrivals.count_before(end_ns))
    }

    /// Decides until when to sleep. A thread without a free connection wakes up when an arrival of its own comes near, to
    /// lend it in time; a watcher wakes up for those of others.
    pub(crate) fn sleep(&mut self, now_ns: u64) -> Sleep {
        let mut wake = if std::mem::take(&mut self.took_last) { Wake::All } else { Wake::Nobody };
        let is_alone = self.pool.threads() == 1;
        let own_ns = self.arrivals.as_ref().and_then(Arrivals::due_ns);
        if is_alone {
            return Sleep { due_ns: own_ns.filter(|_| self.has_idle()), wake };
        }
        self.pool.publish(self.thread, self.has_idle());
        let is_near = own_ns.is_some_and(|due_ns| due_ns <= now_ns.saturating_add(TAIL_NS));
        if is_near && !self.has_idle() {
            let watcher = self.arrivals.take().and_then(|arrivals| self.pool.lend(self.thread, arrivals));
            return Sleep { due_ns: None, wake: watcher.map_or(Wake::Nobody, Wake::Thread) };
        }
        let mut due_ns = own_ns;
        match self.pool.watch(self.thread) {
            Watch::Nothing => {}
            Watch::Until(lent_ns) => due_ns = Some(own_ns.map_or(lent_ns, |own_ns| own_ns.min(lent_ns))),
            Watch::PassTo(thread) => wake = Wake::Thread(thread),
        }
        Sleep { due_ns, wake }
    }

    fn take_own(&mut self, now_ns: u64) -> Option<u64> {
        let arrivals = self.arrivals.as_mut()?;
        let due_ns = arrivals.due_ns().filter(|due_ns| *due_ns <= now_ns)?;
        arrivals.advance();
        self.drop_exhausted();
        Some(due_ns)
    }

    /// An arrival of another thread, or one that this thread lent before it had a free connection again.
    fn take_lent(&mut self, now_ns: u64) -> Option<u64> {
        if self.pool.is_empty() {
            return None;
        }
        let Some((due_ns, is_last)) = self.pool.take(now_ns) else {
            if self.arrivals.is_none() {
                self.arrivals = self.pool.reclaim(self.thread);
            }
            return None;
        };
        if is_last {
            self.took_last |= self.pool.close_one();
        }
        Some(due_ns)
    }

    fn drop_exhausted(&mut self) {
        if self.arrivals.as_ref().is_some_and(|arrivals| arrivals.due_ns().is_none()) {
            self.arrivals = None;
            self.took_last |= self.pool.close_one();
        }
    }
}

#[cfg(test)]
mod tests;

//! Arrivals whose own thread has no free connection, for any thread that has one.
//!
//! Each thread has its part of the schedule, a cursor, and serves it from its own connections: nothing is shared. A
//! thread that has an arrival due and no free connection lends its cursor to the pool. From there every thread with a
//! free connection takes what is due, the earliest first, and the owner takes its cursor back as soon as it has a free
//! connection and nothing is due. A cursor computes its arrivals, so a backlog of any length takes no memory.
//!
//! ```text
//! thread 0   cursor ──lend──▶ ┌──────┐ ──take──▶ thread 1, which watches: it sleeps until the pool's next arrival
//!            (no connection)  │ pool │ ──take──▶ thread 2, as it has a free connection and is awake
//! thread 0   cursor ◀─reclaim └──────┘
//! ```
//!
//! One thread with a free connection watches the pool, so an arrival wakes one thread and not all. A thread that lends
//! and one that goes to sleep with a free connection must not miss each other. The lender first makes the pool
//! non-empty and then looks for a thread with a free connection; the sleeper first says that it has one and then looks
//! at the pool. All four are sequentially consistent, so at least one of them sees the other.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use crossbeam_utils::CachePadded;

use crate::pace::Arrivals;

/// The pool of one run. Times are in nanoseconds since its start.
#[derive(Debug)]
pub(crate) struct Pool {
    lent: Mutex<Lent>,
    /// Lent cursors. Read once a round by every thread, and written when one is lent or taken back.
    len: AtomicUsize,
    /// Cursors with an arrival left, lent or not.
    open: AtomicUsize,
    /// By thread: whether it went to sleep with a free connection. On a line of its own, which only its thread writes.
    has_idle: Box<[CachePadded<AtomicBool>]>,
}

#[derive(Debug)]
struct Lent {
    /// By owner.
    cursors: Box<[Option<Arrivals>]>,
    /// The thread that wakes up for the next arrival.
    watcher: Option<usize>,
}

impl Pool {
    /// The pool of so many threads, each with a cursor that has an arrival left.
    pub(crate) fn new(threads: usize) -> Self {
        Pool {
            lent: Mutex::new(Lent { cursors: (0..threads).map(|_| None).collect(), watcher: None }),
            len: AtomicUsize::new(0),
            open: AtomicUsize::new(threads),
            has_idle: (0..threads).map(|_| CachePadded::new(AtomicBool::new(false))).collect(),
        }
    }

    pub(crate) fn threads(&self) -> usize {
        self.has_idle.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len.load(Ordering::SeqCst) == 0
    }

    /// Whether no cursor has an arrival left, here or with its owner.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.open.load(Ordering::SeqCst) == 0
    }

    /// Counts a cursor as exhausted; returns whether it was the last one.
    pub(crate) fn close_one(&self) -> bool {
        self.open.fetch_sub(1, Ordering::SeqCst) == 1
    }

    /// Lends the cursor of `owner`; returns the thread to wake, which is the watcher.
    pub(crate) fn lend(&self, owner: usize, arrivals: Arrivals) -> Option<usize> {
        let mut lent = self.lock();
        lent.cursors[owner] = Some(arrivals);
        self.count(&mut lent);
        if lent.watcher.is_none_or(|watcher| watcher == owner) {
            lent.watcher = self.other_with_idle(owner);
        }
        lent.watcher
    }

    /// Takes the earliest arrival that is due by `now_ns`; returns when it was due, and whether its cursor has none left.
    pub(crate) fn take(&self, now_ns: u64) -> Option<(u64, bool)> {
        let mut lent = self.lock();
        let (owner, due_ns) = lent.earliest().filter(|(_, due_ns)| *due_ns <= now_ns)?;
        let cursor = lent.cursors[owner].as_mut()?;
        cursor.advance();
        let is_last = cursor.due_ns().is_none();
        if is_last {
            lent.cursors[owner] = None;
            self.count(&mut lent);
        }
        Some((due_ns, is_last))
    }

    /// Gives `owner` its cursor back, if it is lent.
    pub(crate) fn reclaim(&self, owner: usize) -> Option<Arrivals> {
        let mut lent = self.lock();
        let arrivals = lent.cursors[owner].take()?;
        self.count(&mut lent);
        Some(arrivals)
    }

    /// When the next arrival of the cursor that `owner` lent was or is due.
    pub(crate) fn due_ns(&self, owner: usize) -> Option<u64> {
        if self.is_empty() {
            return None;
        }
        self.lock().cursors[owner].as_ref()?.due_ns()
    }

    /// Says, before `thread` sleeps, whether it has a free connection.
    pub(crate) fn publish(&self, thread: usize, has_idle: bool) {
        // Written on a change alone, so a thread that always has a free connection writes nothing.
        if self.has_idle[thread].load(Ordering::Relaxed) != has_idle {
            self.has_idle[thread].store(has_idle, Ordering::SeqCst);
        }
    }

    /// Decides, before `thread` sleeps and after it published, who watches.
    pub(crate) fn watch(&self, thread: usize) -> Watch {
        if self.is_empty() {
            return Watch::Nothing;
        }
        let mut lent = self.lock();
        let Some((_, due_ns)) = lent.earliest() else { return Watch::Nothing };
        let has_idle = self.has_idle[thread].load(Ordering::Relaxed);
        match lent.watcher {
            Some(watcher) if watcher != thread => Watch::Nothing,
            _ if has_idle => {
                lent.watcher = Some(thread);
                Watch::Until(due_ns)
            }
            None => Watch::Nothing,
            Some(_) => {
                lent.watcher = self.other_with_idle(thread);
                lent.watcher.map_or(Watch::Nothing, Watch::PassTo)
            }
        }
    }

    fn other_with_idle(&self, thread: usize) -> Option<usize> {
        let threads = self.has_idle.len();
        // The next ones first, so that the watch goes round.
        (1..threads)
            .map(|step| (thread + step) % threads)
            .find(|other| self.has_idle[*other].load(Ordering::SeqCst))
    }

    fn count(&self, lent: &mut Lent) {
        let len = lent.cursors.iter().flatten().count();
        if len == 0 {
            lent.watcher = None;
        }
        self.len.store(len, Ordering::SeqCst);
    }

    /// Nothing panics while it holds the lock, and each change is whole.
    fn lock(&self) -> MutexGuard<'_, Lent> {
        self.lent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread's part in watching the pool while it sleeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Watch {
    /// None: there is nothing to watch, or somebody does, or nobody can.
    Nothing,
    /// It wakes up for an arrival that is due then.
    Until(u64),
    /// It has no free connection any more; this other thread has, and is to be woken.
    PassTo(usize),
}

impl Lent {
    /// The owner and the time of the arrival that is due first.
    fn earliest(&self) -> Option<(usize, u64)> {
        let due = |(owner, cursor): (usize, &Option<Arrivals>)| Some((owner, cursor.as_ref()?.due_ns()?));
        self.cursors.iter().enumerate().filter_map(due).min_by_key(|(_, due_ns)| *due_ns)
    }
}

//! How a worker waits: until when, for whom, and when there is nothing left to wait for.

use std::{
    io::{self, ErrorKind},
    time::Duration,
};

use mio::Events;
use rustix::thread::sched_yield;

use super::Worker;
use crate::{
    clock::{TAIL_NS, now_ns},
    source::{Source, Wake},
};

impl Worker {
    /// When the next arrival of this thread was or is due, as long as any is sent.
    pub(super) fn next_due(&self, now: u64) -> Option<u64> {
        let due_ns = self.source.due_ns().filter(|_| now < self.ending.send_before_ns)?;
        Some(due_ns.saturating_add(self.start_ns))
    }

    /// Polls until there is something to do.
    pub(super) fn wait(&mut self, now: u64, events: &mut Events) -> io::Result<()> {
        let is_soon = self.set_alarm(now)?;
        let has_work = !self.ready.is_empty() || !self.unread.is_empty();
        if is_soon && !has_work {
            // Whoever else wants this processor meanwhile may have it.
            sched_yield();
        }
        let timeout = (has_work || is_soon).then_some(Duration::ZERO);
        let since = self.source.is_saturated().then(now_ns);
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => result?,
        }
        if let Some(since) = since {
            self.lag.waited(since, now_ns());
        }
        Ok(())
    }

    pub(super) fn is_done(&self, now: u64) -> bool {
        let is_over = now >= self.ending.send_before_ns;
        now >= self.ending.cut_ns || (self.busy == 0 && (is_over || self.nothing_will_begin(now)))
    }

    fn nothing_will_begin(&self, now: u64) -> bool {
        match self.source {
            // A user who has no iterations left does not begin, whatever the curve says.
            Source::Users(_) => {
                self.source.is_exhausted() || self.conns.iter().all(|conn| conn.iterations_left == 0)
            }
            // A rate is held until its end, also where nothing is due any more.
            Source::Arrivals(_) => now >= self.ending.end_ns && self.source.is_exhausted(),
        }
    }

    /// Sets the alarm for the next thing to do, or returns that an arrival is so near that it would come too late for it.
    fn set_alarm(&mut self, now: u64) -> io::Result<bool> {
        let Some(begin_ns) = self.next_begin(now) else { return Ok(true) };
        let end = [self.ending.end_ns, self.ending.send_before_ns].into_iter().find(|end| now < *end);
        let waits = [end, self.timeouts.next_ns(), self.pauses.next_ns()];
        let until = waits.into_iter().flatten().fold(begin_ns.min(self.ending.cut_ns), u64::min);
        self.alarm.set(now, until)?;
        Ok(false)
    }

    /// When something new begins; `None` where it is so near that this thread has to stay awake for it.
    fn next_begin(&mut self, now: u64) -> Option<u64> {
        if now >= self.ending.send_before_ns {
            return Some(u64::MAX);
        }
        let sleep = self.source.sleep(now.saturating_sub(self.start_ns));
        self.wake(sleep.wake);
        let Some(due) = sleep.due_ns.map(|due_ns| due_ns.saturating_add(self.start_ns)) else {
            return Some(u64::MAX);
        };
        match self.source {
            Source::Users(_) => Some(due),
            Source::Arrivals(_) if due <= now.saturating_add(TAIL_NS) => None,
            Source::Arrivals(_) => Some(due - TAIL_NS),
        }
    }

    fn wake(&self, wake: Wake) {
        let peers = match wake {
            Wake::Nobody => &[][..],
            Wake::Thread(thread) => self.peers.get(thread..=thread).unwrap_or_default(),
            Wake::All => &self.peers,
        };
        for peer in peers {
            // Only a poll that is gone cannot be woken.
            drop(peer.wake());
        }
    }
}

//! The desk between the sampler and a lane: one snapshot at most, a few events, and the end.
//!
//! Whoever hands something over holds the lock for a few instructions and never waits for the lane. A lane is *busy*
//! from the moment it takes a snapshot until it asks for the next task; what it does with events and samples
//! meanwhile does not cost it a snapshot.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use super::event::Event;
use crate::{
    Snapshot,
    sync::{Condvar, Mutex},
};

/// How many events may wait for a lane.
pub(crate) const MAX_EVENTS: usize = 256;

/// Deadlines of the end: one for lanes whose receiver has answered something, one for those whose receiver never did.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ending {
    pub(crate) answering: Instant,
    /// Never later than the other one.
    pub(crate) mute: Instant,
}

/// What a lane is to do next.
#[derive(Debug)]
pub(crate) enum Task {
    /// Deliver what was true at a tick.
    Export(Arc<Snapshot>),
    /// Tell of something that happened.
    Tell(Event),
    /// The time for which the lane wanted to be woken has come.
    Wake,
    /// Deliver the last snapshot, by one of these deadlines, and end.
    Finish(Arc<Snapshot>, Ending),
    /// Nobody is going to hand over anything any more.
    Abandon,
}

#[derive(Debug, Default)]
pub(crate) struct Handover {
    desk: Mutex<Desk>,
    /// Something was put on the desk.
    filled: Condvar,
    /// The lane has ended.
    ended: Condvar,
}

#[derive(Debug, Default)]
struct Desk {
    snapshot: Option<Arc<Snapshot>>,
    events: VecDeque<Event>,
    last: Option<(Arc<Snapshot>, Ending)>,
    is_abandoned: bool,
    is_busy: bool,
    has_ended: bool,
}

impl Handover {
    /// Whether no snapshot is dropped for this one. A lane that is busy or has ended does not take it; one that is
    /// telling of an event gets it instead of the one that lies on the desk.
    pub(crate) fn offer(&self, snapshot: &Arc<Snapshot>) -> bool {
        let mut desk = self.desk.lock();
        if desk.is_busy || desk.has_ended {
            return false;
        }
        let before = desk.snapshot.replace(Arc::clone(snapshot));
        self.filled.notify_one();
        before.is_none()
    }

    /// Whether there was room for the event.
    pub(crate) fn tell(&self, event: Event) -> bool {
        let mut desk = self.desk.lock();
        let takes = desk.events.len() < MAX_EVENTS && !desk.has_ended && desk.last.is_none();
        if takes {
            desk.events.push_back(event);
            self.filled.notify_one();
        }
        takes
    }

    /// Hands over the last snapshot, to be delivered after everything that lies on the desk, and before the end is over.
    pub(crate) fn finish(&self, snapshot: &Arc<Snapshot>, ending: Ending) {
        self.desk.lock().last.get_or_insert_with(|| (Arc::clone(snapshot), ending));
        self.filled.notify_one();
    }

    /// Deadlines of the end, once it was said and as long as the lane has not come to it.
    pub(crate) fn ending(&self) -> Option<Ending> {
        self.desk.lock().last.as_ref().map(|(_, ending)| *ending)
    }

    /// Lets the lane end without a last snapshot.
    pub(crate) fn abandon(&self) {
        self.desk.lock().is_abandoned = true;
        self.filled.notify_one();
    }

    /// Waits for the end of the lane, until `deadline`; whether it came.
    pub(crate) fn wait_for_end(&self, deadline: Instant) -> bool {
        let mut desk = self.desk.lock();
        while !desk.has_ended {
            if self.ended.wait_until(&mut desk, deadline).timed_out() {
                return desk.has_ended;
            }
        }
        true
    }

    /// For the lane: the next task, waiting for one until `wake_at` or for ever. Events come before the snapshot
    /// that was taken after them.
    pub(crate) fn next(&self, wake_at: Option<Instant>) -> Task {
        let mut desk = self.desk.lock();
        desk.is_busy = false;
        loop {
            if let Some(task) = desk.take() {
                return task;
            }
            match wake_at {
                None => self.filled.wait(&mut desk),
                Some(at) if self.filled.wait_until(&mut desk, at).timed_out() => {
                    return desk.take().unwrap_or(Task::Wake);
                }
                Some(_) => {}
            }
        }
    }

    /// For the lane: nothing is taken any more. `settle` is told how many events nobody took, before the end is seen.
    pub(crate) fn end(&self, settle: impl FnOnce(usize)) {
        let mut desk = self.desk.lock();
        settle(std::mem::take(&mut desk.events).len());
        desk.has_ended = true;
        self.ended.notify_all();
    }
}

impl Desk {
    fn take(&mut self) -> Option<Task> {
        if let Some(event) = self.events.pop_front() {
            return Some(Task::Tell(event));
        }
        if let Some(snapshot) = self.snapshot.take() {
            self.is_busy = true;
            return Some(Task::Export(snapshot));
        }
        if let Some((snapshot, ending)) = self.last.take() {
            self.is_busy = true;
            return Some(Task::Finish(snapshot, ending));
        }
        self.is_abandoned.then_some(Task::Abandon)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Metric, Registry};
    use std::{thread, time::Duration};

    fn snapshots() -> [Arc<Snapshot>; 3] {
        let registry = Registry::new("test");
        let (hits, mut shard) = (registry.counter(Metric::new("hits")), registry.shard());
        [(); 3].map(|()| {
            shard.add(hits, 1);
            registry.snapshot()
        })
    }

    fn shown(task: Task) -> String {
        match task {
            Task::Export(snapshot) => format!("export {}", snapshot.counter("hits")),
            Task::Tell(event) => format!("tell {}", event.name),
            Task::Wake => "wake".to_owned(),
            Task::Finish(snapshot, _) => format!("finish {}", snapshot.counter("hits")),
            Task::Abandon => "abandon".to_owned(),
        }
    }

    fn next(handover: &Handover) -> String {
        shown(handover.next(Some(Instant::now())))
    }

    #[test]
    fn a_lane_is_busy_from_a_snapshot_to_the_next_question() {
        let ([one, two, three], handover) = (snapshots(), Handover::default());
        assert!(handover.offer(&one));
        assert_eq!(next(&handover), "export 1");
        assert!(!handover.offer(&two), "it is at work");
        assert_eq!(next(&handover), "wake");
        assert!(handover.offer(&three));
        assert_eq!(next(&handover), "export 3");
    }

    #[test]
    fn a_newer_snapshot_takes_the_place_of_one_that_nobody_took() {
        let ([one, two, three], handover) = (snapshots(), Handover::default());
        assert_eq!([&one, &two, &three].map(|snapshot| handover.offer(snapshot)), [true, false, false]);
        assert_eq!([next(&handover), next(&handover)], ["export 3", "wake"]);
    }

    #[test]
    fn events_come_before_the_snapshot_and_both_before_the_end() {
        let ([one, two, _], handover) = (snapshots(), Handover::default());
        handover.offer(&one);
        assert!(handover.tell(Event::new("a", 1)) && handover.tell(Event::new("b", 2)));
        let now = Instant::now();
        handover.finish(&two, Ending { answering: now, mute: now });
        assert!(!handover.tell(Event::new("late", 3)), "the end has been said");
        handover.abandon();
        let tasks = [(); 5].map(|()| next(&handover));
        assert_eq!(tasks, ["tell a", "tell b", "export 1", "finish 2", "abandon"]);
    }

    #[test]
    fn whoever_has_ended_takes_nothing_and_says_what_it_left() {
        let ([one, ..], handover) = (snapshots(), Handover::default());
        let fits = (0..MAX_EVENTS + 3).filter(|_| handover.tell(Event::new("a", 1))).count();
        assert_eq!(fits, MAX_EVENTS);
        let mut left = 0;
        handover.end(|waiting| left = waiting);
        assert_eq!(left, MAX_EVENTS);
        assert!(!handover.offer(&one) && !handover.tell(Event::new("b", 1)));
    }

    #[test]
    fn whoever_waits_is_woken() {
        let ([one, ..], handover) = (snapshots(), Handover::default());
        thread::scope(|scope| {
            let lane = scope.spawn(|| {
                let task = shown(handover.next(None));
                handover.end(|_| ());
                task
            });
            handover.offer(&one);
            assert!(handover.wait_for_end(Instant::now() + Duration::from_secs(60)));
            assert_eq!(lane.join().unwrap(), "export 1");
        });
        assert!(!Handover::default().wait_for_end(Instant::now()));
    }
}

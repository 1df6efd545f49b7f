//! Which connection's time is up.

use std::{cmp::Reverse, collections::BinaryHeap};

/// One deadline a connection.
///
/// A connection stands in the queue at most once, with the deadline it had when it was put there. One that has a
/// later deadline by the time it comes up is put back. So setting a deadline costs a store, the queue never holds
/// more than there are connections, and a request that is answered leaves nothing behind. The price: until it has
/// come up, a deadline may be set again only to a later time, cleared or not.
#[derive(Debug)]
pub(crate) struct Deadlines {
    at_ns: Vec<u64>,
    is_queued: Vec<bool>,
    queue: BinaryHeap<Reverse<(u64, usize)>>,
}

const NEVER: u64 = u64::MAX;

impl Deadlines {
    pub(crate) fn new(len: usize) -> Self {
        Deadlines {
            at_ns: vec![NEVER; len],
            is_queued: vec![false; len],
            queue: BinaryHeap::with_capacity(len),
        }
    }

    pub(crate) fn set(&mut self, conn: usize, at_ns: u64) {
        self.at_ns[conn] = at_ns;
        if !self.is_queued[conn] {
            self.is_queued[conn] = true;
            self.queue.push(Reverse((at_ns, conn)));
        }
    }

    pub(crate) fn clear(&mut self, conn: usize) {
        self.at_ns[conn] = NEVER;
    }

    /// When to look again, at the latest.
    pub(crate) fn next_ns(&self) -> Option<u64> {
        self.queue.peek().map(|Reverse((at_ns, _))| *at_ns)
    }

    /// A connection whose deadline is not after `now_ns`, and that deadline; it has none any more.
    pub(crate) fn pop_due(&mut self, now_ns: u64) -> Option<(usize, u64)> {
        while let Some(Reverse((queued_ns, conn))) = self.queue.peek().copied()
            && queued_ns <= now_ns
        {
            self.queue.pop();
            self.is_queued[conn] = false;
            let at_ns = self.at_ns[conn];
            if at_ns <= now_ns {
                self.clear(conn);
                return Some((conn, at_ns));
            }
            if at_ns < NEVER {
                self.set(conn, at_ns);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_deadline_that_was_moved_comes_up_at_its_new_time_and_a_cleared_one_never() {
        let mut deadlines = Deadlines::new(3);
        deadlines.set(0, 10);
        deadlines.set(1, 11);
        deadlines.set(2, 12);
        deadlines.set(0, 20);
        deadlines.clear(1);
        assert_eq!(deadlines.next_ns(), Some(10));
        assert_eq!((deadlines.pop_due(19), deadlines.pop_due(19)), (Some((2, 12)), None));
        assert_eq!((deadlines.pop_due(20), deadlines.next_ns()), (Some((0, 20)), None));
    }

    proptest! {
        #[test]
        fn every_deadline_comes_up_once_in_time(rounds in prop::collection::vec((0..4_usize, 0..5_u64, any::<bool>()), 0..200)) {
            let mut deadlines = Deadlines::new(4);
            let mut naive = [NEVER; 4];
            for (now, (conn, ahead, is_cleared)) in (0..).zip(rounds) {
                if is_cleared {
                    deadlines.clear(conn);
                    naive[conn] = NEVER;
                } else {
                    // Equal time-outs, so later ones are never earlier.
                    deadlines.set(conn, now + 3 + ahead / 5);
                    naive[conn] = now + 3 + ahead / 5;
                }
                let mut due: Vec<(usize, u64)> = std::iter::from_fn(|| deadlines.pop_due(now)).collect();
                due.sort_unstable();
                let expected: Vec<(usize, u64)> =
                    (0..4).filter(|conn| naive[*conn] <= now).map(|conn| (conn, naive[conn])).collect();
                prop_assert_eq!(&due, &expected);
                due.iter().for_each(|(conn, _)| naive[*conn] = NEVER);
                prop_assert!(deadlines.queue.len() <= 4);
            }
        }
    }
}

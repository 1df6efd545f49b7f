//! Who holds up a schedule: the thread that is to keep it, or those whom the thread waits for.
//!
//! An open load is behind when an arrival is overdue. A thread that is at work then has more to do than time, whatever
//! the target could take: the generator is the bottleneck. One that waits then has all its connections taken and nothing
//! to read: they are too few, or the target is slow ([`bottleneck`](crate::bottleneck)). So the time behind is split by whether the thread waited in its poll, at the cost of two looks
//! at the clock a round, and of none as long as there is a free connection.

/// An arrival that is late by less is jitter, and made up for.
const LATE_NS: u64 = 10_000_000;

/// How long arrivals were overdue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Lag {
    pub(crate) behind_ns: u64,
    /// The part of it in which the thread waited for its connections.
    pub(crate) waited_ns: u64,
    /// When the round at hand began.
    round_ns: u64,
    /// From when to when the thread waited in it.
    wait_ns: (u64, u64),
}

impl Lag {
    /// A round ends and the next one begins at `now`; the arrival that it left for the next one was due at `due_ns`.
    pub(crate) fn round(&mut self, now: u64, due_ns: Option<u64>) {
        if let Some(late_ns) = due_ns.map(|due_ns| due_ns.saturating_add(LATE_NS)) {
            let (since, until) = self.wait_ns;
            self.behind_ns += now.saturating_sub(late_ns.max(self.round_ns));
            self.waited_ns += until.saturating_sub(late_ns.max(since));
        }
        (self.round_ns, self.wait_ns) = (now, (0, 0));
    }

    /// In the round at hand, the thread waited for its connections.
    pub(crate) fn waited(&mut self, since: u64, until: u64) {
        self.wait_ns = (since, until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn time_is_behind_while_an_arrival_is_overdue_and_split_by_whether_the_thread_waited() {
        let mut lag = Lag::default();
        let mut times = |waited: Option<(u64, u64)>, now: u64, due: Option<u64>| {
            if let Some((since, until)) = waited {
                lag.waited(since * MS, until * MS);
            }
            lag.round(now * MS, due.map(|ms| ms * MS));
            (lag.behind_ns / MS, lag.waited_ns / MS)
        };
        assert_eq!(times(None, 100, Some(100)), (0, 0), "the first");
        assert_eq!(times(Some((101, 109)), 109, Some(100)), (0, 0), "late, and by too little");
        assert_eq!(times(Some((109, 125)), 128, Some(105)), (13, 10), "late from 115 on");
        assert_eq!(times(None, 130, Some(105)), (15, 10), "at work");
        assert_eq!(times(Some((131, 134)), 136, Some(110)), (21, 13), "late all the while");
        assert_eq!(times(Some((136, 900)), 900, None), (21, 13), "nothing left to be due");
    }
}

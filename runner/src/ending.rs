//! When a load ends: by itself, or because it is asked to.

use crate::plan::Workload;

/// How long requests in flight have when the run is stopped early.
const GRACE_NS: u64 = 1_000_000_000;

/// When what ends, on the monotonic clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ending {
    /// Arrivals from here on do not count as scheduled.
    pub(crate) end_ns: u64,
    /// Nothing is sent from here on.
    pub(crate) send_before_ns: u64,
    /// What is not finished by then never will be.
    pub(crate) cut_ns: u64,
}

impl Ending {
    /// A closed load ends with its time: the drain is for what is in flight, the rest of an iteration is not begun. An
    /// open load has promised its arrivals: in the drain the backlog is sent too.
    pub(crate) fn of(workload: &Workload, start_ns: u64) -> Self {
        let end_ns = match workload.duration() {
            Some(_) => start_ns.saturating_add(workload.load.curve().end_ns()),
            None => u64::MAX,
        };
        let cut_ns = end_ns.saturating_add(workload.drain_ns);
        Ending { end_ns, send_before_ns: if workload.is_open() { cut_ns } else { end_ns }, cut_ns }
    }

    /// Ends it at once where it was asked to at `stop_ns`, which may have been said before.
    pub(crate) fn stop_by(&mut self, stop_ns: u64) {
        if stop_ns < self.cut_ns {
            self.end_ns = self.end_ns.min(stop_ns);
            self.send_before_ns = self.send_before_ns.min(stop_ns);
            self.cut_ns = self.cut_ns.min(stop_ns.saturating_add(GRACE_NS));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Plan;

    const S: u64 = 1_000_000_000;

    fn ending(spec: &str) -> Ending {
        let json = format!(r#"{{"target": "http://h", "timeout": "3s", {spec}}}"#);
        Ending::of(&Plan::from_json(&json).unwrap().check().unwrap(), S)
    }

    #[test]
    fn a_load_ends_by_its_model_and_when_it_is_asked_to() {
        let closed = ending(r#""users": 1, "duration": "5s""#);
        assert_eq!((closed.end_ns, closed.send_before_ns, closed.cut_ns), (6 * S, 6 * S, 9 * S));
        let mut open = ending(r#""rate": 1, "duration": "5s""#);
        assert_eq!((open.end_ns, open.send_before_ns, open.cut_ns), (6 * S, 9 * S, 9 * S));
        let short = ending(r#""rate": 1, "duration": "5s", "drain": "500ms""#);
        assert_eq!((short.end_ns, short.send_before_ns, short.cut_ns), (6 * S, 13 * S / 2, 13 * S / 2));
        let none = ending(r#""users": 1, "duration": "5s", "drain": "0s""#);
        assert_eq!((none.send_before_ns, none.cut_ns), (6 * S, 6 * S));
        let counted = ending(r#""users": 1, "iterations": 5"#);
        assert_eq!((counted.end_ns, counted.send_before_ns), (u64::MAX, u64::MAX));
        open.stop_by(u64::MAX);
        assert_eq!(open.cut_ns, 9 * S);
        open.stop_by(7 * S);
        assert_eq!((open.end_ns, open.send_before_ns, open.cut_ns), (6 * S, 7 * S, 8 * S));
    }
}

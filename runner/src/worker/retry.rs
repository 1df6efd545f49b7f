//! Requests that are sent once more, because the peer had closed the connection before they came.
//!
//! A server ends a connection that was idle for too long, and a request may cross that end. RFC 9110, section 9.2.2, lets a
//! client send it again on its own account if it means the same twice. The time goes on: due and sent are those of the
//! first sending, and so is the time-out. As the request is in flight, it goes out again even after the end of the load.
//! All that is done once; a new connection that is closed without a word is a failure.

use super::Worker;
use crate::{
    fault::{Fault, Reason},
    outcome::Failure,
};

impl Worker {
    /// Sends the request at hand again if that is what its `fault` calls for; otherwise the fault that it failed with.
    pub(super) fn retry(&mut self, at: usize, fault: Fault) -> Option<Fault> {
        if fault.failure != Failure::Reset || !self.conns[at].is_stale() {
            return Some(fault);
        }
        if self.may_send_again(at) {
            self.send_again(at);
            return None;
        }
        let is_idempotent = self.workload.steps[self.conns[at].step].is_idempotent;
        Some(if is_idempotent { fault } else { Fault { reason: Reason::Stale, ..fault } })
    }

    /// Whether the request at hand may be sent twice, and was sent once.
    pub(super) fn may_send_again(&self, at: usize) -> bool {
        let conn = &self.conns[at];
        self.workload.steps[conn.step].is_idempotent && !conn.is_again
    }

    pub(super) fn send_again(&mut self, at: usize) {
        let conn = &mut self.conns[at];
        conn.start_again(self.workload.steps[conn.step].is_head());
        self.meters.sent_again(conn.step);
        self.connect(at);
    }
}

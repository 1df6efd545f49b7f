//! One request's way out and its response's way in.

use mio::{Token, event::Event};

use super::Worker;
use crate::{
    clock::now_ns,
    conn::{Received, State},
    fault::Fault,
    outcome::Failure,
};

impl Worker {
    pub(super) fn connect(&mut self, at: usize) {
        let now = now_ns();
        let conn = &mut self.conns[at];
        conn.state = State::Connecting;
        if !conn.is_again {
            conn.sent_ns = now;
            conn.reset(false);
            self.timeouts.set(at, now.saturating_add(self.workload.timeout_ns));
        }
        if let Err(error) = conn.connect(self.addr, self.poll.registry(), Token(at)) {
            self.fail(at, Fault::of_io(&error, Failure::Connect));
        }
    }

    /// Begins to send the request at hand. What came before it, such as a refusal at the door, is its answer.
    pub(super) fn send_first(&mut self, at: usize) {
        if self.conns[at].is_again {
            self.conns[at].state = State::Sending;
        } else {
            self.begin_exchange(at);
        }
        self.send(at);
        if self.conns[at].has_news && self.is_exchanging(at) {
            self.read(at);
        }
    }

    fn begin_exchange(&mut self, at: usize) {
        let conn = &mut self.conns[at];
        let step = &self.workload.steps[conn.step];
        conn.reset(step.is_head());
        if let (Some(tracer), true) = (&mut self.tracer, step.trace_at.is_some()) {
            conn.trace = tracer.next();
        }
        let now = now_ns();
        (conn.sent_ns, conn.state) = (now, State::Sending);
        self.in_flight += 1;
        self.meters.sent(conn.step, now.saturating_sub(conn.due_ns));
        self.timeouts.set(at, now.saturating_add(self.workload.timeout_ns));
    }

    fn send(&mut self, at: usize) {
        let conn = &mut self.conns[at];
        match conn.send(&self.workload.steps[conn.step]) {
            Ok(true) => conn.state = State::Receiving,
            Ok(false) => {}
            Err(error) => self.read_last(at, Fault::of_io(&error, Failure::Reset)),
        }
    }

    /// Reads what the peer said before it stopped to listen, as one does that refuses a body. Only if that is nothing did
    /// the exchange fail as the send did.
    fn read_last(&mut self, at: usize, fault: Fault) {
        let conn = &mut self.conns[at];
        conn.is_ending = true;
        match conn.receive(&mut self.buffer, &mut self.known[conn.step]) {
            Ok(Received::Part) => self.fail(at, fault),
            Err(_) if self.conns[at].is_unanswered() => self.fail(at, fault),
            received => self.received(at, received),
        }
    }

    fn is_exchanging(&self, at: usize) -> bool {
        matches!(self.conns[at].state, State::Sending | State::Receiving)
    }

    pub(super) fn receive(&mut self, event: &Event) {
        let Token(at) = event.token();
        let Some(conn) = self.conns.get_mut(at) else { return };
        conn.note(event);
        match conn.state {
            State::Connecting => match conn.is_connected() {
                Ok(true) => self.connected(at),
                Ok(false) => {}
                Err(error) => self.fail(at, Fault::of_io(&error, Failure::Connect)),
            },
            State::Sending | State::Receiving => {
                if conn.has_news {
                    self.read(at);
                }
                let conn = &self.conns[at];
                if event.is_writable() && conn.state == State::Sending && !conn.is_refused() {
                    self.send(at);
                }
            }
            State::Idle | State::Ready | State::Pausing => {
                if conn.has_news {
                    conn.look_idle(&mut self.buffer);
                }
            }
        }
    }

    fn connected(&mut self, at: usize) {
        let conn = &mut self.conns[at];
        conn.state = State::Ready;
        if !conn.is_again {
            self.timeouts.clear(at);
        }
        self.ready.push(at);
    }

    fn read(&mut self, at: usize) {
        let conn = &mut self.conns[at];
        let received = conn.receive(&mut self.buffer, &mut self.known[conn.step]);
        self.received(at, received);
    }

    fn received(&mut self, at: usize, received: Result<Received, Fault>) {
        match received {
            Ok(Received::Part) => {}
            Ok(Received::More) => {
                if !std::mem::replace(&mut self.conns[at].has_more, true) {
                    self.unread.push(at);
                }
            }
            Ok(Received::Whole(response)) => self.answered(at, response),
            Err(fault) => self.fail(at, fault),
        }
    }

    /// Gives another turn to each connection that had more to read than it could in its last one.
    pub(super) fn read_on(&mut self) {
        let count = self.unread.len();
        for index in 0..count {
            let at = self.unread[index];
            self.conns[at].has_more = false;
            if self.is_exchanging(at) {
                self.read(at);
            }
        }
        self.unread.drain(..count);
    }
}

//! One thread of a run: its own poll, connections and shard. Nothing is shared while each thread can serve its own part
//! of the load; arrivals that it cannot serve go to the others ([`source`](crate::source)).
//!
//! ```text
//! admit     users who became active, arrivals that are due      ─┐
//! send      everything that can go, a clock read before each     │ one round
//! poll      until something is ready or the alarm goes off       │
//! receive   everything that is ready                             │
//! expire    time-outs and pauses                                ─┘
//! ```
//!
//! Receiving all before sending anything lets the peer work while we read. A request costs one send and one read, no
//! change of interest, and two looks at the clock: one right before its send, one when its response is whole. One look
//! for all that a poll tells of would be cheaper, and would come before the last byte of some: it would flatter.
//!
//! There is one loop for all kinds of load: who begins is a [`Source`], when to end is an [`Ending`].

mod exchange;
mod retry;
mod wait;

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use barewire::{Registry, wire::http::KnownHead};
use mio::{Events, Poll, Token, Waker};

use crate::{
    backoff::backoff_ns,
    bottleneck::Holders,
    clock::{Alarm, now_ns},
    conn::{Conn, Response, State},
    deadline::Deadlines,
    ending::Ending,
    fault::Fault,
    lag::Lag,
    meter::{Exchange, Meters},
    outcome::{Failure, Outcome},
    plan::{Load, Workload},
    rng::Rng,
    run::Totals,
    sampling::Sampling,
    source::{Pool, Source, target_rate},
    trace::Tracer,
};

const ALARM: Token = Token(usize::MAX - 1);
const WAKER: Token = Token(usize::MAX - 2);

/// What one read takes at most.
const BUFFER_BYTES: usize = 64 * 1024;
const EVENTS: usize = 1024;

pub(crate) struct Worker {
    workload: Arc<Workload>,
    addr: SocketAddr,
    poll: Poll,
    alarm: Alarm,
    waker: Arc<Waker>,
    /// The wakers of all threads.
    pub(crate) peers: Arc<[Arc<Waker>]>,
    /// When the run was asked to stop; `u64::MAX` as long as it was not.
    stop_ns: Arc<AtomicU64>,
    start_ns: u64,
    ending: Ending,
    source: Source,
    lag: Lag,
    holders: Holders,
    conns: Box<[Conn]>,
    /// Those with a request to be sent in this round.
    ready: Vec<usize>,
    /// Those that were not read to the end in their turn.
    unread: Vec<usize>,
    timeouts: Deadlines,
    pauses: Deadlines,
    busy: usize,
    in_flight: usize,
    totals: Totals,
    meters: Meters,
    tracer: Option<Tracer>,
    rng: Rng,
    /// The response heads that came last, one a step.
    known: Box<[KnownHead]>,
    buffer: Box<[u8]>,
}

impl Worker {
    /// Thread `thread` of those that the workload has.
    pub(crate) fn new(
        workload: &Arc<Workload>,
        thread: usize,
        addr: SocketAddr,
        registry: &Registry,
        sampling: Sampling,
        pool: &Arc<Pool>,
        stop_ns: &Arc<AtomicU64>,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let count = (workload.connections - thread).div_ceil(workload.threads);
        Ok(Worker {
            workload: Arc::clone(workload),
            addr,
            alarm: Alarm::new(poll.registry(), ALARM)?,
            waker: Arc::new(Waker::new(poll.registry(), WAKER)?),
            peers: Arc::new([]),
            poll,
            stop_ns: Arc::clone(stop_ns),
            start_ns: 0,
            ending: Ending::of(workload, 0),
            source: Source::new(&workload.load, thread, count, pool),
            lag: Lag::default(),
            holders: Holders::new(count),
            conns: (0..count).map(|_| Conn::new(workload.iterations)).collect(),
            ready: Vec::with_capacity(count),
            unread: Vec::with_capacity(count),
            timeouts: Deadlines::new(count),
            pauses: Deadlines::new(count),
            busy: 0,
            in_flight: 0,
            totals: Totals::default(),
            meters: Meters::new(registry, workload, sampling.shown(thread, workload.threads)),
            tracer: sampling.traced(thread, workload.threads).map(|picker| Tracer::new(picker, thread)),
            rng: Rng::new(thread as u64),
            known: vec![KnownHead::default(); workload.steps.len()].into(),
            buffer: vec![0; BUFFER_BYTES].into(),
        })
    }

    pub(crate) fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }

    /// Works until the load has ended, from `start_ns` on.
    pub(crate) fn run(mut self, start_ns: u64) -> io::Result<Totals> {
        self.start_ns = start_ns;
        self.ending = Ending::of(&self.workload, start_ns);
        let mut events = Events::with_capacity(EVENTS);
        loop {
            let now = now_ns();
            self.ending.stop_by(self.stop_ns.load(Ordering::Relaxed));
            self.lag.round(now, self.next_due(now));
            self.admit(now);
            self.send_ready(now);
            self.show(now);
            if self.is_done(now) {
                return Ok(self.finish());
            }
            self.wait(now, &mut events)?;
            for event in &events {
                self.receive(event);
            }
            self.read_on();
            self.expire(now_ns());
        }
    }

    /// Begins what is to begin.
    fn admit(&mut self, now: u64) {
        if now >= self.ending.send_before_ns {
            self.abandon_pauses();
            return;
        }
        let since_start = now.saturating_sub(self.start_ns);
        if let Source::Users(users) = &mut self.source {
            for at in users.activate(since_start) {
                if self.conns[at].state == State::Idle {
                    self.busy += 1;
                    self.resume(at, now, now);
                }
            }
        }
        while let Source::Arrivals(arrivals) = &mut self.source
            && let Some((at, due_ns)) = arrivals.next(since_start)
        {
            self.busy += 1;
            self.holders.begin(at, now, self.busy);
            self.begin(at, self.start_ns + due_ns);
        }
    }

    fn begin(&mut self, at: usize, due: u64) {
        let conn = &mut self.conns[at];
        (conn.step, conn.is_running) = (0, true);
        self.totals.started += 1;
        self.call(at, due);
    }

    /// Lists the next step's request for the send phase.
    fn call(&mut self, at: usize, due: u64) {
        let conn = &mut self.conns[at];
        (conn.due_ns, conn.state) = (due, State::Ready);
        self.ready.push(at);
    }

    /// Goes on with the iteration, or to the next one, or to rest. `due` is when there was nothing left to wait for.
    fn resume(&mut self, at: usize, due: u64, now: u64) {
        let conn = &self.conns[at];
        let is_over = now >= self.ending.send_before_ns;
        if conn.is_running && !is_over {
            return self.call(at, due);
        }
        match &mut self.source {
            Source::Users(users) if users.is_active(at) && conn.iterations_left > 0 && !is_over => {
                self.begin(at, due)
            }
            _ => self.rest(at),
        }
    }

    fn rest(&mut self, at: usize) {
        let conn = &mut self.conns[at];
        (conn.state, conn.is_running) = (State::Idle, false);
        self.busy -= 1;
        if let Source::Arrivals(arrivals) = &mut self.source {
            arrivals.release(at);
        }
    }

    /// Sends everything that can go. What becomes ready meanwhile has its turn in the next round.
    fn send_ready(&mut self, now: u64) {
        let count = self.ready.len();
        for index in 0..count {
            let at = self.ready[index];
            if self.conns[at].state != State::Ready {
                continue;
            }
            // What was sent once is in flight, and is awaited.
            if now >= self.ending.send_before_ns && !self.conns[at].is_again {
                self.cancel(at);
            } else if self.conns[at].is_open() {
                self.send_first(at);
            } else {
                self.connect(at);
            }
        }
        self.ready.drain(..count);
    }

    /// Gives up a request that was not sent, and its iteration; one whose first request it is never began.
    fn cancel(&mut self, at: usize) {
        if self.conns[at].step == 0 {
            self.totals.started -= 1;
            self.totals.dropped += u64::from(self.workload.is_open());
        }
        self.rest(at);
    }

    fn answered(&mut self, at: usize, response: Response) {
        if self.conns[at].is_unasked(response) && self.may_send_again(at) {
            return self.send_again(at);
        }
        let conn = &mut self.conns[at];
        let step = &self.workload.steps[conn.step];
        conn.settle(step);
        conn.breaks = 0;
        let outcome = Outcome::answered(response.status, step.expects(response.status));
        if outcome.failure.is_some() {
            self.totals.reasons.count(Fault::of_status(response.status));
        }
        self.conclude(at, outcome, response.body_bytes);
    }

    /// Ends the request at hand without a response, and with it the connection.
    fn fail(&mut self, at: usize, fault: Fault) {
        let Some(fault) = self.retry(at, fault) else { return };
        let conn = &mut self.conns[at];
        conn.close();
        // One that timed out has had its pause.
        if fault.failure != Failure::Timeout {
            conn.breaks = conn.breaks.saturating_add(1);
        }
        self.totals.reasons.count(fault);
        self.conclude(at, Outcome::failed(fault.failure), 0);
    }

    /// Counts the request at hand and goes on.
    fn conclude(&mut self, at: usize, outcome: Outcome, body_bytes: u64) {
        let now = now_ns();
        let conn = &mut self.conns[at];
        if conn.state != State::Connecting || conn.is_again {
            self.in_flight -= 1;
        }
        conn.is_again = false;
        let (bytes_in, bytes_out) = conn.bytes();
        let exchange = Exchange {
            outcome,
            sent_ns: conn.sent_ns,
            service_ns: now.saturating_sub(conn.sent_ns),
            response_ns: now.saturating_sub(conn.due_ns),
            bytes_in,
            bytes_out,
            body_bytes,
            trace: conn.trace,
        };
        self.meters.finished(conn.step, &exchange);
        if conn.step == 0 && outcome.failure.is_none() {
            self.holders.answered(at, exchange.service_ns);
        }
        if conn.sent_ns >= self.ending.end_ns {
            self.totals.late_requests += 1;
            self.totals.late_errors += u64::from(outcome.failure.is_some());
        }
        self.timeouts.clear(at);
        self.move_on(at, now);
    }

    /// Goes to the next step, after its pause.
    fn move_on(&mut self, at: usize, now: u64) {
        let conn = &mut self.conns[at];
        let (shortest, longest) = self.workload.steps[conn.step].think_ns;
        let think = if longest > 0 { self.rng.between(shortest, longest) } else { 0 };
        let pause = think.max(backoff_ns(conn.breaks));
        conn.step += 1;
        if conn.step == self.workload.steps.len() {
            (conn.step, conn.is_running) = (0, false);
            conn.iterations_left = conn.iterations_left.saturating_sub(1);
            self.totals.completed += 1;
            self.holders.end(at, now);
            self.meters.iteration();
        }
        if pause == 0 {
            return self.resume(at, now, now);
        }
        conn.state = State::Pausing;
        self.pauses.set(at, now.saturating_add(pause));
    }

    fn expire(&mut self, now: u64) {
        while let Some((at, _)) = self.timeouts.pop_due(now) {
            self.fail(at, self.conns[at].timed_out());
        }
        while let Some((at, due)) = self.pauses.pop_due(now) {
            self.resume(at, due, now);
        }
    }

    fn abandon_pauses(&mut self) {
        for at in 0..self.conns.len() {
            if self.conns[at].state == State::Pausing {
                self.pauses.clear(at);
                self.rest(at);
            }
        }
    }

    fn show(&mut self, now: u64) {
        self.meters.gauges(self.busy, self.in_flight);
        if let Load::Open(_) = self.workload.load {
            let since_start = now.saturating_sub(self.start_ns);
            self.meters.target_rate(target_rate(&self.workload.load, since_start, self.workload.threads));
        }
    }

    fn finish(mut self) -> Totals {
        let end = self.ending.end_ns.saturating_sub(self.start_ns);
        self.totals.dropped += self.source.backlog(end);
        self.totals.unfinished = self.totals.started - self.totals.completed;
        self.totals.scheduled = self.totals.started + self.totals.dropped;
        self.totals.requests_unfinished = self.in_flight as u64;
        self.totals.behind = Duration::from_nanos(self.lag.behind_ns);
        self.totals.occupancy = std::mem::take(&mut self.holders.occupancy);
        self.totals.waited = Duration::from_nanos(self.lag.waited_ns);
        let now = now_ns();
        let load_end = if self.workload.is_open() { self.ending.end_ns.min(now) } else { now };
        self.totals.elapsed = Duration::from_nanos(load_end.saturating_sub(self.start_ns));
        self.totals.drained = Duration::from_nanos(now.saturating_sub(load_end));
        self.meters.dropped(self.totals.dropped);
        self.totals
    }
}

#[cfg(test)]
mod tests;

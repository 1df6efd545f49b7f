use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
};

use proptest::prelude::*;

use super::*;

/// A second, and an arrival a second.
const S: u64 = 1_000_000_000;

/// Threads that share a pool, on a clock of their own: a wake-up takes no time, and neither does a round.
struct Crew {
    threads: Vec<ArrivalSource>,
    /// When each wakes up by itself.
    alarms: Vec<Option<u64>>,
    /// When a connection of a thread is free again.
    answers: BinaryHeap<Reverse<(u64, usize, usize)>>,
    taken: Vec<u64>,
    rounds: usize,
}

impl Crew {
    fn new(curve: &Arc<Curve>, connections: &[usize]) -> Self {
        let pool = Arc::new(Pool::new(connections.len()));
        let thread = |(at, count): (usize, &usize)| {
            ArrivalSource::new(Arc::clone(curve), at, *count, Arc::clone(&pool))
        };
        Crew {
            threads: connections.iter().enumerate().map(thread).collect(),
            alarms: vec![Some(0); connections.len()],
            answers: BinaryHeap::new(),
            taken: Vec::new(),
            rounds: 0,
        }
    }

    /// The next time at which anything happens, and the threads that wake up then.
    fn next_wakes(&mut self) -> Option<(u64, VecDeque<usize>)> {
        let answer = self.answers.peek().map(|Reverse((at_ns, ..))| *at_ns);
        let now = self.alarms.iter().flatten().copied().chain(answer).min()?;
        let mut awake: VecDeque<usize> =
            (0..self.threads.len()).filter(|at| self.alarms[*at] == Some(now)).collect();
        while let Some(Reverse((at_ns, thread, conn))) = self.answers.peek().copied()
            && at_ns == now
        {
            self.answers.pop();
            self.threads[thread].release(conn);
            awake.push_back(thread);
        }
        Some((now, awake))
    }

    /// A round of `thread`: what is due is begun, and takes as long as `service` says; then it sleeps.
    fn round(&mut self, thread: usize, now: u64, service: &[u64]) -> Wake {
        self.rounds += 1;
        while let Some((conn, due_ns)) = self.threads[thread].next(now) {
            assert!(due_ns <= now);
            let takes = service[self.taken.len() % service.len()];
            self.taken.push(due_ns);
            self.answers.push(Reverse((now + takes, thread, conn)));
        }
        let sleep = self.threads[thread].sleep(now);
        let early = |due_ns: u64| if due_ns <= now + TAIL_NS { due_ns } else { due_ns - TAIL_NS };
        self.alarms[thread] = sleep.due_ns.map(early);
        sleep.wake
    }

    /// Runs everything, and looks at each instant whether an arrival waits beside a free connection.
    fn run(mut self, all: &[u64], service: &[u64]) -> Self {
        while let Some((now, mut awake)) = self.next_wakes() {
            while let Some(thread) = awake.pop_front() {
                match self.round(thread, now, service) {
                    Wake::Nobody => {}
                    Wake::Thread(thread) => awake.push_back(thread),
                    Wake::All => awake.extend(0..self.threads.len()),
                }
                assert!(
                    self.rounds < 100 * (all.len() + 10) * self.threads.len(),
                    "threads wake each other for ever"
                );
            }
            let due = all.iter().filter(|due_ns| **due_ns <= now).count();
            let is_free = self.threads.iter().any(ArrivalSource::has_idle);
            assert!(!is_free || self.taken.len() == due, "at {now}: {} of {due} begun", self.taken.len());
        }
        self
    }
}

fn schedule(curve: &Arc<Curve>) -> Vec<u64> {
    let mut arrivals = Arrivals::new(Arc::clone(curve), 0, 1);
    std::iter::from_fn(|| {
        let due_ns = arrivals.due_ns();
        arrivals.advance();
        due_ns
    })
    .collect()
}

#[test]
fn a_thread_whose_connections_hang_delays_nobody_and_wakes_one_other_an_arrival() {
    let curve = Arc::new(Curve::new(20 * S, &[(2 * S, 20 * S)]));
    let all = schedule(&curve);
    // The second arrival hangs for ever, and with it the only connection of its thread.
    let service: Vec<u64> = (0..all.len()).map(|at| if at == 1 { 100 * S } else { S / 1000 }).collect();
    let crew = Crew::new(&curve, &[1, 1, 1, 1]).run(&all, &service);
    assert_eq!(crew.taken, all);
    assert!(crew.rounds <= 6 * all.len(), "{} rounds for {} arrivals", crew.rounds, all.len());
}

#[test]
fn what_nobody_served_is_left_over_once() {
    let curve = Arc::new(Curve::new(10 * S, &[(S, 10 * S)]));
    let mut crew = Crew::new(&curve, &[1, 2, 1]);
    for now in [0, S / 2, S / 2] {
        for thread in 0..3 {
            crew.round(thread, now, &[100 * S]);
        }
    }
    assert_eq!(crew.taken.len(), 4);
    let left: Vec<u64> = crew.threads.iter_mut().map(|thread| thread.backlog(S)).collect();
    assert_eq!(left.iter().sum::<u64>(), 6);
    assert!(crew.threads.iter_mut().all(|thread| thread.backlog(S) == 0));
}

proptest! {
    #[test]
    fn no_arrival_waits_while_any_thread_has_a_free_connection_and_each_begins_once(
        connections in prop::collection::vec(1..4_usize, 1..6),
        rates in prop::collection::vec((0..S, 0..60 * S), 1..4),
        service in prop::collection::vec(prop_oneof![1..S / 1000, S / 100..S / 2, Just(3 * S)], 1..40),
    ) {
        let curve = Arc::new(Curve::new(5 * S, &rates));
        let all = schedule(&curve);
        let mut crew = Crew::new(&curve, &connections).run(&all, &service);
        crew.taken.sort_unstable();
        prop_assert_eq!(&crew.taken, &all);
        prop_assert!(crew.threads.iter().all(ArrivalSource::is_exhausted));
    }
}

//! What is done to receivers: a schedule that a seed gives, and its account.

use super::support::{Agent, Child, Collector, Influxd, Prometheus, Victoria};
use rustix::process::Signal;
use std::fmt;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The longest time between two outages of one receiver; a run that is short has a quarter of its length.
const LONGEST_GAP: Duration = Duration::from_secs(60);

/// Longer than an export may take, which is 3 s.
const LONGEST_FREEZE: Duration = Duration::from_secs(4);

const LONGEST_ABSENCE: Duration = Duration::from_secs(5);

/// So long a receiver is away at least, that whatever it sent last has been read.
const SHORTEST_ABSENCE: Duration = Duration::from_secs(1);

/// How long a receiver that was asked to end may take. InfluxDB takes half a minute as long as a connection is open.
const GRACE: Duration = Duration::from_secs(5);

/// A receiver that comes back as it was.
pub(crate) trait Receiver: Send {
    fn child(&mut self) -> &mut Child;

    /// Starts it again after its end.
    fn restart(&mut self) {
        self.child().restart();
    }

    /// The requests that it has handed on, where it forgets what it has not.
    fn handed_on(&self) -> f64 {
        0.0
    }
}

impl Receiver for Agent {
    fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    fn restart(&mut self) {
        Agent::restart(self);
    }

    fn handed_on(&self) -> f64 {
        self.intake.total("http.client.requests", &[])
    }
}

impl Receiver for Collector {
    fn child(&mut self) -> &mut Child {
        &mut self.child
    }
}

impl Receiver for Influxd {
    fn child(&mut self) -> &mut Child {
        &mut self.child
    }
}

impl Receiver for Prometheus {
    fn child(&mut self) -> &mut Child {
        &mut self.child
    }
}

impl Receiver for Victoria {
    fn child(&mut self) -> &mut Child {
        &mut self.child
    }
}

#[derive(Debug, Clone, Copy)]
enum Outage {
    /// It stands still, its sockets open, and goes on.
    Freeze(Duration),
    /// It is killed, and started again so much later.
    Kill(Duration),
    /// It is asked to end, and started again so much later.
    Restart(Duration),
}

/// The end of one life of a receiver.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    /// In Unix nanoseconds: until then it surely took what was sent.
    pub(crate) began_ns: u64,
    /// In Unix nanoseconds: from then on it surely took nothing.
    pub(crate) ended_ns: u64,
    /// What it had handed on by then, in all its lives.
    pub(crate) handed_on: f64,
}

/// What a receiver went through.
#[derive(Debug, Default)]
pub(crate) struct Toll {
    frozen: u32,
    killed: u32,
    restarted: u32,
    pub(crate) ends: Vec<End>,
}

impl fmt::Display for Toll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { frozen, killed, restarted, .. } = self;
        write!(f, "receiver killed {killed}, frozen {frozen}, restarted {restarted}")
    }
}

/// Lets one outage follow the other, one at least, until `length` is over; the receiver is back then. Calls `told` after
/// each.
pub(crate) fn torment(
    receiver: &mut dyn Receiver,
    mut dice: fastrand::Rng,
    length: Duration,
    told: impl Fn(&'static str),
) -> Toll {
    let (start, mut toll) = (Instant::now(), Toll::default());
    let longest_gap = LONGEST_GAP.min(length / 4);
    loop {
        let (gap, outage) = (between(&mut dice, longest_gap / 10, longest_gap), draw(&mut dice));
        if !toll.is_empty() && start.elapsed() + gap > length {
            return toll;
        }
        // How long it is left alone, and how long it is away, is what is tried.
        thread::sleep(gap);
        told(toll.inflict(outage, receiver));
    }
}

impl Toll {
    fn is_empty(&self) -> bool {
        self.frozen + self.killed + self.restarted == 0
    }

    fn inflict(&mut self, outage: Outage, receiver: &mut dyn Receiver) -> &'static str {
        match outage {
            Outage::Freeze(time) => {
                receiver.child().stop();
                thread::sleep(time);
                receiver.child().cont();
                self.frozen += 1;
                "frozen"
            }
            Outage::Kill(absence) => {
                self.bury(receiver, absence, Child::kill);
                self.killed += 1;
                "killed"
            }
            Outage::Restart(absence) => {
                self.bury(receiver, absence, ask_to_end);
                self.restarted += 1;
                "restarted"
            }
        }
    }

    fn bury(&mut self, receiver: &mut dyn Receiver, absence: Duration, end: impl Fn(&mut Child)) {
        let began_ns = unix_ns();
        end(receiver.child());
        let ended_ns = unix_ns();
        thread::sleep(absence);
        self.ends.push(End { began_ns, ended_ns, handed_on: receiver.handed_on() });
        receiver.restart();
    }
}

fn ask_to_end(child: &mut Child) {
    child.signal(Signal::TERM);
    let asked = Instant::now();
    while child.exited().is_none() && asked.elapsed() < GRACE {
        thread::sleep(Duration::from_millis(20));
    }
    child.kill();
}

fn draw(dice: &mut fastrand::Rng) -> Outage {
    match dice.u8(..3) {
        0 => Outage::Freeze(between(dice, Duration::from_millis(200), LONGEST_FREEZE)),
        1 => Outage::Kill(between(dice, SHORTEST_ABSENCE, LONGEST_ABSENCE)),
        _ => Outage::Restart(between(dice, SHORTEST_ABSENCE, LONGEST_ABSENCE)),
    }
}

fn between(dice: &mut fastrand::Rng, low: Duration, high: Duration) -> Duration {
    low + (high - low).mul_f64(dice.f64())
}

fn unix_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    u64::try_from(since.as_nanos()).expect("a clock before 2554")
}

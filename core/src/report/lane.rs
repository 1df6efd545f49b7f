//! One exporter, its thread, and the account of what became of every snapshot it was offered.

use std::{
    any::Any,
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    thread,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use super::{
    event::Event,
    exporter::{Delivered, ExportError, Exporter},
    handover::{Handover, MAX_EVENTS, Task},
    reporter::{Notice, Notify},
};
use crate::{
    Histogram, Label, Metric, Registry, Shard, Snapshot, Unit,
    record::sample::{Reader, Sample, Samples},
};

/// How often a lane looks for samples.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(10);

/// How long a receiver that does not take samples is left alone.
const SAMPLE_PAUSE: Duration = Duration::from_secs(1);

/// How many samples of a thread are handed over at once.
const SAMPLES_AT_ONCE: usize = 1024;

/// What became of the snapshots that one exporter was offered: `sent + dropped + failed + timed_out` of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LaneReport {
    /// What the exporter calls itself, and its number if another one of the same name came before.
    pub name: String,
    /// Snapshots delivered.
    pub sent: u64,
    /// Snapshots not taken, because the one before was still on its way or the receiver had asked for a pause.
    pub dropped: u64,
    /// Snapshots that the receiver, or the way to it, refused.
    pub failed: u64,
    /// Snapshots that were not delivered before the deadline.
    pub timed_out: u64,
    /// Points delivered.
    pub points: u64,
    /// Points that the format could not carry or that the receiver rejected.
    pub left_out: u64,
    /// Bytes delivered, of snapshots.
    pub bytes: u64,
    /// Events delivered; those that the format does not have are in neither number.
    pub events: u64,
    /// Events that were not delivered, because too many waited or time was up.
    pub events_lost: u64,
    /// Samples delivered.
    pub samples: u64,
    /// Samples that were written over before the lane came, or not delivered.
    pub samples_lost: u64,
    /// Whether the last snapshot, with all counts of the run, was delivered. False as long as it runs.
    pub complete: bool,
    /// What went wrong last, if anything did.
    pub last_error: Option<String>,
}

/// The sampler's side of a lane.
#[derive(Debug)]
pub(crate) struct Lane {
    account: Account,
    handover: Arc<Handover>,
    /// How many snapshots it was offered, the last one included.
    offered: u64,
}

/// What became of the snapshots so far, readable from any thread.
#[derive(Debug, Clone)]
pub(crate) struct Account(Arc<Ledger>);

#[derive(Debug)]
struct Ledger {
    name: String,
    sent: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
    timed_out: AtomicU64,
    points: AtomicU64,
    left_out: AtomicU64,
    bytes: AtomicU64,
    events: AtomicU64,
    events_lost: AtomicU64,
    samples: AtomicU64,
    samples_lost: AtomicU64,
    complete: AtomicBool,
    last_error: Mutex<Option<String>>,
}

/// How many numbers an account has.
pub(crate) const COUNTS: usize = 11;

impl Lane {
    /// Starts the thread of one exporter.
    pub(crate) fn start(
        name: String,
        exporter: Box<dyn Exporter>,
        timeout: Duration,
        registry: &Registry,
        stopwatch: Option<Stopwatch>,
        notify: Notify,
    ) -> Lane {
        let (account, handover) = (Account::new(name), Arc::new(Handover::default()));
        // A name is any text, and that of a thread ends at a zero.
        let thread = thread::Builder::new().name(format!("barewire-{}", account.0.name.replace('\0', " ")));
        let tap = exporter.wants_samples().then(|| Tap::new(registry));
        let worker = Worker {
            account: account.clone(),
            handover: Arc::clone(&handover),
            exporter,
            resource: registry.present_resource(),
            timeout,
            tap,
            pending: VecDeque::new(),
            stopwatch,
            notify,
            failing: false,
        };
        thread.spawn(move || worker.run()).expect("a thread for an exporter, as for std::thread::spawn");
        Lane { account, handover, offered: 0 }
    }

    /// Hands a snapshot to the exporter if it is idle; counts a drop if it is busy.
    pub(crate) fn offer(&mut self, snapshot: &Arc<Snapshot>) {
        self.offered += 1;
        if !self.handover.offer(snapshot) {
            self.account.0.dropped.fetch_add(1, Relaxed);
        }
    }

    /// Tells the exporter to deliver one last snapshot when it is done with the one in its hands.
    pub(crate) fn finish(&mut self, snapshot: &Arc<Snapshot>, deadline: Instant) {
        self.offered += 1;
        self.handover.finish(snapshot, deadline);
    }

    /// Waits for the end of the thread, until the deadline. A thread that is late is left behind, and the snapshots
    /// that it has not settled have timed out; one that ended early has dropped them.
    pub(crate) fn wait(&self, deadline: Instant) -> LaneReport {
        let late = !self.handover.wait_for_end(deadline);
        let mut report = self.account.report();
        let open = self.offered - (report.sent + report.dropped + report.failed + report.timed_out);
        if open == 0 {
            return report;
        }
        let (count, why) = if late {
            (&mut report.timed_out, "the last snapshot is still on its way")
        } else {
            (&mut report.dropped, "its thread ended early")
        };
        *count += open;
        report.last_error.get_or_insert_with(|| why.to_owned());
        report
    }

    /// The part of a lane that is there for everyone.
    pub(crate) fn door(&self) -> Door {
        Door { account: self.account.clone(), handover: Arc::clone(&self.handover) }
    }

    pub(crate) fn account(&self) -> &Account {
        &self.account
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.handover.abandon();
    }
}

/// What anyone may do with a lane: look at its account, and hand over events.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    pub(crate) account: Account,
    handover: Arc<Handover>,
}

impl Door {
    /// Has the exporter tell of `event`; counts it as lost where too many wait already.
    pub(crate) fn tell(&self, event: Event) {
        if !self.handover.tell(event) {
            self.account.0.events_lost.fetch_add(1, Relaxed);
        }
    }
}

impl Account {
    fn new(name: String) -> Self {
        Account(Arc::new(Ledger {
            name,
            sent: AtomicU64::default(),
            dropped: AtomicU64::default(),
            failed: AtomicU64::default(),
            timed_out: AtomicU64::default(),
            points: AtomicU64::default(),
            left_out: AtomicU64::default(),
            bytes: AtomicU64::default(),
            events: AtomicU64::default(),
            events_lost: AtomicU64::default(),
            samples: AtomicU64::default(),
            samples_lost: AtomicU64::default(),
            complete: AtomicBool::default(),
            last_error: Mutex::default(),
        }))
    }

    /// Sent, dropped, failed, timed out; points, left out; bytes; events and samples, each delivered and lost.
    pub(crate) fn counts(&self) -> [u64; COUNTS] {
        let Ledger { sent, dropped, failed, timed_out, points, left_out, bytes, .. } = &*self.0;
        let Ledger { events, events_lost, samples, samples_lost, .. } = &*self.0;
        let counts = [
            sent,
            dropped,
            failed,
            timed_out,
            points,
            left_out,
            bytes,
            events,
            events_lost,
            samples,
            samples_lost,
        ];
        counts.map(|count| count.load(Relaxed))
    }

    pub(crate) fn report(&self) -> LaneReport {
        // First of all, so that what is complete is counted as well.
        let complete = self.0.complete.load(Acquire);
        let [
            sent,
            dropped,
            failed,
            timed_out,
            points,
            left_out,
            bytes,
            events,
            events_lost,
            samples,
            samples_lost,
        ] = self.counts();
        LaneReport {
            name: self.0.name.clone(),
            sent,
            dropped,
            failed,
            timed_out,
            points,
            left_out,
            bytes,
            events,
            events_lost,
            samples,
            samples_lost,
            complete,
            last_error: self.0.last_error.lock().clone(),
        }
    }

    fn count(&self, outcome: &Result<Delivered, ExportError>) {
        let ledger = &*self.0;
        let counter = match outcome {
            Ok(_) => &ledger.sent,
            Err(ExportError::Throttled) => &ledger.dropped,
            Err(ExportError::TimedOut(_)) => &ledger.timed_out,
            Err(ExportError::Failed(_)) => &ledger.failed,
        };
        counter.fetch_add(1, Relaxed);
        match outcome {
            Ok(delivered) => {
                ledger.points.fetch_add(delivered.points, Relaxed);
                ledger.left_out.fetch_add(delivered.left_out, Relaxed);
                ledger.bytes.fetch_add(delivered.bytes, Relaxed);
            }
            Err(error) => self.note(error),
        }
    }

    /// A pause says neither who asked for it nor why, and what went wrong before does: that stays.
    fn note(&self, error: &ExportError) {
        let mut last = self.0.last_error.lock();
        if last.is_none() || *error != ExportError::Throttled {
            *last = Some(error.to_string());
        }
    }
}

/// The exporter's side of a lane.
struct Worker {
    account: Account,
    handover: Arc<Handover>,
    exporter: Box<dyn Exporter>,
    /// Who the exporter speaks for, at the start.
    resource: Arc<[Label]>,
    timeout: Duration,
    tap: Option<Tap>,
    /// Events that were not delivered yet. As long as there are any, no other is tried before a snapshot got through.
    pending: VecDeque<Event>,
    stopwatch: Option<Stopwatch>,
    notify: Notify,
    failing: bool,
}

/// That the exporter panicked, which ends its lane and nothing else.
struct Panicked;

impl Worker {
    fn run(mut self) {
        // What a panic leaves is only counted.
        let ended = catch_unwind(AssertUnwindSafe(|| self.serve()));
        drop(ended);
        let Ledger { events_lost, samples_lost, .. } = &*self.account.0;
        samples_lost.fetch_add(self.tap.as_mut().map_or(0, Tap::abandon), Relaxed);
        let pending = self.pending.len();
        self.handover.end(|waiting| _ = events_lost.fetch_add((pending + waiting) as u64, Relaxed));
    }

    fn serve(&mut self) -> Result<(), Panicked> {
        let begun = guarded(|| {
            self.exporter.begin(&self.resource);
            Ok(())
        });
        if let Err(error) = begun {
            return Err(self.panicked(&error));
        }
        loop {
            let wake_at = self.tap.as_ref().map(|tap| tap.look_at);
            match self.handover.next(wake_at) {
                Task::Wake => drop(self.carry_samples(Instant::now() + self.timeout)?),
                Task::Tell(event) => self.hear(event)?,
                Task::Export(snapshot) => {
                    if self.export(&snapshot, Instant::now() + self.timeout)? {
                        self.tell_pending(Instant::now() + self.timeout)?;
                    }
                }
                Task::Finish(snapshot, deadline) => return self.finish(&snapshot, deadline),
                Task::Abandon => return Ok(()),
            }
        }
    }

    /// The counts come first: they have everything.
    fn finish(&mut self, snapshot: &Arc<Snapshot>, deadline: Instant) -> Result<(), Panicked> {
        let delivered = self.export(snapshot, deadline)?;
        self.account.0.complete.store(delivered, Release);
        // An attempt that has no time left can only hide what went wrong before it.
        if Instant::now() < deadline {
            self.tell_pending(deadline)?;
        }
        while Instant::now() < deadline && self.carry_samples(deadline)? {}
        Ok(())
    }

    /// Whether it was delivered.
    fn export(&mut self, snapshot: &Arc<Snapshot>, deadline: Instant) -> Result<bool, Panicked> {
        let start = Instant::now();
        let outcome = guarded(|| self.exporter.export(snapshot, deadline));
        let panicked = outcome.is_err();
        let outcome = outcome.unwrap_or_else(Err);
        if let (Some(stopwatch), Ok(delivered)) = (&mut self.stopwatch, &outcome) {
            stopwatch.record(delivered.encode, start.elapsed());
        }
        self.account.count(&outcome);
        self.tell(outcome.as_ref().err());
        if panicked { Err(Panicked) } else { Ok(outcome.is_ok()) }
    }

    fn hear(&mut self, event: Event) -> Result<(), Panicked> {
        let is_calm = self.pending.is_empty();
        if self.pending.len() < MAX_EVENTS {
            self.pending.push_back(event);
        } else {
            self.account.0.events_lost.fetch_add(1, Relaxed);
        }
        if is_calm { self.tell_pending(Instant::now() + self.timeout) } else { Ok(()) }
    }

    /// Tells of the events that wait, until one is not taken.
    fn tell_pending(&mut self, deadline: Instant) -> Result<(), Panicked> {
        while let Some(event) = self.pending.front() {
            match guarded(|| self.exporter.event(event, deadline)) {
                Ok(Ok(delivered)) => {
                    self.account.0.events.fetch_add(delivered.points, Relaxed);
                    self.account.0.events_lost.fetch_add(delivered.left_out, Relaxed);
                    self.pending.pop_front();
                }
                Ok(Err(error)) => {
                    self.account.note(&error);
                    return Ok(());
                }
                Err(error) => return Err(self.panicked(&error)),
            }
        }
        Ok(())
    }

    /// Carries out the samples that are there, so many of a thread at most; whether there were any.
    fn carry_samples(&mut self, deadline: Instant) -> Result<bool, Panicked> {
        let Some(tap) = &mut self.tap else { return Ok(false) };
        let ledger = &*self.account.0;
        ledger.samples_lost.fetch_add(tap.read(), Relaxed);
        let samples = tap.samples();
        let count = samples.len();
        if count == 0 {
            tap.look_at = Instant::now() + SAMPLE_INTERVAL;
            return Ok(false);
        }
        let outcome = guarded(|| self.exporter.samples(samples, deadline));
        let (carried, lost) = match &outcome {
            Ok(Ok(delivered)) => (delivered.points, delivered.left_out),
            _ => (0, count as u64),
        };
        ledger.samples.fetch_add(carried, Relaxed);
        ledger.samples_lost.fetch_add(lost, Relaxed);
        tap.look_at = Instant::now()
            + match &outcome {
                Ok(Err(_)) => SAMPLE_PAUSE,
                // At once where there may be more; events and snapshots that came meanwhile have their turn first.
                _ if count >= SAMPLES_AT_ONCE => Duration::ZERO,
                _ => SAMPLE_INTERVAL,
            };
        match outcome {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => self.account.note(&error),
            Err(error) => return Err(self.panicked(&error)),
        }
        Ok(true)
    }

    fn panicked(&mut self, error: &ExportError) -> Panicked {
        self.account.note(error);
        self.tell(Some(error));
        Panicked
    }

    /// Tells of an error once, when it begins, and of its end.
    fn tell(&mut self, error: Option<&ExportError>) {
        if error.is_some() != self.failing {
            self.failing = error.is_some();
            let told = match error {
                // Who asked for the pause and why is known from what went wrong before, an event for example.
                Some(ExportError::Throttled) => self.account.report().last_error.map(ExportError::Failed),
                error => error.cloned(),
            };
            (self.notify)(Notice { exporter: &self.account.0.name, error: told.as_ref() });
        }
    }
}

/// What an exporter's own code returned; a panic of it as the outer error.
fn guarded<T>(call: impl FnOnce() -> Result<T, ExportError>) -> Result<Result<T, ExportError>, ExportError> {
    catch_unwind(AssertUnwindSafe(call))
        .map_err(|panic| ExportError::Failed(format!("panicked: {}", text_of(&*panic))))
}

/// Where the samples of a lane come from.
struct Tap {
    registry: Registry,
    reader: Reader,
    series: Arc<Vec<Arc<Metric>>>,
    samples: Vec<Sample>,
    /// When to look for samples the next time.
    look_at: Instant,
}

impl Tap {
    fn new(registry: &Registry) -> Self {
        Tap {
            registry: registry.clone(),
            reader: registry.sample_reader(),
            series: Arc::default(),
            samples: Vec::new(),
            look_at: Instant::now() + SAMPLE_INTERVAL,
        }
    }

    /// Refills the samples; returns how many were written over before they could be read.
    fn read(&mut self) -> u64 {
        self.samples.clear();
        let lost = self.reader.read(SAMPLES_AT_ONCE, &mut self.samples);
        let newest = self.samples.iter().map(|sample| sample.series.0 as usize).max();
        // After the samples, so that it has what they name; and no lock as long as it does.
        if newest.is_some_and(|newest| newest >= self.series.len()) {
            self.series = self.registry.sampled();
        }
        lost
    }

    /// Throws away what is left, and says how much that was.
    fn abandon(&mut self) -> u64 {
        let mut lost = 0;
        loop {
            lost += self.read() + self.samples.len() as u64;
            if self.samples.is_empty() {
                return lost;
            }
        }
    }

    fn samples(&self) -> Samples<'_> {
        Samples { samples: &self.samples, series: &self.series }
    }
}

/// Where a lane records how long its exports took.
#[derive(Debug)]
pub(crate) struct Stopwatch {
    shard: Shard,
    encode: Histogram,
    send: Histogram,
}

impl Stopwatch {
    pub(crate) fn new(registry: &Registry, exporter: &str) -> Self {
        let histogram = |name: &str, help: &str| {
            registry.histogram(Metric::new(name).unit(Unit::Seconds).help(help).label("exporter", exporter))
        };
        Stopwatch {
            shard: registry.shard(),
            encode: histogram("barewire.exporter.encode.duration", "How long a snapshot took to encode."),
            send: histogram(
                "barewire.exporter.send.duration",
                "How long a snapshot took to deliver, encoded.",
            ),
        }
    }

    fn record(&mut self, encode: Duration, whole: Duration) {
        self.shard.record(self.encode, encode);
        self.shard.record(self.send, whole.saturating_sub(encode));
    }
}

fn text_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("for an unknown reason")
}

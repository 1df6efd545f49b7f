//! One exporter and its thread.

use std::{
    any::Any,
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use super::{
    account::{Account, Count, LaneReport},
    event::Event,
    exporter::{Delivered, ExportError, Exporter},
    handover::{Ending, Handover, MAX_EVENTS, Task},
    notice::{Items, News, Notice, Told},
    reporter::Notify,
    tap::Tap,
};
use crate::{Histogram, Label, Metric, Registry, Shard, Snapshot, Unit, sync::Mutex};

/// The time that a thread whose last export lasted until its deadline has to say so.
const LAST_WORD: Duration = Duration::from_millis(250);

/// The least time in which an attempt can succeed. A socket's own time-out may be over some milliseconds early.
const LEAST: Duration = Duration::from_millis(10);

/// The sampler's side of a lane.
#[derive(Debug)]
pub(crate) struct Lane {
    account: Account,
    handover: Arc<Handover>,
    /// How many snapshots it was offered, the last one included.
    offered: u64,
    /// What its thread left behind at its end, by which samples that come after it are counted as lost.
    left: Arc<Mutex<Option<Tap>>>,
}

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
        let left = Arc::default();
        // A name is any text, and that of a thread ends at a zero.
        let thread = thread::Builder::new().name(format!("barewire-{}", account.name().replace('\0', " ")));
        let tap = exporter.wants_samples().then(|| Tap::new(registry));
        let worker = Worker {
            account: account.clone(),
            handover: Arc::clone(&handover),
            exporter,
            resource: registry.present_resource(),
            timeout,
            tap,
            left: Arc::clone(&left),
            pending: VecDeque::new(),
            stopwatch,
            notify,
            told: Told::default(),
        };
        thread.spawn(move || worker.run()).expect("a thread for an exporter, as for std::thread::spawn");
        Lane { account, handover, offered: 0, left }
    }

    /// Hands a snapshot to the exporter if it is idle; counts a drop if it is busy.
    pub(crate) fn offer(&mut self, snapshot: &Arc<Snapshot>) {
        self.offered += 1;
        if !self.handover.offer(snapshot) {
            self.account.add(Count::Dropped, 1);
        }
    }

    /// Tells the exporter to deliver one last snapshot when it is done with the one in its hands.
    pub(crate) fn finish(&mut self, snapshot: &Arc<Snapshot>, ending: Ending) {
        self.offered += 1;
        self.handover.finish(snapshot, ending);
    }

    /// Waits for the end of the thread, until its deadline. A thread that is late is left behind, and the snapshots
    /// that it has not settled have timed out; one that ended early has dropped them.
    pub(crate) fn wait(&self, ending: Ending) -> LaneReport {
        let late = !self.ends_in_time(ending);
        if let Some(mut tap) = self.left.lock().take() {
            self.account.add(Count::SamplesLost, tap.abandon());
        }
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

    /// Waits for the end of the thread. A receiver that is mute by the first deadline has no second one.
    fn ends_in_time(&self, ending: Ending) -> bool {
        self.handover.wait_for_end(ending.mute + LAST_WORD)
            || (!self.account.is_mute() && self.handover.wait_for_end(ending.answering + LAST_WORD))
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
            self.account.add(Count::EventsLost, 1);
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
    /// Where the tap goes at the end.
    left: Arc<Mutex<Option<Tap>>>,
    /// Events that were not delivered yet. As long as there are any, no other is tried before a snapshot got through.
    pending: VecDeque<Event>,
    stopwatch: Option<Stopwatch>,
    notify: Notify,
    told: Told,
}

/// That the exporter panicked, which ends its lane and nothing else.
struct Panicked;

impl Worker {
    fn run(mut self) {
        // What a panic leaves is only counted.
        let ended = catch_unwind(AssertUnwindSafe(|| self.serve()));
        drop(ended);
        let (account, pending) = (&self.account, self.pending.len());
        if let Some(mut tap) = self.tap.take() {
            account.add(Count::SamplesLost, tap.abandon());
            *self.left.lock() = Some(tap);
        }
        self.handover.end(|waiting| account.add(Count::EventsLost, (pending + waiting) as u64));
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
                Task::Wake => drop(self.carry_samples(self.deadline())?),
                Task::Tell(event) => self.take(event)?,
                // A mute receiver has one try left, and the last snapshot has all that this one has.
                Task::Export(_) if self.account.is_mute() && self.handover.ending().is_some() => {
                    self.account.add(Count::Dropped, 1);
                }
                Task::Export(snapshot) => {
                    if self.export(&snapshot, self.deadline())? {
                        self.tell_pending(self.deadline())?;
                    }
                }
                Task::Finish(snapshot, ending) => {
                    let deadline = if self.account.is_mute() { ending.mute } else { ending.answering };
                    return self.finish(&snapshot, deadline);
                }
                Task::Abandon => return Ok(()),
            }
        }
    }

    /// The deadline of what is begun now. Once the end was said, events and samples leave the last snapshot its time.
    fn deadline(&self) -> Instant {
        let own = Instant::now() + self.timeout;
        self.handover.ending().map_or(own, |ending| own.min(ending.mute))
    }

    /// The counts come first: they have everything.
    fn finish(&mut self, snapshot: &Arc<Snapshot>, deadline: Instant) -> Result<(), Panicked> {
        let delivered = self.export(snapshot, deadline)?;
        self.account.complete(delivered);
        // An attempt that has no time left can only hide what went wrong before it.
        let has_time = || Instant::now() + LEAST < deadline;
        if has_time() {
            self.tell_pending(deadline)?;
        }
        while has_time() && self.carry_samples(deadline)? {}
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
        self.account.settle(&outcome);
        self.tell(outcome.as_ref().err());
        if let Ok(delivered) = &outcome {
            self.hear(Items::Points, delivered);
        }
        if panicked { Err(Panicked) } else { Ok(outcome.is_ok()) }
    }

    fn take(&mut self, event: Event) -> Result<(), Panicked> {
        let is_calm = self.pending.is_empty();
        if self.pending.len() < MAX_EVENTS {
            self.pending.push_back(event);
        } else {
            self.account.add(Count::EventsLost, 1);
        }
        if is_calm { self.tell_pending(self.deadline()) } else { Ok(()) }
    }

    /// Tells of the events that wait, until one is not taken.
    fn tell_pending(&mut self, deadline: Instant) -> Result<(), Panicked> {
        while let Some(event) = self.pending.front() {
            match guarded(|| self.exporter.event(event, deadline)) {
                Ok(Ok(delivered)) => {
                    self.account.add(Count::Events, delivered.points);
                    self.account.add(Count::EventsRejected, delivered.rejected);
                    self.account.add(Count::EventsLost, delivered.left_out);
                    self.pending.pop_front();
                    self.hear(Items::Events, &delivered);
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
        self.account.add(Count::SamplesLost, tap.read());
        let samples = tap.samples();
        let count = samples.len();
        let outcome = if count > 0 {
            guarded(|| self.exporter.samples(samples, deadline))
        } else {
            Ok(Ok(Delivered::default()))
        };
        let (carried, rejected, lost) = match &outcome {
            Ok(Ok(delivered)) => (delivered.points, delivered.rejected, delivered.left_out),
            _ => (0, 0, count as u64),
        };
        self.account.add(Count::Samples, carried);
        self.account.add(Count::SamplesRejected, rejected);
        self.account.add(Count::SamplesLost, lost);
        tap.rest(count, matches!(outcome, Ok(Err(_))), Instant::now());
        match outcome {
            Ok(Ok(delivered)) => self.hear(Items::Samples, &delivered),
            Ok(Err(error)) => self.account.note(&error),
            Err(error) => return Err(self.panicked(&error)),
        }
        Ok(count > 0)
    }

    fn panicked(&mut self, error: &ExportError) -> Panicked {
        self.account.note(error);
        self.tell(Some(error));
        Panicked
    }

    /// Tells of an error once, when it begins, and of its end.
    fn tell(&mut self, error: Option<&ExportError>) {
        if !self.told.outcome(error.is_some()) {
            return;
        }
        let known = match error {
            // Who asked for the pause and why is known from what went wrong before, an event for example.
            Some(ExportError::Throttled) => self.account.report().last_error.map(ExportError::Failed),
            error => error.cloned(),
        };
        self.notify(known.as_ref().map_or(News::Delivering, News::Failing));
    }

    /// Tells of what the receiver said of a request that it took, where that is news.
    fn hear(&mut self, items: Items, delivered: &Delivered) {
        let is_new = delivered.message.as_deref().is_some_and(|message| self.account.hear(message));
        if let Some(news) = self.told.delivery(items, delivered, is_new) {
            self.notify(news);
        }
    }

    fn notify(&self, news: News<'_>) {
        (self.notify)(Notice { exporter: self.account.name(), news });
    }
}

/// What an exporter's own code returned; a panic of it as the outer error.
fn guarded<T>(call: impl FnOnce() -> Result<T, ExportError>) -> Result<Result<T, ExportError>, ExportError> {
    catch_unwind(AssertUnwindSafe(call))
        .map_err(|panic| ExportError::Failed(format!("panicked: {}", text_of(&*panic))))
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

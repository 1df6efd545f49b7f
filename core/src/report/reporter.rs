//! The sampler thread, and the handle by which a program starts and stops it.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::{
    account::{COUNTS, LaneReport},
    event::Event,
    exporter::Exporter,
    handover::Ending,
    lane::{Door, Lane, Stopwatch},
    notice::Notice,
    schedule::next_tick,
};
use crate::{Counter, Error, Histogram, Metric, Registry, Shard, Snapshot, Unit};

/// How long one export may take, unless told otherwise.
const TIMEOUT: Duration = Duration::from_secs(3);

/// The shortest interval between ticks.
const SHORTEST: Duration = Duration::from_millis(1);

/// What every longer duration is cut to: a century, which an `Instant` can be ahead of its time.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Exporters, and how often they are shown what was counted.
///
/// See the crate's documentation for an example.
pub struct Reporter {
    interval: Duration,
    timeout: Duration,
    exporters: Vec<Box<dyn Exporter>>,
    observers: Vec<Observer>,
    self_metrics: bool,
    notify: Notify,
}

/// Sets gauges before a snapshot is taken.
type Observer = Box<dyn FnMut() + Send>;

/// Whom to tell of changes.
pub(super) type Notify = Arc<dyn Fn(Notice<'_>) + Send + Sync>;

impl Reporter {
    /// A tick every `interval`, at least a millisecond, aligned to the wall clock.
    pub fn every(interval: Duration) -> Self {
        Reporter {
            interval: interval.max(SHORTEST),
            timeout: TIMEOUT,
            exporters: Vec::new(),
            observers: Vec::new(),
            self_metrics: false,
            notify: Arc::new(|_| {}),
        }
    }

    /// Adds an exporter. It gets a thread of its own.
    #[must_use]
    pub fn export(self, exporter: impl Exporter + 'static) -> Self {
        self.export_boxed(Box::new(exporter))
    }

    /// The same for an exporter that is known only when the program runs.
    #[must_use]
    pub fn export_boxed(mut self, exporter: Box<dyn Exporter>) -> Self {
        self.exporters.push(exporter);
        self
    }

    /// Sets how long one export may take: 3 s unless set.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.min(LONGEST);
        self
    }

    /// Calls `observe` before every snapshot, on the sampler's thread: the place to set gauges that are read from
    /// elsewhere, such as the memory of the process. It delays the tick for as long as it takes. If it panics, it is not
    /// called again.
    #[must_use]
    pub fn observe(mut self, observe: impl FnMut() + Send + 'static) -> Self {
        self.observers.push(Box::new(observe));
        self
    }

    /// Counts the reporter's own doings in the registry, as `barewire.exporter.*` and `barewire.tick.lateness`.
    #[must_use]
    pub fn self_metrics(mut self) -> Self {
        self.self_metrics = true;
        self
    }

    /// Sets whom to tell when an exporter begins to fail or a receiver to reject items, when that ends, and when a
    /// receiver says something new of a request that it took; never more often than that. The call comes from the
    /// exporter's thread.
    #[must_use]
    pub fn notify(mut self, notify: impl Fn(Notice<'_>) + Send + Sync + 'static) -> Self {
        self.notify = Arc::new(notify);
        self
    }

    /// Starts one thread for the ticks and one for each exporter.
    ///
    /// # Panics
    /// As `std::thread::spawn`, where the system has no thread left.
    pub fn start(self, registry: &Registry) -> Reporting {
        let names = distinct(self.exporters.iter().map(|exporter| exporter.name().to_owned()));
        let meter = self.self_metrics.then(|| Meter::new(registry, &names));
        let lanes: Vec<Lane> = names
            .into_iter()
            .zip(self.exporters)
            .map(|(name, exporter)| {
                let stopwatch = self.self_metrics.then(|| Stopwatch::new(registry, &name));
                Lane::start(name, exporter, self.timeout, registry, stopwatch, Arc::clone(&self.notify))
            })
            .collect();
        let doors = lanes.iter().map(Lane::door).collect();
        let timeout = self.timeout;
        let (stop, stopped) = bounded(1);
        let interval_ns = u64::try_from(self.interval.as_nanos()).unwrap_or(u64::MAX);
        let observers = self.observers;
        let sampler = Sampler { registry: registry.clone(), interval_ns, observers, lanes, meter };
        let thread = thread::Builder::new()
            .name("barewire-sampler".to_owned())
            .spawn(move || sampler.run(&stopped))
            .expect("a thread for the sampler, as for std::thread::spawn");
        Reporting { stop, thread: Some(thread), doors, timeout }
    }
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.exporters.iter().map(|exporter| exporter.name()).collect();
        f.debug_struct("Reporter")
            .field("interval", &self.interval)
            .field("exporters", &names)
            .finish_non_exhaustive()
    }
}

/// Numbers the names that are not the first of their kind.
fn distinct(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut distinct: Vec<String> = Vec::new();
    for name in names {
        let numbered = (2..).map(|number| format!("{name}-{number}"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| !distinct.contains(name));
        distinct.extend(free);
    }
    distinct
}

/// A reporter at work. Dropping it stops it, with the time-out of an export as the deadline.
#[derive(Debug)]
pub struct Reporting {
    stop: Sender<Ending>,
    thread: Option<JoinHandle<Report>>,
    doors: Vec<Door>,
    timeout: Duration,
}

impl Reporting {
    /// What became of every snapshot so far, by exporter.
    pub fn lanes(&self) -> Vec<LaneReport> {
        self.doors.iter().map(|door| door.account.report()).collect()
    }

    /// Has every exporter tell of `event`, before the snapshots that are taken from now on. Returns at once: a lane
    /// that is busy tells of it later, and one that already has 256 events to tell loses it, and counts it.
    pub fn event(&self, event: &Event) {
        self.doors.iter().for_each(|door| door.tell(event.clone()));
    }

    /// Takes one last snapshot, has every exporter deliver it, and returns after `within` at the latest. Stop
    /// counting first: what is counted later is not delivered.
    ///
    /// An exporter whose receiver has answered nothing all along, not even a refusal, is waited for no longer than one
    /// export may take ([`Reporter::timeout`]). All exporters are waited for side by side.
    pub fn stop(mut self, within: Duration) -> Report {
        self.end(within)
    }

    fn end(&mut self, within: Duration) -> Report {
        let Some(thread) = self.thread.take() else { return Report { lanes: self.lanes() } };
        // Where the thread has panicked and nobody receives this, joining it tells.
        self.stop.send(self.ending(within.min(LONGEST))).ok();
        thread.join().unwrap_or_else(|_| Report { lanes: self.lanes() })
    }

    fn ending(&self, within: Duration) -> Ending {
        let now = Instant::now();
        Ending { answering: now + within, mute: now + within.min(self.timeout) }
    }
}

impl Drop for Reporting {
    fn drop(&mut self) {
        self.end(self.timeout);
    }
}

/// What became of everything, at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// One entry an exporter, in the order in which they were added.
    pub lanes: Vec<LaneReport>,
}

impl Report {
    /// # Errors
    /// [`Error::Undelivered`] when the last snapshot, with all counts, did not reach every receiver. The text names
    /// those and says why.
    pub fn into_result(self) -> Result<(), Error> {
        let late = self.lanes.iter().filter(|lane| !lane.complete);
        let reasons: Vec<String> = late
            .map(|lane| {
                format!("{}: {}", lane.name, lane.last_error.as_deref().unwrap_or("not delivered in time"))
            })
            .collect();
        if reasons.is_empty() { Ok(()) } else { Err(Error::Undelivered(reasons.join("; "))) }
    }
}

/// What the sampler thread owns.
struct Sampler {
    registry: Registry,
    interval_ns: u64,
    observers: Vec<Observer>,
    lanes: Vec<Lane>,
    meter: Option<Meter>,
}

impl Sampler {
    fn run(mut self, stopped: &Receiver<Ending>) -> Report {
        let ending = self.tick_until(stopped);
        let last = self.snapshot();
        for lane in &mut self.lanes {
            lane.finish(&last, ending);
        }
        Report { lanes: self.lanes.iter().map(|lane| lane.wait(ending)).collect() }
    }

    /// Ticks until it is told to stop; returns by when the end has to be reached.
    fn tick_until(&mut self, stopped: &Receiver<Ending>) -> Ending {
        loop {
            let due = next_tick(self.interval_ns, self.unix_ns());
            match stopped.recv_timeout(Duration::from_nanos(due.saturating_sub(self.unix_ns()))) {
                Ok(ending) => return ending,
                // The handle stops the thread before it goes away, so this is not reached.
                Err(RecvTimeoutError::Disconnected) => {
                    let now = Instant::now();
                    return Ending { answering: now, mute: now };
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            let late_ns = self.unix_ns().saturating_sub(due);
            if let Some(meter) = &mut self.meter {
                meter.shard.record(meter.lateness, late_ns);
            }
            let snapshot = self.snapshot();
            for lane in &mut self.lanes {
                lane.offer(&snapshot);
            }
        }
    }

    fn snapshot(&mut self) -> Arc<Snapshot> {
        self.observers.retain_mut(|observe| catch_unwind(AssertUnwindSafe(observe)).is_ok());
        if let Some(meter) = &mut self.meter {
            meter.count(&self.lanes);
        }
        self.registry.snapshot()
    }

    fn unix_ns(&self) -> u64 {
        self.registry.start_unix_ns().saturating_add(self.registry.elapsed_ns())
    }
}

/// The reporter's own doings, as series of the registry.
struct Meter {
    shard: Shard,
    lateness: Histogram,
    counters: Vec<[(Counter, u64); COUNTS]>,
}

impl Meter {
    fn new(registry: &Registry, names: &[String]) -> Self {
        let lateness = Metric::new("barewire.tick.lateness").unit(Unit::Seconds).help(
            "How long after its time a tick began: large where the machine has no time for the sampler.",
        );
        Meter {
            shard: registry.shard(),
            lateness: registry.histogram(lateness),
            counters: names.iter().map(|name| counters(registry, name)).collect(),
        }
    }

    /// Counts what became of the snapshots since the last time.
    fn count(&mut self, lanes: &[Lane]) {
        for (counters, lane) in self.counters.iter_mut().zip(lanes) {
            for ((counter, seen), now) in counters.iter_mut().zip(lane.account().counts()) {
                self.shard.add(*counter, now - std::mem::replace(seen, now));
            }
        }
    }
}

/// The counters of one exporter, in the order of [`Count`](super::account::Count).
fn counters(registry: &Registry, exporter: &str) -> [(Counter, u64); COUNTS] {
    let snapshots = |outcome| {
        Metric::new("barewire.exporter.snapshots")
            .unit(Unit::One)
            .help("Snapshots that an exporter was offered, by what became of them.")
            .label("exporter", exporter)
            .label("outcome", outcome)
    };
    let of = |name, unit, help| Metric::new(name).unit(unit).help(help).label("exporter", exporter);
    let metrics = [
        snapshots("sent"),
        snapshots("dropped"),
        snapshots("failed"),
        snapshots("timed_out"),
        of(
            "barewire.exporter.snapshots.partial",
            Unit::One,
            "Snapshots among those sent of which a receiver rejected points.",
        ),
        of("barewire.exporter.points", Unit::One, "Points that a receiver accepted."),
        of("barewire.exporter.points.rejected", Unit::One, "Points that a receiver rejected."),
        of("barewire.exporter.points.left_out", Unit::One, "Points that a format could not carry."),
        of("barewire.exporter.bytes", Unit::Bytes, "Bytes that an exporter delivered."),
        of("barewire.exporter.scrapes", Unit::One, "Fetches of a page by receivers."),
        of("barewire.exporter.events", Unit::One, "Events that an exporter delivered."),
        of("barewire.exporter.events.rejected", Unit::One, "Events that a receiver rejected."),
        of("barewire.exporter.events.lost", Unit::One, "Events that an exporter did not deliver."),
        of("barewire.exporter.samples", Unit::One, "Samples that an exporter delivered."),
        of("barewire.exporter.samples.rejected", Unit::One, "Samples that a receiver rejected."),
        of("barewire.exporter.samples.lost", Unit::One, "Samples that an exporter did not deliver."),
    ];
    metrics.map(|metric| (registry.counter(metric), 0))
}

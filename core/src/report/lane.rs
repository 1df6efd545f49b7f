//! One exporter, its thread, and the account of what became of every snapshot it was offered.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, OnceLock,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, bounded};
use parking_lot::Mutex;

use super::{
    exporter::{Delivered, ExportError, Exporter},
    reporter::{Notice, Notify},
};
use crate::{Histogram, Metric, Registry, Shard, Snapshot, Unit};

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
    /// Bytes delivered.
    pub bytes: u64,
    /// Whether the last snapshot, with all counts of the run, was delivered. False as long as it runs.
    pub complete: bool,
    /// What went wrong last, if anything did.
    pub last_error: Option<String>,
}

/// The sampler's side of a lane.
#[derive(Debug)]
pub(crate) struct Lane {
    account: Account,
    finale: Finale,
    offers: Option<Sender<Arc<Snapshot>>>,
    /// How many snapshots it was offered, the last one included.
    offered: u64,
    /// Closed when the thread has ended.
    ended: Receiver<()>,
}

/// The last snapshot, and by when it has to be delivered.
type Finale = Arc<OnceLock<(Arc<Snapshot>, Instant)>>;

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
    complete: AtomicBool,
    last_error: Mutex<Option<String>>,
}

/// How many numbers an account has.
pub(crate) const COUNTS: usize = 7;

impl Lane {
    /// Starts the thread of one exporter.
    pub(crate) fn start(
        name: String,
        exporter: Box<dyn Exporter>,
        timeout: Duration,
        stopwatch: Option<Stopwatch>,
        notify: Notify,
    ) -> Lane {
        let (offers, taken) = bounded(0);
        let (ending, ended) = bounded::<()>(0);
        let (account, finale) = (Account::new(name), Finale::default());
        // A name is any text, and that of a thread ends at a zero.
        let thread = thread::Builder::new().name(format!("barewire-{}", account.0.name.replace('\0', " ")));
        let mut worker = Worker {
            account: account.clone(),
            finale: finale.clone(),
            exporter,
            timeout,
            stopwatch,
            notify,
            failing: false,
        };
        let run = move || {
            worker.run(&taken);
            drop((worker, ending));
        };
        thread.spawn(run).expect("a thread for an exporter, as for std::thread::spawn");
        Lane { account, finale, offers: Some(offers), offered: 0, ended }
    }

    /// Hands a snapshot to the exporter if it is idle; counts a drop if it is busy.
    pub(crate) fn offer(&mut self, snapshot: &Arc<Snapshot>) {
        self.offered += 1;
        let taken = self.offers.as_ref().is_some_and(|offers| offers.try_send(Arc::clone(snapshot)).is_ok());
        if !taken {
            self.account.0.dropped.fetch_add(1, Relaxed);
        }
    }

    /// Tells the exporter to deliver one last snapshot when it is done with the one in its hands.
    pub(crate) fn finish(&mut self, snapshot: &Arc<Snapshot>, deadline: Instant) {
        self.offered += 1;
        self.finale.get_or_init(|| (Arc::clone(snapshot), deadline));
        self.offers = None;
    }

    /// Waits for the end of the thread, until the deadline. A thread that is late is left behind, and the snapshots
    /// that it has not settled have timed out; one that ended early has dropped them.
    pub(crate) fn wait(&self, deadline: Instant) -> LaneReport {
        let late = self.ended.recv_deadline(deadline).is_err_and(|error| error.is_timeout());
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

    pub(crate) fn account(&self) -> Account {
        self.account.clone()
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
            complete: AtomicBool::default(),
            last_error: Mutex::default(),
        }))
    }

    /// Sent, dropped, failed, timed out; points, left out; bytes.
    pub(crate) fn counts(&self) -> [u64; COUNTS] {
        let Ledger { sent, dropped, failed, timed_out, points, left_out, bytes, .. } = &*self.0;
        [sent, dropped, failed, timed_out, points, left_out, bytes].map(|count| count.load(Relaxed))
    }

    pub(crate) fn report(&self) -> LaneReport {
        // First of all, so that what is complete is counted as well.
        let complete = self.0.complete.load(Acquire);
        let [sent, dropped, failed, timed_out, points, left_out, bytes] = self.counts();
        let name = self.0.name.clone();
        let last_error = self.0.last_error.lock().clone();
        LaneReport { name, sent, dropped, failed, timed_out, points, left_out, bytes, complete, last_error }
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
            Err(error) => *ledger.last_error.lock() = Some(error.to_string()),
        }
    }
}

/// The exporter's side of a lane.
struct Worker {
    account: Account,
    finale: Finale,
    exporter: Box<dyn Exporter>,
    timeout: Duration,
    stopwatch: Option<Stopwatch>,
    notify: Notify,
    failing: bool,
}

impl Worker {
    fn run(&mut self, offers: &Receiver<Arc<Snapshot>>) {
        while let Ok(snapshot) = offers.recv() {
            if self.export(&snapshot, Instant::now() + self.timeout).is_none() {
                return;
            }
        }
        if let Some((snapshot, deadline)) = self.finale.get().cloned() {
            let delivered = self.export(&snapshot, deadline) == Some(true);
            self.account.0.complete.store(delivered, Release);
        }
    }

    /// Whether it was delivered; `None` when the exporter panicked, which ends its lane and nothing else.
    fn export(&mut self, snapshot: &Arc<Snapshot>, deadline: Instant) -> Option<bool> {
        let start = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| self.exporter.export(snapshot, deadline)));
        let panicked = outcome.is_err();
        let outcome = outcome
            .unwrap_or_else(|panic| Err(ExportError::Failed(format!("panicked: {}", text_of(&*panic)))));
        if let (Some(stopwatch), Ok(delivered)) = (&mut self.stopwatch, &outcome) {
            stopwatch.record(delivered.encode, start.elapsed());
        }
        self.account.count(&outcome);
        self.tell(outcome.as_ref().err());
        (!panicked).then_some(outcome.is_ok())
    }

    /// Tells of an error once, when it begins, and of its end.
    fn tell(&mut self, error: Option<&ExportError>) {
        if error.is_some() != self.failing {
            self.failing = error.is_some();
            (self.notify)(Notice { exporter: &self.account.0.name, error });
        }
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

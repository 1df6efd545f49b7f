//! What one thread counts, and the handles by which it counts.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    histogram::Cell,
    metric::Precision,
    owner::{Owner, low_half},
    page::{Mailbox, Pages},
    registry::Registry,
    sample::{Ring, Sample},
};
use crate::sync::{
    Mutex,
    atomic::{
        AtomicBool, AtomicU64,
        Ordering::{Relaxed, Release},
    },
};

/// A counter of a [`Registry`]: a number to pass to [`Shard::add`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Counter(pub(crate) u64);

/// A gauge of a [`Registry`]: a number to pass to [`Shard::set`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Gauge(pub(crate) u64);

/// A histogram of a [`Registry`]: a number to pass to [`Shard::record`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Histogram(pub(crate) u64);

/// One thread's own counts. It moves between threads, and is never shared: every method that counts takes
/// `&mut self`, so the borrow checker proves that each count has one writer.
///
/// ```compile_fail,E0599
/// let one = barewire::Registry::new("checkout").shard();
/// let two = one.clone(); // no second writer
/// ```
///
/// Counting takes no lock, allocates nothing, makes no system call and no atomic read-modify-write. The exception
/// is the first touch of a histogram, or of a page of 128 counters, which allocates; [`Shard::prepare`] does it ahead.
/// Once in 4 billion counts of one bucket, the sampler reads it at once, and the thread waits for that.
///
/// A shard that is dropped has finished: its counts stay in the registry for ever, its gauges are gone.
///
/// A handle of another registry is a mistake: a debug build stops with a message, and a release build counts it nowhere.
pub struct Shard {
    /// Whose handles count here.
    owner: Owner,
    counters: Pages<AtomicU64, NUMBERS>,
    gauges: Pages<GaugeCell, NUMBERS>,
    /// By the number of the histogram; closed where there is none yet.
    cells: Vec<Arc<Cell>>,
    closed: Arc<Cell>,
    /// Cells to be, made many at a time: so they lie side by side, in few pages, and not each before buckets of its own.
    blanks: Vec<Arc<Cell>>,
    room: Arc<Room>,
    samples: Option<Arc<Ring>>,
    registry: Registry,
}

/// Counters or gauges in a page: 1 KiB.
pub(crate) const NUMBERS: usize = 128;

/// How many cells are made at a time, at most.
const BLANKS: usize = 32;

/// What a shard and the sampler share.
#[derive(Debug, Default)]
pub(crate) struct Room {
    pub(crate) counters: Mailbox<AtomicU64, NUMBERS>,
    pub(crate) gauges: Mailbox<GaugeCell, NUMBERS>,
    /// New cells on their way to the sampler, each with its number.
    pub(crate) cells: Mutex<Vec<(usize, Arc<Cell>)>>,
    /// Set, with release, after the last count.
    pub(crate) finished: AtomicBool,
}

impl Shard {
    pub(crate) fn new(registry: Registry, room: Arc<Room>, samples: Option<Arc<Ring>>) -> Self {
        let (counters, gauges) = (Pages::new(), Pages::new());
        let (cells, closed) = (Vec::new(), Arc::new(Cell::closed()));
        let owner = registry.owner();
        Shard { owner, counters, gauges, cells, closed, blanks: Vec::new(), room, samples, registry }
    }

    /// Adds `n` to a counter.
    #[inline]
    pub fn add(&mut self, counter: Counter, n: u64) {
        match self.counters.get(self.owner.index(counter.0), low_half(counter.0)) {
            Some(count) => count.store(count.load(Relaxed).wrapping_add(n), Relaxed),
            None => self.add_first(counter, n),
        }
    }

    /// Sets this shard's part of a gauge; what is shown is the sum over all living shards. Not a number takes the
    /// part back.
    #[inline]
    pub fn set(&mut self, gauge: Gauge, value: f64) {
        match self.gauges.get(self.owner.index(gauge.0), low_half(gauge.0)) {
            Some(cell) => cell.set(value),
            None => self.set_first(gauge, value),
        }
    }

    /// Counts one value of a histogram: a `u64` in the histogram's own unit (nanoseconds for a unit of time), or a
    /// [`Duration`].
    #[inline]
    pub fn record(&mut self, histogram: Histogram, value: impl Recordable) {
        let value = value.to_raw();
        let at = self.owner.index(histogram.0);
        if !self.cells.get(at).is_some_and(|cell| cell.record(value)) {
            self.record_rare(histogram, value);
        }
    }

    /// Keeps one observation for exporters that want to see each of them, in place of the oldest one where there is no
    /// room; does nothing unless [`Registry::keep_samples`] was called before the shard was made.
    #[inline]
    pub fn sample(&mut self, sample: Sample) {
        self.owner.check(sample.series.0);
        if let Some(ring) = &self.samples {
            ring.push(sample.to_words());
        }
    }

    /// Whether samples are kept.
    #[inline]
    pub fn keeps_samples(&self) -> bool {
        self.samples.is_some()
    }

    /// Sets up everything that the first record of `histogram` would have to.
    pub fn prepare(&mut self, histogram: Histogram) {
        self.owner.check(histogram.0);
        let at = self.owner.index(histogram.0);
        let Some(precision) = self.registry.precision(at) else { return };
        if at >= self.cells.len() {
            self.cells.resize_with(at + 1, || Arc::clone(&self.closed));
        }
        if !self.cells[at].is_open() {
            let cell = self.make(precision);
            self.cells[at] = Arc::clone(&cell);
            self.room.cells.lock().push((at, cell));
        }
    }

    /// A new cell, out of one of the blanks. There are as many of them at a time as there are cells, up to [`BLANKS`].
    fn make(&mut self, precision: Precision) -> Arc<Cell> {
        if self.blanks.is_empty() {
            let many = self.cells.len().clamp(1, BLANKS);
            self.blanks.extend((0..many).map(|_| Arc::new(Cell::closed())));
        }
        let mut blank = self.blanks.pop().expect("some were made");
        *Arc::get_mut(&mut blank).expect("nobody else has a blank") = Cell::new(precision);
        blank
    }

    /// The registry that this shard counts for.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    #[cold]
    fn add_first(&mut self, counter: Counter, n: u64) {
        self.owner.check(counter.0);
        let at = self.owner.index(counter.0);
        if self.registry.knows_counter(at) {
            self.counters.grow(at, &self.room.counters);
            self.add(counter, n);
        }
    }

    #[cold]
    fn set_first(&mut self, gauge: Gauge, value: f64) {
        self.owner.check(gauge.0);
        let at = self.owner.index(gauge.0);
        if self.registry.knows_gauge(at) {
            self.gauges.grow(at, &self.room.gauges).set(value);
        }
    }

    /// Counts a value that a cell refused, or that had none.
    #[cold]
    fn record_rare(&mut self, histogram: Histogram, value: u64) {
        let at = self.owner.index(histogram.0);
        if !self.cells.get(at).is_some_and(|cell| cell.is_open()) {
            self.prepare(histogram);
        }
        let Some(cell) = self.cells.get(at) else { return };
        if cell.is_full(value) {
            // Before and after, for from one full bucket to the next is one more than differences can tell.
            self.registry.read_lap(&self.room);
            cell.record_refused(value);
            self.registry.read_lap(&self.room);
        } else {
            cell.record_refused(value);
        }
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        if let Some(ring) = &self.samples {
            ring.finish();
        }
        self.room.finished.store(true, Release);
    }
}

impl fmt::Debug for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shard").finish_non_exhaustive()
    }
}

/// What [`Shard::record`] takes: a `u64`, or a [`Duration`] in nanoseconds.
pub trait Recordable {
    /// The integer to be counted.
    fn to_raw(self) -> u64;
}

impl Recordable for u64 {
    #[inline]
    fn to_raw(self) -> u64 {
        self
    }
}

impl Recordable for Duration {
    /// Nanoseconds; 584 years at most.
    #[inline]
    fn to_raw(self) -> u64 {
        self.as_secs().saturating_mul(1_000_000_000).saturating_add(self.subsec_nanos().into())
    }
}

/// A gauge's part of one shard; not a number as long as it is not set.
#[derive(Debug)]
pub(crate) struct GaugeCell(AtomicU64);

impl GaugeCell {
    fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Relaxed);
    }

    pub(crate) fn get(&self) -> Option<f64> {
        Some(f64::from_bits(self.0.load(Relaxed))).filter(|value| !value.is_nan())
    }
}

impl Default for GaugeCell {
    fn default() -> Self {
        GaugeCell(AtomicU64::new(f64::NAN.to_bits()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Metric, Reading};

    /// Every full bucket is read before it wraps, and after, or 8.6 billion records would pass for none.
    #[test]
    fn buckets_that_wrap_lose_no_count() {
        let registry = Registry::new("test");
        let took = registry.histogram(Metric::new("took"));
        let mut shard = registry.shard();
        let lap = 1 << 32;
        shard.record(took, 5u64);
        for laps in 1..=3 {
            shard.cells[0].forge(laps * lap - 1, 5, u32::MAX);
            shard.record(took, 5u64);
        }
        let snapshot = registry.snapshot();
        let Reading::Histogram(all) = snapshot.read(&snapshot.series()[0]) else { unreachable!() };
        assert_eq!((all.count(), shard.cells[0].count()), (3 * lap, 3 * lap));
    }
}

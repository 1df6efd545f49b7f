//! The histogram that a thread writes: one cell a series, written by one thread and read by the sampler.
//!
//! A record is four plain stores and one that publishes them. There is one writer, so nothing is added
//! atomically: the writer loads, adds and stores, and no instruction carries a lock prefix.
//!
//! ```text
//! writer   buckets[i] += 1 ; sum += v ; min, max ;   count += 1 (release)
//! sampler                                            count (acquire) ; the rest
//! ```
//!
//! What a reader sees of `count` it sees of the rest, so a cell whose count did not move since the last look needs
//! no second one. Whatever it sees beyond that count it will look at again, because the count is yet to move.
//!
//! Buckets are 32 bits wide: half the cache of 64, and cache decides what a record costs. They wrap; the reader
//! adds up differences, modulo 2^32, into 64 bits. A writer that has made [`LAP`] records asks for a reading
//! itself, so a difference never exceeds 32 bits, however seldom the sampler comes by.

use super::{buckets::bucket_of, metric::Precision};
use crate::sync::{
    OnceLock,
    atomic::{
        AtomicU32, AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
    },
    zeros,
};

/// After how many records in one cell its writer has it read: half of what a bucket can tell apart.
pub(crate) const LAP: u64 = 1 << 31;

/// One histogram of one thread. A cache line for what every record touches; the buckets stand apart.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Cell {
    count: AtomicU64,
    sum: AtomicU64,
    min: AtomicU64,
    max: AtomicU64,
    buckets: OnceLock<Buckets>,
}

#[derive(Debug)]
struct Buckets {
    power: u32,
    counts: Box<[AtomicU32]>,
}

impl Default for Cell {
    fn default() -> Self {
        Cell {
            count: AtomicU64::new(0),
            sum: AtomicU64::new(0),
            min: AtomicU64::new(u64::MAX),
            max: AtomicU64::new(0),
            buckets: OnceLock::new(),
        }
    }
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// It is counted.
    Done,
    /// It is counted, and the cell is due for a reading.
    Lap,
    /// It is not counted: the cell has no buckets yet.
    Unprepared,
}

impl Cell {
    /// Counts one value. Only the thread that owns the cell's shard may call this.
    #[inline]
    pub(crate) fn record(&self, value: u64) -> Recorded {
        let Some(Buckets { power, counts }) = self.buckets.get() else { return Recorded::Unprepared };
        let bucket = bucket_of(*power, value).min(counts.len() - 1);
        let slot = &counts[bucket];
        slot.store(slot.load(Relaxed).wrapping_add(1), Relaxed);
        self.sum.store(self.sum.load(Relaxed).wrapping_add(value), Relaxed);
        if value < self.min.load(Relaxed) {
            self.min.store(value, Relaxed);
        }
        if value > self.max.load(Relaxed) {
            self.max.store(value, Relaxed);
        }
        let count = self.count.load(Relaxed).wrapping_add(1);
        self.count.store(count, Release);
        if count.is_multiple_of(LAP) { Recorded::Lap } else { Recorded::Done }
    }

    /// Gives the cell its buckets.
    #[cold]
    pub(crate) fn prepare(&self, precision: Precision) {
        self.buckets.get_or_init(|| Buckets { power: precision.power(), counts: zeros(precision.buckets()) });
    }

    /// How often the cell was recorded to; whatever belongs to that many records is visible after this.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Acquire)
    }

    pub(crate) fn sum(&self) -> u64 {
        self.sum.load(Relaxed)
    }

    /// The smallest and the largest value; `(u64::MAX, 0)` before the first record.
    pub(crate) fn extremes(&self) -> (u64, u64) {
        (self.min.load(Relaxed), self.max.load(Relaxed))
    }

    /// All buckets; empty before the first record.
    pub(crate) fn counts(&self) -> &[AtomicU32] {
        self.buckets.get().map_or(&[], |buckets| &buckets.counts)
    }

    /// A cell as it is after a great many records: for tests of what happens when it wraps.
    #[cfg(test)]
    pub(crate) fn forge(&self, count: u64, bucket: usize, bucket_count: u32) {
        self.counts()[bucket].store(bucket_count, Relaxed);
        self.count.store(count, Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_fills_one_cache_line() {
        assert_eq!(size_of::<Cell>(), 64);
    }

    #[test]
    fn a_record_without_buckets_is_refused_and_one_with_buckets_is_counted() {
        let cell = Cell::default();
        assert_eq!(cell.record(5), Recorded::Unprepared);
        cell.prepare(Precision::Two);
        assert_eq!(cell.record(5), Recorded::Done);
        assert_eq!((cell.count(), cell.sum(), cell.extremes()), (1, 5, (5, 5)));
        assert_eq!(cell.counts()[5].load(Relaxed), 1);
    }

    #[test]
    fn a_value_beyond_the_range_is_counted_in_the_last_bucket() {
        let cell = Cell::default();
        cell.prepare(Precision::Three);
        cell.record(u64::MAX);
        assert_eq!(cell.counts().last().unwrap().load(Relaxed), 1);
        assert_eq!(cell.extremes(), (u64::MAX, u64::MAX));
    }

    #[test]
    fn every_lap_asks_for_a_reading() {
        let cell = Cell::default();
        cell.prepare(Precision::Two);
        cell.forge(LAP - 1, 0, 0);
        assert_eq!(cell.record(1), Recorded::Lap);
        assert_eq!(cell.record(1), Recorded::Done);
    }
}

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
//! adds up differences, modulo 2^32, into 64 bits. A bucket that is about to wrap is refused, and the writer has the
//! cell read before it goes on, so a difference never exceeds 32 bits, however seldom the sampler comes by.
//!
//! All that is rare is found by tests that have to be made anyway. No buckets yet, or a value beyond the range: the
//! bucket is not there. The end of a lap: the sum of the bucket and one is no 32-bit number.

use std::ops::Range;

use super::{buckets::Scale, distribution::ROW, metric::Precision};
use crate::sync::{
    atomic::{
        AtomicU32, AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
    },
    zeros,
};

/// One histogram of one thread. A cache line for what every record touches; the buckets stand apart.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Cell {
    count: AtomicU64,
    sum: AtomicU64,
    min: AtomicU64,
    max: AtomicU64,
    /// From the smallest to the largest, for the writer: one comparison finds out whether a value is between them.
    span: AtomicU64,
    scale: &'static Scale,
    buckets: Box<[AtomicU32]>,
}

impl Cell {
    /// Zeros, on pages that are mapped when they are first written.
    pub(crate) fn new(precision: Precision) -> Self {
        Cell::with_buckets(precision, zeros(precision.buckets()))
    }

    /// A cell that refuses every value.
    pub(crate) fn closed() -> Self {
        Cell::with_buckets(Precision::One, zeros(0))
    }

    fn with_buckets(precision: Precision, buckets: Box<[AtomicU32]>) -> Self {
        Cell {
            count: AtomicU64::new(0),
            sum: AtomicU64::new(0),
            min: AtomicU64::new(u64::MAX),
            max: AtomicU64::new(0),
            span: AtomicU64::new(0),
            scale: precision.scale(),
            buckets,
        }
    }

    /// Counts one value, and says so, or refuses it: where there is no bucket for it, or the bucket is full. Only the
    /// thread that owns the cell's shard may call this.
    #[inline]
    #[must_use]
    pub(crate) fn record(&self, value: u64) -> bool {
        let Some(bucket) = self.buckets.get(self.scale.bucket_of(value)) else { return false };
        // One that wraps shows it by the zero that the addition finds anyway.
        let count = bucket.load(Relaxed).wrapping_add(1);
        if count == 0 {
            return false;
        }
        bucket.store(count, Relaxed);
        self.publish(value);
        true
    }

    #[inline]
    fn publish(&self, value: u64) {
        self.sum.store(self.sum.load(Relaxed).wrapping_add(value), Relaxed);
        // Below the smallest it wraps, and is larger than any span. Before the first record it is 0 for `u64::MAX` alone, which
        // is beyond the range, and so was refused.
        let above = value.wrapping_sub(self.min.load(Relaxed));
        if above > self.span.load(Relaxed) {
            self.stretch(self.min.load(Relaxed).wrapping_add(above));
        }
        self.count.store(self.count.load(Relaxed).wrapping_add(1), Release);
    }

    /// Draws the extremes out to `value`; apart, because it is rare.
    #[cold]
    fn stretch(&self, value: u64) {
        let (min, max) = self.extremes();
        let (min, max) = (value.min(min), value.max(max));
        self.min.store(min, Relaxed);
        self.max.store(max, Relaxed);
        self.span.store(max - min, Relaxed);
    }

    /// Counts one value that was refused: in the last bucket if it is beyond the range, and from zero again if the
    /// bucket is full.
    #[cold]
    pub(crate) fn record_refused(&self, value: u64) {
        let Some(bucket) = self.bucket_within(value) else { return };
        bucket.store(bucket.load(Relaxed).wrapping_add(1), Relaxed);
        self.stretch(value);
        self.publish(value);
    }

    /// Whether the bucket of `value` cannot count on without a reading.
    pub(crate) fn is_full(&self, value: u64) -> bool {
        self.bucket_within(value).is_some_and(|bucket| bucket.load(Relaxed) == u32::MAX)
    }

    /// The number of the bucket of `value`.
    pub(crate) fn bucket_of(&self, value: u64) -> usize {
        self.scale.bucket_of(value).min(self.buckets.len() - 1)
    }

    /// The bucket of `value`, or the last one; none if the cell is closed.
    fn bucket_within(&self, value: u64) -> Option<&AtomicU32> {
        self.buckets.get(self.scale.bucket_of(value)).or(self.buckets.last())
    }

    /// Whether there are buckets.
    pub(crate) fn is_open(&self) -> bool {
        !self.buckets.is_empty()
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

    /// All buckets.
    pub(crate) fn buckets(&self) -> &[AtomicU32] {
        &self.buckets
    }

    /// The buckets of these rows; the last row of all may be short.
    pub(crate) fn rows(&self, numbers: Range<usize>) -> &[AtomicU32] {
        let end = (numbers.end * ROW).min(self.buckets.len());
        &self.buckets[numbers.start * ROW..end]
    }

    /// A cell as it is after a great many records: for tests of what happens when it wraps.
    #[cfg(test)]
    pub(crate) fn forge(&self, count: u64, bucket: usize, bucket_count: u32) {
        self.buckets[bucket].store(bucket_count, Relaxed);
        self.count.store(count, Release);
    }
}

#[cfg(test)]
mod tests {
    use super::{super::buckets::HIGHEST, *};

    #[test]
    fn a_cell_fills_one_cache_line() {
        assert_eq!(size_of::<Cell>(), 64);
    }

    #[test]
    fn a_closed_cell_refuses_and_an_open_one_counts() {
        assert!(!Cell::closed().record(5));
        let cell = Cell::new(Precision::Two);
        assert!(cell.record(5));
        assert_eq!((cell.count(), cell.sum(), cell.extremes()), (1, 5, (5, 5)));
        assert_eq!(cell.buckets()[5].load(Relaxed), 1);
    }

    #[test]
    fn the_extremes_are_those_of_the_values_in_any_order() {
        for values in
            [&[5, 5][..], &[5, 9, 2], &[9, 2, 5], &[2, 5, 9], &[0, u64::MAX], &[u64::MAX, 0], &[u64::MAX]]
        {
            let cell = Cell::new(Precision::Two);
            for (at, value) in values.iter().enumerate() {
                if !cell.record(*value) {
                    cell.record_refused(*value);
                }
                let seen = &values[..=at];
                assert_eq!(cell.extremes(), (*seen.iter().min().unwrap(), *seen.iter().max().unwrap()));
            }
        }
    }

    #[test]
    fn a_value_beyond_the_range_is_refused_and_then_counted_in_the_last_bucket() {
        let cell = Cell::new(Precision::Three);
        assert_eq!((cell.record(HIGHEST), cell.record(HIGHEST + 1)), (true, false));
        assert_eq!((cell.record(u64::MAX), cell.is_full(u64::MAX)), (false, false));
        cell.record_refused(u64::MAX);
        assert_eq!(cell.buckets().last().unwrap().load(Relaxed), 2);
        assert_eq!((cell.count(), cell.extremes()), (2, (HIGHEST, u64::MAX)));
    }

    #[test]
    fn a_full_bucket_refuses_until_it_is_told_to_wrap() {
        let cell = Cell::new(Precision::Two);
        cell.forge(7, 1, u32::MAX);
        assert_eq!((cell.record(1), cell.is_full(1), cell.count()), (false, true, 7));
        cell.record_refused(1);
        assert_eq!((cell.record(1), cell.count(), cell.buckets()[1].load(Relaxed)), (true, 9, 1));
    }
}

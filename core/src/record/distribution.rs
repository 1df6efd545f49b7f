//! The merged histogram: plain counts, one owner, whatever is needed to add, subtract and ask.
//!
//! Buckets stand in rows of [`ROW`], and only rows that counted something are kept, one after another, each with its
//! number and its sum:
//!
//! ```text
//! rows      7: 13   8: 205   9: 88   31: 1        the last one is a request that took three octaves longer
//! counts    [64]    [64]     [64]    [64]
//! ```
//!
//! What a few values are scattered over costs as many rows, and not all that lie between the smallest and the largest. A
//! quantile passes over rows until the one that it is in, and then over the buckets of that; a window has the rows whose
//! sum moved.

use std::{mem, ops::Range};

use super::{
    buckets::{HIGHEST, bucket_of, highest, lowest},
    metric::Precision,
};

/// How often which value was recorded, within the error of its [`Precision`].
///
/// Counts, sum, minimum and maximum are exact; what is asked of the buckets, such as a quantile, is the largest
/// value of the right bucket. The count is the sum of the buckets, so the two never disagree.
///
/// ```
/// use barewire::{Distribution, Precision};
///
/// let mut took = Distribution::new(Precision::Three);
/// for ms in 1..=1000 {
///     took.record(ms * 1_000_000);
/// }
/// assert_eq!(took.count(), 1000);
/// assert_eq!(took.quantile(0.99).unwrap() / 1_000_000, 990);
/// assert_eq!(took.max(), Some(1_000_000_000));
/// ```
#[derive(Debug)]
pub struct Distribution {
    precision: Precision,
    /// By number.
    rows: Vec<Row>,
    /// Of the buckets of each row.
    counts: Vec<u64>,
    count: u64,
    sum: u128,
    min: u64,
    max: u64,
}

/// Buckets in a row: near the square root of how many are in use at three digits, where a quantile passes over as many
/// rows as buckets.
pub(crate) const ROW: usize = 64;

#[derive(Debug, Clone, Copy)]
struct Row {
    /// Of all rows there may be: its first bucket, by [`ROW`].
    number: usize,
    /// Of its counts.
    sum: u64,
}

impl Distribution {
    /// An empty distribution.
    pub const fn new(precision: Precision) -> Self {
        Distribution {
            precision,
            rows: Vec::new(),
            counts: Vec::new(),
            count: 0,
            sum: 0,
            min: u64::MAX,
            max: 0,
        }
    }

    /// Counts one value.
    pub fn record(&mut self, value: u64) {
        let power = self.precision.power();
        self.add_bucket(bucket_of(power, value.min(HIGHEST)), 1);
        self.add_sum(value);
        self.stretch(value, value);
    }

    /// How many values were recorded.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The sum of all values.
    pub fn sum(&self) -> u128 {
        self.sum
    }

    /// The smallest value; `None` when there is none. Exact, except for a window ([`Distribution::since_into`]).
    pub fn min(&self) -> Option<u64> {
        (self.count > 0).then_some(self.min)
    }

    /// The largest value; `None` when there is none. Exact, except for a window ([`Distribution::since_into`]).
    pub fn max(&self) -> Option<u64> {
        (self.count > 0).then_some(self.max)
    }

    /// The mean, rounded down; `None` when there is no value.
    pub fn mean(&self) -> Option<u64> {
        let mean = self.sum.checked_div(self.count.into())?;
        Some(u64::try_from(mean).unwrap_or(u64::MAX))
    }

    /// How finely values are told apart.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The smallest value that at least `q` of all values do not exceed; `None` when there is no value.
    ///
    /// `q` is a ratio: 0.99 asks for the 99th percentile. It is clamped to `0.0..=1.0`.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        self.quantiles([q]).map(|[value]| value)
    }

    /// Several quantiles, by one pass over the buckets where they ascend.
    ///
    /// ```
    /// let mut took = barewire::Distribution::default();
    /// (1..=100).for_each(|value| took.record(value));
    /// assert_eq!(took.quantiles([0.5, 0.9, 0.99]), Some([50, 90, 99]));
    /// ```
    pub fn quantiles<const N: usize>(&self, qs: [f64; N]) -> Option<[u64; N]> {
        let mut cursor = Cursor::default();
        (self.count > 0).then(|| {
            qs.map(|q| {
                let at = cursor.seek(rank(q, self.count), &self.rows, &self.counts);
                self.ceiling(self.rows[at / ROW].number * ROW + at % ROW).clamp(self.min, self.max)
            })
        })
    }

    /// Every bucket that counted something: its smallest and largest value, and its count.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64, u64)> + '_ {
        let power = self.precision.power();
        self.counts().map(move |(bucket, count)| (lowest(power, bucket), highest(power, bucket), count))
    }

    /// The number of every bucket that counted something, and its count.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        let counts = self.rows().flat_map(|(_, first, counts)| (first..).zip(counts));
        counts.filter(|(_, count)| **count > 0).map(|(bucket, count)| (bucket, *count))
    }

    /// Every row: the sum of its counts, its first bucket, and the counts.
    pub(crate) fn rows(&self) -> impl DoubleEndedIterator<Item = (u64, usize, &[u64])> + '_ {
        let rows = self.rows.iter().zip(self.counts.chunks_exact(ROW));
        rows.map(|(row, counts)| (row.sum, row.number * ROW, counts))
    }

    /// The number of the last bucket that counted something.
    pub(crate) fn last(&self) -> Option<usize> {
        let (_, first, counts) = self.rows().next_back()?;
        Some(first + counts.iter().rposition(|count| *count > 0)?)
    }

    /// Adds all values of another distribution, of any precision.
    pub fn merge(&mut self, other: &Distribution) {
        // Of a value that is being recorded, a snapshot may have the sum and not yet the bucket.
        self.sum += other.sum;
        if other.count == 0 {
            return;
        }
        if self.precision == other.precision {
            for (_, first, counts) in other.rows() {
                self.add_rows(first / ROW, counts);
            }
        } else {
            let power = self.precision.power();
            for (low, high, count) in other.buckets() {
                self.add_bucket(bucket_of(power, low.midpoint(high)), count);
            }
        }
        self.stretch(other.min, other.max);
    }

    /// Refills `window` with what came since `earlier`, an earlier state of the same series; with everything when
    /// there is none.
    ///
    /// The extremes of a window are known within the precision: those of its first and last bucket.
    pub fn since_into(&self, earlier: Option<&Distribution>, window: &mut Distribution) {
        let Some(earlier) = earlier.filter(|earlier| earlier.count > 0) else {
            window.clone_from(self);
            window.sum = window.sum.saturating_sub(earlier.map_or(0, |earlier| earlier.sum));
            return;
        };
        debug_assert_eq!(self.precision, earlier.precision, "an earlier state of the same series");
        window.begin(self);
        window.sum = self.sum.saturating_sub(earlier.sum);
        // Every row of an earlier state is still there.
        let mut before = earlier.rows().peekable();
        for (sum, first, now) in self.rows() {
            match before.next_if(|(_, then, _)| *then == first) {
                None => window.push_row(first / ROW, now),
                Some((then, ..)) if then == sum => {}
                Some((.., then)) => {
                    let mut counts = [0; ROW];
                    for ((count, now), then) in counts.iter_mut().zip(now).zip(then) {
                        *count = now.saturating_sub(*then);
                    }
                    window.push_row(first / ROW, &counts);
                }
            }
        }
        window.narrow();
    }

    /// From the first to behind the last of its rows.
    pub(crate) fn span(&self) -> Range<usize> {
        match (self.rows.first(), self.rows.last()) {
            (Some(first), Some(last)) => first.number..last.number + 1,
            _ => 0..0,
        }
    }

    /// Adds its rows to `counts`, which are whole rows that begin with the number `first` and have all of its own.
    pub(crate) fn add_to(&self, counts: &mut [u64], first: usize) {
        for (row, ours) in self.rows.iter().zip(self.counts.chunks_exact(ROW)) {
            counts[(row.number - first) * ROW..]
                .iter_mut()
                .zip(ours)
                .for_each(|(count, more)| *count += more);
        }
    }

    /// Refills it with these counts of whole rows, the first of which has the number `first`; all else is that of `other`.
    pub(crate) fn refill(&mut self, other: &Distribution, first: usize, counts: &[u64]) {
        self.begin(other);
        let sums = counts.chunks_exact(ROW).map(|row| row.iter().sum());
        self.rows
            .extend((first..).zip(sums).map(|(number, sum)| Row { number, sum }).filter(|row| row.sum > 0));
        self.count = self.rows.iter().map(|row| row.sum).sum();
        self.counts.reserve(self.rows.len() * ROW);
        for row in &self.rows {
            self.counts.extend_from_slice(&counts[(row.number - first) * ROW..][..ROW]);
        }
    }

    /// Forgets all values, and keeps the memory.
    pub fn clear(&mut self) {
        self.reset(self.precision);
    }

    /// The same, at another precision.
    pub(crate) fn reset(&mut self, precision: Precision) {
        self.begin(&Distribution::new(precision));
    }

    /// Has no rows, and all else of another.
    fn begin(&mut self, other: &Distribution) {
        let Distribution { mut rows, mut counts, .. } = mem::take(self);
        rows.clear();
        counts.clear();
        *self = Distribution { rows, counts, count: 0, ..*other };
    }

    /// Appends a row; nothing if it counted nothing.
    fn push_row(&mut self, number: usize, counts: &[u64]) {
        let sum = counts.iter().sum();
        if sum > 0 {
            self.rows.push(Row { number, sum });
            self.counts.extend_from_slice(counts);
            self.count += sum;
        }
    }

    /// Adds the counts of whole rows, the first of which has the number `first`.
    pub(crate) fn add_rows(&mut self, first: usize, counts: &[u64]) {
        for (number, counts) in (first..).zip(counts.chunks_exact(ROW)) {
            let sum: u64 = counts.iter().sum();
            if sum > 0 {
                let at = self.place_of(number);
                self.counts[at * ROW..][..ROW].iter_mut().zip(counts).for_each(|(ours, more)| *ours += more);
                self.rows[at].sum += sum;
                self.count += sum;
            }
        }
    }

    fn add_bucket(&mut self, bucket: usize, count: u64) {
        let at = self.place_of(bucket / ROW);
        self.counts[at * ROW + bucket % ROW] += count;
        self.rows[at].sum += count;
        self.count += count;
    }

    /// Where a row stands. It is made if there is none.
    fn place_of(&mut self, number: usize) -> usize {
        let at = self.rows.partition_point(|row| row.number < number);
        if self.rows.get(at).is_none_or(|row| row.number != number) {
            self.rows.insert(at, Row { number, sum: 0 });
            self.counts.splice(at * ROW..at * ROW, [0; ROW]);
        }
        at
    }

    pub(crate) fn add_sum(&mut self, sum: u64) {
        self.sum += u128::from(sum);
    }

    pub(crate) fn stretch(&mut self, min: u64, max: u64) {
        self.min = self.min.min(min);
        self.max = self.max.max(max);
    }

    /// The largest value that was counted in `bucket`: the last one takes whatever is beyond the range.
    fn ceiling(&self, bucket: usize) -> u64 {
        if bucket + 1 < self.precision.buckets() { highest(self.precision.power(), bucket) } else { u64::MAX }
    }

    /// Draws the extremes in to the buckets that are still in use.
    fn narrow(&mut self) {
        let (Some((low, _)), Some(high)) = (self.counts().next(), self.last()) else {
            (self.min, self.max) = (u64::MAX, 0);
            return;
        };
        self.min = self.min.max(lowest(self.precision.power(), low));
        self.max = self.max.min(self.ceiling(high));
    }
}

impl Clone for Distribution {
    fn clone(&self) -> Self {
        Distribution { rows: self.rows.clone(), counts: self.counts.clone(), ..*self }
    }

    /// Reuses the memory of `self`.
    fn clone_from(&mut self, source: &Self) {
        self.begin(source);
        self.rows.extend_from_slice(&source.rows);
        self.counts.extend_from_slice(&source.counts);
        self.count = source.count;
    }
}

/// Two are equal when no question tells them apart.
impl PartialEq for Distribution {
    fn eq(&self, other: &Self) -> bool {
        self.precision == other.precision
            && (self.sum, self.min(), self.max()) == (other.sum, other.min(), other.max())
            && self.buckets().eq(other.buckets())
    }
}

impl Eq for Distribution {}

impl Default for Distribution {
    fn default() -> Self {
        Distribution::new(Precision::default())
    }
}

/// A place among the buckets, and how much was counted in those before it.
#[derive(Debug, Clone, Copy, Default)]
struct Cursor {
    row: usize,
    before_row: u64,
    at: usize,
    before: u64,
}

impl Cursor {
    /// Moves to the bucket of the value `rank`, counted from 1, and tells which it is. The sum of the `rows` is not
    /// less than `rank`.
    fn seek(&mut self, rank: u64, rows: &[Row], counts: &[u64]) -> usize {
        if rank <= self.before {
            *self = Cursor::default();
        }
        while self.before_row + rows[self.row].sum < rank {
            self.before_row += rows[self.row].sum;
            self.row += 1;
            (self.at, self.before) = (self.row * ROW, self.before_row);
        }
        while self.before + counts[self.at] < rank {
            self.before += counts[self.at];
            self.at += 1;
        }
        self.at
    }
}

/// Which of `count` values, counted from 1 in ascending order, is the `q`-quantile.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn rank(q: f64, count: u64) -> u64 {
    // A float rank may be off by one at 2^53 values; no reader can tell.
    ((q.clamp(0.0, 1.0) * count as f64).ceil() as u64).clamp(1, count)
}

#[cfg(test)]
mod tests;

//! The merged histogram: plain counts, one owner, whatever is needed to add, subtract and ask.
//!
//! Buckets stand in rows of [`ROW`], and the sum of each row is kept. So a quantile passes over rows until the one that
//! it is in, and then over the buckets of that; a window is nothing where the sum of a row did not move.

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
    /// The bucket that `counts[0]` stands for, the first of a row; only the rows in use are kept.
    first: usize,
    /// Whole rows.
    counts: Vec<u64>,
    /// The sum of each row.
    rows: Vec<u64>,
    count: u64,
    sum: u128,
    min: u64,
    max: u64,
}

/// Buckets in a row: near the square root of how many are in use at three digits, where a quantile passes over as many
/// rows as buckets.
const ROW: usize = 64;

impl Distribution {
    /// An empty distribution.
    pub const fn new(precision: Precision) -> Self {
        Distribution {
            precision,
            first: 0,
            counts: Vec::new(),
            rows: Vec::new(),
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
                self.ceiling(self.first + at).clamp(self.min, self.max)
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
        let used = self.rows.iter().enumerate().filter(|(_, sum)| **sum > 0);
        let counts = used.flat_map(|(row, _)| (row * ROW..).zip(&self.counts[row * ROW..][..ROW]));
        counts.filter(|(_, count)| **count > 0).map(|(at, count)| (self.first + at, *count))
    }

    /// What was counted in every row of buckets, and the numbers of the first and the last of them.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (u64, usize, usize)> + '_ {
        (self.first..).step_by(ROW).zip(&self.rows).map(|(first, sum)| (*sum, first, first + ROW - 1))
    }

    /// The counts of a row that begins with the bucket `first`.
    pub(crate) fn row(&self, first: usize) -> &[u64] {
        &self.counts[first - self.first..][..ROW]
    }

    /// The number of the last bucket that counted something.
    pub(crate) fn last(&self) -> Option<usize> {
        let used = |count: &u64| *count > 0;
        let end = (self.rows.iter().rposition(used)? + 1) * ROW;
        Some(self.first + self.counts[..end].iter().rposition(used)?)
    }

    /// Adds all values of another distribution, of any precision.
    pub fn merge(&mut self, other: &Distribution) {
        // Of a value that is being recorded, a snapshot may have the sum and not yet the bucket.
        self.sum += other.sum;
        if other.count == 0 {
            return;
        }
        if self.precision == other.precision {
            self.add_to_buckets(other.first, other.first + other.counts.len() - 1, |counts| {
                for (ours, more) in counts.iter_mut().zip(&other.counts) {
                    *ours += more;
                }
            });
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
        let Some((earlier, rows_before)) = earlier.and_then(|earlier| {
            let rows_before = earlier.first.checked_sub(self.first)? / ROW;
            (earlier.count > 0).then_some((earlier, rows_before))
        }) else {
            window.clone_from(self);
            window.sum = window.sum.saturating_sub(earlier.map_or(0, |earlier| earlier.sum));
            return;
        };
        debug_assert_eq!(self.precision, earlier.precision, "an earlier state of the same series");
        let then = |row: usize| {
            let row = row.checked_sub(rows_before)?;
            Some((*earlier.rows.get(row)?, &earlier.counts[row * ROW..][..ROW]))
        };
        let has_moved = |row: &usize| self.rows[*row] != then(*row).map_or(0, |(sum, _)| sum);
        let moved = (0..self.rows.len()).find(has_moved).zip((0..self.rows.len()).rfind(has_moved));
        let [mut counts, mut rows] = window.take_memory();
        let first = self.first + moved.map_or(0, |(first, _)| first * ROW);
        for row in moved.map(|(first, last)| first..=last).into_iter().flatten() {
            let (start, now) = (counts.len(), &self.counts[row * ROW..][..ROW]);
            match then(row) {
                _ if !has_moved(&row) => counts.resize(start + ROW, 0),
                Some((_, then)) => {
                    counts.extend(now.iter().zip(then).map(|(now, then)| now.saturating_sub(*then)));
                }
                None => counts.extend_from_slice(now),
            }
            rows.push(counts[start..].iter().sum());
        }
        let (count, sum) = (rows.iter().sum(), self.sum.saturating_sub(earlier.sum));
        *window = Distribution { first, counts, rows, count, sum, ..*self };
        window.narrow();
    }

    /// Forgets all values, and keeps the memory.
    pub fn clear(&mut self) {
        self.reset(self.precision);
    }

    /// The same, at another precision.
    pub(crate) fn reset(&mut self, precision: Precision) {
        let [counts, rows] = self.take_memory();
        *self = Distribution { counts, rows, ..Distribution::new(precision) };
    }

    /// Its vectors, empty.
    fn take_memory(&mut self) -> [Vec<u64>; 2] {
        [&mut self.counts, &mut self.rows].map(|memory| {
            memory.clear();
            std::mem::take(memory)
        })
    }

    /// Makes room for the rows of the buckets from `low` to `high`.
    pub(crate) fn cover(&mut self, low: usize, high: usize) {
        let low = low / ROW * ROW;
        if self.counts.is_empty() {
            self.first = low;
        } else if low < self.first {
            let missing = self.first - low;
            self.counts.splice(..0, std::iter::repeat_n(0, missing));
            self.rows.splice(..0, std::iter::repeat_n(0, missing / ROW));
            self.first = low;
        }
        let rows = (high - self.first) / ROW + 1;
        if rows > self.rows.len() {
            self.counts.resize(rows * ROW, 0);
            self.rows.resize(rows, 0);
        }
    }

    pub(crate) fn add_bucket(&mut self, bucket: usize, count: u64) {
        self.cover(bucket, bucket);
        let at = bucket - self.first;
        self.counts[at] += count;
        self.rows[at / ROW] += count;
        self.count += count;
    }

    /// Lets `add` add to the buckets from `low` to `high`.
    pub(crate) fn add_to_buckets(&mut self, low: usize, high: usize, add: impl FnOnce(&mut [u64])) {
        self.cover(low, high);
        let [from, to] = [low, high].map(|bucket| bucket - self.first);
        add(&mut self.counts[from..=to]);
        let rows = from / ROW..=to / ROW;
        for (sum, row) in
            self.rows[rows.clone()].iter_mut().zip(self.counts.chunks_exact(ROW).skip(*rows.start()))
        {
            *sum = row.iter().sum();
        }
        self.count = self.rows.iter().sum();
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
        Distribution { counts: self.counts.clone(), rows: self.rows.clone(), ..*self }
    }

    /// Reuses the memory of `self`.
    fn clone_from(&mut self, source: &Self) {
        let [mut counts, mut rows] = self.take_memory();
        counts.extend_from_slice(&source.counts);
        rows.extend_from_slice(&source.rows);
        *self = Distribution { counts, rows, ..*source };
    }
}

/// Two are equal when no question tells them apart; which buckets are kept ready is none.
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
    fn seek(&mut self, rank: u64, rows: &[u64], counts: &[u64]) -> usize {
        if rank <= self.before {
            *self = Cursor::default();
        }
        while self.before_row + rows[self.row] < rank {
            self.before_row += rows[self.row];
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
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    fn of(values: &[u64]) -> Distribution {
        of_precision(Precision::Three, values)
    }

    fn of_precision(precision: Precision, values: &[u64]) -> Distribution {
        let mut distribution = Distribution::new(precision);
        values.iter().for_each(|value| distribution.record(*value));
        distribution
    }

    fn precision() -> impl Strategy<Value = Precision> {
        prop_oneof![Just(Precision::One), Just(Precision::Two), Just(Precision::Three)]
    }

    #[test]
    fn nothing_recorded_means_no_answer() {
        let empty = Distribution::default();
        assert_eq!((empty.count(), empty.sum()), (0, 0));
        assert_eq!((empty.min(), empty.max(), empty.mean(), empty.quantile(0.5)), (None, None, None, None));
    }

    #[test]
    fn a_sum_that_is_seen_before_its_bucket_is_not_lost() {
        let (mut torn, mut window, mut merged) = (of(&[]), of(&[]), of(&[]));
        torn.add_sum(7);
        torn.since_into(Some(&of(&[])), &mut window);
        merged.merge(&window);
        of(&[7]).since_into(Some(&torn), &mut window);
        merged.merge(&window);
        assert_eq!(merged, of(&[7]));
    }

    #[test]
    fn quantiles_of_ten_values() {
        let ten = of(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        let asked = [0.0, 0.1, 0.11, 0.5, 0.9, 0.91, 1.0, f64::NAN].map(|q| ten.quantile(q).unwrap());
        assert_eq!(asked, [1, 1, 2, 5, 9, 10, 10, 1]);
    }

    #[test]
    fn a_quantile_never_leaves_the_recorded_range() {
        assert_eq!(of(&[1_000_003]).quantile(0.5), Some(1_000_003));
    }

    #[test]
    fn values_beyond_the_range_keep_their_extremes_in_quantiles_and_windows() {
        let (earlier, now) = (of(&[HIGHEST + 5]), of(&[HIGHEST + 5, u64::MAX]));
        assert_eq!(now.quantile(1.0), Some(u64::MAX));
        let mut window = Distribution::default();
        now.since_into(Some(&earlier), &mut window);
        assert_eq!((window.min(), window.max()), (Some(HIGHEST + 5), Some(u64::MAX)));
        assert_eq!(window.quantile(0.5), Some(u64::MAX));
    }

    #[test]
    fn a_window_equals_what_was_recorded_in_it_and_nothing_else() {
        let mut window = Distribution::default();
        of(&[1, 500, 1000]).since_into(Some(&of(&[1, 1000])), &mut window);
        assert_eq!(window, of(&[500]));
        assert_ne!(window, of(&[501]));
        assert_ne!(window, of(&[500, 500]));
        assert_ne!(window, Distribution::new(Precision::Two));
    }

    proptest! {
        #[test]
        fn the_merge_of_parts_in_any_order_is_the_whole(
            parts in vec(vec(prop_oneof![0..300_u64, 0..HIGHEST, any::<u64>()], 0..40), 0..8),
            precision in precision(),
            order in any::<u64>(),
        ) {
            let mut merged = Distribution::new(precision);
            let mut rest: Vec<_> = parts.iter().map(|part| of_precision(precision, part)).collect();
            while !rest.is_empty() {
                let at = usize::try_from(order % rest.len() as u64).unwrap();
                merged.merge(&rest.swap_remove(at));
            }
            let whole = of_precision(precision, &parts.concat());
            prop_assert_eq!(merged.count(), whole.count());
            prop_assert_eq!(merged, whole);
        }

        #[test]
        fn parts_of_any_precision_keep_counts_sums_and_extremes(
            parts in vec((precision(), vec(any::<u64>(), 0..20)), 0..6), into in precision(),
        ) {
            let mut merged = Distribution::new(into);
            parts.iter().for_each(|(precision, part)| merged.merge(&of_precision(*precision, part)));
            let values: Vec<u64> = parts.into_iter().flat_map(|(_, part)| part).collect();
            prop_assert_eq!(merged.count(), values.len() as u64);
            prop_assert_eq!(merged.buckets().map(|(.., count)| count).sum::<u64>(), merged.count());
            prop_assert_eq!(merged.sum(), values.iter().map(|value| u128::from(*value)).sum::<u128>());
            prop_assert_eq!((merged.min(), merged.max()), (values.iter().min().copied(), values.iter().max().copied()));
        }

        #[test]
        fn a_window_is_what_came_after(values in prop::collection::vec(0..HIGHEST, 0..200), cut in 0..200usize) {
            let (left, right) = values.split_at(cut.min(values.len()));
            let mut window = Distribution::default();
            of(&values).since_into(Some(&of(left)), &mut window);
            let expected = of(right);
            prop_assert_eq!(window.count(), expected.count());
            prop_assert_eq!(window.sum(), expected.sum());
            prop_assert!(window.buckets().eq(expected.buckets()));
            if let (Some(seen), Some(known)) = (window.max(), expected.max()) {
                prop_assert!(seen >= known && (seen - known) as f64 <= known as f64 / 1024.0);
            }
        }

        #[test]
        fn quantiles_are_hdrhistograms(values in prop::collection::vec(1..HIGHEST, 1..300), q in 0.0..=1.0f64) {
            let mut hdr = hdrhistogram::Histogram::<u64>::new_with_bounds(1, HIGHEST, 3).unwrap();
            values.iter().for_each(|value| hdr.record(*value).unwrap());
            let ours = of(&values);
            let theirs = hdr.value_at_quantile(q).clamp(ours.min().unwrap(), ours.max().unwrap());
            prop_assert_eq!(ours.quantile(q), Some(theirs));
        }

        #[test]
        fn several_quantiles_are_those_asked_for_one_by_one(
            values in prop::collection::vec(any::<u64>(), 0..300), precision in precision(), qs: [f64; 6],
        ) {
            let ours = of_precision(precision, &values);
            let one_by_one = qs.map(|q| ours.quantile(q));
            prop_assert_eq!(ours.quantiles(qs).map(|all| all.map(Some)), (!values.is_empty()).then_some(one_by_one));
        }

        #[test]
        fn precisions_merge_within_the_coarser_error(values in prop::collection::vec(1..HIGHEST, 1..100)) {
            let mut coarse = Distribution::new(Precision::Two);
            coarse.merge(&of(&values));
            prop_assert_eq!(coarse.count(), values.len() as u64);
            let (fine, rough) = (of(&values).quantile(0.5).unwrap() as f64, coarse.quantile(0.5).unwrap() as f64);
            prop_assert!((fine - rough).abs() <= fine / 64.0);
        }
    }
}

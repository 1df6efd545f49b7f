//! One histogram, added up over all shards and all time; how, is said in `sampler`.

use std::{mem, ops::Range, sync::Arc};

use super::{
    distribution::{Distribution, ROW},
    histogram::Cell,
    metric::Precision,
    shard::Room,
};
use crate::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// A histogram's total, and what it is made of.
#[derive(Debug)]
pub(crate) struct Total {
    current: Arc<Distribution>,
    /// The sum and the extremes of everything, and the buckets of what is settled.
    base: Distribution,
    parts: Vec<Part>,
    /// Whether the base has something that `current` has not.
    is_stale: bool,
    /// Earlier states, on view in snapshots; one that is not any more is written over.
    shown: Vec<Arc<Distribution>>,
}

impl Total {
    pub(crate) fn new(precision: Precision) -> Self {
        Total {
            current: Arc::new(Distribution::new(precision)),
            base: Distribution::new(precision),
            parts: Vec::new(),
            is_stale: false,
            shown: Vec::new(),
        }
    }

    /// What was true at the last [`Total::refresh`].
    pub(crate) fn current(&self) -> &Arc<Distribution> {
        &self.current
    }

    /// Adds the cell of a shard.
    pub(crate) fn admit(&mut self, shard: &Arc<Room>, cell: &Arc<Cell>) {
        self.parts.push(Part::new(shard, cell));
    }

    /// Looks at every part, and adds them up if one has moved: in `scratch`, which all totals share, because what is
    /// written to again and again should be near.
    pub(crate) fn refresh(&mut self, scratch: &mut Vec<u64>) {
        let mut has_moved = mem::take(&mut self.is_stale);
        for part in &mut self.parts {
            has_moved |= part.look(&mut self.base);
        }
        if has_moved {
            for part in self.parts.iter_mut().filter(|part| part.stand == Stand::Still) {
                part.settle(&mut self.base);
            }
            self.add_up(scratch);
        }
    }

    /// Adds the part of one shard to the base, so that differences from now on are small again.
    pub(crate) fn settle(&mut self, shard: &Arc<Room>) {
        for part in self.parts.iter_mut().filter(|part| part.is_of(shard)) {
            self.is_stale |= part.look(&mut self.base);
            part.settle(&mut self.base);
        }
    }

    /// Adds the part of a finished shard to the base, and forgets it.
    pub(crate) fn retire(&mut self, shard: &Arc<Room>) {
        let Total { base, parts, is_stale, .. } = self;
        parts.retain_mut(|part| {
            let is_over = part.is_of(shard);
            if is_over {
                *is_stale |= part.look(base);
                if part.stand != Stand::Settled {
                    let mut counts = vec![0; part.rows.len() * ROW];
                    part.add_to(&mut counts);
                    base.add_rows(part.rows.start, &counts);
                }
            }
            !is_over
        });
    }

    fn add_up(&mut self, scratch: &mut Vec<u64>) {
        let Total { current, base, parts, shown, .. } = self;
        let moving = || parts.iter().filter(|part| part.stand == Stand::Moving);
        let moved = moving().map(|part| part.rows.clone()).reduce(cover).unwrap_or(0..0);
        let span = cover(base.span(), moved.clone());
        scratch.clear();
        scratch.resize(span.len() * ROW, 0);
        base.add_to(scratch, span.start);
        let fresh = moving().filter(|part| part.settled.is_empty());
        let fresh = fresh.map(|part| part.cell.rows(moved.clone()));
        add_fresh(&mut scratch[moved.start.saturating_sub(span.start) * ROW..], fresh);
        for part in moving().filter(|part| !part.settled.is_empty()) {
            part.add_to(&mut scratch[(part.rows.start - span.start) * ROW..]);
        }
        let next = free(shown);
        Arc::get_mut(next).expect("nobody shows a free state").refill(base, span.start, scratch);
        mem::swap(next, current);
    }
}

/// The numbers of both, and of what lies between them; nothing adds nothing.
fn cover(a: Range<usize>, b: Range<usize>) -> Range<usize> {
    match (a.is_empty(), b.is_empty()) {
        (true, _) => b,
        (_, true) => a,
        _ => a.start.min(b.start)..a.end.max(b.end),
    }
}

/// Adds what whole cells say, four of them at a time: the sum is loaded and stored once for all four.
fn add_fresh<'a>(counts: &mut [u64], mut cells: impl Iterator<Item = &'a [AtomicU32]>) {
    let now = |bucket: &AtomicU32| u64::from(bucket.load(Relaxed));
    while let Some(first) = cells.next() {
        match [cells.next(), cells.next(), cells.next()] {
            [Some(b), Some(c), Some(d)] => {
                for ((((count, a), b), c), d) in counts.iter_mut().zip(first).zip(b).zip(c).zip(d) {
                    *count += now(a) + now(b) + now(c) + now(d);
                }
            }
            rest => {
                for cell in [Some(first)].into_iter().chain(rest).flatten() {
                    counts.iter_mut().zip(cell).for_each(|(count, bucket)| *count += now(bucket));
                }
            }
        }
    }
}

/// A state that is on view nowhere.
fn free(shown: &mut Vec<Arc<Distribution>>) -> &mut Arc<Distribution> {
    let free = shown.iter_mut().position(|state| Arc::get_mut(state).is_some());
    let place = free.unwrap_or_else(|| {
        shown.push(Arc::default());
        shown.len() - 1
    });
    &mut shown[place]
}

/// The cell of one shard.
#[derive(Debug)]
struct Part {
    cell: Arc<Cell>,
    /// At the last look.
    count: u64,
    sum: u64,
    /// The rows from its smallest to its largest value, at the last look.
    rows: Range<usize>,
    stand: Stand,
    /// What of each bucket the base has; empty as long as that is nothing.
    settled: Box<[u32]>,
    shard: Arc<Room>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    /// It moved before the last look.
    Moving,
    /// It did not, and the base has it not.
    Still,
    /// It did not, and the base has it.
    Settled,
}

impl Part {
    fn new(shard: &Arc<Room>, cell: &Arc<Cell>) -> Self {
        Part {
            cell: Arc::clone(cell),
            count: 0,
            sum: 0,
            rows: 0..0,
            stand: Stand::Settled,
            settled: Box::default(),
            shard: Arc::clone(shard),
        }
    }

    fn is_of(&self, shard: &Arc<Room>) -> bool {
        Arc::ptr_eq(&self.shard, shard)
    }

    /// Whether the cell moved since the last look. Its sum and its extremes go to the base at once.
    fn look(&mut self, base: &mut Distribution) -> bool {
        let count = self.cell.count();
        let has_moved = count != self.count;
        if has_moved {
            self.count = count;
            let sum = self.cell.sum();
            base.add_sum(sum.wrapping_sub(mem::replace(&mut self.sum, sum)));
            let (min, max) = self.cell.extremes();
            base.stretch(min, max);
            self.rows = self.cell.bucket_of(min) / ROW..self.cell.bucket_of(max) / ROW + 1;
            self.stand = Stand::Moving;
        } else if self.stand == Stand::Moving {
            self.stand = Stand::Still;
        }
        has_moved
    }

    /// Adds what the base has not to `counts`, which begin with the first of its rows.
    fn add_to(&self, counts: &mut [u64]) {
        let buckets = counts.iter_mut().zip(self.cell.rows(self.rows.clone()));
        match self.settled.get(self.rows.start * ROW..) {
            None | Some([]) => buckets.for_each(|(count, now)| *count += u64::from(now.load(Relaxed))),
            Some(settled) => buckets.zip(settled).for_each(|((count, now), then)| {
                *count += u64::from(now.load(Relaxed).wrapping_sub(*then));
            }),
        }
    }

    /// Adds what the base has not to it, and remembers that.
    fn settle(&mut self, base: &mut Distribution) {
        if self.settled.is_empty() {
            self.settled = vec![0; self.cell.buckets().len()].into();
        }
        let Part { cell, settled, rows, .. } = self;
        let settled = settled[rows.start * ROW..].chunks_mut(ROW);
        for ((number, row), settled) in rows.clone().zip(cell.rows(rows.clone()).chunks(ROW)).zip(settled) {
            let mut counts = [0; ROW];
            for ((count, now), then) in counts.iter_mut().zip(row).zip(settled) {
                let now = now.load(Relaxed);
                *count = u64::from(now.wrapping_sub(mem::replace(then, now)));
            }
            base.add_rows(number, &counts);
        }
        self.stand = Stand::Settled;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(total: &Total) -> (u64, u128) {
        (total.current().count(), total.current().sum())
    }

    #[test]
    fn what_stands_still_while_others_move_is_settled_and_counts_on_when_it_moves_again() {
        let mut total = Total::new(Precision::Two);
        let [busy, idle] = [1, 2].map(|_| Arc::new(Cell::new(Precision::Two)));
        total.admit(&Arc::default(), &busy);
        total.admit(&Arc::default(), &idle);
        let mut tick = |values: &[(&Cell, u64)]| {
            assert!(values.iter().all(|(cell, value)| cell.record(*value)));
            total.refresh(&mut Vec::new());
            (count(&total), total.parts[1].stand)
        };
        assert_eq!(tick(&[(&busy, 1), (&idle, 500)]), ((2, 501), Stand::Moving));
        assert_eq!(tick(&[]), ((2, 501), Stand::Still));
        assert_eq!(tick(&[(&busy, 2)]), ((3, 503), Stand::Settled));
        assert_eq!(tick(&[(&busy, 3)]), ((4, 506), Stand::Settled));
        assert_eq!(tick(&[(&idle, 500)]), ((5, 1006), Stand::Moving));
        assert_eq!(tick(&[(&idle, 20)]), ((6, 1026), Stand::Moving));
        assert_eq!(tick(&[(&busy, 20)]), ((7, 1046), Stand::Settled));
        let buckets: Vec<_> = total.current().buckets().map(|(low, _, count)| (low, count)).collect();
        assert_eq!(buckets, [(1, 1), (2, 1), (3, 1), (20, 2), (500, 2)]);
    }

    #[test]
    fn a_finished_part_is_forgotten_and_its_counts_are_not() {
        let mut total = Total::new(Precision::One);
        let (shard, cell) = (Arc::default(), Arc::new(Cell::new(Precision::One)));
        total.admit(&shard, &cell);
        assert!(cell.record(7));
        total.retire(&shard);
        assert!(total.parts.is_empty());
        total.refresh(&mut Vec::new());
        total.refresh(&mut Vec::new());
        assert_eq!(count(&total), (1, 7));
    }
}

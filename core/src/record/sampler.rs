//! The one reader: adds what all shards counted to the totals, and hands out snapshots of them.
//!
//! A tick costs what moved, not what exists. A cell whose count stands still is not looked into, and a snapshot shares,
//! by reference, the distributions that did not move since the one before. One that moved is made anew:
//!
//! ```text
//! total = base + what each moving cell says now          from its smallest to its largest bucket
//! ```
//!
//! A cell that moves from tick to tick is read and not remembered: a copy of what was seen, to subtract it from what is
//! there, would be three times the memory to pass over. One that stood still while others of its series moved is added to
//! the base and remembered, and costs nothing from then on; when it moves again, what is remembered is subtracted. A
//! finished one is added to the base and forgotten.

use std::{mem, sync::Arc};

use super::{
    distribution::Distribution,
    metric::Precision,
    page::{Mailbox, Page},
    shard::{GaugeCell, NUMBERS, Room},
    snapshot::Snapshot,
    total::Total,
};
use crate::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed},
};

/// Everything counted so far, and what is needed to count on.
#[derive(Debug, Default)]
pub(crate) struct Sampler {
    readers: Vec<Reader>,
    /// What finished shards added to each counter.
    retired: Vec<u64>,
    totals: Vec<Total>,
    /// Where each total is added up.
    scratch: Vec<u64>,
    /// Every snapshot handed out; one that nobody holds any more is refilled.
    pool: Vec<Arc<Snapshot>>,
}

impl Sampler {
    /// Reads the room of a new shard from now on.
    pub(crate) fn admit(&mut self, room: Arc<Room>) {
        self.readers.push(Reader::new(room));
    }

    /// Notes which shards have finished. Whatever they counted belongs to series that exist by now, so the schema
    /// has to be looked at after this, and before [`Sampler::retire`].
    pub(crate) fn note_finished(&mut self) {
        for reader in &mut self.readers {
            reader.finished = reader.room.finished.load(Acquire);
        }
    }

    /// Makes room for `counters` counters and a histogram of each of the `precisions`.
    pub(crate) fn fit(&mut self, counters: usize, precisions: &[Precision]) {
        self.retired.resize(counters, 0);
        let known = self.totals.len();
        self.totals.extend(precisions[known..].iter().map(|precision| Total::new(*precision)));
    }

    /// Adds what the finished shards counted to the totals, for ever, and forgets them.
    pub(crate) fn retire(&mut self) {
        let Sampler { readers, retired, totals, .. } = self;
        readers.retain_mut(|reader| {
            if reader.finished {
                reader.collect(totals);
                reader.add_counters(retired);
                reader.histograms.iter().for_each(|number| totals[*number].retire(&reader.room));
            }
            !reader.finished
        });
    }

    /// Adds what one shard recorded to the totals, out of turn.
    pub(crate) fn read_lap(&mut self, room: &Arc<Room>) {
        let Sampler { readers, totals, .. } = self;
        if let Some(reader) = readers.iter_mut().find(|reader| Arc::ptr_eq(&reader.room, room)) {
            reader.collect(totals);
            reader.histograms.iter().for_each(|number| totals[*number].settle(room));
        }
    }

    /// Adds up what all shards counted, and writes down what is true now. The caller fills in the time and the names.
    pub(crate) fn sample(&mut self, gauges: usize, describe: impl FnOnce(&mut Snapshot)) -> Arc<Snapshot> {
        let place = self.free_place();
        let Sampler { readers, retired, totals, scratch, pool } = self;
        let blank = Arc::get_mut(&mut pool[place]).expect("nobody else holds a free snapshot");
        blank.gauges.clear();
        blank.gauges.resize(gauges, f64::NAN);
        blank.counters.clone_from(retired);
        for reader in readers.iter_mut() {
            reader.collect(totals);
            reader.add_counters(&mut blank.counters);
            reader.add_gauges(&mut blank.gauges);
        }
        totals.iter_mut().for_each(|total| total.refresh(scratch));
        show(totals, &mut blank.histograms);
        describe(blank);
        Arc::clone(&pool[place])
    }

    /// Where a snapshot is that nobody holds. One is enough: another, which a slow reader has held, would keep states from
    /// being written to again.
    fn free_place(&mut self) -> usize {
        let is_free = |snapshot: &mut Arc<Snapshot>| Arc::get_mut(snapshot).is_some();
        let mut has_free = false;
        self.pool.retain_mut(|snapshot| !is_free(snapshot) || !mem::replace(&mut has_free, true));
        self.pool.iter_mut().position(is_free).unwrap_or_else(|| {
            self.pool.push(Arc::default());
            self.pool.len() - 1
        })
    }
}

/// Puts the totals on view; those that did not move are there already.
fn show(totals: &[Total], shown: &mut Vec<Arc<Distribution>>) {
    for (shown, total) in shown.iter_mut().zip(totals) {
        if !Arc::ptr_eq(shown, total.current()) {
            *shown = Arc::clone(total.current());
        }
    }
    let known = shown.len();
    shown.extend(totals[known..].iter().map(|total| Arc::clone(total.current())));
}

/// The sampler's side of one shard.
#[derive(Debug)]
struct Reader {
    room: Arc<Room>,
    finished: bool,
    counters: Vec<(usize, Arc<Page<AtomicU64, NUMBERS>>)>,
    gauges: Vec<(usize, Arc<Page<GaugeCell, NUMBERS>>)>,
    /// The numbers of the histograms that it records to.
    histograms: Vec<usize>,
}

impl Reader {
    fn new(room: Arc<Room>) -> Self {
        Reader { room, finished: false, counters: Vec::new(), gauges: Vec::new(), histograms: Vec::new() }
    }

    /// Takes what the shard made since the last time. A cell of a series that came after the totals has to wait.
    fn collect(&mut self, totals: &mut [Total]) {
        take(&self.room.counters, &mut self.counters);
        take(&self.room.gauges, &mut self.gauges);
        self.room.cells.lock().retain(|(number, cell)| {
            let Some(total) = totals.get_mut(*number) else { return true };
            total.admit(&self.room, cell);
            self.histograms.push(*number);
            false
        });
    }

    fn add_counters(&self, counts: &mut [u64]) {
        for (number, page) in &self.counters {
            let from = (number * NUMBERS).min(counts.len());
            for (count, counter) in counts[from..].iter_mut().zip(page.iter()) {
                *count = count.wrapping_add(counter.load(Relaxed));
            }
        }
    }

    fn add_gauges(&self, gauges: &mut [f64]) {
        for (number, page) in &self.gauges {
            let from = (number * NUMBERS).min(gauges.len());
            for (sum, gauge) in gauges[from..].iter_mut().zip(page.iter()) {
                if let Some(value) = gauge.get() {
                    *sum = if sum.is_nan() { value } else { *sum + value };
                }
            }
        }
    }
}

fn take<T, const N: usize>(mailbox: &Mailbox<T, N>, pages: &mut Vec<(usize, Arc<Page<T, N>>)>) {
    pages.append(&mut mailbox.lock());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_snapshots_that_nobody_holds_one_is_kept() {
        let mut sampler = Sampler::default();
        let held: Vec<_> = (0..4).map(|_| sampler.sample(0, |_| ())).collect();
        assert_eq!(sampler.pool.len(), 4);
        drop(held);
        let first = Arc::as_ptr(&sampler.sample(0, |_| ()));
        assert_eq!(sampler.pool.len(), 1);
        assert_eq!(Arc::as_ptr(&sampler.sample(0, |_| ())), first);
    }
}

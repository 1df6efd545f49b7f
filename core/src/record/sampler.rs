//! The one reader: adds what all shards counted to the totals, and hands out snapshots of them.
//!
//! A tick costs what moved, not what exists. A histogram whose count stands still is not looked into; one that
//! moved is read from its smallest to its largest bucket, and the differences are added to the total. A snapshot
//! shares, by reference, the distributions that did not move since the one before.

use std::sync::Arc;

use super::{
    buckets::{HIGHEST, bucket_of},
    distribution::Distribution,
    histogram::Cell,
    metric::Precision,
    page::{Mailbox, Page},
    shard::{GaugeCell, NUMBERS, Room},
    snapshot::Snapshot,
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
                reader.collect();
                reader.merge_histograms(totals);
                reader.add_counters(retired);
            }
            !reader.finished
        });
    }

    /// Adds what one shard recorded to the totals, out of turn.
    pub(crate) fn read_lap(&mut self, room: &Arc<Room>) {
        if let Some(reader) = self.readers.iter_mut().find(|reader| Arc::ptr_eq(&reader.room, room)) {
            reader.collect();
            reader.merge_histograms(&mut self.totals);
        }
    }

    /// Adds what the living shards counted since the last time, and writes down what is true now. The caller fills
    /// in the time and the names.
    pub(crate) fn sample(&mut self, gauges: usize, describe: impl FnOnce(&mut Snapshot)) -> Arc<Snapshot> {
        let place = self.free_place();
        let Sampler { readers, retired, totals, pool } = self;
        let blank = Arc::get_mut(&mut pool[place]).expect("nobody else holds a free snapshot");
        blank.gauges.clear();
        blank.gauges.resize(gauges, f64::NAN);
        blank.counters.clone_from(retired);
        for reader in readers.iter_mut() {
            reader.collect();
            reader.merge_histograms(totals);
            reader.add_counters(&mut blank.counters);
            reader.add_gauges(&mut blank.gauges);
        }
        show(totals, &mut blank.histograms);
        describe(blank);
        Arc::clone(&pool[place])
    }

    fn free_place(&mut self) -> usize {
        let free = self.pool.iter_mut().position(|snapshot| Arc::get_mut(snapshot).is_some());
        free.unwrap_or_else(|| {
            self.pool.push(Arc::default());
            self.pool.len() - 1
        })
    }
}

/// Puts the totals on view; those that did not move are there already.
fn show(totals: &[Total], shown: &mut Vec<Arc<Distribution>>) {
    for (shown, total) in shown.iter_mut().zip(totals) {
        if !Arc::ptr_eq(shown, &total.current) {
            *shown = Arc::clone(&total.current);
        }
    }
    let known = shown.len();
    shown.extend(totals[known..].iter().map(|total| Arc::clone(&total.current)));
}

/// The sampler's side of one shard.
#[derive(Debug)]
struct Reader {
    room: Arc<Room>,
    finished: bool,
    counters: Vec<(usize, Arc<Page<AtomicU64, NUMBERS>>)>,
    gauges: Vec<(usize, Arc<Page<GaugeCell, NUMBERS>>)>,
    /// Each with the number of its histogram, and how far it was read.
    cells: Vec<(usize, Arc<Cell>, Mark)>,
}

impl Reader {
    fn new(room: Arc<Room>) -> Self {
        Reader { room, finished: false, counters: Vec::new(), gauges: Vec::new(), cells: Vec::new() }
    }

    /// Takes the pages that the shard made since the last time.
    fn collect(&mut self) {
        take(&self.room.counters, &mut self.counters);
        take(&self.room.gauges, &mut self.gauges);
        let mut arrived = self.room.cells.lock();
        self.cells.extend(arrived.drain(..).map(|(number, cell)| (number, cell, Mark::default())));
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

    fn merge_histograms(&mut self, totals: &mut [Total]) {
        for (number, cell, mark) in &mut self.cells {
            if let Some(total) = totals.get_mut(*number) {
                mark.advance(cell, total);
            }
        }
    }
}

fn take<T, const N: usize>(mailbox: &Mailbox<T, N>, pages: &mut Vec<(usize, Arc<Page<T, N>>)>) {
    pages.append(&mut mailbox.lock());
}

/// How far a cell was read.
#[derive(Debug, Default)]
struct Mark {
    count: u64,
    sum: u64,
    counts: Box<[u32]>,
}

impl Mark {
    /// Adds to `total` what the cell counted since the last time.
    fn advance(&mut self, cell: &Cell, total: &mut Total) {
        let count = cell.count();
        if count == self.count {
            return;
        }
        self.count = count;
        let total = total.writable();
        let (min, max) = cell.extremes();
        total.stretch(min, max);
        let sum = cell.sum();
        total.add_sum(sum.wrapping_sub(self.sum));
        self.sum = sum;
        let counts = cell.buckets();
        if self.counts.is_empty() {
            self.counts = vec![0; counts.len()].into();
        }
        let power = total.precision().power();
        let [low, high] = [min, max].map(|value| bucket_of(power, value.min(HIGHEST)));
        let moved = counts[low..=high].iter().zip(&mut self.counts[low..=high]).map(|(now, seen)| {
            let now = now.load(Relaxed);
            u64::from(now.wrapping_sub(std::mem::replace(seen, now)))
        });
        total.add_buckets(low, moved);
    }
}

/// One histogram, added up over all shards and all time.
#[derive(Debug)]
struct Total {
    current: Arc<Distribution>,
    /// Earlier states, on view in snapshots; one that is not any more is written over.
    shown: Vec<Arc<Distribution>>,
}

impl Total {
    fn new(precision: Precision) -> Self {
        Total { current: Arc::new(Distribution::new(precision)), shown: Vec::new() }
    }

    /// The total to add to: a copy, if a snapshot shows the current one.
    fn writable(&mut self) -> &mut Distribution {
        if Arc::get_mut(&mut self.current).is_none() {
            let free = self.shown.iter_mut().position(|state| Arc::get_mut(state).is_some());
            let place = free.unwrap_or_else(|| {
                self.shown.push(Arc::default());
                self.shown.len() - 1
            });
            let next = &mut self.shown[place];
            Arc::get_mut(next).expect("nobody shows a free state").clone_from(&self.current);
            std::mem::swap(next, &mut self.current);
        }
        Arc::get_mut(&mut self.current).expect("a fresh copy is not on view")
    }
}

//! Single observations, for whoever wants to see each of them: a bounded ring a thread, read by each lane at its own
//! pace.
//!
//! ```text
//! a thread:   begun = n + 1 ─▶ words of slot n % capacity ─▶ written = n + 1        plain stores, never a wait
//! a reader:   written ─▶ words of the slots up to there ─▶ begun                    what was written over meanwhile
//!                                                                                   is thrown away and counted
//! ```
//!
//! The thread never looks at its readers, so there may be any number of them, and a slow one costs itself alone. Every
//! word is an atomic: a slot that is read while it is written is a mixture, which `begun` tells, and not a data race.

use std::sync::{Arc, Weak};

use crossbeam_utils::CachePadded;

use super::{metric::Metric, owner::low_half};
use crate::sync::{
    Mutex,
    atomic::{
        AtomicBool, AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
        fence,
    },
};

/// What a sample belongs to: a name and labels, registered by
/// [`Registry::sample_series`](crate::Registry::sample_series).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SampleSeries(pub(crate) u64);

impl SampleSeries {
    /// Its index, among those of its own registry.
    pub(crate) fn index(self) -> usize {
        low_half(self.0)
    }
}

/// One observation, such as one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// What it belongs to.
    pub series: SampleSeries,
    /// When it began, in nanoseconds since the Unix epoch.
    pub start_unix_ns: u64,
    /// How long it took, in nanoseconds.
    pub duration_ns: u64,
    /// How large it was, in bytes.
    pub bytes: u64,
    /// Whether it is one of those that stand for all: false for one that is kept for its trace alone.
    pub counted: bool,
    /// Its place in a distributed trace, if it has one.
    pub trace: Option<TraceContext>,
}

/// What [W3C Trace Context](https://www.w3.org/TR/trace-context/) calls the parent: a trace, and a span of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    /// Not zero.
    pub trace_id: u128,
    /// Not zero.
    pub span_id: u64,
}

/// Samples as an exporter is given them.
#[derive(Debug, Clone, Copy)]
pub struct Samples<'a> {
    pub(crate) samples: &'a [Sample],
    pub(crate) series: &'a [Arc<Metric>],
}

impl<'a> Samples<'a> {
    /// Every sample with the name and the labels of its series; of one thread, in the order in which they ended.
    pub fn iter(&self) -> impl Iterator<Item = (&'a Arc<Metric>, &'a Sample)> + use<'a> {
        let series = self.series;
        self.samples.iter().filter_map(move |sample| Some((series.get(sample.series.index())?, sample)))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }
}

/// A sample as words: 64 bytes, a cache line.
const WORDS: usize = 8;
type Words = [u64; WORDS];

const INDEX: u64 = (1 << 32) - 1;
const COUNTED: u64 = 1 << 32;

impl Sample {
    pub(crate) fn to_words(self) -> Words {
        let TraceContext { trace_id, span_id } =
            self.trace.unwrap_or(TraceContext { trace_id: 0, span_id: 0 });
        // The index of the series, a bit, and above it the number of the registry.
        let (index, owner) = (self.series.0 & INDEX, self.series.0 & !INDEX);
        let head = index | (owner << 1) | if self.counted { COUNTED } else { 0 };
        #[allow(clippy::cast_possible_truncation, reason = "the upper and the lower half")]
        let (high, low) = ((trace_id >> 64) as u64, trace_id as u64);
        [head, self.start_unix_ns, self.duration_ns, self.bytes, high, low, span_id, 0]
    }

    fn from_words([head, start_unix_ns, duration_ns, bytes, high, low, span_id, _]: Words) -> Self {
        let trace_id = u128::from(high) << 64 | u128::from(low);
        let series = SampleSeries((head & INDEX) | ((head >> 1) & !INDEX));
        Sample {
            series,
            start_unix_ns,
            duration_ns,
            bytes,
            counted: head & COUNTED != 0,
            trace: (trace_id != 0).then_some(TraceContext { trace_id, span_id }),
        }
    }
}

/// The samples of one thread as `N` words each, the latest `capacity` of them. One thread writes, any number read.
#[derive(Debug)]
pub(crate) struct Ring<const N: usize = WORDS> {
    slots: Box<[[AtomicU64; N]]>,
    /// How many samples were begun to be written.
    begun: CachePadded<AtomicU64>,
    /// How many samples are whole.
    written: AtomicU64,
    /// Set, with release, after the last sample.
    finished: AtomicBool,
}

impl<const N: usize> Ring<N> {
    /// With room for `capacity` samples, rounded up to a power of two.
    pub(crate) fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1).next_power_of_two();
        Ring {
            slots: (0..capacity).map(|_| std::array::from_fn(|_| AtomicU64::new(0))).collect(),
            begun: CachePadded::new(AtomicU64::new(0)),
            written: AtomicU64::new(0),
            finished: AtomicBool::new(false),
        }
    }

    /// Writes over the oldest sample where there is no room. For the one thread that writes.
    #[inline]
    pub(crate) fn push(&self, words: [u64; N]) {
        let at = self.written.load(Relaxed);
        self.begun.store(at + 1, Relaxed);
        // Whoever sees a word of this sample sees that it was begun.
        fence(Release);
        for (slot, word) in self.slot(at).iter().zip(words) {
            slot.store(word, Relaxed);
        }
        self.written.store(at + 1, Release);
    }

    /// Says that no more will be written.
    pub(crate) fn finish(&self) {
        self.finished.store(true, Release);
    }

    #[allow(clippy::cast_possible_truncation, reason = "a remainder of the number of slots")]
    fn slot(&self, at: u64) -> &[AtomicU64; N] {
        &self.slots[(at & (self.slots.len() as u64 - 1)) as usize]
    }
}

/// One reader's place in one ring.
#[derive(Debug)]
pub(crate) struct Cursor<const N: usize = WORDS> {
    ring: Arc<Ring<N>>,
    next: u64,
}

impl<const N: usize> Cursor<N> {
    pub(crate) fn new(ring: Arc<Ring<N>>) -> Self {
        Cursor { ring, next: 0 }
    }

    /// Appends up to `limit` samples to `out`, read by `of`; returns how many were written over before they could be
    /// read.
    pub(crate) fn read<T>(&mut self, limit: usize, out: &mut Vec<T>, of: impl Fn([u64; N]) -> T) -> u64 {
        let (ring, from, capacity) = (&*self.ring, out.len(), self.ring.slots.len() as u64);
        let written = ring.written.load(Acquire);
        let first = self.next.max(written.saturating_sub(capacity));
        let end = written.min(first.saturating_add(limit as u64));
        out.extend((first..end).map(|at| of(std::array::from_fn(|word| ring.slot(at)[word].load(Relaxed)))));
        // Whoever wrote a word that was read above had begun by what is read below.
        fence(Acquire);
        let whole_from = ring.begun.load(Relaxed).saturating_sub(capacity).clamp(first, end);
        out.drain(from..from + usize::try_from(whole_from - first).unwrap_or(0));
        let lost = whole_from - self.next;
        self.next = end;
        lost
    }

    /// Whether there is and will be nothing more.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.ring.finished.load(Acquire) && self.ring.written.load(Relaxed) == self.next
    }
}

/// Rings on their way to a reader.
type Inbox = Mutex<Vec<Arc<Ring>>>;

/// All rings of a registry, and who reads them.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    /// Samples a ring; none are kept without.
    capacity: Option<usize>,
    rings: Vec<Weak<Ring>>,
    readers: Vec<Weak<Inbox>>,
}

impl Hub {
    pub(crate) fn keep(&mut self, capacity: usize) {
        self.capacity = Some(capacity);
    }

    /// A ring for one more thread, if samples are kept.
    pub(crate) fn ring(&mut self) -> Option<Arc<Ring>> {
        let ring = Arc::new(Ring::new(self.capacity?));
        self.rings.retain(|ring| ring.strong_count() > 0);
        self.rings.push(Arc::downgrade(&ring));
        self.readers.retain(|reader| match reader.upgrade() {
            Some(inbox) => {
                inbox.lock().push(Arc::clone(&ring));
                true
            }
            None => false,
        });
        Some(ring)
    }

    /// A reader of all rings that there are and will be. It sees what is written from now on, and of what was written
    /// before as much as the rings still hold.
    pub(crate) fn reader(&mut self) -> Reader {
        let inbox = Arc::new(Mutex::new(self.rings.iter().filter_map(Weak::upgrade).collect()));
        self.readers.push(Arc::downgrade(&inbox));
        Reader { inbox, cursors: Vec::new() }
    }
}

/// One reader's places in all rings.
#[derive(Debug)]
pub(crate) struct Reader {
    inbox: Arc<Inbox>,
    cursors: Vec<Cursor>,
}

impl Reader {
    /// Appends what is there to `out`, up to `limit` samples a thread; returns how many were written over before they
    /// could be read.
    pub(crate) fn read(&mut self, limit: usize, out: &mut Vec<Sample>) -> u64 {
        self.cursors.extend(self.inbox.lock().drain(..).map(Cursor::new));
        let lost = self.cursors.iter_mut().map(|cursor| cursor.read(limit, out, Sample::from_words)).sum();
        self.cursors.retain(|cursor| !cursor.is_exhausted());
        lost
    }
}

/// For `fuzz/`: what a lane reads of the samples of a registry, without the lane.
#[cfg(fuzzing)]
#[derive(Debug)]
pub struct Tape(Reader);

#[cfg(fuzzing)]
impl Tape {
    /// Sees what is written from now on, and what the rings still hold.
    pub fn of(registry: &crate::Registry) -> Self {
        Tape(registry.sample_reader())
    }

    /// Appends up to `limit` samples a thread; returns how many were written over.
    pub fn read(&mut self, limit: usize, out: &mut Vec<Sample>) -> u64 {
        self.0.read(limit, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample(number: u64) -> Sample {
        let trace = number
            .is_multiple_of(3)
            .then(|| TraceContext { trace_id: u128::from(number) << 64 | 5, span_id: number });
        Sample {
            series: SampleSeries((number % 7) | ((number % 5) << 60)),
            start_unix_ns: number,
            duration_ns: number * 2,
            bytes: number * 3,
            counted: number.is_multiple_of(2),
            trace: trace.filter(|_| number > 0),
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_once_and_in_order_or_counted(
            capacity in 1..40_usize, rounds in prop::collection::vec((0..60_u64, 0..50_usize), 0..20),
        ) {
            let mut hub = Hub::default();
            hub.keep(capacity);
            let (mut reader, ring) = (hub.reader(), hub.ring().unwrap());
            let (mut written, mut expected) = (0, 0);
            for (writes, limit) in rounds {
                for _ in 0..writes {
                    ring.push(sample(written).to_words());
                    written += 1;
                }
                let mut read = Vec::new();
                expected += reader.read(limit, &mut read);
                for got in read {
                    prop_assert_eq!(got, sample(expected));
                    expected += 1;
                }
                prop_assert!(limit < capacity.next_power_of_two() || expected == written);
            }
        }
    }

    #[test]
    fn a_ring_whose_thread_has_ended_is_read_to_its_end_and_forgotten() {
        let mut hub = Hub::default();
        hub.keep(4);
        let ring = hub.ring().unwrap();
        ring.push(sample(1).to_words());
        let mut reader = hub.reader();
        ring.push(sample(2).to_words());
        ring.finish();
        drop(ring);
        let mut read = Vec::new();
        assert_eq!(reader.read(1, &mut read), 0);
        assert_eq!((read.len(), reader.cursors.len()), (1, 1));
        assert_eq!(reader.read(1, &mut read), 0);
        assert_eq!(read, [sample(1), sample(2)]);
        assert!(reader.cursors.is_empty());
    }

    #[test]
    fn without_room_for_samples_there_is_no_ring() {
        assert!(Hub::default().ring().is_none());
    }
}

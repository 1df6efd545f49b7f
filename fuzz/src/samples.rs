//! What threads write is read once, in order, or counted as lost: by each reader.

use arbitrary::Arbitrary;
use barewire::{Metric, Registry, Sample, SampleSeries, Shard, Tape};

/// What happens next.
#[derive(Debug, Arbitrary)]
pub enum Step {
    Start,
    /// A thread, and how many it writes.
    Write(u8, u8),
    Finish(u8),
    Open,
    /// A reader, and how much it takes of a thread at most.
    Read(u8, u8),
}

/// A thread's shard, its number, and how many samples it wrote.
struct Thread {
    shard: Option<Shard>,
    written: u64,
}

/// A reader, the next sample that it may see of each thread, and what it saw and lost.
struct Reader {
    tape: Tape,
    next: Vec<u64>,
    read: u64,
    lost: u64,
    /// What threads had written that had gone before it came.
    missed: u64,
}

struct World {
    registry: Registry,
    series: SampleSeries,
    threads: Vec<Thread>,
    readers: Vec<Reader>,
}

/// Takes the steps, with rings of `capacity` samples, and reads all that is left.
///
/// # Panics
/// When a sample comes twice, late, changed, or is missing and not counted.
pub fn check(capacity: u8, steps: Vec<Step>) {
    let registry = Registry::new("fuzz");
    registry.keep_samples(capacity.into());
    let series = registry.sample_series(Metric::new("request"));
    let mut world = World { registry, series, threads: Vec::new(), readers: Vec::new() };
    steps.into_iter().for_each(|step| world.take(step));
    for reader in &mut world.readers {
        reader.read(usize::MAX);
        let written: u64 = world.threads.iter().map(|thread| thread.written).sum();
        let seen = reader.read + reader.lost;
        assert!((written - reader.missed..=written).contains(&seen), "{seen} of {written}");
    }
}

impl World {
    fn take(&mut self, step: Step) {
        match step {
            Step::Start => {
                let shard = Some(self.registry.shard());
                self.threads.push(Thread { shard, written: 0 });
            }
            Step::Write(at, count) => {
                let Some((number, thread)) = pick(&mut self.threads, at) else { return };
                let Some(shard) = &mut thread.shard else { return };
                for _ in 0..count {
                    shard.sample(sample(self.series, number, thread.written));
                    thread.written += 1;
                }
            }
            Step::Finish(at) => {
                if let Some((_, thread)) = pick(&mut self.threads, at) {
                    thread.shard = None;
                }
            }
            Step::Open => {
                let gone = self.threads.iter().filter(|thread| thread.shard.is_none());
                let missed = gone.map(|thread| thread.written).sum();
                let tape = Tape::of(&self.registry);
                self.readers.push(Reader { tape, next: Vec::new(), read: 0, lost: 0, missed });
            }
            Step::Read(at, limit) => {
                if let Some((_, reader)) = pick(&mut self.readers, at) {
                    reader.read(limit.into());
                }
            }
        }
    }
}

fn pick<T>(all: &mut [T], at: u8) -> Option<(u64, &mut T)> {
    let number = usize::from(at) % all.len().max(1);
    Some((number as u64, all.get_mut(number)?))
}

fn sample(series: SampleSeries, thread: u64, number: u64) -> Sample {
    Sample { series, start_unix_ns: thread, duration_ns: number, bytes: !number, counted: true, trace: None }
}

impl Reader {
    fn read(&mut self, limit: usize) {
        let mut samples = Vec::new();
        self.lost += self.tape.read(limit, &mut samples);
        self.read += samples.len() as u64;
        for found in samples {
            let Sample { series, start_unix_ns: thread, duration_ns: number, .. } = found;
            assert_eq!(found, sample(series, thread, number));
            let thread = usize::try_from(thread).expect("its number");
            self.next.resize(self.next.len().max(thread + 1), 0);
            assert!(number >= self.next[thread], "a sample came again");
            self.next[thread] = number + 1;
        }
    }
}

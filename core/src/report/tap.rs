//! Where the samples of a lane come from.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    Metric, Registry,
    record::sample::{Reader, Sample, Samples},
};

/// How often a lane looks for samples.
const INTERVAL: Duration = Duration::from_millis(10);

/// How long a receiver that does not take samples is left alone.
const PAUSE: Duration = Duration::from_secs(1);

/// How many samples of a thread are handed over at once.
const AT_ONCE: usize = 1024;

/// A lane's place in the rings of all threads.
#[derive(Debug)]
pub(crate) struct Tap {
    registry: Registry,
    reader: Reader,
    series: Arc<Vec<Arc<Metric>>>,
    samples: Vec<Sample>,
    /// When to look for samples the next time.
    pub(crate) look_at: Instant,
}

impl Tap {
    pub(crate) fn new(registry: &Registry) -> Self {
        Tap {
            registry: registry.clone(),
            reader: registry.sample_reader(),
            series: Arc::default(),
            samples: Vec::new(),
            look_at: Instant::now() + INTERVAL,
        }
    }

    /// Refills the samples; returns how many were written over before they could be read.
    pub(crate) fn read(&mut self) -> u64 {
        self.samples.clear();
        let lost = self.reader.read(AT_ONCE, &mut self.samples);
        let owner = self.registry.owner();
        self.samples.retain(|sample| owner.is_of(sample.series.0));
        let newest = self.samples.iter().map(|sample| sample.series.index()).max();
        // After the samples, so that it has what they name; and no lock as long as it does.
        if newest.is_some_and(|newest| newest >= self.series.len()) {
            self.series = self.registry.sampled();
        }
        lost
    }

    /// Throws away what is left, and says how much that was.
    pub(crate) fn abandon(&mut self) -> u64 {
        let mut lost = 0;
        loop {
            lost += self.read() + self.samples.len() as u64;
            if self.samples.is_empty() {
                return lost;
            }
        }
    }

    pub(crate) fn samples(&self) -> Samples<'_> {
        Samples { samples: &self.samples, series: &self.series }
    }

    /// Sets when to look the next time, after `count` samples were handed over or refused.
    pub(crate) fn rest(&mut self, count: usize, is_refused: bool, now: Instant) {
        self.look_at = now
            + match count {
                _ if is_refused => PAUSE,
                // At once where there may be more; events and snapshots that came meanwhile have their turn first.
                AT_ONCE.. => Duration::ZERO,
                _ => INTERVAL,
            };
    }
}

//! Whatever becomes of what a lane sends, nothing is lost uncounted and nothing is told twice.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use barewire::{
    Counter, Delivered, Distribution, Event, ExportError, Exporter, Histogram, LaneReport, Metric, Reading,
    Registry, Reporter, Reporting, Sample, SampleSeries, Samples, Shard, Snapshot,
};
use proptest::{collection::vec, prelude::*};

const PATIENCE: Duration = Duration::from_secs(60);

/// What becomes of one call.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Taken,
    /// Of samples: all but every third.
    Rejected,
    Failed,
    TimedOut,
    Throttled,
    /// Late enough to miss ticks.
    Slow,
    Panic,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        8 => Just(Fate::Taken),
        2 => Just(Fate::Rejected),
        2 => Just(Fate::Failed),
        1 => Just(Fate::TimedOut),
        1 => Just(Fate::Throttled),
        1 => Just(Fate::Slow),
        // Rare, for it ends everything.
        1 => prop_oneof![40 => Just(Fate::Failed), 1 => Just(Fate::Panic)],
    ]
}

/// What the receiver of an interval format has got.
#[derive(Debug, Default)]
struct Got {
    hits: u64,
    took: Distribution,
    events: Vec<u64>,
    samples: Vec<u64>,
    /// What was true at the snapshot that was delivered last.
    at: u64,
    took_at: Distribution,
}

/// Subtracts what it delivered last, and does what the script says, over and over.
struct Scripted {
    script: Vec<Fate>,
    calls: usize,
    delivered: Option<Arc<Snapshot>>,
    got: Arc<Mutex<Got>>,
}

impl Scripted {
    fn new(script: &[Fate], got: &Arc<Mutex<Got>>) -> Self {
        Scripted { script: script.to_vec(), calls: 0, delivered: None, got: Arc::clone(got) }
    }

    /// Whether this call is taken, and whether all of it.
    fn call(&mut self) -> Result<bool, ExportError> {
        let fate = self.script[self.calls % self.script.len()];
        self.calls += 1;
        match fate {
            Fate::Taken => Ok(true),
            Fate::Rejected => Ok(false),
            Fate::Failed => Err(ExportError::Failed("refused".to_owned())),
            Fate::TimedOut => Err(ExportError::TimedOut("reading".to_owned())),
            Fate::Throttled => Err(ExportError::Throttled),
            Fate::Slow => {
                thread::sleep(Duration::from_millis(5));
                Ok(true)
            }
            Fate::Panic => panic!("no such luck"),
        }
    }
}

impl Exporter for Scripted {
    fn name(&self) -> &str {
        "scripted"
    }

    fn export(&mut self, snapshot: &Arc<Snapshot>, _: Instant) -> Result<Delivered, ExportError> {
        self.call()?;
        let mut got = self.got.lock().unwrap();
        let window = snapshot.since(self.delivered.as_deref());
        let mut took = Distribution::default();
        for series in snapshot.series() {
            got.hits += window.counter(series);
            window.histogram_into(series, &mut took);
            got.took.merge(&took);
        }
        got.at = snapshot.counter("hits");
        let histogram =
            |series| if let Reading::Histogram(all) = snapshot.read(series) { Some(all) } else { None };
        got.took_at = snapshot.series().iter().find_map(histogram).cloned().unwrap_or_default();
        self.delivered = Some(Arc::clone(snapshot));
        Ok(Delivered { points: 2, ..Delivered::default() })
    }

    fn event(&mut self, event: &Event, _: Instant) -> Result<Delivered, ExportError> {
        if !self.call()? {
            return Ok(Delivered { left_out: 1, ..Delivered::default() });
        }
        self.got.lock().unwrap().events.push(event.time_unix_ns);
        Ok(Delivered { points: 1, ..Delivered::default() })
    }

    fn wants_samples(&self) -> bool {
        true
    }

    fn samples(&mut self, samples: Samples<'_>, _: Instant) -> Result<Delivered, ExportError> {
        let takes_all = self.call()?;
        let numbers = samples.iter().map(|(_, sample)| sample.start_unix_ns);
        let taken: Vec<u64> = numbers.filter(|number| takes_all || !number.is_multiple_of(3)).collect();
        let points = taken.len() as u64;
        self.got.lock().unwrap().samples.extend(taken);
        Ok(Delivered { points, left_out: samples.len() as u64 - points, ..Delivered::default() })
    }
}

/// What the program does next.
#[derive(Debug, Clone, Copy)]
enum Step {
    Count(u64),
    Tell,
    Sample(u64),
    Wait,
    /// Stops the reporter, and starts another with new exporters.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..1000_u64).prop_map(Step::Count),
        3 => Just(Step::Tell),
        3 => (1..80_u64).prop_map(Step::Sample),
        4 => Just(Step::Wait),
        1 => Just(Step::Restart),
    ]
}

/// A reporter at work, and what its receivers got of it.
struct Life {
    reporting: Reporting,
    got: Vec<Arc<Mutex<Got>>>,
    offered: Arc<AtomicU64>,
    events: u64,
    samples: u64,
}

struct World {
    registry: Registry,
    hits: Counter,
    took: Histogram,
    series: SampleSeries,
    shard: Shard,
    counted: u64,
    recorded: Distribution,
    told: u64,
    sampled: u64,
}

impl World {
    fn new() -> Self {
        let registry = Registry::new("test");
        registry.keep_samples(32);
        World {
            hits: registry.counter(Metric::new("hits")),
            took: registry.histogram(Metric::new("took")),
            series: registry.sample_series(Metric::new("request")),
            shard: registry.shard(),
            registry,
            counted: 0,
            recorded: Distribution::default(),
            told: 0,
            sampled: 0,
        }
    }

    fn begin(&self, scripts: &[Vec<Fate>]) -> Life {
        let got: Vec<_> = scripts.iter().map(|_| Arc::default()).collect();
        let offered = Arc::new(AtomicU64::new(0));
        let reporter = Reporter::every(Duration::from_millis(1)).observe({
            let offered = Arc::clone(&offered);
            move || _ = offered.fetch_add(1, SeqCst)
        });
        let exporters = scripts.iter().zip(&got).map(|(script, got)| Scripted::new(script, got));
        let reporting = exporters.fold(reporter, Reporter::export).start(&self.registry);
        Life { reporting, got, offered, events: 0, samples: 0 }
    }

    fn take(&mut self, step: Step, life: &mut Life) {
        match step {
            Step::Count(n) => {
                self.shard.add(self.hits, n);
                self.shard.record(self.took, n);
                self.counted += n;
                self.recorded.record(n);
            }
            Step::Tell => {
                self.told += 1;
                life.events += 1;
                life.reporting.event(&Event::new("test", self.told));
            }
            Step::Sample(count) => {
                for _ in 0..count {
                    self.sampled += 1;
                    life.samples += 1;
                    self.shard.sample(Sample {
                        series: self.series,
                        start_unix_ns: self.sampled,
                        duration_ns: 1,
                        bytes: 0,
                        counted: true,
                        trace: None,
                    });
                }
            }
            Step::Wait => thread::sleep(Duration::from_millis(2)),
            Step::Restart => {}
        }
    }

    fn end(&self, life: Life) {
        // One may be on its way to the lane, one on its desk, one in its hands.
        let offered = life.offered.load(SeqCst);
        for lane in life.reporting.lanes() {
            assert!(settled(&lane) + 3 >= offered, "{lane:?} of {offered}");
        }
        let report = life.reporting.stop(PATIENCE);
        for (lane, got) in report.lanes.iter().zip(&life.got) {
            self.check(lane, &got.lock().unwrap(), [life.offered.load(SeqCst), life.events, life.samples]);
        }
    }

    fn check(&self, lane: &LaneReport, got: &Got, [offered, events, samples]: [u64; 3]) {
        assert_eq!(settled(lane), offered, "{lane:?}");
        assert_eq!(lane.points, 2 * lane.sent);
        // Deltas add up to what was true when the last of them was delivered; a snapshot between a count and the record
        // after it has one of the two.
        assert_eq!((got.hits, got.took.sum()), (got.at, got.took_at.sum()));
        assert!(got.took.buckets().eq(got.took_at.buckets()));
        if lane.complete {
            assert_eq!((got.at, got.took.count()), (self.counted, self.recorded.count()));
            assert!(got.took.buckets().eq(self.recorded.buckets()));
        }
        assert_eq!(lane.events + lane.events_lost, events, "{lane:?}");
        assert_eq!(lane.events, got.events.len() as u64);
        assert!(got.events.is_sorted_by(|one, next| one < next), "{:?}", got.events);
        // A later life finds what the ring still holds of the one before.
        assert!((samples..=self.sampled).contains(&(lane.samples + lane.samples_lost)), "{lane:?}");
        assert_eq!(lane.samples, got.samples.len() as u64);
        assert!(got.samples.is_sorted_by(|one, next| one < next), "{:?}", got.samples);
    }
}

/// The snapshots of which it is known what became of them.
fn settled(lane: &LaneReport) -> u64 {
    lane.sent + lane.dropped + lane.failed + lane.timed_out
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(if cfg!(miri) { 1 } else { 48 }) })]

    #[test]
    fn whatever_is_offered_is_delivered_once_or_counted(
        scripts in vec(vec(fate(), 1..12), 1..3), steps in vec(step(), 0..40),
    ) {
        let mut world = World::new();
        let mut life = world.begin(&scripts);
        for step in steps {
            world.take(step, &mut life);
            if let Step::Restart = step {
                world.end(life);
                life = world.begin(&scripts);
            }
        }
        world.end(life);
    }
}

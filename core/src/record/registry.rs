//! Which series there are, and the way to everything they counted.

use std::{
    collections::HashMap,
    fmt,
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use super::{
    metric::{Label, LabelValue, Metric, Precision, Unit},
    owner::Owner,
    sample::{Hub, Reader, SampleSeries},
    sampler::Sampler,
    shard::{Counter, Gauge, Histogram, Room, Shard},
    snapshot::{Series, Slot, Snapshot},
};
use crate::sync::{Mutex, MutexGuard};

/// What the series past the budget are called, and the value of each of their labels.
pub const OVERFLOW: &str = "_other";

/// How many series a registry has room for, unless told otherwise.
pub const DEFAULT_BUDGET: usize = 10_000;

/// Names that may come past the budget and still have an overflow series of their own, as long as they are no more than
/// the budget has series.
const SPARE_NAMES: usize = 256;

/// Overflow series of a name that are told apart by the keys of their labels.
const MAX_SHAPES: usize = 4;

/// How many shards may come between two looks at which of them have finished.
const ARRIVALS: usize = 64;

/// All series of a program or a part of one. A clone is the same registry.
///
/// Registering and taking snapshots take a lock; counting, by a [`Shard`], takes none.
///
/// ```
/// use barewire::{Metric, Registry};
///
/// let registry = Registry::new("checkout");
/// let hits = registry.counter(Metric::new("hits").label("route", "/checkout"));
/// let mut shard = registry.shard();
/// shard.add(hits, 3);
/// assert_eq!(registry.snapshot().counter("hits"), 3);
/// ```
#[derive(Clone)]
pub struct Registry {
    inner: Arc<Inner>,
}

struct Inner {
    /// Whose handles are ours.
    owner: Owner,
    start: Instant,
    start_unix_ns: u64,
    schema: Mutex<Schema>,
    /// Shards that the sampler does not know yet.
    arrivals: Mutex<Vec<Arc<Room>>>,
    sampler: Mutex<Sampler>,
    samples: Mutex<Hub>,
}

impl Registry {
    /// A registry of the service called `service`, with room for [`DEFAULT_BUDGET`] series. Its start, which
    /// cumulative formats send along with every point, is now.
    pub fn new(service: impl Into<String>) -> Self {
        Registry::with_budget(service, DEFAULT_BUDGET)
    }

    /// The same with room for `budget` series. Whatever is registered past it counts into a series of the same
    /// name whose labels are all [`OVERFLOW`], and [`Registry::folded`] counts the registration.
    pub fn with_budget(service: impl Into<String>, budget: usize) -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let service: String = service.into();
        let inner = Inner {
            owner: Owner::next(),
            start: Instant::now(),
            start_unix_ns: u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX),
            schema: Mutex::new(Schema::new(budget, Label::new("service.name", service))),
            arrivals: Mutex::default(),
            sampler: Mutex::default(),
            samples: Mutex::default(),
        };
        Registry { inner: Arc::new(inner) }
    }

    /// Adds room for `series` more, for a part of the program that knows how many it will register, whatever room others
    /// need. [`Registry::sample_series`] have as much more room.
    pub fn extend_budget(&self, series: usize) {
        let mut schema = self.inner.schema.lock();
        schema.budget = schema.budget.saturating_add(series);
    }

    /// Sets a label of the resource: of who is counting, not of what is counted.
    pub fn resource(&self, key: impl Into<String>, value: impl Into<LabelValue>) {
        self.inner.schema.lock().set_resource(Label::new(key, value));
    }

    /// The counter `metric`. Registering the same name and labels again gives the same counter.
    pub fn counter(&self, metric: Metric) -> Counter {
        let slot = self.inner.schema.lock().register(metric, Kind::Counter);
        let Slot::Counter(at) = slot else { unreachable!("a counter was asked for") };
        Counter(self.inner.owner.handle(at))
    }

    /// The gauge `metric`. Registering the same name and labels again gives the same gauge.
    pub fn gauge(&self, metric: Metric) -> Gauge {
        let slot = self.inner.schema.lock().register(metric, Kind::Gauge);
        let Slot::Gauge(at) = slot else { unreachable!("a gauge was asked for") };
        Gauge(self.inner.owner.handle(at))
    }

    /// The histogram `metric`. Registering the same name and labels again gives the same histogram.
    pub fn histogram(&self, metric: Metric) -> Histogram {
        let slot = self.inner.schema.lock().register(metric, Kind::Histogram);
        let Slot::Histogram(at) = slot else { unreachable!("a histogram was asked for") };
        Histogram(self.inner.owner.handle(at))
    }

    /// Keeps the last `per_thread` samples of every shard that is made from now on, for exporters that want them. Each
    /// costs 64 bytes; exporters look every 10 ms.
    pub fn keep_samples(&self, per_thread: usize) {
        self.inner.samples.lock().keep(per_thread);
    }

    /// What samples called like `metric` belong to. Registering the same name and labels again gives the same series.
    /// As many as series of metrics have room; past that, the samples of a name go to one whose labels are all
    /// [`OVERFLOW`].
    pub fn sample_series(&self, metric: Metric) -> SampleSeries {
        let at = self.inner.schema.lock().register_samples(metric);
        SampleSeries(self.inner.owner.handle(at))
    }

    /// A shard for one more thread, now or at any later time.
    pub fn shard(&self) -> Shard {
        let room = Arc::new(Room::default());
        let mut arrivals = self.inner.arrivals.lock();
        arrivals.push(Arc::clone(&room));
        let many = arrivals.len() >= ARRIVALS;
        drop(arrivals);
        if many {
            self.retire();
        }
        let samples = self.inner.samples.lock().ring();
        Shard::new(self.clone(), room, samples)
    }

    /// What is true now, over all shards, living and finished.
    ///
    /// A value that another thread records meanwhile may be in a histogram's sum and not yet in its buckets, or the
    /// other way round; the next snapshot has both.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        let mut sampler = self.inner.sampler.lock();
        let schema = self.catch_up(&mut sampler);
        let (gauges, series, resource) =
            (schema.gauges, Arc::clone(&schema.series), Arc::clone(&schema.resource));
        let folded = schema.folded;
        drop(schema);
        sampler.retire();
        sampler.sample(gauges, |snapshot| {
            snapshot.start_unix_ns = self.inner.start_unix_ns;
            snapshot.elapsed_ns = self.elapsed_ns();
            snapshot.series = series;
            snapshot.folded = folded;
            snapshot.resource = resource;
        })
    }

    /// Nanoseconds since the registry was made, by the monotonic clock.
    pub fn elapsed_ns(&self) -> u64 {
        u64::try_from(self.inner.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// When the registry was made, in nanoseconds since the Unix epoch.
    pub fn start_unix_ns(&self) -> u64 {
        self.inner.start_unix_ns
    }

    /// How many registrations were folded into an [`OVERFLOW`] series: because the budget was spent, or because
    /// the name belongs to a metric of another kind or unit.
    pub fn folded(&self) -> u64 {
        self.inner.schema.lock().folded
    }

    /// What the next snapshot will say of who is counting.
    pub(crate) fn present_resource(&self) -> Arc<[Label]> {
        Arc::clone(&self.inner.schema.lock().resource)
    }

    pub(crate) fn sample_reader(&self) -> Reader {
        self.inner.samples.lock().reader()
    }

    /// The series of samples, by number. Later lists only append.
    pub(crate) fn sampled(&self) -> Arc<Vec<Arc<Metric>>> {
        Arc::clone(&self.inner.schema.lock().sampled)
    }

    /// Reads one shard out of turn, before its buckets can wrap.
    #[cold]
    pub(crate) fn read_lap(&self, room: &Arc<Room>) {
        let mut sampler = self.inner.sampler.lock();
        drop(self.catch_up(&mut sampler));
        sampler.read_lap(room);
    }

    pub(crate) fn owner(&self) -> Owner {
        self.inner.owner
    }

    pub(crate) fn precision(&self, histogram: usize) -> Option<Precision> {
        self.inner.schema.lock().histograms.get(histogram).copied()
    }

    pub(crate) fn knows_counter(&self, counter: usize) -> bool {
        counter < self.inner.schema.lock().counters
    }

    pub(crate) fn knows_gauge(&self, gauge: usize) -> bool {
        gauge < self.inner.schema.lock().gauges
    }

    /// Folds the counts of finished shards into the totals, so that a program which takes no snapshot keeps no more
    /// than its living shards.
    #[cold]
    fn retire(&self) {
        let mut sampler = self.inner.sampler.lock();
        drop(self.catch_up(&mut sampler));
        sampler.retire();
    }

    /// Tells the sampler which shards came, which have finished, and of which series; in this order, because a shard
    /// counts only what was registered before it finished.
    fn catch_up(&self, sampler: &mut Sampler) -> MutexGuard<'_, Schema> {
        for room in self.inner.arrivals.lock().drain(..) {
            sampler.admit(room);
        }
        sampler.note_finished();
        let schema = self.inner.schema.lock();
        sampler.fit(schema.counters, &schema.histograms);
        schema
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let series = self.inner.schema.lock().series.len();
        f.debug_struct("Registry").field("series", &series).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    /// The name of the one series that takes what nothing else can.
    fn last_resort(self) -> String {
        let kind = match self {
            Kind::Counter => "counters",
            Kind::Gauge => "gauges",
            Kind::Histogram => "histograms",
        };
        format!("{OVERFLOW}.{kind}")
    }
}

/// The series by number and by name.
struct Schema {
    budget: usize,
    folded: u64,
    resource: Arc<[Label]>,
    series: Arc<Vec<Series>>,
    known: HashMap<Identity, Slot>,
    families: HashMap<String, Family>,
    /// How many of the names came past the budget.
    spare_names: usize,
    counters: usize,
    gauges: usize,
    histograms: Vec<Precision>,
    /// The series of samples: a number of their own, and the same budget.
    sampled: Arc<Vec<Arc<Metric>>>,
    known_samples: HashMap<Identity, usize>,
}

/// All series of one name.
struct Family {
    /// As its first metric has them, for all others.
    kind: Kind,
    unit: Unit,
    /// Those that take what came past the budget.
    overflows: Vec<Slot>,
}

impl Family {
    fn of(metric: &Metric, kind: Kind) -> Self {
        Family { kind, unit: metric.unit.clone(), overflows: Vec::new() }
    }

    fn admits(&self, metric: &Metric, kind: Kind) -> bool {
        self.kind == kind && self.unit == metric.unit
    }
}

#[derive(PartialEq, Eq, Hash)]
struct Identity {
    name: String,
    labels: Vec<Label>,
}

impl Identity {
    /// Two metrics are one series whatever the order of their labels.
    fn of(metric: &Metric) -> Self {
        let mut labels = metric.labels.clone();
        labels.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        Identity { name: metric.name.clone(), labels }
    }
}

impl Schema {
    fn new(budget: usize, service: Label) -> Self {
        // Taken from the beginning, so that no metric of another kind gets there first.
        let reserved = [Kind::Counter, Kind::Gauge, Kind::Histogram];
        Schema {
            budget,
            folded: 0,
            resource: Arc::new([service]),
            series: Arc::default(),
            known: HashMap::new(),
            families: reserved.map(|kind| (kind.last_resort(), Family::of(&Metric::new(""), kind))).into(),
            spare_names: 0,
            counters: 0,
            gauges: 0,
            histograms: Vec::new(),
            sampled: Arc::default(),
            known_samples: HashMap::new(),
        }
    }

    fn set_resource(&mut self, label: Label) {
        let mut labels = self.resource.to_vec();
        labels.retain(|known| known.key != label.key);
        labels.push(label);
        self.resource = labels.into();
    }

    fn register(&mut self, metric: Metric, kind: Kind) -> Slot {
        if self.families.get(&metric.name).is_some_and(|family| !family.admits(&metric, kind)) {
            self.folded += 1;
            return self.register_last_resort(&metric, kind);
        }
        if let Some(slot) = self.known.get(&Identity::of(&metric)) {
            return *slot;
        }
        if self.series.len() < self.budget {
            self.families.entry(metric.name.clone()).or_insert_with(|| Family::of(&metric, kind));
            return self.append(metric, kind);
        }
        self.folded += 1;
        self.register_overflow(metric, kind)
    }

    fn register_samples(&mut self, mut metric: Metric) -> usize {
        if let Some(series) = self.known_samples.get(&Identity::of(&metric)) {
            return *series;
        }
        let mut room = self.budget;
        if self.sampled.len() >= self.budget {
            self.folded += 1;
            metric.labels.iter_mut().for_each(|label| label.value = OVERFLOW.into());
            if let Some(series) = self.known_samples.get(&Identity::of(&metric)) {
                return *series;
            }
            room *= 2;
        }
        if self.sampled.len() >= room {
            metric = Metric::new(OVERFLOW);
        }
        let next = self.sampled.len();
        let series = *self.known_samples.entry(Identity::of(&metric)).or_insert(next);
        if series == next {
            Arc::make_mut(&mut self.sampled).push(Arc::new(metric));
        }
        series
    }

    /// The overflow series of the metric's own name. A name that is new past the budget has one too, as long as such names
    /// are few.
    fn register_overflow(&mut self, mut metric: Metric, kind: Kind) -> Slot {
        if !self.families.contains_key(&metric.name) {
            if self.spare_names >= self.budget.min(SPARE_NAMES) {
                return self.register_last_resort(&metric, kind);
            }
            self.spare_names += 1;
            self.families.insert(metric.name.clone(), Family::of(&metric, kind));
        }
        for label in &mut metric.labels {
            label.value = OVERFLOW.into();
        }
        if let Some(slot) = self.known.get(&Identity::of(&metric)) {
            return *slot;
        }
        let overflows = &self.families[&metric.name].overflows;
        if overflows.len() >= MAX_SHAPES {
            return overflows[0];
        }
        let name = metric.name.clone();
        let slot = self.append(metric, kind);
        self.families.entry(name).and_modify(|family| family.overflows.push(slot));
        slot
    }

    /// The series of [`Kind::last_resort`].
    fn register_last_resort(&mut self, metric: &Metric, kind: Kind) -> Slot {
        let fallback = Metric::new(kind.last_resort())
            .help("What was registered past the budget of series, or under a name of another kind or unit.");
        match self.known.get(&Identity::of(&fallback)) {
            Some(slot) => *slot,
            None => self.append(fallback.precision(metric.precision), kind),
        }
    }

    fn append(&mut self, metric: Metric, kind: Kind) -> Slot {
        let slot = match kind {
            Kind::Counter => Slot::Counter(self.counters),
            Kind::Gauge => Slot::Gauge(self.gauges),
            Kind::Histogram => Slot::Histogram(self.histograms.len()),
        };
        match kind {
            Kind::Counter => self.counters += 1,
            Kind::Gauge => self.gauges += 1,
            Kind::Histogram => self.histograms.push(metric.precision),
        }
        self.known.insert(Identity::of(&metric), slot);
        Arc::make_mut(&mut self.series).push(Series { metric: Arc::new(metric), slot });
        slot
    }
}

//! What was true at one instant, for everyone who wants to know.

use std::sync::Arc;

use super::{
    distribution::Distribution,
    metric::{Label, Metric, Precision},
};

/// All series of a registry at one instant, counted from its start. Nothing in it changes any more, so it is
/// shared by reference; an older one plus what came since is a newer one.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    pub(crate) start_unix_ns: u64,
    pub(crate) elapsed_ns: u64,
    pub(crate) folded: u64,
    pub(crate) resource: Arc<[Label]>,
    pub(crate) series: Arc<Vec<Series>>,
    pub(crate) counters: Vec<u64>,
    pub(crate) gauges: Vec<f64>,
    pub(crate) histograms: Vec<Arc<Distribution>>,
}

/// One series: what it is called, and where its reading is.
#[derive(Debug, Clone)]
pub struct Series {
    /// Name, unit, help and labels.
    pub metric: Arc<Metric>,
    pub(crate) slot: Slot,
}

/// The kind of a series, and its place among those of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    Counter(usize),
    Gauge(usize),
    Histogram(usize),
}

/// What a series says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reading<'a> {
    /// The sum of everything added, modulo 2^64.
    Counter(u64),
    /// The sum of what each shard set last; `None` as long as none did.
    Gauge(Option<f64>),
    /// Everything recorded.
    Histogram(&'a Distribution),
}

impl Snapshot {
    /// When the registry was made, in nanoseconds since the Unix epoch. The same for its whole life.
    pub fn start_unix_ns(&self) -> u64 {
        self.start_unix_ns
    }

    /// When this was true, in nanoseconds since the Unix epoch: the start plus the elapsed time, so it never runs
    /// backwards, whatever is done to the clock on the wall.
    pub fn unix_ns(&self) -> u64 {
        self.start_unix_ns.saturating_add(self.elapsed_ns)
    }

    /// When this was true, in nanoseconds since the registry was made, by the monotonic clock.
    pub fn elapsed_ns(&self) -> u64 {
        self.elapsed_ns
    }

    /// How many registrations were folded into series of others by then, as [`Registry::folded`] has it.
    ///
    /// [`Registry::folded`]: crate::Registry::folded
    pub fn folded(&self) -> u64 {
        self.folded
    }

    /// Who is counting: the registry's resource labels.
    pub fn resource(&self) -> &Arc<[Label]> {
        &self.resource
    }

    /// All series, in the order in which they were registered. Later snapshots of the same registry only append.
    pub fn series(&self) -> &[Series] {
        &self.series
    }

    /// What `series`, one of this registry's, says; one that came after this snapshot says nothing yet.
    pub fn read(&self, series: &Series) -> Reading<'_> {
        static NOTHING: Distribution = Distribution::new(Precision::Two);
        match series.slot {
            Slot::Counter(at) => Reading::Counter(self.counters.get(at).copied().unwrap_or(0)),
            Slot::Gauge(at) => Reading::Gauge(self.gauges.get(at).copied().filter(|value| !value.is_nan())),
            Slot::Histogram(at) => Reading::Histogram(self.histograms.get(at).map_or(&NOTHING, Arc::as_ref)),
        }
    }

    /// All readings, in the order in which the series were registered.
    pub fn readings(&self) -> impl Iterator<Item = (&Arc<Metric>, Reading<'_>)> {
        self.series.iter().map(|series| (&series.metric, self.read(series)))
    }

    /// The sum of all counters called `name`; 0 where there is none, which [`Snapshot::try_counter`] tells apart.
    pub fn counter(&self, name: &str) -> u64 {
        self.try_counter(name).unwrap_or(0)
    }

    /// The sum of all counters called `name`, or `None` if no counter is called so.
    ///
    /// ```
    /// use barewire::{Metric, Registry};
    ///
    /// let registry = Registry::new("checkout");
    /// registry.counter(Metric::new("hits"));
    /// let snapshot = registry.snapshot();
    /// assert_eq!((snapshot.try_counter("hits"), snapshot.try_counter("hist")), (Some(0), None));
    /// ```
    pub fn try_counter(&self, name: &str) -> Option<u64> {
        let named = self.readings().filter(|(metric, _)| metric.name == name);
        let counts = named.filter_map(|(_, reading)| match reading {
            Reading::Counter(count) => Some(count),
            _ => None,
        });
        counts.reduce(u64::wrapping_add)
    }

    /// The same, counted since `earlier`, an earlier snapshot of the same registry, or since the start.
    pub fn since<'a>(&'a self, earlier: Option<&'a Snapshot>) -> Window<'a> {
        Window { now: self, earlier }
    }
}

/// What happened between two snapshots of one registry.
#[derive(Debug, Clone, Copy)]
pub struct Window<'a> {
    now: &'a Snapshot,
    earlier: Option<&'a Snapshot>,
}

impl Window<'_> {
    /// How long it was, as measured.
    pub fn elapsed_ns(&self) -> u64 {
        self.now.elapsed_ns.saturating_sub(self.earlier.map_or(0, |earlier| earlier.elapsed_ns))
    }

    /// When it began, in nanoseconds since the Unix epoch.
    pub fn start_unix_ns(&self) -> u64 {
        self.earlier.map_or(self.now.start_unix_ns, Snapshot::unix_ns)
    }

    /// How much was added to the counter `series`; 0 for a series of another kind.
    pub fn counter(&self, series: &Series) -> u64 {
        let Slot::Counter(at) = series.slot else { return 0 };
        let before = self.earlier_of(|earlier| earlier.counters.get(at).copied());
        let now = self.now.counters.get(at).copied();
        now.unwrap_or(0).wrapping_sub(before.unwrap_or(0))
    }

    /// Refills `out` with what was recorded to the histogram `series`; with nothing for a series of another kind.
    pub fn histogram_into(&self, series: &Series, out: &mut Distribution) {
        let Slot::Histogram(at) = series.slot else { return out.clear() };
        let Some(now) = self.now.histograms.get(at) else { return out.clear() };
        let earlier = self.earlier_of(|earlier| earlier.histograms.get(at));
        match earlier {
            Some(earlier) if Arc::ptr_eq(earlier, now) => out.reset(now.precision()),
            _ => now.since_into(earlier.map(Arc::as_ref), out),
        }
    }

    fn earlier_of<'a, T>(&'a self, of: impl FnOnce(&'a Snapshot) -> Option<T>) -> Option<T> {
        self.earlier.and_then(of)
    }
}

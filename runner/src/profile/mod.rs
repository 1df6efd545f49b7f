//! Vocabularies: the names, kinds, units and labels under which a run is shown.
//!
//! A profile is a table. It changes what a backend sees of a run, and nothing of what is counted.

mod barewire;
mod loaddensity;
mod loadpilot;
pub(crate) mod locust_telemetry;
#[cfg(test)]
mod scene;
mod tigrister;

use std::{fmt, str::FromStr, time::Duration};

use ::barewire::view::{SampleRule, Shape, Temporality, View};

use crate::plan::Workload;

/// By which names a run is shown.
///
/// ```
/// use barewire_runner::Profile;
///
/// assert_eq!("tigrister".parse::<Profile>()?, Profile::Tigrister);
/// let unknown = "k6".parse::<Profile>().unwrap_err();
/// assert_eq!(
///     unknown,
///     "unknown profile 'k6': the profiles are barewire, tigrister, loaddensity, loadpilot, locust-telemetry"
/// );
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Profile {
    /// OpenTelemetry's semantic conventions; everything that is counted, in mergeable form.
    #[default]
    Barewire,
    /// The gauges, sums and resource that Tigrister's runner streams, with a family a step.
    Tigrister,
    /// LoadDensity's counters and histograms, and each request by itself on DogStatsD and InfluxDB.
    LoadDensity,
    /// The gauges and counters of LoadPilot's page, with a family a task.
    LoadPilot,
    /// The histograms, events and usage that Locust Telemetry's OpenTelemetry recorder has.
    LocustTelemetry,
}

/// The wire on which a vocabulary is shown: names and shapes may differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wire {
    /// OTLP.
    Otlp,
    /// DogStatsD: counts since the last delivery.
    Statsd,
    /// InfluxDB line protocol.
    Influx,
    /// Prometheus text.
    Prometheus,
}

/// Names that may be set, each in the place of the vocabulary's own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    /// The beginning of the names of [`Profile::LoadDensity`], which is `loaddensity`.
    pub prefix: Option<String>,
    /// The `service.name` of the resource.
    pub service: Option<String>,
}

impl Profile {
    /// All of them.
    pub const ALL: [Profile; 5] = [
        Profile::Barewire,
        Profile::Tigrister,
        Profile::LoadDensity,
        Profile::LoadPilot,
        Profile::LocustTelemetry,
    ];

    /// As `--profile` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Barewire => "barewire",
            Profile::Tigrister => "tigrister",
            Profile::LoadDensity => "loaddensity",
            Profile::LoadPilot => "loadpilot",
            Profile::LocustTelemetry => "locust-telemetry",
        }
    }

    /// The port of loopback at which scrapers look for a page in this vocabulary by default, if it has one.
    pub fn page_port(self) -> Option<u16> {
        match self {
            Profile::LoadPilot => Some(9090),
            Profile::LoadDensity => Some(9646),
            _ => None,
        }
    }

    /// How often a run is pushed by OTLP in this vocabulary, unless told otherwise.
    pub fn otlp_interval(self) -> Duration {
        Duration::from_secs(if self == Profile::LoadDensity { 5 } else { 1 })
    }

    /// The view that shows a run of `workload` by this vocabulary on `wire`.
    pub fn view(self, workload: &Workload, wire: Wire) -> View {
        self.view_as(workload, wire, &Names::default())
    }

    /// The same under other `names`.
    pub fn view_as(self, workload: &Workload, wire: Wire, names: &Names) -> View {
        let view = match self {
            Profile::Barewire => barewire::view(),
            Profile::Tigrister => tigrister::view(workload),
            Profile::LoadDensity => loaddensity::view(wire, names),
            Profile::LoadPilot => loadpilot::view(workload),
            Profile::LocustTelemetry => locust_telemetry::view(wire),
        };
        let view = match &names.service {
            Some(service) => view.resource("service.name", service.as_str()),
            None => view,
        };
        match wire {
            Wire::Otlp => view,
            Wire::Statsd => view.histograms(Shape::Recorded).temporality(Temporality::Delta),
            Wire::Influx => view.histograms(Shape::Recorded),
            Wire::Prometheus => view.histograms(Shape::Explicit),
        }
    }

    /// How `wire` tells of each request under this vocabulary; `None` where it does not.
    pub fn samples(self, wire: Wire) -> Option<SampleRule> {
        self.samples_as(wire, &Names::default())
    }

    /// The same under other `names`.
    pub fn samples_as(self, wire: Wire, names: &Names) -> Option<SampleRule> {
        match self {
            Profile::LoadDensity => loaddensity::samples(wire, names),
            _ => None,
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Profile::ALL.into_iter().find(|profile| profile.name() == name).ok_or_else(|| {
            let known = Profile::ALL.map(Profile::name).join(", ");
            format!("unknown profile '{name}': the profiles are {known}")
        })
    }
}

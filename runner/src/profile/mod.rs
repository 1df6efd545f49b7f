//! Vocabularies: the names, kinds, units and labels under which a run is shown.
//!
//! A profile is a table. It changes what a backend sees of a run, and nothing of what is counted.

mod barewire;
mod tigrister;

use std::{fmt, str::FromStr};

use ::barewire::view::{SampleRule, Shape, Temporality, View};

use crate::plan::Workload;

/// By which names a run is shown.
///
/// ```
/// use barewire_runner::Profile;
///
/// assert_eq!("tigrister".parse::<Profile>()?, Profile::Tigrister);
/// let unknown = "k6".parse::<Profile>().unwrap_err();
/// assert_eq!(unknown, "unknown profile 'k6': the profiles are barewire, tigrister");
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Profile {
    /// OpenTelemetry's semantic conventions; everything that is counted, in mergeable form.
    #[default]
    Barewire,
    /// The gauges, sums and resource that Tigrister's runner streams, with a family a step.
    Tigrister,
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

impl Profile {
    /// All of them.
    pub const ALL: [Profile; 2] = [Profile::Barewire, Profile::Tigrister];

    /// As `--profile` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Barewire => "barewire",
            Profile::Tigrister => "tigrister",
        }
    }

    /// The view that shows a run of `workload` by this vocabulary on `wire`.
    pub fn view(self, workload: &Workload, wire: Wire) -> View {
        let view = match self {
            Profile::Barewire => barewire::view(),
            Profile::Tigrister => tigrister::view(workload),
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
        match (self, wire) {
            (Profile::Barewire | Profile::Tigrister, _) => None,
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

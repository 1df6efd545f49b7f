//! `--statsd`.

use barewire_runner::{Wire, Workload};
use barewire_statsd::Statsd;

use super::{
    flag,
    settings::{Name, Settings},
};
use crate::failure::Failure;

/// The exporter for one `--statsd`.
pub(super) fn open(
    destination: &str,
    name: &Name,
    settings: &Settings,
    workload: &Workload,
) -> Result<Statsd, Failure> {
    let mut statsd = Statsd::open(destination).map_err(flag("--statsd"))?.telemetry();
    for profile in settings.profiles(name) {
        statsd = statsd.view(profile.view_as(workload, Wire::Statsd, &settings.names));
        if let Some(rule) = profile.samples_as(Wire::Statsd, &settings.names) {
            statsd = statsd.samples(rule).sample_rate(settings.sample_rate);
        }
    }
    Ok(statsd)
}

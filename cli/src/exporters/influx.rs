//! `--influx`.

use barewire_influx::Influx;
use barewire_runner::{Wire, Workload};

use super::{
    flag,
    settings::{Name, Settings},
};
use crate::failure::Failure;

/// The exporter for one `--influx`.
pub(super) fn open(
    destination: &str,
    name: &Name,
    settings: &Settings,
    workload: &Workload,
) -> Result<Influx, Failure> {
    let mut influx = Influx::open(destination).map_err(flag("--influx"))?;
    for header in settings.headers(name) {
        influx = influx.header(&header.name, &header.value).map_err(flag("--header"))?;
    }
    if let Some(auth) = settings.auth(name) {
        influx = influx.auth(auth).map_err(flag("--auth"))?;
    }
    if let Some(tls) = settings.tls() {
        influx = influx.tls(tls);
    }
    for profile in settings.profiles(name) {
        influx = influx.view(profile.view_as(workload, Wire::Influx, &settings.names));
        if let Some(rule) = profile.samples_as(Wire::Influx, &settings.names) {
            influx = influx.samples(rule);
        }
    }
    Ok(influx)
}

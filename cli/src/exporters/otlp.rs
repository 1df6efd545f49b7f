//! `--otlp`.

use barewire_otlp_json::Otlp;
use barewire_runner::{Wire, Workload};

use super::{
    flag,
    settings::{Name, Settings},
};
use crate::failure::Failure;

/// The exporter for one `--otlp`.
pub(super) fn open(
    destination: &str,
    name: &Name,
    settings: &Settings,
    workload: &Workload,
) -> Result<Otlp, Failure> {
    let mut otlp = Otlp::open(destination).map_err(flag("--otlp"))?;
    for header in settings.headers(name) {
        otlp = otlp.header(&header.name, &header.value).map_err(flag("--header"))?;
    }
    if let Some(auth) = settings.auth(name) {
        otlp = otlp.auth(auth).map_err(flag("--auth"))?;
    }
    if let Some(tls) = settings.tls() {
        otlp = otlp.tls(tls);
    }
    for profile in settings.profiles(name) {
        otlp = otlp.view(profile.view_as(workload, Wire::Otlp, &settings.names));
    }
    Ok(if settings.traces { otlp.traces() } else { otlp })
}

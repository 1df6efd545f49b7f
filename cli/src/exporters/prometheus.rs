//! `--prometheus`.

use barewire_promtext::PromText;
use barewire_runner::{Wire, Workload};

use super::{
    flag,
    settings::{Name, Settings},
};
use crate::failure::Failure;

/// The page for one `--prometheus`.
pub(super) fn open(
    addr: &str,
    name: &Name,
    settings: &Settings,
    workload: &Workload,
) -> Result<PromText, Failure> {
    let mut page = PromText::bind(addr).map_err(flag("--prometheus"))?;
    for profile in settings.profiles(name) {
        page = page.view(profile.view(workload, Wire::Prometheus));
    }
    Ok(page)
}

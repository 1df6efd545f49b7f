//! `--prometheus`.

use std::{net::SocketAddr, time::Duration};

use barewire::LaneReport;
use barewire_promtext::{LastScrape, PromText};
use barewire_runner::{Wire, Workload};

use super::{
    flag,
    settings::{Name, Settings},
};
use crate::failure::Failure;

/// What is left of a page when its exporter is with the reporter.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) addr: SocketAddr,
    /// Which exporter it is.
    lane: usize,
    last_scrape: LastScrape,
}

impl Page {
    pub(super) fn of(page: &PromText, lane: usize) -> Self {
        Page { addr: page.local_addr(), lane, last_scrape: page.last_scrape() }
    }

    /// Who has the last page, and who scrapes at a rhythm and has it not.
    pub(crate) fn takers(&self) -> (Vec<String>, Vec<String>) {
        (self.last_scrape.takers(), self.last_scrape.missing())
    }

    /// Waits for `within` until everyone who scrapes at a rhythm has the last page; whether that came.
    pub(crate) fn is_seen(&self, within: Duration) -> bool {
        self.last_scrape.wait(within)
    }

    /// Adds what was scraped after the last snapshot to the account of the exporter.
    pub(crate) fn settle(&self, lanes: &mut [LaneReport]) {
        let taken = self.last_scrape.taken();
        if let Some(lane) = lanes.get_mut(self.lane) {
            lane.points += taken.points;
            lane.left_out += taken.left_out;
            lane.bytes += taken.bytes;
            lane.scrapes = lane.scrapes.zip(taken.scrapes).map(|(before, after)| before + after);
        }
    }
}

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

//! `--prometheus`.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use barewire::LaneReport;
use barewire_promtext::{LastScrape, PromText};
use barewire_runner::{Profile, Wire, Workload};

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
    let addr = &address(addr, &settings.profiles(name));
    let mut page = PromText::bind(addr).map_err(flag("--prometheus"))?;
    for profile in settings.profiles(name) {
        page = page.view(profile.view_as(workload, Wire::Prometheus, &settings.names));
    }
    Ok(page)
}

/// The address of a page, with what was left out: loopback, and the port of the first profile that has one.
fn address(given: &str, profiles: &[Profile]) -> String {
    let port = profiles.iter().find_map(|profile| profile.page_port()).unwrap_or(0);
    let host = given.trim_start_matches('[').trim_end_matches(']');
    match host.parse::<IpAddr>() {
        _ if given.is_empty() => SocketAddr::from((Ipv4Addr::LOCALHOST, port)).to_string(),
        Ok(host) => SocketAddr::from((host, port)).to_string(),
        // A name needs a port, so that it is not mistaken for one.
        Err(_) => given.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_the_port_of_its_profile_unless_one_is_given() {
        use Profile::{Barewire, LoadDensity, LoadPilot};
        for (given, profiles, expected) in [
            ("", &[LoadPilot][..], "127.0.0.1:9090"),
            ("", &[LoadDensity], "127.0.0.1:9646"),
            ("", &[Barewire, LoadDensity], "127.0.0.1:9646"),
            ("", &[Barewire], "127.0.0.1:0"),
            ("0.0.0.0", &[LoadPilot], "0.0.0.0:9090"),
            ("::1", &[LoadPilot], "[::1]:9090"),
            ("[::1]", &[LoadDensity], "[::1]:9646"),
            ("0", &[LoadPilot], "0"),
            ("8000", &[LoadPilot], "8000"),
            ("localhost:1", &[LoadPilot], "localhost:1"),
            ("[::1]:1", &[LoadPilot], "[::1]:1"),
        ] {
            assert_eq!(address(given, profiles), expected, "{given}");
        }
    }
}

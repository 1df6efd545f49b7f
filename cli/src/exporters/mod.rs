//! From flags to exporters: one file for each kind, one place for what flags say of them.

mod otlp;
mod prometheus;
mod settings;

use barewire::{Error, Exporter, wire::http::Url};
use barewire_runner::Workload;

pub(crate) use self::prometheus::Page;
use crate::{args::RunArgs, failure::Failure};
use settings::{Name, Settings};

const OTLP: &str = "otlp";
const PROMETHEUS: &str = "prometheus";

/// The kinds of exporters, each called like its flag.
const KINDS: [&str; 2] = [OTLP, PROMETHEUS];

/// The kinds of exporters that send headers.
const SENDS_HEADERS: [&str; 1] = [OTLP];

/// Where a page is when nobody says what to do with the figures.
const ANY_PORT: &str = "127.0.0.1:0";

/// What carries the run's metrics out.
pub(crate) struct Exporters {
    pub(crate) list: Vec<Box<dyn Exporter>>,
    /// Those of them that are Prometheus pages.
    pub(crate) pages: Vec<Page>,
    /// Whether one of them writes to stdout, which is nobody else's then.
    pub(crate) stdout: bool,
}

impl Exporters {
    /// Opens everything that was asked for; a Prometheus page where nothing was.
    pub(crate) fn open(args: &RunArgs, workload: &Workload) -> Result<Self, Failure> {
        let mut asked = asked(args);
        if asked.is_empty() {
            asked.push((Name::new(PROMETHEUS, 0), ANY_PORT));
        }
        let settings = Settings::read(args)?;
        settings.check(asked.iter().map(|(name, _)| name))?;
        let mut exporters = Exporters { list: Vec::new(), pages: Vec::new(), stdout: false };
        for (at, (name, destination)) in asked.iter().enumerate() {
            // Two writers of one file would write over each other.
            if asked[..at].iter().any(|(known, other)| known.kind() == name.kind() && other == destination) {
                let (kind, shown) = (name.kind(), Url::redact(destination));
                return Err(Failure::Usage(format!("--{kind}: {shown} is given twice: leave one out")));
            }
            exporters.add(name, destination, &settings, workload)?;
        }
        if exporters.pages.is_empty() && !args.linger.is_zero() {
            return Err(Failure::Usage(
                "--linger: this run has no page to scrape: add --prometheus, or leave it out".to_owned(),
            ));
        }
        Ok(exporters)
    }

    fn add(
        &mut self,
        name: &Name,
        destination: &str,
        settings: &Settings,
        workload: &Workload,
    ) -> Result<(), Failure> {
        let exporter: Box<dyn Exporter> = match name.kind() {
            PROMETHEUS => {
                let page = prometheus::open(destination, name, settings, workload)?;
                self.pages.push(Page::of(&page, self.list.len()));
                Box::new(page)
            }
            _ => {
                self.stdout |= destination == "-";
                Box::new(otlp::open(destination, name, settings, workload)?)
            }
        };
        self.list.push(exporter);
        Ok(())
    }
}

/// Every exporter that flags ask for, and its destination.
fn asked(args: &RunArgs) -> Vec<(Name, &str)> {
    let mut asked = Vec::new();
    for (kind, destinations) in [(OTLP, &args.otlp), (PROMETHEUS, &args.prometheus)] {
        let named = destinations.iter().enumerate();
        asked.extend(named.map(|(at, destination)| (Name::new(kind, at), destination.as_str())));
    }
    asked
}

/// Names the flag that an error comes from.
fn flag(name: &str) -> impl Fn(Error) -> Failure {
    move |error| Failure::Usage(format!("{name}: {error}"))
}

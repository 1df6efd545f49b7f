//! From flags to exporters: one file for each kind, one place for what flags say of them.

mod otlp;
mod prometheus;
mod secret;
mod settings;

use std::net::SocketAddr;

use barewire::{Error, Exporter, wire::http::Url};
use barewire_runner::{Wire, Workload};

use crate::{args::RunArgs, failure::Failure};
use settings::{Name, Settings};

const OTLP: &str = "otlp";
const PROMETHEUS: &str = "prometheus";

/// The kinds of exporters, each called like its flag.
const KINDS: [&str; 2] = [OTLP, PROMETHEUS];

/// The kinds of exporters that send headers, credentials among them.
const SENDS_HEADERS: [&str; 1] = [OTLP];

/// Where a page is when nobody says what to do with the figures.
const ANY_PORT: &str = "127.0.0.1:0";

/// What carries the run's metrics out.
#[derive(Default)]
pub(crate) struct Exporters {
    pub(crate) list: Vec<Box<dyn Exporter>>,
    /// Where the Prometheus pages are.
    pub(crate) pages: Vec<SocketAddr>,
    /// Whether one of them writes to stdout, which is nobody else's then.
    pub(crate) stdout: bool,
    /// Whether one of them tells of requests one by one.
    pub(crate) samples: bool,
    /// Whether one of them takes traces.
    traces: bool,
}

impl Exporters {
    /// Opens everything that was asked for; a Prometheus page where nothing was.
    pub(crate) fn open(args: &RunArgs, workload: &Workload) -> Result<Self, Failure> {
        let mut asked = asked(args);
        if asked.is_empty() {
            asked.push((Name::new(PROMETHEUS, 0), ANY_PORT));
        }
        let settings = Settings::read(args)?;
        settings.check(&asked)?;
        let mut exporters = Exporters::default();
        for (at, (name, destination)) in asked.iter().enumerate() {
            // Two writers of one file would write over each other.
            if asked[..at].iter().any(|(known, other)| known.kind() == name.kind() && other == destination) {
                let (kind, shown) = (name.kind(), Url::redact(destination));
                return Err(Failure::Usage(format!("--{kind}: {shown} is given twice: leave one out")));
            }
            exporters.add(name, destination, &settings, workload)?;
        }
        if settings.traces && !exporters.traces {
            let remedy = "add --otlp with a base URL, file:PATH or -";
            return Err(Failure::Usage(format!(
                "--trace-sample: no exporter of this run takes traces: {remedy}"
            )));
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
        let wire = wire(name.kind());
        self.samples |= settings.profiles(name).iter().any(|profile| profile.samples(wire).is_some());
        let exporter: Box<dyn Exporter> = match name.kind() {
            PROMETHEUS => {
                let page = prometheus::open(destination, name, settings, workload)?;
                self.pages.push(page.local_addr());
                Box::new(page)
            }
            _ => {
                self.stdout |= destination == "-";
                let otlp = otlp::open(destination, name, settings, workload)?;
                self.traces |= otlp.wants_samples();
                Box::new(otlp)
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

/// What a kind of exporters speaks.
fn wire(kind: &str) -> Wire {
    match kind {
        PROMETHEUS => Wire::Prometheus,
        _ => Wire::Otlp,
    }
}

/// Names the flag that an error comes from.
fn flag(name: &str) -> impl Fn(Error) -> Failure {
    move |error| Failure::Usage(format!("{name}: {error}"))
}

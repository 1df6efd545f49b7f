//! From flags to exporters: one file for each kind, one place for what flags say of them.

mod influx;
mod log;
mod otlp;
mod prometheus;
mod secret;
mod settings;
mod statsd;

use std::time::Duration;

use barewire::{Error, Exporter, wire::http::Url};
use barewire_runner::{Origin, Profile, Wire, Workload};

pub(crate) use self::prometheus::Page;
use crate::{args::RunArgs, failure::Failure, outputs};
use settings::{Name, Settings};

const INFLUX: &str = "influx";
const OTLP: &str = "otlp";
const PROMETHEUS: &str = "prometheus";
const LOG: &str = "log";
const STATSD: &str = "statsd";

/// The kinds of exporters that have profiles, each called like its flag.
const KINDS: [&str; 4] = [OTLP, STATSD, INFLUX, PROMETHEUS];

/// The kinds of exporters that send headers, credentials among them.
const SENDS_HEADERS: [&str; 2] = [OTLP, INFLUX];

/// Where a page is when nobody says what to do with the figures.
const ANY_PORT: &str = "127.0.0.1:0";

/// What carries the run's metrics out.
#[derive(Default)]
pub(crate) struct Exporters {
    pub(crate) list: Vec<Box<dyn Exporter>>,
    /// Those of them that are Prometheus pages.
    pub(crate) pages: Vec<Page>,
    /// Whether one of them writes to stdout, which is nobody else's then.
    pub(crate) stdout: bool,
    /// Whether one of them tells of requests one by one.
    pub(crate) samples: bool,
    /// Whether one of them takes traces.
    traces: bool,
    /// How often they are shown what was counted, unless told otherwise.
    pub(crate) interval: Duration,
}

impl Exporters {
    /// Opens everything that was asked for, of a run of `workload` called `origin`; a Prometheus page where nothing
    /// was.
    pub(crate) fn open(args: &RunArgs, workload: &Workload, origin: &Origin) -> Result<Self, Failure> {
        let mut asked = asked(args);
        if asked.is_empty() {
            asked.push((Name::new(PROMETHEUS, 0), ANY_PORT));
        }
        let settings = Settings::read(args)?;
        settings.check(&asked)?;
        let mut exporters = Exporters { interval: interval(&asked, &settings), ..Exporters::default() };
        for (at, (name, destination)) in asked.iter().enumerate() {
            // Two writers of one file would write over each other.
            if asked[..at].iter().any(|(known, other)| known.kind() == name.kind() && other == destination) {
                let (kind, shown) = (name.kind(), Url::redact(destination));
                return Err(Failure::Usage(format!("--{kind}: {shown} is given twice: leave one out")));
            }
            exporters.stdout |= is_stdout(name, destination);
            exporters.add(name, destination, &settings, workload, origin)?;
        }
        if settings.traces && !exporters.traces {
            let remedy = "add --otlp with a base URL, file:PATH or -";
            return Err(Failure::Usage(format!(
                "--trace-sample: no exporter of this run takes traces: {remedy}"
            )));
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
        origin: &Origin,
    ) -> Result<(), Failure> {
        let wire = wire(name.kind());
        self.samples |=
            settings.profiles(name).iter().any(|profile| profile.samples_as(wire, &settings.names).is_some());
        let exporter: Box<dyn Exporter> = match name.kind() {
            PROMETHEUS => {
                let page = prometheus::open(destination, name, settings, workload)?;
                self.pages.push(Page::of(&page, self.list.len()));
                Box::new(page)
            }
            STATSD => Box::new(statsd::open(destination, name, settings, workload)?),
            INFLUX => Box::new(influx::open(destination, name, settings, workload)?),
            LOG => Box::new(log::open(destination, origin)?),
            _ => {
                let otlp = otlp::open(destination, name, settings, workload)?;
                self.traces |= otlp.wants_samples();
                Box::new(otlp)
            }
        };
        self.list.push(exporter);
        Ok(())
    }
}

/// The shortest interval that an exporter has by its profiles. Only OTLP has a longer one.
fn interval(asked: &[(Name, &str)], settings: &Settings) -> Duration {
    let of = |(name, _): &(Name, &str)| {
        let profiles = if name.kind() == OTLP { settings.profiles(name) } else { vec![Profile::default()] };
        profiles.into_iter().map(Profile::otlp_interval).min()
    };
    asked.iter().filter_map(of).min().unwrap_or(Profile::default().otlp_interval())
}

/// Every exporter that flags ask for, and its destination.
fn asked(args: &RunArgs) -> Vec<(Name, &str)> {
    let mut asked = Vec::new();
    let flags = [
        (OTLP, &args.otlp),
        (STATSD, &args.statsd),
        (INFLUX, &args.influx),
        (PROMETHEUS, &args.prometheus),
        (LOG, &args.log),
    ];
    for (kind, destinations) in flags {
        let named = destinations.iter().enumerate();
        asked.extend(named.map(|(at, destination)| (Name::new(kind, at), destination.as_str())));
    }
    asked
}

/// What a kind of exporters speaks.
fn wire(kind: &str) -> Wire {
    match kind {
        PROMETHEUS => Wire::Prometheus,
        STATSD => Wire::Statsd,
        INFLUX => Wire::Influx,
        _ => Wire::Otlp,
    }
}

fn is_stdout(name: &Name, destination: &str) -> bool {
    destination == if name.kind() == LOG { outputs::LOG_STDOUT } else { outputs::STDOUT }
}

/// Names the flag that an error comes from.
fn flag(name: &str) -> impl Fn(Error) -> Failure {
    move |error| Failure::Usage(format!("{name}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::run_args;

    #[test]
    fn a_run_that_pushes_in_loaddensitys_words_alone_does_so_every_five_seconds() {
        for (words, seconds) in [
            (&["--otlp", "x", "--profile", "loaddensity"][..], 5),
            (&["--otlp", "x", "--otlp", "y", "--profile", "otlp=loaddensity"], 5),
            (&["--otlp", "x", "--profile", "loaddensity", "--profile", "tigrister"], 1),
            (&["--otlp", "x", "--prometheus", "--profile", "loaddensity"], 1),
            (&["--prometheus", "0", "--profile", "loaddensity"], 1),
            (&["--otlp", "x"], 1),
        ] {
            let args = run_args(words.iter().copied());
            let Ok(settings) = Settings::read(&args) else { panic!("no settings") };
            assert_eq!(interval(&asked(&args), &settings), Duration::from_secs(seconds), "{words:?}");
        }
    }

    #[test]
    fn a_prefix_is_refused_where_no_profile_has_one() {
        for (words, is_fine) in [
            (&["--statsd", "x", "--prefix", "shop", "--profile", "statsd=loaddensity"][..], true),
            (&["--otlp", "x", "--prefix", "shop"], false),
        ] {
            let args = run_args(words.iter().copied());
            let Ok(settings) = Settings::read(&args) else { panic!("no settings") };
            assert_eq!(settings.check(&asked(&args)).is_ok(), is_fine, "{words:?}");
        }
    }
}

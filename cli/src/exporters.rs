//! From flags to exporters.

use std::net::SocketAddr;

use barewire::{Error, Exporter, view::Shape, wire::http::Url};
use barewire_otlp_json::Otlp;
use barewire_promtext::PromText;
use barewire_runner::{Profile, Workload};

use crate::{
    args::{ExporterHeader, RunArgs},
    failure::Failure,
};

const OTLP: &str = "otlp";
const PROMETHEUS: &str = "prometheus";

/// What carries the run's metrics out.
pub(crate) struct Exporters {
    pub(crate) list: Vec<Box<dyn Exporter>>,
    /// Where the Prometheus pages are.
    pub(crate) pages: Vec<SocketAddr>,
    /// Whether one of them writes to stdout, which is nobody else's then.
    pub(crate) stdout: bool,
}

impl Exporters {
    /// Opens everything that was asked for; a Prometheus page where nothing was.
    pub(crate) fn open(args: &RunArgs, workload: &Workload) -> Result<Self, Failure> {
        let mut exporters = Exporters { list: Vec::new(), pages: Vec::new(), stdout: false };
        let headers = headers(args)?;
        check_names(args, &headers)?;
        for (at, destination) in args.otlp.iter().enumerate() {
            // Two writers of one file would write over each other.
            if args.otlp[..at].contains(destination) {
                let shown = Url::redact(destination);
                return Err(Failure::Usage(format!("--otlp: {shown} is given twice: leave one out")));
            }
            exporters.list.push(Box::new(otlp(destination, &headers, args, workload)?));
            exporters.stdout |= destination == "-";
        }
        for addr in &args.prometheus {
            exporters.add_page(addr, args, workload)?;
        }
        if exporters.list.is_empty() {
            exporters.add_page("127.0.0.1:0", args, workload)?;
        }
        Ok(exporters)
    }

    fn add_page(&mut self, addr: &str, args: &RunArgs, workload: &Workload) -> Result<(), Failure> {
        let mut page = PromText::bind(addr).map_err(flag("--prometheus"))?;
        for profile in profiles(PROMETHEUS, args) {
            page = page.view(profile.view(workload).histograms(Shape::Explicit));
        }
        self.pages.push(page.local_addr());
        self.list.push(Box::new(page));
        Ok(())
    }
}

/// Every `--header`, read.
fn headers(args: &RunArgs) -> Result<Vec<ExporterHeader>, Failure> {
    let parse =
        |text: &String| text.parse().map_err(|why: String| Failure::Usage(format!("--header: {why}")));
    args.header.iter().map(parse).collect()
}

fn otlp(
    destination: &str,
    headers: &[ExporterHeader],
    args: &RunArgs,
    workload: &Workload,
) -> Result<Otlp, Failure> {
    let mut otlp = Otlp::open(destination).map_err(flag("--otlp"))?;
    for header in headers.iter().filter(|header| header.exporter == OTLP) {
        otlp = otlp.header(&header.name, &header.value).map_err(flag("--header"))?;
    }
    for profile in profiles(OTLP, args) {
        otlp = otlp.view(profile.view(workload));
    }
    Ok(otlp)
}

/// The profiles of one exporter: its own, or those for all where it has none.
fn profiles(exporter: &str, args: &RunArgs) -> Vec<Profile> {
    let of = |name: Option<&str>| {
        let matching = args.profile.iter().filter(move |entry| entry.exporter.as_deref() == name);
        matching.map(|entry| entry.profile).collect::<Vec<_>>()
    };
    let candidates = [of(Some(exporter)), of(None), vec![Profile::default()]];
    candidates.into_iter().find(|profiles| !profiles.is_empty()).unwrap_or_default()
}

/// Refuses headers and profiles for an exporter that the run does not have, or that has no use for them.
fn check_names(args: &RunArgs, headers: &[ExporterHeader]) -> Result<(), Failure> {
    for header in headers {
        if header.exporter != OTLP || args.otlp.is_empty() {
            return Err(Failure::Usage(format!(
                "--header: no exporter '{}' of this run sends headers: those are for otlp, with --otlp URL",
                header.exporter
            )));
        }
    }
    let has = |name: &str| match name {
        OTLP => !args.otlp.is_empty(),
        PROMETHEUS => !args.prometheus.is_empty() || args.otlp.is_empty(),
        _ => false,
    };
    for name in args.profile.iter().filter_map(|entry| entry.exporter.as_deref()) {
        if !has(name) {
            return Err(Failure::Usage(format!(
                "--profile: this run has no exporter '{name}': add --otlp or --prometheus, or leave the name out"
            )));
        }
    }
    Ok(())
}

/// Names the flag that an error comes from.
fn flag(name: &str) -> impl Fn(Error) -> Failure {
    move |error| Failure::Usage(format!("{name}: {error}"))
}

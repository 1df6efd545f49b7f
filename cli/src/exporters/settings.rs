//! What flags say of exporters: of all of them, of a kind, or of one.
//!
//! An exporter is called by its kind, such as `otlp`, and is the second of it by `otlp-2`. A setting for the kind is
//! one for each of them.

use barewire_runner::Profile;

use super::{KINDS, SENDS_HEADERS};
use crate::{
    args::{ExporterHeader, ExporterProfile, RunArgs},
    failure::Failure,
};

/// The settings of all exporters.
#[derive(Debug)]
pub(super) struct Settings {
    headers: Vec<ExporterHeader>,
    profiles: Vec<ExporterProfile>,
    /// Whether requests are traced.
    pub(super) traces: bool,
}

/// The name of one exporter among those of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    kind: &'static str,
    numbered: String,
}

impl Name {
    /// The exporter number `at` of its kind, counted from 0.
    pub(super) fn new(kind: &'static str, at: usize) -> Self {
        let numbered = if at == 0 { kind.to_owned() } else { format!("{kind}-{}", at + 1) };
        Name { kind, numbered }
    }

    pub(super) fn kind(&self) -> &'static str {
        self.kind
    }

    /// Whether a setting for `exporter` is one for this.
    fn answers_to(&self, exporter: &str) -> bool {
        exporter == self.kind || exporter == self.numbered
    }
}

impl Settings {
    /// Reads what has a form of its own.
    pub(super) fn read(args: &RunArgs) -> Result<Self, Failure> {
        let parse =
            |text: &String| text.parse().map_err(|why: String| Failure::Usage(format!("--header: {why}")));
        let headers = args.header.iter().map(parse).collect::<Result<_, _>>()?;
        let traces = args.trace_sample.is_some_and(|share| share > 0.0);
        Ok(Settings { headers, profiles: args.profile.clone(), traces })
    }

    /// The headers of one exporter.
    pub(super) fn headers(&self, exporter: &Name) -> impl Iterator<Item = &ExporterHeader> {
        self.headers.iter().filter(|header| exporter.answers_to(&header.exporter))
    }

    /// The profiles of one exporter: its own, or else those of its kind, or else those for all.
    pub(super) fn profiles(&self, exporter: &Name) -> Vec<Profile> {
        let of = |name: Option<&str>| {
            let matching = self.profiles.iter().filter(move |entry| entry.exporter.as_deref() == name);
            matching.map(|entry| entry.profile).collect::<Vec<_>>()
        };
        let candidates =
            [of(Some(&exporter.numbered)), of(Some(exporter.kind)), of(None), vec![Profile::default()]];
        candidates.into_iter().find(|profiles| !profiles.is_empty()).unwrap_or_default()
    }

    /// Refuses settings for an exporter that the run does not have, or that has no use for them.
    pub(super) fn check<'a>(&self, exporters: impl Iterator<Item = &'a Name> + Clone) -> Result<(), Failure> {
        let is_one = |name: &str, kinds: &[&str]| {
            exporters.clone().any(|exporter| kinds.contains(&exporter.kind) && exporter.answers_to(name))
        };
        if let Some(header) = self.headers.iter().find(|header| !is_one(&header.exporter, &SENDS_HEADERS)) {
            return Err(Failure::Usage(format!(
                "--header: no exporter '{}' of this run sends headers: those are for {}",
                header.exporter,
                SENDS_HEADERS.map(|kind| format!("{kind}, with --{kind} URL")).join(" and ")
            )));
        }
        let mut names = self.profiles.iter().filter_map(|entry| entry.exporter.as_deref());
        if let Some(name) = names.find(|name| !is_one(name, &KINDS)) {
            return Err(Failure::Usage(format!(
                "--profile: this run has no exporter '{name}': add {}, or leave the name out",
                KINDS.map(|kind| format!("--{kind}")).join(" or ")
            )));
        }
        Ok(())
    }
}

//! What flags say of exporters: of all of them, of a kind, or of one.
//!
//! An exporter is called by its kind, such as `otlp`, and is the second of it by `otlp-2`. A setting for the kind is one
//! for each of them; the first alone is `otlp-1`.

use barewire::wire::{net::Tls, post::Auth};
use barewire_runner::{Names, Profile};

use super::{KINDS, SENDS_HEADERS, flag, secret};
use crate::{
    args::{AuthScheme, ExporterAuth, ExporterHeader, ExporterProfile, RunArgs},
    failure::Failure,
};

/// The settings of all exporters.
pub(super) struct Settings {
    headers: Vec<ExporterHeader>,
    /// Each with the exporter that it is for.
    auths: Vec<(String, Auth)>,
    /// None stands for what the system trusts.
    tls: Option<Tls>,
    profiles: Vec<ExporterProfile>,
    /// What is called otherwise than the profiles would have it.
    pub(super) names: Names,
    /// Whether requests are traced.
    pub(super) traces: bool,
    /// The share of requests that are shown one by one, where a profile shows them.
    pub(super) sample_rate: f64,
}

/// The name of one exporter among those of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    kind: &'static str,
    /// Such as `otlp-1`.
    numbered: String,
}

impl Name {
    /// The exporter number `at` of its kind, counted from 0.
    pub(super) fn new(kind: &'static str, at: usize) -> Self {
        Name { kind, numbered: format!("{kind}-{}", at + 1) }
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
    /// Reads what has a form of its own, and the secrets and certificates that it names.
    pub(super) fn read(args: &RunArgs) -> Result<Self, Failure> {
        Ok(Settings {
            headers: each(&args.header, header).map_err(|why| Failure::Usage(format!("--header: {why}")))?,
            auths: each(&args.auth, auth).map_err(|why| Failure::Usage(format!("--auth: {why}")))?,
            tls: tls(args)?,
            profiles: args.profile.clone(),
            names: Names { prefix: args.prefix.clone(), service: args.service_name.clone() },
            traces: args.trace_sample > 0.0,
            sample_rate: args.sample_rate,
        })
    }

    /// The headers of one exporter.
    pub(super) fn headers(&self, exporter: &Name) -> impl Iterator<Item = &ExporterHeader> {
        self.headers.iter().filter(|header| exporter.answers_to(&header.exporter))
    }

    /// The credentials of one exporter: its own, or else those of its kind.
    pub(super) fn auth(&self, exporter: &Name) -> Option<Auth> {
        let of = |name: &str| self.auths.iter().find(|(known, _)| known == name);
        of(&exporter.numbered).or_else(|| of(exporter.kind)).map(|(_, auth)| auth.clone())
    }

    /// How TLS is spoken, unless it is as the system would have it.
    pub(super) fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
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

    /// Refuses settings for an exporter that the run does not have, or that has no use for them. Each exporter has a
    /// name and a destination.
    pub(super) fn check(&self, exporters: &[(Name, &str)]) -> Result<(), Failure> {
        let is_one = |name: &str, kinds: &[&str]| {
            exporters.iter().any(|(exporter, _)| kinds.contains(&exporter.kind) && exporter.answers_to(name))
        };
        let headers = self.headers.iter().map(|header| ("--header", &header.exporter));
        let auths = self.auths.iter().map(|(exporter, _)| ("--auth", exporter));
        if let Some((flag, name)) = headers.chain(auths).find(|(_, name)| !is_one(name, &SENDS_HEADERS)) {
            return Err(Failure::Usage(format!(
                "{flag}: no exporter '{name}' of this run sends headers: those are for {}",
                SENDS_HEADERS.map(|kind| format!("{kind}, with --{kind} URL")).join(" and ")
            )));
        }
        if let Some(name) = self.authenticated_twice() {
            return Err(Failure::Usage(format!("--auth: '{name}' is given two: leave one out")));
        }
        if self.tls.is_some() && !exporters.iter().any(|(_, destination)| is_https(destination)) {
            let why = "no exporter of this run has a URL of https: leave them out, or give one";
            return Err(Failure::Usage(format!("--ca, --cert: {why}")));
        }
        let speaks_loaddensity =
            exporters.iter().any(|(name, _)| self.profiles(name).contains(&Profile::LoadDensity));
        if self.names.prefix.is_some() && !speaks_loaddensity {
            let why = "only the profile loaddensity has a prefix: add --profile loaddensity, or leave it out";
            return Err(Failure::Usage(format!("--prefix: {why}")));
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

    fn authenticated_twice(&self) -> Option<&str> {
        let names: Vec<_> = self.auths.iter().map(|(exporter, _)| exporter.as_str()).collect();
        names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)).map(|(_, name)| *name)
    }
}

fn each<T>(texts: &[String], read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    texts.iter().map(|text| read(text)).collect()
}

fn header(text: &str) -> Result<ExporterHeader, String> {
    let header: ExporterHeader = text.parse()?;
    let value = secret::read(&header.value)?.expose().to_owned();
    Ok(ExporterHeader { value, ..header })
}

fn auth(text: &str) -> Result<(String, Auth), String> {
    let ExporterAuth { exporter, scheme, secret } = text.parse()?;
    let secret = secret::read(&secret)?;
    let auth = match scheme {
        AuthScheme::Basic { user } => Auth::basic(&user, secret),
        AuthScheme::Bearer => Auth::bearer(secret),
        AuthScheme::Token => Auth::token(secret),
    };
    Ok((exporter, auth.map_err(|error| error.to_string())?))
}

fn tls(args: &RunArgs) -> Result<Option<Tls>, Failure> {
    if args.key.is_some() && args.cert.is_none() {
        return Err(Failure::Usage("--key: there is no certificate for it: add --cert".to_owned()));
    }
    if args.ca.is_empty() && args.cert.is_none() {
        return Ok(None);
    }
    let trusted = if args.ca.is_empty() { Tls::system() } else { Tls::trusting(&args.ca) };
    let mut tls = trusted.map_err(flag("--ca"))?;
    if let Some(certificate) = &args.cert {
        let key = args.key.as_ref().unwrap_or(certificate);
        tls = tls.identity(certificate, key).map_err(flag("--cert, --key"))?;
    }
    Ok(Some(tls))
}

fn is_https(destination: &str) -> bool {
    destination.get(.."https://".len()).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_kind_or_one_of_it() {
        let profile = |text: &str| text.parse::<ExporterProfile>().unwrap();
        let settings = Settings {
            headers: Vec::new(),
            auths: ["influx-1", "otlp", "otlp-2"]
                .map(|name| (name.to_owned(), Auth::bearer(name.to_owned()).unwrap()))
                .into(),
            tls: None,
            profiles: ["otlp-2=tigrister", "influx=loadpilot", "loaddensity"].map(profile).into(),
            names: Names::default(),
            traces: false,
            sample_rate: 1.0,
        };
        let shown = |kind, at| {
            let name = Name::new(kind, at);
            let own = settings.auths.iter().map(|(known, _)| known.as_str());
            let auth = own.filter(|known| name.answers_to(known)).collect::<Vec<_>>().join(" ");
            (settings.profiles(&name)[0].name(), auth, settings.auth(&name).is_some())
        };
        assert_eq!(shown("otlp", 0), ("loaddensity", "otlp".to_owned(), true));
        assert_eq!(shown("otlp", 1), ("tigrister", "otlp otlp-2".to_owned(), true));
        assert_eq!(shown("influx", 0), ("loadpilot", "influx-1".to_owned(), true));
        assert_eq!(shown("influx", 1), ("loadpilot", String::new(), false));
        assert_eq!(shown("statsd", 0), ("loaddensity", String::new(), false));
    }
}

//! Where lines go, read once from the configuration.
//!
//! | destination | asks for | precision | a token is |
//! |---|---|---|---|
//! | `udp://HOST:PORT` | | set at the server: nanoseconds, unless it was changed | |
//! | `http://…/write` (1.x, and whoever speaks it) | `db`; `rp` if not the default | `ns` | `Token …` |
//! | `http://…/api/v2/write` (2.x) | `org` or `orgID`, `bucket` | `ns` | `Token …` |
//! | `http://…/api/v3/write_lp` (3.x) | `db` | `nanosecond` | `Bearer …` |
//!
//! Sources: InfluxDB's documentation of the three APIs. The precision is always sent: version 1 takes one that it does
//! not know for nanoseconds, and version 3 guesses from the size of the number where there is none.

use std::fmt;

use barewire::{
    Error,
    wire::{
        http::Url,
        post::{Auth, Secret, read_url},
    },
};

const FORMS: &str = "write udp://HOST:PORT, http://HOST:PORT/write?db=…, \
                     http://HOST:PORT/api/v2/write?org=…&bucket=… or http://HOST:PORT/api/v3/write_lp?db=…";

/// A version of the API over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    V2,
    V3,
}

/// What a destination is.
pub(super) enum Destination<'a> {
    /// A host and a port.
    Udp(&'a str),
    Http(Version),
}

/// A URL that is ready to be sent to, and the credentials that were in it.
pub(super) struct Endpoint {
    pub(super) url: Url,
    pub(super) auth: Option<Auth>,
}

impl<'a> Destination<'a> {
    /// Tells destinations apart by scheme and path.
    pub(super) fn of(text: &'a str) -> Result<Self, Error> {
        let (scheme, rest) = text.split_once("://").ok_or_else(|| refused_url(text, FORMS))?;
        if scheme.eq_ignore_ascii_case("udp") {
            return Ok(Destination::Udp(rest.trim_end_matches('/')));
        }
        if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return Err(refused_url(
                text,
                format_args!("the scheme is none of udp, http and https: {FORMS}"),
            ));
        }
        let path = rest.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
        let version = [Version::V2, Version::V3, Version::V1].into_iter().find(|v| path.ends_with(v.path()));
        version.map(Destination::Http).ok_or_else(|| {
            refused_url(text, format_args!("the path says nothing about the version of InfluxDB: {FORMS}"))
        })
    }
}

impl Version {
    fn path(self) -> &'static str {
        match self {
            Version::V1 => "/write",
            Version::V2 => "/api/v2/write",
            Version::V3 => "/api/v3/write_lp",
        }
    }

    /// What a query has to say, by any of these names.
    fn required(self) -> &'static [&'static [&'static str]] {
        match self {
            Version::V1 | Version::V3 => &[&["db"]],
            Version::V2 => &[&["org", "orgID"], &["bucket"]],
        }
    }

    /// As this version spells nanoseconds.
    fn precision(self) -> &'static str {
        match self {
            Version::V1 | Version::V2 => "ns",
            Version::V3 => "nanosecond",
        }
    }

    /// A token, as this version wants it.
    ///
    /// # Errors
    /// It cannot be sent.
    pub(super) fn authorize(self, token: Secret) -> Result<Auth, Error> {
        match self {
            Version::V1 | Version::V2 => Auth::token(token),
            Version::V3 => Auth::bearer(token),
        }
    }

    /// Reads `text`, whatever its path is.
    pub(super) fn endpoint(self, text: &str) -> Result<Endpoint, Error> {
        let refuse = |why: &dyn fmt::Display| refused_url(text, why);
        let text = text.split_once('#').map_or(text, |(url, _fragment)| url);
        let (base, query) = text.split_once('?').unwrap_or((text, ""));
        let parameters = || query.split('&').filter(|pair| !pair.is_empty());
        let value_of = |name: &str| parameters().find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        for names in self.required() {
            if !names.iter().any(|name| value_of(name).is_some_and(|value| !value.is_empty())) {
                return Err(refuse(&format_args!("the query has no '{0}': add {0}=…", names[0])));
            }
        }
        if let Some(other) = value_of("precision").filter(|given| !is_nanoseconds(given)) {
            let given = other.escape_debug();
            return Err(refuse(&format_args!(
                "precision={given}: times are sent in nanoseconds, so leave it out"
            )));
        }
        let base = with_credentials(base, value_of("u"), value_of("p")).ok_or_else(|| {
            refuse(&"credentials are given twice, before the host and as u= and p=: leave one out")
        })?;
        let kept = parameters().filter(|pair| !["u", "p", "precision"].contains(&name_of(pair)));
        let query: String = kept.flat_map(|pair| [pair, "&"]).collect();
        let (url, auth) = read_url(&format!("{base}?{query}precision={}", self.precision()))
            .map_err(|error| refuse(&error))?;
        Ok(Endpoint { url, auth })
    }
}

fn is_nanoseconds(precision: &str) -> bool {
    ["n", "ns", "nanosecond"].contains(&precision)
}

fn name_of(parameter: &str) -> &str {
    parameter.split('=').next().unwrap_or_default()
}

/// The URL up to its query, with what a query calls `u` and `p` before the host; `None` where there is something.
fn with_credentials(base: &str, user: Option<&str>, password: Option<&str>) -> Option<String> {
    if user.is_none() && password.is_none() {
        return Some(base.to_owned());
    }
    let (scheme, rest) = base.split_once("://")?;
    let authority = rest.split('/').next().unwrap_or_default();
    let spelled = |text: Option<&str>| {
        text.unwrap_or_default()
            .replace('+', "%20")
            .replace(':', "%3A")
            .replace('@', "%40")
            .replace('/', "%2F")
    };
    (!authority.contains('@')).then(|| format!("{scheme}://{}:{}@{rest}", spelled(user), spelled(password)))
}

fn refused_url(text: &str, why: impl fmt::Display) -> Error {
    refused(format_args!("{}: {why}", Url::redact(text)))
}

pub(super) fn refused(why: impl fmt::Display) -> Error {
    Error::Config(format!("influx destination: {why}"))
}

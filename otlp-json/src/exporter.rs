//! The way out: a snapshot is shown to the views, encoded as one request, and posted or written as a line.

mod http;
mod lines;

use std::{fmt, path::Path, sync::Arc, time::Instant};

use barewire::{
    Delivered, Error, ExportError, Exporter, Snapshot,
    view::{Temporality, View},
    wire::{
        http::Url,
        net::OnStale,
        post::{Auth, read_url},
    },
};

#[cfg(feature = "tls")]
use barewire::wire::net::Tls;

use crate::encode::{Encoded, Encoder};
use http::Http;
use lines::Lines;

/// Carries snapshots out as OTLP/JSON: to a collector over HTTP, or as one document a line to a file.
///
/// It shows everything as it is, histograms with exponential buckets, unless views are given; of several, each
/// becomes one entry of the same request. Windows and deltas begin at the snapshot that was delivered last.
///
/// ```
/// use std::time::{Duration, Instant};
///
/// use barewire::{Exporter, Metric, Registry};
/// use barewire_otlp_json::Otlp;
///
/// let registry = Registry::new("shop");
/// let hits = registry.counter(Metric::new("hits"));
/// registry.shard().add(hits, 1);
///
/// let mut otlp = Otlp::stdout();
/// let delivered = otlp.export(&registry.snapshot(), Instant::now() + Duration::from_secs(1))?;
/// assert_eq!(delivered.points, 1);
/// # Ok::<(), barewire::ExportError>(())
/// ```
pub struct Otlp {
    /// None stands for the view of everything.
    views: Vec<View>,
    encoder: Encoder,
    document: Vec<u8>,
    delivered: Option<Arc<Snapshot>>,
    way: Way,
}

enum Way {
    Http(Box<Http>),
    Lines(Lines),
}

/// What was handed to the transport, and what the receiver gave back.
struct Sent {
    bytes: u64,
    rejected: u64,
}

impl Otlp {
    /// Posts to `/v1/metrics` below the base URL `url`, as `OTEL_EXPORTER_OTLP_ENDPOINT` means it. Credentials in it,
    /// `http://user:password@host`, are [`Auth::basic`].
    ///
    /// Nothing is connected before the first export.
    ///
    /// # Errors
    /// A URL that cannot be sent as it stands, or one of a scheme that is not supported.
    pub fn http(url: &str) -> Result<Self, Error> {
        let (base, auth) = parse(url)?;
        Self::post(base.join_path("/v1/metrics"), auth)
    }

    /// Posts to `url` as it stands, as `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT` means it.
    ///
    /// # Errors
    /// As for [`Otlp::http`].
    pub fn metrics_url(url: &str) -> Result<Self, Error> {
        let (url, auth) = parse(url)?;
        Self::post(url, auth)
    }

    /// Writes one document a line to the file at `path`. What was in it before is gone: a file is one run.
    ///
    /// A file system that blocks, blocks the export beyond its deadline.
    ///
    /// # Errors
    /// The file cannot be created.
    pub fn file(path: impl AsRef<Path>) -> Result<Self, Error> {
        Ok(Self::new(Way::Lines(Lines::create(path.as_ref())?)))
    }

    /// Writes one document a line to standard output.
    pub fn stdout() -> Self {
        Self::new(Way::Lines(Lines::stdout()))
    }

    /// The exporter that a command line names: a base URL, `file:PATH`, or `-` for standard output.
    ///
    /// # Errors
    /// As for [`Otlp::http`] and [`Otlp::file`].
    pub fn open(destination: &str) -> Result<Self, Error> {
        match destination.strip_prefix("file:") {
            Some("") => Err(refused_destination("'file:' has no path: write it as file:PATH")),
            Some(path) => Self::file(path),
            None if destination == "-" => Ok(Self::stdout()),
            None => Self::http(destination),
        }
    }

    /// Sends the header `name: value` with every request, in place of one of the same name.
    ///
    /// # Errors
    /// A header that cannot be sent as it stands or that the exporter sets itself, and any for a file, which has none.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, Error> {
        match &mut self.way {
            Way::Http(http) => http.post.set_header(name, value)?,
            Way::Lines(_) => return Err(meaningless(format_args!("header '{name}'"))),
        }
        Ok(self)
    }

    /// Authenticates every request.
    ///
    /// # Errors
    /// A second authorization, by the URL, a header or this; and any for a file, which asks for none.
    pub fn auth(mut self, auth: Auth) -> Result<Self, Error> {
        match &mut self.way {
            Way::Http(http) => http.post.set_auth(auth)?,
            Way::Lines(_) => return Err(meaningless("an authorization")),
        }
        Ok(self)
    }

    /// Speaks TLS in this way. It has no meaning for a URL of `http`, nor for a file; without it, `https` trusts whom the
    /// system trusts.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: &Tls) -> Self {
        if let Way::Http(http) = &mut self.way {
            http.post.set_tls(tls);
        }
        self
    }

    /// Compresses the bodies of requests. A file stays as it is.
    #[cfg(feature = "gzip")]
    #[must_use]
    pub fn gzip(mut self) -> Self {
        if let Way::Http(http) = &mut self.way {
            http.post.set_gzip();
        }
        self
    }

    /// Shows `view`, beside the ones that were given before.
    #[must_use]
    pub fn view(mut self, view: View) -> Self {
        self.views.push(view);
        self
    }

    /// What the receiver said when it last took a request but rejected points of it or gave a warning.
    pub fn warning(&self) -> Option<&str> {
        match &self.way {
            Way::Http(http) => http.warning(),
            Way::Lines(_) => None,
        }
    }

    fn post(url: Url, auth: Option<Auth>) -> Result<Self, Error> {
        Ok(Self::new(Way::Http(Box::new(Http::new(url, auth)?))))
    }

    fn new(way: Way) -> Self {
        let (views, encoder, document) = (Vec::new(), Encoder::new(), Vec::new());
        Otlp { views, encoder, document, delivered: None, way }
    }

    /// Refills the document, and says whether the receiver may get it twice.
    fn encode(&mut self, snapshot: &Snapshot) -> (Encoded, OnStale) {
        if self.views.is_empty() {
            self.views.push(View::everything());
        }
        self.document.clear();
        let mut on_stale = OnStale::Retry;
        let earlier = self.delivered.as_deref();
        let frames = self.views.iter_mut().map(|view| {
            let frame = view.show(snapshot, earlier);
            if frame.temporality == Temporality::Delta {
                on_stale = OnStale::Fail;
            }
            frame
        });
        let encoded = self.encoder.push_request(frames, &mut self.document);
        (encoded, on_stale)
    }

    fn send(&mut self, on_stale: OnStale, deadline: Instant) -> Result<Sent, ExportError> {
        if self.document.is_empty() {
            return Ok(Sent { bytes: 0, rejected: 0 });
        }
        match &mut self.way {
            Way::Http(http) => http.send(&self.document, on_stale, deadline),
            Way::Lines(lines) => lines.send(&mut self.document),
        }
    }
}

fn parse(url: &str) -> Result<(Url, Option<Auth>), Error> {
    read_url(url).map_err(|error| refused_destination(format!("{}: {error}", Url::redact(url))))
}

fn meaningless(what: impl fmt::Display) -> Error {
    Error::Config(format!("otlp: {what} has no meaning for a file: leave it out, or send to a url"))
}

fn refused_destination(why: impl fmt::Display) -> Error {
    Error::Config(format!("otlp destination: {why}"))
}

impl Exporter for Otlp {
    fn name(&self) -> &str {
        "otlp"
    }

    fn export(&mut self, snapshot: &Arc<Snapshot>, deadline: Instant) -> Result<Delivered, ExportError> {
        let begun = Instant::now();
        let (encoded, on_stale) = self.encode(snapshot);
        let encode = begun.elapsed();
        let sent = self.send(on_stale, deadline)?;
        self.delivered = Some(Arc::clone(snapshot));
        let rejected = sent.rejected.min(encoded.points);
        Ok(Delivered {
            points: encoded.points - rejected,
            left_out: encoded.left_out + rejected,
            bytes: sent.bytes,
            encode,
        })
    }
}

impl fmt::Debug for Otlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.way {
            Way::Http(http) => write!(f, "Otlp({http:?})"),
            Way::Lines(lines) => write!(f, "Otlp({lines:?})"),
        }
    }
}

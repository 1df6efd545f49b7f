//! The way out: snapshots, events and samples, each encoded as requests of its signal, and posted or written as lines.

mod http;
mod lines;
mod side;
mod way;

use std::{borrow::Cow, fmt, path::Path, sync::Arc, time::Instant};

use barewire::{
    Delivered, Error, Event, ExportError, Exporter, Label, Metric, Sample, Samples, Snapshot,
    view::{Scope, Temporality, View},
    wire::{
        http::Url,
        net::OnStale,
        post::{Auth, read_url},
    },
};

#[cfg(feature = "tls")]
use barewire::wire::net::Tls;

use crate::encode::{Encoded, Encoder, LogEncoder, SpanEncoder};
use http::{LOGS, METRICS, TRACES};
use lines::Lines;
use way::{Receiver, Way};

/// How long the spans of a request may become, but for the last of them: a Collector takes 20 MiB unless told otherwise.
const SPANS_LIMIT_BYTES: usize = 1 << 20;

/// Carries snapshots out as OTLP/JSON: to a collector over HTTP, or as one document a line to a file.
///
/// It shows everything as it is, histograms with exponential buckets, unless views are given; of several, each
/// becomes one entry of the same request. Windows and deltas begin at the snapshot that was delivered last.
///
/// Events go out as log records, and samples that have a place in a trace as spans, if [`Otlp::traces`] asks for them;
/// both have the resource of the metrics, that of the first view. Each signal has a connection of its own and as much time
/// as the metrics, and one that fails is left alone for four times as long as the attempt took. A receiver that answers 404 or 405 does not have that signal, and is not
/// asked again; its events and spans are counted as left out.
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
    /// Of events, or of spans.
    document: Vec<u8>,
    delivered: Option<Arc<Snapshot>>,
    /// The registry's resource, and that of events and samples, which was made from it.
    registry: Arc<[Label]>,
    resource: Arc<[Label]>,
    logs: LogEncoder,
    spans: SpanEncoder,
    wants_spans: bool,
    way: Way,
}

/// What was handed to the transport, and what the receiver gave back.
#[derive(Default)]
struct Sent {
    bytes: u64,
    /// Items that the receiver rejected.
    rejected: u64,
    /// Items that have no place at the receiver.
    left_out: u64,
    message: Option<String>,
}

impl Otlp {
    /// Posts to `/v1/metrics`, `/v1/logs` and `/v1/traces` below the base URL `url`, as `OTEL_EXPORTER_OTLP_ENDPOINT`
    /// means it. Credentials in it, `http://user:password@host`, are [`Auth::basic`].
    ///
    /// A URL that ends with one of those paths stands for its base, and `host:port` for `http://host:port`.
    ///
    /// Nothing is connected before the first export.
    ///
    /// # Errors
    /// A URL that cannot be sent as it stands, or one of a scheme that is not supported.
    pub fn http(url: &str) -> Result<Self, Error> {
        let (url, auth) = parse(&with_scheme(url))?;
        let signal = [METRICS, LOGS, TRACES].iter().find_map(|signal| url.strip_path(signal.path));
        let base = signal.unwrap_or(url);
        Ok(Self::new(Way::Http(Box::new(Receiver::below(&base, auth)?))))
    }

    /// Posts metrics to `url` as it stands, as `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT` means it, and nothing else.
    ///
    /// # Errors
    /// As for [`Otlp::http`].
    pub fn metrics_url(url: &str) -> Result<Self, Error> {
        let (url, auth) = parse(url)?;
        Ok(Self::new(Way::Http(Box::new(Receiver::metrics_at(url, auth)?))))
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

    /// The exporter that a command line names: a base URL, `metrics:URL` for one that takes metrics as it stands,
    /// `file:PATH`, or `-` for standard output.
    ///
    /// # Errors
    /// As for [`Otlp::http`] and [`Otlp::file`].
    pub fn open(destination: &str) -> Result<Self, Error> {
        match destination.split_once(':') {
            Some(("file", "")) => Err(refused_destination("'file:' has no path: write it as file:PATH")),
            Some(("file", path)) => Self::file(path),
            Some(("metrics", url)) if url.contains("://") => Self::metrics_url(url),
            _ if destination == "-" => Ok(Self::stdout()),
            _ => Self::http(destination),
        }
    }

    /// Sends the header `name: value` with every request, in place of one of the same name.
    ///
    /// # Errors
    /// A header that cannot be sent as it stands or that the exporter sets itself, and any for a file, which has none.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, Error> {
        match &mut self.way {
            Way::Http(receiver) => receiver.posts().try_for_each(|post| post.set_header(name, value))?,
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
            Way::Http(receiver) => receiver.posts().try_for_each(|post| post.set_auth(auth.clone()))?,
            Way::Lines(_) => return Err(meaningless("an authorization")),
        }
        Ok(self)
    }

    /// Speaks TLS in this way. It has no meaning for a URL of `http`, nor for a file; without it, `https` trusts whom the
    /// system trusts.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: &Tls) -> Self {
        if let Way::Http(receiver) = &mut self.way {
            receiver.posts().for_each(|post| post.set_tls(tls));
        }
        self
    }

    /// Compresses the bodies of requests. A file stays as it is.
    #[cfg(feature = "gzip")]
    #[must_use]
    pub fn gzip(mut self) -> Self {
        if let Way::Http(receiver) = &mut self.way {
            receiver.posts().for_each(|post| post.set_gzip());
        }
        self
    }

    /// Shows `view`, beside the ones that were given before.
    #[must_use]
    pub fn view(mut self, view: View) -> Self {
        self.views.push(view);
        self
    }

    /// Sends samples that have a place in a trace as spans, where traces can go: not to a [`Otlp::metrics_url`].
    #[must_use]
    pub fn traces(mut self) -> Self {
        self.wants_spans = self.way.takes_all();
        self
    }

    fn new(way: Way) -> Self {
        let scope = Scope { name: "barewire".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() };
        Otlp {
            views: Vec::new(),
            encoder: Encoder::new(),
            document: Vec::new(),
            delivered: None,
            registry: Arc::default(),
            resource: Arc::default(),
            logs: LogEncoder::new(Some(scope.clone())),
            spans: SpanEncoder::new(Some(scope)),
            wants_spans: false,
            way,
        }
    }

    /// Takes over the registry's resource, with what the first view puts upon it.
    fn speak_for(&mut self, registry: &Arc<[Label]>) {
        if !Arc::ptr_eq(&self.registry, registry) {
            self.registry = Arc::clone(registry);
            let shown = self.views.first().map(|view| view.resource_upon(registry));
            self.resource = shown.unwrap_or_else(|| Arc::clone(registry));
        }
    }

    /// One more request of what is left of `samples`: what was in it, and what became of that.
    fn send_spans<'a>(
        &mut self,
        samples: &mut impl Iterator<Item = (&'a Arc<Metric>, &'a Sample)>,
        deadline: Instant,
    ) -> (Encoded, Result<Sent, ExportError>) {
        self.document.clear();
        let encoded = self.spans.push_request(&self.resource, samples, SPANS_LIMIT_BYTES, &mut self.document);
        let sent = if self.document.is_empty() {
            Ok(Sent::default())
        } else {
            self.way.send_spans(&self.document, deadline)
        };
        (encoded, sent)
    }
}

/// What became of the items of a request that was taken.
fn settle(encoded: Encoded, sent: Sent) -> Delivered {
    let left_out = sent.left_out.min(encoded.points);
    let rejected = sent.rejected.min(encoded.points - left_out);
    Delivered {
        points: encoded.points - left_out - rejected,
        rejected,
        left_out: encoded.left_out + left_out,
        bytes: sent.bytes,
        message: sent.message,
        ..Delivered::default()
    }
}

/// The document of a snapshot, and whether the receiver may get it twice.
fn encode<'e>(
    views: &mut Vec<View>,
    encoder: &'e mut Encoder,
    snapshot: &Snapshot,
    earlier: Option<&Snapshot>,
) -> (&'e [u8], Encoded, OnStale) {
    if views.is_empty() {
        views.push(View::everything());
    }
    let mut on_stale = OnStale::Retry;
    let frames = views.iter_mut().map(|view| {
        let frame = view.show(snapshot, earlier);
        if frame.temporality == Temporality::Delta {
            on_stale = OnStale::Fail;
        }
        frame
    });
    let (document, encoded) = encoder.request(frames);
    (document, encoded, on_stale)
}

impl Sent {
    /// None of the items was taken, as the receiver said before.
    fn rejected(why: &str) -> Sent {
        Sent { rejected: u64::MAX, message: Some(why.to_owned()), ..Sent::default() }
    }

    /// The receiver has no place for any item.
    fn left_out(why: &str) -> Sent {
        Sent { left_out: u64::MAX, message: Some(why.to_owned()), ..Sent::default() }
    }
}

/// `host:port` and what is behind it as a URL of `http`; anything else as it is.
fn with_scheme(url: &str) -> Cow<'_, str> {
    let authority = url.split(['/', '?', '#']).next().unwrap_or_default();
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let is_host_and_port =
        authority.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && is_port(port));
    if is_host_and_port { format!("http://{url}").into() } else { url.into() }
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

    fn begin(&mut self, resource: &Arc<[Label]>) {
        self.speak_for(resource);
    }

    fn export(&mut self, snapshot: &Arc<Snapshot>, deadline: Instant) -> Result<Delivered, ExportError> {
        let begun = Instant::now();
        self.speak_for(snapshot.resource());
        let Otlp { views, encoder, delivered, way, .. } = self;
        let (document, encoded, on_stale) = encode(views, encoder, snapshot, delivered.as_deref());
        let encode = begun.elapsed();
        let sent = match document {
            [] => Sent::default(),
            document => way.send_metrics(document, on_stale, deadline)?,
        };
        self.delivered = Some(Arc::clone(snapshot));
        Ok(Delivered { encode, ..settle(encoded, sent) })
    }

    fn event(&mut self, event: &Event, deadline: Instant) -> Result<Delivered, ExportError> {
        if !self.way.takes_all() {
            return Ok(Delivered::default());
        }
        self.document.clear();
        self.logs.push_request(&self.resource, [event], &mut self.document);
        let sent = self.way.send_logs(&self.document, deadline)?;
        Ok(settle(Encoded { points: 1, left_out: 0 }, sent))
    }

    fn wants_samples(&self) -> bool {
        self.wants_spans
    }

    /// Of samples without a trace, which are no spans, it says nothing.
    fn samples(&mut self, samples: Samples<'_>, deadline: Instant) -> Result<Delivered, ExportError> {
        let mut total = Delivered::default();
        let mut left = samples.iter().peekable();
        while left.peek().is_some() {
            let (encoded, sent) = self.send_spans(&mut left, deadline);
            let delivered = match sent {
                Ok(sent) => settle(encoded, sent),
                // An error says that all samples are lost, so it is one only if they are.
                Err(error) if encoded.points == samples.len() as u64 => return Err(error),
                Err(error) => settle(encoded, Sent::left_out(&error.to_string())),
            };
            total.points += delivered.points;
            total.rejected += delivered.rejected;
            total.left_out += delivered.left_out;
            total.bytes += delivered.bytes;
            total.message = delivered.message.or(total.message);
        }
        Ok(total)
    }
}

impl fmt::Debug for Otlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Otlp({:?})", self.way)
    }
}

//! The way out: a snapshot is shown to the views, encoded as lines, and posted or packed into datagrams.

mod destination;
mod http;
mod udp;

use std::{fmt, path::Path, sync::Arc, time::Instant};

#[cfg(feature = "tls")]
use barewire::wire::net::Tls;
use barewire::{
    Delivered, Error, Event, ExportError, Exporter, Samples, Snapshot,
    view::{SampleRule, Shape, Temporality, View},
    wire::{
        net::OnStale,
        post::{Auth, Secret},
    },
};

use crate::{
    encode::{Encoded, Encoder, Lines},
    event::{EventTimes, push_event_within},
    sample::SampleEncoder,
};
use destination::{Destination, Version, refused};
use http::{Http, Sent};
use udp::Udp;

/// Carries snapshots, events and samples out as InfluxDB line protocol: by UDP, or to the HTTP API of version 1, 2 or
/// 3.
///
/// It shows everything as it is, histograms as they were recorded, unless views are given. Windows begin at the
/// snapshot that was delivered last; counters count since the start, so that what is lost on the way costs resolution
/// and no count. [`Encoder`] says what the lines are.
///
/// An event is a point of the measurement `events`, with the fields `title`, `text` and `tags` as Grafana reads
/// annotations, and the tags `event` and `level`. Samples are sent as the rules say that [`Influx::samples`] gives;
/// the times of those of one series strictly increase, by nanoseconds where they would not, because a server keeps one
/// point for each series and time.
///
/// ```
/// use std::{net::UdpSocket, time::{Duration, Instant}};
///
/// use barewire::{Exporter, Metric, Registry};
/// use barewire_influx::Influx;
///
/// let server = UdpSocket::bind("127.0.0.1:0")?;
/// let registry = Registry::new("shop");
/// let hits = registry.counter(Metric::new("hits"));
/// registry.shard().add(hits, 1);
///
/// let mut influx = Influx::udp(&server.local_addr()?.to_string())?.tag("host", "a");
/// let delivered = influx.export(&registry.snapshot(), Instant::now() + Duration::from_secs(1))?;
/// assert_eq!(delivered.points, 1);
///
/// let mut datagram = [0; 1432];
/// let length = server.recv(&mut datagram)?;
/// assert!(datagram[..length].starts_with(b"hits,host=a value=1i "));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Influx {
    /// None stands for the view of everything.
    views: Vec<View>,
    encoder: Encoder,
    event_times: EventTimes,
    samples: SampleEncoder,
    /// Where each sample of a batch ends, in bytes.
    sample_ends: Vec<usize>,
    delivered: Option<Arc<Snapshot>>,
    way: Way,
}

enum Way {
    Udp(Box<Udp>),
    Http(Box<Http>),
}

impl Influx {
    /// Sends datagrams to `HOST:PORT`, at most 1432 bytes each and whole lines only; a line that is longer is left out.
    /// The server has to read times as nanoseconds, as it does unless it was told otherwise.
    ///
    /// # Errors
    /// What is given is no host and port.
    pub fn udp(address: &str) -> Result<Self, Error> {
        Ok(Self::new(Way::Udp(Box::new(Udp::new(address)?))))
    }

    /// Posts to the write API of InfluxDB 1, at whatever path: `http://HOST:PORT/write?db=DATABASE`, and `&rp=POLICY`
    /// where that is not the default. Credentials, as `user:password@` or as `u=` and `p=`, are sent as Basic
    /// authorization.
    ///
    /// Nothing is connected before the first export.
    ///
    /// # Errors
    /// A URL that cannot be sent as it stands, one without a database, or one with a precision other than nanoseconds.
    pub fn v1(url: &str) -> Result<Self, Error> {
        Self::http(Version::V1, url)
    }

    /// Posts to the write API of InfluxDB 2, at whatever path:
    /// `http://HOST:PORT/api/v2/write?org=ORGANIZATION&bucket=BUCKET`.
    ///
    /// # Errors
    /// As for [`Influx::v1`]; without an organization or a bucket.
    pub fn v2(url: &str) -> Result<Self, Error> {
        Self::http(Version::V2, url)
    }

    /// Posts to the write API of InfluxDB 3, at whatever path: `http://HOST:PORT/api/v3/write_lp?db=DATABASE`.
    ///
    /// # Errors
    /// As for [`Influx::v1`].
    pub fn v3(url: &str) -> Result<Self, Error> {
        Self::http(Version::V3, url)
    }

    /// The exporter that a command line names: `udp://HOST:PORT`, or a URL whose path ends in `/write`,
    /// `/api/v2/write` or `/api/v3/write_lp`.
    ///
    /// ```
    /// use barewire_influx::Influx;
    ///
    /// let influx = Influx::open("http://127.0.0.1:8086/write?db=load&u=me&p=secret")?;
    /// assert_eq!(format!("{influx:?}"), "Influx(http://127.0.0.1:8086/write?…)");
    /// let error = Influx::open("http://127.0.0.1:8086/api/v2/write?bucket=load").unwrap_err();
    /// assert!(error.to_string().ends_with("the query has no 'org': add org=…"));
    /// # Ok::<(), barewire::Error>(())
    /// ```
    ///
    /// # Errors
    /// Anything else, and as for [`Influx::udp`] and [`Influx::v1`].
    pub fn open(destination: &str) -> Result<Self, Error> {
        match Destination::of(destination)? {
            Destination::Udp(address) => Self::udp(address),
            Destination::Http(version) => Self::http(version, destination),
        }
    }

    /// Sends the header `name: value` with every request, in place of one of the same name.
    ///
    /// # Errors
    /// A header that cannot be sent as it stands or that the exporter sets itself, and any for UDP, which has none.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, Error> {
        self.way.http("a header")?.post.set_header(name, value)?;
        Ok(self)
    }

    /// Authenticates every request by a token, in the form that the version wants.
    ///
    /// # Errors
    /// A second authorization, a token that cannot be sent, and any for UDP, which asks for none.
    pub fn token(mut self, token: impl Into<Secret>) -> Result<Self, Error> {
        let http = self.way.http("a token")?;
        http.post.set_auth(http.version.authorize(token.into())?)?;
        Ok(self)
    }

    /// The same, by the token in the file at `path`, which is read again when it changes.
    ///
    /// # Errors
    /// As for [`Influx::token`]; the file cannot be read.
    pub fn token_file(self, path: impl AsRef<Path>) -> Result<Self, Error> {
        self.token(Secret::file(path)?)
    }

    /// Authenticates every request.
    ///
    /// # Errors
    /// A second authorization, and any for UDP, which asks for none.
    pub fn auth(mut self, auth: Auth) -> Result<Self, Error> {
        self.way.http("an authorization")?.post.set_auth(auth)?;
        Ok(self)
    }

    /// Speaks TLS in this way. It has no meaning for UDP, nor for a URL of `http`; without it, `https` trusts whom the
    /// system trusts.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: &Tls) -> Self {
        if let Way::Http(http) = &mut self.way {
            http.post.set_tls(tls);
        }
        self
    }

    /// Compresses the bodies of requests. Datagrams stay as they are.
    #[cfg(feature = "gzip")]
    #[must_use]
    pub fn gzip(mut self) -> Self {
        if let Way::Http(http) = &mut self.way {
            http.post.set_gzip();
        }
        self
    }

    /// Adds a tag to every line: see [`Encoder::tag`].
    #[must_use]
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.encoder = self.encoder.tag(key, value);
        self
    }

    /// Adds the labels of the resource to the lines of snapshots, as tags: see [`Encoder::resource_tags`].
    #[must_use]
    pub fn resource_tags(mut self) -> Self {
        self.encoder = self.encoder.resource_tags();
        self
    }

    /// Shows `view`, beside the ones that were given before.
    #[must_use]
    pub fn view(mut self, view: View) -> Self {
        self.views.push(view);
        self
    }

    /// Tells of each sample as `rule` says, beside the ones that were given before.
    #[must_use]
    pub fn samples(mut self, rule: SampleRule) -> Self {
        self.samples.add(rule);
        self
    }

    /// Which tag got another key last, because a field or the server has its own.
    pub fn warning(&self) -> Option<&str> {
        self.encoder.warnings().last().map(String::as_str)
    }

    fn http(version: Version, url: &str) -> Result<Self, Error> {
        Ok(Self::new(Way::Http(Box::new(Http::new(version, version.endpoint(url)?)?))))
    }

    fn new(way: Way) -> Self {
        Influx {
            views: Vec::new(),
            encoder: Encoder::new(),
            event_times: EventTimes::default(),
            samples: SampleEncoder::default(),
            sample_ends: Vec::new(),
            delivered: None,
            way,
        }
    }

    /// Refills the lines, and says whether the server may get them twice.
    fn encode(&mut self, snapshot: &Snapshot) -> (Encoded, OnStale) {
        if self.views.is_empty() {
            self.views.push(View::everything().histograms(Shape::Recorded));
        }
        self.way.clear();
        let mut on_stale = OnStale::Retry;
        let earlier = self.delivered.as_deref();
        let frames = self.views.iter_mut().map(|view| {
            let frame = view.show(snapshot, earlier);
            if frame.temporality == Temporality::Delta {
                on_stale = OnStale::Fail;
            }
            frame
        });
        let encoded = self.encoder.write(frames, &mut self.way);
        (encoded, on_stale)
    }
}

impl Exporter for Influx {
    fn name(&self) -> &str {
        "influx"
    }

    /// Over UDP, a snapshot of which a datagram was not taken is not delivered.
    fn export(&mut self, snapshot: &Arc<Snapshot>, deadline: Instant) -> Result<Delivered, ExportError> {
        let begun = Instant::now();
        let (encoded, on_stale) = self.encode(snapshot);
        let encode = begun.elapsed();
        let sent = self.way.send(on_stale, deadline)?;
        self.delivered = Some(Arc::clone(snapshot));
        let delivered = delivered(encoded, sent);
        // The lane tells of each once.
        let message = delivered.message.or_else(|| self.warning().map(str::to_owned));
        Ok(Delivered { encode, message, ..delivered })
    }

    /// One at the time of the one before it is told a nanosecond later, as a server keeps one for each time; one that is longer
    /// than a datagram is cut.
    fn event(&mut self, event: &Event, deadline: Instant) -> Result<Delivered, ExportError> {
        self.way.clear();
        let Influx { encoder, event_times, way, .. } = self;
        let event = event_times.place(event);
        let limit_bytes = way.limit_bytes();
        let is_written = way.push_line(|out| push_event_within(out, &event, encoder.tags(), limit_bytes));
        let sent = self.way.send(OnStale::Retry, deadline)?;
        let points = u64::from(is_written);
        Ok(delivered(Encoded { points, left_out: 1 - points }, sent))
    }

    fn wants_samples(&self) -> bool {
        !self.samples.is_empty()
    }

    fn samples(&mut self, samples: Samples<'_>, deadline: Instant) -> Result<Delivered, ExportError> {
        let Influx { encoder, samples: to_lines, sample_ends: ends, way, .. } = self;
        way.clear();
        ends.clear();
        let mut left_out = 0;
        to_lines.push(samples, &mut encoder.shared(), way, |way, is_whole| {
            if is_whole { ends.push(way.len_bytes()) } else { left_out += 1 }
        });
        let encoded = Encoded { points: ends.len() as u64, left_out };
        let udp = match way {
            Way::Http(http) => return Ok(delivered(encoded, http.send(OnStale::Retry, deadline)?)),
            Way::Udp(udp) => udp,
        };
        let mut lost = 0;
        let (bytes, error) = udp.send(deadline, |range| {
            // A sample is lost with any of its lines, the first of which may be in the datagram before.
            let from = ends.partition_point(|end| *end <= range.start);
            let to = ends.partition_point(|end| *end < range.end);
            lost += (to + 1).min(ends.len()) - from;
        });
        let lost = (lost as u64).min(encoded.points);
        match error {
            Some(error) if lost == encoded.points => Err(error),
            _ => {
                let encoded = Encoded { points: encoded.points - lost, left_out: encoded.left_out + lost };
                Ok(delivered(encoded, Sent { bytes, ..Sent::default() }))
            }
        }
    }
}

impl fmt::Debug for Influx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.way {
            Way::Udp(udp) => write!(f, "Influx({udp:?})"),
            Way::Http(http) => write!(f, "Influx({http:?})"),
        }
    }
}

impl Way {
    fn clear(&mut self) {
        match self {
            Way::Udp(udp) => udp.lines.clear(),
            Way::Http(http) => http.lines.clear(),
        }
    }

    /// What a line may have.
    fn limit_bytes(&self) -> usize {
        match self {
            Way::Udp(udp) => udp.lines.limit_bytes(),
            Way::Http(_) => usize::MAX,
        }
    }

    fn len_bytes(&self) -> usize {
        match self {
            Way::Udp(udp) => udp.lines.len_bytes(),
            Way::Http(http) => http.lines.len(),
        }
    }

    fn send(&mut self, on_stale: OnStale, deadline: Instant) -> Result<Sent, ExportError> {
        match self {
            Way::Http(http) => http.send(on_stale, deadline),
            Way::Udp(udp) => match udp.send(deadline, drop) {
                (bytes, None) => Ok(Sent { bytes, ..Sent::default() }),
                (_, Some(error)) => Err(error),
            },
        }
    }

    fn http(&mut self, what: &str) -> Result<&mut Http, Error> {
        match self {
            Way::Http(http) => Ok(http),
            Way::Udp(_) => {
                Err(refused(format_args!("{what} has no meaning for udp: leave it out, or send to a url")))
            }
        }
    }
}

impl Lines for Way {
    fn push_line(&mut self, write: impl FnOnce(&mut Vec<u8>) -> bool) -> bool {
        match self {
            Way::Udp(udp) => udp.lines.push_line(write),
            Way::Http(http) => http.lines.push_line(write),
        }
    }
}

fn delivered(encoded: Encoded, sent: Sent) -> Delivered {
    let rejected = sent.rejected.min(encoded.points);
    Delivered {
        points: encoded.points - rejected,
        rejected,
        left_out: encoded.left_out,
        bytes: sent.bytes,
        message: sent.message,
        ..Delivered::default()
    }
}

//! The way out: a snapshot is shown to the views, and what came since the last delivery goes out as lines.

#[cfg(unix)]
mod stream;
mod telemetry;
mod way;

#[cfg(unix)]
use std::path::Path;
use std::{fmt, sync::Arc, time::Instant};

use barewire::{
    Delivered, Error, Event, ExportError, Exporter, Samples, Snapshot,
    view::{SampleRule, Shape, Temporality, View},
    wire::{datagram::Datagrams, net::DatagramSocket},
};

use crate::encode::{Encoded, Encoder, SampleEncoder, Style, event::push_event_within};
#[cfg(unix)]
use stream::Stream;
use telemetry::{Counts, Telemetry};
use way::Way;

/// The keys of tags that the Agent takes for itself.
const RESERVED: [&str; 4] = ["host", "device", "source", "service"];
const RESERVED_PREFIX: &str = "dd.internal.";

/// Carries snapshots out as DogStatsD: over UDP, or to the Unix sockets of an Agent.
///
/// It shows everything, unless views are given. Whatever a view says of temporality and shape, counters and histograms
/// are told as what came since the last delivery: [`Encoder`] says in which lines.
///
/// # What is delivered
/// A datagram, or a frame of a stream, is delivered when the kernel has taken it. Those of a snapshot go out in order,
/// and the first that is not taken ends the export: what was sent before is delivered and not sent again, and what was
/// not stays for the next snapshot. So for every counter, and for every bucket of a histogram, what was delivered and
/// what is kept add up to what was counted, whatever succeeds and fails in between. Gauges that were not delivered are
/// gone, as the next snapshot has newer ones.
///
/// What the kernel took may still be lost, and nobody is told: a full receive buffer of a UDP socket drops in silence,
/// and a receiver that ends takes with it what it has not read. That a UDP receiver of the same machine has gone is
/// noticed with the first datagram that it does not get, which is then not counted as delivered; of one behind a network
/// it is noticed later or not at all.
///
/// # Examples
/// ```
/// use std::{net::UdpSocket, time::{Duration, Instant}};
///
/// use barewire::{Exporter, Metric, Registry};
/// use barewire_statsd::Statsd;
///
/// let receiver = UdpSocket::bind("127.0.0.1:0")?;
/// let registry = Registry::new("shop");
/// let hits = registry.counter(Metric::new("hits"));
/// registry.shard().add(hits, 3);
///
/// let mut statsd = Statsd::udp(&receiver.local_addr()?.to_string())?.prefix("shop").tag("region", "eu");
/// statsd.export(&registry.snapshot(), Instant::now() + Duration::from_secs(1))?;
///
/// let mut datagram = [0; 100];
/// let length = receiver.recv(&mut datagram)?;
/// assert_eq!(&datagram[..length], b"shop.hits:3|c|#region:eu\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Statsd {
    style: Style,
    /// The style without the prefix.
    plain: Style,
    /// None stands for the view of everything.
    views: Vec<View>,
    /// One for each view, from the first export on.
    encoders: Vec<Encoder>,
    rules: Vec<SampleRule>,
    /// One for each rule, from the first samples on.
    sample_encoders: Vec<SampleEncoder>,
    sample_rate: f64,
    telemetry: Option<Telemetry>,
    tells_telemetry: bool,
    warnings: Vec<String>,
    datagrams: Datagrams,
    /// Where the last line of each sample ends among the bytes of all datagrams.
    ends: Vec<usize>,
    /// What the encoders have seen; what of it was not delivered, they keep.
    shown: Option<Arc<Snapshot>>,
    way: Way,
}

impl Statsd {
    /// Sends by UDP to `HOST:PORT`, in datagrams of at most
    /// [`UDP_LIMIT_BYTES`](barewire::wire::datagram::UDP_LIMIT_BYTES).
    ///
    /// # Errors
    /// What is given is no host and port.
    pub fn udp(address: &str) -> Result<Self, Error> {
        Ok(Self::new(Way::Udp(DatagramSocket::udp(address).map_err(refused_destination)?)))
    }

    /// Sends datagrams to the Unix socket at `path`, each of at most
    /// [`UNIX_LIMIT_BYTES`](barewire::wire::datagram::UNIX_LIMIT_BYTES).
    ///
    /// # Errors
    /// No socket can be at that path; there need not be one yet.
    #[cfg(unix)]
    pub fn unix_datagram(path: impl AsRef<Path>) -> Result<Self, Error> {
        Ok(Self::new(Way::Datagram(DatagramSocket::unix(path).map_err(refused_destination)?)))
    }

    /// Sends frames over a stream to the Unix socket at `path`, each of at most
    /// [`UNIX_LIMIT_BYTES`](barewire::wire::datagram::UNIX_LIMIT_BYTES).
    ///
    /// # Errors
    /// As for [`Statsd::unix_datagram`].
    #[cfg(unix)]
    pub fn unix_stream(path: impl AsRef<Path>) -> Result<Self, Error> {
        Ok(Self::new(Way::Stream(Stream::new(path.as_ref()).map_err(refused_destination)?)))
    }

    /// The exporter that a command line names: `udp://HOST:PORT`, `unix:PATH` for a stream or `unixgram:PATH`.
    ///
    /// # Errors
    /// As for [`Statsd::udp`] and [`Statsd::unix_datagram`].
    pub fn open(destination: &str) -> Result<Self, Error> {
        if let Some(address) = destination.strip_prefix("udp://") {
            return Self::udp(address);
        }
        #[cfg(unix)]
        if let Some(path) = destination.strip_prefix("unixgram:") {
            return Self::unix_datagram(path);
        }
        #[cfg(unix)]
        if let Some(path) = destination.strip_prefix("unix:") {
            return Self::unix_stream(path);
        }
        // Whoever writes a URL may have put a password into it.
        let shown = destination.rsplit_once('@').map_or(destination, |(_, shown)| shown);
        let shown: String = shown.chars().filter(|c| !c.is_control()).collect();
        let forms = "write udp://HOST:PORT, unix:PATH for a stream, or unixgram:PATH";
        Err(refused_destination(format!("'{shown}' is of no known kind: {forms}")))
    }

    /// Shows `view`, beside the ones that were given before.
    #[must_use]
    pub fn view(mut self, view: View) -> Self {
        self.views.push(view.temporality(Temporality::Delta).histograms(Shape::Recorded));
        self
    }

    /// Tells of samples as `rule` says, beside the rules that were given before. The lines of a sample are delivered
    /// together or not at all.
    #[must_use]
    pub fn samples(mut self, rule: SampleRule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Says of each sample that it stands for `1 / rate` of them: what the recording side keeps, above 0 and at most 1.
    #[must_use]
    pub fn sample_rate(mut self, rate: f64) -> Self {
        self.sample_rate = rate;
        self
    }

    /// Sets what stands before every name, with a point between.
    #[must_use]
    pub fn prefix(mut self, prefix: &str) -> Self {
        self.style = self.style.prefix(prefix);
        self
    }

    /// Adds a tag to every line. A key that the Agent takes for itself gives a [warning](Statsd::warnings).
    #[must_use]
    pub fn tag(mut self, key: &str, value: &str) -> Self {
        if RESERVED.contains(&key) || key.starts_with(RESERVED_PREFIX) {
            let shown: String = key.chars().filter(|c| !c.is_control()).collect();
            let remedy = "the Agent takes it for itself, and it may not arrive as a tag: choose another";
            self.warnings.push(format!("statsd: tag key '{shown}' is reserved: {remedy}"));
        }
        self.both(|style| style.tag(key, value))
    }

    /// Says of counters and gauges when they were true, in seconds. The Agent then takes them as they stand.
    #[must_use]
    pub fn timestamps(self) -> Self {
        self.both(Style::timestamps)
    }

    /// Says which container the lines come from.
    #[must_use]
    pub fn container(self, id: &str) -> Self {
        self.both(|style| style.container(id))
    }

    /// Says which host events come from.
    #[must_use]
    pub fn host(self, name: &str) -> Self {
        self.both(|style| style.host(name))
    }

    /// Tells with each snapshot what was sent and what was dropped since the one before, by the names of Datadog's own
    /// clients: `datadog.dogstatsd.client.{metrics,bytes_sent,bytes_dropped,packets_sent,packets_dropped}`. Not unless
    /// asked for.
    #[must_use]
    pub fn telemetry(mut self) -> Self {
        self.tells_telemetry = true;
        self
    }

    /// What is likely to be a mistake in the settings.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn both(mut self, change: impl Fn(Style) -> Style) -> Self {
        self.style = change(self.style);
        self.plain = change(self.plain);
        self
    }

    fn new(way: Way) -> Self {
        Statsd {
            style: Style::new(),
            plain: Style::new(),
            views: Vec::new(),
            encoders: Vec::new(),
            rules: Vec::new(),
            sample_encoders: Vec::new(),
            sample_rate: 1.0,
            telemetry: None,
            tells_telemetry: false,
            warnings: Vec::new(),
            datagrams: Datagrams::new(way.limit_bytes()),
            ends: Vec::new(),
            shown: None,
            way,
        }
    }

    /// What depends on the settings, which are complete with the first call.
    fn prepare(&mut self) {
        if self.views.is_empty() {
            let everything = View::everything();
            self.views.push(everything.temporality(Temporality::Delta).histograms(Shape::Recorded));
        }
        if self.encoders.is_empty() {
            self.encoders = self.views.iter().map(|_| Encoder::new(self.style.clone())).collect();
        }
        if self.tells_telemetry && self.telemetry.is_none() {
            self.telemetry = Some(Telemetry::new(self.plain.clone(), self.way.transport()));
        }
        if self.sample_encoders.is_empty() {
            let encoder =
                |rule: &SampleRule| SampleEncoder::new(self.style.clone(), rule.clone(), self.sample_rate);
            self.sample_encoders = self.rules.iter().map(encoder).collect();
        }
    }

    /// Refills the datagrams.
    fn encode(&mut self, snapshot: &Arc<Snapshot>) -> Encoded {
        self.datagrams.clear();
        let mut encoded = Encoded::default();
        for (view, encoder) in self.views.iter_mut().zip(&mut self.encoders) {
            let frame = view.show(snapshot, self.shown.as_deref());
            let Encoded { points, left_out } = encoder.push_frame(frame, &mut self.datagrams);
            encoded.points += points;
            encoded.left_out += left_out;
        }
        self.shown = Some(Arc::clone(snapshot));
        if let Some(telemetry) = &mut self.telemetry {
            telemetry.push(snapshot.unix_ns(), &mut self.datagrams);
        }
        encoded
    }

    /// Sends the datagrams in order, up to the first that is not taken. Returns how many bytes were delivered, and why
    /// it is not all.
    fn send(&mut self, deadline: Instant) -> (usize, Option<ExportError>) {
        let (mut counts, mut error, mut patience) = (Counts::default(), None, None);
        let mut datagrams = self.datagrams.iter();
        while let Some(datagram) = datagrams.next() {
            if error.is_none() {
                error = self.way.send_patiently(datagram, &mut patience, deadline).err();
            }
            counts.add(datagram, error.is_none());
            // With the first that is delivered, others may be.
            while error.is_none() {
                let taken = self.way.send_batch(datagrams.clone());
                datagrams.by_ref().take(taken).for_each(|datagram| counts.add(datagram, true));
                if taken == 0 {
                    break;
                }
            }
        }
        drop(datagrams);
        let delivered = usize::try_from(counts.bytes_sent).unwrap_or(usize::MAX);
        self.count(counts);
        (delivered, error)
    }

    fn count(&mut self, counts: Counts) {
        if let Some(telemetry) = &mut self.telemetry {
            telemetry.add(counts);
        }
    }
}

impl Counts {
    fn add(&mut self, datagram: &[u8], is_sent: bool) {
        let (packets, bytes) = if is_sent {
            (&mut self.packets_sent, &mut self.bytes_sent)
        } else {
            (&mut self.packets_dropped, &mut self.bytes_dropped)
        };
        *packets += 1;
        *bytes += datagram.len() as u64;
    }
}

impl Exporter for Statsd {
    fn name(&self) -> &str {
        "statsd"
    }

    fn export(&mut self, snapshot: &Arc<Snapshot>, deadline: Instant) -> Result<Delivered, ExportError> {
        let begun = Instant::now();
        self.prepare();
        let Encoded { points, left_out } = self.encode(snapshot);
        let encode = begun.elapsed();
        let (delivered, error) = self.send(deadline);
        self.encoders.iter_mut().for_each(|encoder| encoder.settle(delivered));
        if let Some(telemetry) = &mut self.telemetry {
            telemetry.settle(delivered);
        }
        self.count(Counts { metrics: points, ..Counts::default() });
        match error {
            None => {
                Ok(Delivered { points, left_out, bytes: delivered as u64, encode, ..Delivered::default() })
            }
            Some(error) => Err(error),
        }
    }

    /// One datagram: an event that is longer is cut. One with an empty title, or with more tags than a datagram has room for, is
    /// left out.
    fn event(&mut self, event: &Event, deadline: Instant) -> Result<Delivered, ExportError> {
        self.prepare();
        self.datagrams.clear();
        let limit_bytes = self.way.limit_bytes();
        let mut is_written = false;
        self.datagrams.push(|out| is_written = push_event_within(out, event, &self.style, limit_bytes));
        if !is_written {
            return Ok(Delivered { left_out: 1, ..Delivered::default() });
        }
        match self.send(deadline) {
            (_, Some(error)) => Err(error),
            (bytes, None) => Ok(Delivered { points: 1, bytes: bytes as u64, ..Delivered::default() }),
        }
    }

    fn wants_samples(&self) -> bool {
        !self.rules.is_empty()
    }

    /// Without patience: a datagram for which there is no room costs the samples in it.
    fn samples(&mut self, samples: Samples<'_>, deadline: Instant) -> Result<Delivered, ExportError> {
        let begun = Instant::now();
        self.prepare();
        self.datagrams.clear();
        self.ends.clear();
        let mut left_out = 0;
        for (metric, sample) in samples.iter().filter(|(_, sample)| sample.counted) {
            let mut is_told = false;
            let encoders = &mut self.sample_encoders;
            let fits = self.datagrams.push(|out| {
                encoders.iter_mut().for_each(|encoder| is_told |= encoder.push_sample(metric, sample, out));
            });
            if fits && is_told {
                self.ends.push(self.datagrams.len_bytes());
            } else {
                left_out += 1;
            }
        }
        let encode = begun.elapsed();
        let Sent { samples: points, lost, bytes, error } = self.send_samples(deadline);
        match error {
            Some(error) if points == 0 && lost > 0 => Err(error),
            _ => Ok(Delivered { points, left_out: left_out + lost, bytes, encode, ..Delivered::default() }),
        }
    }
}

/// What became of samples.
#[derive(Debug, Default)]
struct Sent {
    samples: u64,
    lost: u64,
    bytes: u64,
    error: Option<ExportError>,
}

impl Statsd {
    fn send_samples(&mut self, deadline: Instant) -> Sent {
        let (mut sent, mut counts) = (Sent::default(), Counts::default());
        let (mut ends, mut end) = (self.ends.iter().peekable(), 0);
        // Without a receiver, one attempt is enough.
        let mut is_gone = false;
        for datagram in self.datagrams.iter() {
            end += datagram.len();
            let samples = std::iter::from_fn(|| ends.next_if(|at| **at <= end)).count() as u64;
            let refusal = if is_gone { None } else { self.way.send(datagram, deadline).err() };
            let is_sent = !is_gone && refusal.is_none();
            counts.add(datagram, is_sent);
            if is_sent {
                sent.samples += samples;
                sent.bytes += datagram.len() as u64;
            } else {
                sent.lost += samples;
            }
            if let Some(refusal) = refusal {
                is_gone = !refusal.is_full;
                sent.error = Some(refusal.error);
            }
        }
        counts.metrics = sent.samples + sent.lost;
        self.count(counts);
        sent
    }
}

fn refused_destination(why: impl fmt::Display) -> Error {
    Error::Config(format!("statsd destination: {why}"))
}

impl fmt::Debug for Statsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Statsd({:?})", self.way)
    }
}

//! Snapshots in, a page for whoever asks out.

use std::{
    io::{self, ErrorKind},
    net::{SocketAddr, ToSocketAddrs as _},
    sync::Arc,
    time::{Duration, Instant},
};

use barewire::{Delivered, Error, ExportError, Exporter, Snapshot, view::View};

use crate::{
    desk::Shared,
    page::Renderer,
    server::{Limits, Server},
};

/// A scrape endpoint: `GET /metrics` shows the newest snapshot, from a thread of its own, in the text format, escaping and
/// coding that the scraper likes best ([`Exposition`](crate::Exposition), [`Coding`](crate::Coding)).
///
/// Exporting keeps the snapshot and returns at once; a page is rendered when it is asked for, once for all who
/// ask for the same one. Rates and quantiles of a window describe the last tick. Before the first snapshot the page
/// shows no series, and is answered with 200: the process is up, and has nothing to say yet. `GET /-/healthy` answers
/// 200 as well, anything else 404, 405 or, to whoever takes neither gzip nor plain text, 406.
///
/// There is neither TLS nor authentication; a peer is given 5 s for a request, 10 s to take the answer, 30 s between
/// requests, and 8 KiB for a head, and no more than 256 are connected at a time. Dropping the value closes the
/// endpoint, unless there is a [`LastScrape`].
///
/// ```
/// use barewire_promtext::PromText;
///
/// let endpoint = PromText::bind("0")?; // any free port of the loopback address
/// println!("scrape http://{}/metrics", endpoint.local_addr());
/// # Ok::<(), barewire::Error>(())
/// ```
#[derive(Debug)]
pub struct PromText {
    server: Arc<Server>,
    shared: Arc<Shared>,
}

/// Keeps an endpoint open after its [`PromText`] is gone, for whoever has not fetched the last page yet.
///
/// ```no_run
/// use barewire::{Metric, Registry, Reporter};
/// use barewire_promtext::PromText;
/// use std::time::Duration;
///
/// let registry = Registry::new("job");
/// let done = registry.counter(Metric::new("done"));
/// let endpoint = PromText::bind("0")?;
/// let last_scrape = endpoint.last_scrape();
/// let reporting = Reporter::every(Duration::from_secs(1)).export(endpoint).start(&registry);
/// registry.shard().add(done, 1);
/// reporting.stop(Duration::from_secs(3));
/// if !last_scrape.wait(Duration::from_secs(15)) {
///     eprintln!("not everybody has the last page");
/// }
/// # Ok::<(), barewire::Error>(())
/// ```
#[derive(Debug)]
pub struct LastScrape {
    shared: Arc<Shared>,
    /// Closed by whoever is the last to have it.
    server: Arc<Server>,
}

impl PromText {
    /// Listens at `ADDR:PORT`, or at `:PORT` or `PORT` of the loopback address. Port 0 is any free one.
    ///
    /// # Errors
    /// [`Error::Config`] if that is no address, or one where nobody can listen.
    pub fn bind(addr: &str) -> Result<Self, Error> {
        let shared = Arc::<Shared>::default();
        let mut last = io::Error::from(ErrorKind::AddrNotAvailable);
        for resolved in resolve(addr)? {
            match Server::start(resolved, Limits::default(), Renderer::new(Arc::clone(&shared))) {
                Ok(server) => return Ok(PromText { server: Arc::new(server), shared }),
                Err(error) => last = error,
            }
        }
        Err(cannot_listen(addr, &last))
    }

    /// Where the endpoint listens, with the port that the kernel chose if that was left to it.
    pub fn local_addr(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// Shows this view, and any other that is given in the same way, instead of everything.
    ///
    /// Set them before the first export. A page shows cumulative counters and histograms only.
    #[must_use]
    pub fn view(self, view: View) -> Self {
        self.shared.views.lock().push(view);
        self
    }

    /// What keeps the endpoint open for one last scrape.
    pub fn last_scrape(&self) -> LastScrape {
        LastScrape { shared: Arc::clone(&self.shared), server: Arc::clone(&self.server) }
    }
}

impl LastScrape {
    /// Waits until everyone who scrapes at a rhythm has the newest page, for `within` at the most; whether that came. Call it
    /// when the last snapshot is exported, that is, after [`Reporting::stop`](barewire::Reporting::stop).
    ///
    /// At a rhythm scrapes whoever says by `X-Prometheus-Scrape-Timeout-Seconds` how long it waits, as Prometheus does, or has
    /// come three times or more at intervals that are alike; until it was silent for three of them. One who came once, such as
    /// curl, is not waited for. Scrapers are told apart by address and `User-Agent`, and by connection where several are open
    /// at a time. As long as nobody has come at all, one is waited for: a scrape interval may be longer than all the rest.
    pub fn wait(&self, within: Duration) -> bool {
        let now = Instant::now();
        self.server.is_running()
            && self.shared.wait_until_seen(now.checked_add(within).unwrap_or(now + LONGEST))
    }

    /// Who has the newest page, such as `127.0.0.1 (Prometheus/3.5.3)`, up to 8 of them.
    pub fn takers(&self) -> Vec<String> {
        self.shared.takers().0
    }

    /// Who scrapes at a rhythm and has not got the newest page, up to 8 of them.
    pub fn missing(&self) -> Vec<String> {
        self.shared.takers().1
    }

    /// What scrapers took since the last export, or since the last call: it came too late for the account of the
    /// exporter's lane.
    pub fn taken(&self) -> Delivered {
        self.shared.account()
    }
}

/// What a longer wait is cut to.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl Exporter for PromText {
    fn name(&self) -> &str {
        "prometheus"
    }

    /// Keeps the snapshot for the next scrape. What is delivered is what scrapers took since the last call; the rest
    /// is with [`LastScrape::taken`].
    fn export(&mut self, snapshot: &Arc<Snapshot>, _deadline: Instant) -> Result<Delivered, ExportError> {
        if !self.server.is_running() {
            let why = format!("the endpoint at {} has stopped", self.local_addr());
            return Err(ExportError::Failed(why));
        }
        Ok(self.shared.put(snapshot))
    }
}

fn resolve(addr: &str) -> Result<impl Iterator<Item = SocketAddr> + use<>, Error> {
    let is_port = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let port = addr.strip_prefix(':').unwrap_or(addr);
    let resolved =
        if is_port(port) { format!("127.0.0.1:{port}").to_socket_addrs() } else { addr.to_socket_addrs() };
    resolved.map_err(|error| {
        Error::Config(format!(
            "'{}' is no address to listen at ({error}): write ADDR:PORT, :PORT or PORT, such as 127.0.0.1:9090",
            addr.escape_debug()
        ))
    })
}

fn cannot_listen(addr: &str, error: &io::Error) -> Error {
    let remedy = match error.kind() {
        ErrorKind::AddrInUse => "choose another port, or 0 for any free one",
        ErrorKind::AddrNotAvailable => "use an address of this machine, such as 127.0.0.1",
        ErrorKind::PermissionDenied => "use a port above 1023, or 0 for any free one",
        _ => "use another address",
    };
    Error::Config(format!("cannot listen at '{}' ({error}): {remedy}", addr.escape_debug()))
}

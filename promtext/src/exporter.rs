//! Snapshots in, a page for whoever asks out.

use std::{
    io::{self, ErrorKind},
    net::{SocketAddr, ToSocketAddrs as _},
    sync::Arc,
    time::Instant,
};

use barewire::{
    Delivered, Error, ExportError, Exporter, Snapshot,
    view::{Frame, Shape, View},
};
use parking_lot::Mutex;

use crate::{
    connection::{Page, Pages},
    encode::{Encoder, Format},
    server::{Limits, Server},
};

/// A scrape endpoint: `GET /metrics` shows the newest snapshot as text 0.0.4, from a thread of its own.
///
/// Exporting keeps the snapshot and returns at once; the page is rendered when it is asked for, once for all who
/// ask for the same one. Rates and quantiles of a window describe the last tick. Before the first snapshot the page
/// is empty, and answered with 200: the process is up, and has nothing to say yet. `GET /-/healthy` answers 200 as
/// well, anything else 404 or 405.
///
/// There is neither TLS nor authentication; a peer is given 5 s for a request, 10 s to take the answer, 30 s between
/// requests, and 8 KiB for a head, and no more than 256 are connected at a time. Dropping the value closes the
/// endpoint.
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
    server: Server,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Held for a moment by both threads.
    desk: Mutex<Desk>,
    /// Held while a page is rendered, by the server's thread alone once views are set.
    views: Mutex<Vec<View>>,
}

#[derive(Debug, Default)]
struct Desk {
    newest: Option<Arc<Snapshot>>,
    earlier: Option<Arc<Snapshot>>,
    /// How many snapshots there have been. It, and not the address, tells them apart: they are recycled.
    exported: u64,
    /// What scrapers took since the last export.
    taken: Delivered,
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
                Ok(server) => return Ok(PromText { server, shared }),
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
}

impl Exporter for PromText {
    fn name(&self) -> &str {
        "prometheus"
    }

    /// Keeps the snapshot for the next scrape. What is delivered is what scrapers took since the last call.
    fn export(&mut self, snapshot: &Arc<Snapshot>, _deadline: Instant) -> Result<Delivered, ExportError> {
        if !self.server.is_running() {
            let why = format!("the endpoint at {} has stopped", self.local_addr());
            return Err(ExportError::Failed(why));
        }
        let mut desk = self.shared.desk.lock();
        desk.earlier = desk.newest.replace(Arc::clone(snapshot));
        desk.exported += 1;
        Ok(std::mem::take(&mut desk.taken))
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

/// Renders a snapshot once, for all who ask for it.
struct Renderer {
    shared: Arc<Shared>,
    encoder: Encoder,
    /// Which snapshot the page shows, counted as the desk counts; 0 for none.
    rendered: u64,
    page: Arc<Page>,
}

impl Renderer {
    fn new(shared: Arc<Shared>) -> Self {
        let encoder = Encoder::new(Format::Text004);
        Renderer { shared, encoder, rendered: 0, page: Arc::default() }
    }

    fn render(&mut self, newest: &Snapshot, earlier: Option<&Snapshot>) {
        let began = Instant::now();
        let mut views = self.shared.views.lock();
        if views.is_empty() {
            views.push(View::everything().histograms(Shape::Explicit));
        }
        let frames: Vec<&Frame> = views.iter_mut().map(|view| view.show(newest, earlier)).collect();
        // Scrapers that are still taking the last page keep it.
        if Arc::get_mut(&mut self.page).is_none() {
            self.page = Arc::default();
        }
        let page = Arc::get_mut(&mut self.page).expect("nobody else has it");
        page.bytes.clear();
        page.encoded = self.encoder.push(frames, &mut page.bytes);
        self.shared.desk.lock().taken.encode += began.elapsed();
    }
}

impl Pages for Renderer {
    fn newest(&mut self) -> Arc<Page> {
        let desk = self.shared.desk.lock();
        let (newest, earlier, exported) = (desk.newest.clone(), desk.earlier.clone(), desk.exported);
        drop(desk);
        if let Some(newest) = newest
            && self.rendered != exported
        {
            self.render(&newest, earlier.as_deref());
            self.rendered = exported;
        }
        Arc::clone(&self.page)
    }

    fn taken(&mut self, page: &Page) {
        let taken = &mut self.shared.desk.lock().taken;
        taken.points += page.encoded.points;
        taken.left_out += page.encoded.left_out;
        taken.bytes += page.bytes.len() as u64;
    }
}

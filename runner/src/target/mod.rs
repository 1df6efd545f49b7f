//! A small HTTP server to load: for trying things out, and for tests that count on both sides.
//!
//! It answers GET, HEAD, POST and any other method with a few bytes of text, keeps connections alive and takes
//! pipelined requests. `GET /-/stats` answers `{"requests":N}` and does not count itself.

mod behaviour;
mod exchange;
mod server;
mod trace;

use std::{
    io::{self, Write},
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
};

use mio::Waker;

pub use self::behaviour::{Behaviour, Delay, Stall};
use self::{server::Server, trace::Trace};
use crate::socket::spare_loopback;

/// A running server. Dropping it stops it.
///
/// ```
/// use barewire_runner::{Behaviour, Target};
///
/// let target = Target::bind("127.0.0.1:0".parse().unwrap(), Behaviour::default())?;
/// assert!(target.local_addr().port() > 0);
/// assert_eq!(target.requests(), 0);
/// target.stop()?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Target {
    local_addr: SocketAddr,
    shared: Arc<Shared>,
    waker: Arc<Waker>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Written by the server's thread alone.
    requests: AtomicU64,
    stopping: AtomicBool,
}

impl Target {
    /// Listens on `addr`, port 0 for a free one, and serves from a thread of its own.
    ///
    /// # Errors
    /// Those of the socket: the address is in use, or not one of this machine.
    pub fn bind(addr: SocketAddr, behaviour: Behaviour) -> io::Result<Self> {
        Target::start(addr, behaviour, None)
    }

    /// The same, and writes to `trace` when each request that it counts had come: one integer a line, in nanoseconds
    /// of the monotonic clock since the server began, read when the bytes were.
    ///
    /// A traced server does not sleep, and has a processor for itself if there is one: what it takes to wake up would be
    /// in every line. Requests that were delayed may stand behind later ones. Lines wait in memory, some thousands of them, until
    /// there is a block to write, and are complete when the server has [stopped](Target::stop).
    ///
    /// # Errors
    /// As for [`Target::bind`]. A trace that cannot be written ends; the server goes on, and tells by [`Target::stop`].
    pub fn bind_traced(
        addr: SocketAddr,
        behaviour: Behaviour,
        trace: impl Write + Send + 'static,
    ) -> io::Result<Self> {
        Target::start(addr, behaviour, Some(Trace::new(trace)))
    }

    fn start(addr: SocketAddr, behaviour: Behaviour, trace: Option<Trace>) -> io::Result<Self> {
        let listener = TcpListener::bind(addr)?;
        listener.set_nonblocking(true)?;
        let local_addr = listener.local_addr()?;
        // Those that it accepts inherit it.
        spare_loopback(&listener, local_addr);
        let shared = Arc::new(Shared::default());
        let listener = mio::net::TcpListener::from_std(listener);
        let server = Server::new(listener, behaviour, trace, Arc::clone(&shared))?;
        let waker = server.waker();
        let thread = thread::Builder::new().name("target".to_owned()).spawn(move || server.run())?;
        Ok(Target { local_addr, shared, waker, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// How many requests were answered.
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// Serves until the server fails, which it does not do for anything that a client does.
    ///
    /// # Errors
    /// Those of the poll.
    pub fn join(mut self) -> io::Result<()> {
        self.wait()
    }

    /// Closes all connections and ends the thread.
    ///
    /// # Errors
    /// What the server failed with before, or its trace.
    pub fn stop(mut self) -> io::Result<()> {
        self.ask_to_stop()?;
        self.wait()
    }

    fn ask_to_stop(&self) -> io::Result<()> {
        self.shared.stopping.store(true, Ordering::Release);
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
        self.waker.wake()
    }

    fn wait(&mut self) -> io::Result<()> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the target server panicked")))
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if self.thread.is_some() && self.ask_to_stop().is_ok() {
            // Nobody is left to be told.
            drop(self.wait());
        }
    }
}

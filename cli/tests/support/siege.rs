//! Hostile peers of a server: threads that hold many connections each, and misbehave on all of them until told to stop.

use rustix::net::sockopt::set_socket_linger;
use std::io::{self, ErrorKind, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Between two turns of one peer: whoever is faster attacks the machine, and not the server.
const PAUSE: Duration = Duration::from_millis(4);

/// The first flight of a client of TLS 1.2, as far as its header and its version.
pub(crate) const CLIENT_HELLO: &[u8] =
    b"\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x030123456789abcdef0123456789abcdef\x00\x00\x04\x13\x01\x13\x02\x01\x00";

/// How a peer misbehaves.
#[derive(Debug, Clone)]
struct Tactic {
    name: &'static str,
    /// What it says when it is connected.
    opening: Vec<u8>,
    /// What it says at each later turn.
    turn: &'static [u8],
    then: Then,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// Keeps the connection until the server has answered or closed it.
    Holds,
    /// Keeps it for ever, and reads nothing.
    NeverReads,
    /// Says that nothing more comes, and keeps it.
    ShutsItsSide,
    /// Closes it at its next turn.
    Leaves,
    /// Resets it at its next turn.
    Resets,
}

fn tactics() -> [Tactic; 8] {
    let get = "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n";
    let open = "GET /metrics HTTP/1.1\r\nHost: h\r\n";
    let smuggled = "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n";
    let tactic = |name, opening: &str, turn, then| Tactic { name, opening: opening.into(), turn, then };
    [
        tactic("idle", "", b"", Then::Holds),
        tactic("slowloris", open, b"X: y\r\n", Then::Holds),
        tactic(
            "header flood",
            &format!("{open}{}", "X: yyyyyyyyyyyyyyy\r\n".repeat(3_000)),
            b"",
            Then::Leaves,
        ),
        tactic("never reads", &get.repeat(200), get.as_bytes(), Then::NeverReads),
        tactic("half-open", &get[..20], b"", Then::ShutsItsSide),
        tactic("smuggler", &format!("{open}{smuggled}"), b"", Then::Holds),
        Tactic { name: "tls", opening: CLIENT_HELLO.to_vec(), turn: b"", then: Then::Holds },
        tactic("reset", get, b"", Then::Resets),
    ]
}

/// A siege that goes on.
#[derive(Debug)]
pub(crate) struct Siege {
    is_over: Arc<AtomicBool>,
    peers: Vec<(&'static str, JoinHandle<u64>)>,
}

impl Siege {
    /// Keeps `connections` with `addr` in each of eight ways at once, an eighth of them each.
    pub(crate) fn lay(addr: SocketAddr, connections: usize) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let tactics = tactics();
        let share = connections / tactics.len();
        let peers = tactics.map(|tactic| {
            let (name, is_over) = (tactic.name, Arc::clone(&is_over));
            (name, thread::spawn(move || tactic.go_on(addr, share, &is_over)))
        });
        Self { is_over, peers: peers.into() }
    }

    /// Ends it; returns how many connections there were in each way.
    pub(crate) fn lift(self) -> Vec<(&'static str, u64)> {
        self.is_over.store(true, Ordering::Relaxed);
        let ended = |(name, peer): (_, JoinHandle<u64>)| (name, peer.join().expect("a peer without a panic"));
        self.peers.into_iter().map(ended).collect()
    }
}

impl Tactic {
    fn go_on(&self, addr: SocketAddr, share: usize, is_over: &AtomicBool) -> u64 {
        let mut held: Vec<Option<TcpStream>> = (0..share).map(|_| None).collect();
        let mut opened = 0;
        for at in (0..share).cycle() {
            if is_over.load(Ordering::Relaxed) {
                return opened;
            }
            if held[at].as_mut().is_none_or(|stream| !self.goes_on_with(stream)) {
                // Nothing is left of the one before when the next one comes.
                held[at] = None;
                held[at] = self.open(addr).ok();
                opened += u64::from(held[at].is_some());
            }
            thread::sleep(PAUSE);
        }
        opened
    }

    fn open(&self, addr: SocketAddr) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect_timeout(&addr, Duration::from_secs(5))?;
        stream.set_nonblocking(true)?;
        // As much as the server takes.
        drop(stream.write(&self.opening));
        match self.then {
            Then::ShutsItsSide => stream.shutdown(Shutdown::Write)?,
            Then::Resets => set_socket_linger(&stream, Some(Duration::ZERO))?,
            _ => {}
        }
        Ok(stream)
    }

    /// Takes a turn; whether there is reason for another.
    fn goes_on_with(&self, stream: &mut TcpStream) -> bool {
        let is_blocked = |error: io::Error| error.kind() == ErrorKind::WouldBlock;
        let is_open = self.turn.is_empty() || stream.write(self.turn).map_or_else(is_blocked, |_| true);
        match self.then {
            Then::Leaves | Then::Resets => false,
            Then::NeverReads => is_open,
            Then::Holds | Then::ShutsItsSide => is_open && stream.peek(&mut [0]).is_err_and(is_blocked),
        }
    }
}

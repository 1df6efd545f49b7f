//! Datagrams to one receiver, over UDP or a Unix socket, for whoever must not wait.
//!
//! A datagram is handed to the kernel or it is not: there is no acknowledgement, and nothing here waits for one. What
//! the kernel does tell is told on: that it has no room, and that nobody listens.
//!
//! ```text
//!              ┌──────────────── an error: forget the socket ───────────────┐
//!              ▼                                                            │
//!  no socket ──┴─ resolve ▸ next address ▸ connect ─▶ connected ── send ────┤
//!                                                         ▲                 │
//!                                                         └─ taken, no room ┘
//! ```

use std::{
    fmt,
    io::{self, ErrorKind},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::Arc,
    time::Instant,
};
#[cfg(target_os = "linux")]
mod batch;
#[cfg(test)]
mod tests;
mod udp;

#[cfg(unix)]
use std::{
    os::unix::net::{SocketAddr as UnixAddr, UnixDatagram},
    path::{Path, PathBuf},
};

use super::{
    error::{NetError, NetErrorKind, Stage},
    resolve::Resolver,
};
use crate::Error;
use udp::Udp;

/// A socket for datagrams to one receiver. It connects with the first of them, and anew after an error. The addresses of a
/// name are looked up then, and every 30 s; a look-up that fails leaves those that were known.
///
/// ```
/// use std::{net::UdpSocket, time::{Duration, Instant}};
///
/// use barewire::wire::net::{DatagramSocket, Fate};
///
/// let receiver = UdpSocket::bind("127.0.0.1:0")?;
/// let mut socket = DatagramSocket::udp(&receiver.local_addr()?.to_string())?;
/// let fate = socket.send(b"hits:1|c\n", Instant::now() + Duration::from_secs(1))?;
/// assert_eq!(fate, Fate::Taken);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct DatagramSocket {
    peer: Arc<str>,
    way: Way,
}

/// What became of a datagram, as far as the kernel tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// The kernel took it.
    Taken,
    /// The kernel has no room at the moment: it is gone.
    NoRoom,
    /// Nobody listens: this one did not arrive, and the one before may not have arrived either. Of a receiver on the
    /// same machine the kernel tells so with the datagram itself, of another one with a later one, if at all.
    Bounced,
}

enum Way {
    Udp(Udp),
    #[cfg(unix)]
    Unix(Unix),
}

impl DatagramSocket {
    /// Sends by UDP to `HOST:PORT`, where an IPv6 address stands in brackets. Nothing is resolved yet.
    ///
    /// # Errors
    /// [`Error::Config`]: what is given is no host and port.
    pub fn udp(address: &str) -> Result<Self, Error> {
        let (host, port) = host_and_port(address)?;
        let peer = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        Ok(Self { peer: peer.into(), way: Way::Udp(Udp::new(Resolver::new(host, port))) })
    }

    /// Sends to the Unix datagram socket at `path`. Nothing is connected yet, and nobody needs to listen.
    ///
    /// # Errors
    /// [`Error::Config`]: no socket can be there, as the path is empty, too long or has a zero in it.
    #[cfg(unix)]
    pub fn unix(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        check_unix_path(path)?;
        let peer = path.to_string_lossy().into();
        Ok(Self { peer, way: Way::Unix(Unix { path: path.to_owned(), socket: None }) })
    }

    /// `host:port`, or the path, as errors name it.
    pub fn peer(&self) -> &str {
        &self.peer
    }

    /// Hands `datagram` to the kernel, whole or not at all, and does not wait for room. Only a name that must be looked
    /// up is waited for, until `deadline`.
    ///
    /// # Errors
    /// [`NetError`]: it was not sent. The next call resolves and connects anew.
    pub fn send(&mut self, datagram: &[u8], deadline: Instant) -> Result<Fate, NetError> {
        let sent = match &mut self.way {
            Way::Udp(udp) => udp.send(datagram, deadline),
            #[cfg(unix)]
            Way::Unix(unix) => unix.send(datagram),
        };
        sent.map_err(|kind| NetError { peer: Arc::clone(&self.peer), kind })
    }

    /// Hands over as many of the datagrams, from the first on, as go without a question, by one call where the system has
    /// one for that. Returns how many the kernel has taken: what is left is for [`DatagramSocket::send`], which says what is
    /// the matter. None goes unless there are [`BATCH`] of them, and one was sent before: so somebody is known to listen.
    pub fn send_batch<'d>(&mut self, datagrams: impl IntoIterator<Item = &'d [u8]>) -> usize {
        let mut batch = [[].as_slice(); BATCH];
        let mut places = batch.iter_mut();
        for (place, datagram) in places.by_ref().zip(datagrams) {
            *place = datagram;
        }
        if places.len() > 0 { 0 } else { self.send_whole(&batch) }
    }

    #[cfg(target_os = "linux")]
    fn send_whole(&mut self, datagrams: &[&[u8]; BATCH]) -> usize {
        match &self.way {
            Way::Udp(Udp { socket: Some(socket), .. }) => batch::send_udp(socket, datagrams),
            Way::Unix(Unix { socket: Some(socket), .. }) => batch::send(socket, datagrams),
            _ => 0,
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn send_whole(&mut self, _: &[&[u8]; BATCH]) -> usize {
        0
    }
}

/// How many datagrams are a batch.
pub const BATCH: usize = 32;

impl fmt::Debug for DatagramSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatagramSocket").field("peer", &self.peer).finish_non_exhaustive()
    }
}

/// Refuses what cannot be the path of a Unix socket.
///
/// # Errors
/// [`Error::Config`], which names the path and the remedy.
#[cfg(unix)]
pub fn check_unix_path(path: &Path) -> Result<(), Error> {
    let refuse =
        |why: &str| Err(Error::Config(format!("socket path '{}' {why}", printable(&path.to_string_lossy()))));
    if path.as_os_str().is_empty() {
        return refuse("is empty: name the file of a socket");
    }
    match UnixAddr::from_pathname(path) {
        Ok(_) => Ok(()),
        Err(_) if path.as_os_str().as_encoded_bytes().contains(&0) => {
            refuse("has a zero in it: leave it out")
        }
        Err(_) => refuse("is longer than the 107 bytes or so that the system allows: use a shorter one"),
    }
}

fn host_and_port(address: &str) -> Result<(&str, u16), Error> {
    let refuse = |why: &str| {
        let shown = printable(address);
        // Before an '@' stands what may be a password.
        let shown = shown.rsplit_once('@').map_or(shown.as_str(), |(_, host)| host);
        Error::Config(format!(
            "address '{shown}' {why}: write HOST:PORT, such as 127.0.0.1:8125 or [::1]:8125"
        ))
    };
    // A URL of no path may end in a slash.
    let authority = address.strip_suffix('/').unwrap_or(address);
    if authority.contains('/') {
        return Err(refuse("has a path, and udp knows none"));
    }
    let (host, port) = authority.rsplit_once(':').ok_or_else(|| refuse("has no port"))?;
    // An integer may have a sign, a port has none.
    let port =
        port.parse().ok().filter(|number| *number > 0 && port.bytes().all(|byte| byte.is_ascii_digit()));
    let port = port.ok_or_else(|| refuse("has no port from 1 to 65535"))?;
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_host = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    match bracketed {
        Some(inner) if inner.parse::<Ipv6Addr>().is_ok() => Ok((inner, port)),
        None if !host.is_empty() && host.chars().all(is_host) => Ok((host, port)),
        _ => Err(refuse("has no host")),
    }
}

/// As a log may show it.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '_' } else { c }).collect()
}

#[cfg(unix)]
struct Unix {
    path: PathBuf,
    socket: Option<UnixDatagram>,
}

#[cfg(unix)]
impl Unix {
    /// A kept socket whose receiver has gone takes nothing, so what it refuses is sent to the receiver that is there now.
    fn send(&mut self, datagram: &[u8]) -> Result<Fate, NetErrorKind> {
        if let Some(socket) = self.socket.take()
            && let Ok(fate @ (Fate::Taken | Fate::NoRoom)) = hand_over(|| socket.send(datagram), || Ok(None))
        {
            self.socket = Some(socket);
            return Ok(fate);
        }
        let socket = open_unix(&self.path).map_err(|error| NetErrorKind::of(error, Stage::Connect))?;
        let fate = hand_over(|| socket.send(datagram), || Ok(None));
        let fate = fate.map_err(|error| NetErrorKind::of(error, Stage::Write))?;
        self.socket = Some(socket).filter(|_| fate != Fate::Bounced);
        Ok(fate)
    }
}

/// Sends once, and looks at once for an answer that nobody listens.
fn hand_over(
    mut send: impl FnMut() -> io::Result<usize>,
    pending: impl FnOnce() -> io::Result<Option<io::Error>>,
) -> io::Result<Fate> {
    let sent = loop {
        match send() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            sent => break sent,
        }
    };
    let error = match sent {
        Ok(_) => match pending()? {
            None => return Ok(Fate::Taken),
            Some(error) => error,
        },
        Err(error) => error,
    };
    match error.kind() {
        ErrorKind::ConnectionRefused => Ok(Fate::Bounced),
        ErrorKind::WouldBlock | ErrorKind::OutOfMemory => Ok(Fate::NoRoom),
        _ if error.raw_os_error() == Some(ENOBUFS) => Ok(Fate::NoRoom),
        _ => Err(error),
    }
}

/// No room in the queue of the device; the standard library has no name for it.
const ENOBUFS: i32 = if cfg!(any(target_os = "linux", target_os = "android")) {
    105
} else if cfg!(windows) {
    10055
} else {
    55
};

fn open_udp(address: SocketAddr) -> io::Result<UdpSocket> {
    connect_udp(bind_udp(address)?, address)
}

fn bind_udp(address: SocketAddr) -> io::Result<UdpSocket> {
    UdpSocket::bind(match address {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    })
}

/// Connects `socket`, or another one if this was given the very port it is to send to: it would be its own receiver.
fn connect_udp(socket: UdpSocket, address: SocketAddr) -> io::Result<UdpSocket> {
    socket.connect(address)?;
    let socket = if is_own_peer(&socket)? {
        // The first one is still there, so the second has another port.
        let second = bind_udp(address)?;
        second.connect(address)?;
        second
    } else {
        socket
    };
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn is_own_peer(socket: &UdpSocket) -> io::Result<bool> {
    Ok(socket.local_addr()? == socket.peer_addr()?)
}

#[cfg(unix)]
fn open_unix(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect(path)?;
    Ok(socket)
}

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

/// A socket for datagrams to one receiver. It connects with the first of them, and anew after an error.
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
        let udp = Udp { resolver: Resolver::new(host, port), turn: 0, socket: None };
        Ok(Self { peer: peer.into(), way: Way::Udp(udp) })
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
}

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
    let (host, port) = address.rsplit_once(':').ok_or_else(|| refuse("has no port"))?;
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

struct Udp {
    resolver: Resolver,
    /// Which of the addresses is tried next: the one after the one that bounced.
    turn: usize,
    socket: Option<UdpSocket>,
}

impl Udp {
    /// Tries every address of the name before it says that nobody listens.
    fn send(&mut self, datagram: &[u8], deadline: Instant) -> Result<Fate, NetErrorKind> {
        let mut turns = 1;
        loop {
            let socket = match self.socket.take() {
                Some(socket) => socket,
                None => {
                    let addresses = self.resolver.resolve(deadline)?;
                    let address = addresses[self.turn % addresses.len()];
                    turns = turns.max(addresses.len());
                    let opened = open_udp(address);
                    self.turn += usize::from(opened.is_err());
                    opened.map_err(|error| NetErrorKind::of(error, Stage::Connect))?
                }
            };
            match hand_over(|| socket.send(datagram), || socket.take_error()) {
                Ok(Fate::Bounced) => self.turn += 1,
                Ok(fate) => {
                    self.socket = Some(socket);
                    return Ok(fate);
                }
                Err(error) => return Err(NetErrorKind::of(error, Stage::Write)),
            }
            turns -= 1;
            if turns == 0 {
                return Ok(Fate::Bounced);
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn in_time() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    fn receiver(address: &str) -> (UdpSocket, DatagramSocket) {
        let receiver = UdpSocket::bind(address).unwrap();
        receiver.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let socket = DatagramSocket::udp(&receiver.local_addr().unwrap().to_string()).unwrap();
        (receiver, socket)
    }

    fn received(receiver: &UdpSocket) -> Vec<u8> {
        let mut bytes = [0; 100];
        let count = receiver.recv(&mut bytes).unwrap();
        bytes[..count].to_vec()
    }

    #[test]
    fn datagrams_arrive_one_by_one_over_both_kinds_of_ip() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let (receiver, mut socket) = receiver(address);
            for datagram in [b"a:1|c\n", b"b:2|c\n"] {
                assert_eq!(socket.send(datagram, in_time()).unwrap(), Fate::Taken);
                assert_eq!(received(&receiver), datagram);
            }
        }
    }

    #[test]
    fn a_receiver_that_is_gone_is_noticed_and_so_is_its_return() {
        let (gone, mut socket) = receiver("127.0.0.1:0");
        let address = gone.local_addr().unwrap();
        assert_eq!(socket.send(b"1", in_time()).unwrap(), Fate::Taken);
        drop(gone);
        let deadline = in_time();
        while socket.send(b"2", deadline).unwrap() != Fate::Bounced {
            assert!(Instant::now() < deadline, "nothing bounced");
        }
        let back = UdpSocket::bind(address).unwrap();
        back.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        while socket.send(b"3", deadline).unwrap() != Fate::Taken {
            assert!(Instant::now() < deadline, "nothing was taken");
        }
        assert_eq!(received(&back), b"3");
    }

    #[test]
    fn every_address_of_a_name_is_tried() {
        let (receiver, mut socket) = receiver("127.0.0.1:0");
        let reachable = receiver.local_addr().unwrap();
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let lookup = move |_: &str, _| Ok(vec![silent, reachable]);
        let Way::Udp(udp) = &mut socket.way else { panic!("another way") };
        udp.resolver = Resolver::with_lookup("name", 1, Arc::new(lookup));
        let deadline = in_time();
        while socket.send(b"hello", deadline).unwrap() != Fate::Taken || {
            let Way::Udp(udp) = &socket.way else { panic!("another way") };
            udp.socket.as_ref().unwrap().peer_addr().unwrap() != reachable
        } {
            assert!(Instant::now() < deadline, "the second address was not tried");
        }
        assert_eq!(received(&receiver), b"hello");
    }

    #[test]
    fn a_socket_that_would_be_its_own_receiver_is_replaced() {
        let own = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = own.local_addr().unwrap();
        own.connect(address).unwrap();
        assert!(is_own_peer(&own).unwrap());
        let other = connect_udp(own, address).unwrap();
        assert!(!is_own_peer(&other).unwrap());
        assert_eq!(other.peer_addr().unwrap(), address);
    }

    #[test]
    fn a_name_that_cannot_be_resolved_is_an_error_and_nothing_waits_beyond_the_deadline() {
        let (_, mut socket) = receiver("127.0.0.1:0");
        let hang = |_: &str, _| {
            std::thread::sleep(Duration::from_secs(20));
            Ok(Vec::new())
        };
        let Way::Udp(udp) = &mut socket.way else { panic!("another way") };
        udp.resolver = Resolver::with_lookup("name", 1, Arc::new(hang));
        let error = socket.send(b"x", Instant::now() + Duration::from_millis(50)).unwrap_err();
        assert!(matches!(error.kind, NetErrorKind::TimedOut { during: Stage::Resolve }), "{error}");
    }

    #[test]
    fn a_datagram_that_is_too_large_is_an_error() {
        let (_receiver, mut socket) = receiver("127.0.0.1:0");
        let error = socket.send(&[b'x'; 70_000], in_time()).unwrap_err();
        assert!(matches!(error.kind, NetErrorKind::Write(_)), "{error}");
        assert_eq!(socket.send(b"x", in_time()).unwrap(), Fate::Taken);
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_remedy() {
        let remedy = "write HOST:PORT, such as 127.0.0.1:8125 or [::1]:8125";
        for (address, why) in [
            ("localhost", "address 'localhost' has no port"),
            ("localhost:", "address 'localhost:' has no port from 1 to 65535"),
            ("localhost:0", "address 'localhost:0' has no port from 1 to 65535"),
            ("localhost:+1", "address 'localhost:+1' has no port from 1 to 65535"),
            ("localhost:65536", "address 'localhost:65536' has no port from 1 to 65535"),
            (":8125", "address ':8125' has no host"),
            ("[]:8125", "address '[]:8125' has no host"),
            ("::1:8125", "address '::1:8125' has no host"),
            ("a b:8125", "address 'a b:8125' has no host"),
            ("a\n:8125", "address 'a_:8125' has no host"),
            ("user:secret@h:8125", "address 'h:8125' has no host"),
            ("h/path:8125", "address 'h/path:8125' has no host"),
        ] {
            let error = DatagramSocket::udp(address).unwrap_err();
            assert_eq!(error.to_string(), format!("{why}: {remedy}"));
        }
        for (address, peer) in [("localhost:8125", "localhost:8125"), ("[::1]:1", "[::1]:1")] {
            assert_eq!(DatagramSocket::udp(address).unwrap().peer(), peer);
        }
    }

    #[cfg(unix)]
    mod unix {
        use std::{env, fs, process, sync::atomic::AtomicU32, sync::atomic::Ordering};

        use super::*;

        /// The path of a socket, in a folder that is removed with this value.
        struct Place(PathBuf);

        impl Place {
            fn new() -> Self {
                static NEXT: AtomicU32 = AtomicU32::new(0);
                let number = NEXT.fetch_add(1, Ordering::Relaxed);
                let folder = env::temp_dir().join(format!("barewire-datagram-{}-{number}", process::id()));
                fs::create_dir(&folder).unwrap();
                Place(folder.join("socket"))
            }
        }

        impl Drop for Place {
            fn drop(&mut self) {
                drop(fs::remove_dir_all(self.0.parent().unwrap()));
            }
        }

        fn received(receiver: &UnixDatagram) -> Vec<u8> {
            receiver.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            let mut bytes = [0; 100];
            let count = receiver.recv(&mut bytes).unwrap();
            bytes[..count].to_vec()
        }

        #[test]
        fn a_receiver_may_come_late_go_and_be_replaced() {
            let place = Place::new();
            let mut socket = DatagramSocket::unix(&place.0).unwrap();
            let error = socket.send(b"0", in_time()).unwrap_err();
            assert!(
                matches!(&error.kind, NetErrorKind::Connect(error) if error.kind() == ErrorKind::NotFound)
            );
            assert!(error.to_string().starts_with(place.0.to_str().unwrap()), "{error}");

            let first = UnixDatagram::bind(&place.0).unwrap();
            assert_eq!(socket.send(b"1", in_time()).unwrap(), Fate::Taken);
            assert_eq!(received(&first), b"1");
            drop(first);
            let error = socket.send(b"2", in_time()).unwrap_err();
            let refused = ErrorKind::ConnectionRefused;
            assert!(matches!(&error.kind, NetErrorKind::Connect(error) if error.kind() == refused));

            fs::remove_file(&place.0).unwrap();
            let second = UnixDatagram::bind(&place.0).unwrap();
            assert_eq!(socket.send(b"3", in_time()).unwrap(), Fate::Taken);
            assert_eq!(received(&second), b"3");
            fs::remove_file(&place.0).unwrap();
            let third = UnixDatagram::bind(&place.0).unwrap();
            drop(second);
            assert_eq!(socket.send(b"4", in_time()).unwrap(), Fate::Taken);
            assert_eq!(received(&third), b"4");
        }

        #[test]
        fn a_receiver_that_does_not_read_costs_datagrams_and_no_time() {
            let place = Place::new();
            let receiver = UnixDatagram::bind(&place.0).unwrap();
            let mut socket = DatagramSocket::unix(&place.0).unwrap();
            let mut taken: usize = 0;
            while socket.send(&[b'x'; 8192], in_time()).unwrap() == Fate::Taken {
                taken += 1;
                assert!(taken < 100_000, "the queue has no end");
            }
            assert!(taken > 0);
            receiver.recv(&mut [0; 8192]).unwrap();
            assert_eq!(socket.send(b"x", in_time()).unwrap(), Fate::Taken);
        }

        #[test]
        fn what_is_no_path_of_a_socket_is_refused_with_the_remedy() {
            let long = format!("/tmp/{}", "x".repeat(103));
            let too_long = format!(
                "socket path '{long}' is longer than the 107 bytes or so that the system allows: use a shorter one"
            );
            for (path, why) in [
                ("", "socket path '' is empty: name the file of a socket"),
                ("/tmp/a\0b", "socket path '/tmp/a_b' has a zero in it: leave it out"),
                (long.as_str(), too_long.as_str()),
            ] {
                assert_eq!(DatagramSocket::unix(path).unwrap_err().to_string(), why);
            }
            assert!(DatagramSocket::unix(&long[..107]).is_ok());
        }
    }
}

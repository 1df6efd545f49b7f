//! Names to addresses, within a deadline that the system's resolver does not know.

use std::{
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::{
        Arc,
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use super::error::{NetErrorKind, Stage};

/// A blocking look-up of the addresses of a host and port.
pub(super) type Lookup = Arc<dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync>;

/// Resolves one host, with at most one look-up under way: a resolver that hangs costs one thread, not one a
/// tick.
pub(super) struct Resolver {
    host: Arc<str>,
    port: u16,
    lookup: Lookup,
    pending: Option<Receiver<io::Result<Vec<SocketAddr>>>>,
}

impl Resolver {
    pub(super) fn new(host: &str, port: u16) -> Self {
        Self::with_lookup(host, port, Arc::new(|host, port| Ok((host, port).to_socket_addrs()?.collect())))
    }

    pub(super) fn with_lookup(host: &str, port: u16, lookup: Lookup) -> Self {
        Self { host: host.into(), port, lookup, pending: None }
    }

    /// The addresses, never none of them. A literal address is its own.
    ///
    /// A look-up that outlasts the deadline goes on, and answers the next call.
    pub(super) fn resolve(&mut self, deadline: Instant) -> Result<Vec<SocketAddr>, NetErrorKind> {
        match self.ask(deadline.saturating_duration_since(Instant::now()))? {
            Some(addresses) => Ok(addresses),
            None => Err(NetErrorKind::TimedOut { during: Stage::Resolve }),
        }
    }

    /// The same without a wait: nothing as long as the look-up is under way, which the first call begins.
    pub(super) fn poll(&mut self) -> Result<Option<Vec<SocketAddr>>, NetErrorKind> {
        self.ask(Duration::ZERO)
    }

    /// Nothing where the look-up takes longer than `patience`.
    fn ask(&mut self, patience: Duration) -> Result<Option<Vec<SocketAddr>>, NetErrorKind> {
        if let Ok(address) = self.host.parse::<IpAddr>() {
            return Ok(Some(vec![SocketAddr::new(address, self.port)]));
        }
        let pending = match self.pending.take() {
            Some(pending) => pending,
            None => self.look_up().map_err(|error| NetErrorKind::of(error, Stage::Resolve))?,
        };
        match pending.recv_timeout(patience) {
            Ok(Ok(addresses)) if addresses.is_empty() => Err(unresolved("no addresses")),
            Ok(Ok(addresses)) => Ok(Some(addresses)),
            Ok(Err(error)) => Err(NetErrorKind::Resolve(Arc::new(error))),
            Err(RecvTimeoutError::Timeout) => {
                self.pending = Some(pending);
                Ok(None)
            }
            Err(RecvTimeoutError::Disconnected) => Err(unresolved("the look-up panicked")),
        }
    }

    fn look_up(&self) -> io::Result<Receiver<io::Result<Vec<SocketAddr>>>> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let (host, port, lookup) = (Arc::clone(&self.host), self.port, Arc::clone(&self.lookup));
        thread::Builder::new().name("resolve".to_owned()).spawn(move || {
            // Nobody listens any more when the client is gone.
            drop(sender.send(lookup(&host, port)));
        })?;
        Ok(receiver)
    }
}

fn unresolved(why: &'static str) -> NetErrorKind {
    NetErrorKind::Resolve(Arc::new(io::Error::other(why)))
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(30)
    }

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    #[test]
    fn a_literal_address_is_not_looked_up() {
        let lookup: Lookup = Arc::new(|_, _| panic!("looked up"));
        for (host, expected) in [("127.0.0.1", "127.0.0.1:80"), ("::1", "[::1]:80")] {
            let mut resolver = Resolver::with_lookup(host, 80, Arc::clone(&lookup));
            assert_eq!(resolver.resolve(soon()).unwrap(), [expected.parse().unwrap()]);
        }
    }

    #[test]
    fn the_systems_resolver_knows_localhost() {
        let addresses = Resolver::new("localhost", 80).resolve(later()).unwrap();
        assert!(addresses.iter().all(|address| address.ip().is_loopback()), "{addresses:?}");
    }

    #[test]
    fn a_look_up_that_hangs_is_the_only_one_and_answers_when_it_is_done() {
        let (release, released) = mpsc::channel::<()>();
        let (released, calls) = (Mutex::new(released), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&calls);
        let mut resolver = Resolver::with_lookup(
            "name",
            80,
            Arc::new(move |_, port| {
                counted.fetch_add(1, Ordering::SeqCst);
                released.lock().unwrap().recv().map_err(io::Error::other)?;
                Ok(vec![([127, 0, 0, 1], port).into()])
            }),
        );
        for _ in 0..3 {
            let timed_out = resolver.resolve(soon()).unwrap_err();
            assert!(matches!(timed_out, NetErrorKind::TimedOut { during: Stage::Resolve }));
        }
        release.send(()).unwrap();
        assert_eq!(resolver.resolve(later()).unwrap(), [([127, 0, 0, 1], 80).into()]);
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_name_without_addresses_is_an_error_and_is_looked_up_again() {
        let answers = Mutex::new(vec![Ok(vec![]), Err(io::Error::other("no such name"))]);
        let lookup: Lookup = Arc::new(move |_, _| answers.lock().unwrap().pop().expect("an answer"));
        let mut resolver = Resolver::with_lookup("name", 80, lookup);
        for expected in [
            "cannot resolve the name: no such name",
            "cannot resolve the name: no addresses",
            "cannot resolve the name: the look-up panicked",
        ] {
            assert_eq!(resolver.resolve(later()).unwrap_err().to_string(), expected);
        }
    }
}

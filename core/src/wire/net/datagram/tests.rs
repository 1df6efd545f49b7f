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

/// As many different datagrams as a batch has.
#[cfg(target_os = "linux")]
fn batch<R>(run: impl FnOnce(&[&[u8]; BATCH]) -> R) -> R {
    let texts: [String; BATCH] = std::array::from_fn(|at| format!("batch.{at}:1|c\n"));
    run(&std::array::from_fn(|at| texts[at].as_bytes()))
}

#[cfg(target_os = "linux")]
#[test]
fn a_batch_arrives_in_order_once_somebody_is_known_to_listen() {
    let (receiver, mut socket) = receiver("127.0.0.1:0");
    batch(|datagrams| {
        assert_eq!(socket.send_batch(*datagrams), 0);
        assert_eq!(socket.send(b"first", in_time()).unwrap(), Fate::Taken);
        assert_eq!(socket.send_batch(*datagrams), BATCH);
        assert_eq!(received(&receiver), b"first");
        for datagram in datagrams {
            assert_eq!(received(&receiver), *datagram);
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_of_a_batch_is_taken_for_sent_that_nobody_listened_to() {
    let (gone, mut socket) = receiver("127.0.0.1:0");
    assert_eq!(socket.send(b"1", in_time()).unwrap(), Fate::Taken);
    drop(gone);
    assert_eq!(batch(|datagrams| socket.send_batch(*datagrams)), 0);
    assert_eq!(socket.send(b"2", in_time()).unwrap(), Fate::Bounced);
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

/// A socket to a name that has these addresses, one after another and then the last for ever; `None` is a failure.
fn named(answers: &[Option<SocketAddr>], look_up_every: Duration) -> DatagramSocket {
    let answers = std::sync::Mutex::new(answers.to_vec());
    let lookup = move |_: &str, _| {
        let mut answers = answers.lock().unwrap();
        let answer = if answers.len() > 1 { answers.remove(0) } else { answers[0] };
        answer.map(|address| vec![address]).ok_or_else(|| io::Error::other("no such name"))
    };
    let mut socket = DatagramSocket::udp("name:1").unwrap();
    let Way::Udp(udp) = &mut socket.way else { panic!("another way") };
    udp.resolver = Resolver::with_lookup("name", 1, Arc::new(lookup));
    udp.look_up_every = look_up_every;
    socket
}

#[test]
fn a_receiver_whose_name_gets_another_address_is_followed_without_an_error() {
    let ((old, _), (new, _)) = (receiver("127.0.0.1:0"), receiver("127.0.0.1:0"));
    let answers = [&old, &old, &new].map(|receiver| Some(receiver.local_addr().unwrap()));
    let mut socket = named(&answers, Duration::ZERO);
    new.set_nonblocking(true).unwrap();
    let deadline = in_time();
    while new.recv(&mut [0; 9]).is_err() {
        assert!(Instant::now() < deadline, "nobody was followed");
        assert_eq!(socket.send(b"x", deadline).unwrap(), Fate::Taken);
    }
    assert_eq!(received(&old), b"x");
    // In the interval nobody is asked.
    let (first, _) = receiver("127.0.0.1:0");
    let answers = [&first, &old].map(|receiver| Some(receiver.local_addr().unwrap()));
    let mut socket = named(&answers, Duration::from_secs(3600));
    for _ in 0..100 {
        assert_eq!(socket.send(b"y", deadline).unwrap(), Fate::Taken);
        assert_eq!(received(&first), b"y");
    }
}

#[test]
fn a_look_up_that_fails_or_hangs_keeps_the_address_that_was_known() {
    let (receiver, _) = receiver("127.0.0.1:0");
    let address = receiver.local_addr().unwrap();
    let mut socket = named(&[Some(address), None], Duration::ZERO);
    for _ in 0..100 {
        assert_eq!(socket.send(b"x", in_time()).unwrap(), Fate::Taken);
        assert_eq!(received(&receiver), b"x");
    }
    // After an error as well.
    assert!(socket.send(&[b'x'; 70_000], in_time()).is_err());
    assert_eq!(socket.send(b"y", in_time()).unwrap(), Fate::Taken);
    assert_eq!(received(&receiver), b"y");
    let Way::Udp(udp) = &mut socket.way else { panic!("another way") };
    let (hang, released) = std::sync::mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let hanging = move |_: &str, _| Err(io::Error::other(released.lock().unwrap().recv().unwrap_err()));
    udp.resolver = Resolver::with_lookup("name", 1, Arc::new(hanging));
    let deadline = Instant::now();
    assert_eq!(socket.send(b"z", deadline).unwrap(), Fate::Taken);
    assert_eq!(received(&receiver), b"z");
    drop(hang);
}

#[test]
fn an_error_has_the_name_looked_up_at_once() {
    let (gone, _) = receiver("127.0.0.1:0");
    let (new, _) = receiver("127.0.0.1:0");
    let answers = [&gone, &new].map(|receiver| Some(receiver.local_addr().unwrap()));
    let mut socket = named(&answers, Duration::from_secs(3600));
    assert_eq!(socket.send(b"1", in_time()).unwrap(), Fate::Taken);
    drop(gone);
    let deadline = in_time();
    new.set_nonblocking(true).unwrap();
    while new.recv(&mut [0; 9]).is_err() {
        assert!(Instant::now() < deadline, "nobody was followed");
        socket.send(b"2", deadline).unwrap();
    }
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
        ("h:8125/path", "address 'h:8125/path' has a path, and udp knows none"),
        ("h:8125//", "address 'h:8125//' has a path, and udp knows none"),
        ("/", "address '/' has no port"),
    ] {
        let error = DatagramSocket::udp(address).unwrap_err();
        assert_eq!(error.to_string(), format!("{why}: {remedy}"));
    }
    for (address, peer) in [
        ("localhost:8125", "localhost:8125"),
        ("localhost:1/", "localhost:1"),
        ("[::1]:1", "[::1]:1"),
        ("[::1]:1/", "[::1]:1"),
    ] {
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
        assert!(matches!(&error.kind, NetErrorKind::Connect(error) if error.kind() == ErrorKind::NotFound));
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

    #[cfg(target_os = "linux")]
    #[test]
    fn a_batch_ends_where_the_queue_of_the_receiver_does() {
        let place = Place::new();
        let receiver = UnixDatagram::bind(&place.0).unwrap();
        receiver.set_nonblocking(true).unwrap();
        let mut socket = DatagramSocket::unix(&place.0).unwrap();
        assert_eq!(socket.send(b"first", in_time()).unwrap(), Fate::Taken);
        batch(|datagrams| {
            let mut taken = 1;
            let rest = loop {
                match socket.send_batch(*datagrams) {
                    BATCH => taken += BATCH,
                    rest => break rest,
                }
            };
            assert_eq!(socket.send(b"no room", in_time()).unwrap(), Fate::NoRoom);
            let mut bytes = [0; 100];
            let queue =
                std::iter::from_fn(|| receiver.recv(&mut bytes).ok().map(|len| bytes[..len].to_vec()));
            let all: Vec<_> = queue.collect();
            assert_eq!(all.len(), taken + rest);
            assert!(all[taken..].iter().eq(&datagrams[..rest]));
        });
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

//! A server that misbehaves on command, in this process: what it does to a connection is a list of acts.

use socket2::{Domain, SockAddr, SockRef, Socket, Type};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The most connections at a time; what comes beyond waits in the kernel.
const MAX_OPEN: usize = 256;
/// The longest request that is read.
const MAX_REQUEST_BYTES: usize = 8 << 20;
/// How many bodies are kept.
const MAX_BODIES: usize = 8;
/// Between two bytes of [`Act::Drip`].
const DRIP: Duration = Duration::from_secs(1);
/// Connections that the kernel keeps until they are accepted.
const BACKLOG: i32 = 1024;

/// What the server does to a connection next. A script of them is played from the beginning when it has ended, for as
/// long as the connection lives.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// Reads a request, head and body.
    Await,
    /// Reads one byte of a request.
    AwaitByte,
    Say(Vec<u8>),
    /// Says it a byte a second.
    Drip(Vec<u8>),
    /// Says it again and again, as fast as it is taken.
    Flood(Vec<u8>),
    /// Reads, and says nothing any more.
    Ignore,
    /// Ends its own direction, and goes on.
    HalfClose,
    Close,
    /// Closes so that the peer is told of an error.
    Reset,
}

/// Who is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// Nobody listens.
    Shut,
    /// Somebody listens, and never accepts: the queue is full after one or two.
    Deaf,
    Open,
    /// Open for so many connections, and then shut.
    OpenFor(usize),
}

/// A running server; it ends with this value, and so does every connection to it.
#[derive(Debug)]
pub(crate) struct Misbehaving {
    addr: SocketAddr,
    /// Has the port, but does not listen: as long as it lives, the kernel gives the port to nobody else.
    _holder: Socket,
    listener: Option<Arc<Socket>>,
    record: Arc<Record>,
    threads: Vec<JoinHandle<()>>,
}

/// What was seen.
#[derive(Debug, Default)]
struct Record {
    is_over: AtomicBool,
    open: AtomicUsize,
    requests: AtomicU64,
    connected_at: Mutex<Vec<Instant>>,
    last_bodies: Mutex<VecDeque<Vec<u8>>>,
    streams: Mutex<Vec<Weak<TcpStream>>>,
}

impl Misbehaving {
    pub(crate) fn start(door: Door, script: Vec<Act>) -> Self {
        Self::sparing(0, door, script)
    }

    /// The same, but the first connections, so many, are only read from.
    pub(crate) fn sparing(spared: usize, door: Door, script: Vec<Act>) -> Self {
        let holder = bound((Ipv4Addr::LOCALHOST, 0).into()).expect("a port from the kernel");
        let addr = holder.local_addr().ok().and_then(|addr| addr.as_socket()).expect("its number");
        let mut server =
            Self { addr, _holder: holder, listener: None, record: Arc::default(), threads: Vec::new() };
        if door != Door::Shut {
            let listener = Arc::new(bound(addr).expect("the port of the holder"));
            listener.listen(if door == Door::Deaf { 0 } else { BACKLOG }).expect("a listening socket");
            server.listener = Some(Arc::clone(&listener));
            let count = match door {
                Door::Open => usize::MAX,
                Door::OpenFor(count) => count,
                Door::Shut | Door::Deaf => 0,
            };
            if count > 0 {
                let record = Arc::clone(&server.record);
                let script = Scripts { spared, count, script: script.into() };
                server.threads.push(thread::spawn(move || accept(&listener, &script, &record)));
            }
        }
        server
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Requests read to their end.
    pub(crate) fn requests(&self) -> u64 {
        self.record.requests.load(Ordering::SeqCst)
    }

    /// Connections accepted.
    pub(crate) fn connections(&self) -> usize {
        lock(&self.record.connected_at).len()
    }

    /// The most connections that were accepted within a second.
    pub(crate) fn connections_in_a_second(&self) -> usize {
        let times = lock(&self.record.connected_at);
        let until = |at: Instant| times.partition_point(|later| *later < at + Duration::from_secs(1));
        times.iter().enumerate().map(|(before, at)| until(*at) - before).max().unwrap_or(0)
    }

    /// The bodies of the requests that were read last, the oldest first.
    pub(crate) fn last_bodies(&self) -> Vec<Vec<u8>> {
        lock(&self.record.last_bodies).iter().cloned().collect()
    }
}

impl Drop for Misbehaving {
    fn drop(&mut self) {
        self.record.is_over.store(true, Ordering::SeqCst);
        if let Some(listener) = &self.listener {
            // Wakes the thread that accepts; one that never listened has nothing to wake.
            drop(listener.shutdown(Shutdown::Both));
        }
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
        for stream in lock(&self.record.streams).iter().filter_map(Weak::upgrade) {
            drop(stream.shutdown(Shutdown::Both));
        }
    }
}

/// A socket that shares its port with others of ours.
fn bound(addr: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_port(true)?;
    socket.bind(&SockAddr::from(addr))?;
    Ok(socket)
}

/// What is done to which connection.
struct Scripts {
    spared: usize,
    /// With those that are spared.
    count: usize,
    script: Arc<[Act]>,
}

/// Lets so many in, and stops listening.
fn accept(listener: &Socket, scripts: &Scripts, record: &Arc<Record>) {
    for number in 0..scripts.count {
        while record.open.load(Ordering::SeqCst) >= MAX_OPEN && !record.is_over.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(1));
        }
        let Ok((socket, _)) = listener.accept() else { return };
        if record.is_over.load(Ordering::SeqCst) {
            return;
        }
        lock(&record.connected_at).push(Instant::now());
        let stream = Arc::new(TcpStream::from(socket));
        let mut streams = lock(&record.streams);
        streams.retain(|known| known.strong_count() > 0);
        streams.push(Arc::downgrade(&stream));
        drop(streams);
        record.open.fetch_add(1, Ordering::SeqCst);
        let is_spared = number < scripts.spared;
        let script = if is_spared { [Act::Ignore].into() } else { Arc::clone(&scripts.script) };
        let record = Arc::clone(record);
        thread::spawn(move || {
            // Whatever ends a connection, it is ended.
            drop(Connection { stream, input: Vec::new(), record: &record }.play(&script));
            record.open.fetch_sub(1, Ordering::SeqCst);
        });
    }
    drop(listener.shutdown(Shutdown::Both));
}

struct Connection<'a> {
    stream: Arc<TcpStream>,
    /// What was read and belongs to the next request.
    input: Vec<u8>,
    record: &'a Record,
}

impl Connection<'_> {
    fn play(mut self, script: &[Act]) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        for act in script.iter().cycle() {
            if self.record.is_over.load(Ordering::SeqCst) {
                return Ok(());
            }
            match act {
                Act::Await => self.read_request()?,
                Act::AwaitByte => self.read_until(|input| (!input.is_empty()).then_some(1)).map(drop)?,
                Act::Say(bytes) => (&*self.stream).write_all(bytes)?,
                Act::Drip(bytes) => self.drip(bytes)?,
                Act::Flood(bytes) => loop {
                    (&*self.stream).write_all(bytes)?;
                },
                Act::Ignore => self.read_until(|_| None).map(drop)?,
                Act::HalfClose => self.stream.shutdown(Shutdown::Write)?,
                Act::Close => return Ok(()),
                Act::Reset => return SockRef::from(&*self.stream).set_linger(Some(Duration::ZERO)),
            }
        }
        Ok(())
    }

    fn read_request(&mut self) -> io::Result<()> {
        let request = self.read_until(request_len)?;
        let head = request.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a whole head");
        let mut bodies = lock(&self.record.last_bodies);
        bodies.push_back(request[head + 4..].to_vec());
        if bodies.len() > MAX_BODIES {
            bodies.pop_front();
        }
        drop(bodies);
        self.record.requests.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    /// Reads until `whole` tells how long what was read is, and takes that; forever, if it never does.
    fn read_until(&mut self, whole: impl Fn(&[u8]) -> Option<usize>) -> io::Result<Vec<u8>> {
        let mut buffer = [0; 16 << 10];
        loop {
            if let Some(len) = whole(&self.input) {
                return Ok(self.input.drain(..len).collect());
            }
            match (&*self.stream).read(&mut buffer)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                _ if self.input.len() > MAX_REQUEST_BYTES => self.input.clear(),
                len => self.input.extend_from_slice(&buffer[..len]),
            }
        }
    }

    /// The pauses are reads that nothing answers, so that a peer that goes ends them.
    fn drip(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.set_read_timeout(Some(DRIP))?;
        for byte in bytes {
            (&*self.stream).write_all(&[*byte])?;
            match (&*self.stream).read(&mut [0; 1024]) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
        }
        self.stream.set_read_timeout(None)
    }
}

/// How long the request at the front of `input` is, once it is whole.
fn request_len(input: &[u8]) -> Option<usize> {
    let head = input.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&input[..head]).to_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
    let body: usize = length.map_or(0, |length| length.trim().parse().expect("a length"));
    (input.len() >= head + body).then_some(head + body)
}

/// A thread that panicked has left nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

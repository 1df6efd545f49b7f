//! Starting a run, stopping it, and what it came to.

use std::{
    error::Error,
    fmt, fs, io,
    net::{SocketAddr, TcpStream, ToSocketAddrs},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use barewire::{Registry, Shard, wire::http::Url};
use mio::Waker;
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::{
    bottleneck::Occupancy,
    clock::now_ns,
    ending::Ending,
    fault::Reasons,
    figures::Figures,
    meter::{most_series, resting},
    plan::Workload,
    sampling::Sampling,
    source::Pool,
    worker::Worker,
};

/// File descriptors of a thread besides its connections: poll, alarm, waker.
const FILES_PER_THREAD: u64 = 3;
/// Those that the rest of the process may need.
const FILES_BESIDES: u64 = 64;

/// Where the system says from which local ports connections are made, the first and the last.
const PORT_RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// A running load. Dropping it asks it to stop.
///
/// ```
/// use barewire::Registry;
/// use barewire_runner::{Behaviour, Figures, Plan, Run, Target};
///
/// let target = Target::bind("127.0.0.1:0".parse()?, Behaviour::default())?;
/// let plan = Plan { users: Some(2), iterations: Some(50), ..Plan::get(format!("http://{}/", target.local_addr())) };
/// let registry = Registry::new("example");
/// let totals = Run::start(&plan.check()?, &registry)?.join()?;
/// assert_eq!((totals.completed, target.requests()), (100, 100));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Run {
    workers: Vec<JoinHandle<io::Result<Totals>>>,
    wakers: Arc<[Arc<Waker>]>,
    start_ns: u64,
    start_unix_ns: u64,
    ending: Ending,
    stop_ns: Arc<AtomicU64>,
    /// The gauges of a thread that has ended are gone, and a backend would go on showing its last ones.
    _resting: Shard,
}

/// The time after the end of a load in which requests in flight are waited for and, under a rate, arrivals that were due
/// are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drain {
    /// How long ago the load ended.
    pub since: Duration,
    /// How long the drain lasts yet, at most.
    pub left: Duration,
}

/// What became of the iterations: `completed + dropped + unfinished == scheduled`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Arrivals that were due before the end; of a closed load, iterations that were begun.
    pub scheduled: u64,
    /// Iterations that were begun.
    pub started: u64,
    /// Those that ran all their steps, whatever became of each.
    pub completed: u64,
    /// Arrivals that never found a free connection, not even after the end.
    pub dropped: u64,
    /// Iterations that were begun and cut off by the end.
    pub unfinished: u64,
    /// Requests that were sent and have no outcome, because the drain ended or the run was stopped.
    pub requests_unfinished: u64,
    /// How long arrivals were overdue by more than a moment, of all threads together; nothing under the closed model.
    pub behind: Duration,
    /// The part of it in which the threads had nothing to do but wait for their connections.
    pub waited: Duration,
    /// Length of the load: as long as was asked, for arrivals at a rate, and to the last outcome, for users; shorter where
    /// the run was stopped.
    pub elapsed: Duration,
    /// Time from the beginning of the load to the request to stop, where there was one.
    pub stopped: Option<Duration>,
    /// Time from the end of the load to the last outcome, in which arrivals that were due are sent.
    pub drained: Duration,
    /// Requests with an outcome that were sent in the drain. They are no part of a rate.
    pub late_requests: u64,
    /// Those of them that failed.
    pub late_errors: u64,
    /// The first reasons of the failures of each class, with counts.
    pub reasons: Reasons,
    /// How long arrivals held their connections; nothing under the closed model.
    pub occupancy: Occupancy,
}

impl Run {
    /// Makes sure that the target can be reached, and begins to load it from threads of its own, which count in
    /// `registry`.
    ///
    /// The first address of the target's name that accepts a connection is the one that is loaded.
    ///
    /// # Errors
    /// [`RunError`]. Nothing of HTTP has been sent by then.
    pub fn start(workload: &Workload, registry: &Registry) -> Result<Self, RunError> {
        Run::start_with(workload, registry, Sampling::default())
    }

    /// The same, with requests that exporters are shown one by one: samples called `http.client.request`, with the
    /// labels of the metrics of the same request, and its URL without the query.
    ///
    /// From then on every shard of `registry` keeps samples.
    ///
    /// # Errors
    /// As for [`Run::start`].
    pub fn start_with(
        workload: &Workload,
        registry: &Registry,
        sampling: Sampling,
    ) -> Result<Self, RunError> {
        check_ports(workload.connections, &fs::read_to_string(PORT_RANGE).unwrap_or_default())?;
        allow_files(workload)?;
        let addr = reach(&workload.target, Duration::from_nanos(workload.timeout_ns))?;
        let workload = Arc::new(workload.clone());
        let stop_ns = Arc::new(AtomicU64::new(u64::MAX));
        // Its errors and durations come when they come, and none may be folded into those of others by then.
        registry.extend_budget(most_series(&workload));
        // Before samples are kept: it has none.
        let _resting = resting(registry, &workload);
        if !sampling.is_off() {
            registry.keep_samples(sampling.capacity());
        }
        let pool = Arc::new(Pool::new(workload.threads));
        let worker = |thread| Worker::new(&workload, thread, addr, registry, sampling, &pool, &stop_ns);
        let mut workers: Vec<Worker> = (0..workload.threads).map(worker).collect::<io::Result<_>>()?;
        let wakers: Arc<[Arc<Waker>]> = workers.iter().map(Worker::waker).collect();
        workers.iter_mut().for_each(|worker| worker.peers = Arc::clone(&wakers));
        let (start_ns, start_unix_ns) = (now_ns(), registry.start_unix_ns() + registry.elapsed_ns());
        let ending = Ending::of(&workload, start_ns);
        let mut run = Run { workers: Vec::new(), wakers, start_ns, start_unix_ns, ending, stop_ns, _resting };
        for (at, worker) in workers.into_iter().enumerate() {
            let thread = thread::Builder::new().name(format!("load {at}"));
            match thread.spawn(move || worker.run(start_ns)) {
                Ok(handle) => run.workers.push(handle),
                Err(error) => {
                    run.stop();
                    return Err(RunError::Io(error));
                }
            }
        }
        Ok(run)
    }

    /// Asks the run to end early: nothing is sent any more, what is in flight has a second to come back.
    pub fn stop(&self) {
        self.stop_ns.fetch_min(now_ns(), Ordering::Relaxed);
        for waker in self.wakers.iter() {
            // Only a poll that is gone cannot be woken.
            drop(waker.wake());
        }
    }

    /// When the load began, in nanoseconds since the Unix epoch.
    pub fn start_unix_ns(&self) -> u64 {
        self.start_unix_ns
    }

    /// How long ago the load began.
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(now_ns().saturating_sub(self.start_ns))
    }

    /// The drain, once the load has ended.
    pub fn drain(&self) -> Option<Drain> {
        let (now, mut ending) = (now_ns(), self.ending);
        ending.stop_by(self.stop_ns.load(Ordering::Relaxed));
        let since = Duration::from_nanos(now.checked_sub(ending.end_ns)?);
        Some(Drain { since, left: Duration::from_nanos(ending.cut_ns.saturating_sub(now)) })
    }

    /// Whether all threads have ended.
    pub fn is_finished(&self) -> bool {
        self.workers.iter().all(JoinHandle::is_finished)
    }

    /// Waits for the end, once: a second call finds nothing to count. From then on the gauges of the load are 0, as
    /// long as this value lives.
    ///
    /// # Errors
    /// A thread that failed or panicked; the others are waited for first.
    pub fn join(&mut self) -> Result<Totals, RunError> {
        let workers = std::mem::take(&mut self.workers);
        let ends: Vec<_> = workers.into_iter().map(JoinHandle::join).collect();
        let mut totals = Totals::default();
        for end in ends {
            totals.add(&end.map_err(|panic| RunError::Panicked(message_of(panic.as_ref())))??);
        }
        let stop_ns = Some(self.stop_ns.load(Ordering::Relaxed)).filter(|stop_ns| *stop_ns < u64::MAX);
        totals.stopped = stop_ns.map(|stop_ns| Duration::from_nanos(stop_ns.saturating_sub(self.start_ns)));
        Ok(totals)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if !self.workers.is_empty() {
            self.stop();
        }
    }
}

impl Totals {
    /// A load that was not applied, in a sentence: more of its arrivals were dropped than `workload` allows.
    pub fn too_many_dropped(&self, workload: &Workload) -> Option<String> {
        let percent = Figures::default().with_totals(self).dropped_percent()?;
        let most = workload.max_dropped_percent()?;
        let (dropped, scheduled) = (self.dropped, self.scheduled);
        (percent > most).then(|| {
            format!(
                "the load was not applied: {dropped} of {scheduled} arrivals were dropped, {percent:.1}% where \
                 {most}% may be; give more connections, or allow it by \"max_dropped\": \"100%\""
            )
        })
    }

    /// Time from the beginning of the load to the last outcome, drain and all.
    pub fn lasted(&self) -> Duration {
        self.elapsed + self.drained
    }

    fn add(&mut self, other: &Totals) {
        self.scheduled += other.scheduled;
        self.started += other.started;
        self.completed += other.completed;
        self.dropped += other.dropped;
        self.unfinished += other.unfinished;
        self.requests_unfinished += other.requests_unfinished;
        self.behind += other.behind;
        self.waited += other.waited;
        self.elapsed = self.elapsed.max(other.elapsed);
        self.drained = self.drained.max(other.drained);
        self.late_requests += other.late_requests;
        self.late_errors += other.late_errors;
        self.reasons.merge(&other.reasons);
        self.occupancy.merge(&other.occupancy);
    }
}

/// Why a run could not begin, or did not end well.
#[derive(Debug)]
pub enum RunError {
    /// No address of the target accepts a connection.
    Unreachable {
        /// The base URL.
        target: String,
        /// Of the last address that was tried, or of the name.
        why: io::Error,
    },
    /// The process may not open as many files as the run needs.
    FileLimit {
        /// How many connections were asked for.
        connections: usize,
        /// How many files they need.
        needed: u64,
        /// How many there may be at most.
        limit: u64,
    },
    /// The system has fewer local ports than the run needs: each connection to one address has its own.
    PortRange {
        /// How many connections were asked for.
        connections: usize,
        /// The first local port.
        first: u16,
        /// The last one.
        last: u16,
    },
    /// The system refused a thread or a poll.
    Io(io::Error),
    /// A worker thread panicked, which is a defect.
    Panicked(String),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunError::Unreachable { target, why } => {
                write!(
                    f,
                    "target '{target}' cannot be reached: {why}; is it running, and is the address right?"
                )
            }
            RunError::FileLimit { connections, needed, limit } => write!(
                f,
                "connections: {connections} need {needed} open files and the limit is {limit}: \
                 raise it with 'ulimit -n {needed}' or ask for fewer"
            ),
            RunError::PortRange { connections, first, last } => write!(
                f,
                "connections: {connections} need a local port each and net.ipv4.ip_local_port_range is \
                 {first} to {last}: widen it with 'sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"' or ask \
                 for fewer"
            ),
            RunError::Io(error) => write!(f, "the load could not run: {error}"),
            RunError::Panicked(message) => write!(f, "a load thread panicked: {message}"),
        }
    }
}

impl Error for RunError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            RunError::Unreachable { why: error, .. } | RunError::Io(error) => Some(error),
            RunError::FileLimit { .. } | RunError::PortRange { .. } | RunError::Panicked(_) => None,
        }
    }
}

impl From<io::Error> for RunError {
    fn from(error: io::Error) -> Self {
        RunError::Io(error)
    }
}

/// Whether there are local ports enough, by what the system says of them; a system that does not say has as many as it
/// has.
fn check_ports(connections: usize, range: &str) -> Result<(), RunError> {
    let mut ports = range.split_whitespace().map(str::parse::<u16>);
    let (Some(Ok(first)), Some(Ok(last))) = (ports.next(), ports.next()) else { return Ok(()) };
    if connections <= usize::from(last.saturating_sub(first)) + 1 {
        return Ok(());
    }
    Err(RunError::PortRange { connections, first, last })
}

/// Raises the soft limit of open files if it has to be.
fn allow_files(workload: &Workload) -> Result<(), RunError> {
    let threads = workload.threads as u64;
    let needed = workload.connections as u64 + threads * FILES_PER_THREAD + FILES_BESIDES;
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    if let Some(maximum) = limit.maximum.filter(|maximum| *maximum < needed) {
        return Err(RunError::FileLimit { connections: workload.connections, needed, limit: maximum });
    }
    limit.current = Some(needed);
    setrlimit(Resource::Nofile, limit).map_err(|error| RunError::Io(error.into()))
}

/// The first address that accepts a connection.
fn reach(target: &Url, timeout: Duration) -> Result<SocketAddr, RunError> {
    let unreachable = |why| RunError::Unreachable { target: target.to_string(), why };
    let addrs = (target.host(), target.port()).to_socket_addrs().map_err(unreachable)?;
    let mut why = io::Error::other("the name has no address");
    for addr in addrs {
        match TcpStream::connect_timeout(&addr, timeout) {
            Ok(_) => return Ok(addr),
            Err(error) => why = error,
        }
    }
    Err(unreachable(why))
}

fn message_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn errors_name_what_is_wrong_and_what_to_do() {
        let why = || io::Error::other("connection refused");
        let rows = [
            (
                RunError::Unreachable { target: "http://h/".to_owned(), why: why() },
                "target 'http://h/' cannot be reached: connection refused; is it running, and is the address right?",
            ),
            (
                RunError::FileLimit { connections: 5000, needed: 5070, limit: 4096 },
                "connections: 5000 need 5070 open files and the limit is 4096: raise it with 'ulimit -n 5070' or ask for fewer",
            ),
            (
                RunError::PortRange { connections: 30_000, first: 32_768, last: 60_999 },
                "connections: 30000 need a local port each and net.ipv4.ip_local_port_range is 32768 to 60999: widen it with 'sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"' or ask for fewer",
            ),
            (RunError::Io(why()), "the load could not run: connection refused"),
            (RunError::Panicked("oops".to_owned()), "a load thread panicked: oops"),
        ];
        for (error, expected) in rows {
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn every_connection_has_a_local_port_of_its_own() {
        for (connections, range, enough) in [
            (28_232, "32768\t60999\n", true),
            (28_233, "32768\t60999\n", false),
            (1, "5 5", true),
            (2, "5 5", false),
            (2, "6 5", false),
            (1_000_000, "", true),
            (1_000_000, "32768", true),
            (1_000_000, "some 60999", true),
        ] {
            assert_eq!(check_ports(connections, range).is_ok(), enough, "{connections} of {range:?}");
        }
    }

    #[test]
    fn a_panic_is_told_in_its_own_words() {
        let panics = [thread::spawn(|| panic!("plain")), thread::spawn(|| panic!("number {}", 5))];
        let words = panics.map(|thread| message_of(thread.join().unwrap_err().as_ref()));
        assert_eq!(words, ["plain", "number 5"]);
    }
}

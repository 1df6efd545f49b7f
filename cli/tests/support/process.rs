//! Programs started for one test: their folder, ports, output, signals and end.

use super::{PATIENCE, poll};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, fmt, process};

/// A folder that is removed with this value.
#[derive(Debug)]
pub(crate) struct Dir(PathBuf);

impl Dir {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("barewire-{}-{number}", process::id()));
        fs::create_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file, and tells its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }

    /// The text of a file, empty where there is none.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read(self.0.join(name))
            .map_or_else(|_| String::new(), |text| String::from_utf8_lossy(&text).into_owned())
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        // A folder left behind is no reason for a second panic.
        drop(fs::remove_dir_all(&self.0));
    }
}

/// A running program, killed with all that it started when this value is dropped.
#[derive(Debug)]
pub(crate) struct Child {
    process: process::Child,
    /// How to start it again.
    command: Command,
    /// What a server has to be before it counts as started.
    service: Option<Service>,
    /// Gone only with this value, or handed on by it.
    dir: Option<Dir>,
    started: Instant,
    exit: Option<ExitStatus>,
}

impl Child {
    /// Starts `command` in `dir`, its output going to files there.
    pub(crate) fn start(mut command: Command, dir: Dir) -> Self {
        let output = |name| File::create(dir.path().join(name)).expect("a file for the output");
        let started = Instant::now();
        command
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(output("stdout"))
            .stderr(output("stderr"))
            .process_group(0);
        let process = spawn(&mut command);
        Self { process, command, service: None, dir: Some(dir), started, exit: None }
    }

    pub(crate) fn dir(&self) -> &Dir {
        self.dir.as_ref().expect("the folder of a child that still has it")
    }

    /// The folder, which outlives the program.
    pub(crate) fn into_dir(mut self) -> Dir {
        self.dir.take().expect("the folder of a child that still has it")
    }

    /// What the program printed so far.
    pub(crate) fn stdout(&self) -> String {
        self.dir().read("stdout")
    }

    /// What the program logged so far.
    pub(crate) fn log(&self) -> String {
        self.dir().read("stderr")
    }

    /// How long ago it was started.
    pub(crate) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.process)
    }

    /// Sends a signal to the program alone.
    pub(crate) fn signal(&self, signal: Signal) {
        assert!(self.exit.is_none(), "the program has ended");
        kill_process(self.pid(), signal).expect("a signal to a process of ours");
    }

    /// Freezes the program and all that it started: its sockets stay open, nobody reads them.
    pub(crate) fn stop(&self) {
        kill_process_group(self.pid(), Signal::STOP).expect("a signal to processes of ours");
    }

    /// Undoes [`stop`](Self::stop).
    pub(crate) fn cont(&self) {
        kill_process_group(self.pid(), Signal::CONT).expect("a signal to processes of ours");
    }

    /// Ends the program at once, frozen or not, with all that it started.
    pub(crate) fn kill(&mut self) {
        // An ended program's number may be somebody else's by now.
        if self.exited().is_none() {
            kill_process_group(self.pid(), Signal::KILL).expect("a signal to processes of ours");
            self.exit = Some(self.process.wait().expect("the end of a killed process"));
        }
    }

    /// Starts a server of [`serve`] that has ended once more: the same command, folder and ports, its output behind
    /// that of before. Waits until it owns its ports again and is ready.
    ///
    /// # Panics
    /// When it ends again, or is not ready in time; the message has its log.
    pub(crate) fn restart(&mut self) {
        assert!(self.exited().is_some(), "the program still runs");
        let told = self.log().len();
        self.respawn();
        poll(PATIENCE, "a ready server on its old ports", || {
            if self.exited().is_some() {
                let log = self.log();
                let news = log.get(told..).unwrap_or(&log);
                assert!(lost_a_port(news), "the restarted server ended:\n{news}");
                // A connection of somebody else may have had the port meanwhile; it passes.
                self.respawn();
            }
            self.is_ready().then_some(())
        });
    }

    fn respawn(&mut self) {
        (self.started, self.process, self.exit) = (Instant::now(), spawn(&mut self.command), None);
    }

    /// Whether a server of [`serve`] owns its ports and answers.
    fn is_ready(&self) -> bool {
        let service = self.service.as_ref().expect("a server");
        service.ports.iter().all(|port| self.owns(*port)) && (service.answers)()
    }

    /// Asks the program to end, and waits for that.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait(PATIENCE)
    }

    /// Waits for the end of the program.
    ///
    /// # Panics
    /// When it still runs after `patience`.
    pub(crate) fn wait(&mut self, patience: Duration) -> ExitStatus {
        poll(patience, "the end of the program", || self.exited())
    }

    /// How the program ended, if it has.
    pub(crate) fn exited(&mut self) -> Option<ExitStatus> {
        if self.exit.is_none() {
            self.exit = self.process.try_wait().expect("the state of a child of ours");
        }
        self.exit
    }

    /// The memory that the program holds, in KiB.
    pub(crate) fn rss_kib(&self) -> u64 {
        self.status_kib("VmRSS:").expect("VmRSS of a running process")
    }

    /// The most memory that the program ever held, in KiB; `None` when it has ended.
    pub(crate) fn peak_kib(&self) -> Option<u64> {
        self.status_kib("VmHWM:")
    }

    fn status_kib(&self, field: &str) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).ok()?;
        let value = status.lines().find_map(|line| line.strip_prefix(field))?;
        Some(value.trim().trim_end_matches(" kB").parse().expect("a number of KiB"))
    }

    /// How many descriptors the program has open.
    pub(crate) fn descriptors(&self) -> usize {
        self.count_in("fd")
    }

    /// How many threads the program has.
    pub(crate) fn threads(&self) -> usize {
        self.count_in("task")
    }

    fn count_in(&self, folder: &str) -> usize {
        fs::read_dir(format!("/proc/{}/{folder}", self.pid())).expect("a running process").count()
    }

    /// How many threads of the program have a name that begins so.
    pub(crate) fn threads_named(&self, prefix: &str) -> usize {
        let tasks =
            fs::read_dir(format!("/proc/{}/task", self.pid())).expect("the threads of a running process");
        let names = tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
        names.filter(|name| name.starts_with(prefix)).count()
    }

    /// Whether this program, or one that it started, listens on the TCP port or receives on the UDP port of that number.
    pub(crate) fn owns(&self, port: u16) -> bool {
        let sockets = receiving_sockets(port);
        members(self.pid()).iter().flat_map(|pid| open_files(*pid)).any(|file| sockets.contains(&file))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The ports that a server owns, and whether it answers there.
struct Service {
    ports: Vec<u16>,
    answers: Box<dyn Fn() -> bool + Send + Sync>,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("ports", &self.ports).finish_non_exhaustive()
    }
}

fn spawn(command: &mut Command) -> process::Child {
    command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// A port of loopback that was free a moment ago, for TCP and for UDP; somebody may take it before its user does.
pub(crate) fn free_port() -> u16 {
    loop {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port from the kernel");
        let port = listener.local_addr().expect("its number").port();
        if UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// Starts a server that listens on `N` ports, and waits until it owns them all and `ready` says so.
/// A server that lost a port to somebody else is started again with others.
///
/// # Panics
/// When the server ends or is not ready in time; the message has its log.
pub(crate) fn serve<const N: usize>(
    command: impl Fn(&Dir, [u16; N]) -> Command,
    ready: impl Fn([u16; N]) -> bool + Send + Sync + Copy + 'static,
) -> (Child, [u16; N]) {
    for _ in 0..5 {
        let (dir, ports) = (Dir::new(), [(); N].map(|()| free_port()));
        let mut child = Child::start(command(&dir, ports), dir);
        child.service = Some(Service { ports: ports.to_vec(), answers: Box::new(move || ready(ports)) });
        let up = poll(PATIENCE, "a ready server", || match child.exited() {
            Some(_) => Some(false),
            None => child.is_ready().then_some(true),
        });
        if up {
            return (child, ports);
        }
        let log = child.log();
        assert!(lost_a_port(&log), "the server ended:\n{log}");
    }
    panic!("five servers in a row lost their port to somebody else");
}

fn lost_a_port(log: &str) -> bool {
    log.to_lowercase().contains("address already in use")
}

/// The sockets that listen on a TCP port or receive on a UDP port, named as `/proc/PID/fd` names them.
fn receiving_sockets(port: u16) -> Vec<PathBuf> {
    const LISTEN: &str = "0A";
    const UNCONNECTED: &str = "07";
    let states = [("tcp", LISTEN), ("tcp6", LISTEN), ("udp", UNCONNECTED), ("udp6", UNCONNECTED)];
    let suffix = format!(":{port:04X}");
    let sockets = states.iter().flat_map(|(table, state)| {
        let table = fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
        let rows = table.lines().map(|row| row.split_whitespace().collect::<Vec<_>>());
        rows.filter(|row| row.len() > 9 && row[1].ends_with(&suffix) && row[3] == *state)
            .map(|row| PathBuf::from(format!("socket:[{}]", row[9])))
            .collect::<Vec<_>>()
    });
    sockets.collect()
}

fn open_files(pid: Pid) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    entries.flatten().filter_map(|entry| fs::read_link(entry.path()).ok()).collect()
}

/// The processes of the group that `leader` leads.
fn members(leader: Pid) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").expect("the list of processes");
    let pids = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw));
    pids.filter(|pid| group(*pid) == Some(leader)).collect()
}

/// The fields after the name are state, parent and group; `getpgid` of rustix takes no group of 0, which the kernel's own threads have.
fn group(pid: Pid) -> Option<Pid> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    Pid::from_raw(fields.split_whitespace().nth(2)?.parse().ok()?)
}

//! What this process and its host use: processor, memory and network, as gauges and counters beside those of the load.

use std::{
    thread,
    time::{Duration, Instant},
};

use barewire::{Counter, Gauge, Metric, Reading, Registry, Shard, Snapshot, Unit};
use sysinfo::{
    MINIMUM_CPU_UPDATE_INTERVAL, MemoryRefreshKind, Networks, Pid, ProcessRefreshKind, ProcessesToUpdate,
    System, get_current_pid,
};

use crate::name;

/// Reads what the system tells, whenever it is asked to: give [`SystemUsage::observe`] to
/// [`Reporter::observe`](barewire::Reporter::observe), which calls it once a tick and on a thread of its own.
///
/// Names and meanings are those of OpenTelemetry's semantic conventions for
/// [processes](https://opentelemetry.io/docs/specs/semconv/system/process-metrics/) and
/// [systems](https://opentelemetry.io/docs/specs/semconv/system/system-metrics/): utilizations are parts of 1 of all
/// processors together, memory is in bytes, and network traffic is that of all interfaces, the loopback included, since
/// this value was made. What the system does not tell is not shown.
///
/// ```
/// use barewire::{Registry, Reporter};
/// use barewire_runner::SystemUsage;
/// use std::time::Duration;
///
/// let registry = Registry::new("example");
/// let mut usage = SystemUsage::new(&registry);
/// let reporting = Reporter::every(Duration::from_secs(1)).observe(move || usage.observe()).start(&registry);
/// # drop(reporting);
/// ```
#[derive(Debug)]
pub struct SystemUsage {
    meters: Meters,
    process: Option<Process>,
    networks: Option<Networks>,
    /// When the processors were looked at; what they did is told as a difference.
    seen: Instant,
}

#[derive(Debug)]
struct Process {
    system: System,
    pid: Pid,
}

#[derive(Debug)]
struct Meters {
    shard: Shard,
    process_cpu: Gauge,
    process_memory: Gauge,
    system_cpu: Gauge,
    system_memory: Gauge,
    transmitted: Counter,
    received: Counter,
    /// Processors that this process may use.
    cpus: f64,
}

impl SystemUsage {
    /// Looks for the first time, which says how much memory there is in use.
    pub fn new(registry: &Registry) -> Self {
        let mut meters = Meters::new(registry);
        let mut process = Process::new();
        if let Some(process) = &mut process {
            process.refresh();
            meters.memory(process);
        }
        let mut networks = Networks::new().ok();
        if let Some(networks) = &mut networks {
            // From now on it tells what is new.
            networks.refresh(true);
        }
        SystemUsage { meters, process, networks, seen: Instant::now() }
    }

    /// Looks again, if the last time is at least 200 ms ago: the system counts processor time in steps of some
    /// milliseconds.
    pub fn observe(&mut self) {
        if self.seen.elapsed() < MINIMUM_CPU_UPDATE_INTERVAL + Duration::from_millis(1) {
            return;
        }
        self.seen = Instant::now();
        if let Some(process) = &mut self.process {
            process.refresh();
            self.meters.memory(process);
            self.meters.cpu(process);
        }
        if let Some(networks) = &mut self.networks {
            networks.refresh(true);
            self.meters.network(networks);
        }
    }
}

impl Process {
    /// Nothing where the system does not tell.
    fn new() -> Option<Self> {
        Some(Process { system: System::new().ok()?, pid: get_current_pid().ok()? })
    }

    /// Of this process alone, and without its threads.
    fn refresh(&mut self) {
        let what = ProcessRefreshKind::nothing().with_cpu().with_memory().without_tasks();
        self.system.refresh_cpu_usage();
        self.system.refresh_processes_specifics(ProcessesToUpdate::Some(&[self.pid]), true, what);
        self.system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
    }
}

impl Meters {
    #[allow(clippy::cast_precision_loss, reason = "there are not that many processors")]
    fn new(registry: &Registry) -> Self {
        let gauge = |name, unit, help| registry.gauge(Metric::new(name).unit(unit).help(help));
        let traffic = |direction| {
            let metric = Metric::new(name::NETWORK_IO)
                .unit(Unit::Bytes)
                .help("Bytes that went through the network interfaces of the host.")
                .label(name::NETWORK_DIRECTION, direction);
            registry.counter(metric)
        };
        Meters {
            shard: registry.shard(),
            process_cpu: gauge(
                name::PROCESS_CPU,
                Unit::One,
                "Processor time of this process as a part of what it could have used.",
            ),
            process_memory: gauge(
                name::PROCESS_MEMORY,
                Unit::Bytes,
                "Physical memory in use by this process.",
            ),
            system_cpu: gauge(name::SYSTEM_CPU, Unit::One, "The part of all processors that was busy."),
            system_memory: gauge(name::SYSTEM_MEMORY, Unit::Bytes, "Memory of the host in use."),
            transmitted: traffic("transmit"),
            received: traffic("receive"),
            cpus: thread::available_parallelism().map_or(1.0, |cpus| cpus.get() as f64),
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "a gauge is a float")]
    fn memory(&mut self, process: &Process) {
        let used = process.system.process(process.pid).map(|process| process.memory());
        self.shard.set(self.process_memory, used.map_or(f64::NAN, |bytes| bytes as f64));
        self.shard.set(self.system_memory, process.system.used_memory() as f64);
    }

    fn cpu(&mut self, process: &Process) {
        let used = process.system.process(process.pid).map(|process| part(process.cpu_usage(), self.cpus));
        self.shard.set(self.process_cpu, used.unwrap_or(f64::NAN));
        self.shard.set(self.system_cpu, part(process.system.global_cpu_usage(), 1.0));
    }

    fn network(&mut self, networks: &Networks) {
        for interface in networks.values() {
            self.shard.add(self.transmitted, interface.transmitted());
            self.shard.add(self.received, interface.received());
        }
    }
}

/// So many percent of one processor as a part of `cpus`. Times that are read one after the other may add up to more
/// than there was.
fn part(percent: f32, cpus: f64) -> f64 {
    (f64::from(percent) / 100.0 / cpus).min(1.0)
}

/// How busy the processors were, as [`SystemUsage`] saw it last.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CpuUse {
    /// By this process: a part of 1 of all processors that it may use.
    pub process: Option<f64>,
    /// By anyone: a part of 1 of all processors.
    pub system: Option<f64>,
}

impl CpuUse {
    /// Reads it from a snapshot.
    pub fn of(snapshot: &Snapshot) -> Self {
        let mut cpu = CpuUse::default();
        for (metric, reading) in snapshot.readings() {
            match (metric.name.as_str(), reading) {
                (name::PROCESS_CPU, Reading::Gauge(value)) => cpu.process = value,
                (name::SYSTEM_CPU, Reading::Gauge(value)) => cpu.system = value,
                _ => {}
            }
        }
        cpu
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::{TcpListener, TcpStream},
    };

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    fn gauge(snapshot: &Snapshot, name: &str) -> Option<f64> {
        snapshot.readings().find_map(|(metric, reading)| match reading {
            Reading::Gauge(value) if metric.name == name => value,
            _ => None,
        })
    }

    /// What is sent through the loopback is received there.
    fn talk(bytes: usize) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let thread = thread::spawn(move || sender.write_all(&vec![1; bytes]));
        let mut received = Vec::new();
        listener.accept().unwrap().0.read_to_end(&mut received).unwrap();
        thread.join().unwrap().unwrap();
        assert_eq!(received.len(), bytes);
    }

    #[test]
    fn a_busy_process_is_seen_to_be_busy() {
        let registry = Registry::new("test");
        let mut usage = SystemUsage::new(&registry);
        let first = registry.snapshot();
        assert_eq!(CpuUse::of(&first), CpuUse::default(), "one look tells no difference");
        assert!(gauge(&first, name::PROCESS_MEMORY).is_some_and(|bytes| bytes > 500_000.0), "bytes, not KiB");
        assert!(gauge(&first, name::SYSTEM_MEMORY) > gauge(&first, name::PROCESS_MEMORY));

        talk(1_000_000);
        let begin = Instant::now();
        let cpu = loop {
            assert!(begin.elapsed() < PATIENCE, "busy as it is, this process is not seen to be");
            usage.observe();
            let cpu = CpuUse::of(&registry.snapshot());
            if cpu.process.is_some_and(|process| process > 0.0) {
                break cpu;
            }
        };
        assert!(cpu.process.is_some_and(|process| process <= 1.0), "{cpu:?}");
        assert!(cpu.system.is_some_and(|system| (0.0..=1.0).contains(&system)), "{cpu:?}");
        let snapshot = registry.snapshot();
        let traffic = |direction: &str| {
            let mut readings = snapshot.readings();
            readings.find_map(|(metric, reading)| match reading {
                Reading::Counter(bytes)
                    if metric.label_value(name::NETWORK_DIRECTION) == Some(&direction.into()) =>
                {
                    Some(bytes)
                }
                _ => None,
            })
        };
        for direction in ["transmit", "receive"] {
            assert!(traffic(direction).is_some_and(|bytes| bytes > 1_000_000), "{direction}");
        }
    }

    #[test]
    fn a_utilization_is_a_part_of_all_processors() {
        assert_eq!(
            [part(50.0, 1.0), part(50.0, 2.0), part(150.0, 2.0), part(201.0, 2.0)],
            [0.5, 0.25, 0.75, 1.0]
        );
    }

    #[test]
    fn a_look_too_soon_after_the_last_one_tells_nothing() {
        let registry = Registry::new("test");
        let mut usage = SystemUsage::new(&registry);
        usage.seen = Instant::now() + PATIENCE;
        usage.observe();
        assert_eq!(CpuUse::of(&registry.snapshot()), CpuUse::default());
    }
}

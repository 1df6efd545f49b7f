//! `tick [SERIES [MOVING [IDLE [SCRAPE]]]]`: what a tick costs a program of many series, and which part of it costs how
//! much.
//!
//! A reporter ticks once a second with all four exporters, and one series in `MOVING` moves from tick to tick, each tick
//! others: 100 000 series and one in ten, unless told otherwise. Six series in ten are counters, two are gauges, and two
//! histograms of two digits with some tens of values each: about what services show. Those who push send what stands
//! still with every `IDLE`-th tick ([`View::idle_every`]): 60 unless told otherwise, 1 for all of it with every tick.
//! Receivers are a process of their own that reads and forgets; it scrapes every `SCRAPE` seconds, 15 unless told
//! otherwise, as Prometheus does.
//!
//! Processor time is what the kernel says of each thread ([`schedstat`]); that of the sending side, so it includes what
//! the loopback device does for the receiver. The terms below are measured in one thread, one after the other, after
//! the reporter has stopped: what they leave of a lane's time is its way through sockets.
//!
//! [`schedstat`]: https://docs.kernel.org/scheduler/sched-stats.html

use std::{
    collections::BTreeMap,
    env, fs,
    io::{BufRead as _, BufReader, Read, Write as _},
    net::{TcpListener, TcpStream, UdpSocket},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use barewire::{
    Counter, Gauge, Histogram, Metric, Registry, Reporter, Shard, Snapshot, Unit,
    view::{Frame, Shape, Temporality, View},
    wire::datagram::{Datagrams, UDP_LIMIT_BYTES},
};
use barewire_influx::Influx;
use barewire_otlp_json::Otlp;
use barewire_promtext::PromText;
use barewire_statsd::Statsd;
use rustix::time::{ClockId, clock_gettime};

const TICKS: u32 = 30;
/// What is made once is not a tick's: the text of a series when it appears, and the states of a histogram, as many as are
/// on view at once, some of them from one scrape to the next.
const WARM_UP: u32 = 45;

fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == "receive") {
        return receive(words[1].parse().expect("seconds"));
    }
    let number =
        |at: usize, otherwise| words.get(at).map_or(otherwise, |word| word.parse().expect("a number"));
    let (series, moving) = (number(0, 100_000), number(1, 10));
    let (idle, scrape) = (number(2, 60), number(3, 15));
    let everything = View::everything().idle_every(u32::try_from(idle).expect("a number of ticks"));
    let mut program = Program::new(series, moving);
    println!(
        "{series} series, one in {moving} moves, the others are sent every {idle} ticks\n\
         {TICKS} ticks at 1 Hz, scraped every {scrape} s\n"
    );
    program.report(&everything, scrape as u64);
    program.terms(&everything);
}

/// What counts, and all that it counts.
struct Program {
    registry: Registry,
    shard: Shard,
    counters: Vec<Counter>,
    gauges: Vec<Gauge>,
    histograms: Vec<Histogram>,
    moving: usize,
    round: usize,
}

impl Program {
    fn new(series: usize, moving: usize) -> Self {
        let registry = Registry::with_budget("checkout", series);
        let mut program = Program {
            shard: registry.shard(),
            registry,
            counters: Vec::new(),
            gauges: Vec::new(),
            histograms: Vec::new(),
            moving,
            round: 0,
        };
        for n in 0..series {
            let metric = |kind: &str| {
                Metric::new(format!("app.{kind}.{}", n % 50))
                    .label("service", format!("service-{}", n / 50 % 100))
                    .label("instance", format!("instance-{}", n / 5_000))
            };
            match n % 10 {
                0..6 => program.counters.push(program.registry.counter(metric("events"))),
                6..8 => program.gauges.push(program.registry.gauge(metric("level"))),
                _ => program.histograms.push(program.registry.histogram(metric("took").unit(Unit::Seconds))),
            }
        }
        // Everything was there once.
        (0..moving).for_each(|_| program.step());
        program
    }

    /// One series in `moving` moves, the next time others.
    #[allow(clippy::cast_precision_loss)]
    fn step(&mut self) {
        self.round += 1;
        let Program { shard, counters, gauges, histograms, moving, round, .. } = self;
        let (from, by) = (*round % *moving, *moving);
        counters.iter().skip(from).step_by(by).for_each(|counter| shard.add(*counter, 3));
        gauges.iter().skip(from).step_by(by).for_each(|gauge| shard.set(*gauge, *round as f64 + 0.5));
        for (n, histogram) in histograms.iter().enumerate().skip(from).step_by(by) {
            for value in 0..20 {
                // From 1 ms on, over three octaves.
                let spread = (n + value * 37 + *round * 11) % 1_000;
                shard.record(*histogram, 1_000_000 + spread as u64 * 7_000);
            }
        }
    }

    /// Ticks, and prints what each thread made of them.
    fn report(&mut self, everything: &View, scrape: u64) {
        let before = resident_kib();
        let mut receivers = Receivers::start(scrape);
        let page = PromText::bind("0").expect("a free port");
        let port = page.local_addr().port();
        let reporting = Reporter::every(Duration::from_secs(1))
            .export(Otlp::http(&format!("http://{}", receivers.tcp)).expect("a url").view(everything.clone()))
            .export(Statsd::udp(&receivers.udp).expect("an address").view(everything.clone()))
            .export(
                Influx::v1(&format!("http://{}/write?db=x", receivers.tcp))
                    .expect("a url")
                    .view(everything.clone().histograms(Shape::Recorded)),
            )
            .export(page)
            .start(&self.registry);
        self.ticks(3);
        receivers.scrape(port);
        self.ticks(WARM_UP);
        let start = processor_ns();
        self.ticks(TICKS);
        let end = processor_ns();

        println!("{:<24}{:>12}", "thread", "ms a tick");
        let mut total = 0.0;
        for (thread, ns) in end {
            let ms = millis(ns - start.get(&thread).copied().unwrap_or(0)) / f64::from(TICKS);
            // The main thread is the program that counts.
            if thread.starts_with("barewire") || thread.starts_with("prom") {
                total += ms;
                println!("{thread:<24}{ms:>12.2}");
            }
        }
        println!("{:<24}{total:>12.2}   {:.1} % of a core at 1 Hz", "all", total / 10.0);
        let (now, most) = (resident_kib(), peak_kib());
        println!("resident: {before} KiB of counts, {now} KiB with exporters, {most} KiB at most");
        for lane in reporting.stop(Duration::from_secs(5)).lanes {
            let each = |n: u64| n / lane.sent.max(1);
            println!(
                "{}: {} sent, {} dropped, {} failed; {} points and {} bytes a tick",
                lane.name,
                lane.sent,
                lane.dropped,
                lane.failed,
                each(lane.points),
                each(lane.bytes)
            );
        }
    }

    /// Moves half way between two ticks.
    fn ticks(&mut self, ticks: u32) {
        for _ in 0..ticks {
            self.step();
            let now = self.registry.start_unix_ns() + self.registry.elapsed_ns();
            thread::sleep(Duration::from_nanos(1_500_000_000 - now % 1_000_000_000));
        }
    }

    /// Every part of a tick by itself.
    fn terms(&mut self, everything: &View) {
        let mut otlp = Term::new("otlp", everything.clone());
        let mut influx = Term::new("influx", everything.clone().histograms(Shape::Recorded));
        let deltas = everything.clone().histograms(Shape::Recorded).temporality(Temporality::Delta);
        let mut statsd = Term::new("statsd", deltas);
        let mut prometheus = Term::new("prometheus", View::everything().histograms(Shape::Explicit));
        let mut to_otlp = barewire_otlp_json::Encoder::new();
        let mut to_influx = barewire_influx::Encoder::new();
        let mut to_statsd = barewire_statsd::Encoder::new(barewire_statsd::Style::new());
        let mut to_page = barewire_promtext::Encoder::new(barewire_promtext::Format::Text004);
        let (mut out, mut datagrams) = (Vec::new(), Datagrams::new(UDP_LIMIT_BYTES));
        let mut snapshot_ns = 0;
        let mut earlier: Option<Arc<Snapshot>> = None;
        for tick in 0..TICKS + 3 {
            // Buffers have their sizes by then.
            let counts = tick >= 3;
            self.step();
            let start = thread_ns();
            let snapshot = self.registry.snapshot();
            snapshot_ns += if counts { thread_ns() - start } else { 0 };
            let pair = (&*snapshot, earlier.as_deref());
            otlp.run(counts, pair, |frame| to_otlp.request([frame]).0.len());
            influx.run(counts, pair, |frame| {
                out.clear();
                to_influx.push([frame], &mut out);
                out.len()
            });
            statsd.run(counts, pair, |frame| {
                datagrams.clear();
                to_statsd.push_frame(frame, &mut datagrams);
                to_statsd.settle(usize::MAX);
                datagrams.len_bytes()
            });
            prometheus.run(counts, pair, |frame| to_page.page([frame]).0.len());
            earlier = Some(snapshot);
        }
        println!("\n{:<24}{:>12}{:>12}{:>14}", "term", "view ms", "encode ms", "bytes");
        println!("{:<24}{:>12.2}", "snapshot", millis(snapshot_ns) / f64::from(TICKS));
        for term in [otlp, influx, statsd, prometheus] {
            let [view, encode] = [term.view_ns, term.encode_ns].map(|ns| millis(ns) / f64::from(TICKS));
            println!("{:<24}{view:>12.2}{encode:>12.2}{:>14}", term.name, term.bytes / TICKS as usize);
        }
    }
}

/// A view, and what it and its encoder cost.
struct Term {
    name: &'static str,
    view: View,
    view_ns: u64,
    encode_ns: u64,
    bytes: usize,
}

impl Term {
    fn new(name: &'static str, view: View) -> Self {
        Term { name, view, view_ns: 0, encode_ns: 0, bytes: 0 }
    }

    fn run(
        &mut self,
        counts: bool,
        (now, earlier): (&Snapshot, Option<&Snapshot>),
        encode: impl FnOnce(&Frame) -> usize,
    ) {
        let start = thread_ns();
        let frame = self.view.show(now, earlier);
        let shown = thread_ns();
        let bytes = encode(frame);
        if counts {
            self.view_ns += shown - start;
            self.encode_ns += thread_ns() - shown;
            self.bytes += bytes;
        }
    }
}

/// A process that takes whatever comes.
struct Receivers {
    child: Child,
    tcp: String,
    udp: String,
}

impl Receivers {
    fn start(scrape: u64) -> Self {
        let mut command = Command::new(env::current_exe().expect("this program"));
        let child =
            command.args(["receive", &scrape.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = child.spawn().expect("a process");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut address = || lines.next().expect("an address").expect("text");
        Receivers { tcp: address(), udp: address(), child }
    }

    fn scrape(&mut self, port: u16) {
        let stdin = self.child.stdin.as_mut().expect("a pipe");
        writeln!(stdin, "{port}").expect("a process that reads");
    }
}

impl Drop for Receivers {
    fn drop(&mut self) {
        self.child.kill().expect("a process to end");
        self.child.wait().expect("its end");
    }
}

fn receive(scrape: u64) {
    let tcp = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    println!("{}\n{}", tcp.local_addr().expect("an address"), udp.local_addr().expect("an address"));
    thread::spawn(move || {
        let mut datagram = [0; 1 << 16];
        while udp.recv(&mut datagram).is_ok() {}
    });
    thread::spawn(move || {
        for connection in tcp.incoming().flatten() {
            thread::spawn(|| answer(connection));
        }
    });
    let mut port = String::new();
    BufReader::new(std::io::stdin()).read_line(&mut port).expect("a port");
    let mut page = TcpStream::connect(format!("127.0.0.1:{}", port.trim())).expect("a page");
    let mut buffer = Vec::new();
    loop {
        let asked = page.write_all(b"GET /metrics HTTP/1.1\r\nhost: page\r\n\r\n");
        if asked.is_err() || read_message(&mut page, &mut buffer).is_none() {
            return;
        }
        thread::sleep(Duration::from_secs(scrape));
    }
}

fn answer(mut connection: TcpStream) {
    let mut buffer = Vec::new();
    while let Some(is_otlp) = read_message(&mut connection, &mut buffer) {
        let answer: &[u8] = if is_otlp {
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
        } else {
            b"HTTP/1.1 204 No Content\r\n\r\n"
        };
        connection.write_all(answer).expect("a sender that listens");
    }
}

/// Reads one request or response; whether it goes to OTLP's place, or nothing at the end.
fn read_message(connection: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<bool> {
    buffer.resize(1 << 20, 0);
    let mut filled = 0;
    let end = loop {
        match connection.read(&mut buffer[filled..]).ok()? {
            0 => return None,
            read => filled += read,
        }
        if let Some(end) = buffer[..filled].windows(4).position(|at| at == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.expect("a length").trim().parse().expect("a number");
    let mut left = (end + length).checked_sub(filled).expect("one message at a time");
    while left > 0 {
        let room = left.min(buffer.len());
        match connection.read(&mut buffer[..room]).ok()? {
            0 => return None,
            read => left -= read,
        }
    }
    Some(head.starts_with("post /v1/metrics"))
}

/// Nanoseconds on a processor, by thread.
fn processor_ns() -> BTreeMap<String, u64> {
    let mut threads = BTreeMap::new();
    for task in fs::read_dir("/proc/self/task").expect("Linux").flatten() {
        let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        let ns = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        *threads.entry(name.trim().to_owned()).or_default() += first_number(&ns);
    }
    threads
}

/// The same of this thread, exactly.
fn thread_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(Duration::try_from(time).expect("a time that has passed").as_nanos()).expect("centuries")
}

fn first_number(text: &str) -> u64 {
    text.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn resident_kib() -> u64 {
    status_kib("VmRSS:")
}

fn peak_kib() -> u64 {
    status_kib("VmHWM:")
}

fn status_kib(key: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    status.lines().find_map(|line| line.strip_prefix(key)).map_or(0, first_number)
}

#[allow(clippy::cast_precision_loss)]
fn millis(ns: u64) -> f64 {
    ns as f64 / 1e6
}

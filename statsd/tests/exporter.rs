//! The three ways out, against receivers that come late, go, and do not read.

#![cfg(unix)]

use std::{
    env, fs,
    io::Read,
    net::UdpSocket,
    os::unix::net::{UnixDatagram, UnixListener, UnixStream},
    path::PathBuf,
    process,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use barewire::{
    Counter, Event, ExportError, Exporter, Metric, Registry, Reporter, Sample, Unit,
    view::{Field, Rule, SampleRule, View},
    wire::datagram::{UDP_LIMIT_BYTES, UNIX_LIMIT_BYTES},
};
use barewire_statsd::Statsd;
use proptest::{collection::vec, prelude::*};

const PATIENCE: Duration = Duration::from_secs(60);

fn in_time() -> Instant {
    Instant::now() + PATIENCE
}

/// The path of a socket, in a folder that is removed with this value.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("barewire-statsd-{}-{number}", process::id()));
        fs::create_dir(&folder).unwrap();
        Place(folder.join("socket"))
    }

    fn bind(&self) -> UnixDatagram {
        self.clear();
        UnixDatagram::bind(&self.0).unwrap()
    }

    fn listen(&self) -> UnixListener {
        self.clear();
        UnixListener::bind(&self.0).unwrap()
    }

    /// Removes the file that a socket leaves behind.
    fn clear(&self) {
        drop(fs::remove_file(&self.0));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(self.0.parent().unwrap()));
    }
}

/// Counters whose lines fill some datagrams.
struct Hits {
    registry: Registry,
    counters: Vec<Counter>,
    shard: barewire::Shard,
    counted: u64,
}

impl Hits {
    fn new(series: i64) -> Self {
        let registry = Registry::new("test");
        let padding = "x".repeat(400);
        let metric = |number| Metric::new("hits").label("number", number).label("padding", padding.as_str());
        let counters = (0..series).map(|number| registry.counter(metric(number))).collect();
        Hits { shard: registry.shard(), registry, counters, counted: 0 }
    }

    fn count(&mut self, each: u64) {
        self.counters.iter().for_each(|counter| self.shard.add(*counter, each));
        self.counted += each * self.counters.len() as u64;
    }

    fn export(&self, statsd: &mut Statsd) -> Result<barewire::Delivered, ExportError> {
        statsd.export(&self.registry.snapshot(), in_time())
    }
}

/// What the lines of a counter add up to.
fn total(text: &[u8]) -> u64 {
    let text = std::str::from_utf8(text).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    let lines = text.lines().filter_map(|line| line.strip_prefix("hits:"));
    lines.map(|line| line.split_once("|c").unwrap().0.parse::<u64>().unwrap()).sum()
}

/// Everything that waits to be read.
fn drain(receiver: &UnixDatagram) -> Vec<u8> {
    receiver.set_nonblocking(true).unwrap();
    let (mut all, mut datagram) = (Vec::new(), [0; UNIX_LIMIT_BYTES + 1]);
    while let Ok(count) = receiver.recv(&mut datagram) {
        assert!(count <= UNIX_LIMIT_BYTES);
        all.extend_from_slice(&datagram[..count]);
    }
    all
}

fn udp() -> (UdpSocket, Statsd) {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    receiver.set_read_timeout(Some(PATIENCE)).unwrap();
    let statsd = Statsd::udp(&receiver.local_addr().unwrap().to_string()).unwrap();
    (receiver, statsd)
}

fn receive(receiver: &UdpSocket) -> String {
    let mut datagram = [0; UDP_LIMIT_BYTES + 1];
    let count = receiver.recv(&mut datagram).unwrap();
    assert!(count <= UDP_LIMIT_BYTES);
    String::from_utf8(datagram[..count].to_vec()).unwrap()
}

#[test]
fn counters_are_told_as_what_came_since_the_last_delivery() {
    let (receiver, statsd) = udp();
    let mut statsd = statsd.view(View::table([Rule::new("all", "hits")]));
    let mut hits = Hits::new(3);
    for (count, expected) in [(2, "all:6|c\n"), (0, "all:0|c\n"), (5, "all:15|c\n")] {
        hits.count(count);
        let delivered = hits.export(&mut statsd).unwrap();
        assert_eq!((delivered.points, delivered.left_out, delivered.bytes), (1, 0, expected.len() as u64));
        assert_eq!(receive(&receiver), expected);
    }
}

#[test]
fn a_udp_receiver_that_is_away_gets_everything_when_it_is_back() {
    let (receiver, mut statsd) = udp();
    let address = receiver.local_addr().unwrap();
    let mut hits = Hits::new(1);
    hits.count(1);
    hits.export(&mut statsd).unwrap();
    assert_eq!(total(receive(&receiver).as_bytes()), 1);
    drop(receiver);
    // A busy kernel may be late to say that nobody listens.
    let (mut lost, deadline) = (0, in_time());
    let error = loop {
        hits.count(1);
        match hits.export(&mut statsd) {
            Err(error) => break error,
            Ok(_) => lost += 1,
        }
        assert!(Instant::now() < deadline);
    };
    assert_eq!(error, ExportError::Failed(format!("{address}: nobody listens there")));
    let receiver = UdpSocket::bind(address).unwrap();
    receiver.set_read_timeout(Some(PATIENCE)).unwrap();
    hits.count(1);
    while hits.export(&mut statsd).is_err() {
        assert!(Instant::now() < deadline);
    }
    assert_eq!(total(receive(&receiver).as_bytes()), hits.counted - 1 - lost);
}

#[test]
fn a_unix_receiver_may_come_late_and_be_replaced() {
    let place = Place::new();
    let mut statsd = Statsd::unix_datagram(&place.0).unwrap();
    let (mut hits, mut received) = (Hits::new(100), 0);
    hits.count(1);
    let error = hits.export(&mut statsd).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}: cannot connect: ", place.0.display())), "{error}");
    for _ in 0..2 {
        let receiver = place.bind();
        hits.count(1);
        hits.export(&mut statsd).unwrap();
        received += total(&drain(&receiver));
        assert_eq!(received, hits.counted);
    }
}

#[test]
fn a_full_receiver_delays_counts_and_loses_none() {
    let place = Place::new();
    let receiver = place.bind();
    let mut statsd = Statsd::unix_datagram(&place.0).unwrap();
    let mut hits = Hits::new(100);
    hits.count(1);
    fill(&place);
    // Room for two datagrams of many.
    for _ in 0..2 {
        receiver.recv(&mut [0; 100]).unwrap();
    }
    let error = hits.export(&mut statsd).unwrap_err().to_string();
    assert!(error.ends_with(": no room for a datagram"), "{error}");
    let mut received = total(&drain(&receiver));
    assert!(received > 0 && received < hits.counted, "{received}");
    hits.count(1);
    hits.export(&mut statsd).unwrap();
    received += total(&drain(&receiver));
    assert_eq!(received, hits.counted);
}

/// Sends the lines of somebody else until there is no room.
fn fill(place: &Place) {
    let stranger = UnixDatagram::unbound().unwrap();
    stranger.set_nonblocking(true).unwrap();
    while stranger.send_to(b"other:1|c\n", &place.0).is_ok() {}
}

/// What happens to the receiver before an export.
#[derive(Debug, Clone, Copy)]
enum Turn {
    Reads,
    Gone,
    Replaced,
    Full,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn what_was_delivered_and_the_rest_are_what_was_counted(
        turns in vec(
            (prop_oneof![Just(Turn::Reads), Just(Turn::Gone), Just(Turn::Replaced), Just(Turn::Full)], 0..5u64), 0..8,
        ),
    ) {
        let place = Place::new();
        let mut statsd = Statsd::unix_datagram(&place.0).unwrap();
        let (mut hits, mut received, mut receiver) = (Hits::new(60), 0, Some(place.bind()));
        for (turn, count) in turns {
            hits.count(count);
            match turn {
                Turn::Gone => receiver = None,
                Turn::Replaced => receiver = Some(place.bind()),
                Turn::Reads | Turn::Full => {}
            }
            if matches!(turn, Turn::Full) {
                fill(&place);
            }
            let delivered = hits.export(&mut statsd);
            received += receiver.as_ref().map_or(0, |receiver| total(&drain(receiver)));
            prop_assert!(received <= hits.counted);
            prop_assert!(delivered.is_err() || received == hits.counted);
        }
        receiver = Some(place.bind());
        hits.export(&mut statsd).unwrap();
        received += total(&drain(receiver.as_ref().unwrap()));
        prop_assert_eq!(received, hits.counted);
    }
}

/// The payloads of all whole frames; what follows them is one that broke off.
fn payloads(mut bytes: &[u8]) -> (Vec<u8>, usize) {
    let mut all = Vec::new();
    while let Some((length, rest)) = bytes.split_at_checked(4) {
        let length = u32::from_le_bytes(length.try_into().unwrap()) as usize;
        assert!((1..=UNIX_LIMIT_BYTES).contains(&length), "{length}");
        let Some((payload, rest)) = rest.split_at_checked(length) else { break };
        all.extend_from_slice(payload);
        bytes = rest;
    }
    (all, bytes.len())
}

/// Reads what there is.
fn read_now(stream: &mut UnixStream) -> Vec<u8> {
    stream.set_nonblocking(true).unwrap();
    let mut bytes = Vec::new();
    // That there is no more for now.
    drop(stream.read_to_end(&mut bytes));
    bytes
}

#[test]
fn a_stream_that_nobody_reads_delays_counts_and_loses_none() {
    let place = Place::new();
    let listener = place.listen();
    let mut statsd = Statsd::unix_stream(&place.0).unwrap();
    let mut hits = Hits::new(2_000);
    hits.count(1);
    let deadline = Instant::now() + Duration::from_millis(300);
    let error = statsd.export(&hits.registry.snapshot(), deadline).unwrap_err();
    assert!(matches!(error, ExportError::TimedOut(_)), "{error}");
    let (received, reports) = std::sync::mpsc::channel();
    // There may be a second connection: after a frame that broke off, the first is closed.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut bytes = Vec::new();
            stream.unwrap().read_to_end(&mut bytes).unwrap();
            received.send(total(&payloads(&bytes).0)).unwrap();
        }
    });
    hits.count(1);
    hits.export(&mut statsd).unwrap();
    drop(statsd);
    let mut sum = 0;
    while sum < hits.counted {
        sum += reports.recv_timeout(PATIENCE).unwrap();
    }
    assert_eq!(sum, hits.counted);
}

#[test]
fn a_stream_that_was_closed_is_connected_again_without_a_loss() {
    let place = Place::new();
    let mut statsd = Statsd::unix_stream(&place.0).unwrap();
    let (mut hits, mut received) = (Hits::new(10), 0);
    hits.count(1);
    let error = hits.export(&mut statsd).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}: cannot connect: ", place.0.display())), "{error}");
    for _ in 0..3 {
        let listener = place.listen();
        hits.count(1);
        hits.export(&mut statsd).unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        received += total(&payloads(&read_now(&mut stream)).0);
        assert_eq!(received, hits.counted);
    }
}

#[test]
fn a_deadline_that_has_passed_delivers_nothing() {
    let (_receiver, mut statsd) = udp();
    let mut hits = Hits::new(1);
    hits.count(1);
    let late = statsd.export(&hits.registry.snapshot(), Instant::now());
    assert!(matches!(late, Err(ExportError::TimedOut(_))), "{late:?}");
}

#[test]
fn the_client_tells_what_it_sent_and_what_it_lost() {
    let place = Place::new();
    let receiver = place.bind();
    let statsd = Statsd::unix_datagram(&place.0).unwrap();
    let receive = |receiver: &UnixDatagram| String::from_utf8(drain(receiver)).unwrap();
    let mut statsd = statsd.telemetry().prefix("shop").view(View::table([Rule::new("all", "hits")]));
    let mut hits = Hits::new(1);
    hits.count(1);
    let tags = |line: &str| {
        let tags = "|c|#client:barewire,client_version:";
        line.contains(tags) && line.ends_with(",client_transport:uds")
    };
    let told = |text: &str| {
        let told = text.lines().filter(|line| tags(line)).filter_map(|line| {
            line.strip_prefix("datadog.dogstatsd.client.")?.split_once("|c")?.0.split_once(':')
        });
        told.map(|(name, value)| (name.to_owned(), value.parse::<u64>().unwrap())).collect::<Vec<_>>()
    };
    let expect = |metrics, bytes_sent, bytes_dropped, packets_sent, packets_dropped| {
        let names = ["metrics", "bytes_sent", "bytes_dropped", "packets_sent", "packets_dropped"];
        let counts = [metrics, bytes_sent, bytes_dropped, packets_sent, packets_dropped];
        names.map(str::to_owned).into_iter().zip(counts).collect::<Vec<_>>()
    };
    hits.export(&mut statsd).unwrap();
    let first = receive(&receiver);
    assert!(first.starts_with("shop.all:1|c\n"), "{first}");
    assert_eq!(told(&first), expect(0, 0, 0, 0, 0));
    hits.export(&mut statsd).unwrap();
    let second = receive(&receiver);
    assert_eq!(told(&second), expect(1, first.len() as u64, 0, 1, 0));
    drop(receiver);
    // The counts of the second snapshot are in the third, which is lost, and so in the fourth too.
    hits.export(&mut statsd).unwrap_err();
    let receiver = place.bind();
    hits.export(&mut statsd).unwrap();
    let fourth = told(&receive(&receiver));
    let dropped = fourth[2].1;
    assert!(dropped > 0);
    assert_eq!(fourth, expect(2, second.len() as u64, dropped, 1, 1));
}

#[test]
fn an_event_is_one_datagram_and_one_that_is_too_long_is_cut() {
    let (receiver, statsd) = udp();
    let mut statsd = statsd.tag("region", "eu").prefix("shop");
    let event = Event::new("test.start", 1_000_000_000).title("It begins");
    assert_eq!(statsd.event(&event, in_time()).unwrap().points, 1);
    assert_eq!(receive(&receiver), "_e{9,0}:It begins||d:1|t:info|#region:eu,event:test.start\n");
    assert_eq!(statsd.event(&event.clone().text("x".repeat(2000)), in_time()).unwrap().points, 1);
    let cut = receive(&receiver);
    assert_eq!(cut.len(), UDP_LIMIT_BYTES);
    assert!(cut.ends_with("xxx…|d:1|t:info|#region:eu,event:test.start\n"), "{cut}");
    for bad in [event.clone().title(""), event.label("k", "v".repeat(2000))] {
        let delivered = statsd.event(&bad, in_time()).unwrap();
        assert_eq!((delivered.points, delivered.left_out), (0, 1));
    }
}

/// The vocabulary of a sample: three lines.
fn rule() -> SampleRule {
    SampleRule::new("load")
        .by_as("http.request.method", "method")
        .field("requests", Field::Count)
        .field("latency", Field::Duration(Unit::Milliseconds))
        .field("size", Field::Bytes)
        .field("ok", Field::Is("outcome".into(), "success".into()))
}

/// Has a reporter carry `samples` out, all but every `nth` of which count.
fn carry(statsd: Statsd, samples: u64, nth: u64) -> barewire::LaneReport {
    let registry = Registry::new("test");
    registry.keep_samples(1 << 16);
    let series = registry.sample_series(Metric::new("request").label("http.request.method", "G|T"));
    let reporter =
        Reporter::every(Duration::from_secs(3600)).export(statsd.view(View::table([]))).start(&registry);
    let mut shard = registry.shard();
    for number in 0..samples {
        shard.sample(Sample {
            series,
            start_unix_ns: 1,
            duration_ns: 420_000,
            bytes: 1024,
            counted: (number + 1) % nth > 0,
            trace: None,
        });
    }
    drop(shard);
    reporter.stop(PATIENCE).lanes.remove(0)
}

#[test]
fn a_sample_is_three_lines_in_one_datagram() {
    let place = Place::new();
    let receiver = place.bind();
    let statsd =
        Statsd::unix_datagram(&place.0).unwrap().samples(rule()).sample_rate(0.5).tag("region", "eu");
    let lane = carry(statsd, 150, 3);
    assert_eq!((lane.samples, lane.samples_lost), (100, 0), "{lane:?}");
    let tail = "|@0.5|#region:eu,method:G_T\n";
    let lines = format!("load.requests:1|c{tail}load.latency:0.42|ms{tail}load.size:1024|h{tail}");
    receiver.set_nonblocking(true).unwrap();
    let (mut seen, mut datagram) = (0, [0; UNIX_LIMIT_BYTES]);
    while let Ok(count) = receiver.recv(&mut datagram) {
        let text = std::str::from_utf8(&datagram[..count]).unwrap();
        seen += text.len() / lines.len();
        assert_eq!(text, lines.repeat(text.len() / lines.len()), "half a sample");
    }
    assert_eq!(seen, 100);
}

#[test]
fn samples_that_find_no_room_or_nobody_are_counted_as_lost() {
    let place = Place::new();
    let receiver = place.bind();
    let lane = carry(Statsd::unix_datagram(&place.0).unwrap().samples(rule()), 40_001, 1 << 32);
    let received = drain(&receiver).split(|byte| *byte == b'\n').count() as u64 - 1;
    assert!(lane.samples_lost > 0, "{lane:?}");
    assert_eq!((lane.samples * 3, lane.samples + lane.samples_lost), (received, 40_001));
    drop(receiver);
    let lane = carry(Statsd::unix_datagram(&place.0).unwrap().samples(rule()), 21, 1 << 32);
    assert_eq!((lane.samples, lane.samples_lost), (0, 21));
    assert!(lane.last_error.is_some_and(|error| error.contains("cannot connect")));
}

#[test]
fn two_views_share_the_datagrams() {
    let (receiver, statsd) = udp();
    let view = |name: &'static str| View::table([Rule::new(name, "hits")]);
    let mut statsd = statsd.view(view("a")).view(view("b"));
    let mut hits = Hits::new(1);
    hits.count(7);
    let snapshot: Arc<_> = hits.registry.snapshot();
    assert_eq!(statsd.export(&snapshot, in_time()).unwrap().points, 2);
    assert_eq!(receive(&receiver), "a:7|c\nb:7|c\n");
}

//! What the exporter says to servers, and what it makes of their answers.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream, UdpSocket},
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use barewire::{
    Event, ExportError, Exporter, Metric, Registry, Reporter, Sample, SampleSeries, Snapshot, Unit,
    view::{Field, Rule, SampleRule, Shape, Temporality, View},
};
use barewire_influx::Influx;
use influxdb_line_protocol::{FieldValue, parse_lines};

/// A request as it came.
struct Request {
    head: String,
    body: Vec<u8>,
}

impl Request {
    /// Its first line, and the value of a header.
    fn said(&self, header: &str) -> (&str, Option<&str>) {
        let mut lines = self.head.lines();
        let first = lines.next().unwrap();
        (first, lines.find_map(|line| line.strip_prefix(header)?.strip_prefix(": ")))
    }
}

/// A server with one prepared answer a request.
struct Server {
    host: String,
    requests: Receiver<Request>,
}

const STORED: &str = "HTTP/1.1 204 No Content\r\n\r\n";
/// No answer at all: the connection is closed.
const HANG_UP: &str = "";

impl Server {
    fn answering(answers: impl IntoIterator<Item = impl Into<String>>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let (sender, requests) = channel();
        let mut answers: Vec<String> = answers.into_iter().map(Into::into).collect();
        answers.reverse();
        thread::spawn(move || {
            while !answers.is_empty() {
                let (stream, _) = listener.accept().unwrap();
                converse(stream, &mut answers, &sender);
            }
        });
        Server { host, requests }
    }

    /// A URL of it.
    fn at(&self, path: &str) -> String {
        format!("http://{}{path}", self.host)
    }

    fn request(&self) -> Request {
        self.requests.recv_timeout(Duration::from_secs(10)).expect("a request")
    }
}

fn converse(mut stream: TcpStream, answers: &mut Vec<String>, sender: &Sender<Request>) {
    while let Some(answer) = answers.last().cloned() {
        let Some(request) = read_request(&mut stream) else { return };
        answers.pop();
        // The test may have seen enough.
        drop(sender.send(request));
        if answer == HANG_UP {
            return;
        }
        stream.write_all(answer.as_bytes()).unwrap();
    }
}

fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let (_, length) = head.split_once("Content-Length: ").unwrap();
    let mut body = vec![0; length.lines().next().unwrap().parse().unwrap()];
    stream.read_exact(&mut body).ok()?;
    Some(Request { head, body })
}

fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

/// A registry with so many counters, each of which says 1.
fn counters(count: usize) -> Arc<Snapshot> {
    let registry = Registry::new("shop");
    let mut shard = registry.shard();
    for at in 0..count {
        shard.add(registry.counter(Metric::new(format!("hits.{at}"))), 1);
    }
    registry.snapshot()
}

#[test]
fn each_version_is_asked_at_its_own_path_with_its_own_query_and_header() {
    let told = |path: &str, authorize: fn(Influx) -> Influx| {
        let server = Server::answering([STORED]);
        let mut influx = authorize(Influx::open(&server.at(path)).unwrap());
        let snapshot = counters(1);
        assert_eq!(influx.export(&snapshot, soon()).unwrap().points, 1);
        let request = server.request();
        let (first, authorization) = request.said("Authorization");
        assert_eq!(request.said("Content-Type").1, Some("text/plain; charset=utf-8"));
        let line = format!("hits.0 value=1i {}\n", snapshot.unix_ns());
        assert_eq!(String::from_utf8(request.body.clone()).unwrap(), line);
        (first.to_owned(), authorization.map(str::to_owned))
    };
    let post = |target: &str| format!("POST {target} HTTP/1.1");
    let token = |influx: Influx| influx.token("secret").unwrap();
    for (path, authorize, target, authorization) in [
        ("/write?db=load", (|influx| influx) as fn(Influx) -> Influx, "/write?db=load&precision=ns", None),
        (
            "/a/write?db=load&rp=week&precision=n",
            |influx| influx,
            "/a/write?db=load&rp=week&precision=ns",
            None,
        ),
        (
            "/write?u=me&db=load&p=open+se%73ame:%40",
            |influx| influx,
            "/write?db=load&precision=ns",
            Some("Basic bWU6b3BlbiBzZXNhbWU6QA=="),
        ),
        ("/write?db=load", token, "/write?db=load&precision=ns", Some("Token secret")),
        (
            "/api/v2/write?org=shop&bucket=a%20b",
            token,
            "/api/v2/write?org=shop&bucket=a%20b&precision=ns",
            Some("Token secret"),
        ),
        ("/api/v2/write?orgID=7&bucket=b", |i| i, "/api/v2/write?orgID=7&bucket=b&precision=ns", None),
        (
            "/api/v3/write_lp?db=load&accept_partial=true",
            token,
            "/api/v3/write_lp?db=load&accept_partial=true&precision=nanosecond",
            Some("Bearer secret"),
        ),
    ] {
        assert_eq!(told(path, authorize), (post(target), authorization.map(str::to_owned)), "{path}");
    }
}

#[test]
fn credentials_before_the_host_are_basic_and_nobody_shows_them() {
    let server = Server::answering([answer("401 Unauthorized", "{\"error\":\"no me:secret-word\"}")]);
    let url = format!("http://me:secret-word@{}/write?db=load&token=another-one", server.host);
    let mut influx = Influx::open(&url).unwrap();
    let error = influx.export(&counters(1), soon()).unwrap_err();
    assert_eq!(server.request().said("Authorization").1, Some("Basic bWU6c2VjcmV0LXdvcmQ="));
    assert!(error.to_string().starts_with(&format!("{} answered 401: ", server.host)), "{error}");
    let shown = format!("{influx:?} {error} {error:?}");
    assert!(!shown.contains("secret-word") && !shown.contains("another-one"), "{shown}");
}

#[test]
fn a_token_is_read_from_a_file() {
    let path =
        std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("token-{}", std::process::id()));
    std::fs::write(&path, "from-a-file\n").unwrap();
    let server = Server::answering([STORED]);
    let url = server.at("/api/v3/write_lp?db=load");
    Influx::v3(&url).unwrap().token_file(&path).unwrap().export(&counters(1), soon()).unwrap();
    assert_eq!(server.request().said("Authorization").1, Some("Bearer from-a-file"));
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_destination_that_cannot_be_is_refused_and_its_secrets_are_not_repeated() {
    for (destination, expected) in [
        ("nowhere", "write udp://HOST:PORT, http://"),
        ("ftp://h/write?db=a", "the scheme is none of udp, http and https"),
        ("http://h:8086", "the path says nothing about the version"),
        ("http://h:8086/query?db=a", "the path says nothing about the version"),
        ("http://h/write", "the query has no 'db': add db=…"),
        ("http://h/write?db=&rp=a", "the query has no 'db': add db=…"),
        ("http://h/api/v2/write?bucket=a", "the query has no 'org': add org=…"),
        ("http://h/api/v2/write?org=a", "the query has no 'bucket': add bucket=…"),
        ("http://h/api/v3/write_lp?bucket=a", "the query has no 'db': add db=…"),
        ("http://h/write?db=a&precision=ms", "precision=ms: times are sent in nanoseconds, so leave it out"),
        ("http://h/write?db=a&precision=", "times are sent in nanoseconds"),
        ("http://me:hunter2@h/write?db=a&u=me&p=hunter2", "credentials are given twice"),
        ("http://h/write?db=a b&p=hunter2", "percent-encode it"),
        ("http:///write?db=a&p=hunter2", ""),
        ("udp://h", "has no port"),
        ("udp://h:8089/load", "has a path, and udp knows none"),
        ("udp://:hunter2@h", "has no port"),
        ("udp://", ""),
    ] {
        let error = Influx::open(destination).unwrap_err().to_string();
        assert!(error.contains(expected), "{destination}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    assert_eq!(format!("{:?}", Influx::open("udp://h:8089/").unwrap()), "Influx(udp://h:8089)");
    let error = Influx::udp("h:1").unwrap().token("hunter2").unwrap_err().to_string();
    assert_eq!(error, "influx destination: a token has no meaning for udp: leave it out, or send to a url");
    assert!(Influx::udp("h:1").unwrap().header("a", "b").is_err());
    let twice = Influx::v1("http://me:pw@h/write?db=a").unwrap().token("hunter2");
    assert!(!twice.unwrap_err().to_string().contains("hunter2"));
}

#[test]
fn a_partial_write_is_a_delivery_that_says_what_it_cost_and_is_not_repeated() {
    let conflict = r#"{"error":"partial write: field type conflict: input field \"value\" on measurement \"hits.0\" is type integer, already exists as type float dropped=2"}"#;
    let server = Server::answering([answer("400 Bad Request", conflict), STORED.to_owned()]);
    let mut influx = Influx::v1(&server.at("/write?db=load")).unwrap();
    let snapshot = counters(5);
    let delivered = influx.export(&snapshot, soon()).unwrap();
    assert_eq!((delivered.points, delivered.rejected, delivered.left_out), (3, 2, 0));
    assert!(delivered.message.unwrap().contains("partial write: field type conflict"));
    server.request();
    // The next request is the next export.
    influx.export(&snapshot, soon()).unwrap();
    server.request();
    assert!(server.requests.try_recv().is_err());
}

#[test]
fn more_lines_than_were_sent_are_not_rejected() {
    let server = Server::answering([answer("400 Bad Request", "partial write: dropped=99")]);
    let delivered = Influx::v1(&server.at("/write?db=load")).unwrap().export(&counters(2), soon()).unwrap();
    assert_eq!((delivered.points, delivered.rejected), (0, 2));
}

#[test]
fn a_refusal_is_told_in_the_words_of_the_server() {
    for (status, body, expected) in [
        (
            "404 Not Found",
            "{\"error\":\"database not found: \\\"load\\\"\"}\n",
            "answered 404: database not found: \"load\"",
        ),
        (
            "401 Unauthorized",
            "{\n  \"code\": \"unauthorized\",\n  \"message\": \"no token\"\n}",
            "401: no token",
        ),
        (
            "200 OK",
            "<!doctype html><title>Chronograf</title>",
            "200: this is no write endpoint of InfluxDB: an HTML page, 'Chronograf'",
        ),
        ("502 Bad Gateway\r\nX-Influxdb-Error: engine is\tclosed", "<html>", "502: engine is closed"),
        ("413 Request Entity Too Large", "too\tlarge\nmore", "too large"),
        ("422 Unprocessable Entity", "limit of 2000 tables", "limit of 2000 tables"),
        ("400 Bad Request", "{\"error\":\"unable to parse 'x'\"}", "400: unable to parse 'x'"),
        ("500 Internal Server Error", "\u{1b}[31m", "[31m"),
    ] {
        let server = Server::answering([answer(status, body)]);
        let error =
            Influx::v1(&server.at("/write?db=load")).unwrap().export(&counters(1), soon()).unwrap_err();
        let ExportError::Failed(text) = error else { panic!("{error:?}") };
        let code = status.split(' ').next().unwrap();
        assert!(text.starts_with(&format!("{} answered {code}: ", server.host)), "{text}");
        assert!(text.contains(expected) && !text.contains(char::is_control), "{text}");
    }
}

#[test]
fn a_pause_that_a_server_asks_for_is_kept() {
    for busy in ["429 Too Many Requests", "503 Service Unavailable"] {
        let pause = format!("HTTP/1.1 {busy}\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n");
        let server = Server::answering([pause, STORED.to_owned()]);
        let mut influx = Influx::v1(&server.at("/write?db=load")).unwrap();
        let begun = Instant::now();
        assert_eq!(influx.export(&counters(1), soon()).unwrap().points, 1);
        assert!(begun.elapsed() >= Duration::from_secs(1));
    }
    let pause = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n";
    let server = Server::answering([pause]);
    let mut influx = Influx::v1(&server.at("/write?db=load")).unwrap();
    assert!(influx.export(&counters(1), soon()).is_err());
    assert_eq!(influx.export(&counters(1), soon()), Err(ExportError::Throttled));
}

#[test]
fn what_counts_since_the_start_may_arrive_twice_and_what_does_not_may_not() {
    // The first request is on a new connection, the second on a kept one that turns out to be closed.
    for (temporality, requests) in [(Temporality::Cumulative, 3), (Temporality::Delta, 2)] {
        let server = Server::answering([STORED, HANG_UP, STORED]);
        let view = View::everything().histograms(Shape::Recorded).temporality(temporality);
        let mut influx = Influx::v1(&server.at("/write?db=load")).unwrap().view(view);
        influx.export(&counters(1), soon()).unwrap();
        assert_eq!(influx.export(&counters(1), soon()).is_ok(), temporality == Temporality::Cumulative);
        (0..requests).for_each(|_| drop(server.request()));
        assert!(server.requests.try_recv().is_err());
    }
}

#[cfg(feature = "gzip")]
#[test]
fn a_body_is_compressed_where_that_is_asked_for() {
    let server = Server::answering([STORED]);
    let snapshot = counters(3);
    Influx::v1(&server.at("/write?db=load")).unwrap().gzip().export(&snapshot, soon()).unwrap();
    let request = server.request();
    assert_eq!(request.said("Content-Encoding").1, Some("gzip"));
    let mut body = String::new();
    flate2::read::GzDecoder::new(&*request.body).read_to_string(&mut body).unwrap();
    assert_eq!(parse_lines(&body).map(Result::unwrap).count(), 3);
}

#[test]
fn several_views_are_one_request() {
    let server = Server::answering([STORED]);
    let snapshot = counters(1);
    let view = |name: &'static str| View::table([Rule::new(name, "hits.0")]);
    let influx = Influx::v1(&server.at("/write?db=load")).unwrap();
    let delivered = influx.view(view("a")).view(view("b")).tag("k", "v").export(&snapshot, soon()).unwrap();
    assert_eq!(delivered.points, 2);
    let body = String::from_utf8(server.request().body).unwrap();
    let time = snapshot.unix_ns();
    assert_eq!(body, format!("a,k=v value=1i {time}\nb,k=v value=1i {time}\n"));
}

#[test]
fn a_snapshot_that_nobody_listens_for_is_not_delivered_and_the_next_one_has_it_all() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    // It keeps its port, and takes nothing from anybody else.
    server.connect(UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap()).unwrap();
    let mut influx = Influx::udp(&address.to_string()).unwrap();
    let error = influx.export(&counters(1), soon()).unwrap_err();
    assert_eq!(error, ExportError::Failed(format!("{address}: nobody listens there")));
    drop(server);
    // Somebody else may have the port by now.
    let Ok(server) = UdpSocket::bind(address) else { return };
    assert_eq!(influx.export(&counters(2), soon()).unwrap().points, 2);
    let mut datagram = [0; 2000];
    let length = server.recv(&mut datagram).unwrap();
    assert_eq!(parse_lines(std::str::from_utf8(&datagram[..length]).unwrap()).count(), 2);
}

#[test]
fn an_event_is_a_datagram_and_one_that_is_too_long_is_cut() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut influx = Influx::udp(&server.local_addr().unwrap().to_string()).unwrap().tag("host", "a");
    let event = |text: &str| Event::new("test.start", 7).text(text);
    let mut datagram = [0; 2000];
    let delivered = influx.event(&event(&"x".repeat(2000)), soon()).unwrap();
    assert_eq!((delivered.points, delivered.left_out), (1, 0));
    let length = server.recv(&mut datagram).unwrap();
    let cut = std::str::from_utf8(&datagram[..length]).unwrap();
    assert!(length == 1432 && cut.ends_with("xxx…\",tags=\"test.start,info\" 7\n"), "{cut}");
    let tags = influx.event(&event("").label("k", "x".repeat(2000)), soon()).unwrap();
    assert_eq!((tags.points, tags.left_out), (0, 1));
    let delivered = influx.event(&Event { time_unix_ns: 8, ..event("begins") }, soon()).unwrap();
    assert_eq!((delivered.points, delivered.left_out), (1, 0));
    let length = server.recv(&mut datagram).unwrap();
    assert_eq!(
        std::str::from_utf8(&datagram[..length]).unwrap(),
        "events,event=test.start,host=a,level=info \
         title=\"test.start\",text=\"begins\",tags=\"test.start,info\" 8\n"
    );
}

fn rule() -> SampleRule {
    SampleRule::new("loaddensity_request")
        .by_as("http.request.method", "request_type")
        .field("latency_ms", Field::Duration(Unit::Milliseconds))
        .field("response_bytes", Field::Bytes)
        .field("success", Field::Is("outcome".into(), "success".into()))
        .field("error", Field::Label("error.type".into(), 512))
}

fn sample(series: SampleSeries, start_unix_ns: u64, counted: bool) -> Sample {
    Sample { series, start_unix_ns, duration_ns: 1_500_000, bytes: 7, counted, trace: None }
}

/// Two series of the registry that are one at the server, as the rule does not tell of their outcome in a tag.
fn series(registry: &Registry) -> [SampleSeries; 2] {
    let metric = || Metric::new("http.client.request").label("http.request.method", "GET");
    [
        registry.sample_series(metric().label("outcome", "success")),
        registry.sample_series(metric().label("outcome", "failure").label("error.type", "time \"out\"")),
    ]
}

/// What is stored of lines: a point a series and time.
fn times(text: &str) -> Vec<i64> {
    parse_lines(text).map(|line| line.unwrap().timestamp.unwrap()).collect()
}

#[test]
fn every_sample_is_a_point_of_its_own_also_where_many_end_at_once() {
    let registry = Registry::new("test");
    registry.keep_samples(4096);
    let [good, bad] = series(&registry);
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let influx = Influx::udp(&server.local_addr().unwrap().to_string()).unwrap().samples(rule());
    assert!(influx.wants_samples() && !Influx::udp("h:1").unwrap().wants_samples());
    let mut shard = registry.shard();
    for at in 0..100 {
        // Later ones first, and all of them within two nanoseconds; one in ten is there for its trace alone.
        shard.sample(sample(
            if at % 2 == 0 { good } else { bad },
            1_700_000_000_000_000_002 - at / 50,
            at % 10 != 9,
        ));
    }
    // What is there already is one batch.
    let reporting = Reporter::every(Duration::from_secs(3600)).export(influx).start(&registry);
    let (mut text, mut datagram) = (String::new(), [0; 2000]);
    while times(&text).len() < 90 {
        let length = server.recv(&mut datagram).unwrap();
        assert!(length <= 1432);
        let datagram = std::str::from_utf8(&datagram[..length]).unwrap();
        text.push_str(datagram);
    }
    let report = reporting.stop(Duration::from_secs(60));
    assert_eq!((report.lanes[0].samples, report.lanes[0].samples_lost), (90, 0));
    assert!(
        text.starts_with("loaddensity_request,request_type=GET latency_ms=1.5,response_bytes=7i,success="),
        "{text}"
    );
    assert!(times(&text).is_sorted_by(|one, next| one < next), "{text}");
    let first = 1_700_000_000_000_000_001 + 1_500_000;
    assert_eq!((times(&text)[0], times(&text)[89]), (first, first + 89));
    let failures = parse_lines(&text).map(Result::unwrap).filter(|line| {
        let error = line.field_value("error").map(ToString::to_string);
        let is_failure = matches!(line.field_value("success"), Some(FieldValue::Boolean(false)));
        assert_eq!(error.is_some(), is_failure);
        is_failure
    });
    assert_eq!(failures.count(), 40);
}

#[test]
fn samples_that_are_not_stored_are_lost_and_counted() {
    let registry = Registry::new("test");
    registry.keep_samples(64);
    let [good, _] = series(&registry);
    let server = Server::answering([
        answer("400 Bad Request", "{\"error\":\"partial write: points beyond retention policy dropped=3\"}"),
        answer("500 Internal Server Error", ""),
    ]);
    let influx = Influx::v1(&server.at("/write?db=load")).unwrap().samples(rule());
    let mut shard = registry.shard();
    // What is there already is one batch, and so is a sample alone.
    (0..5).for_each(|at| shard.sample(sample(good, at, true)));
    let reporting = Reporter::every(Duration::from_secs(3600)).export(influx).start(&registry);
    let stored = |request: Request| times(std::str::from_utf8(&request.body).unwrap()).len();
    assert_eq!(stored(server.request()), 5);
    shard.sample(sample(good, 5, true));
    assert_eq!(stored(server.request()), 1);
    let report = reporting.stop(Duration::from_secs(60));
    let lane = &report.lanes[0];
    assert_eq!((lane.samples, lane.samples_rejected, lane.samples_lost), (2, 3, 1));
}

//! The endpoint from outside: snapshots in, HTTP out.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    time::{Duration, Instant},
};

use barewire::{
    Delivered, Exporter as _, Metric, Registry, Unit,
    view::{Rule, Show, View},
};
use barewire_promtext::PromText;

/// Status line and body.
fn scrape(addr: SocketAddr) -> (String, String) {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

fn export(endpoint: &mut PromText, registry: &Registry) -> Delivered {
    endpoint.export(&registry.snapshot(), Instant::now() + Duration::from_secs(3)).unwrap()
}

#[test]
fn a_scrape_shows_the_newest_snapshot() {
    let registry = Registry::new("checkout");
    let hits = registry.counter(Metric::new("hits").label("route", "/"));
    let took = registry.histogram(Metric::new("took").unit(Unit::Seconds));
    let mut shard = registry.shard();
    let mut endpoint = PromText::bind("127.0.0.1:0").unwrap();
    let addr = endpoint.local_addr();
    assert_eq!(scrape(addr), ("HTTP/1.1 200 OK".to_owned(), String::new()));

    for total in 1..=3 {
        shard.add(hits, 1);
        shard.record(took, Duration::from_millis(30));
        export(&mut endpoint, &registry);
        let (_, page) = scrape(addr);
        assert!(
            page.starts_with(&format!("# TYPE hits_total counter\nhits_total{{route=\"/\"}} {total}\n")),
            "{page}"
        );
        let bucket = |le: &str, count: u64| format!("\ntook_seconds_bucket{{le=\"{le}\"}} {count}\n");
        for line in [bucket("0.025", 0), bucket("0.05", total), bucket("+Inf", total)] {
            assert!(page.contains(&line), "{line} in {page}");
        }
        assert!(page.ends_with(&format!("\ntook_seconds_count {total}\n")), "{page}");
    }
}

#[test]
fn an_old_scraper_that_asks_for_it_keeps_its_connection_and_is_told_so() {
    let endpoint = PromText::bind("127.0.0.1:0").unwrap();
    let mut stream = TcpStream::connect(endpoint.local_addr()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    for (fields, connection, scrapes) in [("Connection: Keep-Alive\r\n", "keep-alive", 3), ("", "close", 1)] {
        for _ in 0..scrapes {
            stream.write_all(format!("GET /-/healthy HTTP/1.0\r\n{fields}\r\n").as_bytes()).unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(b"ok\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                answer.push(byte[0]);
            }
            let answer = String::from_utf8(answer).unwrap();
            assert!(answer.contains(&format!("\r\nConnection: {connection}\r\n")), "{answer}");
        }
    }
    assert_eq!(stream.read(&mut [0]).unwrap(), 0, "closed without being asked to stay");
}

#[test]
fn a_scraper_that_waits_to_send_a_body_is_refused_before_it_does() {
    let endpoint = PromText::bind("127.0.0.1:0").unwrap();
    let mut stream = TcpStream::connect(endpoint.local_addr()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let head = "POST /metrics HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"), "{answer}");
    assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
}

#[test]
fn what_is_delivered_is_what_scrapers_took() {
    let registry = Registry::new("checkout");
    registry.counter(Metric::new("hits"));
    registry.counter(Metric::new("hits."));
    registry.counter(Metric::new("hits_"));
    let mut endpoint = PromText::bind("0").unwrap();
    assert_eq!(export(&mut endpoint, &registry), Delivered { scrapes: Some(0), ..Delivered::default() });
    let pages: Vec<String> = (0..3).map(|_| scrape(endpoint.local_addr()).1).collect();
    assert_eq!(pages[0].matches("hits_").count(), 4, "{}", pages[0]);
    // The server notes a page as taken a moment after the scraper has its last byte.
    let mut delivered = Delivered::default();
    let deadline = Instant::now() + Duration::from_secs(10);
    while delivered.points < 6 && Instant::now() < deadline {
        let more = export(&mut endpoint, &registry);
        delivered.points += more.points;
        delivered.left_out += more.left_out;
        delivered.bytes += more.bytes;
        delivered.encode += more.encode;
    }
    assert_eq!((delivered.points, delivered.left_out), (6, 3));
    assert_eq!(delivered.bytes, pages.concat().len() as u64);
    assert!(delivered.encode > Duration::ZERO);
}

#[test]
fn views_take_the_place_of_everything() {
    let registry = Registry::new("checkout");
    let hits = registry.counter(Metric::new("hits"));
    registry.shard().add(hits, 2);
    let twice = ["a", "b"].map(|name| View::table([Rule::new(name, "hits").show(Show::Value)]));
    let [first, second] = twice;
    let mut endpoint = PromText::bind(":0").unwrap().view(first).view(second);
    export(&mut endpoint, &registry);
    let (_, page) = scrape(endpoint.local_addr());
    assert_eq!(page, "# TYPE a_total counter\na_total 2\n# TYPE b_total counter\nb_total 2\n");
}

#[test]
fn a_port_alone_is_one_of_the_loopback_address() {
    for addr in ["0", ":0", "localhost:0"] {
        let addr = PromText::bind(addr).unwrap().local_addr();
        assert!(addr.ip().is_loopback() && addr.port() > 0, "{addr}");
    }
}

#[test]
fn an_address_that_will_not_do_is_named_with_a_remedy() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let syntax = "write ADDR:PORT, :PORT or PORT, such as 127.0.0.1:9090";
    for (addr, remedy) in [
        (taken.as_str(), "choose another port, or 0 for any free one"),
        ("192.0.2.1:0", "use an address of this machine, such as 127.0.0.1"),
        ("127.0.0.1", syntax),
        ("65536", syntax),
        (":", syntax),
        ("", syntax),
        ("127.0.0.1:port", syntax),
        ("http://127.0.0.1:0", syntax),
    ] {
        let error = PromText::bind(addr).unwrap_err().to_string();
        assert!(error.contains(&format!("'{addr}'")) && error.ends_with(remedy), "{error}");
    }
}

#[test]
fn an_endpoint_is_closed_when_it_is_dropped() {
    let is_closed = |_| {
        let endpoint = PromText::bind("0").unwrap();
        let addr = endpoint.local_addr();
        assert_eq!(scrape(addr).0, "HTTP/1.1 200 OK");
        drop(endpoint);
        TcpStream::connect(addr).is_err()
    };
    // The kernel may give the port to another test at once, but not every time.
    assert!((0..10).any(is_closed));
}

/// One answer: its head, and its body as it came.
fn fetch(addr: SocketAddr, fields: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: h\r\n{fields}Connection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let body = answer.split_off(end + 4);
    (String::from_utf8(answer).unwrap(), body)
}

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_page_is_in_the_format_and_escaping_that_the_scraper_likes_best() {
    let registry = Registry::new("checkout");
    let hits = registry.counter(Metric::new("http.hits").label("http.route", "/"));
    registry.shard().add(hits, 2);
    let mut endpoint = PromText::bind("0").unwrap();
    export(&mut endpoint, &registry);
    for (accept, content_type, page) in [
        (
            "",
            "text/plain; version=0.0.4; charset=utf-8",
            "# TYPE http_hits_total counter\nhttp_hits_total{http_route=\"/\"} 2\n",
        ),
        (
            "text/plain;version=1.0.0;escaping=values",
            "text/plain; version=1.0.0; charset=utf-8; escaping=values",
            "# TYPE U__http_2e_hits__total counter\nU__http_2e_hits__total{U__http_2e_route=\"/\"} 2\n",
        ),
        (
            "text/plain;version=1.0.0;escaping=allow-utf-8",
            "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8",
            "# TYPE \"http.hits_total\" counter\n{\"http.hits_total\",\"http.route\"=\"/\"} 2\n",
        ),
        (
            "application/openmetrics-text;version=0.0.1;escaping=dots",
            "application/openmetrics-text; version=0.0.1; charset=utf-8",
            "# TYPE http_hits counter\nhttp_hits_total{http_route=\"/\"} 2.0\n# EOF\n",
        ),
        (
            "application/openmetrics-text;version=1.0.0;escaping=dots",
            "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=dots",
            "# TYPE http_dot_hits_ counter\nhttp_dot_hits__total{http_dot_route=\"/\"} 2.0\n# EOF\n",
        ),
    ] {
        let (head, body) = fetch(endpoint.local_addr(), &format!("Accept: {accept}\r\n"));
        assert!(head.contains(&format!("\r\nContent-Type: {content_type}\r\n")), "{head}");
        assert!(head.contains("\r\nVary: Accept, Accept-Encoding\r\n"), "{head}");
        assert_eq!(String::from_utf8(body).unwrap(), page);
    }
}

#[test]
#[cfg(feature = "gzip")]
fn python_unpacks_a_packed_page() {
    use std::process::{Command, Stdio};

    let registry = Registry::new("checkout");
    registry.counter(Metric::new("hits"));
    let mut endpoint = PromText::bind("0").unwrap();
    export(&mut endpoint, &registry);
    let (plain_head, plain) = fetch(endpoint.local_addr(), "");
    let (head, packed) = fetch(endpoint.local_addr(), "Accept-Encoding: deflate, gzip;q=0.5\r\n");
    assert!(head.contains("\r\nContent-Encoding: gzip\r\n") && !plain_head.contains("Content-Encoding"));
    assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", packed.len())), "{head}");
    let mut python = Command::new("python3")
        .args(["-c", "import gzip, sys; sys.stdout.buffer.write(gzip.decompress(sys.stdin.buffer.read()))"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is on PATH");
    python.stdin.take().unwrap().write_all(&packed).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(output.stdout, plain);
}

//! The end of an endpoint: who is waited for, and for how long.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use barewire::{Exporter as _, Metric, Registry, Reporter};
use barewire_promtext::PromText;

/// For what is certain to come, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(60);
/// For what is certain not to come.
const GLANCE: Duration = Duration::from_millis(50);

/// A scraper that keeps its connection.
struct Scraper(BufReader<TcpStream>);

impl Scraper {
    fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Scraper(BufReader::new(stream))
    }

    fn ask(&mut self, request_line: &str, user_agent: &str) {
        let clock = if user_agent == "clocked" { "X-Prometheus-Scrape-Timeout-Seconds: 1\r\n" } else { "" };
        let request =
            format!("{request_line} HTTP/1.1\r\nHost: h\r\n{clock}User-Agent: {user_agent}\r\n\r\n");
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
    }

    fn body_len(&mut self) -> usize {
        let mut len = 0;
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            match line.trim_end().strip_prefix("Content-Length: ") {
                Some(text) => len = text.parse().unwrap(),
                None if line == "\r\n" => return len,
                None => assert!(!line.is_empty(), "closed in the middle of a head"),
            }
        }
    }

    fn scrape(&mut self, user_agent: &str) -> String {
        self.ask("GET /metrics", user_agent);
        let mut page = vec![0; self.body_len()];
        self.0.read_exact(&mut page).unwrap();
        String::from_utf8(page).unwrap()
    }
}

fn registry() -> Registry {
    let registry = Registry::new("job");
    registry.counter(Metric::new("done"));
    registry
}

fn export(endpoint: &mut PromText, registry: &Registry) {
    endpoint.export(&registry.snapshot(), Instant::now() + PATIENCE).unwrap();
}

#[test]
fn an_endpoint_outlives_its_exporter_until_the_last_page_is_fetched() {
    let registry = Registry::new("job");
    let done = registry.counter(Metric::new("done"));
    let endpoint = PromText::bind("0").unwrap();
    let (addr, last_scrape) = (endpoint.local_addr(), endpoint.last_scrape());
    let reporting = Reporter::every(Duration::from_secs(3600)).export(endpoint).start(&registry);
    registry.shard().add(done, 7);
    let lane = reporting.stop(PATIENCE).lanes.remove(0);
    assert!(lane.complete && lane.points == 0, "{lane:?}");

    let scrape = thread::spawn(move || Scraper::connect(addr).scrape("p"));
    assert!(last_scrape.wait(PATIENCE));
    let page = scrape.join().unwrap();
    assert_eq!(page, "# TYPE done_total counter\ndone_total 7\n");
    let taken = last_scrape.taken();
    assert_eq!((taken.points, taken.left_out, taken.bytes), (1, 0, page.len() as u64));
    assert_eq!(last_scrape.taken().points, 0);

    drop(last_scrape);
    assert!(TcpStream::connect(addr).is_err());
}

#[test]
fn nobody_is_waited_for_longer_than_was_asked() {
    let mut endpoint = PromText::bind("0").unwrap();
    let last_scrape = endpoint.last_scrape();
    assert!(!last_scrape.wait(Duration::ZERO));
    export(&mut endpoint, &registry());
    let began = Instant::now();
    assert!(!last_scrape.wait(GLANCE));
    assert!(began.elapsed() >= GLANCE);
}

#[test]
fn a_page_from_before_the_last_snapshot_is_not_the_last() {
    let (registry, mut endpoint) = (registry(), PromText::bind("0").unwrap());
    let last_scrape = endpoint.last_scrape();
    let mut scraper = Scraper::connect(endpoint.local_addr());
    scraper.scrape("clocked");
    assert!(!last_scrape.wait(GLANCE), "a page without a snapshot");
    export(&mut endpoint, &registry);
    scraper.scrape("clocked");
    assert!(last_scrape.wait(PATIENCE));
    export(&mut endpoint, &registry);
    assert!(!last_scrape.wait(GLANCE));
    assert_eq!(
        (last_scrape.takers(), last_scrape.missing()),
        (vec![], vec!["127.0.0.1 (clocked)".to_owned()])
    );
    scraper.scrape("clocked");
    assert!(last_scrape.wait(PATIENCE));
    assert_eq!(
        (last_scrape.takers(), last_scrape.missing()),
        (vec!["127.0.0.1 (clocked)".to_owned()], vec![])
    );
}

#[test]
fn everyone_who_scrapes_at_a_rhythm_is_waited_for() {
    let (registry, mut endpoint) = (registry(), PromText::bind("0").unwrap());
    let last_scrape = endpoint.last_scrape();
    let addr = endpoint.local_addr();
    export(&mut endpoint, &registry);
    // Two that look alike.
    let mut alike = [Scraper::connect(addr), Scraper::connect(addr)];
    alike.iter_mut().for_each(|scraper| _ = scraper.scrape("clocked"));
    export(&mut endpoint, &registry);
    alike[0].scrape("clocked");
    assert!(!last_scrape.wait(GLANCE));
    alike[1].scrape("clocked");
    assert!(last_scrape.wait(PATIENCE));
}

#[test]
fn whoever_came_by_the_way_is_not_waited_for() {
    let (registry, mut endpoint) = (registry(), PromText::bind("0").unwrap());
    let last_scrape = endpoint.last_scrape();
    let addr = endpoint.local_addr();
    export(&mut endpoint, &registry);
    Scraper::connect(addr).scrape("curl");
    export(&mut endpoint, &registry);
    assert!(last_scrape.wait(PATIENCE), "curl");
    assert_eq!((last_scrape.takers(), last_scrape.missing()), (vec![], vec![]));
    // The second that comes has a rhythm, and costs no more than its own.
    let mut clocked = Scraper::connect(addr);
    clocked.scrape("clocked");
    // It has the page a moment before that is known.
    while last_scrape.takers().is_empty() {
        thread::yield_now();
    }
    export(&mut endpoint, &registry);
    assert!(!last_scrape.wait(GLANCE));
    clocked.scrape("clocked");
    assert!(last_scrape.wait(PATIENCE));
}

#[test]
fn heads_and_answers_about_health_are_no_scrapes() {
    let mut endpoint = PromText::bind("0").unwrap();
    let last_scrape = endpoint.last_scrape();
    export(&mut endpoint, &registry());
    let mut scraper = Scraper::connect(endpoint.local_addr());
    scraper.ask("HEAD /metrics", "p");
    assert!(scraper.body_len() > 0);
    scraper.ask("GET /-/healthy", "p");
    scraper.body_len();
    assert!(!last_scrape.wait(GLANCE));
}

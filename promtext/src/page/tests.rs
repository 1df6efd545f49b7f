use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use barewire::{Metric, Registry};
use parking_lot::Mutex;

use super::*;
use crate::server::{Limits, Server};

/// Keeps every page that was handed out, so that each has an address of its own.
struct Kept {
    renderer: Renderer,
    pages: Arc<Mutex<Vec<Arc<Page>>>>,
}

impl Pages for Kept {
    fn newest(&mut self, exposition: Exposition, coding: Coding) -> Arc<Page> {
        let page = self.renderer.newest(exposition, coding);
        self.pages.lock().push(Arc::clone(&page));
        page
    }

    fn taken(&mut self, page: &Page, visit: &mut Visit) {
        self.renderer.taken(page, visit);
    }
}

const ACCEPTS: [&str; 6] = [
    "text/plain;version=0.0.4",
    "text/plain;version=1.0.0;escaping=dots",
    "text/plain;version=1.0.0;escaping=allow-utf-8",
    "application/openmetrics-text;version=0.0.1",
    "application/openmetrics-text;version=1.0.0;escaping=values",
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8",
];

fn registry() -> (Registry, Arc<Shared>) {
    let (registry, shared) = (Registry::new("checkout"), Arc::<Shared>::default());
    let hits = registry.counter(Metric::new("http.hits").label("http.route", "/"));
    registry.shard().add(hits, 3);
    (registry, shared)
}

fn exposition(accept: &str) -> Exposition {
    Exposition::negotiate([accept.as_bytes()])
}

/// How many of them are not one and the same.
fn distinct(pages: &[Arc<Page>]) -> usize {
    let mut addresses: Vec<_> = pages.iter().map(Arc::as_ptr).collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses.len()
}

#[test]
fn a_hundred_scrapers_at_once_share_one_render() {
    let (registry, shared) = registry();
    shared.put(&registry.snapshot());
    let pages = Arc::<Mutex<Vec<Arc<Page>>>>::default();
    let kept = Kept { renderer: Renderer::new(shared), pages: Arc::clone(&pages) };
    let server = Server::start("127.0.0.1:0".parse().unwrap(), Limits::default(), kept).unwrap();
    let clients = (0..100).map(|at| {
        let mut client = TcpStream::connect(server.local_addr()).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let accept = ACCEPTS[at % 2];
        let request =
            format!("GET /metrics HTTP/1.1\r\nHost: h\r\nAccept: {accept}\r\nConnection: close\r\n\r\n");
        client.write_all(request.as_bytes()).unwrap();
        client
    });
    let clients: Vec<TcpStream> = clients.collect();
    for mut client in clients {
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert!(answer.ends_with("} 3\n"), "{answer}");
    }
    let pages = pages.lock();
    assert_eq!((pages.len(), distinct(&pages)), (100, 2));
}

#[test]
fn a_page_is_rendered_once_a_snapshot_whatever_is_asked_for_in_between() {
    let (registry, shared) = registry();
    let mut renderer = Renderer::new(Arc::clone(&shared));
    for snapshot in 0..3 {
        let mut seen = Vec::new();
        for accept in ACCEPTS.iter().chain(&ACCEPTS) {
            seen.push(renderer.newest(exposition(accept), Coding::Identity));
            #[cfg(feature = "gzip")]
            seen.push(renderer.newest(exposition(accept), Coding::Gzip));
        }
        let codings = if cfg!(feature = "gzip") { 2 } else { 1 };
        assert_eq!(distinct(&seen), ACCEPTS.len() * codings);
        assert!(seen.iter().all(|page| page.snapshot == snapshot));
        shared.put(&registry.snapshot());
    }
}

#[test]
fn versions_that_read_alike_share_a_page() {
    let (registry, shared) = registry();
    shared.put(&registry.snapshot());
    let mut renderer = Renderer::new(shared);
    let alike = ["text/plain;version=0.0.4", "text/plain;version=1.0.0;escaping=underscores"];
    let pages = alike.map(|accept| renderer.newest(exposition(accept), Coding::Identity));
    assert_eq!(distinct(&pages), 1);
}

#[test]
fn a_scraper_that_is_still_taking_a_page_keeps_it() {
    let (registry, shared) = registry();
    let mut renderer = Renderer::new(Arc::clone(&shared));
    let mut newest = || renderer.newest(exposition(ACCEPTS[3]), Coding::Identity);
    let empty = newest();
    assert_eq!(empty.bytes, b"# EOF\n");
    shared.put(&registry.snapshot());
    let page = newest();
    assert_eq!(empty.bytes, b"# EOF\n");
    assert_eq!(
        String::from_utf8_lossy(&page.bytes),
        "# TYPE http_hits counter\nhttp_hits_total{http_route=\"/\"} 3.0\n# EOF\n"
    );
}

#[test]
fn a_page_that_nobody_holds_is_filled_again() {
    let (registry, shared) = registry();
    let mut renderer = Renderer::new(Arc::clone(&shared));
    let mut address = || Arc::as_ptr(&renderer.newest(Exposition::default(), Coding::Identity));
    let first = address();
    shared.put(&registry.snapshot());
    assert_eq!(address(), first);
}

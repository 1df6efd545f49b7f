//! Requests that are shown one by one, and traced: as many as asked for, each with its own truth.

use std::{
    collections::HashMap,
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant, SystemTime},
};

use crate::support::{answering, read_request_head, server, target, times};
use barewire::{
    Delivered, ExportError, Exporter, LabelValue, Metric, Registry, Reporter, Sample, Samples, Snapshot,
};
use barewire_runner::{Behaviour, Figures, Plan, Run, Sampling, Step};

const MS: Duration = Duration::from_millis(1);

/// Everything that a run showed.
type Shown = Arc<Mutex<Vec<(Arc<Metric>, Sample)>>>;

/// Keeps every sample.
struct Keeper(Shown);

impl Exporter for Keeper {
    fn name(&self) -> &str {
        "keeper"
    }

    fn export(&mut self, _: &Arc<Snapshot>, _: Instant) -> Result<Delivered, ExportError> {
        Ok(Delivered::default())
    }

    fn wants_samples(&self) -> bool {
        true
    }

    fn samples(&mut self, samples: Samples<'_>, _: Instant) -> Result<Delivered, ExportError> {
        self.0.lock().unwrap().extend(samples.iter().map(|(metric, sample)| (Arc::clone(metric), *sample)));
        Ok(Delivered { points: samples.len() as u64, ..Delivered::default() })
    }
}

/// Runs a plan to its end; the figures, and every sample with its name and labels.
fn sampled(plan: &Plan, sampling: Sampling) -> (Figures, Vec<(Arc<Metric>, Sample)>) {
    let registry = Registry::new("test");
    let shown = Shown::default();
    let reporting = Reporter::every(50 * MS).export(Keeper(Arc::clone(&shown))).start(&registry);
    let mut run = Run::start_with(&plan.check().unwrap(), &registry, sampling).unwrap();
    let totals = run.join().unwrap();
    let report = reporting.stop(Duration::from_secs(60));
    assert_eq!(report.lanes[0].samples_lost, 0);
    let figures = Figures::of(&registry.snapshot(), totals.elapsed);
    (figures, std::mem::take(&mut *shown.lock().unwrap()))
}

fn sampling(rate: f64, traces: f64) -> Sampling {
    Sampling::new(rate, traces).unwrap()
}

fn counted(samples: &[(Arc<Metric>, Sample)]) -> u64 {
    samples.iter().filter(|(_, sample)| sample.counted).count() as u64
}

fn traced(samples: &[(Arc<Metric>, Sample)]) -> u64 {
    samples.iter().filter(|(_, sample)| sample.trace.is_some()).count() as u64
}

#[test]
fn of_all_requests_the_share_asked_for_is_shown_and_traced() {
    let target = target(Behaviour { errors: 20.0, ..Behaviour::default() });
    for (rate, traces, expected) in [
        (1.0, 0.0, [1000, 0]),
        (0.1, 0.0, [100, 0]),
        (0.0, 0.25, [0, 250]),
        (0.333, 0.01, [333, 10]),
        (1.0, 1.0, [1000, 1000]),
    ] {
        let (figures, samples) = sampled(&times(target.local_addr(), 1000), sampling(rate, traces));
        assert_eq!(figures.requests, 1000);
        assert_eq!([counted(&samples), traced(&samples)], expected, "{rate} {traces}");
        assert!(samples.iter().all(|(_, sample)| sample.counted || sample.trace.is_some()));
    }
}

#[test]
fn several_threads_show_their_share_whatever_the_load() {
    let target = target(Behaviour::default());
    let plan =
        Plan { threads: Some(2), users: Some(8), ..Plan::get(format!("http://{}/", target.local_addr())) };
    for plan in [
        Plan { duration: Some(300 * MS), ..plan.clone() },
        Plan { iterations: Some(50), ..plan.clone() },
        Plan { rate: Some(2000.0), connections: Some(8), users: None, duration: Some(300 * MS), ..plan },
    ] {
        let (figures, samples) = sampled(&plan, sampling(1.0, 0.0));
        assert_eq!(counted(&samples), figures.requests);
        let (figures, samples) = sampled(&plan, sampling(0.125, 0.0));
        // Each thread rounds for itself.
        assert!(
            counted(&samples).abs_diff(figures.requests / 8) <= 2,
            "{} {}",
            samples.len(),
            figures.requests
        );
    }
}

#[test]
fn a_sample_says_of_its_request_what_the_metrics_say_of_all() {
    let target = target(Behaviour { errors: 30.0, ..Behaviour::default() });
    let addr = target.local_addr();
    let steps =
        vec![Step { url: "/buy?token=secret".to_owned(), body: Some("0123".to_owned()), ..Step::default() }];
    let before = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos();
    let (figures, samples) = sampled(&Plan { steps, ..times(addr, 200) }, sampling(1.0, 0.0));
    let after = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos();
    let mut shown = HashMap::<String, u64>::new();
    for (metric, _) in &samples {
        let label = |label: &barewire::Label| {
            let quote = if matches!(label.value, LabelValue::Text(_)) { "'" } else { "" };
            format!(" {}={quote}{}{quote}", label.key, label.value.to_text())
        };
        let labels: String = metric.labels.iter().map(label).collect();
        *shown.entry(format!("{}{labels}", metric.name)).or_default() += 1;
    }
    let expected = |ending: &str| {
        format!(
            "http.client.request load_test.step='POST /buy' http.request.method='POST' {ending} \
             url.full='http://{addr}/buy' server.address='127.0.0.1' server.port={}",
            addr.port()
        )
    };
    let good = expected("http.response.status_code=200 outcome='success'");
    let bad = expected("http.response.status_code=500 error.type='status' outcome='failure'");
    assert_eq!(shown, HashMap::from([(good, 200 - figures.errors), (bad, figures.errors)]));
    let sum: u64 = samples.iter().map(|(_, sample)| sample.duration_ns).sum();
    assert_eq!(u128::from(sum), figures.latency.sum() + figures.failed_latency.sum());
    for (metric, sample) in &samples {
        let is_good = metric.label_value("outcome") == Some(&"success".into());
        assert_eq!(sample.bytes, if is_good { 38 } else { 9 });
        // The wall clock may be set while this runs, but not by a minute.
        let (start, minute) = (u128::from(sample.start_unix_ns), 60_000_000_000);
        assert!((before - minute..after + minute).contains(&start), "{before} {start} {after}");
    }
    assert!(
        samples.is_sorted_by_key(|(_, sample)| sample.start_unix_ns),
        "one user has one request after another"
    );
}

#[test]
fn requests_that_fail_are_shown_too_and_those_that_are_never_sent_have_no_trace() {
    let (figures, samples) = sampled(&times(answering(b"", 0, true), 4), sampling(1.0, 1.0));
    assert_eq!((figures.errors, counted(&samples), traced(&samples)), (4, 4, 4));
    assert!(samples.iter().all(|(metric, _)| metric.label_value("error.type") == Some(&"reset".into())));

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    thread::spawn(move || {
        drop(listener.accept());
        let (mut stream, _) = listener.accept().unwrap();
        drop(listener);
        read_request_head(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").unwrap();
    });
    let (figures, samples) = sampled(&times(addr, 3), sampling(1.0, 1.0));
    assert_eq!((figures.errors, counted(&samples), traced(&samples)), (2, 3, 1));
}

/// A server that answers everything, and the heads of the requests that it was sent.
fn listening() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let heads = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&heads);
    let addr = server(move |mut stream| {
        while let Some(head) = read_request_head(&mut stream) {
            kept.lock().unwrap().push(head);
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
        }
    });
    (addr, heads)
}

#[test]
fn the_target_is_told_the_trace_of_each_request_that_has_one_and_no_other() {
    let (addr, heads) = listening();
    let (figures, samples) = sampled(&times(addr, 100), sampling(0.0, 0.3));
    let plain = format!("GET / HTTP/1.1\r\nHost: {addr}\r\n\r\n");
    let lines: Vec<String> = samples
        .iter()
        .filter_map(|(_, sample)| sample.trace)
        .map(|trace| format!("traceparent: 00-{:032x}-{:016x}-01\r\n", trace.trace_id, trace.span_id))
        .collect();
    let mut expected: Vec<String> =
        lines.iter().map(|line| format!("GET / HTTP/1.1\r\nHost: {addr}\r\n{line}\r\n")).collect();
    expected.resize(100, plain.clone());
    let mut told = heads.lock().unwrap().clone();
    told.sort();
    expected.sort();
    assert_eq!((lines.len(), told), (30, expected));
    let line_bytes: usize = lines.iter().map(String::len).sum();
    assert_eq!(
        figures.bytes_out,
        (100 * plain.len() + line_bytes) as u64,
        "what is sent is counted to the byte"
    );
}

#[test]
fn a_step_with_a_trace_of_its_own_keeps_it() {
    let (addr, heads) = listening();
    let own =
        Step { headers: [("Traceparent".to_owned(), "00-1-2-00".to_owned())].into(), ..Step::default() };
    let steps = vec![own, Step::default()];
    let (_, samples) = sampled(&Plan { steps, ..times(addr, 5) }, sampling(0.0, 1.0));
    assert_eq!(traced(&samples), 5);
    let heads = heads.lock().unwrap();
    let lines = |head: &String| head.to_ascii_lowercase().matches("traceparent: ").count();
    assert!(heads.iter().all(|head| lines(head) == 1), "{heads:?}");
    assert_eq!(heads.iter().filter(|head| head.contains("Traceparent: 00-1-2-00\r\n")).count(), 5);
}

#[test]
fn a_traced_request_that_goes_out_in_pieces_is_whole() {
    let body = "0123456789abcdef".repeat(1 << 19);
    let expected = body.clone();
    let addr = server(move |mut stream| {
        while let Some(head) = read_request_head(&mut stream) {
            thread::sleep(20 * MS);
            let mut body = vec![0; expected.len()];
            stream.read_exact(&mut body).unwrap();
            let is_whole = head.contains("\r\ntraceparent: 00-") && body == expected.as_bytes();
            let status = if is_whole { "200 OK" } else { "500 No" };
            stream.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes()).unwrap();
        }
    });
    let steps = vec![Step { body: Some(body), ..Step::default() }];
    let (figures, samples) = sampled(&Plan { steps, ..times(addr, 3) }, sampling(0.0, 1.0));
    assert_eq!((figures.requests, figures.errors, traced(&samples)), (3, 0, 3));
}

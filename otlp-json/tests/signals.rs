//! Logs and traces beside the metrics: where they go, what becomes of them, and that they cost the metrics nothing.

mod support;

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use barewire::{
    Delivered, Event, ExportError, Exporter, Label, LaneReport, Metric, Registry, Reporter, Reporting,
    Sample, Samples, Shard, Snapshot, TraceContext, view::View,
};
use barewire_otlp_json::Otlp;
use serde_json::Value as Json;
use support::{HANG_UP, OK, PATIENCE, SILENCE, Server, failed, host, scratch_file};

const NOT_FOUND: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno";
const NEVER: Duration = Duration::from_secs(3600);

/// So far away that half of it is patience enough.
fn later() -> Instant {
    Instant::now() + 2 * PATIENCE
}

fn event(name: &'static str) -> Event {
    Event::new(name, 7).label("load_test.stage", 2)
}

/// A registry with something to export.
fn shop() -> Registry {
    let registry = Registry::new("shop");
    let hits = registry.counter(Metric::new("hits"));
    registry.shard().add(hits, 1);
    registry
}

/// A registry that keeps samples, and as many spans in it, every second of which has a trace.
fn with_samples(count: u64, url_bytes: usize) -> (Registry, Shard) {
    let registry = shop();
    registry.keep_samples(4096);
    let (mut shard, url) = (registry.shard(), "x".repeat(url_bytes));
    let series = registry.sample_series(
        Metric::new("http.client.request").label("http.request.method", "GET").label("url.full", url),
    );
    for number in 1..=count {
        let trace = number
            .is_multiple_of(2)
            .then(|| TraceContext { trace_id: u128::from(number) << 64, span_id: number });
        shard.sample(Sample {
            series,
            start_unix_ns: number,
            duration_ns: 1,
            bytes: 0,
            counted: true,
            trace,
        });
    }
    (registry, shard)
}

/// Tells what became of the samples of each call.
struct Witness(Otlp, Sender<Result<Delivered, ExportError>>);

impl Exporter for Witness {
    fn name(&self) -> &str {
        "witness"
    }

    fn begin(&mut self, resource: &Arc<[Label]>) {
        self.0.begin(resource);
    }

    fn export(&mut self, snapshot: &Arc<Snapshot>, deadline: Instant) -> Result<Delivered, ExportError> {
        self.0.export(snapshot, deadline)
    }

    fn wants_samples(&self) -> bool {
        self.0.wants_samples()
    }

    fn samples(&mut self, samples: Samples<'_>, deadline: Instant) -> Result<Delivered, ExportError> {
        let outcome = self.0.samples(samples, deadline);
        drop(self.1.send(outcome.clone()));
        outcome
    }
}

/// A lane that only looks for samples, with patience.
fn watched(otlp: Otlp, registry: &Registry) -> (Reporting, Receiver<Result<Delivered, ExportError>>) {
    let (sender, outcomes) = channel();
    let reporter = Reporter::every(NEVER).timeout(2 * PATIENCE);
    (reporter.export(Witness(otlp, sender)).start(registry), outcomes)
}

fn points_and_left_out(outcome: Result<Delivered, ExportError>) -> (u64, u64) {
    outcome.map(|delivered| (delivered.points, delivered.left_out)).unwrap()
}

fn wait_for(reporting: &Reporting, enough: impl Fn(&LaneReport) -> bool) -> LaneReport {
    let give_up = Instant::now() + PATIENCE;
    loop {
        let lane = reporting.lanes().remove(0);
        if enough(&lane) {
            return lane;
        }
        assert!(Instant::now() < give_up, "{lane:?}");
        thread::sleep(Duration::from_millis(1));
    }
}

fn ok(body: &str) -> &'static str {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).leak()
}

fn service_name(entry: &Json) -> &str {
    entry["resource"]["attributes"][0]["value"]["stringValue"].as_str().unwrap()
}

#[test]
fn an_event_is_one_request_below_the_base_url_with_the_headers_of_all() {
    let server = Server::by_path(|_| OK);
    let mut otlp = Otlp::http(&format!("{}/api/?key=1", server.url)).unwrap().header("X-Key", "1").unwrap();
    otlp.begin(&[Label::new("service.name", "shop")].into());
    let delivered = otlp.event(&event("test.start"), later()).unwrap();
    let request = server.request();
    assert!(request.head.starts_with("POST /api/v1/logs?key=1 HTTP/1.1\r\n"), "{}", request.head);
    assert!(request.head.contains("\r\nContent-Type: application/json\r\n"), "{}", request.head);
    assert!(request.head.contains("\r\nX-Key: 1\r\n"), "{}", request.head);
    assert_eq!(
        String::from_utf8(request.body.clone()).unwrap(),
        format!(
            concat!(
                r#"{{"resourceLogs":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"shop"}}}}]}},"#,
                r#""scopeLogs":[{{"scope":{{"name":"barewire","version":"{}"}},"logRecords":[{{"timeUnixNano":"7","#,
                r#""observedTimeUnixNano":"7","severityNumber":9,"severityText":"INFO","body":{{"stringValue":"test.start"}},"#,
                r#""attributes":[{{"key":"load_test.stage","value":{{"intValue":"2"}}}}],"eventName":"test.start"}}]}}]}}]}}"#
            ),
            env!("CARGO_PKG_VERSION")
        )
    );
    let bytes = (request.head.len() + request.body.len()) as u64;
    assert_eq!(delivered, Delivered { points: 1, bytes, ..Delivered::default() });
}

#[test]
fn each_signal_has_a_connection_of_its_own_which_is_kept() {
    let server = Server::by_path(|_| OK);
    let mut otlp = Otlp::http(&server.url).unwrap();
    for _ in 0..2 {
        otlp.export(&shop().snapshot(), later()).unwrap();
        otlp.event(&event("a"), later()).unwrap();
        let requests = [server.request(), server.request()];
        assert_eq!(
            requests.each_ref().map(|request| (request.path(), request.connection)),
            [("/v1/metrics", 1), ("/v1/logs", 2)]
        );
    }
}

#[test]
fn events_before_the_first_snapshot_name_the_resource() {
    let server = Server::by_path(|_| OK);
    let registry = shop();
    registry.resource("host.name", "h");
    let reporting = Reporter::every(NEVER)
        .timeout(2 * PATIENCE)
        .export(Otlp::http(&server.url).unwrap())
        .start(&registry);
    reporting.event(&event("test.start"));
    let document = server.body();
    let entry = &document["resourceLogs"][0];
    assert_eq!(service_name(entry), "shop");
    assert_eq!(entry["resource"]["attributes"][1]["key"], "host.name");
    drop(reporting);
}

#[test]
fn a_metrics_url_takes_metrics_and_nothing_else() {
    let server = Server::by_path(|_| OK);
    let mut otlp = Otlp::open(&format!("metrics:{}/x", server.url)).unwrap().traces();
    assert!(!otlp.wants_samples());
    assert_eq!(otlp.event(&event("a"), later()), Ok(Delivered::default()));
    otlp.export(&shop().snapshot(), later()).unwrap();
    assert_eq!(server.request().path(), "/x");
    server.assert_no_more_requests();
}

#[test]
fn samples_are_wanted_only_if_traces_are_asked_for() {
    assert!(!Otlp::http("http://h:1").unwrap().wants_samples());
    assert!(Otlp::http("http://h:1").unwrap().traces().wants_samples());
    assert!(Otlp::stdout().traces().wants_samples());
}

#[test]
fn samples_with_a_trace_are_spans_of_one_request_and_the_others_are_not_counted() {
    let server = Server::by_path(|_| OK);
    let (registry, _shard) = with_samples(10, 1);
    let (_reporting, outcomes) = watched(Otlp::http(&server.url).unwrap().traces(), &registry);
    assert_eq!(points_and_left_out(outcomes.recv_timeout(PATIENCE).unwrap()), (5, 0));
    let request = server.request();
    assert_eq!(request.path(), "/v1/traces");
    let document = request.json();
    let entry = &document["resourceSpans"][0];
    assert_eq!(service_name(entry), "shop");
    let spans = entry["scopeSpans"][0]["spans"].as_array().unwrap();
    let ids: Vec<_> = spans.iter().map(|span| span["spanId"].as_str().unwrap()).collect();
    assert_eq!(ids, [2, 4, 6, 8, 10].map(|number| format!("{number:016x}")));
}

#[test]
fn many_spans_go_out_in_requests_of_bounded_size() {
    let server = Server::by_path(|_| OK);
    // 400 spans of 10 kB each.
    let (registry, _shard) = with_samples(800, 10_000);
    let (_reporting, outcomes) = watched(Otlp::http(&server.url).unwrap().traces(), &registry);
    assert_eq!(points_and_left_out(outcomes.recv_timeout(PATIENCE).unwrap()), (400, 0));
    let lengths: Vec<_> = (0..4).map(|_| server.request().body.len()).collect();
    server.assert_no_more_requests();
    assert!(lengths.iter().all(|length| *length < (1 << 20) + 11_000), "{lengths:?}");
}

#[test]
fn what_the_receiver_rejects_is_counted_and_not_sent_again() {
    let server = Server::by_path(|path| match path {
        "/v1/logs" => ok(r#"{"partialSuccess":{"rejectedLogRecords":"99","errorMessage":"too old"}}"#),
        _ => ok(r#"{"partialSuccess":{"rejectedSpans":"2"}}"#),
    });
    let (registry, _shard) = with_samples(10, 1);
    let mut otlp = Otlp::http(&server.url).unwrap();
    let delivered = otlp.event(&event("a"), later()).unwrap();
    assert_eq!((delivered.points, delivered.rejected, delivered.left_out), (0, 1, 0));
    assert_eq!(delivered.message.as_deref(), Some("too old"));
    assert_eq!(server.request().path(), "/v1/logs");
    let (_reporting, outcomes) = watched(otlp.traces(), &registry);
    let delivered = outcomes.recv_timeout(PATIENCE).unwrap().unwrap();
    assert_eq!((delivered.points, delivered.rejected, delivered.left_out), (3, 2, 0));
    assert_eq!(server.request().path(), "/v1/traces");
    server.assert_no_more_requests();
}

#[test]
fn a_receiver_without_logs_is_told_of_once_and_not_asked_again() {
    for not_there in [NOT_FOUND, "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 2\r\n\r\nno"] {
        let server = Server::by_path(move |path| if path == "/v1/logs" { not_there } else { OK });
        let mut otlp = Otlp::http(&server.url).unwrap();
        let told = failed(format!("{} answered {}: no", host(&server), &not_there[9..12]));
        assert_eq!(otlp.event(&event("a"), later()), Err(told));
        assert_eq!(server.request().path(), "/v1/logs");
        for name in ["a", "b"] {
            assert_eq!(points_and_left_out(otlp.event(&event(name), later())), (0, 1));
            assert_eq!(otlp.export(&shop().snapshot(), later()).unwrap().points, 1);
            assert_eq!(server.request().path(), "/v1/metrics");
        }
        server.assert_no_more_requests();
    }
}

#[test]
fn a_run_with_a_receiver_of_metrics_alone_ends_complete_and_counts_its_events() {
    let server = Server::by_path(|path| if path == "/v1/metrics" { OK } else { NOT_FOUND });
    let reporting = Reporter::every(Duration::from_millis(10))
        .timeout(2 * PATIENCE)
        .export(Otlp::http(&server.url).unwrap())
        .start(&shop());
    for name in ["a", "b", "c"] {
        reporting.event(&event(name));
    }
    let lane = wait_for(&reporting, |lane| lane.events_lost == 3);
    assert_eq!(lane.last_error, Some(format!("{} answered 404: no", host(&server))));
    let report = reporting.stop(PATIENCE);
    assert!(report.lanes[0].complete, "{report:?}");
    let paths = std::iter::from_fn(|| server.try_request()).map(|request| request.path().to_owned());
    assert_eq!(paths.filter(|path| path == "/v1/logs").count(), 1);
}

#[test]
fn an_event_that_is_refused_for_good_is_not_sent_again_and_the_next_one_is() {
    let server = Server::answering([
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nbad",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ]);
    let mut otlp = Otlp::http(&server.url).unwrap();
    let refused = Err(failed(format!("{} answered 400: bad", host(&server))));
    assert_eq!(otlp.event(&event("a"), later()), refused);
    let rejected = otlp.event(&event("a"), later()).unwrap();
    assert_eq!((rejected.points, rejected.rejected), (0, 1));
    assert_eq!(rejected.message, Some(format!("{} answered 400: bad", host(&server))));
    let delivered = until_delivered(&mut otlp, &event("b"), &refused);
    assert_eq!(points_and_left_out(Ok(delivered)), (1, 0));
    let names = [server.body(), server.body()].map(|document| {
        document["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["eventName"].as_str().unwrap().to_owned()
    });
    assert_eq!(names, ["a", "b"]);
}

/// Tells of it again and again, and meets the same error each time that it is not taken.
fn until_delivered(otlp: &mut Otlp, event: &Event, refused: &Result<Delivered, ExportError>) -> Delivered {
    let give_up = Instant::now() + PATIENCE;
    loop {
        match otlp.event(event, later()) {
            Ok(delivered) => return delivered,
            error => assert_eq!(&error, refused),
        }
        assert!(Instant::now() < give_up, "{refused:?}");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn an_event_that_is_refused_for_now_is_sent_again_after_a_rest() {
    let unavailable = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy";
    let server = Server::answering([unavailable, OK]);
    let mut otlp = Otlp::http(&server.url).unwrap();
    let refused = Err(failed(format!("{} answered 503: busy", host(&server))));
    let begun = Instant::now();
    assert_eq!(otlp.event(&event("a"), later()), refused);
    let delivered = until_delivered(&mut otlp, &event("a"), &refused);
    assert_eq!((delivered.points, delivered.left_out), (1, 0));
    assert!(begun.elapsed() >= Duration::from_millis(100));
}

#[test]
fn an_event_goes_out_again_when_a_kept_connection_turns_out_stale() {
    let server = Server::answering([OK, HANG_UP, OK]);
    let mut otlp = Otlp::http(&server.url).unwrap();
    for _ in 0..2 {
        assert_eq!(points_and_left_out(otlp.event(&event("a"), later())), (1, 0));
    }
    assert_eq!([1, 1, 2], [(); 3].map(|()| server.request().connection));
}

#[test]
fn spans_that_are_refused_are_lost_and_said_to_be_if_all_samples_are_spans() {
    let server = Server::by_path(|_| NOT_FOUND);
    let (registry, mut shard) = with_samples(10, 1);
    let (_reporting, outcomes) = watched(Otlp::http(&server.url).unwrap().traces(), &registry);
    // Half of the samples are no spans, and not lost.
    assert_eq!(points_and_left_out(outcomes.recv_timeout(PATIENCE).unwrap()), (0, 5));
    let series = registry.sample_series(Metric::new("a"));
    let trace = Some(TraceContext { trace_id: 1, span_id: 1 });
    shard.sample(Sample { series, start_unix_ns: 1, duration_ns: 1, bytes: 0, counted: true, trace });
    assert_eq!(points_and_left_out(outcomes.recv_timeout(PATIENCE).unwrap()), (0, 1));
    assert_eq!(server.request().path(), "/v1/traces");
    server.assert_no_more_requests();

    let server = Server::by_path(|_| NOT_FOUND);
    let registry = shop();
    registry.keep_samples(1);
    let mut shard = registry.shard();
    let series = registry.sample_series(Metric::new("a"));
    shard.sample(Sample { series, start_unix_ns: 1, duration_ns: 1, bytes: 0, counted: true, trace });
    let (_reporting, outcomes) = watched(Otlp::http(&server.url).unwrap().traces(), &registry);
    let told = failed(format!("{} answered 404: no", host(&server)));
    assert_eq!(outcomes.recv_timeout(PATIENCE).unwrap(), Err(told));
}

#[test]
fn receivers_of_logs_and_traces_that_say_nothing_do_not_stop_the_metrics() {
    let metrics = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&metrics);
    let server = Server::by_path(move |path| {
        if path != "/v1/metrics" {
            return SILENCE;
        }
        counter.fetch_add(1, Relaxed);
        OK
    });
    let (registry, _shard) = with_samples(2000, 1);
    let reporting = Reporter::every(Duration::from_millis(20))
        .timeout(Duration::from_secs(4))
        .export(Otlp::http(&server.url).unwrap().traces())
        .start(&registry);
    reporting.event(&event("a"));
    let silent = wait_for(&reporting, |lane| lane.samples_lost > 0 && lane.last_error.is_some());
    let before = metrics.load(Relaxed);
    wait_for(&reporting, |lane| lane.sent > silent.sent + 3);
    assert!(metrics.load(Relaxed) > before);
    let report = reporting.stop(Duration::from_secs(20));
    assert!(report.lanes[0].complete, "{report:?}");
    assert_eq!((report.lanes[0].events, report.lanes[0].events_lost), (0, 1));
    assert_eq!((report.lanes[0].samples, report.lanes[0].samples_lost), (0, 1000));
}

#[test]
fn a_silent_receiver_of_logs_has_the_time_of_the_metrics_and_is_then_left_alone_for_longer() {
    let server = Server::by_path(|_| SILENCE);
    let mut otlp = Otlp::http(&server.url).unwrap();
    let begun = Instant::now();
    let error = otlp.event(&event("a"), begun + Duration::from_secs(2)).unwrap_err();
    let took = begun.elapsed();
    assert!(matches!(error, ExportError::TimedOut(_)), "{error:?}");
    assert!(took >= Duration::from_secs(2), "{took:?}");
    assert_eq!(server.request().path(), "/v1/logs");
    assert_eq!(otlp.event(&event("b"), later()), Err(error));
    server.assert_no_more_requests();
}

#[test]
fn logs_and_spans_have_the_resource_under_which_the_metrics_are_shown() {
    let path = scratch_file("resource");
    let (registry, _shard) = with_samples(4, 1);
    let otlp = Otlp::file(&path).unwrap().traces();
    let otlp =
        otlp.view(View::everything().resource("service.name", "shop - spike")).view(View::everything());
    let reporting = Reporter::every(Duration::from_secs(3600)).export(otlp).start(&registry);
    reporting.event(&event("before the first snapshot"));
    reporting.stop(PATIENCE);
    let text = fs::read_to_string(&path).unwrap();
    fs::remove_file(path).unwrap();
    let documents: Vec<Json> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for signal in ["resourceMetrics", "resourceLogs", "resourceSpans"] {
        let entry = documents.iter().find_map(|document| document.get(signal)?.get(0)).expect(signal);
        assert_eq!(service_name(entry), "shop - spike", "{signal}");
    }
}

#[test]
fn a_file_has_the_documents_of_all_signals_as_lines_of_their_own() {
    let path = scratch_file("signals");
    let (registry, _shard) = with_samples(4, 1);
    let mut otlp = Otlp::open(&format!("file:{}", path.display())).unwrap().traces();
    assert_eq!(points_and_left_out(otlp.event(&event("a"), later())), (1, 0));
    otlp.export(&registry.snapshot(), later()).unwrap();
    let (reporting, outcomes) = watched(otlp, &registry);
    assert_eq!(points_and_left_out(outcomes.recv_timeout(PATIENCE).unwrap()), (2, 0));
    assert!(reporting.stop(PATIENCE).lanes[0].complete);
    let text = fs::read_to_string(&path).unwrap();
    let keys: Vec<_> = text
        .lines()
        .map(|line| {
            let document: serde_json::Map<String, Json> = serde_json::from_str(line).unwrap();
            document.keys().next().unwrap().clone()
        })
        .collect();
    assert_eq!(keys, ["resourceLogs", "resourceMetrics", "resourceSpans", "resourceMetrics"]);
    fs::remove_file(path).unwrap();
}

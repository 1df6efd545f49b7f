use super::*;
use crate::name;
use barewire::{Metric, Registry, Unit};
use serde_json::{Value, json};
use sink::Sink;

mod sink {
    use std::{
        io::{self, Write},
        sync::{Arc, Mutex},
    };

    /// What was written, for the writer and the reader.
    #[derive(Clone, Default)]
    pub(super) struct Sink(Arc<Mutex<(bool, Vec<u8>)>>);

    impl Sink {
        /// Whether it takes nothing.
        pub(super) fn full(&self, full: bool) {
            self.0.lock().unwrap().0 = full;
        }

        pub(super) fn take(&self) -> Vec<serde_json::Value> {
            let bytes = std::mem::take(&mut self.0.lock().unwrap().1);
            let text = String::from_utf8(bytes).unwrap();
            text.lines()
                .filter(|line| !line.is_empty())
                .map(|line| serde_json::from_str(line).unwrap())
                .collect()
        }
    }

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut sink = self.0.lock().unwrap();
            if sink.0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            sink.1.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}

/// Three requests of a step, one of which failed, by three users.
fn registry() -> (Registry, barewire::Shard) {
    let registry = Registry::new("test");
    let mut shard = registry.shard();
    let of = |name| Metric::new(name).label(name::STEP, "browse").label(name::METHOD, "GET");
    for (outcome, count) in [("success", 2), ("failure", 1)] {
        shard.add(registry.counter(of(name::REQUESTS).label(name::OUTCOME, outcome)), count);
    }
    shard.add(registry.counter(of(name::ERRORS).label(name::ERROR_TYPE, "timeout")), 1);
    let took = registry.histogram(of(name::DURATION).unit(Unit::Seconds));
    [1_000_000u64, 2_000_000, 3_000_000].into_iter().for_each(|ns| shard.record(took, ns));
    shard.record(registry.histogram(of(name::RESPONSE_SIZE).unit(Unit::Bytes)), 100u64);
    shard.set(registry.gauge(Metric::new(name::USERS)), 3.0);
    shard.set(registry.gauge(Metric::new(name::PROCESS_CPU)), 0.5);
    let sent = Metric::new(name::NETWORK_IO).label(name::NETWORK_DIRECTION, "transmit");
    shard.add(registry.counter(sent), 77);
    (registry, shard)
}

fn log() -> (Sink, JsonLog) {
    let sink = Sink::default();
    (sink.clone(), JsonLog::new("a sink", sink, &Origin::new("r1", "shop")))
}

/// Name, and the type of stats with the status, of every line.
fn titles(lines: &[Value]) -> Vec<String> {
    let title = |line: &Value| {
        let telemetry = &line["telemetry"];
        let texts = ["telemetry_name", "stats_type", "status"].map(|key| telemetry[key].as_str());
        texts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    };
    lines.iter().map(title).collect()
}

fn export(log: &mut JsonLog, registry: &Registry) -> Result<Delivered, ExportError> {
    log.export(&registry.snapshot(), Instant::now())
}

const LEVELS: [&str; 3] =
    ["locust.tl.system.metric.cpu", "locust.tl.system.metric.network", "locust.tl.user.metric.count"];

#[test]
fn a_tick_has_the_present_stats_and_each_level() {
    let ((registry, _shard), (sink, mut log)) = (registry(), log());
    let delivered = export(&mut log, &registry).unwrap();
    let lines = sink.take();
    assert_eq!(titles(&lines), [&["locust.tl.request.metric.stats current"][..], &LEVELS].concat());
    let stats = lines[0]["telemetry"].as_object().unwrap();
    for (key, expected) in [
        ("telemetry_type", json!("metrics")),
        ("run_id", json!("r1")),
        ("testplan", json!("shop")),
        ("method", json!("")),
        ("name", json!("Aggregated")),
        ("num_requests", json!(3)),
        ("num_failures", json!(1)),
        ("user_count", json!(3)),
        ("min_response_time", json!(1)),
        ("max_response_time", json!(3)),
        ("avg_response_time", json!(2)),
        ("avg_content_length", json!(100)),
    ] {
        assert_eq!(stats[key], expected, "{key}");
    }
    for key in ["median_response_time", "percentile_95", "percentile_99", "total_rps", "current_fail_per_sec"]
    {
        assert!(stats[key].is_number(), "{key}");
    }
    let level = |at: usize| {
        let telemetry = &lines[at]["telemetry"];
        (telemetry["value"].clone(), telemetry["unit"].clone(), telemetry["direction"].clone())
    };
    assert_eq!(level(1), (json!(50), json!("%"), Value::Null));
    assert_eq!(level(2), (json!(77), json!("By"), json!("sent")));
    assert_eq!(level(3), (json!(3), json!("1"), Value::Null));
    // Three levels and fourteen figures.
    assert_eq!((delivered.points, delivered.left_out), (17, 0));
}

#[test]
fn the_figures_of_the_run_come_once_at_its_end_and_not_before_they_are_written() {
    let ((registry, mut shard), (sink, mut log)) = (registry(), log());
    let verdict = registry.gauge(Metric::new(name::VERDICT).label("verdict", "passed"));
    shard.set(verdict, 0.0);
    export(&mut log, &registry).unwrap();
    sink.take();
    shard.set(verdict, 1.0);
    sink.full(true);
    let full = ExportError::Failed("cannot write to a sink: no storage space".to_owned());
    assert_eq!(export(&mut log, &registry), Err(full));
    sink.full(false);
    export(&mut log, &registry).unwrap();
    let lines = sink.take();
    let stats = "locust.tl.request.metric.stats";
    let [success, error, whole] =
        ["endpoint success", "endpoint error", "final"].map(|kind| format!("{stats} {kind}"));
    assert_eq!(titles(&lines)[..3], [success, error, whole]);
    let of = |at: usize, keys: &[&str]| {
        keys.iter().map(|key| lines[at]["telemetry"][key].clone()).collect::<Vec<_>>()
    };
    let endpoint = of(0, &["method", "name", "num_requests", "num_failures", "max_response_time"]);
    assert_eq!(endpoint, [json!("GET"), json!("browse"), json!(3), json!(1), json!(3)]);
    let error = of(1, &["method", "name", "error", "occurrences"]);
    assert_eq!(error, [json!("GET"), json!("browse"), json!("timeout"), json!(1)]);
    // Nothing came in the last window, and the run is told of.
    assert_eq!(of(2, &["num_requests", "max_response_time"]), [json!(3), json!(3)]);
    export(&mut log, &registry).unwrap();
    assert_eq!(titles(&sink.take()), LEVELS);
}

#[test]
fn a_steady_tick_allocates_nothing() {
    let (registry, mut shard) = registry();
    let mut log = JsonLog::new("nowhere", std::io::sink(), &Origin::new("r1", "shop"));
    let users = registry.gauge(Metric::new(name::USERS));
    for (users_now, expected) in [(1.0, None), (2.0, None), (3.0, Some(0))] {
        shard.set(users, users_now);
        let snapshot = registry.snapshot();
        let count = allocation_counter::measure(|| {
            log.export(&snapshot, Instant::now()).unwrap();
        });
        assert!(expected.is_none_or(|expected| count.count_total == expected), "{count:?}");
    }
}

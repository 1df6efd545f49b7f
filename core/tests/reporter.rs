//! A slow, dead or panicking exporter costs its own snapshots and nobody else's.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use barewire::{
    Delivered, Error, Event, ExportError, Exporter, Label, LaneReport, Metric, Reading, Registry, Reporter,
    Reporting, Sample, Samples, Snapshot,
};

/// An exporter that does what a closure says.
struct Scripted<F>(&'static str, F);

impl<F> Exporter for Scripted<F>
where
    F: FnMut(&Arc<Snapshot>) -> Result<Delivered, ExportError> + Send,
{
    fn name(&self) -> &str {
        self.0
    }

    fn export(&mut self, snapshot: &Arc<Snapshot>, _: Instant) -> Result<Delivered, ExportError> {
        (self.1)(snapshot)
    }
}

fn scripted<F>(name: &'static str, script: F) -> Scripted<F>
where
    F: FnMut(&Arc<Snapshot>) -> Result<Delivered, ExportError> + Send,
{
    Scripted(name, script)
}

const TICK: Duration = Duration::from_millis(5);
const SOON: Duration = Duration::from_secs(10);

fn delivered() -> Result<Delivered, ExportError> {
    Ok(Delivered { points: 2, left_out: 1, bytes: 10, ..Delivered::default() })
}

/// Waits until the lanes satisfy `enough`.
fn wait_for(reporting: &Reporting, enough: impl Fn(&[LaneReport]) -> bool) -> Vec<LaneReport> {
    let give_up = Instant::now() + SOON;
    loop {
        let lanes = reporting.lanes();
        if enough(&lanes) {
            return lanes;
        }
        assert!(Instant::now() < give_up, "{lanes:?}");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn every_tick_is_sent_and_the_last_snapshot_has_every_count() {
    let registry = Registry::new("test");
    let hits = registry.counter(Metric::new("hits"));
    let seen = Arc::new(AtomicU64::new(0));
    let exporter = {
        let seen = Arc::clone(&seen);
        scripted("good", move |snapshot| {
            seen.store(snapshot.counter("hits"), SeqCst);
            delivered()
        })
    };
    let reporting = Reporter::every(TICK).export(exporter).start(&registry);
    wait_for(&reporting, |lanes| lanes[0].sent >= 3);
    registry.shard().add(hits, 42);
    let report = reporting.stop(SOON);
    let lane = &report.lanes[0];
    assert_eq!(seen.load(SeqCst), 42);
    assert!(lane.complete);
    assert_eq!((lane.points, lane.left_out, lane.bytes), (2 * lane.sent, lane.sent, 10 * lane.sent));
    assert_eq!(report.into_result(), Ok(()));
}

#[test]
fn a_slow_exporter_drops_the_ticks_it_overran_and_a_fast_one_beside_it_does_not() {
    let registry = Registry::new("test");
    let hits = registry.counter(Metric::new("hits"));
    let (release, gate): (Sender<()>, Receiver<()>) = channel();
    let totals = Arc::new(Mutex::new(Vec::new()));
    let slow = {
        let totals = Arc::clone(&totals);
        scripted("slow", move |snapshot| {
            gate.recv().ok();
            totals.lock().unwrap().push(snapshot.counter("hits"));
            delivered()
        })
    };
    let reporting =
        Reporter::every(TICK).export(slow).export(scripted("fast", |_| delivered())).start(&registry);
    let mut shard = registry.shard();
    shard.add(hits, 1);
    let lanes = wait_for(&reporting, |lanes| lanes[0].dropped >= 10 && lanes[1].sent >= 10);
    assert_eq!(lanes[0].sent, 0);
    shard.add(hits, 1);
    drop(release);
    let report = reporting.stop(SOON);
    assert_eq!(totals.lock().unwrap().last(), Some(&2), "what was dropped is in the last one");
    assert!(report.lanes.iter().all(|lane| lane.complete));
}

#[test]
fn a_panic_ends_its_own_lane_and_is_reported() {
    let registry = Registry::new("test");
    let bad = scripted("bad", |_| panic!("no such luck"));
    let reporting =
        Reporter::every(TICK).export(bad).export(scripted("good", |_| delivered())).start(&registry);
    wait_for(&reporting, |lanes| lanes[0].dropped >= 3 && lanes[1].sent >= 3);
    let report = reporting.stop(SOON);
    let [bad, good] = &report.lanes[..] else { panic!("two lanes") };
    assert_eq!((bad.failed, bad.complete, good.complete), (1, false, true));
    assert_eq!(
        report.clone().into_result(),
        Err(Error::Undelivered("bad: panicked: no such luck".to_owned()))
    );
}

#[test]
fn stop_returns_at_its_deadline_whatever_an_exporter_does() {
    let registry = Registry::new("test");
    let (_never, gate): (Sender<()>, Receiver<()>) = channel();
    let (entered, inside) = channel();
    let stuck = scripted("stuck", move |_| {
        entered.send(()).ok();
        gate.recv().ok();
        delivered()
    });
    let reporting = Reporter::every(TICK).export(stuck).start(&registry);
    inside.recv_timeout(SOON).expect("a first snapshot");
    let start = Instant::now();
    let report = reporting.stop(Duration::from_millis(50));
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    let why = "the one in hand and the last one";
    assert_eq!((report.lanes[0].timed_out, report.lanes[0].complete), (2, false), "{why}");
}

/// What became of all the snapshots that a lane was offered.
fn offered(lane: &LaneReport) -> u64 {
    lane.sent + lane.dropped + lane.failed + lane.timed_out
}

#[test]
fn every_snapshot_offered_is_accounted_for_whatever_became_of_its_exporter() {
    let registry = Registry::new("test");
    let (_never, gate): (Sender<()>, Receiver<()>) = channel();
    let stuck = scripted("stuck", move |_| {
        gate.recv().ok();
        delivered()
    });
    let reporting = Reporter::every(TICK)
        .export(scripted("good", |_| delivered()))
        .export(stuck)
        .export(scripted("bad", |_| panic!("no such luck")))
        .export(scripted("asleep", |_| Err(ExportError::Throttled)))
        .export(scripted("refused", |_| Err(ExportError::Failed("refused".to_owned()))))
        .start(&registry);
    wait_for(&reporting, |lanes| lanes.iter().all(|lane| offered(lane) >= 5));
    let report = reporting.stop(Duration::from_millis(200));
    let all: Vec<_> = report.lanes.iter().map(offered).collect();
    assert_eq!(all, vec![all[0]; 5], "{report:?}");
    let reasons = [
        "stuck: the last snapshot is still on its way",
        "bad: panicked: no such luck",
        "asleep: the receiver asked for a pause",
        "refused: refused",
    ];
    assert_eq!(report.into_result(), Err(Error::Undelivered(reasons.join("; "))));
}

#[test]
fn a_panic_of_whom_it_tells_ends_the_lane_and_is_reported() {
    let registry = Registry::new("test");
    let reporting = Reporter::every(TICK)
        .export(scripted("bad", |_| Err(ExportError::Failed("refused".to_owned()))))
        .export(scripted("good", |_| delivered()))
        .notify(|_| panic!("no ear"))
        .start(&registry);
    wait_for(&reporting, |lanes| lanes[0].dropped >= 3 && lanes[1].sent >= 3);
    let report = reporting.stop(SOON);
    let [bad, good] = &report.lanes[..] else { panic!("two lanes") };
    assert_eq!((bad.complete, good.complete, offered(bad)), (false, true, offered(good)));
}

#[test]
fn no_duration_is_too_long_and_none_too_short() {
    for extreme in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
        let registry = Registry::new("test");
        let exporter = scripted("a name\0with a zero in it", |_| delivered());
        let reporting = Reporter::every(extreme).timeout(extreme).export(exporter).start(&registry);
        if extreme != Duration::MAX {
            wait_for(&reporting, |lanes| lanes[0].sent >= 1);
        }
        let report = reporting.stop(Duration::MAX);
        assert!(report.lanes[0].complete, "{report:?}");
    }
}

#[test]
fn a_reporter_that_is_dropped_waits_no_longer_than_an_export_may_take() {
    let registry = Registry::new("test");
    let (_never, gate): (Sender<()>, Receiver<()>) = channel();
    let stuck = scripted("stuck", move |_| {
        gate.recv().ok();
        delivered()
    });
    let reporting = Reporter::every(TICK).timeout(Duration::from_millis(20)).export(stuck).start(&registry);
    wait_for(&reporting, |lanes| lanes[0].dropped >= 1);
    let start = Instant::now();
    drop(reporting);
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

/// An exporter whose receiver says nothing: every attempt takes all the time that it has.
struct Mute;

impl Exporter for Mute {
    fn name(&self) -> &str {
        "mute"
    }

    fn export(&mut self, _: &Arc<Snapshot>, deadline: Instant) -> Result<Delivered, ExportError> {
        thread::sleep(deadline.saturating_duration_since(Instant::now()));
        Err(ExportError::TimedOut("no answer".to_owned()))
    }
}

#[test]
fn receivers_that_never_answered_are_waited_for_side_by_side_and_one_time_out_long() {
    let (registry, time) = (Registry::new("test"), Duration::from_millis(500));
    let reporter = Reporter::every(TICK).timeout(time);
    let reporting = (0..12).fold(reporter, |reporter, _| reporter.export(Mute)).start(&registry);
    wait_for(&reporting, |lanes| lanes.iter().all(|lane| lane.dropped >= 1));
    let start = Instant::now();
    let report = reporting.stop(Duration::from_secs(20));
    assert!(start.elapsed() < 8 * time, "{:?}", start.elapsed());
    assert!(report.lanes.iter().all(|lane| !lane.complete && lane.timed_out >= 1), "{report:?}");
}

#[test]
fn a_receiver_that_has_answered_keeps_the_whole_deadline() {
    for answer in [delivered(), Err(ExportError::Failed("refused".to_owned()))] {
        let (registry, time) = (Registry::new("test"), Duration::from_millis(20));
        let mut answers = std::iter::once(answer.clone());
        let slow = scripted("slow", move |_| {
            answers.next().unwrap_or_else(|| {
                thread::sleep(10 * time);
                delivered()
            })
        });
        let reporting = Reporter::every(TICK).timeout(time).export(slow).start(&registry);
        wait_for(&reporting, |lanes| lanes[0].sent + lanes[0].failed >= 1 && lanes[0].dropped >= 1);
        let report = reporting.stop(SOON);
        assert!(report.lanes[0].complete, "after {answer:?}: {report:?}");
    }
}

#[test]
fn outcomes_are_counted_each_in_its_place_and_told_once_a_change() {
    let registry = Registry::new("test");
    let mut script = vec![
        Ok(Delivered::default()),
        Err(ExportError::Failed("refused".to_owned())),
        Err(ExportError::TimedOut("reading".to_owned())),
        Err(ExportError::Throttled),
    ]
    .into_iter();
    let exporter = scripted("moody", move |_| script.next().unwrap_or_else(delivered));
    let told = Arc::new(Mutex::new(Vec::new()));
    let reporter = {
        let told = Arc::clone(&told);
        Reporter::every(TICK).export(exporter).notify(move |notice| {
            told.lock().unwrap().push(notice.to_string());
        })
    };
    let reporting = reporter.start(&registry);
    wait_for(&reporting, |lanes| lanes[0].sent >= 3);
    let report = reporting.stop(SOON);
    let lane = &report.lanes[0];
    assert_eq!((lane.failed, lane.timed_out), (1, 1));
    assert!(lane.dropped >= 1);
    assert_eq!(lane.last_error.as_deref(), Some("timed out: reading"), "the pause that came of it says less");
    assert_eq!(*told.lock().unwrap(), ["moody does not deliver: refused", "moody delivers again"]);
}

#[test]
fn what_a_receiver_rejects_is_counted_apart_and_told_once_with_its_own_sentence() {
    let registry = Registry::new("test");
    let rejecting = |message: &str| {
        let message = Some(message.to_owned());
        Ok(Delivered { points: 2, rejected: 3, left_out: 1, message, ..Delivered::default() })
    };
    let warning = Delivered { points: 5, message: Some("slow down".to_owned()), ..Delivered::default() };
    let mut script = vec![
        rejecting("4 points are too old"),
        rejecting("5 points are too old"),
        rejecting("no such bucket"),
        Ok(warning.clone()),
        Ok(warning),
    ]
    .into_iter();
    let exporter = scripted("picky", move |_| script.next().unwrap_or_else(delivered));
    let told = Arc::new(Mutex::new(Vec::new()));
    let hear = Arc::clone(&told);
    let reporting = Reporter::every(TICK)
        .export(exporter)
        .self_metrics()
        .notify(move |notice| hear.lock().unwrap().push(notice.to_string()))
        .start(&registry);
    wait_for(&reporting, |lanes| lanes[0].sent >= 7);
    let report = reporting.stop(SOON);
    let lane = &report.lanes[0];
    assert_eq!((lane.partial, lane.rejected, lane.left_out), (3, 9, lane.sent - 2), "{lane:?}");
    assert_eq!((lane.points, lane.scrapes), (2 * lane.sent + 6, None), "{lane:?}");
    assert_eq!(lane.messages, ["4 points are too old", "no such bucket", "slow down"]);
    let expected = [
        "picky delivers points in part: 3 of 5 were rejected: 4 points are too old",
        "picky delivers points in part: 3 of 5 were rejected: no such bucket",
        "picky delivers points with a warning: slow down",
    ];
    assert_eq!(*told.lock().unwrap(), expected);
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.counter("barewire.exporter.points.rejected"), 9);
    assert_eq!(snapshot.counter("barewire.exporter.snapshots.partial"), 3);
}

#[test]
fn the_account_of_the_lanes_is_kept_in_the_registry_where_asked_for() {
    let registry = Registry::new("test");
    let exporter = || scripted("twin", |_| delivered());
    let reporting =
        Reporter::every(TICK).export(exporter()).export(exporter()).self_metrics().start(&registry);
    wait_for(&reporting, |lanes| lanes.iter().all(|lane| lane.sent >= 3));
    reporting.stop(SOON);
    let snapshot = registry.snapshot();
    let exporters: Vec<_> = snapshot
        .series()
        .iter()
        .filter(|series| series.metric.name == "barewire.exporter.bytes")
        .filter_map(|series| series.metric.label_value("exporter"))
        .map(|name| name.to_text().into_owned())
        .collect();
    assert_eq!(exporters, ["twin", "twin-2"]);
    assert!(snapshot.counter("barewire.exporter.bytes") >= 60);
}

/// An exporter that keeps what it is told, and refuses events as long as it is told to.
#[derive(Clone, Default)]
struct Witness(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    resource: Option<Arc<[Label]>>,
    refuses: bool,
    events: Vec<String>,
    samples: Vec<(String, u64)>,
    gauges: Vec<Option<f64>>,
}

impl Exporter for Witness {
    fn name(&self) -> &str {
        "witness"
    }

    fn begin(&mut self, resource: &Arc<[Label]>) {
        let mut seen = self.0.lock().unwrap();
        assert!(seen.events.is_empty() && seen.gauges.is_empty());
        assert!(resource.iter().all(|label| label.key != "hostile"), "no such home");
        seen.resource = Some(Arc::clone(resource));
    }

    fn export(&mut self, snapshot: &Arc<Snapshot>, _: Instant) -> Result<Delivered, ExportError> {
        let mut seen = self.0.lock().unwrap();
        let gauges = snapshot.readings().filter_map(|(_, reading)| match reading {
            Reading::Gauge(value) => Some(value),
            _ => None,
        });
        seen.gauges.extend(gauges);
        if seen.refuses { Err(ExportError::Failed("closed".to_owned())) } else { delivered() }
    }

    fn event(&mut self, event: &Event, _: Instant) -> Result<Delivered, ExportError> {
        let mut seen = self.0.lock().unwrap();
        if seen.refuses {
            return Err(ExportError::Failed("closed".to_owned()));
        }
        seen.events.push(event.title.clone());
        Ok(Delivered { points: 1, ..Delivered::default() })
    }

    fn wants_samples(&self) -> bool {
        true
    }

    fn samples(&mut self, samples: Samples<'_>, _: Instant) -> Result<Delivered, ExportError> {
        let named = samples.iter().map(|(metric, sample)| (metric.name.clone(), sample.duration_ns));
        self.0.lock().unwrap().samples.extend(named);
        Ok(Delivered { points: samples.len() as u64, ..Delivered::default() })
    }
}

#[test]
fn an_exporter_learns_first_of_all_who_it_speaks_for() {
    let (registry, witness) = (Registry::new("test"), Witness::default());
    registry.resource("host.name", "h");
    let reporting = Reporter::every(TICK).export(witness.clone()).start(&registry);
    reporting.event(&Event::new("start", 1));
    wait_for(&reporting, |lanes| lanes[0].events == 1 && lanes[0].sent > 0);
    let expected = [Label::new("service.name", "test"), Label::new("host.name", "h")];
    assert_eq!(witness.0.lock().unwrap().resource.as_deref(), Some(&expected[..]));
}

#[test]
fn a_panic_about_that_ends_the_lane_and_is_reported() {
    let registry = Registry::new("test");
    registry.resource("hostile", "");
    let reporting = Reporter::every(TICK).export(Witness::default()).start(&registry);
    reporting.event(&Event::new("start", 1));
    let report = reporting.stop(SOON);
    assert_eq!((report.lanes[0].sent, report.lanes[0].events_lost), (0, 1));
    assert_eq!(report.into_result(), Err(Error::Undelivered("witness: panicked: no such home".to_owned())));
}

#[test]
fn an_event_that_is_refused_is_told_when_a_snapshot_gets_through() {
    let (registry, witness) = (Registry::new("test"), Witness::default());
    witness.0.lock().unwrap().refuses = true;
    let reporting = Reporter::every(TICK).export(witness.clone()).start(&registry);
    for number in 0..3 {
        reporting.event(&Event::new("stage", 1).title(format!("stage {number}")));
    }
    wait_for(&reporting, |lanes| lanes[0].failed >= 2);
    assert_eq!(witness.0.lock().unwrap().events.len(), 0);
    witness.0.lock().unwrap().refuses = false;
    let lanes = wait_for(&reporting, |lanes| lanes[0].events == 3);
    assert_eq!(lanes[0].events_lost, 0);
    reporting.event(&Event::new("stop", 2).title("stop"));
    let report = reporting.stop(SOON);
    assert_eq!((report.lanes[0].events, report.lanes[0].complete), (4, true));
    assert_eq!(witness.0.lock().unwrap().events, ["stage 0", "stage 1", "stage 2", "stop"]);
}

#[test]
fn events_that_too_many_wait_before_or_that_nobody_takes_are_counted() {
    let (registry, witness) = (Registry::new("test"), Witness::default());
    witness.0.lock().unwrap().refuses = true;
    let reporting = Reporter::every(TICK).export(witness.clone()).start(&registry);
    for _ in 0..1000 {
        reporting.event(&Event::new("noise", 1));
    }
    let report = reporting.stop(SOON);
    assert_eq!((report.lanes[0].events, report.lanes[0].events_lost), (0, 1000));
}

#[test]
fn samples_reach_who_wants_them_or_are_counted_as_lost() {
    let (registry, witness) = (Registry::new("test"), Witness::default());
    registry.keep_samples(64);
    let series = registry.sample_series(Metric::new("request").label("step", "a"));
    let reporting = Reporter::every(TICK)
        .export(witness.clone())
        .export(scripted("other", |_| delivered()))
        .start(&registry);
    let total = 5000;
    let mut shard = registry.shard();
    for number in 0..total {
        shard.sample(Sample {
            series,
            start_unix_ns: 1,
            duration_ns: number,
            bytes: 0,
            counted: true,
            trace: None,
        });
    }
    drop(shard);
    let report = reporting.stop(SOON);
    let [with, without] = &report.lanes[..] else { panic!("two lanes") };
    let seen = witness.0.lock().unwrap();
    assert_eq!(with.samples + with.samples_lost, total);
    assert_eq!(seen.samples.len() as u64, with.samples);
    assert!(seen.samples.is_sorted() && seen.samples.last() == Some(&("request".to_owned(), total - 1)));
    assert_eq!((without.samples, without.samples_lost), (0, 0));
}

#[test]
fn what_is_observed_is_in_the_snapshot_and_a_panic_costs_the_observer_alone() {
    let (registry, witness) = (Registry::new("test"), Witness::default());
    let (level, mut shard) = (registry.gauge(Metric::new("level")), registry.shard());
    let mut calls = 0;
    let reporting = Reporter::every(TICK)
        .observe(move || {
            calls += 1;
            shard.set(level, f64::from(calls));
        })
        .observe(|| panic!("no such file"))
        .export(witness.clone())
        .start(&registry);
    wait_for(&reporting, |lanes| lanes[0].sent >= 2);
    assert!(reporting.stop(SOON).lanes[0].complete);
    assert_eq!(witness.0.lock().unwrap().gauges[..2], [Some(1.0), Some(2.0)]);
}

//! What happens in the course of a run, as events: what the plan says will happen, and what turns out to.
//!
//! | event | when | labels of its own |
//! |---|---|---|
//! | `test.start` | the load begins | |
//! | `spawn.complete` | the load is at its highest for the first time: the ramp-up is complete | |
//! | `stage.change` | one stage of the plan ends and the next begins | `load_test.stage` |
//! | `threshold.breached` | a threshold does not hold, once until it holds again | `load_test.threshold` |
//! | `cpu.warning` | the processors are too busy for the figures to be trusted, once until they are not | |
//! | `test.stop` | the load has ended | `load_test.status` |
//!
//! Every event has the labels `load_test.test_run_id` and `load_test.test_type` besides.

mod meter;

use std::time::Duration;

use barewire::{Event, Label, Level};

pub use self::meter::LifecycleMeter;
use crate::{
    name,
    pace::{Piece, RATE_SCALE},
    plan::{Load, Measured, Threshold, Verdict, Workload},
    system::CpuUse,
};

/// From here on the processors are too busy: load generators warn at this part of them, Locust for one.
const BUSY: f64 = 0.9;

/// A burst is no reason to warn: it has to last for this long.
const SUSTAINED: Duration = Duration::from_secs(5);

/// What happens in a run, told when it does. Time comes in as an argument, counted from the start of the run.
///
/// ```
/// use barewire_runner::{Lifecycle, Phase, Plan, Status};
/// use std::time::Duration;
///
/// let spec = r#"{"target": "http://h", "users": 5, "ramp_up": "10s", "duration": "1m"}"#;
/// let mut lifecycle = Lifecycle::new(&Plan::from_json(spec)?.check()?, "run-1", 1_700_000_000_000_000_000);
/// assert_eq!(lifecycle.begin().name, "test.start");
/// assert_eq!(lifecycle.phase(Duration::from_secs(9)), Phase::RampUp);
/// let events = lifecycle.advance(Duration::from_secs(11));
/// let names: Vec<&str> = events.iter().map(|event| &*event.name).collect();
/// assert_eq!(names, ["spawn.complete", "stage.change"]);
/// assert_eq!(events[0].time_unix_ns, 1_700_000_010_000_000_000);
/// assert_eq!(lifecycle.end(Duration::from_secs(70), Status::Passed).title, "Load test passed");
/// # Ok::<(), barewire_runner::PlanError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Lifecycle {
    start_unix_ns: u64,
    labels: [Label; 2],
    /// What the first event says of the run.
    what: String,
    unit: LoadUnit,
    stages: Vec<Piece>,
    /// Whether the last stage ends with its time.
    is_timed: bool,
    /// What the plan says will happen, in its order.
    schedule: Vec<(u64, Due)>,
    told: usize,
    /// Whether each threshold was seen to be breached.
    breached: Vec<bool>,
    /// Since when the processors are too busy.
    busy_since: Option<Duration>,
    has_warned: bool,
    /// The text of the first warning that they are.
    cpu_warning: Option<String>,
    ended: Option<(Duration, Status)>,
}

/// The present part of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The load rises.
    RampUp,
    /// The load stays.
    Steady,
    /// The load falls.
    RampDown,
    /// The load has ended.
    Done,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Every threshold held.
    Passed,
    /// A threshold did not.
    Failed,
    /// It was ended before its time.
    Aborted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Full,
    /// The stage of this number, from 0, begins.
    Stage(usize),
}

/// What the level of a load is counted in.
#[derive(Debug, Clone, Copy)]
enum LoadUnit {
    Users,
    Rate,
}

impl Lifecycle {
    /// That of a run of `workload` which is called `run_id` and began at `start_unix_ns`, nanoseconds since the Unix
    /// epoch.
    pub fn new(workload: &Workload, run_id: &str, start_unix_ns: u64) -> Self {
        let curve = workload.load.curve();
        let stages = curve.pieces();
        let boundaries = stages.iter().enumerate().skip(1);
        let mut schedule: Vec<(u64, Due)> =
            boundaries.map(|(at, stage)| (stage.start_ns, Due::Stage(at))).collect();
        if let Some(full_ns) = full_ns(stages, curve.peak()) {
            // What is full at the end of a stage is so before the next one begins.
            let at = schedule.partition_point(|(boundary_ns, _)| *boundary_ns < full_ns);
            schedule.insert(at, (full_ns, Due::Full));
        }
        Lifecycle {
            start_unix_ns,
            labels: [Label::new(name::RUN_ID, run_id), Label::new(name::TEST_TYPE, workload.kind().name())],
            what: format!(
                "{}: {} with {} connections on {} threads.",
                workload.name(),
                workload.target(),
                workload.connections(),
                workload.threads()
            ),
            unit: match workload.load {
                Load::Closed(_) => LoadUnit::Users,
                Load::Open(_) => LoadUnit::Rate,
            },
            stages: stages.to_vec(),
            is_timed: workload.duration().is_some(),
            schedule,
            told: 0,
            breached: vec![false; workload.thresholds().len()],
            busy_since: None,
            has_warned: false,
            cpu_warning: None,
            ended: None,
        }
    }

    /// When the run began, in nanoseconds since the Unix epoch.
    pub fn start_unix_ns(&self) -> u64 {
        self.start_unix_ns
    }

    /// How long it lasted, once it has ended.
    pub fn ended(&self) -> Option<Duration> {
        self.ended.map(|(elapsed, _)| elapsed)
    }

    /// The verdict on the run, once it has ended.
    pub fn status(&self) -> Option<Status> {
        self.ended.map(|(_, status)| status)
    }

    /// `test.start`.
    pub fn begin(&self) -> Event {
        self.event(name::TEST_START, Duration::ZERO).title("Load test started").text(self.what.as_str())
    }

    /// What of the plan has happened since the last time: `spawn.complete` and `stage.change`, each with the time that
    /// the plan gives.
    pub fn advance(&mut self, elapsed: Duration) -> Vec<Event> {
        let due = self.schedule[self.told..].iter().take_while(|(at_ns, _)| nanos(elapsed) >= *at_ns);
        let events: Vec<Event> = due.map(|&(at_ns, due)| self.scheduled(at_ns, due)).collect();
        self.told += events.len();
        events
    }

    /// The thresholds that do not hold any more, by their verdicts in the order of the plan. One that says nothing, as
    /// nothing was measured, changes nothing.
    pub fn judge(&mut self, elapsed: Duration, verdicts: &[(&Threshold, Verdict)]) -> Vec<Event> {
        let mut events = Vec::new();
        for (at, (threshold, verdict)) in verdicts.iter().enumerate() {
            let Some(was_breached) =
                self.breached.get_mut(at).filter(|_| verdict.measured != Measured::Nothing)
            else {
                continue;
            };
            if !std::mem::replace(was_breached, !verdict.ok) && !verdict.ok {
                let event = self
                    .event(name::THRESHOLD_BREACHED, elapsed)
                    .title(format!("Threshold breached: {threshold}"))
                    .text(so_far(threshold, verdict.measured))
                    .level(Level::Warning)
                    .label(name::THRESHOLD, threshold.to_string());
                events.push(event);
            }
        }
        events
    }

    /// `cpu.warning`, if this process or the whole system has been too busy for some seconds.
    pub fn watch(&mut self, elapsed: Duration, cpu: CpuUse) -> Option<Event> {
        let is_busy = |part: Option<f64>| part.is_some_and(|part| part >= BUSY);
        if !is_busy(cpu.process) && !is_busy(cpu.system) {
            (self.busy_since, self.has_warned) = (None, false);
            return None;
        }
        let since = *self.busy_since.get_or_insert(elapsed);
        if self.has_warned || elapsed.saturating_sub(since) < SUSTAINED {
            return None;
        }
        self.has_warned = true;
        let percent =
            |part: Option<f64>| part.map_or_else(|| "-".to_owned(), |part| format!("{:.0} %", part * 100.0));
        let text = format!(
            "This process uses {} of the processors, all together use {}: latencies may be those of the load \
             generator.",
            percent(cpu.process),
            percent(cpu.system)
        );
        let title = format!("CPU usage above {}", percent(Some(BUSY)));
        self.cpu_warning.get_or_insert_with(|| format!("{title}. {text}"));
        Some(self.event(name::CPU_WARNING, elapsed).title(title).text(text).level(Level::Warning))
    }

    /// The first `cpu.warning` of the run, in a line.
    pub fn cpu_warning(&self) -> Option<&str> {
        self.cpu_warning.as_deref()
    }

    /// `test.stop`. From then on the run is done.
    pub fn end(&mut self, elapsed: Duration, status: Status) -> Event {
        self.ended = Some((elapsed, status));
        self.event(name::TEST_STOP, elapsed)
            .title(format!("Load test {}", status.name()))
            .text(format!("After {:.3} s.", elapsed.as_secs_f64()))
            .level(match status {
                Status::Passed => Level::Success,
                Status::Failed => Level::Error,
                Status::Aborted => Level::Warning,
            })
            .label(name::STATUS, status.name())
    }

    /// The present part of the run: what the load of the plan does. Behind its end, as long as not all is over, it is
    /// the last one.
    pub fn phase(&self, elapsed: Duration) -> Phase {
        if self.ended.is_some() {
            return Phase::Done;
        }
        let present = self.stages.iter().take_while(|stage| stage.start_ns <= nanos(elapsed)).last();
        match present {
            Some(stage) if stage.to > stage.from => Phase::RampUp,
            Some(stage) if stage.to < stage.from => Phase::RampDown,
            _ => Phase::Steady,
        }
    }

    fn scheduled(&self, at_ns: u64, due: Due) -> Event {
        let at = Duration::from_nanos(at_ns);
        match due {
            Due::Full => {
                let level = self.unit.show(self.stages.iter().map(|stage| stage.from.max(stage.to)).max());
                self.event(name::SPAWN_COMPLETE, at)
                    .title("Ramp-up complete")
                    .text(format!("{level} {}.", self.unit.name()))
            }
            Due::Stage(index) => {
                #[allow(clippy::cast_possible_wrap, reason = "there are a hundred at most")]
                let number = index as i64 + 1;
                self.event(name::STAGE_CHANGE, at)
                    .title(format!("Stage {number} of {}", self.stages.len()))
                    .text(self.course(index))
                    .label(name::STAGE, number)
            }
        }
    }

    /// What the load does in a stage.
    fn course(&self, index: usize) -> String {
        let stage = &self.stages[index];
        let unit = self.unit.name();
        let [from, to] = [stage.from, stage.to].map(|level| self.unit.show(Some(level)));
        let len = Duration::from_nanos(stage.len_ns);
        if stage.from != stage.to {
            format!("From {from} to {to} {unit} in {len:?}.")
        } else if self.is_timed || index + 1 < self.stages.len() {
            format!("{to} {unit} for {len:?}.")
        } else {
            format!("{to} {unit} to the end.")
        }
    }

    fn event(&self, name: &'static str, at: Duration) -> Event {
        let mut event = Event::new(name, self.start_unix_ns.saturating_add(nanos(at)));
        event.labels.extend_from_slice(&self.labels);
        event
    }
}

impl Phase {
    /// All of them, in their order.
    pub const ALL: [Phase; 4] = [Phase::RampUp, Phase::Steady, Phase::RampDown, Phase::Done];

    /// The value of the label `phase`.
    pub fn name(self) -> &'static str {
        match self {
            Phase::RampUp => "ramp_up",
            Phase::Steady => "steady",
            Phase::RampDown => "ramp_down",
            Phase::Done => "done",
        }
    }
}

impl Status {
    /// All of them.
    pub const ALL: [Status; 3] = [Status::Passed, Status::Failed, Status::Aborted];

    /// `passed`, `failed` or `aborted`.
    pub fn name(self) -> &'static str {
        match self {
            Status::Passed => "passed",
            Status::Failed => "failed",
            Status::Aborted => "aborted",
        }
    }
}

impl LoadUnit {
    fn name(self) -> &'static str {
        match self {
            LoadUnit::Users => "users",
            LoadUnit::Rate => "arrivals per second",
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "levels are far below that")]
    fn show(self, level: Option<u64>) -> f64 {
        let level = level.unwrap_or(0) as f64;
        match self {
            LoadUnit::Users => level,
            LoadUnit::Rate => level / RATE_SCALE,
        }
    }
}

fn so_far(threshold: &Threshold, measured: Measured) -> String {
    match measured {
        Measured::Value(value) => format!("It is at {value:.3} {} so far.", threshold.unit()),
        _ => format!("So far, it {}.", threshold.tell(measured)),
    }
}

/// When the load is at its highest for the first time.
fn full_ns(stages: &[Piece], peak: u64) -> Option<u64> {
    stages.iter().find_map(|stage| match peak {
        _ if stage.from == peak => Some(stage.start_ns),
        _ if stage.to == peak => Some(stage.end_ns()),
        _ => None,
    })
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;

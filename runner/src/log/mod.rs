//! A log of the run for programs: one JSON document a line, in Locust Telemetry's shape.
//!
//! ```text
//! {"time":"2026-01-01T00:00:01.000Z","level":"INFO","name":"barewire","message":"…","telemetry":{
//!   "telemetry_type":"event","telemetry_name":"locust.tl.event.test.start","run_id":"…","testplan":"…",…}}
//!   "telemetry_type":"metrics","telemetry_name":"locust.tl.request.metric.stats",…,"stats_type":"current",…
//!   "telemetry_type":"metrics","telemetry_name":"locust.tl.system.metric.cpu",…,"value":12.5,"unit":"%"
//! ```
//!
//! Records of the type `current` describe the last window where they tell of latencies, and the run where they count;
//! those of the types `endpoint` and `final`, which come once, the run. Times are in milliseconds.

mod record;
mod table;

use std::{
    fmt,
    io::Write,
    sync::Arc,
    time::{Duration, Instant},
};

use barewire::{
    Delivered, Event, ExportError, Exporter, Metric, Reading, Snapshot, view::View, wire::lines::Lines,
};

use crate::{name, profile::locust_telemetry};
use record::Records;

/// Writes what happens in a run, and its figures every tick, as JSON lines.
///
/// The last figures are written when a `load_test.verdict` is 1, for by then everything has to be counted.
///
/// ```
/// use barewire::{Event, Exporter};
/// use barewire_runner::{JsonLog, Origin};
/// use std::time::Instant;
///
/// let mut log = JsonLog::new("standard output", std::io::stdout(), &Origin::new("r1", "shop"));
/// log.event(&Event::new("test.start", 1_700_000_000_000_000_000), Instant::now())?;
/// # Ok::<(), barewire::ExportError>(())
/// ```
pub struct JsonLog {
    destination: String,
    lines: Lines<Box<dyn Write + Send>>,
    records: Records,
    current: View,
    levels: View,
    delivered: Option<Arc<Snapshot>>,
    /// Whether the figures of the whole run were written.
    is_final: bool,
}

/// What every line says of where it comes from. Untrusted text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Which run it is.
    pub run_id: String,
    /// What the run is of.
    pub testplan: String,
    /// What kind of program speaks.
    pub source: String,
    /// Which of the programs that make up the run.
    pub source_id: String,
}

impl Origin {
    /// A run of `testplan` by one barewire.
    pub fn new(run_id: impl Into<String>, testplan: impl Into<String>) -> Self {
        Origin {
            run_id: run_id.into(),
            testplan: testplan.into(),
            source: "barewire".to_owned(),
            source_id: locust_telemetry::SOURCE_ID.to_owned(),
        }
    }
}

impl JsonLog {
    /// Writes to `out`, which errors call `destination`.
    pub fn new(destination: impl Into<String>, out: impl Write + Send + 'static, origin: &Origin) -> Self {
        JsonLog {
            destination: destination.into(),
            lines: Lines::new(Box::new(out)),
            records: Records::new(origin),
            current: table::current(),
            levels: table::levels(),
            delivered: None,
            is_final: false,
        }
    }

    /// What there is to say at `snapshot`. Returns whether that is the last of it.
    fn fill(&mut self, snapshot: &Snapshot) -> bool {
        let (at, earlier) = (snapshot.unix_ns(), self.delivered.as_deref());
        self.records.clear();
        let is_over = is_over(snapshot);
        if !is_over {
            self.records.push_stats(at, "current", &self.current.show(snapshot, earlier).points);
        } else if !self.is_final {
            self.records.push_each_stats(at, "endpoint", table::endpoints().show(snapshot, earlier));
            self.records.push_stats(at, "final", &table::whole().show(snapshot, earlier).points);
        }
        self.records.push_levels(at, self.levels.show(snapshot, earlier));
        is_over
    }

    fn write(&mut self, encode: Duration) -> Result<Delivered, ExportError> {
        let text = self.records.text();
        self.lines
            .write(text)
            .map_err(|error| ExportError::Failed(format!("cannot write to {}: {error}", self.destination)))?;
        let Records { points, left_out, .. } = self.records;
        Ok(Delivered { points, left_out, bytes: text.len() as u64, encode, ..Delivered::default() })
    }
}

/// Whether everything has been counted.
fn is_over(snapshot: &Snapshot) -> bool {
    let is_given = |(metric, reading): (&Arc<Metric>, Reading<'_>)| {
        metric.name == name::VERDICT && matches!(reading, Reading::Gauge(Some(verdict)) if verdict > 0.0)
    };
    snapshot.readings().any(is_given)
}

impl Exporter for JsonLog {
    fn name(&self) -> &str {
        "log"
    }

    fn export(&mut self, snapshot: &Arc<Snapshot>, _deadline: Instant) -> Result<Delivered, ExportError> {
        let begun = Instant::now();
        let is_over = self.fill(snapshot);
        let delivered = self.write(begun.elapsed())?;
        self.is_final |= is_over;
        self.delivered = Some(Arc::clone(snapshot));
        Ok(delivered)
    }

    fn event(&mut self, event: &Event, _deadline: Instant) -> Result<Delivered, ExportError> {
        let begun = Instant::now();
        self.records.clear();
        self.records.push_event(event);
        self.write(begun.elapsed())
    }
}

impl fmt::Debug for JsonLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JsonLog({})", self.destination)
    }
}

#[cfg(test)]
mod tests;

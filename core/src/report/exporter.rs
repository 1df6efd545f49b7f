//! The one trait that a way out of the process implements.

use std::{
    error::Error,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use super::event::Event;
use crate::record::{metric::Label, sample::Samples, snapshot::Snapshot};

/// A way out of the process. Each exporter has a thread of its own, its *lane*, and may block it.
pub trait Exporter: Send {
    /// What reports and self-metrics call it, such as `otlp`.
    fn name(&self) -> &str;

    /// Learns who produces what it is going to carry, before anything else; from then on the snapshots tell.
    ///
    /// For formats in which an event or a sample says where it comes from.
    fn begin(&mut self, resource: &Arc<[Label]>) {
        let _ = resource;
    }

    /// Delivers what was true at `snapshot`, and returns before `deadline`.
    ///
    /// The snapshot is cumulative: whatever an earlier call failed to deliver is in it. An exporter of an
    /// interval format subtracts the snapshot that it delivered last.
    ///
    /// # Errors
    /// [`ExportError`] when the receiver did not take it. The lane counts it and calls again at the next tick.
    fn export(&mut self, snapshot: &Arc<Snapshot>, deadline: Instant) -> Result<Delivered, ExportError>;

    /// Tells of something that happened, and returns before `deadline`. What is delivered is 1 point, or none where
    /// the format has no events, which is what happens unless this is written.
    ///
    /// # Errors
    /// As for [`Exporter::export`]. The lane keeps the event, and tells of it again when a snapshot gets through.
    fn event(&mut self, event: &Event, deadline: Instant) -> Result<Delivered, ExportError> {
        let _ = (event, deadline);
        Ok(Delivered::default())
    }

    /// Whether [`Exporter::samples`] is to be called; asked once, at the start.
    fn wants_samples(&self) -> bool {
        false
    }

    /// Delivers single observations, some milliseconds after they were made, and returns before `deadline`. They are
    /// given once. What is delivered is counted in samples: as a point if all that the format says of it was handed
    /// to the transport, as left out otherwise.
    ///
    /// # Errors
    /// As for [`Exporter::export`], when none of them was delivered. They are counted as lost.
    fn samples(&mut self, samples: Samples<'_>, deadline: Instant) -> Result<Delivered, ExportError> {
        let _ = deadline;
        Ok(Delivered { left_out: samples.len() as u64, ..Delivered::default() })
    }
}

/// What one successful export carried.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delivered {
    /// Points that the receiver accepted.
    pub points: u64,
    /// Points that the receiver said it rejected.
    pub rejected: u64,
    /// Points that the format could not carry.
    pub left_out: u64,
    /// Bytes handed to the transport.
    pub bytes: u64,
    /// Fetches since the export before, of an exporter that waits to be asked; `None` of one that sends.
    pub scrapes: Option<u64>,
    /// One line that the receiver said, why it rejected points or a warning, or that the exporter has to say itself. The
    /// reporter tells of each once.
    pub message: Option<String>,
    /// How long the encoding took, of the whole export.
    pub encode: Duration,
}

/// Why an export was not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExportError {
    /// The deadline passed first.
    TimedOut(String),
    /// The receiver asked for a pause that is not over; nothing was sent.
    Throttled,
    /// Anything else; the text says what, and names the receiver.
    Failed(String),
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExportError::TimedOut(what) => write!(f, "timed out: {what}"),
            ExportError::Throttled => f.write_str("the receiver asked for a pause"),
            ExportError::Failed(why) => f.write_str(why),
        }
    }
}

impl Error for ExportError {}

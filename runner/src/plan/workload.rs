//! A plan that was checked: everything as the workers need it.

use std::{fmt, sync::Arc, time::Duration};

use barewire::wire::http::Url;

use super::{Kind, Threshold};
use crate::pace::{Curve, RATE_SCALE};

/// A plan that can be run: [`Plan::check`](super::Plan::check) makes it.
#[derive(Debug, Clone)]
pub struct Workload {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) target: Url,
    pub(crate) steps: Box<[Step]>,
    pub(crate) load: Load,
    /// Of each user; `u64::MAX` when the time says when to end.
    pub(crate) iterations: u64,
    pub(crate) connections: usize,
    pub(crate) threads: usize,
    pub(crate) timeout_ns: u64,
    /// The time after the end for what was begun and what was due.
    pub(crate) drain_ns: u64,
    pub(crate) thresholds: Vec<Threshold>,
    pub(crate) max_dropped: Option<f64>,
}

/// Who starts an iteration, and when.
#[derive(Debug, Clone)]
pub(crate) enum Load {
    /// So many users, each as soon as it is done with the last one.
    Closed(Arc<Curve>),
    /// Arrivals, when they are due.
    Open(Arc<Curve>),
}

/// One request, ready to be sent. Headers and body may be secrets, and are not in `Debug`.
#[derive(Clone)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) method: String,
    /// Head and body as they are sent.
    pub(crate) bytes: Box<[u8]>,
    pub(crate) body_len: u64,
    /// Where in `bytes` one more header goes; nowhere where the plan has a `traceparent` of its own.
    pub(crate) trace_at: Option<usize>,
    pub(crate) url: Url,
    /// Sorted; any of 200 to 399 when empty.
    pub(crate) expect_status: Box<[u16]>,
    pub(crate) think_ns: (u64, u64),
    /// The request may be sent twice: what it asks for is the same (RFC 9110, section 9.2.2).
    pub(crate) is_idempotent: bool,
    /// `Connection` says `close`: the connection ends with the response, whatever the peer says.
    pub(crate) closes: bool,
}

impl Workload {
    /// What the run is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The type of test.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The base URL.
    pub fn target(&self) -> &Url {
        &self.target
    }

    /// The names of the steps, in their order.
    pub fn steps(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().map(|step| step.name.as_str())
    }

    /// Whether arrivals come at a rate, and response times are measured.
    pub fn is_open(&self) -> bool {
        matches!(self.load, Load::Open(_))
    }

    /// How long the load lasts, ramps and all; `None` when iterations say when to end.
    pub fn duration(&self) -> Option<Duration> {
        (self.iterations == u64::MAX).then(|| Duration::from_nanos(self.load.curve().end_ns()))
    }

    /// How long the drain after that may take.
    pub fn drain(&self) -> Duration {
        Duration::from_nanos(self.drain_ns)
    }

    /// How many iterations will be started; `None` when that depends on the target.
    pub fn scheduled(&self) -> Option<u64> {
        match &self.load {
            Load::Open(rate) => Some(rate.arrivals()),
            Load::Closed(users) => self.iterations.checked_mul(users.peak()),
        }
    }

    /// Arrivals a second at the highest point of the load; `None` under the closed model.
    #[allow(clippy::cast_precision_loss, reason = "few digits are shown")]
    pub fn peak_rate(&self) -> Option<f64> {
        self.is_open().then(|| self.load.curve().peak() as f64 / RATE_SCALE)
    }

    /// Arrivals that are due before `elapsed`; none under the closed model.
    pub fn arrivals_before(&self, elapsed: Duration) -> u64 {
        let at_ns = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        if self.is_open() { self.load.curve().arrivals_before(at_ns) } else { 0 }
    }

    /// How many connections there are at most.
    pub fn connections(&self) -> usize {
        self.connections
    }

    /// How many worker threads there are.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// The share of the scheduled arrivals that may be dropped, 0 to 100; `None` where nothing is judged by it.
    pub fn max_dropped_percent(&self) -> Option<f64> {
        self.max_dropped
    }

    /// What must hold of the whole run.
    pub fn thresholds(&self) -> &[Threshold] {
        &self.thresholds
    }
}

impl Load {
    pub(crate) fn curve(&self) -> &Arc<Curve> {
        match self {
            Load::Closed(curve) | Load::Open(curve) => curve,
        }
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Step")
            .field("name", &self.name)
            .field("method", &self.method)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl Step {
    /// Whether the response is to be read as one that has no body.
    pub(crate) fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    pub(crate) fn expects(&self, status: u16) -> bool {
        if self.expect_status.is_empty() {
            (200..400).contains(&status)
        } else {
            self.expect_status.contains(&status)
        }
    }
}

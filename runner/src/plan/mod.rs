//! What to run, as data: from a JSON spec or from flags, checked as a whole before anything is sent.
//!
//! ```text
//! JSON ──from_json──▶ Plan ──check──▶ Workload ──▶ Run
//! flags ──fields────▶
//! ```

mod check;
mod error;
mod percent;
mod serde_think;
mod span;
mod threshold;
mod words;
mod workload;

use std::{collections::BTreeMap, fmt, time::Duration};

use barewire::wire::http::Url;
use serde::Deserialize;

pub(crate) use self::workload::{Load, Step as WorkStep};
pub use self::{
    error::PlanError,
    percent::Percent,
    span::parse_duration,
    threshold::{Measured, Threshold, Verdict},
    words::{is_slip, plain},
    workload::Workload,
};

/// How many connections there are when nothing is said.
pub const DEFAULT_CONNECTIONS: u32 = 64;
/// How long a run lasts when nothing is said.
pub const DEFAULT_DURATION: Duration = Duration::from_secs(10);
/// Arrivals in a hundred that a run with thresholds may drop when nothing is said: beyond, the load was not applied.
pub const DEFAULT_MAX_DROPPED_PERCENT: f64 = 1.0;
/// How long a request may take when nothing is said.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// What to run. Fields that are left out take the defaults of the [`Kind`], or those of the crate.
///
/// The load is closed when it is given in `users` (each waits for its response before it goes on), and open when it
/// is given as a `rate` (arrivals come when they are due, whatever the target does).
///
/// ```
/// use barewire_runner::Plan;
///
/// let plan = Plan::from_json(
///     r#"{
///         "name": "checkout", "target": "http://127.0.0.1:8080", "rate": 500, "duration": "1m",
///         "steps": [
///             {"name": "browse", "url": "/items"},
///             {"name": "buy", "method": "POST", "url": "/orders", "body": "{}", "expect_status": [201]}
///         ],
///         "thresholds": ["p95 < 500ms", "error_rate <= 1%"]
///     }"#,
/// )?;
/// assert_eq!(plan.check()?.scheduled(), Some(30_000));
///
/// let refused = Plan::from_json(r#"{"target": "http://h", "step": []}"#).unwrap_err();
/// assert!(refused.to_string().starts_with("step: there is no field 'step': write 'steps'"));
/// # Ok::<(), barewire_runner::PlanError>(())
/// ```
///
/// `Debug` leaves out what may be a secret: the query of the target, values of headers, and bodies.
#[derive(Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Plan {
    /// What the run is called in reports; the host of the target unless given.
    pub name: Option<String>,
    /// The type of test, which the defaults follow.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The base URL.
    pub target: String,
    /// The requests of an iteration, in their order; one GET of the target when there are none.
    pub steps: Vec<Step>,
    /// Virtual users, each with a connection of its own. With `stages` of users: where the first one begins.
    pub users: Option<u32>,
    /// Arrivals per second, each the start of an iteration, and so a request for each step; not beside `users`. With `stages` of rates: where the first one begins.
    pub rate: Option<f64>,
    /// The connections that serve the arrivals of a rate; of a closed load, another word for `users`.
    pub connections: Option<u32>,
    /// Worker threads; one a core unless given.
    pub threads: Option<u32>,
    /// How long the full load lasts, between the ramps.
    #[serde(deserialize_with = "span::deserialize_some")]
    pub duration: Option<Duration>,
    /// Iterations per user, of a closed load, instead of a duration.
    pub iterations: Option<u64>,
    /// How long the load takes from nothing to full, before `duration` begins.
    #[serde(deserialize_with = "span::deserialize_some")]
    pub ramp_up: Option<Duration>,
    /// How long it takes back to nothing, after `duration`.
    #[serde(deserialize_with = "span::deserialize_some")]
    pub ramp_down: Option<Duration>,
    /// The course of the load, instead of `duration` and ramps.
    pub stages: Vec<Stage>,
    /// The pause after each step that has none of its own. Under a rate there is none after the last step.
    pub think_time: Option<ThinkTime>,
    /// How long a request may take, and a connection to be made; [`DEFAULT_TIMEOUT`] unless given.
    #[serde(deserialize_with = "span::deserialize_some")]
    pub timeout: Option<Duration>,
    /// How long after the end of the load requests in flight are waited for and, under a rate, arrivals that were due
    /// are sent; the `timeout` unless given.
    #[serde(deserialize_with = "span::deserialize_some")]
    pub drain: Option<Duration>,
    /// What must hold of the whole run.
    pub thresholds: Vec<Threshold>,
    /// The share of the scheduled arrivals that may be dropped; unless given, [`DEFAULT_MAX_DROPPED_PERCENT`] where there
    /// are thresholds, none of them for `dropped`.
    pub max_dropped: Option<Percent>,
}

/// One request of an iteration. `Debug` leaves out its query, values of headers, and the body.
#[derive(Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Step {
    /// What it is called in reports; method and path unless given.
    pub name: Option<String>,
    /// GET unless given, or POST when there is a body.
    pub method: Option<String>,
    /// Behind the path of the target, or absolute with the target's origin.
    pub url: String,
    /// Header fields to send.
    pub headers: BTreeMap<String, String>,
    /// The request's body.
    pub body: Option<String>,
    /// The status codes that are a success; any of 200 to 399 when empty.
    pub expect_status: Vec<u16>,
    /// The pause after this step.
    pub think_time: Option<ThinkTime>,
}

/// A straight line of the load's course: from where the one before ended to `users` or `rate`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// How long it takes; a stage without length is a jump.
    #[serde(deserialize_with = "span::deserialize")]
    pub duration: Duration,
    /// The users at its end.
    #[serde(default)]
    pub users: Option<u32>,
    /// The arrivals per second at its end.
    #[serde(default)]
    pub rate: Option<f64>,
}

/// A pause between two requests: evenly spread from `min` to `max`.
///
/// In JSON, one duration or `{"min": "1s", "max": "5s"}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThinkTime {
    /// The shortest pause.
    pub min: Duration,
    /// The longest pause.
    pub max: Duration,
}

/// The type of a test. Each but `custom` has its own users, ramps, duration and think time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The load of an ordinary day.
    Load,
    /// More than the target is made for.
    Stress,
    /// A sudden crowd.
    Spike,
    /// A moderate load for long.
    Soak,
    /// Whatever the plan says.
    #[default]
    Custom,
}

/// What a kind of test gives to fields that are left out.
#[derive(Debug, Clone, Copy)]
struct Defaults {
    users: u32,
    ramp_up: Duration,
    ramp_down: Duration,
    duration: Duration,
    think_time: ThinkTime,
}

impl Plan {
    /// One GET of `url`, over and over, by [`DEFAULT_CONNECTIONS`] users for [`DEFAULT_DURATION`].
    pub fn get(url: impl Into<String>) -> Self {
        Plan { target: url.into(), ..Plan::default() }
    }

    /// Reads a JSON spec.
    ///
    /// # Errors
    /// What is no JSON, a field that is not known, a value of the wrong type: the field by its path, and what
    /// would have been right. Whether the plan can be run says [`Plan::check`].
    pub fn from_json(text: &str) -> Result<Self, PlanError> {
        // A byte order mark is no part of a text, and some editors write one.
        let mut json = serde_json::Deserializer::from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
        let plan = serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let path = error.path().to_string();
            // These stand for the whole text.
            let field = if path == "." || path == "?" { String::new() } else { path };
            PlanError::new(field, plain(&error.into_inner().to_string()))
        })?;
        json.end().map_err(|error| PlanError::new("", plain(&error.to_string())))?;
        Ok(plan)
    }

    /// Checks everything and prepares the requests.
    ///
    /// # Errors
    /// The first field that cannot be run. Nothing has been sent by then, nor looked up.
    pub fn check(&self) -> Result<Workload, PlanError> {
        check::check(self)
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("target", &format_args!("{}", Url::redact(&self.target)))
            .field("steps", &self.steps)
            .field("thresholds", &self.thresholds)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Step")
            .field("name", &self.name)
            .field("method", &self.method)
            .field("url", &format_args!("{}", Url::redact(&self.url)))
            .field("headers", &self.headers.keys())
            .finish_non_exhaustive()
    }
}

impl Kind {
    /// As it is written in a spec.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Load => "load",
            Kind::Stress => "stress",
            Kind::Spike => "spike",
            Kind::Soak => "soak",
            Kind::Custom => "custom",
        }
    }

    /// Users, ramp up, ramp down and duration in seconds, think time in milliseconds.
    fn defaults(self) -> Defaults {
        match self {
            Kind::Load => Defaults::new(50, 30, 30, 60, (1000, 5000)),
            Kind::Stress => Defaults::new(200, 10, 10, 60, (500, 2000)),
            Kind::Spike => Defaults::new(300, 2, 2, 30, (500, 1000)),
            Kind::Soak => Defaults::new(30, 30, 30, 300, (2000, 5000)),
            Kind::Custom => Defaults::new(DEFAULT_CONNECTIONS, 0, 0, DEFAULT_DURATION.as_secs(), (0, 0)),
        }
    }
}

impl Defaults {
    fn new(users: u32, up_s: u64, down_s: u64, duration_s: u64, think_ms: (u64, u64)) -> Self {
        let think_time =
            ThinkTime { min: Duration::from_millis(think_ms.0), max: Duration::from_millis(think_ms.1) };
        let [ramp_up, ramp_down, duration] = [up_s, down_s, duration_s].map(Duration::from_secs);
        Defaults { users, ramp_up, ramp_down, duration, think_time }
    }
}

impl ThinkTime {
    /// Always the same pause.
    pub fn constant(pause: Duration) -> Self {
        ThinkTime { min: pause, max: pause }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let plan = Plan::from_json(
            r#"{"target": "http://h/?key=hunter2", "steps": [
                {"url": "/a?key=hunter2", "headers": {"X-Key": "hunter2"}, "body": "hunter2"}]}"#,
        )
        .unwrap();
        let steps = r#"[Step { name: None, method: None, url: '/a', headers: ["X-Key"], .. }]"#;
        let start = "Plan { name: None, kind: Custom, target: 'http://h/'";
        assert_eq!(format!("{plan:?}"), format!("{start}, steps: {steps}, thresholds: [], .. }}"));
        let workload = format!("{:?}", plan.check().unwrap());
        let bytes = format!("{:?}", b"hunter2");
        for secret in ["hunter2", bytes.trim_matches(['[', ']'])] {
            assert!(!workload.contains(secret), "{workload}");
        }
    }
}

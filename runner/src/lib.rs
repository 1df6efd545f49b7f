//! A thread-per-core HTTP load runner on barewire.
//!
//! A [`Plan`] says what to run; checked as a whole it becomes a [`Workload`]; a [`Run`] of it counts into a
//! [`Registry`](barewire::Registry), from which exporters and [`Figures`] read, live and at the end.
//!
//! In scope: HTTP/1.1 in the clear over kept connections, several steps an iteration, the closed model (users who
//! wait for their response) and the open one (arrivals that come when they are due). Out of scope: TLS, HTTP/2,
//! redirects, cookies. Linux only: the pace is kept by its nanosecond timers.
//!
//! ```text
//! Plan ──check──▶ Workload ──▶ Run ──┬─▶ worker: poll, connections, shard ─┐
//!                                    └─▶ worker: poll, connections, shard ─┴─▶ Registry ──▶ Snapshot ──▶ Figures
//! ```
//!
//! Connections to a loopback address ask for `reno`, the plainest congestion control, on both ends where the target is
//! ours: what some kernels have by default paces, which on loopback is work for nothing. Where it is refused, the
//! default stays.
//!
//! Under a rate every request has two latencies. *Service time* counts from when it was sent; it looks well for a
//! target that stalls, as nothing is sent meanwhile. *Response time* counts from when it was due, and tells what
//! someone who came at that moment had to wait. Nothing is made up to get there: all arrivals are sent, after the
//! end too, for as long as a request may take.

#![forbid(unsafe_code)]

mod backoff;
mod bottleneck;
mod clock;
mod conn;
mod deadline;
mod ending;
mod fault;
mod figures;
mod lag;
mod lifecycle;
mod log;
mod meter;
mod name;
mod outcome;
mod pace;
mod plan;
mod profile;
mod rng;
mod run;
mod sampling;
mod socket;
mod source;
mod system;
mod target;
mod trace;
mod worker;

pub use bottleneck::{Bottleneck, Capacity, Crowding, Occupancy};
pub use fault::{Reason, Reasons};
pub use figures::Figures;
pub use lifecycle::{Lifecycle, LifecycleMeter, Phase, Status};
pub use log::{JsonLog, Origin};
pub use outcome::Failure;
pub use plan::{
    DEFAULT_CONNECTIONS, DEFAULT_DURATION, DEFAULT_MAX_DROPPED_PERCENT, DEFAULT_TIMEOUT, Kind, Measured,
    Percent, Plan, PlanError, Stage, Step, ThinkTime, Threshold, Verdict, Workload, is_slip, parse_duration,
    plain,
};
pub use profile::{Names, Profile, Wire};
pub use run::{Drain, Run, RunError, Totals};
pub use sampling::Sampling;
pub use system::{CpuUse, SystemUsage};
pub use target::{Behaviour, Delay, Stall, Target};

//! A thread-per-core HTTP load runner on barewire.

#![forbid(unsafe_code)]

mod clock;
mod conn;
mod deadline;
mod figures;
mod meter;
mod name;
mod outcome;
mod pace;
mod plan;
mod rng;
mod run;
mod source;
mod target;
mod worker;

pub use figures::Figures;
pub use plan::{
    DEFAULT_CONNECTIONS, DEFAULT_DURATION, DEFAULT_TIMEOUT, Kind, Plan, PlanError, Stage, Step, ThinkTime,
    Threshold, Verdict, Workload, parse_duration,
};
pub use run::{Run, RunError, Totals};
pub use target::{Behaviour, Delay, Stall, Target};

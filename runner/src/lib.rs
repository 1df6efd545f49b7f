//! A thread-per-core HTTP load runner on barewire.

#![forbid(unsafe_code)]

mod clock;
mod figures;
mod name;
mod pace;
mod plan;
mod rng;
mod target;

pub use figures::Figures;
pub use plan::{
    DEFAULT_CONNECTIONS, DEFAULT_DURATION, DEFAULT_TIMEOUT, Kind, Plan, PlanError, Stage, Step, ThinkTime,
    Threshold, Verdict, Workload, parse_duration,
};
pub use target::{Behaviour, Delay, Stall, Target};

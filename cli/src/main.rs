//! The `barewire` command: drives HTTP load and streams its metrics.
//!
//! The composition root: it reads arguments, wires the runner to the exporters, shows the run live and reports it.
//! What is counted, sent and encoded is decided elsewhere.

#![forbid(unsafe_code)]

mod args;
mod behind;
mod bottleneck;
mod bounded;
mod console;
mod encode;
mod exporters;
mod failure;
mod format;
mod interrupt;
mod judge;
mod live;
mod outputs;
mod overrides;
mod report;
mod results;
mod run;
mod summary;
mod target;
mod watch;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Arguments, Command};

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Run(args) => run::run(&args),
        Command::Target(args) => target::run(&args),
        Command::Encode(args) => encode::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            console::eprint(&format!("barewire: {failure}\n"));
            failure.exit_code()
        }
    }
}

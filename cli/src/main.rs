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
mod flags;
mod format;
mod interrupt;
mod judge;
mod live;
mod outputs;
mod overrides;
mod report;
mod results;
mod run;
mod spec;
mod summary;
mod target;
mod watch;

use std::{env, process::ExitCode};

use clap::Parser as _;

use args::{Arguments, Command};
use failure::Failure;

fn main() -> ExitCode {
    let outcome = arguments().and_then(|arguments| match arguments.command {
        Command::Run(args) => run::run(&args),
        Command::Target(args) => target::run(&args),
        Command::Encode(args) => encode::run(&args),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            console::eprint(&format!("barewire: {failure}\n"));
            failure.exit_code()
        }
    }
}

/// Reads the command line. What the parser says itself, such as the help, it says and ends the process.
fn arguments() -> Result<Arguments, Failure> {
    Arguments::try_parse().or_else(|error| {
        let words: Vec<String> =
            env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
        flags::explain(&error, &words).map_or_else(|| error.exit(), |text| Err(Failure::Usage(text)))
    })
}

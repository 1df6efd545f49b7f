//! What ends the command early, and the exit code that tells a script so.

use std::{fmt, process::ExitCode};

use crate::interrupt::Signal;

/// Why the command did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// A threshold of the plan was not kept, or its load not applied. Exit code 1.
    Threshold(String),
    /// The user ended the run, which ended in order. Exit code 128 and the number of the signal, as shells have it.
    Signal(Signal),
    /// An argument, a file or a setting is wrong; nothing was sent. Exit code 2.
    Usage(String),
    /// The target could not be reached. Exit code 3.
    Unreachable(String),
    /// The system or the program itself failed in the middle of it. Exit code 70, as sysexits.h has it.
    Defect(String),
}

impl Failure {
    /// Whether nothing was sent.
    pub(crate) fn is_before_the_load(&self) -> bool {
        matches!(self, Failure::Usage(_) | Failure::Unreachable(_))
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Failure::Threshold(_) => 1,
            Failure::Signal(signal) => u8::try_from(signal.exit_code()).unwrap_or(u8::MAX),
            Failure::Usage(_) => 2,
            Failure::Unreachable(_) => 3,
            Failure::Defect(_) => 70,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Signal(signal) => write!(f, "ended by {}", signal.name),
            Failure::Threshold(text)
            | Failure::Usage(text)
            | Failure::Unreachable(text)
            | Failure::Defect(text) => f.write_str(text),
        }
    }
}

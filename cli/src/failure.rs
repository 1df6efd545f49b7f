//! What ends the command early, and the exit code that tells a script so.

use std::{fmt, process::ExitCode};

/// Why the command did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// A threshold of the plan was not kept, or its load not applied. Exit code 1.
    Threshold(String),
    /// An argument, a file or a setting is wrong; nothing was sent. Exit code 2.
    Usage(String),
    /// The target could not be reached. Exit code 3.
    Unreachable(String),
    /// The system or the program itself failed in the middle of it. Exit code 70, as sysexits.h has it.
    Defect(String),
}

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Failure::Threshold(_) => 1,
            Failure::Usage(_) => 2,
            Failure::Unreachable(_) => 3,
            Failure::Defect(_) => 70,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Threshold(text)
            | Failure::Usage(text)
            | Failure::Unreachable(text)
            | Failure::Defect(text) => f.write_str(text),
        }
    }
}

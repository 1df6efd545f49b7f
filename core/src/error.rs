//! What can go wrong at the edge of the crate.

use std::{error, fmt};

/// Why an exporter could not be made, or what a reporter could not deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// A setting is wrong; the text names it, its value and the remedy. Nothing was sent.
    Config(String),
    /// The last snapshot did not reach every exporter's receiver in time; the text says whose and why.
    Undelivered(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Config(text) | Error::Undelivered(text) => f.write_str(text),
        }
    }
}

impl error::Error for Error {}

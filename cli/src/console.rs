//! Text for people. A reader that has gone away, such as `head`, has read enough: that ends nothing.

use std::io::{self, Write as _};

/// Writes to stdout.
pub(crate) fn print(text: &str) {
    drop(io::stdout().write_all(text.as_bytes()));
}

/// Writes to stderr.
pub(crate) fn eprint(text: &str) {
    drop(io::stderr().write_all(text.as_bytes()));
}

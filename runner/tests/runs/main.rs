//! Whole runs against servers on loopback, good and bad.

mod accounts;
mod ending;
mod ends;
mod failures;
mod samples;
mod scale;
mod sharing;
mod support;

//! `barewire encode`: points as JSON in, the exact bytes of a format out.
//!
//! For people who debug a backend: the bytes are those that the exporter of that format would send, and nothing is
//! added to them.

mod format;
mod input;
#[cfg(test)]
mod laws;

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

use clap::Args;

use self::format::{Format, Manner};
use crate::{bounded, console, failure::Failure};

/// What is read at most. Whoever debugs a backend does so with less.
const MAX_INPUT_BYTES: u64 = 64 << 20;

/// Print the exact bytes for points given as JSON
///
/// The bytes are those that an exporter would send, and nothing is added to them. Points that the format cannot carry
/// are left out; standard error says how many, and which tags of InfluxDB got another key.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_HELP)]
pub(crate) struct EncodeArgs {
    /// The format to print
    #[arg(value_enum)]
    format: Format,
    /// The points as JSON; standard input when it is left out or '-'
    file: Option<PathBuf>,
    #[command(flatten)]
    manner: Manner,
}

/// Each line is short enough to stand unwrapped, for people copy the example.
const AFTER_HELP: &str = r#"Example:
  barewire encode openmetrics points.json

points.json:
  {
    "resource": {"service.name": "checkout"},
    "scope": {"name": "barewire", "version": "0.1.0"},
    "start_time_unix_nano": "1700000000000000000",
    "time_unix_nano": "1700000001000000000",
    "temporality": "cumulative",
    "points": [
      {"name": "users", "value": 64},
      {"name": "http.requests", "kind": "counter", "unit": "{request}",
       "help": "Requests that were answered.",
       "labels": [["http.request.method", "GET"],
                  ["http.response.status_code", 200]],
       "value": 144320},
      {"name": "took", "kind": "histogram", "unit": "s",
       "value": {"bounds": [0.1, 0.5], "counts": [1, 2, 0],
                 "sum": 0.75, "min": 0.05, "max": 0.4}},
      {"name": "size", "kind": "exponential_histogram", "unit": "By",
       "value": {"scale": 3, "zero_count": 0,
                 "positive": {"offset": 80, "counts": [1, 2]},
                 "negative": {"offset": 0, "counts": []}, "sum": 3350}}
    ]
  }

Nothing is required but, in a point, "name" and "value"; in a
histogram "counts" and "sum", in an exponential one "sum".
  kind         gauge when it is left out
  unit         a UCUM symbol, such as s, ms, By, 1, % or {request}
  value        in the unit: 1 is an integer, 1.0 a float; "NaN", "inf" and
               "-inf" are floats, and "1" is an integer
  labels       pairs, or an object; a value is text or an integer, and of
               two equal keys the last wins
  counts       one a bucket, not cumulative; OTLP's names (explicitBounds,
               bucketCounts, zeroCount, count) are understood
  times        nanoseconds since 1970, as an integer or as text

Beside "points" there may be
  "rows"            one line of InfluxDB each, with fields of your own:
    [{"name": "m", "labels": {"t": "a"}, "time_unix_nano": 1,
      "fields": {"f": 1, "took": 0.5, "ok": true, "text": "a b"}}]
  "events"          DogStatsD, InfluxDB, OTLP (as a log record):
    [{"name": "test.start", "title": "Start", "text": "50 users",
      "level": "info", "time_unix_nano": 1, "labels": {"k": "v"}}]
  "service_checks"  DogStatsD; status is ok, warning, critical or unknown:
    [{"name": "db", "status": "critical", "message": "no answer",
      "time_unix_nano": 1, "labels": {"k": "v"}}]
A format leaves out, and counts, what it has no form for. Of OTLP, logs
are a second document, on a line of its own."#;

/// Prints the bytes for the points of the input, and says how many were left out.
///
/// # Errors
/// [`Failure::Usage`] when the input cannot be read or is not what is expected; nothing is printed then.
/// [`Failure::Defect`] when standard output cannot be written.
pub(crate) fn run(args: &EncodeArgs) -> Result<(), Failure> {
    let path = args.file.as_deref().filter(|path| *path != Path::new("-"));
    let source = path.map_or("standard input".to_owned(), |path| path.display().to_string());
    let refused = |reason| Failure::Usage(printable(&format!("{source}: {reason}")));
    let json = read(path).map_err(|error| {
        refused(format!("cannot be read ({error}): give a file of points, or '-' for standard input"))
    })?;
    let document = input::parse(&json).map_err(refused)?;
    let mut out = Vec::new();
    let printed = args.format.push(&document, &args.manner, &mut out).map_err(Failure::Usage)?;
    write(&out).map_err(|error| Failure::Defect(format!("standard output: cannot be written ({error})")))?;
    printed.warnings.iter().for_each(|warning| console::eprint(&format!("{warning}\n")));
    if printed.left_out > 0 {
        console::eprint(&format!("{}\n", args.format.lament(printed.left_out)));
    }
    Ok(())
}

/// All of a file, or of standard input when there is none.
fn read(path: Option<&Path>) -> io::Result<Vec<u8>> {
    match path {
        Some(path) => bounded::read(File::open(path)?, MAX_INPUT_BYTES),
        None => bounded::read(io::stdin().lock(), MAX_INPUT_BYTES),
    }
}

/// Whoever closes the pipe early has seen enough.
fn write(out: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(out).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// A message quotes its input, which must not reach a terminal as commands.
fn printable(text: &str) -> String {
    let escaped = |c: char| c.is_control().then(|| c.escape_default()).into_iter().flatten();
    text.chars().flat_map(|c| escaped(c).chain((!c.is_control()).then_some(c))).collect()
}

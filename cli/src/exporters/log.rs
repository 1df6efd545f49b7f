//! `--log`.

use std::{fs::File, io};

use barewire_runner::{JsonLog, Origin};

use crate::{failure::Failure, outputs::LOG_STDOUT};

/// The log for one `--log`.
pub(super) fn open(destination: &str, origin: &Origin) -> Result<JsonLog, Failure> {
    if destination == LOG_STDOUT {
        return Ok(JsonLog::new("standard output", io::stdout(), origin));
    }
    let refused = |why: String| Failure::Usage(format!("--log: {why}"));
    match destination.strip_prefix("json:") {
        Some("") => Err(refused("'json:' has no path: write it as json:PATH".to_owned())),
        Some(path) => {
            let file = File::create(path).map_err(|error| {
                refused(format!("cannot create '{path}': {error}: name a file that can be written"))
            })?;
            Ok(JsonLog::new(path, file, origin))
        }
        None => Err(refused(format!(
            "'{destination}' is no shape of a log: write json, for standard output, or json:PATH"
        ))),
    }
}

//! Input that has an end, whatever it comes from.

use std::io::{self, Read};

/// All that there is to read.
///
/// # Errors
/// That of the reader, and that there is more than `limit_bytes`: no more than that is held.
pub(crate) fn read(from: impl Read, limit_bytes: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = from.take(limit_bytes + 1).read_to_end(&mut bytes)?;
    if read as u64 > limit_bytes {
        return Err(io::Error::other(format!("more than {} MiB", limit_bytes >> 20)));
    }
    Ok(bytes)
}

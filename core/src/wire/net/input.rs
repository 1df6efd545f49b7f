//! The buffer between a socket and a decoder.

use std::{fmt, io};

use crate::wire::http::MAX_HEAD_BYTES;

/// What was read and not yet decoded, in one slice. It grows to [`MAX_HEAD_BYTES`] and keeps its memory.
#[derive(Default)]
pub(super) struct Input {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Input {
    const FIRST_BYTES: usize = 8 * 1024;

    pub(super) fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    pub(super) fn consume(&mut self, count: usize) {
        self.start += count;
        debug_assert!(self.start <= self.end);
    }

    pub(super) fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
    }

    /// Reads once, behind what is unread. 0 is the end of the stream: there is always room to read into.
    pub(super) fn fill(&mut self, read: impl FnOnce(&mut [u8]) -> io::Result<usize>) -> io::Result<usize> {
        self.bytes.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        if self.end == self.bytes.len() {
            let more = (self.bytes.len() * 2).clamp(Self::FIRST_BYTES, MAX_HEAD_BYTES);
            self.bytes.resize(more, 0);
        }
        // The decoder leaves nothing unread but the beginning of a head, and refuses one that fills the buffer.
        debug_assert!(self.end < self.bytes.len());
        let count = read(&mut self.bytes[self.end..])?;
        self.end += count;
        Ok(count)
    }
}

/// The bytes are the peer's, and none of a log's business.
impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes unread", self.end - self.start)
    }
}

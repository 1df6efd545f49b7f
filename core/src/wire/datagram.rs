//! Whole lines, packed into as few datagrams as their order allows.
//!
//! The bound comes first: no datagram is longer than the limit, no line stands in two of them, and what is longer than
//! the limit by itself is refused, and counted by whoever asked. The bytes lie one after another in one buffer, so
//! packing copies nothing:
//!
//! ```text
//!  a:1|c\n b:22|ms\n c:3|g\n …
//! └──── datagram ───┘└─ datagram …      a cut before the line that would not fit any more
//! ```

use std::ops::Range;

/// The most bytes of a datagram that crosses a network whole: 1500 of Ethernet without the headers of IPv6, UDP and
/// some tunnels.
pub const UDP_LIMIT_BYTES: usize = 1432;
/// The most bytes of a datagram, or of a frame of a stream, to a socket of the same machine.
pub const UNIX_LIMIT_BYTES: usize = 8192;

/// Lines on their way into datagrams.
///
/// ```
/// use barewire::wire::datagram::Datagrams;
///
/// let mut datagrams = Datagrams::new(12);
/// for line in ["a:1|c\n", "b:2|c\n", "c:3|c\n", "much.too.long:4|c\n"] {
///     let fits = datagrams.push(|out| out.extend_from_slice(line.as_bytes()));
///     assert_eq!(fits, line.len() <= 12);
/// }
/// assert!(datagrams.iter().eq([b"a:1|c\nb:2|c\n".as_slice(), b"c:3|c\n"]));
/// ```
#[derive(Debug, Clone)]
pub struct Datagrams {
    limit_bytes: usize,
    bytes: Vec<u8>,
    /// Where each datagram but the first begins.
    cuts: Vec<usize>,
    /// Where the last one begins.
    last: usize,
}

impl Datagrams {
    /// No datagram is longer than `limit_bytes`.
    pub const fn new(limit_bytes: usize) -> Self {
        Datagrams { limit_bytes, bytes: Vec::new(), cuts: Vec::new(), last: 0 }
    }

    /// The most bytes of a datagram.
    pub fn limit_bytes(&self) -> usize {
        self.limit_bytes
    }

    /// Adds what `write` appends, a line or several that belong together, line feeds included. Returns whether it fits
    /// into a datagram; if not, it is taken back.
    #[inline]
    pub fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let start = self.bytes.len();
        write(&mut self.bytes);
        let end = self.bytes.len();
        if end - self.last > self.limit_bytes {
            if end - start > self.limit_bytes {
                self.bytes.truncate(start);
                return false;
            }
            self.cuts.push(start);
            self.last = start;
        }
        true
    }

    /// The datagrams, in order; none of them is empty.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.cuts.iter().copied());
        let ends = self.cuts.iter().copied().chain([self.bytes.len()]);
        starts
            .zip(ends)
            .map(|(start, end)| &self.bytes[Range { start, end }])
            .filter(|bytes| !bytes.is_empty())
    }

    /// How many bytes they have together.
    pub fn len_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Forgets them, and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.cuts.clear();
        self.last = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    proptest! {
        #[test]
        fn every_line_is_whole_in_one_datagram_or_was_refused(
            lines in vec("[a-c]{0,30}", 0..60), limit in 1..60_usize,
        ) {
            let mut datagrams = Datagrams::new(limit);
            let mut expected = Vec::new();
            for line in &lines {
                let line = format!("{line}\n");
                let fits = datagrams.push(|out| out.extend_from_slice(line.as_bytes()));
                prop_assert_eq!(fits, line.len() <= limit);
                if fits {
                    expected.push(line);
                }
            }
            let packed: Vec<&[u8]> = datagrams.iter().collect();
            prop_assert!(packed.iter().all(|datagram| datagram.len() <= limit && datagram.ends_with(b"\n")));
            // A datagram ends only where the next line would not have fitted.
            for pair in packed.windows(2) {
                let next = pair[1].split_inclusive(|byte| *byte == b'\n').next().unwrap();
                prop_assert!(pair[0].len() + next.len() > limit);
            }
            prop_assert_eq!(packed.concat(), expected.concat().into_bytes());
        }
    }
}

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
//!
//! Nearly all lines say what they said before, with another number ([`Stencil`]). There is room for such a line before
//! it is begun, full of whatever was there: so it is written by moves of a fixed size, and what is too much of it is written
//! over by the next one. A vector would be asked for room, and told its new length.

use std::ops::Range;

use super::{
    runs::Short,
    stencil::{self, Stencil},
};
use crate::view::Number;

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
    /// All lines, and room behind them.
    bytes: Vec<u8>,
    cuts: Cuts,
    /// The line that is being made, where it is not made in its place.
    line: Vec<u8>,
}

/// Which bytes are a datagram.
#[derive(Debug, Clone)]
struct Cuts {
    limit_bytes: usize,
    /// Of all lines.
    len: usize,
    /// Where each datagram but the first begins.
    starts: Vec<usize>,
    /// Where the last one begins.
    last: usize,
}

impl Datagrams {
    /// No datagram is longer than `limit_bytes`.
    pub const fn new(limit_bytes: usize) -> Self {
        let cuts = Cuts { limit_bytes, len: 0, starts: Vec::new(), last: 0 };
        Datagrams { bytes: Vec::new(), cuts, line: Vec::new() }
    }

    /// The most bytes of a datagram.
    pub fn limit_bytes(&self) -> usize {
        self.cuts.limit_bytes
    }

    /// Adds what `write` appends, a line or several that belong together, line feeds included. Returns whether it fits
    /// into a datagram; if not, it is taken back.
    pub fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        self.line.clear();
        // One that grows does not allocate again.
        self.line.reserve(self.cuts.limit_bytes);
        write(&mut self.line);
        let len = self.line.len();
        if self.bytes.len() < self.cuts.len + len {
            self.grow(len);
        }
        self.bytes[self.cuts.len..][..len].copy_from_slice(&self.line);
        self.cuts.end_line(len)
    }

    /// Adds the line of a stencil with this number in it, and `end` behind it. Returns whether the number fits the stencil, and
    /// the line a datagram; if not, nothing is added.
    #[inline(always)]
    pub fn stencil<const N: usize>(&mut self, stencil: &Stencil, number: &Number, end: &Short<N>) -> bool {
        let start = self.cuts.len;
        let Some(room) = self.bytes.get_mut(start..start + stencil::ROOM) else {
            return self.stencil_anew(stencil, number, end);
        };
        match stencil.write(room.try_into().expect("as much"), number, end) {
            Some(len) => self.cuts.end_line(len),
            None => false,
        }
    }

    #[cold]
    fn stencil_anew<const N: usize>(&mut self, stencil: &Stencil, number: &Number, end: &Short<N>) -> bool {
        self.grow(stencil::ROOM);
        self.stencil(stencil, number, end)
    }

    #[cold]
    fn grow(&mut self, bytes: usize) {
        self.bytes.reserve(bytes);
        self.bytes.resize(self.bytes.capacity(), 0);
    }

    /// The datagrams, in order; none of them is empty.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> + Clone {
        let starts = std::iter::once(0).chain(self.cuts.starts.iter().copied());
        let ends = self.cuts.starts.iter().copied().chain([self.cuts.len]);
        starts
            .zip(ends)
            .map(|(start, end)| &self.bytes[Range { start, end }])
            .filter(|bytes| !bytes.is_empty())
    }

    /// How many bytes they have together.
    pub fn len_bytes(&self) -> usize {
        self.cuts.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.cuts.len == 0
    }

    /// Forgets them, and keeps the memory.
    pub fn clear(&mut self) {
        self.cuts.len = 0;
        self.cuts.starts.clear();
        self.cuts.last = 0;
    }
}

impl Cuts {
    /// Keeps the line of `len` bytes that was written, if it fits into a datagram.
    #[inline(always)]
    fn end_line(&mut self, len: usize) -> bool {
        let end = self.len + len;
        if end - self.last > self.limit_bytes {
            if len > self.limit_bytes {
                return false;
            }
            self.starts.push(self.len);
            self.last = self.len;
        }
        self.len = end;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    proptest! {
        #[test]
        fn every_line_is_whole_in_one_datagram_or_was_refused(
            lines in vec(("[a-c]{0,30}", any::<u16>(), any::<bool>()), 0..60), limit in 1..60_usize,
        ) {
            let mut datagrams = Datagrams::new(limit);
            let mut expected = Vec::new();
            let end = Short::<16>::of(&[b"\n"]);
            for (name, number, by_stencil) in &lines {
                let (line, number) = (format!("{name}:{number}\n"), Number::Int((*number).into()));
                let stencil = Stencil::new(format!("{name}:").as_bytes(), number, &[]);
                let fits = match stencil.filter(|_| *by_stencil) {
                    Some(stencil) => datagrams.stencil(&stencil, &number, &end),
                    None => datagrams.push(|out| out.extend_from_slice(line.as_bytes())),
                };
                prop_assert_eq!(fits, line.len() <= limit);
                if fits {
                    expected.push(line);
                }
                // What does not fit the stencil was never there.
                prop_assert!(!datagrams.stencil(&Stencil::none(), &number, &end));
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

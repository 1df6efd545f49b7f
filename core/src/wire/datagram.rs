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
//! Nearly all lines are made of texts whose length is known before they are copied. There is room for such a line before
//! it is begun, full of whatever was there: so each part is written by moves of a fixed size, and what is too much of one
//! is written over by the next. A vector would be asked for room by each part, and told its new length ([`Line`]).

use std::ops::Range;

use super::{
    runs::{BLOCK, Run, Runs, Short},
    text::{write_decimal, write_u64},
};

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
        self.make_room(len);
        self.bytes[self.cuts.len..][..len].copy_from_slice(&self.line);
        self.cuts.end_line(len)
    }

    /// Begins a line of at most [`Line::MAX_LEN`] bytes, which is written where it stays.
    ///
    /// ```
    /// use barewire::wire::{datagram::{Datagrams, UDP_LIMIT_BYTES}, runs::{Runs, Short}};
    ///
    /// let (mut runs, end) = (Runs::new(), Short::<8>::of(&[b"|c\n"]));
    /// let name = runs.add(|out| out.extend_from_slice(b"hits:"));
    /// let mut datagrams = Datagrams::new(UDP_LIMIT_BYTES);
    ///
    /// let mut line = datagrams.line();
    /// line.run(&runs, name);
    /// assert!(line.u64(17));
    /// line.short(&end);
    /// assert!(line.end());
    /// assert!(datagrams.iter().eq([b"hits:17|c\n"]));
    /// ```
    #[inline(always)]
    pub fn line(&mut self) -> Line<'_> {
        self.make_room(ROOM);
        let room = self.bytes[self.cuts.len..].first_chunk_mut().expect("as much room as was made");
        Line { room, len: 0, cuts: &mut self.cuts }
    }

    #[inline(always)]
    fn make_room(&mut self, bytes: usize) {
        if self.bytes.len() < self.cuts.len + bytes {
            self.grow(bytes);
        }
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

/// A line that is being written into room that is there. It is longer than it may be, if a method panics.
#[derive(Debug)]
pub struct Line<'a> {
    room: &'a mut [u8; ROOM],
    len: usize,
    cuts: &'a mut Cuts,
}

const ROOM: usize = Line::MAX_LEN + BLOCK;

impl Line<'_> {
    /// How long it may be.
    pub const MAX_LEN: usize = 192;

    /// Appends a run of at most [`Run::BLOCK`] bytes.
    #[inline(always)]
    pub fn run(&mut self, runs: &Runs, run: Run) {
        debug_assert!(run.len() <= BLOCK, "a longer one would be cut off");
        *self.block() = *runs.block(run);
        self.len += run.len().min(BLOCK);
    }

    /// Appends a short text.
    #[inline(always)]
    pub fn short<const N: usize>(&mut self, short: &Short<N>) {
        *self.block() = *short.block();
        self.len += short.len();
    }

    /// Appends an integer in decimal, unless it has more than sixteen digits.
    #[inline(always)]
    pub fn u64(&mut self, value: u64) -> bool {
        let len = write_u64(self.block(), value);
        self.len += len;
        len > 0
    }

    /// Appends `digits / 10^decimals` exactly, without zeros at the end of the fraction, unless it is longer than that.
    #[inline(always)]
    pub fn decimal(&mut self, digits: u64, decimals: u8) -> bool {
        let len = write_decimal(self.block(), digits, decimals);
        self.len += len;
        len > 0
    }

    /// Keeps it. Whether it fits into a datagram; if not, it is as if it had never been begun.
    #[inline(always)]
    pub fn end(self) -> bool {
        self.cuts.end_line(self.len)
    }

    #[inline(always)]
    fn block<const N: usize>(&mut self) -> &mut [u8; N] {
        self.room[self.len..].first_chunk_mut().expect("a line that is not too long")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    proptest! {
        #[test]
        fn every_line_is_whole_in_one_datagram_or_was_refused(
            lines in vec(("[a-c]{0,30}", any::<bool>()), 0..60), limit in 1..60_usize,
        ) {
            let mut datagrams = Datagrams::new(limit);
            let mut expected = Vec::new();
            for (line, in_place) in &lines {
                let line = format!("{line}\n");
                let fits = match in_place {
                    true => {
                        let mut out = datagrams.line();
                        out.short(&Short::<40>::of(&[line.as_bytes()]));
                        out.end()
                    }
                    false => datagrams.push(|out| out.extend_from_slice(line.as_bytes())),
                };
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

        #[test]
        fn a_line_is_its_parts(parts in vec(("[a-c]{0,64}", any::<u32>()), 0..3)) {
            let (mut runs, mut datagrams) = (Runs::new(), Datagrams::new(2_000));
            let added: Vec<Run> =
                parts.iter().map(|(text, _)| runs.add(|out| out.extend_from_slice(text.as_bytes()))).collect();
            let end = Short::<16>::of(&[b"|T17"]);
            let expected: String = parts.iter().map(|(text, number)| format!("{text}{number}|T17")).collect();
            // What was there before is not seen.
            for _ in 0..2 {
                datagrams.clear();
                datagrams.push(|out| out.extend_from_slice(b"first\n"));
                // One that is not ended was never there.
                datagrams.line().short(&end);
                let mut line = datagrams.line();
                for (run, (_, number)) in added.iter().zip(&parts) {
                    line.run(&runs, *run);
                    prop_assert!(line.u64((*number).into()));
                    line.short(&end);
                }
                prop_assert!(line.end());
                datagrams.push(|out| out.extend_from_slice(b"last\n"));
                let all = datagrams.iter().collect::<Vec<_>>().concat();
                prop_assert_eq!(String::from_utf8(all).unwrap(), format!("first\n{expected}last\n"));
            }
        }
    }
}

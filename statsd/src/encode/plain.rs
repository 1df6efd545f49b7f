//! The line of a plain number: runs of known bytes, and the digits between.

use barewire::{
    view::Number,
    wire::{
        datagram::Datagrams,
        runs::{Run, Runs},
    },
};

use super::push_number;

/// The longest end: `|T18446744073␊`.
const MAX_END_LEN: usize = 16;

/// What the lines of a frame end in, with zeros behind it: to copy a fixed length is two moves and no call.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    bytes: [u8; MAX_END_LEN],
    length: usize,
}

impl End {
    /// A line feed behind `stamp`.
    pub(super) fn new(stamp: &[u8]) -> Self {
        let mut bytes = [0; MAX_END_LEN];
        bytes[..stamp.len()].copy_from_slice(stamp);
        bytes[stamp.len()] = b'\n';
        End { bytes, length: stamp.len() + 1 }
    }
}

/// All of a line but its number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plain<'a> {
    pub(super) text: &'a Runs,
    /// `name:`
    pub(super) head: Run,
    /// `|c|#tags|c:id`
    pub(super) tail: Run,
    pub(super) end: &'a End,
}

impl Plain<'_> {
    /// Appends the line of a finite number. Whether it fits into a datagram.
    #[inline]
    pub(super) fn push(self, number: Number, out: &mut Datagrams) -> bool {
        let Plain { text, head, tail, end } = self;
        out.push(|out| {
            text.push(head, out);
            push_number(out, number);
            text.push(tail, out);
            let length = out.len() + end.length;
            out.extend_from_slice(&end.bytes);
            out.truncate(length);
        })
    }
}

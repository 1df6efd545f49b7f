//! The line of a plain number: runs of known bytes, and the digits between.

use barewire::{
    view::Number,
    wire::{
        datagram::Datagrams,
        runs::{Run, Runs, Short},
    },
};

use super::push_number;

/// What the lines of a frame end in; the longest is `|T18446744073␊`.
pub(super) type End = Short<16>;

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
            end.push(out);
        })
    }
}

//! The line of a plain number: runs of known bytes, and the digits between.

use barewire::{
    view::Number,
    wire::{
        datagram::{Datagrams, Line},
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
    #[inline(always)]
    pub(super) fn push(self, number: &Number, out: &mut Datagrams) -> bool {
        match self.write(number, out.line()) {
            Some(line) => line.end(),
            None => push_long(self.text, (self.head, self.tail), self.end, number, out),
        }
    }

    /// The line, if all its parts are short.
    #[inline(always)]
    fn write<'l>(self, number: &Number, mut line: Line<'l>) -> Option<Line<'l>> {
        let Plain { text, head, tail, end } = self;
        if head.len() > Run::BLOCK || tail.len() > Run::BLOCK {
            return None;
        }
        line.run(text, head);
        let is_short = match *number {
            Number::Int(int) => line.u64(int.cast_unsigned()),
            Number::Decimal { digits, decimals } => match u64::try_from(digits) {
                Ok(digits) => line.decimal(digits, decimals),
                Err(_) => false,
            },
            Number::Float(_) => false,
        };
        if !is_short {
            return None;
        }
        line.run(text, tail);
        line.short(end);
        Some(line)
    }
}

#[cold]
fn push_long(text: &Runs, (head, tail): (Run, Run), end: &End, number: &Number, out: &mut Datagrams) -> bool {
    out.push(|out| {
        text.push(head, out);
        push_number(out, *number);
        text.push(tail, out);
        end.push(out);
    })
}

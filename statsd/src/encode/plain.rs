//! The line of a plain number: by a stencil that was made for the one before, or in pieces.

use barewire::{
    view::Number,
    wire::{
        datagram::Datagrams,
        runs::{Run, Runs, Short},
        stencil::Stencil,
    },
};

use super::push_number;

/// What the lines of a frame end in; the longest is `|T18446744073␊`.
pub(super) type End = Short<16>;

/// The rendered parts of a series, and the line that it wrote last.
#[derive(Debug)]
#[repr(C)] // The stencil lies beside its kind.
pub(super) struct Plain {
    /// Of the last line, if it was plain; a gauge keeps nothing.
    kind: Kind,
    stencil: Stencil,
    /// `name:`
    head: Run,
    /// `|#tags|c:id`
    tail: Run,
    is_named: bool,
}

/// What is plain: all that DogStatsD needs to know of it besides the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
}

impl Plain {
    pub(super) fn new(head: Run, tail: Run, is_named: bool) -> Self {
        Plain { kind: Kind::Counter, stencil: Stencil::none(), head, tail, is_named }
    }

    /// Whether its lines can be written at all.
    pub(super) fn is_named(&self) -> bool {
        self.is_named
    }

    /// What comes is no plain line, and something of it may be kept: so this is no gauge any more.
    pub(super) fn forget_gauge(&mut self) {
        if self.kind == Kind::Gauge {
            (self.kind, self.stencil) = (Kind::Counter, Stencil::none());
        }
    }

    /// Appends the line of a number that looks like the one before, if it fits into a datagram. Whether all that is so.
    #[inline(always)]
    pub(super) fn push_again(&self, kind: Kind, number: &Number, end: &End, out: &mut Datagrams) -> bool {
        kind == self.kind && out.stencil(&self.stencil, number, end)
    }

    /// Appends the line of a finite number, in pieces. Whether it fits into a datagram.
    pub(super) fn push(
        &mut self,
        kind: Kind,
        number: Number,
        text: &Runs,
        end: &End,
        out: &mut Datagrams,
    ) -> bool {
        let (head, tail) = (text.get(self.head), text.get(self.tail));
        self.kind = kind;
        match Stencil::new(head, number, &[kind.text(), tail]) {
            Some(stencil) => self.stencil = stencil,
            None => self.stencil.clear(),
        }
        out.push(|out| {
            out.extend_from_slice(head);
            push_number(out, number);
            out.extend_from_slice(kind.text());
            out.extend_from_slice(tail);
            end.push(out);
        })
    }

    /// The name, and what stands behind the type.
    pub(super) fn parts<'t>(&self, text: &'t Runs) -> (&'t [u8], &'t [u8]) {
        let head = text.get(self.head);
        (head.strip_suffix(b":").unwrap_or(head), text.get(self.tail))
    }
}

impl Kind {
    fn text(self) -> &'static [u8] {
        match self {
            Kind::Counter => b"|c",
            Kind::Gauge => b"|g",
        }
    }
}

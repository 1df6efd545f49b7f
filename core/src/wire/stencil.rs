//! A line that goes out again and again with another number in it.
//!
//! What a [`Form`](super::form::Form) is for a document, a [`Stencil`] is for a line that may stand anywhere, or nowhere, the
//! next time: all of it is copied by a few moves of a fixed size, and the digits are written over those of the copy. A
//! number that is wider or narrower asks for another stencil, that of its line and no other; a fraction keeps its zeros.

use super::{field::Field, runs::Short};
use crate::view::Number;

/// A line with a number in it, but for its end.
///
/// ```
/// use barewire::{view::Number, wire::{datagram::{Datagrams, UDP_LIMIT_BYTES}, runs::Short, stencil::Stencil}};
///
/// let mut out = Datagrams::new(UDP_LIMIT_BYTES);
/// let end = Short::<8>::of(&[b"\n"]);
/// let stencil = Stencil::new(b"requests:", Number::Int(17), &[b"|c"]).expect("a short line");
/// assert!(out.stencil(&stencil, &Number::Int(42), &end));
/// assert!(!out.stencil(&stencil, &Number::Int(142), &end));
/// assert!(out.iter().eq([b"requests:42|c\n"]));
/// ```
#[derive(Debug, Clone)]
#[repr(C)] // What is read of a short line lies together.
pub struct Stencil {
    field: Field,
    len: u32,
    text: [u8; MAX_LEN],
}

/// So that a stencil is as long as two lines of the cache.
const MAX_LEN: usize = 104;
/// What is copied of every one.
const START: usize = 64;
/// As much as may be written, with an end of a line behind it.
pub(super) const ROOM: usize = (LEN_MASK + 1) + MAX_END_LEN;
/// Which bits of a length are used: what it is limited by costs nothing to look at.
const LEN_MASK: usize = 127;
const MAX_END_LEN: usize = 24;

impl Stencil {
    /// For numbers as wide as this one, with as many decimals; `tail` is one text in pieces. Nothing for a float, a number
    /// below zero or one of more than sixteen digits; nor where the number ends before the ninth byte (the eighteenth if it
    /// has more than eight digits), or the line is longer than a hundred bytes or so.
    pub fn new(head: &[u8], number: Number, tail: &[&[u8]]) -> Option<Self> {
        let (digits, decimals) = match number {
            Number::Int(int) => (u64::try_from(int).ok()?, 0),
            Number::Decimal { digits, decimals } => (u64::try_from(digits).ok()?, usize::from(decimals)),
            Number::Float(_) => return None,
        };
        // Nothing is begun that is too long without a digit.
        if head.len() + tail.iter().map(|piece| piece.len()).sum::<usize>() >= MAX_LEN {
            return None;
        }
        let mut line = Line { text: [0; MAX_LEN], len: 0 };
        line.push(head)?;
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(digits).as_bytes();
        let (whole, fraction) = digits.split_at(digits.len().saturating_sub(decimals));
        line.push(if whole.is_empty() { b"0" } else { whole })?;
        if decimals > 0 {
            line.push(b".")?;
            (fraction.len()..decimals).try_for_each(|_| line.push(b"0"))?;
            line.push(fraction)?;
        }
        let place = head.len()..line.len;
        tail.iter().try_for_each(|piece| line.push(piece))?;
        let field = Field::new(&line.text, place, Some(number), false);
        let len = u32::try_from(line.len).ok()?;
        field.is_for_numbers().then_some(Stencil { field, len, text: line.text })
    }

    /// One that no number fits.
    pub const fn none() -> Self {
        Stencil { field: Field::NONE, len: 0, text: [0; MAX_LEN] }
    }

    /// Makes it one that no number fits.
    pub fn clear(&mut self) {
        self.field = Field::NONE;
    }

    /// Writes the line with this number and this end to the start of `room`, and whatever behind it. How long it is, if the
    /// number fits.
    #[inline(always)]
    pub(super) fn write<const N: usize>(
        &self,
        room: &mut [u8; ROOM],
        number: &Number,
        end: &Short<N>,
    ) -> Option<usize> {
        const { assert!(N <= MAX_END_LEN, "an end has its room") }
        let len = self.len as usize & LEN_MASK;
        room[..START].copy_from_slice(&self.text[..START]);
        if len > START {
            room[START..MAX_LEN].copy_from_slice(&self.text[START..]);
        }
        room[len..len + N].copy_from_slice(end.block());
        self.field.write(room, number).then_some(len + end.len())
    }
}

/// A line that is being put together.
struct Line {
    text: [u8; MAX_LEN],
    len: usize,
}

impl Line {
    fn push(&mut self, piece: &[u8]) -> Option<()> {
        self.text.get_mut(self.len..)?.get_mut(..piece.len())?.copy_from_slice(piece);
        self.len += piece.len();
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(decimals: u8, digits: u64) -> Number {
        match decimals {
            0 => Number::Int((digits >> 1).cast_signed()),
            _ => Number::Decimal { digits: digits.into(), decimals },
        }
    }

    /// With all decimals.
    fn text(number: Number) -> String {
        match number {
            Number::Decimal { digits, decimals } => {
                let width = usize::from(decimals) + 1;
                let mut text = format!("{digits:0width$}");
                text.insert(text.len() - usize::from(decimals), '.');
                text
            }
            Number::Int(int) => int.to_string(),
            Number::Float(float) => float.to_string(),
        }
    }

    proptest! {
        #[test]
        fn a_stencil_is_its_line_with_every_number_of_its_width(
            head in "[a-c:]{8,40}", tail in "[|a-c]{0,40}", decimals in 0..=9u8,
            first: u64, second: u64, shift in 0..64u32,
        ) {
            let (first, second) = (number(decimals, first >> shift), number(decimals, second >> shift));
            let Some(stencil) = Stencil::new(head.as_bytes(), first, &[tail.as_bytes()]) else {
                prop_assert!(text(first).len() > 16 || head.len() < 16);
                return Ok(());
            };
            let mut room = [b'x'; ROOM];
            let len = stencil.write(&mut room, &second, &Short::<4>::of(&[b"\n"]));
            prop_assert_eq!(len.is_some(), text(first).len() == text(second).len());
            if let Some(len) = len {
                let line = std::str::from_utf8(&room[..len]).unwrap();
                prop_assert_eq!(line, format!("{head}{}{tail}\n", text(second)));
            }
        }
    }
}

//! Where a number stands in a text, and how another one of its width is written over it.
//!
//! Digits come eight in a word, the last one highest. The word is stored where the number ends, so in front of the digits
//! it reaches into the text before: its *base* has what stands there, and `'0'` where digits come, and one addition
//! makes both. A point takes a byte, so that what stands before it moves a byte to the front, the first digit out of the
//! word. The digits before the last eight are rare: they go into a word that is read, so that it keeps the text before them.
//!
//! ```text
//! text     … " a s D o u b l e " : 1 2 . 3 4 5 6 7 8          12.345678, eight digits
//! first                            0                           + 1
//! base                               0 . 0 0 0 0 0 0           + 2 _ 3 4 5 6 7 8
//!
//! text     … " a s I n t " : " 1 2 3 4                         1234, eight digits with four zeros in front
//! base                 t " : " 0 0 0 0                         + 0 0 0 0 1 2 3 4
//! ```

use std::{array, ops::Range};

use super::text::split;
use crate::view::Number;

/// The place of one number in a document, or of any other text that changes. It follows what it is the place of, as long as it
/// is reached whenever its form is filled: until then its end is that of the document as it was.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The last word.
    base: [u8; 8],
    end: u32,
    width: u32,
    /// Among [`RANGES`].
    range: u8,
    /// 0 for an integer, [`DECIMAL`] and the number of decimals for a fraction.
    kind: u8,
    /// What stands in front of the last eight bytes of a decimal, or `'0'`.
    first: u8,
    /// Whether the text right before it changes, too.
    is_tight: bool,
}

/// So that a fraction without digits, which is no integer either, fits no field.
const DECIMAL: u8 = 0x80;
/// How far a number of few digits reaches into the text before it.
pub(super) const REACH: usize = 8;
/// The widest number that is written over another one, in digits.
pub(super) const MAX_DIGITS: usize = 16;
const MAX_DECIMALS: usize = 9;
/// What is written of a number of up to eight digits: a word, and a byte before it.
const SHORT: usize = 9;
/// And of a longer one: sixteen digits, a point, and a byte before them.
const LONG: usize = 18;
const EIGHT: u64 = 100_000_000;
const ZEROS: u64 = u64::from_le_bytes([b'0'; 8]);

/// What is as wide as a field: the least integer, and how many there are. For `n` digits, at `2 n` those without zeros in
/// front, and at `2 n + 1` those that may have them, as in `0.001`. There is one for each byte, so that none is out of bounds.
const RANGES: [(u64, u64); 256] = {
    let mut ranges = [(0, 0); 256];
    let (mut digits, mut end) = (1, 10);
    while digits <= MAX_DIGITS {
        ranges[2 * digits] = (end / 10, end - end / 10);
        ranges[2 * digits + 1] = (0, end);
        digits += 1;
        end *= 10;
    }
    ranges
};

impl Field {
    /// What no number fits.
    pub(super) const NONE: Field =
        Field { base: [0; 8], end: 0, width: 0, range: 0, kind: 0, first: 0, is_tight: false };

    pub(super) fn new(text: &[u8], place: Range<usize>, number: Option<Number>, is_tight: bool) -> Field {
        let Range { start, end } = place;
        let loose = Field { end: short(end), width: short(end - start), is_tight, ..Field::NONE };
        let decimals = match number {
            Some(Number::Int(0..)) => 0,
            Some(Number::Decimal { decimals: decimals @ 1.., .. }) => decimals,
            _ => return loose,
        };
        // A quote and blanks may stand before it.
        let is_digit = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
        let start = end - text[start..end].iter().rev().take_while(|byte| is_digit(byte)).count();
        let point = text[start..end].iter().position(|byte| *byte == b'.');
        let shown = point.map_or(0, |at| end - start - at - 1);
        let wide = end - start - usize::from(point.is_some());
        let fits = (shown > 0) == (decimals > 0) && shown <= MAX_DECIMALS && (1..=MAX_DIGITS).contains(&wide);
        let has_window = end >= if wide > 8 { LONG } else { SHORT };
        if !fits || is_tight || !has_window {
            return loose;
        }
        let blank = |at: usize| if at >= start && text[at] != b'.' { b'0' } else { text[at] };
        let is_lowest = wide == shown + 1;
        Field {
            base: array::from_fn(|at| blank(end - 8 + at)),
            range: tiny(2 * wide + usize::from(is_lowest)),
            kind: if shown > 0 { DECIMAL | tiny(shown) } else { 0 },
            first: blank(end - 9),
            ..loose
        }
    }

    /// Becomes the field of what stands there now.
    pub(super) fn renew(&mut self, text: &[u8], place: Range<usize>, number: Option<Number>) {
        *self = Field::new(text, place, number, self.is_tight);
    }

    /// Goes so many bytes to the end; less than nothing wraps.
    pub(super) fn shift(&mut self, bytes: u32) {
        self.end = self.end.wrapping_add(bytes);
    }

    /// Whether it is that of a fraction.
    pub(super) fn is_of_decimals(&self) -> bool {
        self.kind != 0
    }

    /// Writes a number over the one that stands in `text`, which is a copy of the document, or the document. Whether it is as
    /// wide.
    #[inline(always)]
    pub(super) fn write(&self, text: &mut [u8], number: &Number) -> bool {
        match *number {
            Number::Int(int) => self.write_digits(text, int.cast_unsigned(), 0),
            Number::Decimal { digits, decimals } => match u64::try_from(digits) {
                Ok(digits) => self.write_digits(text, digits, DECIMAL | decimals),
                Err(_) => false,
            },
            Number::Float(_) => false,
        }
    }

    #[inline(always)]
    fn write_digits(&self, text: &mut [u8], digits: u64, kind: u8) -> bool {
        let (low, span) = RANGES[usize::from(self.range)];
        if digits.wrapping_sub(low) >= span || kind != self.kind {
            return false;
        }
        let text = &mut text[..self.end()];
        if self.is_long() {
            return self.write_long(text, digits);
        }
        let Some(window) = text.last_chunk_mut() else { return false };
        self.write_short(window, digits);
        true
    }

    #[inline(always)]
    pub(super) fn end(&self) -> usize {
        self.end as usize
    }

    #[inline(always)]
    pub(super) fn start(&self) -> usize {
        self.end().wrapping_sub(self.width as usize)
    }

    /// Whether there are numbers that fit.
    pub(super) fn is_for_numbers(&self) -> bool {
        self.range > 0
    }

    pub(super) fn place(&self) -> Range<usize> {
        self.start()..self.end()
    }

    #[inline(always)]
    fn wide(&self) -> usize {
        usize::from(self.range) / 2
    }

    fn decimals(&self) -> u8 {
        self.kind & !DECIMAL
    }

    /// Whether there are more than eight digits.
    #[inline(always)]
    fn is_long(&self) -> bool {
        self.wide() > 8
    }

    /// Writes the last eight digits.
    #[inline(always)]
    fn write_short(&self, window: &mut [u8; SHORT], digits: u64) {
        let (digits, base) = (split(digits), u64::from_le_bytes(self.base));
        if self.kind == 0 {
            window[1..].copy_from_slice(&(digits + base).to_le_bytes());
            return;
        }
        let whole = u64::MAX >> (8 * (self.kind & 7));
        let before = digits & whole;
        let pointed = (digits ^ before) | before >> 8;
        window[1..].copy_from_slice(&(pointed + base).to_le_bytes());
        window[0] = digits.to_le_bytes()[0] + self.first;
    }

    /// The same with the digits before them.
    #[inline(never)]
    fn write_long(&self, text: &mut [u8], digits: u64) -> bool {
        let Some(window) = text.last_chunk_mut::<LONG>() else { return false };
        let (high, low) = (digits / EIGHT, digits % EIGHT);
        match self.decimals() {
            0 => self.write_high(window, LONG - 8, high),
            1..=7 => self.write_high(window, LONG - SHORT, high),
            8 => {
                window[LONG - SHORT] = b'.';
                self.write_high(window, LONG - SHORT, high);
            }
            _ => {
                let tenth = (high % 10).to_le_bytes()[0];
                window[LONG - SHORT - 1..][..2].copy_from_slice(&[b'.', b'0' + tenth]);
                self.write_high(window, LONG - SHORT - 1, high / 10);
            }
        }
        if self.decimals() < 8 {
            self.write_short(window.last_chunk_mut().expect("longer"), low);
        } else {
            window[LONG - 8..].copy_from_slice(&(split(low) + ZEROS).to_le_bytes());
        }
        true
    }

    /// Writes the first digits so that they end before `end`.
    #[inline(always)]
    fn write_high(&self, window: &mut [u8; LONG], end: usize, digits: u64) {
        let behind = usize::from(self.decimals()).max(8);
        let word = window[end - 8..].first_chunk_mut().expect("eight");
        let text = (1 << (8 * (8 + behind - self.wide()))) - 1;
        let kept = u64::from_le_bytes(*word) & text;
        *word = (((split(digits) + ZEROS) & !text) | kept).to_le_bytes();
    }
}

pub(super) fn short(at: usize) -> u32 {
    u32::try_from(at).expect("documents of less than 4 GiB")
}

fn tiny(count: usize) -> u8 {
    u8::try_from(count).expect("fewer digits than that")
}

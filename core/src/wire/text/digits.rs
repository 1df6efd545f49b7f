//! Integers and short decimals as text, eight digits at a time.
//!
//! Eight digits fit a 64-bit word, one a byte. Three rounds of multiplying and masking split `12345678` into `1234` and
//! `5678`, these into pairs, and those into digits, all lanes of the word at once and without a branch or a table:
//!
//! ```text
//! 12345678  ->  1234 | 5678  ->  12 | 34 | 56 | 78  ->  1 2 3 4 5 6 7 8     first digit in the lowest byte
//! ```
//!
//! Zero bytes at the low end are zeros in front, zero bytes at the high end are zeros behind; a count of bits finds
//! how many, and a shift takes them off. Two such words with a point among them are a word of sixteen bytes, nearly every
//! number that a tick writes. It goes out whole, and what is too much is cut off: a copy whose size is known is one move,
//! where another one is a call.

use crate::wire::runs::push_start;

/// The most decimals of a word: those of nanoseconds shown as seconds.
const MAX_DECIMALS: u8 = 9;

const EIGHT: u64 = 100_000_000;

/// Appends `value` in decimal.
#[inline]
pub(super) fn push_integer(out: &mut Vec<u8>, value: u64) {
    if !integer(out, value) {
        out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }
}

/// Appends `digits / 10^decimals` exactly, without zeros at the end of the fraction, unless it is too long for a word.
#[inline]
pub(super) fn push_decimal(out: &mut Vec<u8>, digits: u64, decimals: u8) -> bool {
    match decimals {
        0 => integer(out, digits),
        1..=7 if digits < EIGHT => Word::short_decimal(digits, decimals).push(out),
        MAX_DECIMALS if digits < EIGHT && digits > 0 => Word::small_fraction(digits).push(out),
        _ => long_decimal(out, digits, decimals),
    }
}

/// Appends an integer, unless it is too long for a word.
#[inline(always)]
fn integer(out: &mut Vec<u8>, value: u64) -> bool {
    if value < EIGHT { Word::leading(value).push(out) } else { long_integer(out, value) }
}

/// Apart, so that the registers it needs are not saved for a short one.
#[inline(never)]
fn long_integer(out: &mut Vec<u8>, value: u64) -> bool {
    Word::long_integer(value).is_some_and(|word| word.push(out))
}

#[inline(never)]
fn long_decimal(out: &mut Vec<u8>, digits: u64, decimals: u8) -> bool {
    Word::long_decimal(digits, decimals).is_some_and(|word| word.push(out))
}

/// The text of a number, of at most 16 bytes.
#[derive(Debug, Clone, Copy)]
struct Word {
    /// The first byte lowest; whatever behind the last.
    text: u128,
    len: u32,
}

impl Word {
    /// Appends it. That never fails.
    #[inline(always)]
    fn push(self, out: &mut Vec<u8>) -> bool {
        push_start(out, &self.text.to_le_bytes(), self.len as usize);
        true
    }

    /// One behind the other, if they are short enough together and there are zeros behind this one.
    #[inline(always)]
    fn then(self, next: Word) -> Option<Word> {
        let len = self.len + next.len;
        (len <= 16).then(|| Word { text: self.text | next.text << ((8 * self.len) & 127), len })
    }

    /// Up to eight digits without zeros in front; one, if all are.
    #[inline(always)]
    fn leading(value: u64) -> Word {
        let digits = split(value);
        let zeros = (digits | 1 << 56).trailing_zeros() / 8;
        Word { text: (ascii(digits) >> (8 * zeros)).into(), len: 8 - zeros }
    }

    #[inline(always)]
    fn long_integer(value: u64) -> Option<Word> {
        let (high, low) = (value / EIGHT, value % EIGHT);
        let low = Word { text: ascii(split(low)).into(), len: 8 };
        if high < EIGHT { Word::leading(high).then(low) } else { None }
    }

    /// Eight digits with a point among them: at least one digit before it, and one behind.
    #[inline(always)]
    fn short_decimal(digits: u64, decimals: u8) -> Word {
        let digits = split(digits);
        let whole = 8 - u32::from(decimals);
        let zeros_in_front = (digits | 1 << (8 * (whole - 1))).trailing_zeros() / 8;
        let zeros_behind = digits.leading_zeros() / 8;
        let fraction = u32::from(decimals).saturating_sub(zeros_behind);
        let before = (1 << (8 * whole)) - 1;
        let text = ascii(digits);
        let behind = u128::from(text & !before) << 8;
        let pointed = behind | u128::from(u64::from(b'.') << (8 * whole) | (text & before));
        let len = whole - zeros_in_front + fraction + u32::from(fraction > 0);
        Word { text: pointed >> ((8 * zeros_in_front) & 63), len }
    }

    /// Eight digits behind `0.0`: less than a tenth, in parts of 10^9.
    #[inline(always)]
    fn small_fraction(digits: u64) -> Word {
        let digits = split(digits);
        let len = 11 - digits.leading_zeros() / 8;
        let text = u128::from_le_bytes(*b"0.0\0\0\0\0\0\0\0\0\0\0\0\0\0") | u128::from(ascii(digits)) << 24;
        Word { text, len }
    }

    #[inline(always)]
    fn long_decimal(digits: u64, decimals: u8) -> Option<Word> {
        let (whole, fraction) = match decimals {
            3 => (digits / 1_000, digits % 1_000 * 100_000),
            6 => (digits / 1_000_000, digits % 1_000_000 * 100),
            MAX_DECIMALS => return Word::nine_decimals(digits / 1_000_000_000, digits % 1_000_000_000),
            few @ ..=8 => {
                let unit = 10u64.pow(few.into());
                (digits / unit, digits % unit * (EIGHT / unit))
            }
            _ => return None,
        };
        if whole < EIGHT { Word::leading(whole).then(Word::fraction(fraction)) } else { None }
    }

    #[inline(always)]
    fn nine_decimals(whole: u64, fraction: u64) -> Option<Word> {
        if whole >= EIGHT {
            return None;
        }
        let (eight, ninth) = (fraction / 10, fraction % 10);
        if ninth == 0 {
            return Word::leading(whole).then(Word::fraction(eight));
        }
        let text = u128::from(b'.') | u128::from(ascii(split(eight))) << 8 | u128::from(ninth + 0x30) << 72;
        Word::leading(whole).then(Word { text, len: 10 })
    }

    /// A point and the eight digits behind it, up to the last that is not zero; nothing if all are.
    #[inline(always)]
    fn fraction(eight: u64) -> Word {
        let digits = split(eight);
        let len = 8 - digits.leading_zeros() / 8;
        let text = u128::from(b'.') | u128::from(ascii(digits)) << 8;
        Word { text, len: len + u32::from(len > 0) }
    }
}

/// The characters of eight digits.
#[inline]
fn ascii(digits: u64) -> u64 {
    digits + 0x3030_3030_3030_3030
}

/// The eight digits of a number below 10^8, one a byte, the first one lowest.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "a division of 32 bits is shorter, and 10^8 has no more")]
pub(in crate::wire) fn split(value: u64) -> u64 {
    // `high | (value - high * base) << bits`, lane by lane, as one multiplication and one subtraction.
    let high = u64::from(value as u32 / 10_000);
    let fours = (value << 32) - high * ((10_000 << 32) - 1);
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let pairs = (fours << 16) - hundreds * ((100 << 16) - 1);
    let tens = ((pairs * 103) >> 10) & 0x000f_000f_000f_000f;
    (pairs << 8) - tens * ((10 << 8) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(push: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = b"=".to_vec();
        push(&mut out);
        String::from_utf8(out).unwrap().split_off(1)
    }

    #[test]
    fn every_pair_and_every_four_digits_are_split() {
        for value in (0..10_000u64).flat_map(|four| [four, four * 10_000, 99_990_000 + four]) {
            let bytes = ascii(split(value)).to_le_bytes();
            assert_eq!(std::str::from_utf8(&bytes).unwrap(), format!("{value:08}"));
        }
    }

    #[test]
    fn powers_of_ten_and_their_neighbours_are_as_long_as_they_are() {
        for value in (0..20).flat_map(|power| [10u64.pow(power) - 1, 10u64.pow(power), 10u64.pow(power) + 1])
        {
            assert_eq!(text(|out| push_integer(out, value)), value.to_string());
        }
        assert_eq!(text(|out| push_integer(out, u64::MAX)), "18446744073709551615");
        assert_eq!(text(|out| super::super::push_decimal(out, u64::MAX.into(), 9)), "18446744073.709551615");
    }

    proptest! {
        #[test]
        fn an_integer_is_what_the_standard_library_says(wide in any::<u64>(), shift in 0..u64::BITS) {
            let value = wide >> shift;
            prop_assert_eq!(text(|out| push_integer(out, value)), value.to_string());
        }

        #[test]
        fn a_decimal_is_its_integer_with_a_point(wide in any::<u64>(), shift in 0..u64::BITS, decimals in 0..=9u8) {
            let value = wide >> shift;
            let width = usize::from(decimals) + 1;
            let mut expected = format!("{value:0width$}");
            expected.insert(expected.len() - usize::from(decimals), '.');
            let expected = expected.trim_end_matches('0').trim_end_matches('.');
            prop_assert_eq!(text(|out| super::super::push_decimal(out, value.into(), decimals)), expected);
        }
    }
}

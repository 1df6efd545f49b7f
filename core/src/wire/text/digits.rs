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
//! how many, and a shift takes them off. Quotients by a known power of ten are multiplications, so the decimals of
//! nano-, micro- and milliseconds have an arm each.

use std::ops::Deref;

/// The most decimals that [`Digits::of_decimal`] takes: those of nanoseconds shown as seconds.
pub const MAX_SHORT_DECIMALS: u8 = 9;

/// The longest text is 20 digits and a point; the last eight bytes written may reach beyond it.
const BLOCK: usize = 32;

const ZEROS: u64 = 0x3030_3030_3030_3030;

/// The text of a number, at the beginning of a block.
///
/// ```
/// use barewire::wire::text::Digits;
///
/// assert_eq!(&*Digits::of_u64(1_700_000_000), b"1700000000");
/// assert_eq!(&*Digits::of_decimal(1_500_000, 6), b"1.5");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Digits {
    block: [u8; BLOCK],
    len: usize,
}

impl Digits {
    const EMPTY: Digits = Digits { block: [b'0'; BLOCK], len: 0 };

    /// `value` in decimal.
    #[inline]
    #[must_use]
    pub fn of_u64(value: u64) -> Self {
        let mut text = Digits::EMPTY;
        text.integer(value);
        text
    }

    /// `digits / 10^decimals` exactly, without zeros at the end of the fraction. At most [`MAX_SHORT_DECIMALS`]
    /// decimals; more are taken for as many.
    #[inline]
    #[must_use]
    pub fn of_decimal(digits: u64, decimals: u8) -> Self {
        let mut text = Digits::EMPTY;
        match decimals {
            0 => text.integer(digits),
            3 => text.pointed(digits / 1_000, digits % 1_000 * 100_000, 0),
            6 => text.pointed(digits / 1_000_000, digits % 1_000_000 * 100, 0),
            MAX_SHORT_DECIMALS.. => {
                let fraction = digits % 1_000_000_000;
                text.pointed(digits / 1_000_000_000, fraction / 10, fraction % 10);
            }
            few => {
                let unit = 10u64.pow(few.into());
                text.pointed(digits / unit, digits % unit * (100_000_000 / unit), 0);
            }
        }
        text
    }

    /// Appends the text.
    #[inline]
    pub fn push(&self, out: &mut Vec<u8>) {
        let end = out.len() + self.len;
        out.extend_from_slice(&self.block);
        out.truncate(end);
    }

    #[inline]
    fn integer(&mut self, value: u64) {
        const EIGHT: u64 = 100_000_000;
        if value < EIGHT {
            return self.leading(value);
        }
        let (high, low) = (value / EIGHT, value % EIGHT);
        if high < EIGHT {
            self.leading(high);
        } else {
            self.leading(high / EIGHT);
            self.word(ZEROS + split(high % EIGHT), 8);
        }
        self.word(ZEROS + split(low), 8);
    }

    /// `whole`, and behind a point the eight digits of `fraction` and one more, up to the last that is not zero.
    #[inline]
    fn pointed(&mut self, whole: u64, fraction: u64, ninth: u64) {
        self.integer(whole);
        if fraction | ninth == 0 {
            return;
        }
        self.word(u64::from(b'.'), 1);
        let digits = split(fraction);
        if ninth == 0 {
            return self.word(ZEROS + digits, 8 - digits.leading_zeros() as usize / 8);
        }
        self.word(ZEROS + digits, 8);
        self.word(ZEROS + ninth, 1);
    }

    /// Up to eight digits without zeros in front; one, if all are.
    #[inline]
    fn leading(&mut self, value: u64) {
        let digits = split(value);
        let zeros = (digits | 1 << 56).trailing_zeros() / 8;
        self.word(ZEROS + (digits >> (8 * zeros)), 8 - zeros as usize);
    }

    /// The first `len` bytes of `text`.
    #[inline]
    fn word(&mut self, text: u64, len: usize) {
        // Never beyond the block: at most 20 digits and a point. The minimum tells the compiler.
        let at = self.len.min(BLOCK - 8);
        self.block[at..at + 8].copy_from_slice(&text.to_le_bytes());
        self.len = at + len;
    }
}

impl Deref for Digits {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.block[..self.len]
    }
}

/// The eight digits of a number below 10^8, one a byte, the first one lowest.
#[inline]
fn split(value: u64) -> u64 {
    let fours = (value / 10_000) | (value % 10_000) << 32;
    let hundreds = (fours * 10_486 >> 20) & 0x0000_007f_0000_007f;
    let pairs = hundreds | (fours - hundreds * 100) << 16;
    let tens = (pairs * 103 >> 10) & 0x000f_000f_000f_000f;
    tens | (pairs - tens * 10) << 8
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(digits: Digits) -> String {
        String::from_utf8(digits.to_vec()).unwrap()
    }

    #[test]
    fn every_pair_and_every_four_digits_are_split() {
        for value in (0..10_000u64).flat_map(|four| [four, four * 10_000, 99_990_000 + four]) {
            let bytes = (split(value) + ZEROS).to_le_bytes();
            assert_eq!(std::str::from_utf8(&bytes).unwrap(), format!("{value:08}"));
        }
    }

    #[test]
    fn powers_of_ten_and_their_neighbours_are_as_long_as_they_are() {
        for value in (0..20).flat_map(|power| [10u64.pow(power) - 1, 10u64.pow(power), 10u64.pow(power) + 1])
        {
            assert_eq!(text(Digits::of_u64(value)), value.to_string());
        }
        assert_eq!(&*Digits::of_u64(u64::MAX), b"18446744073709551615");
        assert_eq!(&*Digits::of_decimal(u64::MAX, 9), b"18446744073.709551615");
    }

    proptest! {
        #[test]
        fn an_integer_is_what_the_standard_library_says(wide in any::<u64>(), shift in 0..u64::BITS) {
            let value = wide >> shift;
            prop_assert_eq!(text(Digits::of_u64(value)), value.to_string());
        }

        #[test]
        fn a_decimal_is_its_integer_with_a_point(wide in any::<u64>(), shift in 0..u64::BITS, decimals in 0..=9u8) {
            let value = wide >> shift;
            let width = usize::from(decimals) + 1;
            let mut expected = format!("{value:0width$}");
            expected.insert(expected.len() - usize::from(decimals), '.');
            let expected = expected.trim_end_matches('0').trim_end_matches('.');
            prop_assert_eq!(text(Digits::of_decimal(value, decimals)), expected);
        }
    }
}

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
//! how many, and a shift takes them off. A word, or two with a point among them, is appended whole, and what is too
//! much cut off: a copy whose size is known is one move, where another one is a call.

use crate::wire::runs::push_start;

/// The most decimals that [`push_decimal`] takes: those of nanoseconds shown as seconds.
pub(super) const MAX_DECIMALS: u8 = 9;

const EIGHT: u64 = 100_000_000;

/// Appends `value` in decimal.
#[inline]
pub(super) fn push_integer(out: &mut Vec<u8>, value: u64) {
    if value < EIGHT { push_leading(out, value) } else { push_long_integer(out, value) }
}

/// Apart, so that the registers it needs are not saved for a short one.
#[inline(never)]
fn push_long_integer(out: &mut Vec<u8>, value: u64) {
    let (high, low) = (value / EIGHT, value % EIGHT);
    if high < EIGHT {
        push_leading(out, high);
    } else {
        push_leading(out, high / EIGHT);
        out.extend_from_slice(&ascii(split(high % EIGHT)).to_le_bytes());
    }
    out.extend_from_slice(&ascii(split(low)).to_le_bytes());
}

/// Appends `digits / 10^decimals` exactly, without zeros at the end of the fraction; at most [`MAX_DECIMALS`] decimals.
#[inline]
pub(super) fn push_decimal(out: &mut Vec<u8>, digits: u64, decimals: u8) {
    match decimals {
        0 => push_integer(out, digits),
        1..=7 if digits < EIGHT => push_short_decimal(out, digits, decimals),
        MAX_DECIMALS.. if digits < EIGHT && digits > 0 => push_small_fraction(out, digits),
        _ => push_long_decimal(out, digits, decimals),
    }
}

/// Eight digits with a point among them: at least one digit before it, and one behind.
#[inline]
fn push_short_decimal(out: &mut Vec<u8>, digits: u64, decimals: u8) {
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
    push_start(out, &(pointed >> ((8 * zeros_in_front) & 63)).to_le_bytes(), len as usize);
}

/// Eight digits behind `0.0`: less than a tenth, in parts of 10^9.
#[inline]
fn push_small_fraction(out: &mut Vec<u8>, digits: u64) {
    let digits = split(digits);
    let len = 11 - digits.leading_zeros() as usize / 8;
    let text = u128::from_le_bytes(*b"0.0\0\0\0\0\0\0\0\0\0\0\0\0\0") | u128::from(ascii(digits)) << 24;
    push_start(out, &text.to_le_bytes(), len);
}

#[inline(never)]
fn push_long_decimal(out: &mut Vec<u8>, digits: u64, decimals: u8) {
    match decimals {
        3 => push_pointed(out, digits / 1_000, digits % 1_000 * 100_000, 0),
        6 => push_pointed(out, digits / 1_000_000, digits % 1_000_000 * 100, 0),
        MAX_DECIMALS.. => {
            let fraction = digits % 1_000_000_000;
            push_pointed(out, digits / 1_000_000_000, fraction / 10, fraction % 10);
        }
        few => {
            let unit = 10u64.pow(few.into());
            push_pointed(out, digits / unit, digits % unit * (EIGHT / unit), 0);
        }
    }
}

/// Appends `whole`, and behind a point the eight digits of `fraction` and a ninth, up to the last that is not zero.
#[inline]
fn push_pointed(out: &mut Vec<u8>, whole: u64, fraction: u64, ninth: u64) {
    push_integer(out, whole);
    if fraction | ninth == 0 {
        return;
    }
    let digits = split(fraction);
    let len = if ninth == 0 { 8 - digits.leading_zeros() as usize / 8 } else { 9 };
    let [a, b, c, d, e, f, g, h] = ascii(digits).to_le_bytes();
    let ninth = b'0' + u8::try_from(ninth).unwrap_or(0);
    push_start(out, &[b'.', a, b, c, d, e, f, g, h, ninth], 1 + len);
}

/// Appends up to eight digits without zeros in front; one, if all are.
#[inline]
fn push_leading(out: &mut Vec<u8>, value: u64) {
    let digits = split(value);
    let zeros = (digits | 1 << 56).trailing_zeros() / 8;
    push_start(out, &ascii(digits >> (8 * zeros)).to_le_bytes(), 8 - zeros as usize);
}

/// The characters of eight digits.
#[inline]
fn ascii(digits: u64) -> u64 {
    digits + 0x3030_3030_3030_3030
}

/// The eight digits of a number below 10^8, one a byte, the first one lowest.
#[inline]
pub(in crate::wire) fn split(value: u64) -> u64 {
    let fours = (value / 10_000) | (value % 10_000) << 32;
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let pairs = hundreds | (fours - hundreds * 100) << 16;
    let tens = ((pairs * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | (pairs - tens * 10) << 8
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
        assert_eq!(text(|out| push_decimal(out, u64::MAX, 9)), "18446744073.709551615");
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
            prop_assert_eq!(text(|out| push_decimal(out, value, decimals)), expected);
        }
    }
}

//! Typed pushes onto a byte buffer: append-only, and they cannot fail.
//!
//! Every text format is written with these. Numbers are exact: nothing passes through a float on its way to
//! text unless it is one.
//!
//! Integers and short decimals, nearly all that a tick writes, are made eight digits at a time (`digits`).

mod digits;

pub(super) use digits::split;

/// The longest output of [`push_u64`]: `18446744073709551615`.
pub const MAX_U64_LEN: usize = 20;
/// The longest output of [`push_i64`]: `-9223372036854775808`.
pub const MAX_I64_LEN: usize = 20;
/// The longest output of [`push_u128`]: `340282366920938463463374607431768211455`.
pub const MAX_U128_LEN: usize = 39;
/// The longest output of [`push_decimal`] up to 38 decimals: `3.40282366920938463463374607431768211455`.
pub const MAX_DECIMAL_LEN: usize = 40;
/// The longest output of [`push_f64`]: `-1.7976931348623157e+308`.
pub const MAX_F64_LEN: usize = 24;

/// Appends `value` in decimal, at most [`MAX_U64_LEN`] bytes.
#[inline]
pub fn push_u64(out: &mut Vec<u8>, value: u64) {
    digits::push_integer(out, value);
}

/// Appends `value` in decimal, at most [`MAX_I64_LEN`] bytes.
#[inline]
pub fn push_i64(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    digits::push_integer(out, value.unsigned_abs());
}

/// Appends `value` in decimal, at most [`MAX_U128_LEN`] bytes.
pub fn push_u128(out: &mut Vec<u8>, value: u128) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends `digits / 10^decimals` exactly, without an exponent and without zeros at the end of the fraction.
///
/// At most [`MAX_DECIMAL_LEN`] bytes up to 38 decimals, and `decimals + 2` beyond.
///
/// ```
/// use barewire::wire::text::push_decimal;
///
/// let mut out = Vec::new();
/// push_decimal(&mut out, 1_500_000_000, 9); // nanoseconds, shown as seconds
/// assert_eq!(out, b"1.5");
/// ```
#[inline]
pub fn push_decimal(out: &mut Vec<u8>, digits: u128, decimals: u8) {
    match u64::try_from(digits) {
        Ok(short) if digits::push_decimal(out, short, decimals) => {}
        _ => push_long_decimal(out, digits, decimals),
    }
}

/// Division of 128 bits is a library call; most values do not need it.
#[cold]
fn push_long_decimal(out: &mut Vec<u8>, digits: u128, decimals: u8) {
    push_pointed(out, itoa::Buffer::new().format(digits).as_bytes(), usize::from(decimals));
}

/// Appends a **finite** `value` in the shortest form that reads back as the same float, at most
/// [`MAX_F64_LEN`] bytes: `1`, `-0`, `0.1`, `1e-9`, `1e+20`.
///
/// JSON, line protocol and both Prometheus texts accept every form it writes. What a format makes of NaN and
/// the infinities is for its encoder to decide before the call; here they are a bug, and the output is then
/// some number or other.
pub fn push_f64(out: &mut Vec<u8>, value: f64) {
    debug_assert!(value.is_finite(), "an encoder must set {value} aside");
    let mut buffer = zmij::Buffer::new();
    let shortest = buffer.format_finite(value);
    out.extend_from_slice(shortest.strip_suffix(".0").unwrap_or(shortest).as_bytes());
}

/// Appends `text` as a JSON string, quotes included. What JSON lets stand raw is left raw.
///
/// At most six bytes a byte, and two.
pub fn push_json_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    push_escaped(out, text, json_escape);
    out.push(b'"');
}

/// Appends `text`, each byte for which `escape` has a replacement by that replacement.
///
/// Runs between such bytes are copied whole. To keep the output UTF-8, replace ASCII bytes only.
///
/// ```
/// use barewire::wire::text::push_escaped;
///
/// let mut out = Vec::new();
/// push_escaped(&mut out, "a b", |byte| if byte == b' ' { Some(b"\\ ") } else { None });
/// assert_eq!(out, b"a\\ b");
/// ```
pub fn push_escaped(out: &mut Vec<u8>, text: &str, escape: impl Fn(u8) -> Option<&'static [u8]>) {
    let mut run = text.as_bytes();
    while let Some((at, replacement)) = run.iter().enumerate().find_map(|(at, &b)| Some((at, escape(b)?))) {
        out.extend_from_slice(&run[..at]);
        out.extend_from_slice(replacement);
        run = &run[at + 1..];
    }
    out.extend_from_slice(run);
}

/// Appends `digits` with the point before the last `decimals` of them.
fn push_pointed(out: &mut Vec<u8>, digits: &[u8], decimals: usize) {
    let (whole, fraction) = digits.split_at(digits.len().saturating_sub(decimals));
    out.extend_from_slice(if whole.is_empty() { b"0" } else { whole });
    if let Some(last) = fraction.iter().rposition(|&digit| digit != b'0') {
        out.push(b'.');
        out.resize(out.len() + (decimals - fraction.len()), b'0');
        out.extend_from_slice(&fraction[..=last]);
    }
}

/// RFC 8259, section 7: the quote, the backslash and U+0000 to U+001F.
fn json_escape(byte: u8) -> Option<&'static [u8]> {
    match byte {
        b'"' => Some(b"\\\""),
        b'\\' => Some(b"\\\\"),
        ..=0x1f => Some(JSON_CONTROLS[usize::from(byte)]),
        _ => None,
    }
}

#[rustfmt::skip]
const JSON_CONTROLS: [&[u8]; 32] = [
    b"\\u0000", b"\\u0001", b"\\u0002", b"\\u0003", b"\\u0004", b"\\u0005", b"\\u0006", b"\\u0007",
    b"\\b",     b"\\t",     b"\\n",     b"\\u000b", b"\\f",     b"\\r",     b"\\u000e", b"\\u000f",
    b"\\u0010", b"\\u0011", b"\\u0012", b"\\u0013", b"\\u0014", b"\\u0015", b"\\u0016", b"\\u0017",
    b"\\u0018", b"\\u0019", b"\\u001a", b"\\u001b", b"\\u001c", b"\\u001d", b"\\u001e", b"\\u001f",
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pushed(push: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = b"before ".to_vec();
        push(&mut out);
        String::from_utf8(out).unwrap().strip_prefix("before ").expect("a push only appends").to_owned()
    }

    #[test]
    fn integers_are_as_long_as_they_are_said_to_be() {
        assert_eq!(pushed(|out| push_u64(out, 0)), "0");
        assert_eq!(pushed(|out| push_u64(out, u64::MAX)), "18446744073709551615");
        assert_eq!(pushed(|out| push_i64(out, i64::MIN)), "-9223372036854775808");
        assert_eq!(pushed(|out| push_u128(out, u128::MAX)), "340282366920938463463374607431768211455");
        assert_eq!(pushed(|out| push_u64(out, u64::MAX)).len(), MAX_U64_LEN);
        assert_eq!(pushed(|out| push_i64(out, i64::MIN)).len(), MAX_I64_LEN);
        assert_eq!(pushed(|out| push_u128(out, u128::MAX)).len(), MAX_U128_LEN);
    }

    #[test]
    fn a_decimal_is_exact_and_has_no_zeros_at_its_end() {
        let cases: &[(u128, u8, &str)] = &[
            (1_500_000_000, 9, "1.5"),
            (0, 9, "0"),
            (0, 0, "0"),
            (2_000_000, 6, "2"),
            (7, 0, "7"),
            (70, 0, "70"),
            (1, 9, "0.000000001"),
            (10, 9, "0.00000001"),
            (123_456_789, 9, "0.123456789"),
            (1_234_567_890, 9, "1.23456789"),
            (18_446_744_073_709_551_615, 9, "18446744073.709551615"),
            (18_446_744_073_709_551_616, 9, "18446744073.709551616"),
            (u128::MAX, 18, "340282366920938463463.374607431768211455"),
            (u128::MAX, 38, "3.40282366920938463463374607431768211455"),
            (5, 41, "0.00000000000000000000000000000000000000005"),
        ];
        for &(digits, decimals, expected) in cases {
            assert_eq!(pushed(|out| push_decimal(out, digits, decimals)), expected);
        }
        assert_eq!(pushed(|out| push_decimal(out, u128::MAX, 38)).len(), MAX_DECIMAL_LEN);
        assert_eq!(pushed(|out| push_decimal(out, 1, 255)).len(), 255 + 2);
    }

    #[test]
    fn a_float_is_the_shortest_text_that_every_format_reads() {
        let cases: &[(f64, &str)] = &[
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (0.1, "0.1"),
            (100.0, "100"),
            (1e-9, "1e-9"),
            (1.5e-9, "1.5e-9"),
            (9_007_199_254_740_991.0, "9007199254740991"),
            (1e20, "1e+20"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
        ];
        for &(value, expected) in cases {
            assert_eq!(pushed(|out| push_f64(out, value)), expected);
        }
        assert_eq!(pushed(|out| push_f64(out, f64::MIN)).len(), MAX_F64_LEN);
    }

    #[test]
    fn a_json_string_escapes_what_it_must_and_nothing_else() {
        assert_eq!(pushed(|out| push_json_string(out, "")), r#""""#);
        assert_eq!(pushed(|out| push_json_string(out, "a\"b\\c/d")), r#""a\"b\\c/d""#);
        assert_eq!(pushed(|out| push_json_string(out, "\n\r\t\u{8}\u{c}")), r#""\n\r\t\b\f""#);
        assert_eq!(pushed(|out| push_json_string(out, "\0\u{1f}\u{b}")), r#""\u0000\u001f\u000b""#);
        assert_eq!(pushed(|out| push_json_string(out, "é🍭\u{7f}\u{2028}")), "\"é🍭\u{7f}\u{2028}\"");
    }

    /// The grammar of a JSON number (RFC 8259, section 6), the narrowest of the four formats.
    fn is_json_number(text: &str) -> bool {
        let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        let text = text.strip_prefix('-').unwrap_or(text);
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        digits(whole) && (whole == "0" || !whole.starts_with('0')) && digits(fraction) && digits(exponent)
    }

    proptest! {
        #[test]
        fn a_float_reads_back_as_itself(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            let text = pushed(|out| push_f64(out, value));
            prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), bits);
            prop_assert!(is_json_number(&text), "{}", text);
            prop_assert!(text.len() <= MAX_F64_LEN);
        }

        #[test]
        fn a_decimal_reads_back_as_its_digits(digits in any::<u128>(), shift in 0..128_u32, decimals in 0..=38_u8) {
            let digits = digits >> shift;
            let text = pushed(|out| push_decimal(out, digits, decimals));
            let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
            let padded = format!("{whole}{fraction:0<width$}", width = usize::from(decimals));
            prop_assert_eq!(padded.parse::<u128>().unwrap(), digits);
            prop_assert!(!fraction.ends_with('0') && !text.ends_with('.'));
            prop_assert!(text.len() <= MAX_DECIMAL_LEN);
        }

        #[test]
        fn an_escaped_text_is_the_replacement_of_each_byte(text in "[ab,=\\\\ é\n]*") {
            let escape = |b| match b {
                b',' => Some(b"\\,".as_slice()),
                b'\n' => Some(b"_".as_slice()),
                b' ' => Some(b"".as_slice()),
                _ => None,
            };
            let expected = text.replace(',', "\\,").replace('\n', "_").replace(' ', "");
            prop_assert_eq!(pushed(|out| push_escaped(out, &text, escape)), expected);
        }
    }
}

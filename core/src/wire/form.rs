//! A document that goes out again and again with other numbers in it.
//!
//! From one tick to the next hardly anything of a document changes but digits, and most numbers have as many of them as
//! before. So a [`Form`] keeps the document as it went out the last time, knows where its numbers stand, and each new one
//! is written over the one that was: that costs the arithmetic of its digits and a store or two, and the text around
//! it nothing.
//!
//! Zeros at the end of a fraction mean nothing in any format, so a fraction is filled up with them and keeps its width.
//! Where a format takes blanks before a value, an integer that needs less room leaves some. Whatever else is wider or
//! narrower than its field moves what stands behind it: the tail of the document is put aside then, once a tick, and comes
//! back in long stretches between the fields that do not fit.
//!
//! ```text
//! then   …"asInt":"1234"},{…"asDouble":0.125731}…"asInt":"99"}…
//! now    …"asInt": "999"},{…"asDouble":0.130000}…"asInt":"        written over
//!                                                         100     does not fit: the tail is put aside
//!                                                            "}…  the next stretch of it
//! ```

use std::{mem, ops::Range};

pub use super::field::Field;
use super::field::{REACH, short};
use crate::view::Number;

/// A document, and what it takes to change the numbers in it.
#[derive(Debug, Default)]
pub struct Form {
    text: Vec<u8>,
    /// The tail that was put aside.
    tail: Vec<u8>,
    /// What is to stand in a field.
    entry: Vec<u8>,
    takes_blanks: bool,
}

/// How far is copied beyond a field: a large copy is cheaper than small ones, and what lies behind a number that does
/// not fit is copied in vain.
const AHEAD: usize = 1024;

impl Form {
    /// Of a format that takes blanks before a value; the default is of one that does not.
    pub fn with_blanks() -> Self {
        Form { takes_blanks: true, ..Form::default() }
    }

    /// Forgets the document, and returns where the next one is to be written.
    pub fn clear(&mut self) -> &mut Vec<u8> {
        self.text.clear();
        &mut self.text
    }

    /// The document.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The field of what stands at `place` in the document: a number, with a quote before it or not, or any other text.
    /// `previous` is the field before it, if there is one.
    ///
    /// # Panics
    /// If the place is not within the document; if that has more than 4 GiB.
    pub fn field(&self, place: Range<usize>, number: Option<Number>, previous: Option<&Field>) -> Field {
        let is_tight = previous.is_some_and(|field| place.start < field.end() + REACH);
        Field::new(&self.text, place, number, is_tight)
    }

    /// Begins to put other values into the document. Its fields are to be given in turn, each of them; if that ends before
    /// [`Filling::finish`], the document is none any more.
    #[inline]
    pub fn fill(&mut self) -> Filling<'_> {
        Filling { form: self, is_moving: false, cut: 0, copied: 0, shift: 0 }
    }
}

/// A form that is being filled.
#[derive(Debug)]
#[must_use = "the document is whole when it is finished"]
pub struct Filling<'a> {
    form: &'a mut Form,
    /// Whether there is a tail.
    is_moving: bool,
    /// Where the tail began in the document as it was.
    cut: usize,
    /// Up to where in the document as it was the tail has come back.
    copied: usize,
    /// By how much what came back stands further back than it did, less than nothing wraps: a place in the document as it was and
    /// this make the place in the document as it is.
    shift: u32,
}

impl Filling<'_> {
    /// Goes to a field.
    #[inline(always)]
    pub fn reach(&mut self, field: &mut Field) {
        if self.is_moving {
            self.fetch(field);
        }
    }

    /// Writes over what stands `before` bytes before the field that was reached. A number reaches eight bytes to the front, and
    /// what is written over must end before that.
    #[inline(always)]
    pub fn patch<const N: usize>(&mut self, field: &Field, before: usize, text: &[u8; N]) {
        let at = field.start().wrapping_sub(before);
        self.form.text[at..][..N].copy_from_slice(text);
    }

    /// Writes a number over the one in the field that was reached. Whether it fits: else it is to be pushed.
    #[inline(always)]
    pub fn number(&mut self, field: &Field, number: &Number) -> bool {
        field.write(&mut self.form.text, number)
    }

    /// Puts what `push` appends into the field that was reached: this number, or any other text.
    #[inline(never)]
    pub fn push(&mut self, field: &mut Field, number: Option<Number>, push: impl FnOnce(&mut Vec<u8>)) {
        let Form { text, tail, entry, takes_blanks } = &mut *self.form;
        entry.clear();
        push(entry);
        if let Some(number) = number {
            fill_up(entry, number, field.place().len(), *takes_blanks);
        }
        let place = field.place();
        if entry.len() == place.len() {
            text[place.clone()].copy_from_slice(entry);
            // A fraction that was filled up stands in a field for more digits, or more decimals. The next number of that
            // width is written over all of it, the point too, so the field is still right.
            if !field.is_of_decimals() || !matches!(number, Some(Number::Decimal { decimals: 1.., .. })) {
                field.renew(text, place, number);
            }
            return;
        }
        if !self.is_moving {
            self.is_moving = true;
            if place.start < text.len() / 2 {
                // All of the document is the tail then: what stands before the field is the shorter part.
                self.cut = 0;
                mem::swap(text, tail);
                text.clear();
                text.extend_from_slice(&tail[..place.start]);
            } else {
                self.cut = place.end;
                tail.clear();
                tail.extend_from_slice(&text[place.end..]);
            }
        }
        // Where the field ended before it was reached.
        self.copied = short(place.end).wrapping_sub(self.shift) as usize;
        text.truncate(place.start);
        text.extend_from_slice(entry);
        self.shift = short(text.len()).wrapping_sub(short(self.copied));
        field.renew(text, place.start..text.len(), number);
    }

    /// Ends the document.
    #[inline]
    pub fn finish(mut self) {
        if self.is_moving {
            self.bring_back(usize::MAX);
        }
    }

    #[inline(never)]
    fn fetch(&mut self, field: &mut Field) {
        if field.end() > self.copied {
            self.bring_back(field.end() + AHEAD);
        }
        field.shift(self.shift);
    }

    /// Brings the tail back up to where `end` was.
    #[inline(never)]
    fn bring_back(&mut self, end: usize) {
        let Form { text, tail, .. } = &mut *self.form;
        let end = end.min(self.cut + tail.len());
        text.extend_from_slice(&tail[self.copied - self.cut..end - self.cut]);
        self.copied = end;
        // All that is reached stands before that.
        short(text.len());
    }
}

/// Makes a number as wide as its field, if that can be done. If it is too wide, its field becomes wider: once, for all of its
/// decimals, and not with every zero at its end.
fn fill_up(entry: &mut Vec<u8>, number: Number, width: usize, takes_blanks: bool) {
    let all = match number {
        Number::Int(_) if takes_blanks => {
            let blanks = width.saturating_sub(entry.len());
            entry.splice(..0, std::iter::repeat_n(b' ', blanks));
            return;
        }
        Number::Decimal { digits, decimals: decimals @ 1.. } => {
            let wide = digits.checked_ilog10().map_or(1, |log| log as usize + 1);
            wide.max(usize::from(decimals) + 1) + 1
        }
        Number::Float(_) => width,
        _ => return,
    };
    let full = if entry.len() <= width { width } else { all };
    // An exponent, or what is no number.
    if entry.iter().any(u8::is_ascii_alphabetic) {
        return;
    }
    if !entry.contains(&b'.') && full > entry.len() + 1 {
        entry.push(b'.');
    }
    if entry.contains(&b'.') && full > entry.len() {
        entry.resize(full, b'0');
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::wire::{
        field::MAX_DIGITS,
        text::{push_decimal, push_f64, push_i64},
    };

    /// A number, or a text of that length.
    type Content = Result<Number, usize>;

    fn push(content: Content, out: &mut Vec<u8>) {
        match content {
            Ok(Number::Int(int)) => {
                out.push(b'"');
                push_i64(out, int);
            }
            Ok(Number::Decimal { digits, decimals }) => push_decimal(out, digits, decimals),
            Ok(Number::Float(float)) if float.is_finite() => push_f64(out, float),
            Ok(Number::Float(_)) => out.extend_from_slice(b"NaN"),
            Err(len) => out.resize(out.len() + len, b't'),
        }
    }

    fn content() -> impl Strategy<Value = Content> {
        let digits = || (any::<u64>(), 0..64u32).prop_map(|(wide, shift)| wide >> shift);
        prop_oneof![
            1 => digits().prop_map(|digits| Ok(Number::Int(-(digits >> 1).cast_signed()))),
            4 => digits().prop_map(|digits| Ok(Number::Int((digits >> 1).cast_signed()))),
            8 => (digits(), 0..=10u8).prop_map(|(digits, decimals)| {
                Ok(Number::Decimal { digits: digits.into(), decimals })
            }),
            1 => any::<u128>().prop_map(|digits| Ok(Number::Decimal { digits, decimals: 9 })),
            2 => any::<f64>().prop_map(|float| Ok(Number::Float(float))),
            2 => (-1_000..1_000).prop_map(|eighths| Ok(Number::Float(f64::from(eighths) / 8.0))),
            1 => (0..20usize).prop_map(Err),
        ]
    }

    fn laid_out(mut form: Form, head: &str, contents: &[(String, Content)]) -> (Form, Vec<Field>) {
        let mut fields = Vec::new();
        let mut places = Vec::new();
        let document = form.clear();
        document.extend_from_slice(head.as_bytes());
        for (text, content) in contents {
            document.extend_from_slice(text.as_bytes());
            let start = document.len();
            push(*content, document);
            places.push((start..document.len(), content.ok()));
        }
        document.extend_from_slice(b"end");
        for (place, number) in places {
            fields.push(form.field(place, number, fields.last()));
        }
        (form, fields)
    }

    fn fill(form: &mut Form, fields: &mut [Field], contents: &[Content]) {
        let mut filling = form.fill();
        for (content, field) in contents.iter().zip(fields) {
            filling.reach(field);
            if !content.is_ok_and(|number| filling.number(field, &number)) {
                filling.push(field, content.ok(), |out| push(*content, out));
            }
        }
        filling.finish();
    }

    /// Without the zeros that a fraction ends in, and without blanks.
    fn trimmed(document: &[u8]) -> String {
        let document = std::str::from_utf8(document).unwrap().replace(' ', "");
        let numbers = document.split_inclusive(|c: char| !c.is_ascii_digit() && c != '.');
        let trim = |text: &str| {
            let number = text.trim_end_matches(|c: char| !c.is_ascii_digit());
            let behind = &text[number.len()..];
            let zeros = if number.contains('.') { '0' } else { ' ' };
            format!("{}{behind}", number.trim_end_matches(zeros).trim_end_matches('.'))
        };
        numbers.map(trim).collect()
    }

    #[test]
    fn a_fraction_keeps_its_width() {
        let decimal = |digits| Ok(Number::Decimal { digits, decimals: 6 });
        let (head, text) = ("a document that begins somewhere: ", || ", and then ".to_owned());
        let (mut form, mut fields) = laid_out(
            Form::default(),
            head,
            &[(text(), decimal(12_345_678)), (text(), Ok(Number::Float(0.0625)))],
        );
        for (ticks, expected) in [
            ([decimal(13_000_000), Ok(Number::Float(0.5))], "13.000000, and then 0.5000end"),
            ([decimal(9_876_543), Ok(Number::Float(7.0))], "9.8765430, and then 7.0000end"),
            ([decimal(0), Ok(Number::Float(0.0))], "0.0000000, and then 0.0000end"),
            ([decimal(123_450_000), Ok(Number::Float(1e-9))], "123.45000, and then 1e-9end"),
            ([decimal(123_456_789), Ok(Number::Float(0.5))], "123.456789, and then 0.50end"),
            ([decimal(1), Ok(Number::Float(f64::NAN))], "0.00000100, and then NaNend"),
        ] {
            fill(&mut form, &mut fields, &ticks);
            let text = std::str::from_utf8(form.text()).unwrap();
            assert_eq!(text, format!("{head}, and then {expected}"));
        }
    }

    #[test]
    fn an_integer_leaves_blanks_where_a_format_takes_them() {
        let int = |int| [Ok(Number::Int(int)), Ok(Number::Int(7))];
        for (form, ticks) in [
            (
                Form::with_blanks(),
                [
                    "\"1234 and \"7",
                    " \"999 and \"7",
                    "   \"5 and \"7",
                    "  \"-5 and \"7",
                    "\"9876 and \"7",
                    "\"10000 and \"7",
                ],
            ),
            (
                Form::default(),
                [
                    "\"1234 and \"7",
                    "\"999 and \"7",
                    "\"5 and \"7",
                    "\"-5 and \"7",
                    "\"9876 and \"7",
                    "\"10000 and \"7",
                ],
            ),
        ] {
            let (head, text) = ("a document that begins somewhere: ", || " and ".to_owned());
            let contents = [(String::new(), Ok(Number::Int(1234))), (text(), Ok(Number::Int(7)))];
            let (mut form, mut fields) = laid_out(form, head, &contents);
            for (number, expected) in [1234, 999, 5, -5, 9876, 10_000].into_iter().zip(ticks) {
                fill(&mut form, &mut fields, &int(number));
                assert_eq!(std::str::from_utf8(form.text()).unwrap(), format!("{head}{expected}end"));
            }
        }
    }

    #[test]
    fn a_number_is_written_over_one_of_its_width() {
        for decimals in 1..=9 {
            for wide in usize::from(decimals) + 1..=MAX_DIGITS {
                let number = |digits: u64| Number::Decimal { digits: digits.into(), decimals };
                let ones = (0..wide).fold(0, |ones, _| 10 * ones + 1);
                let contents = [(String::new(), Ok(number(ones)))];
                let (mut form, fields) =
                    laid_out(Form::default(), "a document that begins somewhere: ", &contents);
                let (before, mut filling) = (form.text().len(), form.fill());
                assert!(filling.number(&fields[0], &number(ones * 8)), "{wide} digits, {decimals} decimals");
                assert!(!filling.number(&fields[0], &number(ones * 9 + 1)));
                filling.finish();
                assert_eq!(form.text().len(), before);
                let mut expected = b"a document that begins somewhere: ".to_vec();
                push(Ok(number(ones * 8)), &mut expected);
                assert_eq!(form.text(), [&expected, &b"end"[..]].concat());
            }
        }
    }

    proptest! {
        #[test]
        fn a_form_says_what_a_document_from_scratch_says(
            head in "[a-z]{0,40}",
            fields in vec(("[a-z]{1,30}", content(), vec(content(), 4)), 0..8),
            takes_blanks in any::<bool>(),
        ) {
            let form = || if takes_blanks { Form::with_blanks() } else { Form::default() };
            let first: Vec<_> = fields.iter().map(|(text, content, _)| (text.clone(), *content)).collect();
            let (mut filled, mut places) = laid_out(form(), &head, &first);
            for tick in 0..4 {
                let now: Vec<_> = fields.iter().map(|(text, _, then)| (text.clone(), then[tick])).collect();
                let contents: Vec<Content> = now.iter().map(|(_, content)| *content).collect();
                fill(&mut filled, &mut places, &contents);
                let (expected, _) = laid_out(form(), &head, &now);
                prop_assert_eq!(trimmed(filled.text()), trimmed(expected.text()));
            }
        }
    }
}

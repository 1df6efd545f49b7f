//! A document that goes out again and again with other numbers in it.
//!
//! From one tick to the next hardly anything of a document changes but digits, and most numbers have as many of them as
//! before. So a [`Form`] keeps the document as it was laid out once, and knows where its numbers stand. It is copied to
//! the output in long stretches, and there each number is written over the one that was: it costs the arithmetic of its
//! digits and a store, and the text around it a share of a large copy. Where a number is wider or narrower than its
//! field, what was copied beyond it is cut off, the number is pushed, and the next stretch begins behind the field.
//!
//! ```text
//! form   …"asInt":"1234"},{…"asDouble":0.125731}…"asInt":"99"}…
//! out    …"asInt":"1250"},{…"asDouble":0.125802}…"asInt":"        copied at once, then written over
//!                                                         100     does not fit: pushed
//!                                                            "}…  the next stretch
//! ```
//!
//! Digits come eight in a word, the last one highest. The word is stored where the number ends, so in front of the digits
//! it reaches into the text before: its *base* has what stands there, and `'0'` where digits come, and one addition
//! makes both. A point is made room for by shifting what stands before it. Zeros that a fraction ends in are taken back.
//!
//! Numbers are written to the output and not to the form, because a copy that reads what was written just before has to
//! wait for it: that cost more than all else together.

use super::text::split;

/// A document that was laid out once.
#[derive(Debug, Default)]
pub struct Form {
    text: Vec<u8>,
}

/// What stood in a field when its document was laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blank {
    /// An integer.
    Integer(i64),
    /// `digits / 10^decimals`, without zeros at the end of the fraction.
    Decimal {
        /// All digits, as an integer.
        digits: u128,
        /// How many of them stand behind the point.
        decimals: u8,
    },
    /// A text of any length.
    Text,
}

/// The place of one number in a form, or of any other text.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    start: u32,
    end: u32,
    /// The least integer that is as wide as the field.
    low: u64,
    /// How many such integers there are; none for what is no number.
    span: u64,
    /// The last word.
    base: u64,
    /// That of the digits before the last eight.
    high_base: u64,
    decimals: u8,
    /// Whether there are more than eight digits.
    is_long: bool,
    /// What stands in front of the last eight bytes of a decimal, or `'0'`.
    first: u8,
}

const WINDOW: usize = 24;
const EIGHT: u64 = 100_000_000;
/// How far is copied beyond a field: a large copy is cheaper than small ones, and what lies behind a number that does
/// not fit is copied in vain.
const AHEAD: usize = 1024;

impl Form {
    /// Lays out a document with fields at these places, from the first to the last, and hands each of them to `add`.
    ///
    /// # Panics
    /// If a field is not within the document, or not behind the one before; if the document has more than 4 GiB.
    pub fn lay_out(
        &mut self,
        document: &[u8],
        places: impl IntoIterator<Item = (usize, usize, Blank)>,
        mut add: impl FnMut(Field),
    ) {
        self.text.clear();
        let (mut copied, mut clear_from) = (0, 0);
        for (start, end, blank) in places {
            self.text.extend_from_slice(&document[copied..start]);
            copied = end;
            let field = Field::push(&mut self.text, clear_from, &document[start..end], blank);
            clear_from = field.end();
            add(field);
        }
        self.text.extend_from_slice(&document[copied..]);
    }

    /// Appends the document with other values, which are to be given for its fields in turn.
    #[inline]
    pub fn fill<'a>(&'a self, out: &'a mut Vec<u8>) -> Filling<'a> {
        let shift = out.len();
        Filling { text: &self.text, out, copied: 0, shift, misfits: 0 }
    }
}

/// A form that is being filled.
#[derive(Debug)]
pub struct Filling<'a> {
    text: &'a [u8],
    out: &'a mut Vec<u8>,
    /// Up to where the form was copied.
    copied: usize,
    /// By how much what was copied stands further back than in the form; less than nothing wraps.
    shift: usize,
    /// Numbers that were wider or narrower than their fields.
    misfits: usize,
}

impl Filling<'_> {
    /// Goes to a field.
    #[inline(always)]
    pub fn reach(&mut self, field: &Field) {
        if field.end() > self.copied {
            self.copy_to((field.end() + AHEAD).min(self.text.len()));
        }
    }

    /// Writes over what stands `before` bytes before the field that was reached, up to eight bytes before it: these are its own.
    #[inline(always)]
    pub fn patch<const N: usize>(&mut self, field: &Field, before: usize, text: &[u8; N]) {
        let at = field.start().wrapping_add(self.shift).wrapping_sub(before);
        self.out[at..][..N].copy_from_slice(text);
    }

    /// Writes an integer into the field that was reached. Whether it fits: else it is to be pushed.
    #[inline(always)]
    pub fn integer(&mut self, field: &Field, integer: i64) -> bool {
        self.number(field, integer.cast_unsigned(), 0)
    }

    /// The same for `digits / 10^decimals`.
    #[inline(always)]
    pub fn decimal(&mut self, field: &Field, digits: u128, decimals: u8) -> bool {
        let Ok(digits) = u64::try_from(digits) else { return false };
        decimals > 0 && self.number(field, digits, decimals)
    }

    #[inline(always)]
    fn number(&mut self, field: &Field, digits: u64, decimals: u8) -> bool {
        if digits.wrapping_sub(field.low) >= field.span || decimals != field.decimals {
            self.misfits += 1;
            return false;
        }
        let end = field.end().wrapping_add(self.shift);
        let window: &mut [u8; WINDOW] = (&mut self.out[end - WINDOW..end]).try_into().expect("as many");
        let zeros = if field.is_long {
            field.long_number(window, digits)
        } else {
            field.short_number(window, digits)
        };
        zeros == 0 || self.cut(field, zeros)
    }

    /// Takes back the zeros at the end of a fraction; a number without one is written in a way of its own.
    #[inline(never)]
    fn cut(&mut self, field: &Field, zeros: usize) -> bool {
        let has_fraction = zeros < usize::from(field.decimals);
        if has_fraction {
            self.out.truncate(field.end().wrapping_add(self.shift) - zeros);
            self.go_on_behind(field);
        } else {
            self.misfits += 1;
        }
        has_fraction
    }

    /// Appends what does not fit the form in the place of the field that was reached.
    #[inline(always)]
    pub fn push(&mut self, field: &Field, push: impl FnOnce(&mut Vec<u8>)) {
        self.out.truncate(field.start().wrapping_add(self.shift));
        push(self.out);
        self.go_on_behind(field);
    }

    fn go_on_behind(&mut self, field: &Field) {
        self.copied = field.end();
        self.shift = self.out.len().wrapping_sub(field.end());
    }

    /// Appends the rest, and says how many numbers were wider or narrower than their fields: when many are, the document
    /// is better laid out anew.
    pub fn finish(mut self) -> usize {
        self.copy_to(self.text.len());
        self.misfits
    }

    #[inline(never)]
    fn copy_to(&mut self, end: usize) {
        self.out.extend_from_slice(&self.text[self.copied..end]);
        self.copied = end;
    }
}

impl Field {
    #[inline(always)]
    fn start(&self) -> usize {
        self.start as usize
    }

    #[inline(always)]
    fn end(&self) -> usize {
        self.end as usize
    }

    /// Writes the last eight digits, and says how many zeros they end in.
    #[inline(always)]
    fn short_number(&self, window: &mut [u8; WINDOW], digits: u64) -> usize {
        let digits = split(digits);
        if self.decimals == 0 {
            window[16..].copy_from_slice(&(digits + self.base).to_le_bytes());
            return 0;
        }
        let whole = u64::MAX >> (8 * (self.decimals & 7));
        let pointed = (digits & whole) >> 8 | digits & !whole;
        window[16..].copy_from_slice(&(pointed + self.base).to_le_bytes());
        window[15] = digits.to_le_bytes()[0] + self.first;
        digits.leading_zeros() as usize / 8
    }

    #[inline(never)]
    fn long_number(&self, window: &mut [u8; WINDOW], digits: u64) -> usize {
        let at = 8 - usize::from(self.decimals > 0);
        window[at..at + 8].copy_from_slice(&(split(digits / EIGHT) + self.high_base).to_le_bytes());
        self.short_number(window, digits % EIGHT)
    }
}

impl Field {
    const TEXT: Field = Field {
        start: 0,
        end: 0,
        low: 0,
        span: 0,
        decimals: 0,
        is_long: false,
        first: 0,
        base: 0,
        high_base: 0,
    };

    /// Appends the field. Only from `clear_from` on does the text before it stay what it is.
    fn push(text: &mut Vec<u8>, clear_from: usize, was: &[u8], blank: Blank) -> Field {
        let start = text.len();
        let loose = |text: &mut Vec<u8>| {
            text.extend_from_slice(was);
            Field { start: short(start), end: short(text.len()), ..Field::TEXT }
        };
        let (digits, decimals) = match blank {
            Blank::Integer(int) => (u64::try_from(int).ok(), 0),
            Blank::Decimal { digits, decimals: decimals @ 1..=7 } => (u64::try_from(digits).ok(), decimals),
            _ => (None, 0),
        };
        let Some(digits) = digits else { return loose(text) };
        let wide = digits.checked_ilog10().map_or(1, |log| log + 1).max(u32::from(decimals) + 1);
        let width = wide as usize + usize::from(decimals > 0);
        if wide > 16 || start + width < WINDOW || start < clear_from + 8 {
            return loose(text);
        }
        // Zeros where digits come, so that a word of the text is a base.
        text.resize(start + width, b'0');
        let end = text.len();
        let low = if wide == u32::from(decimals) + 1 { 0 } else { 10u64.pow(wide - 1) };
        let mut field = Field {
            start: short(start),
            end: short(end),
            low,
            span: 10u64.pow(wide) - low,
            decimals,
            is_long: wide > 8,
            ..Field::TEXT
        };
        let word = |text: &[u8], at: usize| u64::from_le_bytes(text[at..at + 8].try_into().expect("eight"));
        let point = usize::from(decimals > 0);
        if decimals > 0 {
            text[end - usize::from(decimals) - 1] = b'.';
            field.first = text[end - 9];
        }
        field.base = word(text, end - 8);
        if field.is_long {
            field.high_base = word(text, end - 16 - point);
        }
        field
    }
}

fn short(at: usize) -> u32 {
    u32::try_from(at).expect("documents of less than 4 GiB")
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::wire::text::{push_decimal, push_i64};

    fn push(blank: Blank, out: &mut Vec<u8>) {
        match blank {
            Blank::Integer(int) => push_i64(out, int),
            Blank::Decimal { digits, decimals } => push_decimal(out, digits, decimals),
            Blank::Text => out.extend_from_slice(b"text"),
        }
    }

    fn blank() -> impl Strategy<Value = Blank> {
        let digits = || (any::<u64>(), 0..64u32).prop_map(|(wide, shift)| wide >> shift);
        prop_oneof![
            1 => (digits(), any::<bool>()).prop_map(|(digits, negative)| {
                let int = (digits >> 1).cast_signed();
                Blank::Integer(if negative { -int } else { int })
            }),
            4 => digits().prop_map(|digits| Blank::Integer((digits >> 1).cast_signed())),
            4 => (digits(), 0..=9u8)
                .prop_map(|(digits, decimals)| Blank::Decimal { digits: digits.into(), decimals }),
            1 => Just(Blank::Text),
        ]
    }

    fn document(head: &str, fields: &[(String, Blank)]) -> (Vec<u8>, Vec<(usize, usize, Blank)>) {
        let mut document = head.as_bytes().to_vec();
        let mut places = Vec::new();
        for (text, blank) in fields {
            document.extend_from_slice(text.as_bytes());
            let start = document.len();
            push(*blank, &mut document);
            places.push((start, document.len(), *blank));
        }
        document.extend_from_slice(b"end");
        (document, places)
    }

    proptest! {
        #[test]
        fn a_form_says_what_a_document_from_scratch_says(
            head in "[a-z]{0,40}",
            fields in vec(("[a-z]{0,30}", blank(), vec(blank(), 3)), 0..8),
        ) {
            let mut form = Form::default();
            let first: Vec<_> = fields.iter().map(|(text, blank, _)| (text.clone(), *blank)).collect();
            let (text, places) = document(&head, &first);
            let mut laid_out = Vec::new();
            form.lay_out(&text, places, |field| laid_out.push(field));
            for tick in 0..3 {
                let now: Vec<_> = fields.iter().map(|(text, _, blanks)| (text.clone(), blanks[tick])).collect();
                let mut out = b"before".to_vec();
                let mut filling = form.fill(&mut out);
                for ((_, blank), field) in now.iter().zip(&laid_out) {
                    filling.reach(field);
                    let fits = match *blank {
                        Blank::Integer(integer) => filling.integer(field, integer),
                        Blank::Decimal { digits, decimals } => filling.decimal(field, digits, decimals),
                        Blank::Text => false,
                    };
                    if !fits {
                        filling.push(field, |out| push(*blank, out));
                    }
                }
                filling.finish();
                let expected = String::from_utf8(document(&head, &now).0).unwrap();
                prop_assert_eq!(String::from_utf8(out).unwrap(), format!("before{expected}"));
            }
        }
    }
}

//! The line of a plain number: what stands before it, the number, and what stands behind it.

use barewire::{
    view::Number,
    wire::{
        runs::{Run, Runs, Short},
        text::{push_decimal, push_f64, push_i64},
    },
};

use super::Lines;
use crate::{
    fields::{Type, VALUE, whole},
    line::Line,
};

/// What stands between the tags and the number.
pub(super) const KEY: &[u8] = b" value=";

/// What stands behind a number; the longest is `i 9223372036854775806␊`.
type End = Short<24>;

/// The ends of the lines of a frame.
#[derive(Debug)]
pub(super) struct Ends<'a> {
    /// ` 1700000000000000000␊`
    time: &'a [u8],
    int: End,
    float: End,
}

impl<'a> Ends<'a> {
    pub(super) fn new(time: &'a [u8]) -> Self {
        Ends { time, int: End::of(&[b"i", time]), float: End::of(&[time]) }
    }
}

/// Appends the line of a number, unless it has no name or the field cannot hold it.
#[inline]
pub(super) fn push(
    out: &mut impl Lines,
    text: &Runs,
    head: Run,
    kind: Type,
    number: &Number,
    ends: &Ends<'_>,
) -> bool {
    match (kind, number) {
        _ if head.is_empty() => false,
        (Type::Int, Number::Int(int)) => push_line(out, text, head, &ends.int, |out| push_i64(out, *int)),
        (Type::Float, Number::Decimal { digits, decimals }) => {
            push_line(out, text, head, &ends.float, |out| push_decimal(out, *digits, *decimals))
        }
        (Type::Float, Number::Float(float)) if float.is_finite() => {
            push_line(out, text, head, &ends.float, |out| push_f64(out, *float))
        }
        _ => push_odd(out, text, head, kind, *number, ends.time),
    }
}

/// The number is what `push` appends.
#[inline]
fn push_line(
    out: &mut impl Lines,
    text: &Runs,
    head: Run,
    end: &End,
    push: impl FnOnce(&mut Vec<u8>),
) -> bool {
    out.push_line(|out| {
        text.push(head, out);
        push(out);
        end.push(out);
        true
    })
}

/// The same for a number that is not of the field's type: a fraction for a field of integers, or an integer for one of
/// floats.
#[cold]
fn push_odd(out: &mut impl Lines, text: &Runs, head: Run, kind: Type, number: Number, time: &[u8]) -> bool {
    out.push_line(|out| {
        let mut line = Line::begin(out, text.get(head).strip_suffix(KEY).unwrap_or_default());
        match kind {
            Type::Float => line.float(VALUE.as_bytes(), number),
            Type::Int => {
                if let Some(int) = whole(number) {
                    line.int(VALUE.as_bytes(), int);
                }
            }
            // Of a row: no number has a place among them.
            Type::Bool | Type::Text => {}
        }
        line.end(|out| out.extend_from_slice(time))
    })
}

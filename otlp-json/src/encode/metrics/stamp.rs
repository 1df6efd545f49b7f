//! When a point was true, and since when: the same for all points of a frame.

use barewire::{
    view::Frame,
    wire::{runs::Short, text::push_u64},
};

/// The beginning of every point of a frame.
#[derive(Debug, Default)]
pub(super) struct Stamp {
    /// Of a gauge: `{"timeUnixNano":"18446744073709551615`.
    pub(super) instant: Short<48>,
    /// Of all that counts: `{"startTimeUnixNano":"18446744073709551615","timeUnixNano":"18446744073709551615`.
    pub(super) span: Short<80>,
    /// The first digits of the time, which are others every hundred days, and those behind them; if there are as many as in
    /// all our lifetimes.
    pub(super) time: Option<(TimeStart, TimeEnd)>,
    text: Vec<u8>,
}

/// How many digits a time has, in nanoseconds, from 2001 to 2286.
const TIME_LEN: usize = 19;
/// How many of them change from tick to tick: one word.
pub(super) const TIME_END_LEN: usize = 16;

pub(super) type TimeStart = [u8; TIME_LEN - TIME_END_LEN];
pub(super) type TimeEnd = [u8; TIME_END_LEN];

const INSTANT_KEY: &[u8] = br#"{"timeUnixNano":""#;

impl Stamp {
    pub(super) fn refill(&mut self, frame: &Frame) {
        let Stamp { instant, span, time, text } = self;
        text.clear();
        text.extend_from_slice(INSTANT_KEY);
        push_u64(text, frame.time_unix_ns);
        let digits = &text[INSTANT_KEY.len()..];
        *time = (digits.len() == TIME_LEN)
            .then(|| (*digits.first_chunk().expect("as many"), *digits.last_chunk().expect("as many")));
        *instant = Short::of(&[text]);
        text.clear();
        text.extend_from_slice(br#"{"startTimeUnixNano":""#);
        push_u64(text, frame.start_unix_ns);
        text.extend_from_slice(br#"",""#);
        text.extend_from_slice(&instant.get()[2..]);
        *span = Short::of(&[text]);
    }
}

//! What a traced request tells its target: the header of
//! [W3C Trace Context](https://www.w3.org/TR/trace-context/#traceparent-header).

use std::hash::{BuildHasher as _, RandomState};

use barewire::TraceContext;

use crate::{rng::Rng, sampling::Picker};

/// The name of the header.
pub(crate) const TRACEPARENT: &str = "traceparent";

/// The line with nothing in its slots: version 0, and sampled.
const BLANK: [u8; TRACE_LINE_BYTES] =
    *b"traceparent: 00-00000000000000000000000000000000-0000000000000000-01\r\n";
const TRACE_ID_AT: usize = 16;
const SPAN_ID_AT: usize = 49;

/// How long the header line is, with its end.
pub(crate) const TRACE_LINE_BYTES: usize = 70;

/// The header line that says `trace`.
pub(crate) fn trace_line(trace: TraceContext) -> [u8; TRACE_LINE_BYTES] {
    let mut line = BLANK;
    put_hex(&mut line[TRACE_ID_AT..TRACE_ID_AT + 32], trace.trace_id);
    put_hex(&mut line[SPAN_ID_AT..SPAN_ID_AT + 16], trace.span_id.into());
    line
}

/// Fills `slot` with the lowest digits of `value`.
fn put_hex(slot: &mut [u8], mut value: u128) {
    for digit in slot.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(value & 0xF) as usize];
        value >>= 4;
    }
}

/// Picks the requests that are traced, and gives each a trace of its own.
#[derive(Debug)]
pub(crate) struct Tracer {
    picker: Picker,
    rng: Rng,
}

impl Tracer {
    /// Its traces are those of no other thread, run or machine: the seed is as random as that of a hash map.
    pub(crate) fn new(picker: Picker, thread: usize) -> Self {
        Tracer { picker, rng: Rng::new(RandomState::new().hash_one(thread)) }
    }

    /// The trace of the next request, if it is one of those.
    pub(crate) fn next(&mut self) -> Option<TraceContext> {
        self.picker.pick().then(|| {
            let (high, low) = (self.rng.next(), self.rng.next().max(1));
            TraceContext {
                trace_id: u128::from(high) << 64 | u128::from(low),
                span_id: self.rng.next().max(1),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sampling;

    #[test]
    fn a_line_has_the_form_of_the_standard() {
        let trace = TraceContext { trace_id: 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c, span_id: 0xb7_ad6b };
        let line = trace_line(trace);
        let expected = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-0000000000b7ad6b-01\r\n";
        assert_eq!(str::from_utf8(&line), Ok(expected));
        let highest = trace_line(TraceContext { trace_id: u128::MAX, span_id: u64::MAX });
        assert_eq!(
            str::from_utf8(&highest),
            Ok("traceparent: 00-ffffffffffffffffffffffffffffffff-ffffffffffffffff-01\r\n")
        );
    }

    #[test]
    fn no_two_requests_share_a_trace_whatever_thread_and_run_they_are_of() {
        let all = Sampling::new(0.0, 1.0).unwrap();
        let mut ids = Vec::new();
        for thread in [0, 1, 0, 1] {
            let mut tracer = Tracer::new(all.traced(thread, 2).unwrap(), thread);
            ids.extend((0..1000).filter_map(|_| tracer.next()).map(|trace| trace.trace_id));
        }
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 4000);
    }
}

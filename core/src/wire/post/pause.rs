//! Until when a receiver is left alone (RFC 9110, section 10.2.3; OTLP 1.x, "OTLP/HTTP Throttling").

use std::{
    thread,
    time::{Duration, Instant},
};

/// The longest pause that a receiver is granted.
const MAX_PAUSE: Duration = Duration::from_secs(5 * 60);
/// The shortest pause before a request is sent again, also to a receiver that asks for none.
const MIN_PAUSE: Duration = Duration::from_millis(100);

/// The pause that a receiver asked for, if it did.
#[derive(Debug, Default)]
pub(super) struct Pause {
    until: Option<Instant>,
}

impl Pause {
    pub(super) fn begin(&mut self, pause: Duration, now: Instant) {
        self.until = Some(now + pause.clamp(MIN_PAUSE, MAX_PAUSE));
    }

    /// Waits for the end of the pause, or not at all if `deadline` comes first.
    pub(super) fn wait_before(&mut self, deadline: Instant) -> bool {
        let Some(until) = self.until else { return true };
        if until >= deadline {
            return false;
        }
        thread::sleep(until.saturating_duration_since(Instant::now()));
        self.until = None;
        true
    }
}

/// The only statuses after which the same request may succeed.
pub(super) fn is_retryable(status: u16) -> bool {
    matches!(status, 429 | 502 | 503 | 504)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_as_long_as_was_asked_for_within_reason() {
        let now = Instant::now();
        for (asked_ms, granted_ms) in [(0, 100), (1_000, 1_000), (300_000, 300_000), (3_600_000, 300_000)] {
            let mut pause = Pause::default();
            pause.begin(Duration::from_millis(asked_ms), now);
            assert_eq!(pause.until, Some(now + Duration::from_millis(granted_ms)));
        }
    }

    #[test]
    fn only_what_may_pass_is_waited_for() {
        let retryable: Vec<u16> = (100..600).filter(|&status| is_retryable(status)).collect();
        assert_eq!(retryable, [429, 502, 503, 504]);
    }
}

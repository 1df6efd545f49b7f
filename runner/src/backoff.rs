//! How long to leave a target alone that does not serve. Pure.

/// The pause after a connection that could not be made, or that broke before it had carried a whole response; doubled
/// with each in a row. So a target that is dead costs no core, and one that hangs up is not stormed.
const BACKOFF_NS: u64 = 10_000_000;
const MAX_BACKOFF_NS: u64 = 1_000_000_000;

/// The pause after so many connections in a row that broke.
pub(crate) fn backoff_ns(breaks: u32) -> u64 {
    match breaks {
        0 => 0,
        _ => (BACKOFF_NS << (breaks - 1).min(10)).min(MAX_BACKOFF_NS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_target_is_asked_ever_less_often_and_at_least_once_a_second() {
        let pauses_ms: Vec<u64> = (0..10).map(|breaks| backoff_ns(breaks) / 1_000_000).collect();
        assert_eq!(pauses_ms, [0, 10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
        assert_eq!(backoff_ns(u32::MAX), MAX_BACKOFF_NS);
    }
}

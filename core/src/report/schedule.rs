//! When a tick is due. Pure: the time comes in, and the time goes out.

/// The first multiple of `interval_ns` after `now_unix_ns`.
///
/// Ticks are aligned to the wall clock, so that those of several programs fall together. A tick that was missed is
/// not made up for: the counts are cumulative, and the next one has them.
pub(crate) const fn next_tick(interval_ns: u64, now_unix_ns: u64) -> u64 {
    (now_unix_ns / interval_ns + 1).saturating_mul(interval_ns)
}

#[cfg(test)]
mod tests {
    use super::next_tick;

    #[test]
    fn ticks_are_aligned_and_never_made_up_for() {
        for (now, due, why) in [
            (0, 1000, "the first tick is a whole interval away from a multiple"),
            (1, 1000, "the first interval is shorter than the others"),
            (999, 1000, "a tick can be as near as one nanosecond"),
            (1000, 2000, "a tick that is due now was just made"),
            (5_500, 6000, "four missed ticks are one tick later"),
        ] {
            assert_eq!(next_tick(1000, now), due, "{why}");
        }
    }
}

//! Small, fast, seeded randomness (splitmix64): for pauses, never for secrets.

#[derive(Debug, Clone)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Rng(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Evenly from `0.0..1.0`.
    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn ratio(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Evenly from `low..=high`.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        let span = u128::from(high.saturating_sub(low)) + 1;
        let offset = (u128::from(self.next()) * span) >> 64;
        low + u64::try_from(offset).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_a_range_are_in_it() {
        let mut rng = Rng::new(1);
        let mut seen: Vec<u64> = (0..100).map(|_| rng.between(5, 7)).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, [5, 6, 7]);
        assert_eq!((rng.between(3, 3), rng.between(0, u64::MAX) > 0), (3, true));
    }

    #[test]
    fn ratios_have_the_mean_of_an_even_spread() {
        let mut rng = Rng::new(7);
        let mean = (0..100_000).map(|_| rng.ratio()).sum::<f64>() / 1e5;
        assert!((mean - 0.5).abs() < 0.01);
    }
}

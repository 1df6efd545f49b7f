//! Latencies that look like latencies, and are the same in every run.

/// How many values there are in one pass.
pub const VALUES: usize = 1 << 14;

/// [`VALUES`] latencies in nanoseconds, spread evenly over the orders of magnitude from 100 µs to 1 s.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
pub fn latencies() -> Vec<u64> {
    let unit = |bits: u64| (bits >> 11) as f64 / (1_u64 << 53) as f64;
    noise().take(VALUES).map(|bits| 10_f64.powf(5.0 + 4.0 * unit(bits)) as u64).collect()
}

/// The same, each with one of `series` series, by its number.
pub fn latencies_of(series: usize) -> Vec<(usize, u64)> {
    let numbers = noise().skip(VALUES).map(|bits| bits as usize % series);
    numbers.zip(latencies()).collect()
}

/// SplitMix64 from zero.
fn noise() -> impl Iterator<Item = u64> {
    (1_u64..).map(|n| {
        let z = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    })
}

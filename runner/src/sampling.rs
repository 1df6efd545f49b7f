//! Which requests are shown one by one, and which are traced.

/// How many samples of a thread wait for exporters unless told otherwise: 4 MiB, a third of a second of a thread that
/// is as fast as it gets.
const PER_THREAD: usize = 1 << 16;

/// Shares are counted in parts of this, so that a share of up to nine decimals is exact.
const WHOLE: u32 = 1_000_000_000;

/// How many of a run's requests are shown one by one, and how many carry a trace to the target. None unless set.
///
/// ```
/// use barewire_runner::Sampling;
///
/// let one_in_ten = Sampling::new(0.1, 0.0)?;
/// assert_eq!((one_in_ten.rate(), one_in_ten.is_off()), (0.1, false));
/// assert_eq!(Sampling::new(1.5, 0.0).unwrap_err(), "1.5 is no share: give 0 for none to 1 for all");
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampling {
    rate: Share,
    traces: Share,
    per_thread: usize,
}

/// None, and none traced.
impl Default for Sampling {
    fn default() -> Self {
        Sampling { rate: Share(0), traces: Share(0), per_thread: PER_THREAD }
    }
}

impl Sampling {
    /// Shows the share `rate` of all requests, and traces the share `traces` of those that are sent; both from 0 to 1,
    /// to nine decimals. Which ones is not left to chance: of n requests of a thread it is `rate * n`, rounded down for
    /// the first thread, and otherwise for the others.
    ///
    /// A traced request carries a `traceparent` of
    /// [W3C Trace Context](https://www.w3.org/TR/trace-context/#traceparent-header) to the target, and is shown too,
    /// with its trace and not [counted](barewire::Sample::counted) unless it is one of `rate`. A step of the plan that
    /// has such a header itself is never traced.
    ///
    /// # Errors
    /// A sentence that repeats what is no share.
    pub fn new(rate: f64, traces: f64) -> Result<Self, String> {
        Ok(Sampling { rate: Share::new(rate)?, traces: Share::new(traces)?, per_thread: PER_THREAD })
    }

    /// Sets how many samples of each thread wait for exporters, at 64 bytes each: 65,536 unless set. What is not
    /// fetched in time is written over, and counted as lost.
    #[must_use]
    pub fn per_thread(mut self, samples: usize) -> Self {
        self.per_thread = samples;
        self
    }

    /// The share of requests that are shown.
    pub fn rate(&self) -> f64 {
        self.rate.ratio()
    }

    /// The share of requests that are traced.
    pub fn traces(&self) -> f64 {
        self.traces.ratio()
    }

    /// Whether no request is shown at all.
    pub fn is_off(&self) -> bool {
        self.rate.is_none() && self.traces.is_none()
    }

    /// How many samples of a thread are kept.
    pub(crate) fn capacity(&self) -> usize {
        self.per_thread
    }

    /// Which requests of a thread are shown.
    pub(crate) fn shown(&self, thread: usize, threads: usize) -> Picker {
        Picker::new(self.rate, thread, threads)
    }

    /// Which requests of a thread are traced; nothing where none is.
    pub(crate) fn traced(&self, thread: usize, threads: usize) -> Option<Picker> {
        (!self.traces.is_none()).then(|| Picker::new(self.traces, thread, threads))
    }
}

/// A share of all, in parts of [`WHOLE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Share(u32);

impl Share {
    fn new(ratio: f64) -> Result<Self, String> {
        if (0.0..=1.0).contains(&ratio) {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is in range")]
            return Ok(Share((ratio * f64::from(WHOLE)).round() as u32));
        }
        Err(format!("{ratio} is no share: give 0 for none to 1 for all"))
    }

    fn ratio(self) -> f64 {
        f64::from(self.0) / f64::from(WHOLE)
    }

    fn is_none(self) -> bool {
        self.0 == 0
    }
}

/// Picks a share of what passes, as evenly as it can be: whenever the parts of those that passed make up a whole.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Picker {
    share: u32,
    /// Less than a whole.
    sum: u32,
}

impl Picker {
    /// That of thread `thread` of so many; each is at its own phase, or they would all pick at once.
    #[allow(clippy::cast_possible_truncation, reason = "less than a whole")]
    fn new(share: Share, thread: usize, threads: usize) -> Self {
        let phase = u64::from(WHOLE) * thread as u64 / threads.max(1) as u64;
        Picker { share: share.0, sum: (phase % u64::from(WHOLE)) as u32 }
    }

    /// Whether this one is picked.
    #[inline]
    pub(crate) fn pick(&mut self) -> bool {
        self.sum += self.share;
        let is_picked = self.sum >= WHOLE;
        if is_picked {
            self.sum -= WHOLE;
        }
        is_picked
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn picked(rate: f64, thread: usize, threads: usize, of: u32) -> u64 {
        let mut picker = Sampling::new(rate, 0.0).unwrap().shown(thread, threads);
        (0..of).map(|_| u64::from(picker.pick())).sum()
    }

    #[test]
    fn a_decimal_share_of_a_round_number_is_exact() {
        for (rate, of, expected) in [
            (0.0, 1000, 0),
            (1.0, 1000, 1000),
            (0.1, 1000, 100),
            (0.7, 10, 7),
            (0.001, 999, 0),
            (0.001, 1000, 1),
            (0.333, 1000, 333),
        ] {
            assert_eq!(picked(rate, 0, 1, of), expected, "{rate} of {of}");
        }
    }

    #[test]
    fn threads_pick_at_their_own_phases() {
        let first = |thread| {
            let mut picker = Sampling::new(0.01, 0.0).unwrap().shown(thread, 4);
            (1..).find(|_| picker.pick())
        };
        assert_eq!([0, 1, 2, 3].map(first), [Some(100), Some(75), Some(50), Some(25)]);
    }

    #[test]
    fn what_is_no_share_is_repeated() {
        for (rate, traces) in [(-0.1, 0.0), (0.0, 1.000_1), (f64::NAN, 0.0), (f64::INFINITY, 0.0)] {
            assert!(Sampling::new(rate, traces).unwrap_err().contains("is no share: give 0"));
        }
        assert!(Sampling::default().is_off() && Sampling::default().traced(0, 1).is_none());
    }

    proptest! {
        #[test]
        fn of_n_requests_the_share_of_n_is_picked(parts in 0..=WHOLE, of in 0..2_000_u32, threads in 1..9_usize) {
            let rate = f64::from(parts) / f64::from(WHOLE);
            let exact = |phase: u64| (u64::from(parts) * u64::from(of) + phase) / u64::from(WHOLE);
            prop_assert_eq!(picked(rate, 0, threads, of), exact(0));
            for thread in 0..threads {
                let phase = u64::from(WHOLE) * thread as u64 / threads as u64;
                prop_assert_eq!(picked(rate, thread, threads, of), exact(phase));
            }
        }

        #[test]
        fn picks_are_evenly_spread(parts in 1..=WHOLE, thread in 0..4_usize) {
            let mut picker = Picker::new(Share(parts), thread, 4);
            let gap = WHOLE.div_ceil(parts) as usize;
            let picks: Vec<bool> = (0..3_000).map(|_| picker.pick()).collect();
            if gap <= picks.len() {
                prop_assert!(picks.windows(gap).all(|window| window.contains(&true)));
            }
        }
    }
}

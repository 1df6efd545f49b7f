//! When arrivals are due, and how many users are active: pure functions of time.
//!
//! Both models follow a [`Curve`], a level over time made of straight pieces. Under the open model the level is a
//! rate and the n-th arrival is due when the area under the curve reaches n; under the closed model it is the
//! number of virtual users. Every answer is computed from the start of the curve, so nothing drifts.

use std::sync::Arc;

/// Levels of a rate curve are in billionths of an arrival per second, so that a rate keeps nine decimals.
pub(crate) const RATE_SCALE: f64 = 1e9;

/// Twice the area of one arrival, in those levels times nanoseconds. The largest area, 10^7 arrivals a second for a
/// hundred years, is 2 · 10^16 · 3.2 · 10^18, a five-thousandth of what 128 bits hold.
const TWICE_ONE: u128 = 2 * 1_000_000_000 * 1_000_000_000;

/// A level over time: straight pieces, one behind the other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Curve {
    pieces: Vec<Piece>,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) start_ns: u64,
    /// Not zero: a jump is no piece.
    pub(crate) len_ns: u64,
    pub(crate) from: u64,
    pub(crate) to: u64,
    twice_area_before: u128,
}

impl Curve {
    /// A curve from `level` on through `(len_ns, to)`, straight lines; one without length is a jump.
    pub(crate) fn new(mut level: u64, lines: &[(u64, u64)]) -> Self {
        let (mut pieces, mut start_ns, mut twice_area_before) = (Vec::new(), 0_u64, 0);
        for &(len_ns, to) in lines {
            let piece = Piece { start_ns, len_ns, from: level, to, twice_area_before };
            if len_ns > 0 {
                pieces.push(piece);
            }
            (level, start_ns) = (to, start_ns + len_ns);
            twice_area_before += piece.twice_area();
        }
        Curve { pieces }
    }

    /// In their order, without a gap.
    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    pub(crate) fn end_ns(&self) -> u64 {
        self.pieces.last().map_or(0, Piece::end_ns)
    }

    /// The highest level.
    pub(crate) fn peak(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.from.max(piece.to)).max().unwrap_or(0)
    }

    /// The level at one instant, a started unit counted whole; that of the end ever after.
    pub(crate) fn level_at(&self, at_ns: u64) -> u64 {
        match self.piece_at(at_ns) {
            Some(piece) => piece.level_at(at_ns - piece.start_ns),
            None => self.pieces.last().map_or(0, |piece| piece.to),
        }
    }

    /// The next instant at which [`Curve::level_at`] may differ; `None` when it stays for ever.
    pub(crate) fn next_change_ns(&self, at_ns: u64) -> Option<u64> {
        let piece = self.piece_at(at_ns)?;
        Some(piece.start_ns + piece.next_change(at_ns - piece.start_ns))
    }

    /// How many arrivals a rate curve holds: those due before its end.
    pub(crate) fn arrivals(&self) -> u64 {
        let twice_area = self.pieces.last().map_or(0, |last| last.twice_area_before + last.twice_area());
        u64::try_from(twice_area.div_ceil(TWICE_ONE)).unwrap_or(u64::MAX)
    }

    /// How many arrivals of a rate curve are due before `at_ns`, up to one more where a slope is rounded.
    pub(crate) fn arrivals_before(&self, at_ns: u64) -> u64 {
        let Some(piece) = self.piece_at(at_ns) else { return self.arrivals() };
        let twice_area = piece.twice_area_before + piece.twice_area_until(at_ns - piece.start_ns);
        u64::try_from(twice_area.div_ceil(TWICE_ONE)).unwrap_or(u64::MAX)
    }

    fn piece_at(&self, at_ns: u64) -> Option<&Piece> {
        self.pieces.iter().find(|piece| at_ns < piece.end_ns())
    }
}

impl Piece {
    pub(crate) fn end_ns(&self) -> u64 {
        self.start_ns + self.len_ns
    }

    fn twice_area(&self) -> u128 {
        u128::from(self.from + self.to) * u128::from(self.len_ns)
    }

    fn twice_area_until(&self, since_ns: u64) -> u128 {
        u128::from(self.from + self.level_at(since_ns)) * u128::from(since_ns)
    }

    /// `from + (to - from) * since / len`, rounded up.
    fn level_at(&self, since_ns: u64) -> u64 {
        let moved = u128::from(self.from.abs_diff(self.to)) * u128::from(since_ns);
        let len = u128::from(self.len_ns);
        if self.to >= self.from {
            self.from + narrow(moved.div_ceil(len))
        } else {
            self.from - narrow(moved / len)
        }
    }

    /// When the rounded level moves on, counted from the start of the piece.
    fn next_change(&self, since_ns: u64) -> u64 {
        let (height, len) = (u128::from(self.from.abs_diff(self.to)), u128::from(self.len_ns));
        if height == 0 {
            return self.len_ns;
        }
        let steps = u128::from(self.level_at(since_ns).abs_diff(self.from));
        let at =
            if self.to > self.from { steps * len / height + 1 } else { ((steps + 1) * len).div_ceil(height) };
        narrow(at).min(self.len_ns)
    }

    /// When twice the area since the start of the piece reaches `twice_area`.
    ///
    /// A flat piece is exact. A slope solves its quadratic in the form that does not cancel, in floats: they err
    /// by parts of 10^15 of a result that starts at the piece, which is a nanosecond in eleven days.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn reach(&self, twice_area: u128) -> u64 {
        if self.from == self.to {
            return narrow(twice_area / (2 * u128::from(self.from)));
        }
        if twice_area == 0 {
            return 0;
        }
        let (from, to, twice_area) = (self.from as f64, self.to as f64, twice_area as f64);
        let slope = (to - from) / self.len_ns as f64;
        let root = (from * from + slope * twice_area).max(0.0).sqrt();
        ((twice_area / (from + root)) as u64).min(self.len_ns)
    }
}

fn narrow(value: u128) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

/// One thread's part of the arrivals of a rate curve: of `stride` threads, the n-th takes every arrival whose
/// number leaves the remainder n.
#[derive(Debug, Clone)]
pub(crate) struct Arrivals {
    curve: Arc<Curve>,
    next: u64,
    stride: u64,
    total: u64,
    piece: usize,
    due_ns: Option<u64>,
}

impl Arrivals {
    pub(crate) fn new(curve: Arc<Curve>, thread: u64, threads: u64) -> Self {
        let total = curve.arrivals();
        let mut arrivals = Arrivals { curve, next: thread, stride: threads, total, piece: 0, due_ns: None };
        arrivals.due_ns = arrivals.find();
        arrivals
    }

    /// When the next arrival is due, in nanoseconds since the start of the curve; `None` when there is none left.
    pub(crate) fn due_ns(&self) -> Option<u64> {
        self.due_ns
    }

    /// Goes on to the arrival after.
    pub(crate) fn advance(&mut self) {
        self.next += self.stride;
        self.due_ns = self.find();
    }

    /// How many arrivals are due before `at_ns`, from the next one on.
    pub(crate) fn count_before(mut self, at_ns: u64) -> u64 {
        if at_ns >= self.curve.end_ns() {
            return self.total.saturating_sub(self.next).div_ceil(self.stride);
        }
        let mut count = 0;
        while self.due_ns.is_some_and(|due_ns| due_ns < at_ns) {
            self.advance();
            count += 1;
        }
        count
    }

    fn find(&mut self) -> Option<u64> {
        if self.next >= self.total {
            return None;
        }
        let twice_area = u128::from(self.next) * TWICE_ONE;
        let pieces = &self.curve.pieces;
        while twice_area >= pieces[self.piece].twice_area_before + pieces[self.piece].twice_area() {
            self.piece += 1;
        }
        let piece = &pieces[self.piece];
        Some(piece.start_ns + piece.reach(twice_area - piece.twice_area_before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const S: u64 = 1_000_000_000;
    /// An arrival per 1000 seconds.
    const MILLI: u64 = 1_000_000;

    /// A rate curve whose levels are in arrivals per 1000 seconds.
    fn rates(level: u64, lines: &[(u64, u64)]) -> Curve {
        let lines: Vec<(u64, u64)> = lines.iter().map(|(len_ns, to)| (*len_ns, to * MILLI)).collect();
        Curve::new(level * MILLI, &lines)
    }

    fn flat(level: u64, len_ns: u64) -> Curve {
        rates(level, &[(len_ns, level)])
    }

    fn due(curve: &Curve, thread: u64, threads: u64) -> Vec<u64> {
        let mut arrivals = Arrivals::new(Arc::new(curve.clone()), thread, threads);
        std::iter::from_fn(|| {
            let due = arrivals.due_ns();
            arrivals.advance();
            due
        })
        .collect()
    }

    #[test]
    fn a_duration_holds_exactly_its_arrivals() {
        for (why, rate, len_ns, expected) in [
            ("two thousand a second for twenty seconds", 2_000_000, 20 * S, 40_000),
            ("three a second for ten seconds", 3_000, 10 * S, 30),
            ("one every two seconds: at 0, 2 and 4", 500, 5 * S, 3),
            ("the end itself is outside", 1_000, 4 * S, 4),
            ("a nanosecond more holds one more", 1_000, 4 * S + 1, 5),
            ("a rate of nothing has none", 0, 10 * S, 0),
            ("one every 1000 seconds", 1, 1_000 * S, 1),
            ("a hundred thousand a second for a day", 100_000_000, 86_400 * S, 8_640_000_000),
        ] {
            assert_eq!(flat(rate, len_ns).arrivals(), expected, "{why}");
        }
    }

    #[test]
    fn arrivals_of_a_constant_rate_are_due_at_n_over_r() {
        assert_eq!(due(&flat(3_000, S), 0, 1), [0, 333_333_333, 666_666_666]);
        assert_eq!(due(&flat(3_000, 2 * S), 1, 2), [333_333_333, S, 1_666_666_666]);
    }

    #[test]
    fn a_ramp_holds_its_mean_rate_and_is_dense_where_it_is_high() {
        let up = rates(0, &[(10 * S, 2_000)]);
        assert_eq!(up.arrivals(), 10);
        let seconds: Vec<u64> = due(&up, 0, 1).iter().map(|ns| ns / 1_000_000).collect();
        assert_eq!(seconds, [0, 3162, 4472, 5477, 6324, 7071, 7745, 8366, 8944, 9486]);
        let down = rates(2_000, &[(10 * S, 0)]);
        let seconds: Vec<u64> = due(&down, 0, 1).iter().map(|ns| ns / 1_000_000).collect();
        assert_eq!(seconds, [0, 513, 1055, 1633, 2254, 2928, 3675, 4522, 5527, 6837]);
    }

    #[test]
    fn a_plateau_behind_a_ramp_goes_on_where_the_ramp_ended() {
        let curve = rates(0, &[(S, 1_000), (2 * S, 1_000)]);
        assert_eq!(due(&curve, 0, 1), [0, S + S / 2, 2 * S + S / 2]);
    }

    #[test]
    fn a_jump_takes_no_time_and_a_pause_has_no_arrivals() {
        let curve = rates(1_000, &[(2 * S, 1_000), (0, 0), (5 * S, 0), (0, 2_000), (S, 2_000)]);
        assert_eq!(due(&curve, 0, 1), [0, S, 7 * S, 7 * S + S / 2]);
        assert_eq!((curve.end_ns(), curve.peak()), (8 * S, 2_000 * MILLI));
    }

    #[test]
    fn a_started_user_is_a_user() {
        let curve = Curve::new(0, &[(10, 2), (5, 2), (10, 0)]);
        let levels: Vec<u64> = (0..27).map(|at| curve.level_at(at)).collect();
        let expected = [0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 0, 0];
        assert_eq!(levels, expected);
    }

    #[test]
    fn the_share_of_a_thread_is_counted_without_walking_it() {
        let curve = Arc::new(flat(3_000, 10 * S));
        let share = |thread| Arrivals::new(Arc::clone(&curve), thread, 4);
        assert_eq!((share(0).count_before(10 * S), share(3).count_before(u64::MAX)), (8, 7));
        assert_eq!((share(0).count_before(S), share(2).count_before(S), share(3).count_before(S)), (1, 1, 0));
    }

    fn curves() -> impl Strategy<Value = Curve> {
        let line = (0..20 * S, 0..200_000_u64);
        (0..200_000_u64, prop::collection::vec(line, 1..5)).prop_map(|(from, lines)| rates(from, &lines))
    }

    proptest! {
        #[test]
        fn a_constant_rate_never_drifts(rate in 1..10_000_000_000_000_000_u64, n in 0..1_000_000_000_u64) {
            let piece = Curve::new(rate, &[(u64::MAX / 4, rate)]).pieces[0];
            let exact = u128::from(n) * 1_000_000_000_000_000_000 / u128::from(rate);
            prop_assert_eq!(u128::from(piece.reach(u128::from(n) * TWICE_ONE)), exact);
        }

        #[test]
        fn arrivals_come_in_order_within_the_curve_and_as_many_as_it_holds(curve in curves()) {
            let all = due(&curve, 0, 1);
            prop_assert_eq!(all.len() as u64, curve.arrivals());
            prop_assert!(all.is_sorted());
            prop_assert!(all.last().is_none_or(|last| *last <= curve.end_ns()));
        }

        #[test]
        fn an_arrival_is_due_when_the_area_reaches_it(curve in curves()) {
            for (n, due_ns) in due(&curve, 0, 1).into_iter().enumerate() {
                let Some(piece) = curve.piece_at(due_ns) else { continue };
                let since = (due_ns - piece.start_ns) as f64;
                let slope = (piece.to as f64 - piece.from as f64) / piece.len_ns as f64;
                let twice_area = piece.twice_area_before as f64 + since * (2.0 * piece.from as f64 + slope * since);
                prop_assert!((twice_area / TWICE_ONE as f64 - n as f64).abs() < 1e-3);
            }
        }

        #[test]
        fn as_many_arrivals_are_due_before_an_instant_as_come_before_it(curve in curves(), at_ns in 0..50 * S) {
            let before = due(&curve, 0, 1).into_iter().filter(|due_ns| *due_ns < at_ns).count() as u64;
            prop_assert!(curve.arrivals_before(at_ns).abs_diff(before) <= 1);
        }

        #[test]
        fn the_threads_together_have_every_arrival_once(curve in curves(), threads in 1..9_u64) {
            let mut parts: Vec<u64> = (0..threads).flat_map(|thread| due(&curve, thread, threads)).collect();
            parts.sort_unstable();
            prop_assert_eq!(parts, due(&curve, 0, 1));
        }

        #[test]
        fn the_level_stays_until_the_next_change(lines in prop::collection::vec((1..60_u64, 0..9_u64), 1..5)) {
            let curve = Curve::new(3, &lines);
            let mut at = 0;
            while let Some(next) = curve.next_change_ns(at) {
                prop_assert!(next > at);
                let level = curve.level_at(at);
                prop_assert!((at..next).all(|between| curve.level_at(between) == level));
                at = next;
            }
            prop_assert_eq!(at, curve.end_ns());
        }
    }
}

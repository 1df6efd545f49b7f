//! What a run holds of the system, once a second.

use super::support::Child;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

/// How steeply the memory of a run may grow in its second half.
const LIMIT_KIB_PER_MINUTE: f64 = 512.0;

/// How much it may grow where that half is so short that the run is still getting warm: it touches what it holds bit by
/// bit, and most of that in the first minutes.
const WARMING_LIMIT_KIB: f64 = 8192.0;
const WARMING: f64 = 120.0;

/// How many looks at the beginning and at the end are compared: all receivers are there then.
pub(crate) const CALM: usize = 5;

#[derive(Debug, Clone, Copy)]
struct Look {
    at: Duration,
    memory_kib: u64,
    descriptors: usize,
    threads: usize,
}

/// What was seen so far.
#[derive(Debug)]
pub(crate) struct Resources {
    start: Instant,
    looks: Vec<Look>,
}

impl Resources {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), looks: Vec::new() }
    }

    pub(crate) fn look(&mut self, run: &Child) {
        let (memory_kib, descriptors, threads) = (run.rss_kib(), run.descriptors(), run.threads());
        self.looks.push(Look { at: self.start.elapsed(), memory_kib, descriptors, threads });
    }

    /// The last look, in words.
    pub(crate) fn now(&self) -> String {
        let Look { at, memory_kib, descriptors, threads } = self.looks.last().expect("a look");
        format!("{:4} s  {memory_kib} KiB, {descriptors} descriptors, {threads} threads", at.as_secs())
    }

    /// A line for each resource, and whether it is flat.
    pub(crate) fn verdicts(&self) -> [(bool, String); 3] {
        [
            self.memory(),
            self.leaks("descriptors", |it| it.descriptors),
            self.leaks("threads", |it| it.threads),
        ]
    }

    fn memory(&self) -> (bool, String) {
        let warm = &self.looks[self.looks.len() / 2..];
        let points: Vec<_> = warm.iter().map(|it| (it.at.as_secs_f64(), it.memory_kib as f64)).collect();
        let span = points[points.len() - 1].0 - points[0].0;
        let growth = slope(&points) * span;
        let limit = if span < WARMING { WARMING_LIMIT_KIB } else { LIMIT_KIB_PER_MINUTE * span / 60.0 };
        let range = range(warm.iter().map(|it| it.memory_kib));
        let line = format!(
            "memory       {} to {} KiB in the second half of {span:.0} s; grew by {growth:+.0} KiB, by its slope, and may by {limit:.0}",
            range.start(),
            range.end(),
        );
        (growth <= limit, line)
    }

    /// Something is leaked where the calm end never comes down to what the calm beginning had.
    fn leaks(&self, what: &str, of: impl Fn(&Look) -> usize) -> (bool, String) {
        let first = range(self.looks[..CALM].iter().map(&of));
        let last = range(self.looks[self.looks.len() - CALM..].iter().map(&of));
        let all = range(self.looks.iter().map(&of));
        let line = format!(
            "{what:12} {} to {} at the beginning, {} to {} at the end, {} to {} in between",
            first.start(),
            first.end(),
            last.start(),
            last.end(),
            all.start(),
            all.end()
        );
        (last.start() <= first.end(), line)
    }
}

/// Of the line with the least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0 / count, y + point.1 / count));
    let (covariance, variance) = points.iter().fold((0.0, 0.0), |(covariance, variance), point| {
        (covariance + (point.0 - x) * (point.1 - y), variance + (point.0 - x).powi(2))
    });
    covariance / variance
}

fn range<T: Ord + Copy>(values: impl Iterator<Item = T> + Clone) -> RangeInclusive<T> {
    let low = values.clone().min().expect("a value");
    low..=values.max().expect("a value")
}

#[test]
fn a_slope_is_that_of_the_line() {
    let points = [(0.0, 1.0), (1.0, 4.0), (2.0, 5.0), (3.0, 8.0)];
    assert!((slope(&points) - 2.2).abs() < 1e-9);
    assert_eq!(slope(&[(0.0, 7.0), (5.0, 7.0)]), 0.0);
}

#[test]
fn what_grows_is_not_flat() {
    let look = |at: u32, grows: u32| Look {
        at: Duration::from_secs(at.into()),
        memory_kib: (9000 + at * 200 * grows).into(),
        descriptors: if at < 50 { 20 } else { 20 + grows as usize },
        threads: 9,
    };
    let verdicts = |grows| {
        let looks = (0..100).map(|at| look(at, grows)).collect();
        Resources { start: Instant::now(), looks }.verdicts().map(|(is_flat, _)| is_flat)
    };
    assert_eq!((verdicts(0), verdicts(1)), ([true, true, true], [false, false, true]));
}

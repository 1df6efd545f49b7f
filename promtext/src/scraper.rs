//! Who fetches pages: what they call themselves, and whether they come at a rhythm.

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash as _, Hasher as _},
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// The most characters of a `User-Agent` that are kept: anybody may say anything.
const AGENT_CHARS: usize = 64;

/// Whoever comes at a rhythm and has not come for so many intervals comes no more.
const SILENT_INTERVALS: u32 = 3;
/// The shortest silence that says so: a machine may be busy.
const SILENCE: Duration = Duration::from_secs(5);

/// Who fetched pages. It has one connection at a time, or several one after another.
#[derive(Debug)]
pub(crate) struct Scraper {
    who: u64,
    name: String,
    /// Says how long it waits for a page, as servers do that scrape by the clock.
    is_clocked: bool,
    /// The newest snapshot that it has seen, counted as the desk counts.
    snapshot: AtomicU64,
    rhythm: Mutex<Rhythm>,
}

impl Scraper {
    pub(crate) fn is(&self, who: u64) -> bool {
        self.who == who
    }

    /// Its address, and behind it in parentheses what it calls itself.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn snapshot(&self) -> u64 {
        self.snapshot.load(Relaxed)
    }

    pub(crate) fn has_taken(&self, snapshot: u64, now: Instant) {
        self.snapshot.store(snapshot, Relaxed);
        self.rhythm.lock().beat(now);
    }

    /// Whether it will come again, as far as can be known.
    pub(crate) fn is_expected(&self, now: Instant) -> bool {
        let rhythm = self.rhythm.lock();
        (self.is_clocked || rhythm.is_steady) && !rhythm.is_silent(now)
    }
}

/// When somebody came the last times.
#[derive(Debug, Default)]
struct Rhythm {
    last: Option<Instant>,
    interval: Option<Duration>,
    /// The last two intervals were alike.
    is_steady: bool,
}

impl Rhythm {
    fn beat(&mut self, now: Instant) {
        let interval = self.last.map(|last| now.saturating_duration_since(last));
        self.is_steady = self.interval.zip(interval).is_some_and(|(one, other)| {
            let (short, long) = (one.min(other), one.max(other));
            long <= short * 2
        });
        (self.last, self.interval) = (Some(now), interval);
    }

    fn is_silent(&self, now: Instant) -> bool {
        let (Some(last), Some(interval)) = (self.last, self.interval) else { return false };
        now.saturating_duration_since(last) > (interval * SILENT_INTERVALS).max(SILENCE)
    }
}

/// What is known of the peer of one connection.
#[derive(Debug)]
pub(crate) struct Visit {
    peer: IpAddr,
    who: u64,
    name: String,
    is_clocked: bool,
    /// Known from the first page that it took; held as long as the connection lasts.
    pub(crate) scraper: Option<Arc<Scraper>>,
}

impl Visit {
    pub(crate) fn of(peer: IpAddr) -> Self {
        Visit { peer, who: 0, name: peer.to_string(), is_clocked: false, scraper: None }
    }

    /// The peer of a request that says so is told apart by its address and what it calls itself. `is_clocked` if it says how
    /// long it waits.
    pub(crate) fn calls_itself(&mut self, user_agent: Option<&[u8]>, is_clocked: bool) {
        let mut hasher = DefaultHasher::new();
        (self.peer, user_agent).hash(&mut hasher);
        let who = hasher.finish();
        if who != self.who {
            (self.who, self.name) = (who, shown(self.peer, user_agent));
        }
        self.is_clocked = is_clocked;
    }

    pub(crate) fn who(&self) -> u64 {
        self.who
    }

    pub(crate) fn new_scraper(&self) -> Arc<Scraper> {
        Arc::new(Scraper {
            who: self.who,
            name: self.name.clone(),
            is_clocked: self.is_clocked,
            snapshot: AtomicU64::new(0),
            rhythm: Mutex::default(),
        })
    }
}

/// Without what could command a terminal, and not too long.
fn shown(peer: IpAddr, user_agent: Option<&[u8]>) -> String {
    let agent = user_agent.unwrap_or_default().iter().map(|byte| char::from(*byte));
    let agent: String = agent
        .filter(|c| c.is_ascii_graphic() || *c == ' ')
        .filter(|c| !"()".contains(*c))
        .take(AGENT_CHARS)
        .collect();
    match agent.trim() {
        "" => peer.to_string(),
        agent => format!("{peer} ({agent})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scraper(is_clocked: bool) -> Arc<Scraper> {
        let mut visit = Visit::of([127, 0, 0, 1].into());
        visit.calls_itself(Some(b"p"), is_clocked);
        visit.new_scraper()
    }

    /// Whether it is expected right after it came at these times, in milliseconds.
    fn is_expected(is_clocked: bool, times: &[u64], after: u64) -> bool {
        let (scraper, start) = (scraper(is_clocked), Instant::now());
        let at = |ms: u64| start + Duration::from_millis(ms);
        times.iter().for_each(|ms| scraper.has_taken(1, at(*ms)));
        scraper.is_expected(at(times.last().unwrap() + after))
    }

    #[test]
    fn whoever_comes_at_a_rhythm_is_expected_and_nobody_else() {
        for (times, expected) in [
            (&[0][..], false),
            (&[0, 1000], false),
            (&[0, 1000, 2000], true),
            (&[0, 1000, 2900], true),
            (&[0, 1000, 3100], false),
            (&[0, 10, 5000], false),
            (&[0, 10, 5000, 10_000], true),
        ] {
            assert_eq!(is_expected(false, times, 0), expected, "{times:?}");
        }
    }

    #[test]
    fn a_server_that_says_how_long_it_waits_is_expected_from_the_first_time() {
        assert!(is_expected(true, &[0], 3_600_000));
        assert!(is_expected(true, &[0, 1000], 0));
    }

    #[test]
    fn whoever_was_silent_for_three_intervals_comes_no_more() {
        assert!(is_expected(false, &[0, 15_000, 30_000], 45_000));
        assert!(!is_expected(false, &[0, 15_000, 30_000], 45_001));
        assert!(is_expected(true, &[0, 100, 200], 5_000));
        assert!(!is_expected(true, &[0, 100, 200], 5_001));
    }

    #[test]
    fn what_a_peer_calls_itself_is_cut_and_cannot_command_a_terminal() {
        let peer = IpAddr::from([127, 0, 0, 1]);
        for (agent, expected) in [
            (None, "127.0.0.1".to_owned()),
            (Some(&b""[..]), "127.0.0.1".to_owned()),
            (Some(b"Prometheus/3.5.3"), "127.0.0.1 (Prometheus/3.5.3)".to_owned()),
            (Some(b"a\x1b[2J(\xff)\tb c"), "127.0.0.1 (a[2Jb c)".to_owned()),
            (Some(&[b'x'; 5000]), format!("127.0.0.1 ({})", "x".repeat(AGENT_CHARS))),
        ] {
            assert_eq!(shown(peer, agent), expected);
        }
    }
}

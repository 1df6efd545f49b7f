//! What the exporter's thread and the server's thread both know: the newest snapshot, and who has fetched it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use barewire::{Delivered, Snapshot, view::View};
use parking_lot::{Condvar, Mutex};

use crate::{
    page::Page,
    scraper::{Scraper, Visit},
};

/// The most scrapers that are told apart.
const MAX_SCRAPERS: usize = 256;
/// The most that are told by name.
const NAMES: usize = 8;
/// How often it is looked whether somebody comes no more.
const GLANCE: Duration = Duration::from_millis(50);

#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// Held for a moment by both threads.
    desk: Mutex<Desk>,
    /// A page was taken.
    taken: Condvar,
    /// Held while a page is rendered, by the server's thread alone once views are set.
    pub(crate) views: Mutex<Vec<View>>,
}

#[derive(Debug, Default)]
struct Desk {
    newest: Option<Arc<Snapshot>>,
    earlier: Option<Arc<Snapshot>>,
    /// How many snapshots there have been. It, and not the address, tells them apart: they are recycled.
    exported: u64,
    /// What scrapers took and nobody has accounted for yet.
    taken: Delivered,
    scrapers: Vec<Arc<Scraper>>,
}

impl Shared {
    /// Puts the next snapshot on the desk; returns what scrapers took since the last time.
    pub(crate) fn put(&self, snapshot: &Arc<Snapshot>) -> Delivered {
        let mut desk = self.desk.lock();
        desk.earlier = desk.newest.replace(Arc::clone(snapshot));
        desk.exported += 1;
        desk.account()
    }

    /// The newest snapshot, the one before it, and its number.
    pub(crate) fn newest(&self) -> (Option<Arc<Snapshot>>, Option<Arc<Snapshot>>, u64) {
        let desk = self.desk.lock();
        (desk.newest.clone(), desk.earlier.clone(), desk.exported)
    }

    /// Notes how long a page took.
    pub(crate) fn encoded(&self, time: Duration) {
        self.desk.lock().taken.encode += time;
    }

    /// Notes that a scraper has all of a page.
    pub(crate) fn taken(&self, page: &Page, visit: &mut Visit) {
        let mut desk = self.desk.lock();
        desk.taken.points += page.encoded.points;
        desk.taken.left_out += page.encoded.left_out;
        desk.taken.bytes += page.bytes.len() as u64;
        *desk.taken.scrapes.get_or_insert_default() += 1;
        let scraper = match visit.scraper.take() {
            Some(known) => known,
            None => desk.scraper(visit),
        };
        visit.scraper.insert(scraper).has_taken(page.snapshot, Instant::now());
        self.taken.notify_all();
    }

    /// What scrapers took since a snapshot was put on the desk, or since this was asked.
    pub(crate) fn account(&self) -> Delivered {
        self.desk.lock().account()
    }

    /// Waits until everyone who is expected has the newest snapshot, and there is one; whether that came in time. As long as
    /// nobody has come at all, one is waited for.
    pub(crate) fn wait_until_seen(&self, deadline: Instant) -> bool {
        let mut desk = self.desk.lock();
        loop {
            let now = Instant::now();
            if desk.is_seen(now) {
                return true;
            }
            if now >= deadline {
                return false;
            }
            // Nobody says that he comes no more.
            self.taken.wait_until(&mut desk, deadline.min(now + GLANCE));
        }
    }

    /// Who has the newest snapshot, and who is still expected to fetch it; some of them, by name.
    pub(crate) fn takers(&self) -> (Vec<String>, Vec<String>) {
        let (desk, now) = (self.desk.lock(), Instant::now());
        let names = |is_wanted: &dyn Fn(&Scraper) -> bool| {
            let wanted = desk.scrapers.iter().filter(|scraper| is_wanted(scraper));
            wanted.map(|scraper| scraper.name().to_owned()).take(NAMES).collect()
        };
        let has_it = |scraper: &Scraper| desk.exported > 0 && scraper.snapshot() == desk.exported;
        (names(&has_it), names(&|scraper| !has_it(scraper) && scraper.is_expected(now)))
    }
}

impl Desk {
    /// What scrapers took since this was asked.
    fn account(&mut self) -> Delivered {
        let scrapes = self.taken.scrapes.or(Some(0));
        Delivered { scrapes, ..std::mem::take(&mut self.taken) }
    }

    /// A scraper by that name that has no connection now, or else a new one.
    ///
    /// Whoever has several connections at a time is several scrapers: two servers on one machine look alike.
    fn scraper(&mut self, visit: &Visit) -> Arc<Scraper> {
        let is_away = |scraper: &Arc<Scraper>| Arc::strong_count(scraper) == 1;
        let away = self.scrapers.iter().filter(|known| known.is(visit.who()) && is_away(known));
        // Whoever has waited longest, so that no place stays empty for ever.
        if let Some(known) = away.min_by_key(|known| known.snapshot()) {
            return Arc::clone(known);
        }
        if self.scrapers.len() == MAX_SCRAPERS {
            // The one that was away first, or as good as that.
            let forgotten = self.scrapers.iter().position(is_away).unwrap_or(0);
            self.scrapers.remove(forgotten);
        }
        let new = visit.new_scraper();
        self.scrapers.push(Arc::clone(&new));
        new
    }

    fn is_seen(&self, now: Instant) -> bool {
        let is_served =
            |scraper: &Arc<Scraper>| scraper.snapshot() == self.exported || !scraper.is_expected(now);
        self.exported > 0 && !self.scrapers.is_empty() && self.scrapers.iter().all(is_served)
    }
}

#[cfg(test)]
mod tests {
    use barewire::Registry;

    use super::*;

    fn visit(user_agent: &str) -> Visit {
        let mut visit = Visit::of([127, 0, 0, 1].into());
        visit.calls_itself(Some(user_agent.as_bytes()), true);
        visit
    }

    fn newest(shared: &Shared) -> Page {
        Page { snapshot: shared.newest().2, ..Page::default() }
    }

    fn is_seen(shared: &Shared) -> bool {
        shared.wait_until_seen(Instant::now())
    }

    #[test]
    fn a_scraper_that_comes_back_by_another_connection_is_the_same() {
        let (registry, shared) = (Registry::new("job"), Shared::default());
        for _ in 0..3 {
            shared.put(&registry.snapshot());
            assert!(!is_seen(&shared));
            shared.taken(&newest(&shared), &mut visit("p"));
            assert!(is_seen(&shared));
        }
        // While one connection is there, another is another's, and so is one by another name.
        let mut first = visit("p");
        shared.taken(&newest(&shared), &mut first);
        shared.taken(&newest(&shared), &mut visit("p"));
        shared.taken(&newest(&shared), &mut visit("curl"));
        shared.put(&registry.snapshot());
        shared.taken(&newest(&shared), &mut first);
        shared.taken(&newest(&shared), &mut visit("p"));
        assert!(!is_seen(&shared));
        shared.taken(&newest(&shared), &mut visit("curl"));
        assert!(is_seen(&shared));
        // Two that were there at once and come one after another: each has a place.
        drop(first);
        shared.put(&registry.snapshot());
        shared.taken(&newest(&shared), &mut visit("curl"));
        shared.taken(&newest(&shared), &mut visit("p"));
        assert!(!is_seen(&shared));
        shared.taken(&newest(&shared), &mut visit("p"));
        assert!(is_seen(&shared));
    }

    #[test]
    fn no_more_scrapers_are_told_apart_than_may_be_connected() {
        let shared = Shared::default();
        let page = newest(&shared);
        let mut staying = visit("stays");
        shared.taken(&page, &mut staying);
        for at in 0..MAX_SCRAPERS * 2 {
            shared.taken(&page, &mut visit(&at.to_string()));
        }
        let desk = shared.desk.lock();
        assert_eq!(desk.scrapers.len(), MAX_SCRAPERS);
        assert!(desk.scrapers.iter().any(|known| Arc::ptr_eq(known, staying.scraper.as_ref().unwrap())));
    }
}

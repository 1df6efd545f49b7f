//! A table that one thread owns and grows, and another one reads.
//!
//! The table is a list of pages that never move. The owner keeps them in a vector of its own, so finding an entry
//! takes no lock; it hands every new page to the reader through a mailbox, which is the only lock, taken once a page.

use std::sync::Arc;

use crossbeam_utils::CachePadded;

use crate::sync::Mutex;

/// `N` entries that one thread writes. Padded, so that no other thread writes to the same cache lines.
pub(crate) type Page<T, const N: usize> = CachePadded<[T; N]>;

/// New pages on their way to the reader, each with its number.
pub(crate) type Mailbox<T, const N: usize> = Mutex<Vec<(usize, Arc<Page<T, N>>)>>;

/// The owner's side.
#[derive(Debug)]
pub(crate) struct Pages<T, const N: usize> {
    pages: Vec<Option<Arc<Page<T, N>>>>,
}

impl<T: Default, const N: usize> Pages<T, N> {
    pub(crate) fn new() -> Self {
        Pages { pages: Vec::new() }
    }

    /// The entry at `index`, if its page is there. `low` is the same where it counts, in its remainder by `N`, and may be known
    /// earlier.
    #[inline]
    pub(crate) fn get(&self, index: usize, low: usize) -> Option<&T> {
        let page = self.pages.get(index / N)?.as_ref()?;
        Some(&page[low % N])
    }

    /// The entry at `index`; its page is made and mailed if it was not there.
    #[cold]
    pub(crate) fn grow(&mut self, index: usize, mailbox: &Mailbox<T, N>) -> &T {
        let number = index / N;
        if number >= self.pages.len() {
            self.pages.resize(number + 1, None);
        }
        let page = self.pages[number].get_or_insert_with(|| {
            let page = Arc::new(CachePadded::new(std::array::from_fn(|_| T::default())));
            mailbox.lock().push((number, Arc::clone(&page)));
            page
        });
        &page[index % N]
    }
}

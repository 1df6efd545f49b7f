//! Whose a handle is: the registry's number in its upper half, beside the index that it stands for.
//!
//! A shard takes its own number off a handle by one exclusive or. What is left of somebody else's handle is no index that
//! there could be, so the test of the bounds, which has to be made anyway, finds it out.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The number of one registry, in the upper half of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner(u64);

/// Where the number begins.
const SHIFT: u32 = 32;
/// A sample has one bit less for it than a word has.
const NUMBERS: u64 = 1 << 31;

impl Owner {
    /// One that no other registry of the process has, as long as there are not two billion of them.
    pub(crate) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Owner((NEXT.fetch_add(1, Relaxed) % NUMBERS) << SHIFT)
    }

    /// The handle of an index.
    pub(crate) fn handle(self, index: usize) -> u64 {
        self.0 | index as u64
    }

    /// The index of a handle; of another registry's, one that there cannot be.
    #[inline(always)]
    pub(crate) fn index(self, handle: u64) -> usize {
        usize::try_from(handle ^ self.0).unwrap_or(usize::MAX)
    }

    /// Whether it is a handle of this registry.
    pub(crate) fn is_of(self, handle: u64) -> bool {
        (handle ^ self.0) >> SHIFT == 0
    }

    /// Stops a program that is being tested, if the handle is another registry's. In a release build that goes nowhere.
    pub(crate) fn check(self, handle: u64) {
        debug_assert!(
            self.is_of(handle),
            "a handle of another registry: register the metric with the registry of this shard"
        );
    }
}

/// The index of a handle, whoever owns it.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "the lower half is what is asked for")]
pub(crate) fn low_half(handle: u64) -> usize {
    handle as u32 as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_an_index_to_its_owner_alone() {
        let (one, other) = (Owner::next(), Owner::next());
        for index in [0, 1, u32::MAX as usize] {
            assert_eq!((one.index(one.handle(index)), low_half(one.handle(index))), (index, index));
            assert!(one.index(other.handle(index)) > u32::MAX as usize);
        }
    }
}

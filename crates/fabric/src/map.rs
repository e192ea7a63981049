//! The flat map of the memory space: disjoint runs in order, each with its claimant.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use pando_pci::Region;

use crate::span::Span;
use crate::topology::DeviceIndex;

/// Who answers in a run of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Claimant {
    /// Configuration space.
    Ecam,
    /// The fixed window of this number.
    Fixed(usize),
    /// A device's BAR.
    Device(DeviceIndex, Region),
}

/// A run of addresses with one claimant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) span: Span,
    /// Where the claimant's offset 0 lies; a window may hide it.
    pub(crate) base: u64,
    pub(crate) claimant: Claimant,
}

impl Entry {
    /// The claimant's offset of `address`, which lies in the run.
    #[inline]
    pub(crate) fn offset(&self, address: u64) -> u64 {
        address.wrapping_sub(self.base)
    }
}

/// The map. Finding an entry takes no lock.
#[derive(Debug, Default)]
pub(crate) struct Map {
    entries: Vec<Entry>,
    /// The last entry found: accesses come in series.
    hint: AtomicUsize,
}

impl Map {
    /// `entries` are disjoint, in any order.
    pub(crate) fn new(mut entries: Vec<Entry>) -> Self {
        entries.sort_unstable_by_key(|entry| entry.span.first);
        debug_assert!(entries.windows(2).all(|pair| pair[0].span.last < pair[1].span.first));
        Self { entries, hint: AtomicUsize::new(0) }
    }

    /// The entry that contains `address`.
    #[inline]
    pub(crate) fn find(&self, address: u64) -> Option<&Entry> {
        let hint = self.hint.load(Relaxed);
        if let Some(entry) = self.entries.get(hint).filter(|entry| entry.span.contains(address)) {
            return Some(entry);
        }
        let index = self.entries.partition_point(|entry| entry.span.last < address);
        let entry = self.entries.get(index).filter(|entry| entry.span.contains(address))?;
        self.hint.store(index, Relaxed);
        Some(entry)
    }

    /// How many of `len` bytes from `address` on, which nobody claims, nobody claims either.
    pub(crate) fn gap(&self, address: u64, len: u64) -> u64 {
        let index = self.entries.partition_point(|entry| entry.span.last < address);
        self.entries.get(index).map_or(len, |next| len.min(next.span.first - address))
    }

    /// Every run, by address.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

#[cfg(test)]
mod tests;

//! The flow director's counters (82599 datasheet, 8.2.3.21): what was added and removed, what is free, which packets matched.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::Count;
use crate::spec::filter::fdir::*;

/// The counters. A read clears those that count.
#[derive(Debug, Default)]
pub(crate) struct DirectorCounts {
    added: Count,
    removed: Count,
    /// Additions that took no place: there was none, or it was the filter's own.
    not_added: Count,
    not_removed: Count,
    /// As FDIRFREE has it.
    free: AtomicU32,
    /// Filters of the longest bucket since the last read, bits 31:16, and its number.
    longest: AtomicU32,
    packets: Packets,
}

/// What workers count, in a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Packets {
    matched: Count,
    missed: Count,
}

impl DirectorCounts {
    /// A filter was to be added; `new`: it took a place.
    pub(crate) fn added(&self, new: bool) {
        if new { &self.added } else { &self.not_added }.add(1);
    }

    /// A filter was to be removed; `found`: it was there.
    pub(crate) fn removed(&self, found: bool) {
        if found { &self.removed } else { &self.not_removed }.add(1);
    }

    /// So many filters can be added now, and so many were added twice.
    pub(crate) fn set_free(&self, free: u32, collisions: u32) {
        self.free.store(collisions << 16 | free & 0xffff, Relaxed);
    }

    /// A bucket has got `filters` filters.
    pub(crate) fn bucket(&self, bucket: u32, filters: u32) {
        self.longest.fetch_max(filters << 16 | bucket, Relaxed);
    }

    /// Packets matched a filter.
    #[inline]
    pub(crate) fn matched(&self, packets: u64) {
        self.packets.matched.add(packets);
    }

    /// Packets matched none.
    #[inline]
    pub(crate) fn missed(&self, packets: u64) {
        self.packets.missed.add(packets);
    }

    /// Reads the register at `offset`; `None` if it isn't one of these.
    pub(crate) fn read(&self, offset: u32) -> Option<u32> {
        /// The longest bucket that FDIRLEN can tell.
        const LONGEST: u32 = 0x3f;
        let stuck = |count: &Count, most: u32| count.take().min(most);
        Some(match offset {
            FDIRFREE => self.free.load(Relaxed),
            FDIRLEN => {
                let longest = self.longest.swap(0, Relaxed);
                longest << 16 | (longest >> 16).min(LONGEST)
            }
            FDIRUSTAT => stuck(&self.removed, 0xffff) << 16 | stuck(&self.added, 0xffff),
            FDIRFSTAT => stuck(&self.not_removed, 0xff) << 8 | stuck(&self.not_added, 0xff),
            FDIRMATCH => self.packets.matched.take(),
            FDIRMISS => self.packets.missed.take(),
            _ => return None,
        })
    }

    /// Whether a write at `offset` is lost.
    pub(super) fn claims(offset: u32) -> bool {
        offset == FDIRFREE || (FDIRLEN..=FDIRMISS).contains(&offset)
    }

    /// Nothing was counted; what is free is the table's business.
    pub(super) fn clear(&self) {
        let packets = [&self.packets.matched, &self.packets.missed];
        let filters = [&self.added, &self.removed, &self.not_added, &self.not_removed];
        packets.into_iter().chain(filters).for_each(Count::clear);
        self.longest.store(0, Relaxed);
    }
}

impl PartialEq for DirectorCounts {
    /// Whether they are the same ones, whatever they say.
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

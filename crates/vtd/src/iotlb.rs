//! The shared IOTLB: translations of all domains, found by (domain, page), without a lock (VT-d 4.1, 6.2.4).
//!
//! A slot is two words: a value, and its key mixed with that value. A reader that meets a half-written slot computes a key that
//! isn't its own, and misses. While an invalidation runs the cache neither answers nor learns, so that what it forgets stays
//! forgotten: whoever could have learned from before is waited for in between.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};

use pando_tlp::{Epochs, Gpa, Iova, Translation};

/// Slots; a power of two.
const SLOTS: usize = 8192;

/// Page sizes that are cached, as address bits.
const SHIFTS: [u32; 3] = [12, 21, 30];

const VALID: u64 = 1 << 63;
const READ: u64 = 1 << 0;
const WRITE: u64 = 1 << 1;

/// What a page-selective invalidation covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Every domain.
    Global,
    /// One domain.
    Domain(u16),
    /// The pages of a domain that overlap 2^`mask` pages of 4 KiB around `address`.
    Pages {
        /// The domain id.
        domain: u16,
        /// Any address in the first page.
        address: Iova,
        /// log2 of the number of pages.
        mask: u32,
    },
}

#[derive(Debug, Default)]
struct Slot {
    mixed: AtomicU64,
    value: AtomicU64,
}

/// The cache.
#[derive(Debug)]
pub(crate) struct Iotlb {
    slots: Box<[Slot]>,
    paused: AtomicBool,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// Domain 63:48, page 47:2 of at most 46 bits, size index 1:0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key(u64);

impl Key {
    fn new(domain: u16, address: Iova, size: usize) -> Self {
        Self(
            u64::from(domain) << 48
                | address.0 >> SHIFTS[size] << 2 & 0x0000_ffff_ffff_fffc
                | size as u64,
        )
    }

    fn domain(self) -> u16 {
        (self.0 >> 48) as u16
    }

    /// First and last address of the page.
    fn range(self) -> (u64, u64) {
        let shift = SHIFTS[(self.0 & 3).min(2) as usize];
        let first = (self.0 << 16 >> 18) << shift;
        (first, first | ((1 << shift) - 1))
    }

    fn slot(self) -> usize {
        (self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 51) as usize % SLOTS
    }
}

impl Scope {
    fn covers(self, key: Key) -> bool {
        match self {
            Self::Global => true,
            Self::Domain(domain) => key.domain() == domain,
            Self::Pages { domain, address, mask } => {
                let len = 1u64 << (12 + mask);
                let (first, last) = key.range();
                let start = address.0 & !(len - 1);
                key.domain() == domain && first <= start + (len - 1) && last >= start
            }
        }
    }
}

impl Iotlb {
    pub(crate) fn new() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| Slot::default()).collect(),
            paused: AtomicBool::new(false),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// The cached translation of `address`. Call it under a guard.
    pub(crate) fn lookup(&self, domain: u16, address: Iova) -> Option<Translation> {
        let found = if self.paused.load(SeqCst) {
            None
        } else {
            (0..SHIFTS.len())
                .find_map(|size| self.probe(Key::new(domain, address, size), size, address))
        };
        let counter = if found.is_some() { &self.hits } else { &self.misses };
        counter.fetch_add(1, Relaxed);
        found
    }

    fn probe(&self, key: Key, size: usize, address: Iova) -> Option<Translation> {
        let slot = &self.slots[key.slot()];
        let value = slot.value.load(Relaxed);
        if value & VALID == 0 || slot.mixed.load(Relaxed) ^ value != key.0 {
            return None;
        }
        let len = 1u64 << SHIFTS[size];
        Some(Translation {
            start: Iova(address.0 & !(len - 1)),
            target: Gpa(value & 0x000f_ffff_ffff_f000),
            len,
            read: value & READ != 0,
            write: value & WRITE != 0,
        })
    }

    /// Remembers a translation of a 4 KiB, 2 MiB or 1 GiB page. Call it under the guard under which it was found.
    pub(crate) fn insert(&self, domain: u16, translation: &Translation) {
        let Some(size) = SHIFTS.iter().position(|shift| translation.len == 1 << shift) else {
            return;
        };
        if self.paused.load(SeqCst) {
            return;
        }
        let key = Key::new(domain, translation.start, size);
        let permitted =
            if translation.read { READ } else { 0 } | if translation.write { WRITE } else { 0 };
        let value = VALID | translation.target.0 & 0x000f_ffff_ffff_f000 | permitted;
        let slot = &self.slots[key.slot()];
        slot.value.store(value, Relaxed);
        slot.mixed.store(key.0 ^ value, Relaxed);
    }

    /// Forgets what `scopes` cover. When it returns, nobody uses it any more, in this cache or in a function's own: every guard
    /// from before is gone. With no scope it only waits for that. One caller at a time.
    pub(crate) fn invalidate(&self, scopes: &[Scope], epochs: &Epochs) {
        self.paused.store(!scopes.is_empty(), SeqCst);
        epochs.synchronize();
        if scopes.is_empty() {
            return;
        }
        for slot in &self.slots {
            let value = slot.value.load(Relaxed);
            let key = Key(slot.mixed.load(Relaxed) ^ value);
            if value & VALID != 0 && scopes.iter().any(|scope| scope.covers(key)) {
                slot.value.store(0, Relaxed);
            }
        }
        self.paused.store(false, SeqCst);
    }

    /// Lookups answered, and not.
    pub(crate) fn rates(&self) -> (u64, u64) {
        (self.hits.load(Relaxed), self.misses.load(Relaxed))
    }

    /// Translations held now.
    pub(crate) fn len(&self) -> usize {
        self.slots.iter().filter(|slot| slot.value.load(Relaxed) & VALID != 0).count()
    }
}

#[cfg(test)]
mod tests;

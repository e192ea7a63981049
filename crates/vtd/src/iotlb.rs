//! The shared IOTLB: translations of all domains, found by (domain, page), without a lock (VT-d 4.1, 6.2.4).
//!
//! While an invalidation runs the cache neither answers nor learns, so that what it forgets stays forgotten: whoever could
//! have learned from before is waited for in between.

use std::sync::atomic::{AtomicU64 as Counter, Ordering::Relaxed, Ordering::SeqCst};

use pando_tlp::{Gpa, Iova, Translation};

use crate::slot::Slot;
use crate::sync::{AtomicBool, Epochs};

/// Slots of a unit; a power of two.
const SLOTS: usize = 8192;

/// Page sizes that are cached, as address bits.
pub(crate) const SHIFTS: [u32; 3] = [12, 21, 30];

/// Up to this many pages are looked for one by one; beyond, all slots are gone through.
const FEW: u64 = 1024;

const VALID: u64 = 1 << 63;
const READ: u64 = 1 << 0;
const WRITE: u64 = 1 << 1;
const TARGET: u64 = 0x000f_ffff_ffff_f000;

/// What an invalidation covers.
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

/// The cache.
#[derive(Debug)]
pub(crate) struct Iotlb {
    slots: Box<[Slot]>,
    paused: AtomicBool,
    hits: Counter,
    misses: Counter,
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
}

impl Scope {
    fn covers(self, key: Key) -> bool {
        match self {
            Self::Global => true,
            Self::Domain(domain) => key.domain() == domain,
            Self::Pages { domain, .. } => {
                let (first, last) = key.range();
                self.range().is_some_and(|(start, end)| {
                    key.domain() == domain && first <= end && last >= start
                })
            }
        }
    }

    /// First and last address of a page-selective invalidation: the address is taken down to the size it covers.
    fn range(self) -> Option<(u64, u64)> {
        let Self::Pages { address, mask, .. } = self else { return None };
        let len = 1u64 << (12 + mask);
        let start = address.0 & !(len - 1);
        Some((start, start + (len - 1)))
    }

    /// Every page that the cache may hold under this scope, if they are few.
    fn pages(self) -> Option<impl Iterator<Item = Key>> {
        let Self::Pages { domain, mask, .. } = self else { return None };
        let (start, end) = self.range()?;
        (1 << mask <= FEW).then(|| {
            SHIFTS.into_iter().enumerate().flat_map(move |(size, shift)| {
                (start >> shift..=end >> shift)
                    .map(move |page| Key::new(domain, Iova(page << shift), size))
            })
        })
    }
}

impl Iotlb {
    pub(crate) fn new() -> Self {
        Self::with_slots(SLOTS)
    }

    /// `slots` is a power of two.
    pub(crate) fn with_slots(slots: usize) -> Self {
        Self {
            slots: (0..slots).map(|_| Slot::new()).collect(),
            paused: AtomicBool::new(false),
            hits: Counter::new(0),
            misses: Counter::new(0),
        }
    }

    fn slot(&self, key: Key) -> &Slot {
        let hash = key.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        &self.slots[hash as usize & (self.slots.len() - 1)]
    }

    /// The cached translation of `address`. Call it under a guard.
    pub(crate) fn lookup(&self, domain: u16, address: Iova) -> Option<Translation> {
        let found = if self.paused.load(SeqCst) {
            None
        } else {
            (0..SHIFTS.len()).find_map(|size| self.probe(domain, address, size))
        };
        let counter = if found.is_some() { &self.hits } else { &self.misses };
        counter.fetch_add(1, Relaxed);
        found
    }

    pub(crate) fn probe(&self, domain: u16, address: Iova, size: usize) -> Option<Translation> {
        let key = Key::new(domain, address, size);
        let (found, value) = self.slot(key).get()?;
        if value & VALID == 0 || found != key.0 {
            return None;
        }
        let len = 1u64 << SHIFTS[size];
        Some(Translation {
            start: Iova(address.0 & !(len - 1)),
            target: Gpa(value & TARGET),
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
        self.slot(key).set(key.0, VALID | translation.target.0 & TARGET | permitted);
    }

    /// Forgets what `scopes` cover. When it returns, nobody uses it any more, in this cache or in a function's own: every guard
    /// from before is gone. With no scope it only waits for that. One caller at a time.
    pub(crate) fn invalidate(&self, scopes: &[Scope], epochs: &Epochs) {
        self.paused.store(!scopes.is_empty(), SeqCst);
        epochs.synchronize();
        if scopes.is_empty() {
            return;
        }
        // Nobody reads or writes a slot now: guards from before are gone, and later ones see the pause.
        let mut others = scopes.iter().filter(|scope| !self.forget_few(**scope)).peekable();
        if others.peek().is_some() {
            let others: Vec<_> = others.copied().collect();
            self.slots.iter().for_each(|slot| {
                forget(slot, |key| others.iter().any(|scope| scope.covers(key)));
            });
        }
        self.paused.store(false, SeqCst);
    }

    /// Forgets the pages of a scope that has few; `false` if it has many.
    fn forget_few(&self, scope: Scope) -> bool {
        let Some(pages) = scope.pages() else { return false };
        pages.for_each(|page| forget(self.slot(page), |key| key == page));
        true
    }

    /// Lookups answered, and not.
    pub(crate) fn rates(&self) -> (u64, u64) {
        (self.hits.load(Relaxed), self.misses.load(Relaxed))
    }

    /// Translations held now.
    pub(crate) fn len(&self) -> usize {
        let held = |slot: &&Slot| slot.get().is_some_and(|(_, value)| value & VALID != 0);
        self.slots.iter().filter(held).count()
    }
}

fn forget(slot: &Slot, covered: impl Fn(Key) -> bool) {
    if let Some((key, value)) = slot.get()
        && value & VALID != 0
        && covered(Key(key))
    {
        slot.set(0, 0);
    }
}

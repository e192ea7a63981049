//! One slot of the shared IOTLB: two words that are read together or not at all, without a lock (a sequence lock).

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::sync::{AtomicU64, fence};

/// Key and value of one translation; aligned so that it never spans two cache lines.
#[derive(Debug)]
#[repr(align(32))]
pub(crate) struct Slot {
    /// Odd while the words change.
    version: AtomicU64,
    key: AtomicU64,
    value: AtomicU64,
}

impl Slot {
    pub(crate) fn new() -> Self {
        Self { version: AtomicU64::new(0), key: AtomicU64::new(0), value: AtomicU64::new(0) }
    }

    /// Both words as some writer left them; `None` while one is at it.
    pub(crate) fn get(&self) -> Option<(u64, u64)> {
        let version = self.version.load(Acquire);
        let words = (self.key.load(Relaxed), self.value.load(Relaxed));
        fence(Acquire);
        (version & 1 == 0 && self.version.load(Relaxed) == version).then_some(words)
    }

    /// Replaces both words, unless somebody else is doing that right now.
    pub(crate) fn set(&self, key: u64, value: u64) {
        let version = self.version.load(Relaxed);
        if version & 1 != 0
            || self.version.compare_exchange(version, version + 1, Acquire, Relaxed).is_err()
        {
            return;
        }
        fence(Release);
        self.key.store(key, Relaxed);
        self.value.store(value, Relaxed);
        self.version.store(version + 2, Release);
    }
}

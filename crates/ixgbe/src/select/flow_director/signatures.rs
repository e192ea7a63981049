//! The table of signature filters as workers read it, while one writer changes it (82599 datasheet, 7.1.2.7).
//!
//! An entry is one word, so it is never seen half written. A reader whose entry is taken away under it may come into another chain: it
//! then finds no filter or a right one. Chains are by a hash that nobody outside knows, so that no choice of filters makes them long.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering::*};

use super::Action;
use super::table::Added;
use crate::queue::QueueIndex;
use crate::spec::filter::fdir::*;

/// What is shared.
#[derive(Debug)]
pub(super) struct Signatures {
    /// The first entry of each chain.
    heads: Box<[AtomicU16]>,
    entries: Box<[AtomicU64]>,
    /// What of a hash names a filter.
    mask: u32,
    secret: u64,
}

/// The one who changes it.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) shared: Arc<Signatures>,
    free: Vec<Link>,
    collisions: u32,
}

/// An entry's number plus one; 0 is none.
type Link = u16;

/// One filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    /// Bucket and signature.
    key: u32,
    queue: Option<QueueIndex>,
    /// It was added twice without the word that it may be replaced.
    collides: bool,
    next: Link,
}

impl Entry {
    fn pack(self) -> u64 {
        let queue = self.queue.map_or(0, |queue| 1 << 39 | (queue.get() as u64) << 32);
        let collides = u64::from(self.collides) << 40;
        u64::from(self.next) << 48 | collides | queue | u64::from(self.key)
    }

    fn unpack(word: u64) -> Self {
        let queue = (word >> 32) as u32 & 0x7f;
        Self {
            key: word as u32,
            queue: QueueIndex::new(queue).filter(|_| word >> 39 & 1 != 0),
            collides: word >> 40 & 1 != 0,
            next: (word >> 48) as Link,
        }
    }
}

impl Signatures {
    /// What becomes of packets that hash to `hash`.
    #[inline]
    pub(super) fn action(&self, hash: u32) -> Option<Action> {
        let (_, entry) = self.find(hash & self.mask)?;
        Some(entry.queue.map_or(Action::Pass, Action::Queue))
    }

    /// The entry of `key`, and the way to it.
    #[inline]
    fn find(&self, key: u32) -> Option<(Place<'_>, Entry)> {
        let head = self.head(key);
        let mut place = Place { before: Before::Head(head), link: head.load(Acquire) };
        // A chain that changes meanwhile is given up after as many steps as the longest could have.
        for _ in 0..self.entries.len() {
            let word = self.entry(place.link)?;
            let entry = Entry::unpack(word.load(Acquire));
            if entry.key == key {
                return Some((place, entry));
            }
            place = Place { before: Before::Entry(word, entry), link: entry.next };
        }
        None
    }

    fn entry(&self, link: Link) -> Option<&AtomicU64> {
        self.entries.get(usize::from(link).checked_sub(1)?)
    }

    fn head(&self, key: u32) -> &AtomicU16 {
        let mixed = u64::from(key).wrapping_mul(self.secret);
        &self.heads[(mixed >> (64 - self.heads.len().ilog2())) as usize]
    }
}

/// Where an entry was found.
struct Place<'s> {
    before: Before<'s>,
    link: Link,
}

/// What leads to an entry.
enum Before<'s> {
    Head(&'s AtomicU16),
    Entry(&'s AtomicU64, Entry),
}

impl Writer {
    /// An empty table of as many filters as fit beside 2^`width` buckets.
    pub(super) fn new(width: u32) -> Self {
        let filters = ((1u32 << width) - 2) as Link;
        let shared = Signatures {
            heads: (0..1u32 << width).map(|_| AtomicU16::new(0)).collect(),
            entries: (0..filters).map(|_| AtomicU64::new(0)).collect(),
            mask: KEY_MASK & (0xffff_0000 | ((1 << width) - 1)),
            secret: RandomState::new().hash_one(width) | 1,
        };
        Self { shared: shared.into(), free: (1..=filters).rev().collect(), collisions: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.shared.entries.len() - self.free.len()
    }

    pub(super) fn collisions(&self) -> u32 {
        self.collisions
    }

    pub(super) fn contains(&self, key: u32) -> bool {
        self.shared.find(key).is_some()
    }

    /// Adds a filter, or lets it replace the one that is there, as `command` says.
    pub(super) fn add(&mut self, key: u32, command: u32) -> Added {
        let shared = &self.shared;
        let queue = QueueIndex::new(command >> QUEUE_SHIFT & 0x7f);
        let queue = queue.filter(|_| command & QUEUE_ENABLE != 0);
        if let Some((place, old)) = shared.find(key) {
            let replaces = command & UPDATE != 0;
            let queue = if replaces { queue } else { old.queue };
            let new = Entry { queue, collides: !replaces, ..old };
            self.collisions = self.collisions + u32::from(new.collides) - u32::from(old.collides);
            if let Some(word) = shared.entry(place.link) {
                word.store(new.pack(), Release);
            }
            return if new.queue == old.queue { Added::Kept } else { Added::Replaced };
        }
        let Some(link) = self.free.pop() else { return Added::Full };
        let head = shared.head(key);
        let entry = Entry { key, queue, collides: false, next: head.load(Relaxed) };
        if let Some(word) = shared.entry(link) {
            word.store(entry.pack(), Release);
        }
        head.store(link, Release);
        Added::New
    }

    /// Removes a filter; whether it was there.
    pub(super) fn remove(&mut self, key: u32) -> bool {
        let Some((place, entry)) = self.shared.find(key) else { return false };
        match place.before {
            Before::Head(head) => head.store(entry.next, Release),
            Before::Entry(word, before) => {
                word.store(Entry { next: entry.next, ..before }.pack(), Release);
            }
        }
        self.collisions -= u32::from(entry.collides);
        self.free.push(place.link);
        true
    }
}

impl PartialEq for Signatures {
    /// Whether it is the same table, whatever is in it.
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

//! The table of filters as commands leave it: of one kind, in as much memory as it was given, counted in and out (82599 datasheet,
//! 7.1.2.7, 8.2.3.21).

use std::collections::HashMap;

use super::Filters as Seen;
use super::fields::Masks;
use super::hash::Hash;
use super::perfect::Perfect;
use super::signatures::Writer;
use crate::spec::filter::fdir::*;
use crate::spec::general::FDIRCTRL;
use crate::statistics::DirectorCounts;
use crate::storage::Storage;

/// The table.
#[derive(Debug, Default)]
pub(crate) struct Table {
    filters: Option<Filters>,
    /// Buckets are numbered by as many bits.
    width: u32,
    /// Filters of each bucket that has any.
    lengths: HashMap<u32, u32>,
}

#[derive(Debug)]
enum Filters {
    Perfect(Perfect),
    Signatures(Writer),
}

/// What came of an addition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    New,
    Replaced,
    /// Packets see no difference.
    Kept,
    Full,
}

/// What came of a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The filter asked for is there.
    pub(crate) found: bool,
    /// Packets are to be shown another table.
    pub(crate) changed: bool,
    /// A filter was added, or not, and no more are free than the driver wants to hear of.
    pub(crate) filled: bool,
}

impl Table {
    /// FDIRCTRL was written: an empty table of that kind and size.
    pub(crate) fn start(&mut self, control: u32, counts: &DirectorCounts) {
        let memory = control & MEMORY_MASK;
        self.width = memory + if control & PERFECT != 0 { PERFECT_WIDTH } else { SIGNATURE_WIDTH };
        self.filters = (memory != 0).then(|| match control & PERFECT {
            0 => Filters::Signatures(Writer::new(self.width)),
            _ => Filters::Perfect(Perfect::new(self.width)),
        });
        self.lengths.clear();
        self.tell(counts);
    }

    /// FDIRCMD was written: does what it says with the filter that `hash`, FDIRHASH, names, and with the other inputs in the registers.
    pub(crate) fn command(
        &mut self,
        storage: &Storage,
        hash: u32,
        command: u32,
        counts: &DirectorCounts,
    ) -> Answer {
        let before = self.len();
        let cleared = command & CLEAR_TABLE != 0;
        if cleared {
            self.start(storage.get(FDIRCTRL), counts);
        }
        let key = hash & KEY_MASK & !(BUCKET_MASK & u32::MAX << self.width);
        let mut answer = Answer { found: self.contains(key), ..Answer::default() };
        let mut replaced = false;
        match command & 3 {
            ADD => {
                let added = self.add(key, storage, command, counts);
                replaced = added == Added::Replaced;
                let threshold = (storage.get(FDIRCTRL) >> FULL_SHIFT) as usize * FULL_UNIT;
                answer.filled = self.filters.is_some() && self.free() <= threshold;
            }
            REMOVE => self.remove(key, counts),
            _ => {}
        }
        self.tell(counts);
        answer.changed = match self.filters {
            _ if cleared => before > 0 || self.len() > 0,
            Some(Filters::Signatures(_)) => (before == 0) != (self.len() == 0),
            _ => replaced || before != self.len(),
        };
        answer
    }

    /// The filters as packets see them.
    pub(super) fn seen_through(&self, masks: &Masks, storage: &Storage) -> Seen {
        match &self.filters {
            None => Seen::Off,
            _ if self.len() == 0 => Seen::Empty,
            Some(Filters::Perfect(filters)) => Seen::Perfect(filters.seen_through(masks)),
            Some(Filters::Signatures(writer)) => {
                Seen::Signatures(writer.shared.clone(), Hash::read(storage))
            }
        }
    }

    fn add(&mut self, key: u32, storage: &Storage, command: u32, counts: &DirectorCounts) -> Added {
        let added = match &mut self.filters {
            None => Added::Full,
            Some(Filters::Perfect(filters)) => filters.add(key, storage, command),
            Some(Filters::Signatures(writer)) => writer.add(key, command),
        };
        counts.added(added == Added::New);
        if added == Added::New {
            let bucket = key & BUCKET_MASK;
            let length = self.lengths.entry(bucket).or_default();
            *length += 1;
            counts.bucket(bucket, *length);
        }
        added
    }

    fn remove(&mut self, key: u32, counts: &DirectorCounts) {
        let removed = match &mut self.filters {
            None => false,
            Some(Filters::Perfect(filters)) => filters.remove(key),
            Some(Filters::Signatures(writer)) => writer.remove(key),
        };
        counts.removed(removed);
        let bucket = key & BUCKET_MASK;
        if removed && let Some(length) = self.lengths.get_mut(&bucket) {
            *length -= 1;
            if *length == 0 {
                self.lengths.remove(&bucket);
            }
        }
    }

    fn contains(&self, key: u32) -> bool {
        match &self.filters {
            None => false,
            Some(Filters::Perfect(filters)) => filters.contains(key),
            Some(Filters::Signatures(writer)) => writer.contains(key),
        }
    }

    fn len(&self) -> usize {
        match &self.filters {
            None => 0,
            Some(Filters::Perfect(filters)) => filters.len(),
            Some(Filters::Signatures(writer)) => writer.len(),
        }
    }

    fn free(&self) -> usize {
        self.filters.as_ref().map_or(0, |_| (1 << self.width) - 2 - self.len())
    }

    fn tell(&self, counts: &DirectorCounts) {
        let collisions = match &self.filters {
            Some(Filters::Signatures(writer)) => writer.collisions(),
            _ => 0,
        };
        counts.set_free(self.free() as u32, collisions);
    }
}

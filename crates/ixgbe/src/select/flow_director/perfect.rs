//! Perfect filters as commands leave them, by bucket and software id (82599 datasheet, 7.1.2.7).

use std::collections::{BTreeMap, HashMap};

use super::Action;
use super::fields::{Masks, Tuple};
use super::table::Added;
use crate::queue::QueueIndex;
use crate::spec::filter::fdir::*;
use crate::storage::Storage;

/// The filters.
#[derive(Debug)]
pub(super) struct Perfect {
    filters: BTreeMap<u32, Filter>,
    limit: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Filter {
    tuple: Tuple,
    action: Action,
}

impl Perfect {
    /// An empty table of as many filters as fit beside 2^`width` buckets.
    pub(super) fn new(width: u32) -> Self {
        Self { filters: BTreeMap::new(), limit: (1 << width) - 2 }
    }

    pub(super) fn len(&self) -> usize {
        self.filters.len()
    }

    pub(super) fn contains(&self, key: u32) -> bool {
        self.filters.contains_key(&key)
    }

    /// Adds the filter that the registers describe, or lets it replace the one that is there, as `command` says.
    pub(super) fn add(&mut self, key: u32, storage: &Storage, command: u32) -> Added {
        let new = Filter::read(storage, command);
        let full = self.filters.len() >= self.limit;
        match self.filters.get_mut(&key) {
            Some(old) if command & UPDATE == 0 || *old == new => Added::Kept,
            Some(old) => {
                *old = new;
                Added::Replaced
            }
            None if full => Added::Full,
            None => {
                self.filters.insert(key, new);
                Added::New
            }
        }
    }

    /// Removes a filter; whether it was there.
    pub(super) fn remove(&mut self, key: u32) -> bool {
        self.filters.remove(&key).is_some()
    }

    /// What becomes of what `masks` leave of a packet.
    pub(super) fn seen_through(&self, masks: &Masks) -> HashMap<Tuple, Action> {
        self.filters.values().map(|filter| (masks.apply(filter.tuple), filter.action)).collect()
    }
}

impl Filter {
    fn read(storage: &Storage, command: u32) -> Self {
        let (ports, vlan) = (storage.get(FDIRPORT), storage.get(FDIRVLAN));
        let queue = QueueIndex::new(command >> QUEUE_SHIFT & 0x7f);
        let action = match queue {
            _ if command & DROP != 0 => Action::Drop,
            Some(queue) if command & QUEUE_ENABLE != 0 => Action::Queue(queue),
            _ => Action::Pass,
        };
        let tuple = Tuple {
            source: storage.get(FDIRIPSA),
            destination: storage.get(FDIRIPDA),
            source_port: ports as u16,
            destination_port: (ports >> 16) as u16,
            vlan: vlan as u16,
            flex: ((vlan >> 16) as u16).swap_bytes(),
            pool: (command >> 24 & 0x3f) as u8,
            protocol: (command >> 5 & 3) as u8,
        };
        Self { tuple, action }
    }
}

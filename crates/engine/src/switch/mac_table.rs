//! A map from address to ports, built once and then only read: open addressing, a load of at most a half, a seed per table so that
//! no guest can choose addresses that collide.

use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

use crate::MacAddress;

/// No address has bits above 47.
const EMPTY: u64 = u64::MAX;

#[derive(Debug)]
pub(super) struct MacTable {
    seed: u64,
    shift: u32,
    slots: Box<[Slot]>,
    members: Box<[u16]>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    key: u64,
    first: u32,
    len: u32,
}

impl MacTable {
    /// `entries` are pairs of an address and a port; the ports of one address keep their order.
    pub(super) fn new(mut entries: Vec<(MacAddress, u16)>) -> Self {
        entries.sort_by_key(|entry| entry.0);
        let bits = (entries.len() * 2).next_power_of_two().trailing_zeros().max(1);
        let empty = Slot { key: EMPTY, first: 0, len: 0 };
        let mut table = Self {
            seed: RandomState::new().hash_one(0),
            shift: 64 - bits,
            slots: vec![empty; 1 << bits].into(),
            members: entries.iter().map(|entry| entry.1).collect(),
        };
        let mut first = 0;
        for group in entries.chunk_by(|a, b| a.0 == b.0) {
            let key = key(group[0].0);
            let slot = table.slot(key);
            table.slots[slot] = Slot { key, first, len: group.len() as u32 };
            first += group.len() as u32;
        }
        table
    }

    /// The ports of `address`, in order; none if it isn't in the table.
    #[inline]
    pub(super) fn get(&self, address: MacAddress) -> &[u16] {
        let slot = self.slots[self.slot(key(address))];
        let range: Range<usize> = slot.first as usize..(slot.first + slot.len) as usize;
        &self.members[range]
    }

    /// Where `key` is, or the free slot where it would be.
    #[inline]
    fn slot(&self, key: u64) -> usize {
        let hash = (key ^ self.seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let hash = (hash ^ hash >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mut slot = (hash >> self.shift) as usize;
        while self.slots[slot].key != EMPTY && self.slots[slot].key != key {
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        slot
    }
}

#[inline]
fn key(address: MacAddress) -> u64 {
    let [a, b, c, d, e, f] = address.0;
    u64::from_be_bytes([0, 0, a, b, c, d, e, f])
}

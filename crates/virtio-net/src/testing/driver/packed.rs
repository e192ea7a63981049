//! The driver's side of a packed ring (virtio 1.3, 2.8).

use std::collections::BTreeMap;

use super::{INDIRECT, NEXT, WRITE, descriptor};
use crate::testing::Memory;

const AVAILABLE: u16 = 1 << 7;
const USED: u16 = 1 << 15;

/// Where it makes available, and where it looks for used descriptors, each with its wrap counter.
#[derive(Clone, Debug)]
pub(super) struct Packed {
    free: (u16, bool),
    seen: (u16, bool),
    event_index: bool,
    /// Descriptors of each chain.
    lengths: BTreeMap<u16, u16>,
}

impl Packed {
    pub(super) fn new(event_index: bool) -> Self {
        let start = (0, true);
        Self { free: start, seen: start, event_index, lengths: BTreeMap::new() }
    }

    /// Adds a chain; the head's flags are written last. Its number is the head's slot.
    pub(super) fn add(
        &mut self,
        memory: &Memory,
        ring: u64,
        size: u16,
        pieces: &[(u64, u32, bool)],
    ) -> u16 {
        let last = pieces.len() - 1;
        let with_flags = pieces.iter().enumerate().map(|(index, (address, len, writable))| {
            let write = if *writable { WRITE } else { 0 };
            (*address, *len, write | if index < last { NEXT } else { 0 })
        });
        self.add_raw(memory, ring, size, &with_flags.collect::<Vec<_>>())
    }

    /// Adds a chain in an indirect table.
    pub(super) fn add_indirect(
        &mut self,
        memory: &Memory,
        ring: u64,
        size: u16,
        table: u64,
        pieces: &[(u64, u32, bool)],
    ) -> u16 {
        for (entry, (address, len, writable)) in (0..).zip(pieces) {
            let flags = if *writable { WRITE } else { 0 };
            memory.write(table + 16 * entry, &descriptor(*address, *len, 0, flags));
        }
        self.add_raw(memory, ring, size, &[(table, 16 * pieces.len() as u32, INDIRECT)])
    }

    fn add_raw(&mut self, memory: &Memory, ring: u64, size: u16, chain: &[(u64, u32, u16)]) -> u16 {
        let (head, head_wrap) = self.free;
        for (index, (address, len, flags)) in chain.iter().enumerate() {
            let (slot, wrap) = self.free;
            // The head looks as if it weren't available yet.
            let shown = wrap == (index > 0);
            let flags = flags | if shown { AVAILABLE } else { USED };
            memory.write(ring + 16 * u64::from(slot), &descriptor(*address, *len, head, flags));
            self.free = after(self.free, 1, size);
        }
        let bits = if head_wrap { AVAILABLE } else { USED };
        memory.store(ring + 16 * u64::from(head) + 14, chain[0].2 | bits);
        self.lengths.insert(head, chain.len() as u16);
        head
    }

    /// The used descriptor that comes next, if it is there.
    pub(super) fn used(&self, memory: &Memory, ring: u64) -> Option<(u16, u32)> {
        let (slot, wrap) = self.seen;
        let at = ring + 16 * u64::from(slot);
        let flags = memory.load(at + 14);
        if (flags & AVAILABLE != 0) != wrap || (flags & USED != 0) != wrap {
            return None;
        }
        let bytes = memory.read(at, 16);
        let len = u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
        let id = u16::from_le_bytes([bytes[12], bytes[13]]);
        assert_eq!(flags & WRITE != 0, len > 0);
        Some((id, len))
    }

    /// Passes the used chain `id`; an interrupt is asked for at the one behind it.
    pub(super) fn pass(&mut self, memory: &Memory, size: u16, event: u64, id: u16) {
        self.seen = after(self.seen, self.lengths.remove(&id).expect("a chain of ours"), size);
        if self.event_index {
            memory.store(event, self.seen.0 | u16::from(self.seen.1) << 15);
            memory.store(event + 2, 2);
        }
    }
}

fn after((slot, wrap): (u16, bool), count: u16, size: u16) -> (u16, bool) {
    if slot + count < size { (slot + count, wrap) } else { (slot + count - size, !wrap) }
}

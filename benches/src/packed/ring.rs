//! One packed ring as its driver sees it (virtio 1.3, 2.8), one descriptor to a buffer.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::fence;

use anyhow::Result;
use vm_memory::{Bytes, VolatileSlice};

use crate::driver::{RingPlace, SIZE};
use crate::machine::Layout;
use crate::memory::Memory;

/// Flags of a descriptor. The device writes, and whose it is.
pub(super) const WRITE: u16 = 2;
const AVAILABLE: u16 = 1 << 7;
const USED: u16 = 1 << 15;

/// What event suppression says.
const DISABLED: u16 = 1;
const AT_DESCRIPTOR: u16 = 2;

/// A ring and its buffers.
pub(super) struct Ring {
    memory: VolatileSlice<'static>,
    pub(super) place: RingPlace,
    pub(super) buffers: Vec<u64>,
    /// What every descriptor says of its buffer.
    len: u32,
    flags: u16,
    in_order: bool,
    /// Buffers given and taken back since the beginning. Which one is given next, once all were: the one taken back so long ago.
    given: u32,
    taken: u32,
    ids: Vec<u16>,
}

impl Ring {
    pub(super) fn new(memory: &mut Memory, len: u32, flags: u16, layout: Layout) -> Result<Self> {
        let place = RingPlace {
            descriptors: memory.allocate(16 * u64::from(SIZE))?,
            available: memory.allocate(4)?,
            used: memory.allocate(4)?,
        };
        let buffers = (0..SIZE).map(|_| memory.buffer(len.into())).collect::<Result<_>>()?;
        let in_order = layout == Layout::PackedInOrder;
        let memory = memory.whole();
        let ids = (0..SIZE).collect();
        let ring = Self { memory, place, buffers, len, flags, in_order, given: 0, taken: 0, ids };
        ring.store(place.available + 2, DISABLED); // it polls
        Ok(ring)
    }

    /// Buffers that the device has.
    #[inline]
    pub(super) fn in_flight(&self) -> u16 {
        self.given.wrapping_sub(self.taken) as u16
    }

    /// Whether the ring has been gone through an odd number of times after `count` descriptors: what AVAIL then isn't.
    #[inline]
    fn wrapped(count: u32) -> bool {
        (count / u32::from(SIZE)) & 1 != 0
    }

    /// Gives `count` buffers, each for itself; `true` if the device wants to be notified.
    pub(super) fn give(&mut self, count: u16) -> bool {
        let before = self.given;
        for _ in 0..count {
            let slot = self.given % u32::from(SIZE);
            let id = self.ids[slot as usize];
            let own = if Self::wrapped(self.given) { USED } else { AVAILABLE };
            let at = (self.place.descriptors + 16 * u64::from(slot)) as usize;
            // They lie inside, or nothing arrives.
            let _ = self.memory.store(self.buffers[usize::from(id)], at, Relaxed);
            let rest =
                u64::from(self.flags | own) << 48 | u64::from(id) << 32 | u64::from(self.len);
            let _ = self.memory.store(rest, at + 8, Release);
            self.given = self.given.wrapping_add(1);
        }
        fence(SeqCst);
        let event: u32 = self.memory.load(self.place.used as usize, Relaxed).unwrap_or_default();
        match (event >> 16) as u16 & 3 {
            DISABLED => false,
            AT_DESCRIPTOR => self.has_passed(event as u16, before),
            _ => true,
        }
    }

    /// Whether the descriptor that `event` names is among those given since there were `before`.
    fn has_passed(&self, event: u16, before: u32) -> bool {
        let position = |count: u32| count % (2 * u32::from(SIZE));
        // The first time through the wrap counter is 1.
        let wrapped = event >> 15 == 0;
        let event = u32::from(event & 0x7fff) + if wrapped { u32::from(SIZE) } else { 0 };
        let since =
            position(event.wrapping_sub(position(before)).wrapping_add(2 * u32::from(SIZE)));
        since < self.given.wrapping_sub(before)
    }

    /// Takes back what the device has used.
    pub(super) fn take(&mut self) -> u64 {
        let before = self.taken;
        while self.taken != self.given {
            let slot = self.taken % u32::from(SIZE);
            let at = (self.place.descriptors + 16 * u64::from(slot)) as usize + 8;
            let rest: u64 = self.memory.load(at, Acquire).unwrap_or_default();
            let (id, flags) = ((rest >> 32) as u16, (rest >> 48) as u16);
            let turn = !Self::wrapped(self.taken);
            if (flags & AVAILABLE != 0) != turn || (flags & USED != 0) != turn {
                break;
            }
            // In order, one element tells of all up to its own.
            let count = if self.in_order {
                (u32::from(id) + u32::from(SIZE) - slot) % u32::from(SIZE) + 1
            } else {
                1
            };
            self.ids[slot as usize] = if self.in_order { slot as u16 } else { id };
            self.taken = self.taken.wrapping_add(count);
        }
        self.taken.wrapping_sub(before).into()
    }

    fn store(&self, at: u64, value: u16) {
        let _ = self.memory.store(value, at as usize, Relaxed);
    }
}

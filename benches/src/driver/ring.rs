//! One split ring as its driver sees it (virtio 1.3, 2.7): chain n is descriptor n.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::fence;

use anyhow::Result;
use vm_memory::{Bytes, VolatileSlice};

use super::{HEADER, SIZE, Shape};
use crate::memory::Memory;

/// Where a frame's payload is written anew: behind all headers, within the shortest frame.
const PAYLOAD: u64 = 56;

/// The device writes.
pub(super) const WRITE: u16 = 2;
/// The descriptor names a table.
pub(super) const INDIRECT: u16 = 4;

/// Where a ring lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RingPlace {
    pub(crate) descriptors: u64,
    pub(crate) available: u64,
    pub(crate) used: u64,
}

/// What one descriptor is written with, each time anew.
#[derive(Clone, Copy, Debug)]
struct Chain {
    address: u64,
    /// Length and flags as they lie in memory.
    rest: u64,
    /// Where the chain's bytes begin.
    bytes: u64,
}

/// How much a driver does for each chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Care {
    /// Nothing: descriptors and available entries stay as they are. The device is all there is to measure.
    Index,
    /// Writes its descriptor and its available entry, as a driver must that gets its buffers from elsewhere.
    Descriptor,
    /// Writes into each frame it sends and reads the header of each frame it receives, too: what a guest does.
    Frame,
}

/// A ring and its chains.
pub(crate) struct Ring {
    memory: VolatileSlice<'static>,
    place: RingPlace,
    chains: Vec<Chain>,
    receives: bool,
    care: Care,
    /// Frames may take several buffers.
    spread: bool,
    /// The available index.
    available: u16,
    /// The used index up to which chains were taken back.
    used: u16,
}

impl Ring {
    /// An empty ring.
    pub(super) fn new(memory: &mut Memory, shape: Shape, receives: bool) -> Result<Self> {
        let place = RingPlace {
            descriptors: memory.allocate(16 * u64::from(SIZE))?,
            available: memory.allocate(6 + 2 * u64::from(SIZE))?,
            // Four bytes in: so its elements are aligned to 8, and are read in one piece.
            used: memory.allocate(10 + 8 * u64::from(SIZE))? + 4,
        };
        let whole = memory.whole();
        let chains = Vec::with_capacity(SIZE.into());
        let spread = shape.frame + HEADER > shape.buffer;
        let care = shape.care;
        let mut ring =
            Self { memory: whole, place, chains, receives, care, spread, available: 0, used: 0 };
        ring.want_no_interrupt();
        Ok(ring)
    }

    /// Adds a chain.
    pub(super) fn add(&mut self, address: u64, len: u32, flags: u16) {
        let rest = u64::from(len) | u64::from(flags) << 32;
        self.chains.push(Chain { address, rest, bytes: address });
    }

    /// Says where the bytes of the chain added last begin.
    pub(super) fn look_at(&mut self, bytes: u64) {
        if let Some(chain) = self.chains.last_mut() {
            chain.bytes = bytes;
        }
    }

    /// Where it lies.
    pub(crate) fn place(&self) -> RingPlace {
        self.place
    }

    /// Forgets everything: for a device that begins anew.
    pub(crate) fn reset(&mut self) {
        (self.available, self.used) = (0, 0);
        self.store(self.place.available + 2, 0u16, SeqCst);
        self.store(self.place.used + 2, 0u16, SeqCst);
        self.want_no_interrupt();
    }

    /// Chains that the device has.
    #[inline]
    pub(crate) fn in_flight(&self) -> u16 {
        self.available.wrapping_sub(self.used)
    }

    /// Writes `count` chains and publishes them at once; `true` if the device wants to be notified.
    #[inline]
    pub(crate) fn publish(&mut self, count: u16) -> bool {
        if self.care != Care::Index || self.available < SIZE {
            for offset in 0..count {
                self.write_chain(self.available.wrapping_add(offset) % SIZE);
            }
        }
        let before = self.available;
        self.available = before.wrapping_add(count);
        self.store(self.place.available + 2, self.available, Release);
        self.want_no_interrupt();
        fence(SeqCst);
        let event: u16 = self.load(self.place.used + 4 + 8 * u64::from(SIZE), Relaxed);
        self.available.wrapping_sub(event).wrapping_sub(1) < count
    }

    /// Takes back what the device has used; returns how many chains that were and, of a receive ring, how many frames.
    #[inline]
    pub(crate) fn collect(&mut self) -> (u16, u64) {
        let used: u16 = self.load(self.place.used + 2, Acquire);
        let count = used.wrapping_sub(self.used);
        let mut frames = 0;
        let mut continued = 0;
        for offset in 0..count {
            let slot = u64::from(self.used.wrapping_add(offset) % SIZE);
            let element: u64 = self.load(self.place.used + 4 + 8 * slot, Relaxed);
            if self.receives && continued == 0 {
                frames += 1;
                continued = self.buffers(element as u16) - 1;
            } else if self.receives {
                continued -= 1;
            }
        }
        self.used = used;
        (count, frames)
    }

    /// Where the memory of the `count` chains that were taken back last lies, and how many bytes it is.
    #[inline]
    pub(crate) fn taken_back(&self, count: u16) -> impl Iterator<Item = (u64, u32)> {
        let chain = |offset| self.chains[usize::from(self.used.wrapping_sub(offset) % SIZE)];
        (1..=count).rev().map(chain).map(|chain| (chain.address, chain.rest as u32))
    }

    /// Whether the device has used something new.
    #[inline]
    pub(crate) fn has_used(&self) -> bool {
        self.load::<u16>(self.place.used + 2, Acquire) != self.used
    }

    /// A driver that polls: the event lies half a ring away, so it is never crossed.
    #[inline]
    fn want_no_interrupt(&mut self) {
        let event = self.place.available + 4 + 2 * u64::from(SIZE);
        self.store(event, self.used.wrapping_sub(1), Relaxed);
    }

    /// What a driver writes for a chain: the descriptor, the header of a frame it sends, the available entry.
    #[inline]
    fn write_chain(&mut self, index: u16) {
        let chain = self.chains[usize::from(index)];
        let descriptor = self.place.descriptors + 16 * u64::from(index);
        self.store(descriptor, chain.address, Relaxed);
        self.store(descriptor + 8, chain.rest, Relaxed);
        if !self.receives && self.care == Care::Frame {
            let payload = chain.bytes + u64::from(HEADER) + PAYLOAD;
            self.store(payload, u32::from(self.available), Relaxed);
        }
        self.store(self.place.available + 4 + 2 * u64::from(index), index, Relaxed);
    }

    /// `num_buffers` of the frame that begins in chain `index`; at least 1.
    #[inline]
    fn buffers(&self, index: u16) -> u16 {
        if !self.spread && self.care != Care::Frame {
            return 1;
        }
        let bytes = self.chains[usize::from(index % SIZE)].bytes;
        self.load::<u16>(bytes + 10, Relaxed).max(1)
    }

    #[inline]
    fn load<T: vm_memory::AtomicAccess + Default>(
        &self,
        at: u64,
        order: std::sync::atomic::Ordering,
    ) -> T {
        self.memory.load(at as usize, order).unwrap_or_default()
    }

    #[inline]
    fn store<T: vm_memory::AtomicAccess>(
        &self,
        at: u64,
        value: T,
        order: std::sync::atomic::Ordering,
    ) {
        let _ = self.memory.store(value, at as usize, order); // the ring lies inside, or nothing arrives
    }
}

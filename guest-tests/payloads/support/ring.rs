//! A split ring driven for speed (virtio 1.3, 2.7): one buffer per chain, chain n is descriptor n, events say when to ring.

use core::arch::asm;

use super::memory::{read_u16, read_u32, write_u16, write_whole_u64};

/// Feature EVENT_IDX, which it needs.
pub const EVENT_IDX: u32 = 1 << 29;
/// Entries.
pub const SIZE: u16 = 256;
/// Bytes of memory that it takes with its buffers.
pub const MEMORY: u64 = 1 << 20;

/// Offsets in its memory: the two rings behind the descriptors, then the buffers.
const AVAILABLE: u64 = 0x1000;
const USED: u64 = 0x2000;
const BUFFERS: u64 = 0x3000;
/// From one buffer to the next: an odd number of cache lines, so that they spread over the cache.
const DISTANCE: u64 = 2048 + 64;
/// Where the rings tell which index they want to hear of.
const USED_EVENT: u64 = AVAILABLE + 4 + 2 * SIZE as u64;
const AVAILABLE_EVENT: u64 = USED + 4 + 8 * SIZE as u64;
/// Descriptor flag: the device writes.
const DEVICE_WRITES: u64 = 2;

/// The driver's side.
pub struct Ring {
    memory: u64,
    /// Length and flags of each descriptor.
    rest: u64,
    available: u16,
    used: u16,
}

impl Ring {
    /// A ring in cleared memory, whose buffers have `len` bytes.
    pub fn new(memory: u64, len: u32, device_writes: bool) -> Self {
        (0..MEMORY).step_by(8).for_each(|offset| write_whole_u64(memory + offset, 0));
        let flags = if device_writes { DEVICE_WRITES } else { 0 };
        let ring = Self { memory, rest: u64::from(len) | flags << 32, available: 0, used: 0 };
        ring.want_no_interrupt();
        ring
    }

    /// Its three parts, as the device is told of them.
    pub fn places(&self) -> [u64; 3] {
        [self.memory, self.memory + AVAILABLE, self.memory + USED]
    }

    /// Where a chain's buffer lies.
    pub fn buffer(&self, chain: u16) -> u64 {
        self.memory + BUFFERS + DISTANCE * u64::from(chain)
    }

    /// Chains that the device does not have.
    #[inline]
    pub fn room(&self) -> u16 {
        SIZE - self.available.wrapping_sub(self.used)
    }

    /// Writes `count` chains and makes them available at once; whether the device wants to be told.
    #[inline]
    pub fn publish(&mut self, count: u16) -> bool {
        for _ in 0..count {
            let chain = self.available % SIZE;
            let descriptor = self.memory + 16 * u64::from(chain);
            write_whole_u64(descriptor, self.buffer(chain));
            write_whole_u64(descriptor + 8, self.rest);
            write_u16(self.memory + AVAILABLE + 4 + 2 * u64::from(chain), chain);
            self.available = self.available.wrapping_add(1);
        }
        write_u16(self.memory + AVAILABLE + 2, self.available);
        // SAFETY: it orders the write before the read.
        unsafe { asm!("mfence") };
        let event = read_u16(self.memory + AVAILABLE_EVENT);
        self.available.wrapping_sub(event).wrapping_sub(1) < count
    }

    /// Takes back what the device has used, element by element; how many that were.
    #[inline]
    pub fn collect(&mut self) -> u16 {
        let count = read_u16(self.memory + USED + 2).wrapping_sub(self.used);
        for _ in 0..count {
            read_u32(self.memory + USED + 4 + 8 * u64::from(self.used % SIZE));
            self.used = self.used.wrapping_add(1);
        }
        if count > 0 {
            self.want_no_interrupt();
        }
        count
    }

    /// The next buffer that the device uses interrupts.
    pub fn want_interrupt(&self) {
        write_u16(self.memory + USED_EVENT, self.used);
    }

    /// No buffer interrupts: the index that would is behind all that the device has.
    fn want_no_interrupt(&self) {
        write_u16(self.memory + USED_EVENT, self.used.wrapping_sub(1));
    }
}

//! A split virtqueue in memory that the device shares (virtio 1.2, 2.7), with one descriptor per buffer.

use std::rc::Rc;
use std::sync::atomic::{Ordering::SeqCst, fence};

use crate::sys::Mapping;

/// Descriptors of a queue.
pub(crate) const SIZE: u16 = 16;

/// Bytes that a queue takes, from a page's start.
pub(crate) const BYTES: usize = 4096;

const AVAILABLE: usize = 0x400;
const USED: usize = 0x800;

/// Where a queue's parts are in it: descriptors, available ring, used ring.
pub(crate) const PARTS: [usize; 3] = [0, AVAILABLE, USED];

/// A queue at an offset of the memory.
pub(crate) struct Ring {
    memory: Rc<Mapping>,
    at: usize,
    available: u16,
    used: u16,
}

impl Ring {
    pub(crate) fn new(memory: Rc<Mapping>, at: usize) -> Self {
        memory.copy_in(at, &[0; BYTES]);
        Self { memory, at, available: 0, used: 0 }
    }

    /// Offers the buffer at an I/O address under this number.
    pub(crate) fn offer(&mut self, number: u16, iova: u64, len: u32, device_writes: bool) {
        let descriptor = self.at + 16 * usize::from(number);
        self.memory.set(descriptor, iova);
        self.memory.set(descriptor + 8, len);
        self.memory.set(descriptor + 12, if device_writes { 2u16 } else { 0 });
        let place = self.at + AVAILABLE;
        self.memory.set(place + 4 + 2 * usize::from(self.available % SIZE), number);
        self.available = self.available.wrapping_add(1);
        fence(SeqCst);
        self.memory.set(place + 2, self.available);
        fence(SeqCst);
    }

    /// A buffer that came back: its number and how much was written to it.
    pub(crate) fn take(&mut self) -> Option<(u16, u32)> {
        let place = self.at + USED;
        if self.memory.get::<u16>(place + 2) == self.used {
            return None;
        }
        fence(SeqCst);
        let element = place + 4 + 8 * usize::from(self.used % SIZE);
        self.used = self.used.wrapping_add(1);
        Some((self.memory.get::<u32>(element) as u16, self.memory.get(element + 4)))
    }
}

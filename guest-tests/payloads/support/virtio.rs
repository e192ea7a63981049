//! A virtio function (virtio 1.3, 2.7 and 4.1), and a small queue of it driven by polling: no interrupt, no indirect table, one piece
//! per buffer. `ring.rs` has a queue for speed.

use super::ecam::Function;
use super::memory::{read_u8, read_u16, read_u32, write_u8, write_u16, write_u32};

const VENDOR_SPECIFIC: u8 = 0x09;
/// `cfg_type` of the common configuration and of the doorbells.
const COMMON: u8 = 1;
const NOTIFY: u8 = 2;

const DEVICE_FEATURE_SELECT: u64 = 0;
const DEVICE_FEATURE: u64 = 4;
const DRIVER_FEATURE_SELECT: u64 = 8;
const DRIVER_FEATURE: u64 = 12;
const NUM_QUEUES: u64 = 18;
const STATUS: u64 = 20;
const QUEUE_SELECT: u64 = 22;
const QUEUE_SIZE: u64 = 24;
const QUEUE_MSIX_VECTOR: u64 = 26;
const QUEUE_ENABLE: u64 = 28;
const QUEUE_DESC: u64 = 32;
const QUEUE_DRIVER: u64 = 40;
const QUEUE_DEVICE: u64 = 48;

const ACKNOWLEDGE_AND_DRIVER: u8 = 1 | 2;
const DRIVER_OK: u8 = 4;
const FEATURES_OK: u8 = 8;
const NEEDS_RESET: u8 = 64;
/// VERSION_1 and ACCESS_PLATFORM, in the second word of the feature bits.
const FEATURES: u32 = 1 << 0 | 1 << 1;

/// Descriptors of a queue.
const SIZE: u16 = 8;
/// Offsets of the two rings behind the descriptors.
const AVAILABLE: u64 = 0x100;
const USED: u64 = 0x200;
/// Descriptor flag: the device writes.
const DEVICE_WRITES: u16 = 2;

/// A function's registers.
#[derive(Clone, Copy)]
pub struct Virtio {
    common: u64,
    doorbells: u64,
    /// Bytes from one doorbell to the next.
    multiplier: u64,
}

impl Virtio {
    /// Finds the structures of a function; `bar` tells where a BAR lies.
    pub fn of(function: Function, bar: impl Fn(u8) -> u64) -> Option<Self> {
        let find = |kind| {
            function.capabilities().find(|&at| {
                function.read_byte(at) == VENDOR_SPECIFIC && function.read_byte(at + 3) == kind
            })
        };
        let place = |at| bar(function.read_byte(at + 4)) + u64::from(function.read(at + 8));
        let (common, doorbells) = (find(COMMON)?, find(NOTIFY)?);
        let multiplier = u64::from(function.read(doorbells + 16));
        Some(Self { common: place(common), doorbells: place(doorbells), multiplier })
    }

    /// Resets, and drives it as far as the features; whether it accepts them.
    pub fn negotiate(self) -> bool {
        self.negotiate_with(0)
    }

    /// The same with more features, of the first word of their bits.
    pub fn negotiate_with(self, more: u32) -> bool {
        self.reset();
        self.add_status(ACKNOWLEDGE_AND_DRIVER);
        write_u32(self.common + DEVICE_FEATURE_SELECT, 1);
        let offered = read_u32(self.common + DEVICE_FEATURE);
        for (word, features) in [(0, more), (1, FEATURES)] {
            write_u32(self.common + DRIVER_FEATURE_SELECT, word);
            write_u32(self.common + DRIVER_FEATURE, features);
        }
        self.add_status(FEATURES_OK);
        offered & FEATURES == FEATURES && self.status() & FEATURES_OK != 0
    }

    /// Sets a queue up in the page at `memory`, which is cleared.
    pub fn queue(self, index: u16, memory: u64) -> Queue {
        (0..0x1000).step_by(4).for_each(|offset| write_u32(memory + offset, 0));
        self.place(index, SIZE, [memory, memory + AVAILABLE, memory + USED], None);
        Queue { memory, added: 0 }
    }

    /// Gives a queue its descriptors, its available ring and its used ring, maybe an interrupt, and enables it.
    pub fn place(self, index: u16, size: u16, rings: [u64; 3], vector: Option<u16>) {
        write_u16(self.common + QUEUE_SELECT, index);
        write_u16(self.common + QUEUE_SIZE, size);
        for (register, address) in [QUEUE_DESC, QUEUE_DRIVER, QUEUE_DEVICE].into_iter().zip(rings) {
            write_u32(self.common + register, address as u32);
            write_u32(self.common + register + 4, (address >> 32) as u32);
        }
        vector.inspect(|vector| write_u16(self.common + QUEUE_MSIX_VECTOR, *vector));
        write_u16(self.common + QUEUE_ENABLE, 1);
    }

    /// Queues live from now on.
    pub fn start(self) {
        self.add_status(DRIVER_OK);
    }

    /// Back to the state of power-on.
    pub fn reset(self) {
        write_u8(self.common + STATUS, 0);
    }

    /// Queues that it has.
    pub fn queues(self) -> u16 {
        read_u16(self.common + NUM_QUEUES)
    }

    /// Whether it is at work.
    pub fn is_live(self) -> bool {
        self.status() & (DRIVER_OK | NEEDS_RESET) == DRIVER_OK
    }

    /// The address of a queue's doorbell, whether or not there is such a queue.
    pub fn doorbell(self, queue: u16) -> u64 {
        self.doorbells + self.multiplier * u64::from(queue)
    }

    fn status(self) -> u8 {
        read_u8(self.common + STATUS)
    }

    fn add_status(self, bits: u8) {
        write_u8(self.common + STATUS, self.status() | bits);
    }
}

/// The driver's side of a queue.
#[derive(Default)]
pub struct Queue {
    memory: u64,
    added: u16,
}

impl Queue {
    /// Makes a buffer available; the device reads it, or writes to it.
    pub fn add(&mut self, buffer: u64, len: u32, device_writes: bool) {
        let slot = self.added % SIZE;
        let descriptor = self.memory + 16 * u64::from(slot);
        write_u32(descriptor, buffer as u32);
        write_u32(descriptor + 4, (buffer >> 32) as u32);
        write_u32(descriptor + 8, len);
        write_u16(descriptor + 12, if device_writes { DEVICE_WRITES } else { 0 });
        let available = self.memory + AVAILABLE;
        write_u16(available + 4 + 2 * u64::from(slot), slot);
        self.added += 1;
        // The CPU keeps stores in order, and so does the compiler these.
        write_u16(available + 2, self.added);
    }

    /// How many buffers the device has used.
    pub fn used(&self) -> u16 {
        read_u16(self.memory + USED + 2)
    }

    /// How many bytes it wrote to the buffer that it used as number `index`.
    pub fn written(&self, index: u16) -> u32 {
        read_u32(self.memory + USED + 4 + 8 * u64::from(index % SIZE) + 4)
    }
}

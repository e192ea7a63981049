//! Guest memory and the driver's side of two split rings: one function sends, another receives.

use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::fence;
use std::time::{Duration, Instant};

use pando_engine::ring::SplitConfig;
use pando_tlp::{Access, Dma, Fault, Gpa, GuestRam, Iova, MsiMessage, RequesterId, Target};
use vm_memory::{Bytes, VolatileSlice};

/// Entries of each ring.
pub const SIZE: u16 = 256;

/// Chains published at once.
const BATCH: u16 = 32;

const PAGE: u64 = 4096;
const MIB: u64 = 1 << 20;

/// Memory behind an identity mapping.
pub struct Machine {
    /// The memory.
    pub ram: GuestRam,
}

impl Machine {
    /// Memory for two rings and their buffers.
    ///
    /// # Panics
    /// Where there is no memory.
    #[expect(clippy::unwrap_used, reason = "a bench without memory can only end")]
    pub fn new() -> Arc<Self> {
        Arc::new(Self { ram: GuestRam::anonymous(&[(Gpa(0), 4 * MIB as usize)]).unwrap() })
    }

    /// All of it.
    ///
    /// # Panics
    /// Never: it has one region at zero.
    #[expect(clippy::unwrap_used, reason = "there is one region, at zero")]
    pub fn slice(&self) -> VolatileSlice<'static> {
        self.ram.region(Gpa(0)).unwrap().slice()
    }
}

impl Dma for Machine {
    fn requester(&self) -> RequesterId {
        RequesterId(0)
    }

    fn resolve(&self, address: Iova, _: Access) -> Result<Target, Fault> {
        let run = self.ram.region(Gpa(address.0)).ok_or(Fault::UnsupportedRequest)?;
        Ok(Target::Ram { start: Iova(0), run, read: true, write: true })
    }

    fn read(&self, _: Iova, _: &mut [u8]) -> Result<(), Fault> {
        Err(Fault::UnsupportedRequest)
    }

    fn write(&self, _: Iova, _: &[u8]) -> Result<(), Fault> {
        Err(Fault::UnsupportedRequest)
    }

    fn interrupt(&self, _: MsiMessage) -> Result<(), Fault> {
        Ok(())
    }
}

/// One ring as its driver sees it: chain n is always descriptor n with buffer n.
pub struct Ring {
    memory: VolatileSlice<'static>,
    base: u64,
    available: u16,
    used: u16,
}

/// The driver of both functions.
pub struct Driver {
    /// The sender's ring.
    pub transmit: Ring,
    /// The receiver's ring.
    pub receive: Ring,
}

impl Ring {
    fn new(memory: VolatileSlice<'static>, base: u64, buffers: u64, len: u32, flags: u16) -> Self {
        let ring = Self { memory, base, available: 0, used: 0 };
        for index in 0..u64::from(SIZE) {
            let at = (base + index * 16) as usize;
            let _ = memory.write_obj(buffers + index * PAGE, at);
            let _ = memory.write_obj(len, at + 8);
            let _ = memory.write_obj(flags, at + 12);
            let _ =
                memory.write_obj(index as u16, (ring.available_ring() + 4 + index * 2) as usize);
        }
        ring
    }

    fn available_ring(&self) -> u64 {
        self.base + PAGE
    }

    fn used_ring(&self) -> u64 {
        self.base + 2 * PAGE
    }

    /// Where it lies.
    pub fn config(&self) -> SplitConfig {
        SplitConfig {
            size: SIZE,
            descriptors: Iova(self.base),
            available: Iova(self.available_ring()),
            used: Iova(self.used_ring()),
            event_index: true,
            indirect: false,
            position: 0,
        }
    }

    /// Takes what the device has used; returns how many chains that were.
    fn collect(&mut self) -> u16 {
        let used: u16 = self.memory.load(self.used_ring() as usize + 2, Acquire).unwrap_or(0);
        let new = used.wrapping_sub(self.used);
        self.used = used;
        new
    }

    /// Publishes `count` more chains; `true` if the device wants to be notified.
    fn publish(&mut self, count: u16) -> bool {
        let before = self.available;
        self.available = before.wrapping_add(count);
        let _ = self.memory.store(self.available, self.available_ring() as usize + 2, Release);
        fence(SeqCst);
        let event = self.used_ring() as usize + 4 + usize::from(SIZE) * 8;
        let event: u16 = self.memory.load(event, Relaxed).unwrap_or(0);
        self.available.wrapping_sub(event).wrapping_sub(1) < count
    }
}

impl Driver {
    /// Rings for frames of `len` bytes to 02:00:00:00:00:01, in `machine`'s memory.
    pub fn new(machine: &Machine, len: u32) -> Self {
        let memory = machine.slice();
        for index in 0..u64::from(SIZE) {
            let head = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0x88, 0xb5];
            let _ = memory.write_slice(&head, (MIB + index * PAGE) as usize);
        }
        Self {
            transmit: Ring::new(memory, 0, MIB, len, 0),
            receive: Ring::new(memory, 16 * PAGE, 2 * MIB, PAGE as u32, 2),
        }
    }

    /// Sends `frames` frames and waits until all were taken. Returns how long that took and how many arrived.
    pub fn run(
        &mut self,
        frames: u64,
        ring_transmit: &dyn Fn(),
        ring_receive: &dyn Fn(),
    ) -> (Duration, u64) {
        let start = Instant::now();
        let (mut posted, mut sent, mut arrived) = (0, 0, 0);
        if self.receive.available == self.receive.used && self.receive.publish(SIZE) {
            ring_receive();
        }
        while sent < frames {
            sent += u64::from(self.transmit.collect());
            let room = u64::from(SIZE) - (posted - sent);
            let count = room.min(frames - posted).min(u64::from(BATCH)) as u16;
            if count == BATCH || u64::from(count) == frames - posted && count > 0 {
                posted += u64::from(count);
                if self.transmit.publish(count) {
                    ring_transmit();
                }
            }
            let new = self.receive.collect();
            if new > 0 {
                arrived += u64::from(new);
                if self.receive.publish(new) {
                    ring_receive();
                }
            }
            std::hint::spin_loop();
        }
        let time = start.elapsed();
        arrived += u64::from(self.receive.collect());
        (time, arrived)
    }
}

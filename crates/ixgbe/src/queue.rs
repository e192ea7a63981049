//! The registers of one transmit and one receive queue (82599 datasheet, 8.2.3.8, 8.2.3.9), as a driver and a worker share them.
//!
//! PF and VFs see the same blocks at different places; who may touch which is `layout`'s and `vf`'s business. A worker reads tail
//! and writes head here, everything else it takes once, when it is started. Leaves out the per-queue counters (`statistics`).

use std::sync::atomic::{
    AtomicBool, AtomicU32,
    Ordering::{Release, SeqCst},
};

use pando_tlp::Iova;

use crate::spec::queue::*;

/// Queues of each kind.
pub(crate) const QUEUES: usize = 128;

/// A queue of the whole card, 0 to 127.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct QueueIndex(u8);

impl QueueIndex {
    /// `None` for a queue that doesn't exist.
    pub(crate) fn new(index: u32) -> Option<Self> {
        u8::try_from(index).ok().filter(|index| usize::from(*index) < QUEUES).map(Self)
    }

    /// Every queue.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..QUEUES as u8).map(Self)
    }

    /// Its number, below [`QUEUES`].
    pub(crate) fn get(self) -> usize {
        usize::from(self.0)
    }
}

/// What a write to a block asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Touched {
    /// Nothing but storing.
    Stored,
    /// The tail moved: there may be work.
    Tail,
    /// The queue was enabled or disabled, or told how to work.
    Control,
}

/// Where a ring lies, as its registers say when it is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ring {
    /// Its first descriptor.
    pub(crate) base: Iova,
    /// How many descriptors it has; 0 if the driver gave it no memory.
    pub(crate) descriptors: u16,
}

/// What both kinds of queues have.
#[derive(Debug, Default)]
struct Common {
    base_low: AtomicU32,
    base_high: AtomicU32,
    length: AtomicU32,
    dca: AtomicU32,
    tail: AtomicU32,
    control: AtomicU32,
    head: Head,
}

/// The one register that a worker writes, in a cache line of its own: the others' line stays near both sides as long as the driver
/// writes nothing.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Head(AtomicU32);

impl Common {
    fn register(&self, offset: u32) -> Option<&AtomicU32> {
        Some(match offset {
            BASE_LOW => &self.base_low,
            BASE_HIGH => &self.base_high,
            LENGTH => &self.length,
            DCA => &self.dca,
            HEAD => &self.head.0,
            TAIL => &self.tail,
            CONTROL => &self.control,
            _ => return None,
        })
    }

    fn write(&self, offset: u32, value: u32) -> Touched {
        let (mask, touched) = match offset {
            BASE_LOW => (BASE_MASK, Touched::Stored),
            LENGTH => (LENGTH_MASK, Touched::Stored),
            HEAD => (POINTER_MASK, Touched::Stored),
            TAIL => (POINTER_MASK, Touched::Tail),
            CONTROL => (!FLUSH, Touched::Control),
            _ => (u32::MAX, Touched::Stored),
        };
        if let Some(register) = self.register(offset) {
            register.store(value & mask, SeqCst);
        }
        touched
    }

    fn ring(&self) -> Ring {
        let (low, high) = (self.base_low.load(SeqCst), self.base_high.load(SeqCst));
        Ring {
            base: Iova(u64::from(high) << 32 | u64::from(low)),
            descriptors: (self.length.load(SeqCst) / DESCRIPTOR) as u16, // at most 0xfff8
        }
    }

    fn is_enabled(&self) -> bool {
        self.control.load(SeqCst) & ENABLE != 0
    }

    fn reset(&self) {
        let registers = [
            &self.base_low,
            &self.base_high,
            &self.length,
            &self.dca,
            &self.head.0,
            &self.tail,
            &self.control,
        ];
        registers.iter().for_each(|register| register.store(0, SeqCst));
    }
}

/// A transmit queue's registers.
#[derive(Debug, Default)]
pub(crate) struct TxRegisters {
    common: Common,
    write_back_low: AtomicU32,
    write_back_high: AtomicU32,
    /// The tail was written since the queue was enabled: what the ring holds is meant to be sent.
    rung: AtomicBool,
}

impl TxRegisters {
    /// Reads the register at `offset` of the block.
    pub(crate) fn read(&self, offset: u32) -> u32 {
        self.register(offset).map_or(0, |register| register.load(SeqCst))
    }

    /// Writes the register at `offset` of the block.
    pub(crate) fn write(&self, offset: u32, value: u32) -> Touched {
        match offset {
            WRITE_BACK_LOW => self.write_back_low.store(value, SeqCst),
            WRITE_BACK_HIGH => self.write_back_high.store(value, SeqCst),
            _ => return self.write_common(offset, value),
        }
        Touched::Stored
    }

    fn write_common(&self, offset: u32, value: u32) -> Touched {
        let touched = self.common.write(offset, value);
        match touched {
            Touched::Tail if self.is_enabled() => self.rung.store(true, SeqCst),
            Touched::Control if !self.is_enabled() => self.rung.store(false, SeqCst),
            _ => {}
        }
        touched
    }

    fn register(&self, offset: u32) -> Option<&AtomicU32> {
        match offset {
            WRITE_BACK_LOW => Some(&self.write_back_low),
            WRITE_BACK_HIGH => Some(&self.write_back_high),
            _ => self.common.register(offset),
        }
    }

    /// TXDCTL.ENABLE.
    pub(crate) fn is_enabled(&self) -> bool {
        self.common.is_enabled()
    }

    /// Enabled, and given a tail since: a ring left over from a driver before is never read.
    pub(crate) fn has_work(&self) -> bool {
        self.is_enabled() && self.rung.load(SeqCst)
    }

    /// Where the ring lies.
    pub(crate) fn ring(&self) -> Ring {
        self.common.ring()
    }

    /// TDT: the first descriptor that isn't the device's. May lie beyond the ring.
    #[inline]
    pub(crate) fn tail(&self) -> u16 {
        self.common.tail.load(SeqCst) as u16
    }

    /// TDH: the next descriptor to be fetched. May lie beyond the ring until the device sets it.
    #[inline]
    pub(crate) fn head(&self) -> u16 {
        self.common.head.0.load(SeqCst) as u16
    }

    /// The device has advanced.
    #[inline]
    pub(crate) fn set_head(&self, head: u16) {
        self.common.head.0.store(u32::from(head), Release);
    }

    /// Where the head is written after it moved, if the driver wants that (TDWBAL bit 0).
    pub(crate) fn write_back(&self) -> Option<Iova> {
        let (low, high) = (self.write_back_low.load(SeqCst), self.write_back_high.load(SeqCst));
        (low & 1 != 0).then_some(Iova(u64::from(high) << 32 | u64::from(low & !3)))
    }

    /// Power-on state.
    pub(crate) fn reset(&self) {
        self.rung.store(false, SeqCst);
        self.common.reset();
        self.write_back_low.store(0, SeqCst);
        self.write_back_high.store(0, SeqCst);
    }
}

/// A receive queue's registers.
#[derive(Debug)]
pub(crate) struct RxRegisters {
    common: Common,
    split: AtomicU32,
    coalescing: AtomicU32,
}

impl Default for RxRegisters {
    fn default() -> Self {
        let (common, coalescing) = (Common::default(), AtomicU32::new(0));
        Self { common, split: AtomicU32::new(SRRCTL_RESET), coalescing }
    }
}

impl RxRegisters {
    /// Reads the register at `offset` of the block.
    pub(crate) fn read(&self, offset: u32) -> u32 {
        self.register(offset).map_or(0, |register| register.load(SeqCst))
    }

    /// Writes the register at `offset` of the block. SRRCTL counts from the next frame on.
    pub(crate) fn write(&self, offset: u32, value: u32) -> Touched {
        match offset {
            SRRCTL => self.split.store(value, SeqCst),
            RSCCTL => self.coalescing.store(value, SeqCst),
            _ => return self.common.write(offset, value),
        }
        Touched::Stored
    }

    fn register(&self, offset: u32) -> Option<&AtomicU32> {
        match offset {
            SRRCTL => Some(&self.split),
            RSCCTL => Some(&self.coalescing),
            _ => self.common.register(offset),
        }
    }

    /// RXDCTL.ENABLE.
    pub(crate) fn is_enabled(&self) -> bool {
        self.common.is_enabled()
    }

    /// RXDCTL.VME: tags are stripped.
    pub(crate) fn strips_vlan(&self) -> bool {
        self.common.control.load(SeqCst) & STRIP_VLAN != 0
    }

    /// RXDCTL.RLPML: bytes of a frame at most, with its check sequence.
    pub(crate) fn longest(&self) -> Option<usize> {
        let control = self.common.control.load(SeqCst);
        (control & LONGEST_ENABLE != 0).then_some((control & LONGEST_MASK) as usize)
    }

    /// SRRCTL: buffer sizes, descriptor type, Drop Enable.
    #[inline]
    pub(crate) fn split(&self) -> u32 {
        self.split.load(SeqCst)
    }

    /// RSCCTL, if segments are to be joined.
    #[inline]
    pub(crate) fn coalescing(&self) -> Option<u32> {
        Some(self.coalescing.load(SeqCst)).filter(|control| control & RSCCTL_ENABLE != 0)
    }

    /// Where the ring lies.
    pub(crate) fn ring(&self) -> Ring {
        self.common.ring()
    }

    /// RDT: the first descriptor that isn't the device's. May lie beyond the ring.
    #[inline]
    pub(crate) fn tail(&self) -> u16 {
        self.common.tail.load(SeqCst) as u16
    }

    /// RDH: the next descriptor to be filled. May lie beyond the ring until the device sets it.
    #[inline]
    pub(crate) fn head(&self) -> u16 {
        self.common.head.0.load(SeqCst) as u16
    }

    /// The device has advanced.
    #[inline]
    pub(crate) fn set_head(&self, head: u16) {
        self.common.head.0.store(u32::from(head), Release);
    }

    /// Power-on state.
    pub(crate) fn reset(&self) {
        self.common.reset();
        self.split.store(SRRCTL_RESET, SeqCst);
        self.coalescing.store(0, SeqCst);
    }
}

#[cfg(test)]
mod tests;

//! The device's side of a split virtqueue, on memory resolved once per epoch (virtio 1.3, 2.7).
//!
//! One pass reads the available index once, copies each descriptor once, and publishes its used elements with one store of the
//! used index. Every index, length and address is the driver's: a mistake is a [`QueueError::Driver`] for this ring and nothing
//! else. Left out: the packed ring, in-order use, notification data.

mod chain;
mod writer;

use std::sync::Arc;

use pando_tlp::{Dma, DmaView, Guard, Iova};

pub use chain::{CHAIN_PIECES, Chain};
pub use writer::Writer;

use crate::QueueError;

/// Where a split ring lies and what was negotiated for it.
#[derive(Clone, Copy, Debug)]
pub struct SplitConfig {
    /// Entries; a power of two, at most 32768.
    pub size: u16,
    /// The descriptor table, 16-byte aligned.
    pub descriptors: Iova,
    /// The available ring (driver area), 2-byte aligned.
    pub available: Iova,
    /// The used ring (device area), 4-byte aligned.
    pub used: Iova,
    /// VIRTIO_F_EVENT_IDX was negotiated.
    pub event_index: bool,
    /// VIRTIO_F_INDIRECT_DESC was negotiated.
    pub indirect: bool,
    /// The position, in both rings, of the first chain to take; 0 after a reset.
    pub position: u16,
}

/// A split ring. A pass is [`begin`](Self::begin), some [`next`](Self::next), some [`put`](Self::put), one
/// [`publish`](Self::publish); chains taken but not put are taken again by the next pass.
pub struct SplitRing {
    view: DmaView,
}

impl SplitRing {
    /// A ring on `view`'s memory. Fails if the driver set a size or an alignment that isn't allowed.
    pub fn new(config: SplitConfig, view: DmaView) -> Result<Self, QueueError> {
        let _ = config;
        Ok(Self { view })
    }

    /// Begins a pass: forgets chains taken but not put, reads the available index once, and returns how many chains wait.
    pub fn begin(&mut self, guard: &Guard<'_>) -> Result<u16, QueueError> {
        let _ = guard;
        todo!()
    }

    /// Takes the next chain of this pass; `false`, and `chain` empty, if there is none.
    pub fn next<'g>(
        &mut self,
        guard: &'g Guard<'_>,
        chain: &mut Chain<'g>,
    ) -> Result<bool, QueueError> {
        let _ = (guard, chain);
        todo!()
    }

    /// Forgets chains taken but not put: the next [`next`](Self::next) starts after the last one put.
    pub fn rewind(&mut self) {
        todo!()
    }

    /// Writes the used element of the oldest chain taken but not put; `written` counts bytes written into it. The driver sees it
    /// after [`publish`](Self::publish).
    pub fn put(&mut self, guard: &Guard<'_>, written: u32) -> Result<(), QueueError> {
        let _ = (guard, written);
        todo!()
    }

    /// Shows the driver everything put so far; `true` if it wants an interrupt for it.
    pub fn publish(&mut self, guard: &Guard<'_>) -> Result<bool, QueueError> {
        let _ = guard;
        todo!()
    }

    /// Asks the driver to notify at the next chain; `true` if there is one that wasn't put already.
    pub fn arm(&mut self, guard: &Guard<'_>) -> Result<bool, QueueError> {
        let _ = guard;
        todo!()
    }

    /// The driver needn't notify: the ring is being polled.
    pub fn disarm(&mut self, guard: &Guard<'_>) -> Result<(), QueueError> {
        let _ = guard;
        todo!()
    }

    /// The position of the oldest chain not put: what a saved ring goes on from.
    pub fn position(&self) -> u16 {
        todo!()
    }

    /// The function's handle, for interrupts.
    pub fn dma(&self) -> &Arc<dyn Dma> {
        self.view.dma()
    }
}

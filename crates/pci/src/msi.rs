//! MSI: 1 to 32 vectors with 64-bit address, each with a mask and a pending bit (PCI Express base 6.0, 6.1.4, 7.7.1). Its registers
//! live in the configuration space of its owner; this is what they make it do.

use std::sync::Arc;

use pando_tlp::{Dma, Epochs, MsiMessage, Requester};

use crate::config_space::ConfigSpace;
use crate::spec::msi::*;
use crate::vectors::Vectors;

/// The sending side of an MSI capability.
pub struct Msi {
    /// Its place; `None` where there is none, and no vector.
    capability: Option<u16>,
    vectors: Vectors,
}

impl Msi {
    /// For the capability at offset `capability`, which asks for `vectors` vectors; messages leave through `dma` while
    /// `requester`'s gate is open.
    pub(crate) fn new(
        (capability, vectors): (u16, u16),
        dma: Arc<dyn Dma>,
        requester: Arc<Requester>,
    ) -> Self {
        let vectors = Vectors::new(dma, requester, vectors, false);
        Self { capability: Some(capability), vectors }
    }

    /// Without the capability.
    pub(crate) fn absent(dma: Arc<dyn Dma>, requester: Arc<Requester>) -> Self {
        Self { capability: None, vectors: Vectors::new(dma, requester, 0, false) }
    }

    pub(crate) fn in_epochs(self, epochs: &Arc<Epochs>) -> Self {
        Self { vectors: self.vectors.in_epochs(epochs), ..self }
    }

    /// An event for `vector`: one message, or its pending bit while it is masked or the function may not send. Ignored while MSI
    /// is disabled, and for a vector that Multiple Message Enable leaves out. Call it with no lock held that a register access
    /// may want.
    pub fn signal(&self, vector: u16) {
        self.vectors.signal(vector);
    }

    /// Number of vectors it asks for; 0 where there is no MSI.
    pub fn vectors(&self) -> u16 {
        self.vectors.count()
    }

    /// The registers' say, read from a configuration space after a write.
    pub(crate) fn registers(&self, space: &ConfigSpace) -> Registers {
        let Some(capability) = self.capability else { return Registers::default() };
        let read = |register| space.read(capability + register);
        let control = read(0);
        Registers {
            enabled: control & ENABLE != 0,
            allocated: 1 << (control >> MULTIPLE_MESSAGE_ENABLE_SHIFT & 0b111).min(LARGEST),
            message: MsiMessage {
                address: u64::from(read(ADDRESS_UPPER)) << 32 | u64::from(read(ADDRESS)),
                data: read(DATA),
            },
            masks: read(MASK),
        }
    }

    /// Whether `register` of the configuration space belongs to it.
    pub(crate) fn contains(&self, register: u16) -> bool {
        let length = |capability: u16| (capability..capability + LENGTH).contains(&register);
        self.capability.is_some_and(length)
    }

    /// The Pending Bits register, if `register` is that one.
    pub(crate) fn read(&self, register: u16) -> Option<u32> {
        let pending = self.capability? + PENDING;
        (register == pending).then(|| self.vectors.pending(0))
    }

    /// Follows the registers. Call it with no lock held.
    pub(crate) fn apply(&self, registers: &Registers) {
        let count = self.vectors.count();
        let allocated = registers.allocated.min(count);
        self.vectors.allocate(allocated);
        let MsiMessage { address, data } = registers.message;
        for vector in 0..count {
            // The low bits that tell the vectors apart are the function's own (6.1.4.2).
            let data = data & !u32::from(allocated.saturating_sub(1)) | u32::from(vector);
            self.vectors.change(vector, |entry| {
                entry.message = MsiMessage { address, data };
                entry.masked = registers.masks >> vector & 1 != 0;
            });
        }
        self.vectors.control(registers.enabled, false);
    }

    /// An event of a port, from a thread that may hold no guard.
    pub(crate) fn signal_guarded(&self, vector: u16) {
        self.vectors.signal_guarded(vector);
    }

    /// The vectors behind it, for gates and reset.
    pub(crate) fn inner(&self) -> &Vectors {
        &self.vectors
    }
}

/// What the registers of the capability say.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Registers {
    pub(crate) enabled: bool,
    allocated: u16,
    message: MsiMessage,
    masks: u32,
}

#[cfg(test)]
mod tests;

//! MSI with one vector, as ports have it (PCI Express base 6.0, 6.1.4.1, 7.7.1). Its registers live in the configuration
//! space of its owner; this is what they make it do.

use std::sync::Arc;

use pando_tlp::{Link, MsiMessage, Requester};

use crate::config_space::ConfigSpace;
use crate::spec::msi::*;
use crate::vectors::Vectors;

/// The sending side of an MSI capability.
pub(crate) struct Msi {
    capability: u16,
    vectors: Vectors,
}

impl Msi {
    /// For the capability at offset `capability`, sending into `upper`.
    pub(crate) fn new(capability: u16, upper: &dyn Link, requester: Arc<Requester>) -> Self {
        let vectors = Vectors::new(upper.dma(requester.clone()), requester, 1, false);
        Self { capability, vectors: vectors.in_epochs(upper.epochs()) }
    }

    /// The registers' say, read from a configuration space after a write.
    pub(crate) fn registers(&self, space: &ConfigSpace) -> Registers {
        let read = |register| space.read(self.capability + register);
        Registers {
            enabled: read(0) & ENABLE != 0,
            message: MsiMessage {
                address: u64::from(read(ADDRESS_UPPER)) << 32 | u64::from(read(ADDRESS)),
                data: read(DATA),
            },
            masked: read(MASK) & 1 != 0,
        }
    }

    /// Whether `register` of the configuration space belongs to it.
    pub(crate) fn contains(&self, register: u16) -> bool {
        (self.capability..self.capability + LENGTH).contains(&register)
    }

    /// The Pending Bits register, if `register` is that one.
    pub(crate) fn read(&self, register: u16) -> Option<u32> {
        (register == self.capability + PENDING).then(|| self.vectors.pending(0))
    }

    /// Follows the registers. Call it with no lock held.
    pub(crate) fn apply(&self, registers: Registers) {
        self.vectors.change(0, |vector| {
            (vector.message, vector.masked) = (registers.message, registers.masked);
        });
        self.vectors.control(registers.enabled, false);
    }

    /// An event.
    pub(crate) fn signal(&self) {
        self.vectors.signal_guarded(0);
    }

    /// The vector behind it, for gates and reset.
    pub(crate) fn vectors(&self) -> &Vectors {
        &self.vectors
    }
}

/// What the registers of the capability say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registers {
    enabled: bool,
    message: MsiMessage,
    masked: bool,
}

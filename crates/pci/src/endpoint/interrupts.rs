//! The ways in which a function interrupts: MSI-X, MSI, or its pin; its registers say which (PCI Express base 6.0, 6.1.4).

use std::sync::Arc;

use pando_tlp::{Dma, Link, Requester};

use super::card::Card;
use super::shape::Shape;
use crate::config_space::ConfigSpace;
use crate::intx::{self, Intx};
use crate::msi::{self, Msi};
use crate::spec::header::{COMMAND, COMMAND_INTX_DISABLE, STATUS_INTERRUPT};
use crate::spec::msi::{MSIX_ENABLE, MSIX_FUNCTION_MASK};
use crate::{FunctionId, Msix};

/// Everything that a function interrupts by. What it hasn't got has no vectors, or no wire.
pub(super) struct Interrupts {
    pub(super) msix: Arc<Msix>,
    pub(super) msi: Arc<Msi>,
    pub(super) intx: Arc<Intx>,
}

/// What the registers of a function say of its interrupts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Registers {
    /// MSI-X Enable and Function Mask.
    msix: (bool, bool),
    msi: msi::Registers,
    intx_disabled: bool,
}

impl Interrupts {
    pub(super) fn new(
        card: &Card,
        id: FunctionId,
        link: &Arc<dyn Link>,
        dma: &Arc<dyn Dma>,
        requester: &Arc<Requester>,
    ) -> Self {
        let shape = card.shape(id);
        let vectors = shape.and_then(|shape| shape.msix).map_or(0, |msix| msix.vectors);
        let msix = Msix::new(dma.clone(), requester.clone(), vectors);
        let msi = match shape.and_then(|shape| shape.msi) {
            Some(capability) => Msi::new(capability, dma.clone(), requester.clone()),
            None => Msi::absent(dma.clone(), requester.clone()),
        };
        let wire = card.wire.filter(|_| id == FunctionId::Pf);
        Self {
            msix: Arc::new(msix.in_epochs(link.epochs())),
            msi: Arc::new(msi.in_epochs(link.epochs())),
            intx: Arc::new(Intx::new(link.clone(), card.function, wire)),
        }
    }

    /// What the hardware itself shows in a configuration register: these bits, or the whole dword.
    pub(super) fn read(&self, register: u16, stored: u32) -> u32 {
        match self.msi.read(register) {
            Some(pending) => pending,
            None if register == COMMAND && self.intx.is_pending() => stored | STATUS_INTERRUPT,
            None => stored,
        }
    }

    /// Reads what a write to `register` may have changed.
    pub(super) fn registers(
        &self,
        shape: &Shape,
        space: &ConfigSpace,
        register: u16,
    ) -> Option<Registers> {
        let is_msix = shape.msix_offset == Some(register);
        if register != COMMAND && !is_msix && !self.msi.contains(register) {
            return None;
        }
        let control = shape.msix_offset.map_or(0, |offset| space.read(offset));
        Some(Registers {
            msix: (control & MSIX_ENABLE != 0, control & MSIX_FUNCTION_MASK != 0),
            msi: self.msi.registers(space),
            intx_disabled: space.read(COMMAND) & COMMAND_INTX_DISABLE != 0,
        })
    }

    /// Follows the registers. A pin falls silent before messages begin, and speaks after they have ended.
    pub(super) fn follow(&self, registers: &Registers) {
        let (msix, mask) = registers.msix;
        let replaced = msix || registers.msi.enabled;
        let pin = intx::Registers { disabled: registers.intx_disabled, replaced };
        if replaced {
            self.intx.control(pin);
        }
        self.msix.control(msix, mask);
        self.msi.apply(&registers.msi);
        self.intx.control(pin);
    }

    /// The gate has closed: no message is under way any more.
    pub(super) fn quiesce(&self) {
        self.msix.inner().quiesce();
        self.msi.inner().quiesce();
    }

    /// The gate has opened: what is pending is sent.
    pub(super) fn deliver_all(&self) {
        self.msix.inner().deliver_all();
        self.msi.inner().deliver_all();
    }

    /// Power-on state.
    pub(super) fn reset(&self) {
        self.msix.inner().reset(true);
        self.msi.inner().reset(false);
        self.intx.reset();
    }

    /// Vectors that wait for an unmask or for the gate.
    pub(super) fn pending(&self) -> u32 {
        let words = self.msix.vectors().div_ceil(32);
        let pending = |word: u16| self.msix.inner().pending(word * 32).count_ones();
        (0..words).map(pending).sum::<u32>() + self.msi.inner().pending(0).count_ones()
    }
}

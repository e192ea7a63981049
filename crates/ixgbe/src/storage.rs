//! Registers without behaviour of their own: one dword each, at its offset in the PF's space (82599 datasheet, 8.2.3).
//!
//! A dword is plain RW and 0 after reset unless a table here says otherwise. Workers read globals and filters from here; changes
//! reach them by whoever the write's `Effect` tells. Leaves out whatever `chip` gives to a subject module before it comes here.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use crate::identity::Model;
use crate::layout::Pool;
use crate::spec::filter::*;
use crate::spec::general::*;

/// All dwords of the space.
pub(crate) struct Storage {
    dwords: Box<[AtomicU32]>,
    model: Model,
}

impl Storage {
    /// Power-on state.
    pub(crate) fn new(model: Model) -> Self {
        let dwords = (0..SPACE / 4).map(|_| AtomicU32::new(0)).collect();
        let storage = Self { dwords, model };
        storage.reset();
        storage
    }

    /// Power-on state.
    pub(crate) fn reset(&self) {
        self.dwords.iter().for_each(|dword| dword.store(0, SeqCst));
        let own = match self.model {
            Model::CombinedBackplane => [(AUTOC, AUTOC_BACKPLANE), (AUTOC2, 0)],
            Model::SfpPlus => [(AUTOC, AUTOC_FIBER), (AUTOC2, AUTOC2_FIBER)],
            Model::BaseT => [(AUTOC, 0), (RXPBSIZE, RXPBSIZE_RESET_BASE_T)],
        };
        for (offset, value) in RESET.into_iter().chain(own) {
            self.set(offset, value);
        }
    }

    /// Which member of the family the card is.
    pub(crate) fn model(&self) -> Model {
        self.model
    }

    /// The dword at `offset`; 0 where none is.
    #[inline]
    pub(crate) fn get(&self, offset: u32) -> u32 {
        self.dword(offset).map_or(0, |dword| dword.load(SeqCst))
    }

    /// Stores all bits, read-only ones included.
    pub(crate) fn set(&self, offset: u32, value: u32) {
        if let Some(dword) = self.dword(offset) {
            dword.store(value, SeqCst);
        }
    }

    /// Stores what a guest may write.
    pub(crate) fn write(&self, offset: u32, value: u32) {
        let mask = writable(offset);
        if let Some(dword) = self.dword(offset) {
            let _ = dword.fetch_update(SeqCst, SeqCst, |old| Some(old & !mask | value & mask));
        }
    }

    /// Clears `bits`.
    pub(crate) fn clear(&self, offset: u32, bits: u32) {
        if let Some(dword) = self.dword(offset) {
            dword.fetch_and(!bits, SeqCst);
        }
    }

    /// Whether a register of 64 pool bits has `pool`'s set.
    pub(crate) fn has_pool(&self, registers: [u32; 2], pool: Pool) -> bool {
        self.get(registers[pool.get() / 32 % 2]) >> (pool.get() % 32) & 1 != 0
    }

    /// Clears `pool`'s bit in a register of 64 pool bits.
    pub(crate) fn clear_pool(&self, registers: [u32; 2], pool: Pool) {
        self.clear(registers[pool.get() / 32 % 2], 1 << (pool.get() % 32));
    }

    fn dword(&self, offset: u32) -> Option<&AtomicU32> {
        self.dwords.get((canonical(offset) / 4) as usize)
    }
}

/// What isn't 0 after reset.
const RESET: [(u32, u32); 13] = [
    (HLREG0, HLREG0_RESET),
    (MAXFRS, MAXFRS_RESET),
    (RDRXCTL, RDRXCTL_DONE),
    (RXPBSIZE, RXPBSIZE_RESET),
    (TXPBSIZE, TXPBSIZE_RESET),
    (DMATXCTL, DMATXCTL_RESET),
    (VLNCTRL, VLNCTRL_RESET),
    (FWSM, FWSM_VALID),
    (SECTXSTAT, SECURITY_READY_AND_OFF),
    (SECRXSTAT, SECURITY_READY_AND_OFF),
    (ANLP1, ANLP1_ACTIVE),
    (LINKS2, LINKS2_SUPPORTED),
    (FDIRCTRL, FDIRCTRL_DONE),
];

/// Bits that take what a guest writes.
fn writable(offset: u32) -> u32 {
    match canonical(offset) {
        STATUS | WUS | FWSM | FACTPS | HICR | SECTXSTAT | SECRXSTAT | LINKS | ANLP1 | LINKS2
        | QDE => 0,
        CTRL => !(CTRL_RESET | CTRL_LINK_RESET),
        CTRL_EXT => !CTRL_EXT_PF_RESET_DONE,
        AUTOC => !AUTOC_RESTART,
        RDRXCTL => !RDRXCTL_DONE,
        RXCTRL => RXCTRL_ENABLE,
        TSYNCRXCTL | TSYNCTXCTL => !TSYNC_VALID,
        FDIRCTRL => !FDIRCTRL_DONE,
        FDIRCMD => !(FDIRCMD_COMMAND | FDIRCMD_VALID),
        offset if within(offset, FCRTL, 8) || within(offset, FCRTH, 8) => FCRT_MASK,
        offset if within(offset, RAL, 2 * ADDRESSES) && offset & 4 != 0 => RAH_MASK,
        _ => u32::MAX,
    }
}

/// The one place of a register that can be reached at two.
fn canonical(offset: u32) -> u32 {
    match offset {
        RAL_ALIAS..PSRTYPE_ALIAS => offset - RAL_ALIAS + RAL,
        offset if within(offset, PSRTYPE_ALIAS, 16) => offset - PSRTYPE_ALIAS + PSRTYPE,
        _ => offset,
    }
}

/// Whether `offset` is one of `count` dwords from `first`.
fn within(offset: u32, first: u32, count: u32) -> bool {
    offset.checked_sub(first).is_some_and(|distance| distance / 4 < count)
}

#[cfg(test)]
mod tests;

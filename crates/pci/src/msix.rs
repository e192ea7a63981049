//! MSI-X: the table and the pending bit array as register windows over a function's vectors (PCI Express base 6.0, 6.1.4, 7.7.2).
//!
//! Not implemented: steering tags.

use std::sync::Arc;

use pando_tlp::{Dma, Epochs, Requester};

use crate::spec::msi::{MSIX_ENTRY, MSIX_MASK};
use crate::vectors::Vectors;

/// A function's MSI-X vectors.
pub struct Msix(Vectors);

impl Msix {
    /// `vectors` vectors after reset, disabled; messages leave through `dma` while `requester`'s gate is open.
    pub fn new(dma: Arc<dyn Dma>, requester: Arc<Requester>, vectors: u16) -> Self {
        Self(Vectors::new(dma, requester, vectors, true))
    }

    pub(crate) fn in_epochs(self, epochs: &Arc<Epochs>) -> Self {
        Self(self.0.in_epochs(epochs))
    }

    /// An event for `vector`: one message, or its pending bit while it is masked or the function may not send. Ignored while
    /// MSI-X is disabled, and for a vector that doesn't exist. Call it with no lock held that a register access may want.
    pub fn signal(&self, vector: u16) {
        self.0.signal(vector);
    }

    /// Number of vectors.
    pub fn vectors(&self) -> u16 {
        self.0.count()
    }

    /// Follows MSI-X Enable and Function Mask of Message Control (7.7.2.2).
    pub fn control(&self, enabled: bool, function_mask: bool) {
        self.0.control(enabled, function_mask);
    }

    /// Reads the table, from any offset, 1 to 8 bytes.
    pub fn table_read(&self, offset: u64, data: &mut [u8]) {
        for (byte, at) in data.iter_mut().zip(offset..) {
            *byte = self.table_dword(at & !3).to_le_bytes()[(at & 3) as usize];
        }
    }

    /// Writes the table, at any offset, 1 to 8 bytes.
    pub fn table_write(&self, offset: u64, data: &[u8]) {
        let end = offset.saturating_add(data.len() as u64);
        let mut dword = offset & !3;
        while dword < end {
            let (mut value, mut mask) = ([0; 4], [0; 4]);
            for lane in 0..4 {
                let at = (dword + lane as u64).checked_sub(offset);
                if let Some(byte) = at.and_then(|at| data.get(at as usize)) {
                    (value[lane], mask[lane]) = (*byte, 0xff);
                }
            }
            self.write_dword(dword, u32::from_le_bytes(value), u32::from_le_bytes(mask));
            dword += 4;
        }
    }

    /// Reads the pending bit array, from any offset, 1 to 8 bytes.
    pub fn pba_read(&self, offset: u64, data: &mut [u8]) {
        for (byte, at) in data.iter_mut().zip(offset..) {
            let first = u16::try_from(at / 4 * 32).unwrap_or(u16::MAX);
            *byte = self.0.pending(first).to_le_bytes()[(at & 3) as usize];
        }
    }

    /// Vectors, for gates and resets.
    pub(crate) fn inner(&self) -> &Vectors {
        &self.0
    }

    fn table_dword(&self, offset: u64) -> u32 {
        let Some(vector) = entry(offset).and_then(|entry| self.0.vector(entry)) else { return 0 };
        match offset % MSIX_ENTRY {
            0 => vector.message.address as u32,
            4 => (vector.message.address >> 32) as u32,
            8 => vector.message.data,
            _ => u32::from(vector.masked),
        }
    }

    fn write_dword(&self, offset: u64, value: u32, mask: u32) {
        let Some(entry) = entry(offset) else { return };
        let merge = |old: u32| old & !mask | value & mask;
        self.0.change(entry, |vector| {
            let address = vector.message.address;
            let (low, high) = (address as u32, (address >> 32) as u32);
            let join = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
            match offset % MSIX_ENTRY {
                0 => vector.message.address = join(merge(low) & !3, high),
                4 => vector.message.address = join(low, merge(high)),
                8 => vector.message.data = merge(vector.message.data),
                _ => vector.masked = merge(u32::from(vector.masked)) & MSIX_MASK != 0,
            }
        });
    }
}

fn entry(offset: u64) -> Option<u16> {
    u16::try_from(offset / MSIX_ENTRY).ok()
}

#[cfg(test)]
mod tests;

//! The semaphore between drivers and firmware (82599 datasheet, 8.2.3.4.11): a read takes it, there is no firmware to share with.
//!
//! SW_FW_SYNC is plain storage: its grants are between drivers, and the firmware's bits stay clear.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use crate::spec::general::{SWSM, SWSM_SMBI, SWSM_SWESMBI};

/// SWSM.
#[derive(Debug, Default)]
pub(crate) struct Semaphore(AtomicU32);

impl Semaphore {
    /// Reads the register at `offset`, and takes the semaphore; `None` if it isn't this.
    pub(crate) fn read(&self, offset: u32) -> Option<u32> {
        (offset == SWSM).then(|| self.0.fetch_or(SWSM_SMBI, SeqCst))
    }

    /// Writes the register at `offset`; `None` if it isn't this.
    pub(crate) fn write(&self, offset: u32, value: u32) -> Option<()> {
        (offset == SWSM).then(|| self.0.store(value & (SWSM_SMBI | SWSM_SWESMBI), SeqCst))
    }

    /// Free.
    pub(crate) fn reset(&self) {
        self.0.store(0, SeqCst);
    }
}

//! The exerciser's registers (`crates/exerciser/src/spec.rs`), which are those of Linux' driver `pci_endpoint_test`.

use super::memory::{read_u32, write_u32};
use super::port::eventually;

/// BAR 0: any value, reads back what was written.
pub const MAGIC: u64 = 0x00;
const COMMAND: u64 = 0x04;
const STATUS: u64 = 0x08;
const DESTINATION: u64 = 0x14;
const SIZE: u64 = 0x1c;
const IRQ_TYPE: u64 = 0x24;
const IRQ_NUMBER: u64 = 0x28;
/// IRQ_TYPE: MSI-X.
const MSIX: u32 = 2;
const RAISE_MSIX: u32 = 1 << 2;
const WRITE: u32 = 1 << 4;
const WRITE_SUCCESS: u32 = 1 << 2;

/// One function whose BAR 0 lies at an address.
#[derive(Clone, Copy)]
pub struct Exerciser(pub u64);

impl Exerciser {
    /// Has it raise the interrupt of a table entry. The message may leave later than the command ends, but before the next
    /// command does anything.
    pub fn raise(self, vector: u16) {
        write_u32(self.0 + IRQ_TYPE, MSIX);
        write_u32(self.0 + IRQ_NUMBER, u32::from(vector) + 1);
        self.run(RAISE_MSIX);
        write_u32(self.0 + IRQ_TYPE, 0);
    }

    /// Has it write a few bytes by DMA; whether they arrived.
    pub fn write(self, to: u64) -> bool {
        write_u32(self.0 + DESTINATION, to as u32);
        write_u32(self.0 + DESTINATION + 4, (to >> 32) as u32);
        write_u32(self.0 + SIZE, 4);
        self.run(WRITE) && read_u32(self.0 + STATUS) & WRITE_SUCCESS != 0
    }

    /// Whether the command came to an end.
    fn run(self, command: u32) -> bool {
        write_u32(self.0 + COMMAND, command);
        eventually(|| read_u32(self.0 + COMMAND) == 0)
    }
}

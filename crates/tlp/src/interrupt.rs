//! Message-signalled interrupts: a 4-byte write into the interrupt address range (PCI Express base 6.0, 6.1.4; x86: 0xfee00000).

use std::ops::Range;

/// Requests whose address lies here are interrupts, never memory.
pub const MSI_RANGE: Range<u64> = 0xfee0_0000..0xfef0_0000;

/// One message: where it is written and what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct MsiMessage {
    /// Address of the write; bits 63:32 hold the high destination bits in x2APIC form.
    pub address: u64,
    /// The 32 bits written.
    pub data: u32,
}

/// The interrupt controller's side: takes messages that need no more translation.
pub trait MsiSink: Send + Sync {
    /// Raises the interrupt. Never blocks on a guest.
    fn signal(&self, message: MsiMessage);
}

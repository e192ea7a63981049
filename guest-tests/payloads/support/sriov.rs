//! The SR-IOV capability of a physical function (PCIe 6.0, 9.3.3).

use super::ecam::Function;
use super::pci::Register;

const SRIOV: u16 = 0x10;
/// SR-IOV Control.
pub const CONTROL: u64 = 0x08;
/// SR-IOV Control: VF Enable.
pub const VF_ENABLE: u16 = 1 << 0;
/// SR-IOV Control: VF MSE.
pub const VF_MEMORY: u16 = 1 << 3;
/// SR-IOV Control: ARI Capable Hierarchy.
pub const ARI_HIERARCHY: u16 = 1 << 4;
/// InitialVFs.
pub const INITIAL: u64 = 0x0c;
/// TotalVFs.
pub const TOTAL: u64 = 0x0e;
/// NumVFs.
pub const NUM_VFS: u64 = 0x10;
/// First VF Offset.
pub const OFFSET: u64 = 0x14;
/// VF Stride.
pub const STRIDE: u64 = 0x16;
/// Supported Page Sizes.
pub const SUPPORTED_PAGES: u64 = 0x1c;
/// System Page Size.
pub const PAGE_SIZE: u64 = 0x20;
const VF_BAR0: u64 = 0x24;

/// The capability.
#[derive(Clone, Copy)]
pub struct Sriov {
    pf: Function,
    at: u64,
}

impl Sriov {
    /// That of a function.
    pub fn of(pf: Function) -> Option<Self> {
        Some(Self { pf, at: pf.extended(SRIOV)? })
    }

    /// Reads a register of 16 bits.
    pub fn read(self, register: u64) -> u16 {
        self.pf.read_word(self.at + register)
    }

    /// Writes a register of 16 bits.
    pub fn write(self, register: u64, value: u16) {
        self.pf.write_word(self.at + register, value);
    }

    /// A VF BAR.
    pub fn bar(self, number: u8) -> Register {
        Register::at(self.pf, self.at + VF_BAR0 + 4 * u64::from(number))
    }

    /// Where the capability says that a VF is.
    pub fn vf(self, number: u16) -> Function {
        let stride = self.read(STRIDE).wrapping_mul(number);
        self.pf.after(self.read(OFFSET).wrapping_add(stride))
    }

    /// Has this many VFs with memory.
    pub fn enable(self, count: u16) {
        self.enable_with(count, 0);
    }

    /// The same, with more bits of Control.
    pub fn enable_with(self, count: u16, more: u16) {
        self.write(NUM_VFS, count);
        self.write(CONTROL, VF_ENABLE | VF_MEMORY | more);
    }
}

//! Configuration space of PCI functions through ECAM (PCIe 6.0, section 7.2.2).

use super::memory::{read_u8, read_u16, read_u32, write_u8, write_u16, write_u32};

/// Vendor ID and Device ID, the first register.
pub const IDENTITY: u64 = 0x00;
/// Class Code and Revision ID.
pub const CLASS: u64 = 0x08;
/// Header Type.
pub const HEADER_TYPE: u64 = 0x0e;
/// Primary, Secondary and Subordinate Bus Number of a type 1 header.
pub const BUS_NUMBERS: u64 = 0x18;
/// What a read of nothing returns.
pub const NOTHING: u32 = 0xffff_ffff;

/// One function's configuration space.
#[derive(Clone, Copy, PartialEq)]
pub struct Function {
    base: u64,
}

impl Function {
    /// The function at a bus, device and function number, below the address of bus 0.
    pub fn at(ecam: u64, bus: u8, device: u8, function: u8) -> Self {
        Self {
            base: ecam
                + (u64::from(bus) << 20 | u64::from(device) << 15 | u64::from(function) << 12),
        }
    }

    /// The function whose id is this much higher.
    pub fn after(self, distance: u16) -> Self {
        Self { base: self.base + (u64::from(distance) << 12) }
    }

    /// Where a register lies.
    pub fn address(self, register: u64) -> u64 {
        self.base + register
    }

    /// Whether something answers.
    pub fn is_there(self) -> bool {
        self.read(IDENTITY) != NOTHING
    }

    /// Reads a doubleword.
    pub fn read(self, register: u64) -> u32 {
        read_u32(self.base + register)
    }

    /// Reads a word.
    pub fn read_word(self, register: u64) -> u16 {
        read_u16(self.base + register)
    }

    /// Reads a byte.
    pub fn read_byte(self, register: u64) -> u8 {
        read_u8(self.base + register)
    }

    /// Writes a doubleword.
    pub fn write(self, register: u64, value: u32) {
        write_u32(self.base + register, value);
    }

    /// Writes a word.
    pub fn write_word(self, register: u64, value: u16) {
        write_u16(self.base + register, value);
    }

    /// Writes a byte.
    pub fn write_byte(self, register: u64, value: u8) {
        write_u8(self.base + register, value);
    }
}

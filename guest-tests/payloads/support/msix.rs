//! MSI-X: Message Control, table and pending bits (PCIe 6.0, 7.7.2).

use super::ecam::Function;
use super::memory::{read_u32, write_u32, write_whole_u64};

const MSIX: u8 = 0x11;
/// Message Control.
const CONTROL: u64 = 2;
const FUNCTION_MASK: u16 = 1 << 14;
const ENABLE: u16 = 1 << 15;
/// Offset in its BAR, and in the lowest three bits the BAR's number.
const TABLE: u64 = 4;
const PENDING: u64 = 8;

/// Offsets in a table entry.
pub const ADDRESS: u64 = 0;
/// Message data.
pub const DATA: u64 = 8;
/// Vector Control; bit 0 masks.
pub const VECTOR_CONTROL: u64 = 12;

/// The vectors of one function.
#[derive(Clone, Copy)]
pub struct Msix {
    function: Function,
    at: u64,
    table: u64,
    /// Where the pending bits are.
    pub pending: u64,
}

impl Msix {
    /// The capability of a function whose BARs are placed.
    pub fn of(function: Function) -> Option<Self> {
        Self::placed(function, |bar| function.bar(bar).address())
    }

    /// The capability of a function; `bar` tells where a BAR lies.
    pub fn placed(function: Function, bar: impl Fn(u8) -> u64) -> Option<Self> {
        let at = function.capability(MSIX)?;
        let place = |register| {
            let value = function.read(at + register);
            bar((value & 7) as u8) + u64::from(value & !7)
        };
        Some(Self { function, at, table: place(TABLE), pending: place(PENDING) })
    }

    /// Number of table entries.
    pub fn vectors(self) -> u16 {
        (self.function.read_word(self.at + CONTROL) & 0x7ff) + 1
    }

    /// MSI-X Enable and Function Mask.
    pub fn control(self, enabled: bool, masked: bool) {
        let bits = if enabled { ENABLE } else { 0 } | if masked { FUNCTION_MASK } else { 0 };
        self.function.write_word(self.at + CONTROL, bits);
    }

    /// The address of a table entry.
    pub fn entry(self, vector: u16) -> u64 {
        self.table + 16 * u64::from(vector)
    }

    /// Programs an entry by accesses of 4 bytes.
    pub fn program(self, vector: u16, (address, data): (u64, u32), masked: bool) {
        let entry = self.entry(vector);
        write_u32(entry + ADDRESS, address as u32);
        write_u32(entry + ADDRESS + 4, (address >> 32) as u32);
        write_u32(entry + DATA, data);
        self.mask(vector, masked);
    }

    /// Programs an entry by accesses of 8 bytes.
    pub fn program_whole(self, vector: u16, (address, data): (u64, u32), masked: bool) {
        let entry = self.entry(vector);
        write_whole_u64(entry + ADDRESS, address);
        write_whole_u64(entry + DATA, u64::from(data) | u64::from(masked) << 32);
    }

    /// Masks or unmasks an entry.
    pub fn mask(self, vector: u16, masked: bool) {
        write_u32(self.entry(vector) + VECTOR_CONTROL, u32::from(masked));
    }

    /// The pending bits of the first 32 entries.
    pub fn pending(self) -> u32 {
        read_u32(self.pending)
    }
}

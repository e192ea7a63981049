//! What PCI functions have in common: command, BARs, windows, capability lists (PCIe 6.0, 7.5.1 and 7.6).

use super::ecam::{CLASS, Function};

/// Command.
pub const COMMAND: u64 = 0x04;
/// Command: Memory Space Enable.
pub const MEMORY: u16 = 1 << 1;
/// Command: Bus Master Enable.
pub const BUS_MASTER: u16 = 1 << 2;
/// Base Address Register 0.
pub const BAR0: u64 = 0x10;
/// Memory Base and Limit of a type 1 header.
pub const MEMORY_WINDOW: u64 = 0x20;
/// Prefetchable Memory Base and Limit.
pub const PREFETCH_WINDOW: u64 = 0x24;
/// The pointer to the first capability.
pub const CAPABILITIES: u64 = 0x34;
/// The first extended capability.
pub const EXTENDED: u64 = 0x100;
/// Capability id: PCI Express.
pub const PCI_EXPRESS: u8 = 0x10;
/// PCI Express: Device Control.
const DEVICE_CONTROL: u64 = 0x08;
/// Device Control: Initiate Function Level Reset.
const FUNCTION_LEVEL_RESET: u16 = 1 << 15;
/// PCI Express: Device Control 2.
pub const DEVICE_CONTROL_2: u64 = 0x28;
/// Device Control 2: ARI Forwarding Enable.
pub const ARI_FORWARDING: u16 = 1 << 5;

/// A window that is closed: its base lies above its limit.
const CLOSED: u32 = 0x0000_fff0;
const BAR_64BIT: u32 = 0b100;

impl Function {
    /// Whether it is a port.
    pub fn is_port(self) -> bool {
        self.read(CLASS) >> 8 == 0x06_0400
    }

    /// Sets bits of Command and clears the others.
    pub fn command(self, bits: u16) {
        self.write_word(COMMAND, bits);
    }

    /// Lets a port pass `size` bytes from `first` on down, both multiples of 1 MiB; with a size of 0 nothing.
    pub fn set_window(self, first: u64, size: u64) {
        let ends = ((first + size - 1) as u32 & 0xfff0_0000) | (first >> 16) as u32;
        self.write(MEMORY_WINDOW, if size == 0 { CLOSED } else { ends });
        self.write(PREFETCH_WINDOW, CLOSED);
    }

    /// Initiates a function level reset.
    pub fn reset(self) {
        if let Some(pcie) = self.capability(PCI_EXPRESS) {
            self.write_word(pcie + DEVICE_CONTROL, FUNCTION_LEVEL_RESET);
        }
    }

    /// The register of a BAR.
    pub fn bar(self, number: u8) -> Register {
        Register { function: self, at: BAR0 + 4 * u64::from(number) }
    }

    /// The offset of a capability.
    pub fn capability(self, id: u8) -> Option<u64> {
        self.capabilities().find(|at| self.read_byte(*at) == id)
    }

    /// The offsets of all capabilities.
    pub fn capabilities(self) -> impl Iterator<Item = u64> {
        let next = move |at| Some(u64::from(self.read_byte(at)) & 0xfc).filter(|at| *at != 0);
        core::iter::successors(next(CAPABILITIES), move |at| next(at + 1)).take(48)
    }

    /// The offset of an extended capability.
    pub fn extended(self, id: u16) -> Option<u64> {
        let next = move |at: &u64| Some(u64::from(self.read(*at) >> 20)).filter(|at| *at != 0);
        let mut offsets = core::iter::successors(Some(EXTENDED), next).take(480);
        offsets.find(|at| self.read_word(*at) == id)
    }
}

/// A BAR or VF BAR, of 32 or 64 bits.
#[derive(Clone, Copy)]
pub struct Register {
    function: Function,
    at: u64,
}

impl Register {
    /// The one at this offset of a function.
    pub fn at(function: Function, at: u64) -> Self {
        Self { function, at }
    }

    /// Where it lies now.
    pub fn address(self) -> u64 {
        let high = if self.is_64bit() { self.function.read(self.at + 4) } else { 0 };
        u64::from(high) << 32 | u64::from(self.function.read(self.at) & !0xf)
    }

    /// Moves it to an address below 4 GiB.
    pub fn place(self, address: u64) {
        self.function.write(self.at, address as u32);
        if self.is_64bit() {
            self.function.write(self.at + 4, 0);
        }
    }

    /// Its size in bytes by the probe with all ones; 0 if there is none. It must not be larger than 4 GiB.
    pub fn size(self) -> u64 {
        let old = self.function.read(self.at);
        self.function.write(self.at, u32::MAX);
        let mask = self.function.read(self.at) & !0xf;
        self.function.write(self.at, old);
        if mask == 0 { 0 } else { u64::from(!mask) + 1 }
    }

    fn is_64bit(self) -> bool {
        self.function.read(self.at) & BAR_64BIT != 0
    }
}

//! Register layout of the IOAPIC (82093AA data sheet, 3.0-3.2; remappable format: VT-d 4.1, 5.1.2.1 and 5.1.5.1).

use pando_tlp::{MSI_RANGE, MsiMessage};

/// Input pins.
pub(super) const PINS: usize = crate::kvm::IOAPIC_PINS as usize;

/// IOREGSEL: which register the window shows.
pub(super) const SELECT: u64 = 0x00;
/// IOWIN: the selected register.
pub(super) const WINDOW: u64 = 0x10;
/// EOI register: ends the level interrupts whose entry has the written vector.
pub(super) const EOI: u64 = 0x40;

/// Version 0x20, and the number of the last pin in bits 23:16.
pub(super) const VERSION: u32 = (PINS as u32 - 1) << 16 | 0x20;

/// A register behind the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Register {
    /// Index 0: id in bits 31:24.
    Id,
    /// Index 1.
    Version,
    /// Index 2: follows the id.
    Arbitration,
    /// Index 0x10 and on: two halves per redirection table entry.
    Entry { pin: usize, high: bool },
    /// No register.
    Unknown,
}

impl From<u8> for Register {
    fn from(index: u8) -> Self {
        match index {
            0 => Self::Id,
            1 => Self::Version,
            2 => Self::Arbitration,
            0x10..=0xff if usize::from(index - 0x10) / 2 < PINS => {
                Self::Entry { pin: usize::from(index - 0x10) / 2, high: index & 1 == 1 }
            }
            _ => Self::Unknown,
        }
    }
}

/// A redirection table entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry(u64);

const DESTINATION_MODE: u64 = 1 << 11;
const DELIVERY_STATUS: u64 = 1 << 12;
const REMOTE_IRR: u64 = 1 << 14;
const LEVEL: u64 = 1 << 15;
const MASK: u64 = 1 << 16;
/// Interrupt format: 1 is remappable.
const FORMAT: u64 = 1 << 48;
const READ_ONLY: u64 = DELIVERY_STATUS | REMOTE_IRR;
/// Vector 7:0, delivery mode 10:8, trigger mode 15 have the same places in a message's data.
const DATA: u64 = LEVEL | 0x7ff;
/// Data of a level message says "assert".
const DATA_ASSERT: u32 = 1 << 14;

impl Entry {
    /// As at reset.
    pub(super) const MASKED: Self = Self(MASK);

    pub(super) fn vector(self) -> u8 {
        self.0 as u8
    }

    pub(super) fn is_masked(self) -> bool {
        self.0 & MASK != 0
    }

    pub(super) fn is_level(self) -> bool {
        self.0 & LEVEL != 0
    }

    pub(super) fn is_remappable(self) -> bool {
        self.0 & FORMAT != 0
    }

    pub(super) fn remote_irr(self) -> bool {
        self.0 & REMOTE_IRR != 0
    }

    pub(super) fn set_remote_irr(&mut self, on: bool) {
        self.0 = if on { self.0 | REMOTE_IRR } else { self.0 & !REMOTE_IRR };
    }

    /// A remapped level interrupt is edge at the CPU: its end arrives at the EOI register. What was sent before the mask was
    /// set ends after it.
    pub(super) fn needs_eoi_exit(self) -> bool {
        let ends = !self.is_masked() || self.remote_irr();
        self.is_level() && ends && !self.is_remappable()
    }

    pub(super) fn half(self, high: bool) -> u32 {
        (if high { self.0 >> 32 } else { self.0 }) as u32
    }

    /// Read-only bits stay; an entry that becomes edge-triggered forgets its remote IRR.
    pub(super) fn set_half(&mut self, high: bool, value: u32) {
        let value = u64::from(value);
        self.0 = match high {
            true => self.0 & 0xffff_ffff | value << 32,
            false => self.0 & (0xffff_ffff << 32 | READ_ONLY) | value & 0x1_ffff & !READ_ONLY,
        };
        if !self.is_level() {
            self.set_remote_irr(false);
        }
    }

    /// The message: bits 63:48 become address bits 19:4, bit 11 becomes bit 2. One formula serves both formats.
    pub(super) fn message(self) -> MsiMessage {
        let mode = if self.0 & DESTINATION_MODE != 0 { 1 << 2 } else { 0 };
        let assert = if self.is_level() { DATA_ASSERT } else { 0 };
        MsiMessage {
            address: MSI_RANGE.start | self.0 >> 48 << 4 | mode,
            data: (self.0 & DATA) as u32 | assert,
        }
    }
}

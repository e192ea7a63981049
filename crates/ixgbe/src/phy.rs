//! The 10GBASE-T PHY of an X540 on its MDIO bus (IEEE 802.3, 45.2; 82599 datasheet, 3.7.4, for how it is reached).
//!
//! It stores what drivers write and tells who it is and what it can; whether the link is up, drivers take from LINKS. Leaves out
//! negotiation, interrupts, temperature.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::spec::general::{MSCA, MSCA_COMMAND, MSRWD, MSRWD_NOBODY};

/// Its address on the bus.
const ADDRESS: u32 = 0;

/// MSCA: the kind of cycle, bits 27:26.
const CYCLE_SHIFT: u32 = 26;
/// The register's number is given.
const CYCLE_ADDRESS: u32 = 0;
/// The register is written.
const CYCLE_WRITE: u32 = 1;

/// A device of the PHY and a register in it.
type Register = (u8, u16);

/// Devices: physical medium attachment, physical coding, its interface to the card, negotiation, the vendor's own.
const MEDIUM: u8 = 1;
const CODING: u8 = 3;
const INTERFACE: u8 = 4;
const NEGOTIATION: u8 = 7;
const VENDOR: u8 = 30;

/// What reads of registers give that nobody has written.
const CONTENT: [(Register, u16); 9] = [
    ((MEDIUM, 2), 0x0154), // identifier
    ((MEDIUM, 3), 0x0200),
    ((MEDIUM, 4), 0x0031), // 10 Gbit/s, 1 Gbit/s, 100 Mbit/s
    ((MEDIUM, 5), 1 << MEDIUM | 1 << CODING | 1 << INTERFACE | 1 << NEGOTIATION), // devices
    ((MEDIUM, 6), 1 << (VENDOR - 16)),
    ((MEDIUM, 8), 0x8000),       // somebody is there
    ((NEGOTIATION, 1), 0x002c),  // negotiated, link up
    ((NEGOTIATION, 16), 0x01e1), // 100 Mbit/s and less are offered
    ((NEGOTIATION, 32), 0x1000), // 10 Gbit/s is offered
];

/// Bits that clear themselves: reset, and restart of the negotiation.
const SELF_CLEARING: [(Register, u16); 2] = [((NEGOTIATION, 0), 0x8200), ((INTERFACE, 0), 0x8000)];

/// The PHY and the registers that reach it.
#[derive(Debug, Default)]
pub(crate) struct Phy(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// MSCA, after the cycle.
    command: u32,
    /// MSRWD: what is to be written, and what was read.
    out: u16,
    read: u16,
    /// The register of each device that an address cycle named last.
    at: BTreeMap<u8, u16>,
    written: BTreeMap<Register, u16>,
}

impl Phy {
    /// Reads the register at `offset`; `None` if it isn't one of these.
    pub(crate) fn read(&self, offset: u32) -> Option<u32> {
        let state = self.lock();
        match offset {
            MSCA => Some(state.command),
            MSRWD => Some(u32::from(state.read) << 16 | u32::from(state.out)),
            _ => None,
        }
    }

    /// Writes the register at `offset`; `None` if it isn't one of these.
    pub(crate) fn write(&self, offset: u32, value: u32) -> Option<()> {
        match offset {
            MSCA => self.lock().cycle(value),
            MSRWD => self.lock().out = value as u16,
            _ => return None,
        }
        Some(())
    }

    /// Power-on state.
    pub(crate) fn reset(&self) {
        *self.lock() = State::default();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Done at once.
    fn cycle(&mut self, command: u32) {
        self.command = command & !MSCA_COMMAND;
        if command & MSCA_COMMAND == 0 {
            return;
        }
        let device = (command >> 16 & 0x1f) as u8;
        let register = (device, self.at.get(&device).copied().unwrap_or(0));
        let there = command >> 21 & 0x1f == ADDRESS;
        match command >> CYCLE_SHIFT & 3 {
            _ if !there => self.read = (MSRWD_NOBODY >> 16) as u16,
            CYCLE_ADDRESS => _ = self.at.insert(device, command as u16),
            CYCLE_WRITE => self.store(register),
            _ => self.read = self.register(register),
        }
    }

    /// Only registers that drivers set are kept: whatever they write, it stays a handful.
    fn store(&mut self, register: Register) {
        const KEPT: [Register; 7] = [
            (MEDIUM, 0),
            (INTERFACE, 0),
            (NEGOTIATION, 0),
            (NEGOTIATION, 16),
            (NEGOTIATION, 32),
            (NEGOTIATION, 0xc400),
            (VENDOR, 0),
        ];
        if KEPT.contains(&register) {
            let clears = find(&SELF_CLEARING, register);
            self.written.insert(register, self.out & !clears);
        }
    }

    fn register(&self, register: Register) -> u16 {
        self.written.get(&register).copied().unwrap_or_else(|| find(&CONTENT, register))
    }
}

fn find(table: &[(Register, u16)], register: Register) -> u16 {
    table.iter().find(|(known, _)| *known == register).map_or(0, |(_, value)| *value)
}

#[cfg(test)]
mod tests;

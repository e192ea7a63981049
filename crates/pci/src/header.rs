//! The registers of the two header types as Pando's functions have them (PCI Express base 6.0, 7.5.1; VFs: 9.3.4.1).
//!
//! Not implemented: I/O space, expansion ROMs, interrupt pins of ports: all hardwired to zero.

use pando_tlp::IntxWire;

use crate::layout::Register;
use crate::spec::header::*;

/// Who a function says it is (7.5.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Vendor ID.
    pub vendor: u16,
    /// Device ID.
    pub device: u16,
    /// Revision ID.
    pub revision: u8,
    /// Class Code: base class 23:16, sub-class 15:8, programming interface 7:0.
    pub class: u32,
    /// Subsystem Vendor ID (type 0 only).
    pub subsystem_vendor: u16,
    /// Subsystem ID (type 0 only).
    pub subsystem: u16,
}

impl Identity {
    fn ids(&self) -> u32 {
        u32::from(self.vendor) | u32::from(self.device) << 16
    }

    fn class(&self) -> u32 {
        self.class << 8 | u32::from(self.revision)
    }

    fn subsystem(&self) -> u32 {
        u32::from(self.subsystem_vendor) | u32::from(self.subsystem) << 16
    }
}

/// A physical function's header (7.5.1.2). `bars` are the six BAR registers.
pub(crate) fn type0(
    identity: &Identity,
    multi_function: bool,
    wire: Option<IntxWire>,
    bars: [Register; 6],
) -> [Register; 16] {
    let mut header = common(identity, multi_function);
    header[index(COMMAND)].reset |= STATUS_IMMEDIATE_READINESS;
    header[index(BAR0)..index(BAR0) + bars.len()].copy_from_slice(&bars);
    header[index(SUBSYSTEM)] = Register::ro(identity.subsystem());
    let pin = wire.map_or(0, IntxWire::pin);
    header[index(INTERRUPT)].reset |= u32::from(pin) << INTERRUPT_PIN_SHIFT;
    header
}

/// A virtual function's header: its ids read all ones, of Command only Bus Master Enable exists (9.3.4.1).
pub(crate) fn virtual_function(identity: &Identity) -> [Register; 16] {
    let mut header = [Register::default(); 16];
    header[index(IDS)] = Register::ro(u32::MAX);
    let status = STATUS_CAPABILITIES | STATUS_IMMEDIATE_READINESS;
    header[index(COMMAND)] = Register::rw(status, COMMAND_BUS_MASTER).with_rw1c(STATUS_ERRORS);
    header[index(CLASS)] = Register::ro(identity.class());
    header[index(SUBSYSTEM)] = Register::ro(identity.subsystem());
    header
}

/// A port's header (7.5.1.3).
pub(crate) fn type1(identity: &Identity, multi_function: bool) -> [Register; 16] {
    let mut header = common(identity, multi_function);
    header[index(HEADER_TYPE)].reset |= TYPE_1;
    header[index(BUS_NUMBERS)] = Register::rw(0, 0x00ff_ffff);
    header[index(SECONDARY_STATUS)] = Register::ro(0).with_rw1c(STATUS_ERRORS);
    header[index(MEMORY_WINDOW)] = Register::rw(0, WINDOW_ADDRESS);
    header[index(PREFETCH_WINDOW)] = Register::rw(PREFETCH_64BIT, WINDOW_ADDRESS);
    header[index(PREFETCH_BASE_UPPER)] = Register::rw(0, u32::MAX);
    header[index(PREFETCH_LIMIT_UPPER)] = Register::rw(0, u32::MAX);
    header[index(INTERRUPT)].rw |= BRIDGE_PARITY | BRIDGE_SERR | BRIDGE_SECONDARY_RESET;
    header
}

/// What a bridge has for a secondary bus of conventional PCI: a latency timer (PCI-to-PCI bridge architecture 1.2, 3.2.5.5).
pub(crate) fn conventional_secondary(header: &mut [Register; 16]) {
    header[index(BUS_NUMBERS)].rw |= SECONDARY_LATENCY;
}

/// A conventional function's header, without what PCI Express has added to it.
pub(crate) fn conventional(header: &mut [Register; 16]) {
    header[index(COMMAND)].reset &= !STATUS_IMMEDIATE_READINESS;
}

/// What type 0 and type 1 share (7.5.1.1).
fn common(identity: &Identity, multi_function: bool) -> [Register; 16] {
    let command =
        COMMAND_MEMORY | COMMAND_BUS_MASTER | COMMAND_PARITY | COMMAND_SERR | COMMAND_INTX_DISABLE;
    let mut header = [Register::default(); 16];
    header[index(IDS)] = Register::ro(identity.ids());
    header[index(COMMAND)] = Register::rw(STATUS_CAPABILITIES, command).with_rw1c(STATUS_ERRORS);
    header[index(CLASS)] = Register::ro(identity.class());
    header[index(HEADER_TYPE)] =
        Register::rw(if multi_function { MULTI_FUNCTION } else { 0 }, 0xff);
    header[index(INTERRUPT)] = Register::rw(0, 0xff);
    header
}

const fn index(register: u16) -> usize {
    register as usize / 4
}

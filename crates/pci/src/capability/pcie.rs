//! The PCI Express capability of each kind of function (PCI Express base 6.0, 7.5.3; VFs: 9.3.5).
//!
//! Not implemented: ASPM, slot controls and hot-plug, 8 GT/s and more (which would need the Secondary PCI Express capability).

use crate::layout::{Capability, Register};
use crate::spec::ids;
use crate::spec::pcie::*;

/// What a link can do, and does when it is up (7.5.3.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkWidth {
    /// 1 is 2.5 GT/s, 2 is 5 GT/s.
    pub speed: u8,
    /// Number of lanes.
    pub lanes: u8,
}

impl Default for LinkWidth {
    /// 5 GT/s on eight lanes.
    fn default() -> Self {
        Self { speed: 2, lanes: 8 }
    }
}

impl LinkWidth {
    /// Speed and width as Link Capabilities and Link Status hold them.
    pub(crate) fn bits(self) -> u32 {
        u32::from(self.speed & 0xf) | u32::from(self.lanes & 0x3f) << LINK_WIDTH_SHIFT
    }

    /// Supported Link Speeds Vector: this speed and all below (7.5.3.18).
    fn speeds(self) -> u32 {
        (1..=u32::from(self.speed & 7)).fold(0, |vector, speed| vector | 1 << speed)
    }

    /// Whether such a link exists.
    pub(crate) fn is_valid(self) -> bool {
        matches!(self.speed, 1..=2) && matches!(self.lanes, 1 | 2 | 4 | 8 | 12 | 16 | 32)
    }
}

/// An endpoint function: below a port, or integrated into the root complex without a link.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EndpointFunction {
    /// On the root bus.
    pub(crate) integrated: bool,
    /// Its link.
    pub(crate) link: LinkWidth,
    /// Max_Payload_Size Supported: 128 bytes times 2 to the power of this (7.5.3.3).
    pub(crate) max_payload: u8,
}

/// Which port of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortKind {
    /// Root Port of the root complex.
    RootPort,
    /// Upstream Port of a switch.
    Upstream,
    /// Downstream Port of a switch.
    Downstream,
    /// Bridge to a bus of conventional PCI (PCI Express to PCI/PCI-X bridge specification 1.0).
    PciBridge,
}

impl PortKind {
    /// Whether a link begins below this port.
    pub fn is_downstream(self) -> bool {
        matches!(self, Self::RootPort | Self::Downstream)
    }
}

/// A port.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Port {
    pub(crate) kind: PortKind,
    pub(crate) link: LinkWidth,
    /// Port Number (7.5.3.6).
    pub(crate) number: u8,
    /// Physical Slot Number, where a slot is implemented (7.5.3.9).
    pub(crate) slot: Option<u16>,
}

/// The capability of a physical function.
pub(crate) fn endpoint(function: &EndpointFunction) -> Capability {
    let mut registers = empty(endpoint_type(function));
    registers[1] = Register::ro(endpoint_capabilities(function));
    registers[2] = endpoint_control(function);
    if !function.integrated {
        let link = function.link.bits();
        registers[3] = Register::ro(link | ASPM_OPTIONALITY);
        let control = ASPM_CONTROL | READ_COMPLETION_BOUNDARY | COMMON_CLOCK | EXTENDED_SYNCH;
        registers[4] = Register::rw(link << 16 | SLOT_CLOCK, control).with_link(control);
        registers[11] = Register::ro(function.link.speeds());
        registers[12] = link_control_2(function.link);
    }
    registers[9] = Register::ro(TIMEOUT_DISABLE);
    registers[10] = Register::rw(0, TIMEOUT_DISABLE);
    Capability { id: ids::PCI_EXPRESS, registers }
}

/// The capability of a virtual function: it reports what the PF can, and controls nothing but its own reset (9.3.5).
pub(crate) fn virtual_function(function: &EndpointFunction) -> Capability {
    let mut registers = empty(endpoint_type(function));
    registers[1] = Register::ro(endpoint_capabilities(function));
    registers[2] = Register::ro(0).with_rw1c(DETECTED_ERRORS);
    if !function.integrated {
        registers[3] = Register::ro(function.link.bits() | ASPM_OPTIONALITY);
        registers[11] = Register::ro(function.link.speeds());
    }
    registers[9] = Register::ro(TIMEOUT_DISABLE);
    Capability { id: ids::PCI_EXPRESS, registers }
}

/// The capability of a port.
pub(crate) fn port(port: &Port) -> Capability {
    let (kind, downstream) = match port.kind {
        PortKind::RootPort => (TYPE_ROOT_PORT, true),
        PortKind::Upstream => (TYPE_UPSTREAM, false),
        PortKind::Downstream => (TYPE_DOWNSTREAM, true),
        PortKind::PciBridge => (TYPE_PCI_BRIDGE, false),
    };
    let slot = if port.slot.is_some() { SLOT_IMPLEMENTED } else { 0 };
    let mut registers = empty(kind << TYPE_SHIFT | slot);
    registers[1] = Register::ro(ROLE_BASED_ERRORS);
    registers[2] = Register::rw(0, ERROR_REPORTING).with_rw1c(DETECTED_ERRORS);
    registers[11] = Register::ro(port.link.speeds());
    registers[12] = link_control_2(port.link);
    let number = u32::from(port.number) << PORT_NUMBER_SHIFT;
    let link = port.link.bits() | ASPM_OPTIONALITY | number;
    let control = ASPM_CONTROL | COMMON_CLOCK | EXTENDED_SYNCH;
    if downstream {
        registers[3] = Register::ro(link | LINK_ACTIVE_REPORTING);
        registers[4] = Register::rw(SLOT_CLOCK, control | LINK_DISABLE);
        slot_registers(port.slot, &mut registers);
        registers[9] = Register::ro(ARI_FORWARDING);
        registers[10] = Register::rw(0, ARI_FORWARDING);
    } else {
        registers[3] = Register::ro(link);
        registers[4] = Register::rw(port.link.bits() << 16 | SLOT_CLOCK, control);
    }
    if port.kind == PortKind::PciBridge {
        registers[2].rw |= BRIDGE_RETRY;
    }
    if port.kind == PortKind::RootPort {
        root_registers(&mut registers);
    }
    Capability { id: ids::PCI_EXPRESS, registers }
}

/// The capability of a Root Complex Event Collector.
pub(crate) fn event_collector() -> Capability {
    let mut registers = empty(TYPE_EVENT_COLLECTOR << TYPE_SHIFT);
    registers[1] = Register::ro(ROLE_BASED_ERRORS);
    registers[2] = Register::rw(0, ERROR_REPORTING).with_rw1c(DETECTED_ERRORS);
    root_registers(&mut registers);
    Capability { id: ids::PCI_EXPRESS, registers }
}

/// Root Control and Root Status.
fn root_registers(registers: &mut [Register]) {
    registers[7] = Register::rw(0, ROOT_CONTROL);
    registers[8] = Register::ro(0).with_rw1c(ROOT_PME_STATUS);
}

/// Slot registers of a port without hot-plug. Without a slot only Presence Detect State exists, and is set (7.5.3.11).
fn slot_registers(slot: Option<u16>, registers: &mut [Register]) {
    let Some(number) = slot else {
        registers[6] = Register::ro(PRESENCE);
        return;
    };
    registers[5] = Register::ro(u32::from(number & 0x1fff) << SLOT_NUMBER_SHIFT);
    registers[6] =
        Register::rw(0, LINK_STATE_CHANGED_ENABLE).with_rw1c(PRESENCE_CHANGED | LINK_STATE_CHANGED);
}

fn empty(flags: u32) -> Vec<Register> {
    let mut registers = vec![Register::default(); 15];
    registers[0] = Register::ro(VERSION | flags);
    registers
}

fn endpoint_type(function: &EndpointFunction) -> u32 {
    let kind = if function.integrated { TYPE_INTEGRATED } else { TYPE_ENDPOINT };
    kind << TYPE_SHIFT
}

fn endpoint_capabilities(function: &EndpointFunction) -> u32 {
    u32::from(function.max_payload & 7) | EXTENDED_TAG | ROLE_BASED_ERRORS | FLR_CAPABLE
}

fn endpoint_control(function: &EndpointFunction) -> Register {
    let payload = if function.max_payload == 0 { 0 } else { MAX_PAYLOAD };
    let control = ERROR_REPORTING
        | RELAXED_ORDERING
        | payload
        | EXTENDED_TAG_ENABLE
        | NO_SNOOP
        | MAX_READ_REQUEST;
    Register::rw(RELAXED_ORDERING | NO_SNOOP | READ_REQUEST_512, control)
        .with_rw1c(DETECTED_ERRORS)
        .with_link(payload)
}

fn link_control_2(link: LinkWidth) -> Register {
    Register::rw(u32::from(link.speed & 0xf), LINK_CONTROL_2).with_sticky(LINK_CONTROL_2)
}

//! Reads from a physical function's configuration space what decides about requests to its siblings: its ACS capability.
//!
//! PCI Express base 6.0, 7.6.3 (the extended capability list), 7.7.11 (ACS).

use pando_pci::{AcsServices, ConfigKind, Device, FunctionId};
use pando_tlp::RequesterId;

use crate::routes::FunctionState;
use crate::verdict::{EgressVector, PortControls};

const FIRST: u16 = 0x100;
const ACS: u16 = 0x000d;
/// A list of more capabilities than there are dwords goes in circles.
const MOST: usize = 480;

/// The state of `device`, which was just written to as `id`; `None` unless that is its physical function.
pub(super) fn function_state(device: &dyn Device, id: RequesterId) -> Option<FunctionState> {
    if device.function(id)? != FunctionId::Pf {
        return None;
    }
    let read = |register| device.config_read(ConfigKind::Type0, id, register).unwrap_or(0);
    let function = id.function();
    let Some(acs) = find(read) else {
        return Some(FunctionState { function, offered: None, controls: PortControls::default() });
    };
    let word = read(acs + 4);
    let offered = AcsServices::from_bits_truncate(word as u16);
    let mut egress_vector = EgressVector::default();
    if offered.contains(AcsServices::EGRESS_CONTROL) {
        let dwords = usize::from((word >> 8) as u8).div_ceil(32);
        for (dword, register) in egress_vector.0[..dwords].iter_mut().zip((acs + 8..).step_by(4)) {
            *dword = read(register);
        }
    }
    let acs = AcsServices::from_bits_truncate((word >> 16) as u16);
    let controls = PortControls { acs, egress_vector, ..PortControls::default() };
    Some(FunctionState { function, offered: Some(offered), controls })
}

fn find(read: impl Fn(u16) -> u32) -> Option<u16> {
    let mut offset = FIRST;
    for _ in 0..MOST {
        let header = read(offset);
        if header as u16 == ACS {
            return Some(offset);
        }
        offset = (header >> 20) as u16 & 0xffc;
        if offset < FIRST {
            return None;
        }
    }
    None
}

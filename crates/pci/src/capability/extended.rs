//! The small extended capabilities: AER, ACS, ARI, Device Serial Number (PCI Express base 6.0, 7.8.4, 7.7.11, 7.8.8, 7.9.3).
//!
//! Not implemented: ECRC, multiple header recording, TLP prefix logs.

use crate::error::ConfigError;
use crate::layout::{ExtendedCapability, Register};
use crate::spec::acs::AcsServices;
use crate::spec::{aer, ids};

/// What a function's access control can do (7.7.11).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Acs {
    /// The services; each one is enforced by the tree.
    pub services: AcsServices,
    /// Ports (or functions) in the Egress Control Vector, 1 to 255; only with [`AcsServices::EGRESS_CONTROL`].
    pub egress_ports: u8,
}

impl Acs {
    /// Whether the Egress Control Vector and the service that uses it go together.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let egress = self.services.contains(AcsServices::EGRESS_CONTROL);
        if egress != (self.egress_ports != 0) {
            return Err(ConfigError::Acs("egress control and its number of ports go together"));
        }
        Ok(())
    }

    /// Source validation, both redirects, upstream forwarding, translation blocking and direct translated P2P.
    pub fn all_but_egress_control() -> Self {
        Self { services: AcsServices::all() - AcsServices::EGRESS_CONTROL, egress_ports: 0 }
    }
}

/// AER of a function with registers of its own; `root` adds those of a root port (7.8.4.9 to 7.8.4.11).
pub(crate) fn aer(acs: bool, root: bool) -> ExtendedCapability {
    let bits = aer::UNCORRECTABLE | if acs { aer::ACS_VIOLATION } else { 0 };
    let sticky = |reset, mask| Register::rw(reset, mask).with_sticky(mask);
    let mut registers = vec![
        Register::default(),
        Register::ro(0).with_rw1c(bits).with_sticky(bits),
        sticky(aer::MASK_RESET, bits),
        sticky(aer::SEVERITY_RESET, bits),
        Register::ro(0).with_rw1c(aer::CORRECTABLE).with_sticky(aer::CORRECTABLE),
        sticky(aer::CORRECTABLE_MASK_RESET, aer::CORRECTABLE),
        Register::ro(0).with_sticky(0x1f),
    ];
    registers.extend([Register::ro(0).with_sticky(u32::MAX); 4]);
    if root {
        registers.push(Register::rw(0, aer::ROOT_COMMAND));
        registers.push(Register::ro(0).with_rw1c(aer::ROOT_STATUS).with_sticky(aer::ROOT_STATUS));
        registers.push(Register::ro(0).with_sticky(u32::MAX));
    }
    ExtendedCapability { id: ids::AER, version: 2, registers }
}

/// AER of a VF: the errors that are its own; masks and severities are the PF's (9.4.2).
pub(crate) fn aer_of_vf(acs: bool) -> ExtendedCapability {
    let bits = aer::UNCORRECTABLE_OF_VF | if acs { aer::ACS_VIOLATION } else { 0 };
    let mut registers = vec![Register::default(); 11];
    registers[1] = Register::ro(0).with_rw1c(bits).with_sticky(bits);
    registers[4] =
        Register::ro(0).with_rw1c(aer::CORRECTABLE_OF_VF).with_sticky(aer::CORRECTABLE_OF_VF);
    registers[6] = Register::ro(0).with_sticky(0x1f);
    registers[7..].fill(Register::ro(0).with_sticky(u32::MAX));
    ExtendedCapability { id: ids::AER, version: 2, registers }
}

/// ACS: every service offered can be switched on (7.7.11).
pub(crate) fn acs(acs: &Acs) -> ExtendedCapability {
    let services = u32::from(acs.services.bits());
    let egress = acs.services.contains(AcsServices::EGRESS_CONTROL);
    let ports = if egress { u32::from(acs.egress_ports) } else { 0 };
    let mut registers =
        vec![Register::default(), Register::rw(services | ports << 8, services << 16)];
    registers.extend((0..ports.div_ceil(32)).map(|dword| {
        let rest = ports - 32 * dword;
        Register::rw(0, if rest >= 32 { u32::MAX } else { (1 << rest) - 1 })
    }));
    ExtendedCapability { id: ids::ACS, version: 1, registers }
}

/// ARI; `next` is the next function of the device, zero at the last one and on VFs (7.8.8).
pub(crate) fn ari(next: u8) -> ExtendedCapability {
    let registers = vec![Register::default(), Register::ro(u32::from(next) << 8)];
    ExtendedCapability { id: ids::ARI, version: 1, registers }
}

/// The device numbers of the root bus whose errors an event collector gathers (7.9.10).
pub(crate) fn endpoint_association(devices: u32) -> ExtendedCapability {
    let registers = vec![Register::default(), Register::ro(devices)];
    ExtendedCapability { id: ids::ENDPOINT_ASSOCIATION, version: 1, registers }
}

/// Device Serial Number, an EUI-64 (7.9.3).
pub(crate) fn serial_number(serial: u64) -> ExtendedCapability {
    let registers =
        vec![Register::default(), Register::ro(serial as u32), Register::ro((serial >> 32) as u32)];
    ExtendedCapability { id: ids::SERIAL_NUMBER, version: 1, registers }
}

//! The registers of the SR-IOV capability (PCI Express base 6.0, 9.3.3); what they do is the endpoint's business.
//!
//! Not implemented: VF migration, 10-bit tags of VFs.

use crate::layout::{ExtendedCapability, Register};
use crate::spec::ids;
use crate::spec::sriov::*;

/// What the registers are built from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registers {
    /// InitialVFs and TotalVFs.
    pub(crate) total: u16,
    /// Function Dependency Link.
    pub(crate) dependency: u8,
    /// VF Device ID.
    pub(crate) device: u16,
    /// Whether ARI Capable Hierarchy is writable: in the lowest-numbered PF of a device.
    pub(crate) lowest: bool,
    /// First VF Offset and VF Stride, in that order, while ARI Capable Hierarchy is clear.
    pub(crate) offset_stride: (u16, u16),
    /// The six VF BARs.
    pub(crate) bars: [Register; 6],
}

/// The capability.
pub(crate) fn sriov(of: &Registers) -> ExtendedCapability {
    let ari = if of.lowest { ARI_HIERARCHY } else { 0 };
    let mut registers = vec![
        Register::default(),
        Register::ro(ARI_PRESERVED),
        Register::rw(0, VF_ENABLE | VF_MEMORY | ari),
        Register::ro(u32::from(of.total) << 16 | u32::from(of.total)),
        Register::rw(u32::from(of.dependency) << 16, 0xffff),
        Register::ro(u32::from(of.offset_stride.1) << 16 | u32::from(of.offset_stride.0)),
        Register::ro(u32::from(of.device) << 16),
        Register::ro(PAGE_SIZES),
        Register::rw(1, PAGE_SIZES),
    ];
    registers.extend(of.bars);
    registers.push(Register::ro(0));
    debug_assert_eq!(registers.len() * 4, usize::from(LENGTH));
    ExtendedCapability { id: ids::SRIOV, version: 1, registers }
}

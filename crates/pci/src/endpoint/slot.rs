//! Where a card sits: what its configuration space must say of its place in the tree, whatever model it is.

use super::config::{AriHierarchy, EndpointConfig, VfPlacement};
use crate::Acs;

/// The place of a physical function.
#[derive(Clone, Debug, Default)]
pub struct Slot {
    /// Device and function number, the low eight bits of its id. Below a port: the function number alone.
    pub function: u8,
    /// Whether its device has several physical functions.
    pub multi_function: bool,
    /// The next physical function of the device; 0 at the last.
    pub next_function: u8,
    /// On the root bus, without a link and without ARI.
    pub integrated: bool,
    /// A conventional PCI function: on the root bus, or behind a bridge.
    pub conventional: bool,
    /// Access control between the functions of a device, if it has any.
    pub acs: Option<Acs>,
    /// First VF Offset with stride 1, ARI or not; `None` leaves it to the model. Several PFs of one device need their own.
    pub vf_offset: Option<u16>,
    /// ARI Capable Hierarchy of the device, shared by its PFs.
    pub ari: AriHierarchy,
    /// Whether another PF of the device has a lower number.
    pub follows: bool,
}

impl EndpointConfig {
    /// Puts the function there.
    pub fn place(&mut self, slot: &Slot) {
        self.function = slot.function;
        self.multi_function = slot.multi_function;
        self.next_function = slot.next_function;
        self.integrated = slot.integrated;
        self.conventional = slot.conventional;
        self.acs = slot.acs;
        if let Some(sriov) = &mut self.sriov {
            sriov.ari = slot.ari.clone();
            sriov.lowest = !slot.follows;
            sriov.dependency = slot.function;
            if let Some(offset) = slot.vf_offset {
                sriov.with_ari = VfPlacement { offset, stride: 1 };
                sriov.without_ari = sriov.with_ari;
            }
        }
    }
}

//! What a function lets in: addresses, VLANs, modes.

use crate::{MacAddress, Vlan};

/// A set of VLAN ids.
#[derive(Clone, PartialEq, Eq)]
pub struct VlanSet(Box<[u64; 64]>);

impl VlanSet {
    /// The empty set.
    pub fn new() -> Self {
        Self(Box::new([0; 64]))
    }

    /// Adds `vlan`.
    pub fn insert(&mut self, vlan: Vlan) {
        self.0[usize::from(vlan.0 >> 6) & 63] |= 1 << (vlan.0 & 63);
    }

    /// Takes `vlan` out.
    pub fn remove(&mut self, vlan: Vlan) {
        self.0[usize::from(vlan.0 >> 6) & 63] &= !(1 << (vlan.0 & 63));
    }

    /// Whether `vlan` is in it.
    #[inline]
    pub fn contains(&self, vlan: Vlan) -> bool {
        self.0[usize::from(vlan.0 >> 6) & 63] >> (vlan.0 & 63) & 1 != 0
    }
}

impl Default for VlanSet {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for VlanSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries((0..4096).filter(|&id| self.contains(Vlan(id)))).finish()
    }
}

/// What a port lets in. The default lets nothing in: a function that isn't driven.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Whether the port's link is up; while it is down nothing goes in or out.
    pub link_up: bool,
    /// The addresses that are its own.
    pub unicast: Vec<MacAddress>,
    /// The groups it is in.
    pub multicast: Vec<MacAddress>,
    /// Frames to everyone.
    pub broadcast: bool,
    /// Frames to any group.
    pub all_multicast: bool,
    /// Unicast frames to anyone in the segment.
    pub promiscuous: bool,
    /// Which tagged frames, in every mode above; `None`: all.
    pub vlans: Option<VlanSet>,
    /// Refuses untagged and priority-tagged frames.
    pub tagged_only: bool,
}

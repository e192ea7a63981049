//! What a function lets in: addresses, VLANs, modes.

use std::sync::Arc;

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

/// A hash filter over group or station addresses: 4096 bits, of which 12 of an address' last 16 bits choose one (82599 datasheet,
/// 7.1.1.1, 8.2.3.7.4).
#[derive(Clone, PartialEq, Eq)]
pub struct HashFilter {
    bits: Box<[u32; 128]>,
    shift: u8,
}

impl HashFilter {
    /// `shift` is how many of the 16 bits, from the lowest, are left out: 0 to 4.
    pub fn new(bits: [u32; 128], shift: u8) -> Self {
        Self { bits: Box::new(bits), shift: shift.min(4) }
    }

    /// Whether `address`' bit is set.
    #[inline]
    pub fn contains(&self, address: MacAddress) -> bool {
        let hash = u16::from_le_bytes([address.0[4], address.0[5]]) >> self.shift & 0xfff;
        self.bits[usize::from(hash >> 5)] >> (hash & 31) & 1 != 0
    }
}

impl std::fmt::Debug for HashFilter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ones: u32 = self.bits.iter().map(|bits| bits.count_ones()).sum();
        write!(f, "{ones} of 4096, shift {}", self.shift)
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
    /// Groups it takes besides, by their hash.
    pub multicast_hash: Option<Arc<HashFilter>>,
    /// Unicast frames it takes by their address' hash, if the address is nobody's own.
    pub unicast_hash: Option<Arc<HashFilter>>,
    /// Unicast frames from outside its group (see [`Policy`](crate::Policy)) that nobody in the group takes.
    pub unmatched: bool,
}

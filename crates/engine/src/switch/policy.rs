//! What the card's owner imposes on a port, whatever its function asks for (82599 datasheet, 7.10.3.9; IEEE 802.1Qbg for reflective
//! relay).
//!
//! A verdict is a pure function of the port and the frame's head, asked once per frame before the lookup. A port without a policy
//! pays one test of a pointer. The rate is `pace`'s, mirrors are `mirror`'s.

use std::sync::Arc;

use super::filter::{Filter, VlanSet};
use crate::frame::Tagging;
use crate::{Batch, DropReason, Frame, MacAddress};

/// Sees what a policy's port sends. Called on workers, once per batch.
pub trait Witness: Send + Sync {
    /// So many frames were dropped for their source address or VLAN.
    fn spoofed(&self, _frames: u64) {}

    /// The frames of `batch` whose bit is set in `frames` have gone to the uplink.
    fn left(&self, _batch: &Batch<'_>, _frames: u64) {}
}

/// The rules of one port. The default has none.
#[derive(Clone, Default)]
pub struct Policy {
    /// Nothing is sent.
    pub mute: bool,
    /// Frames from other addresses are dropped.
    pub source_addresses: Option<Vec<MacAddress>>,
    /// Frames of other VLANs are dropped; 0 stands for no tag.
    pub source_vlans: Option<VlanSet>,
    /// Frames of these types are dropped.
    pub refused_types: Vec<u16>,
    /// What becomes of tags its function asks for. What is judged is the frame with its tag.
    pub tagging: Tagging,
    /// Received frames lose their tag.
    pub strip: bool,
    /// The card it is on, if several share the switch; a number from [`Switch::group`](crate::Switch::group), or 0.
    pub group: u32,
    /// Frames don't go to ports of its own group: the far end of the cable sends them back (VEPA).
    pub isolated: bool,
    /// Frames come back to the port itself and go nowhere else.
    pub loopback: bool,
    /// Sees what comes of it.
    pub witness: Option<Arc<dyn Witness>>,
}

/// What becomes of a frame that a port's function sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is looked up.
    Pass,
    /// It goes nowhere.
    Drop(DropReason),
}

/// Judges a frame that a port sends.
#[inline]
pub(crate) fn judge(filter: &Filter, policy: Option<&Policy>, frame: &Frame) -> Verdict {
    match policy {
        _ if !filter.link_up => Verdict::Drop(DropReason::LinkDown),
        None => Verdict::Pass,
        Some(policy) => policy.judge(frame).map_or(Verdict::Pass, Verdict::Drop),
    }
}

impl Policy {
    fn judge(&self, frame: &Frame) -> Option<DropReason> {
        let vlan = frame.vlan().unwrap_or(crate::Vlan(0));
        let foreign =
            self.source_addresses.as_ref().is_some_and(|own| !own.contains(&frame.source()));
        if self.mute {
            Some(DropReason::Filtered)
        } else if foreign || self.source_vlans.as_ref().is_some_and(|own| !own.contains(vlan)) {
            Some(DropReason::Spoofed)
        } else {
            self.refused_types.contains(&frame.ether_type()).then_some(DropReason::Filtered)
        }
    }
}

impl std::fmt::Debug for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Policy")
            .field("mute", &self.mute)
            .field("source_addresses", &self.source_addresses)
            .field("source_vlans", &self.source_vlans)
            .field("tagging", &self.tagging)
            .field("group", &self.group)
            .field("isolated", &self.isolated)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

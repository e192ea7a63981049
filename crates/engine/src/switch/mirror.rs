//! Mirror rules: copies of what passes elsewhere, for one port that watches (82599 datasheet, 7.10.3.8).
//!
//! Looked at only while a switch has any. A copy waits for nobody. Leaves out mirrors of what is dropped.

use super::VlanSet;
use crate::Vlan;

/// Rules of a switch at most: a frame carries a bit for each.
pub(super) const RULES: usize = 64;

/// One rule: frames that any of its conditions names are shown to port `to`.
#[derive(Clone, Debug)]
pub struct Mirror {
    /// The card that the rule is of; see [`Policy::group`](super::Policy::group).
    pub group: u32,
    /// The number of the port that watches: [`Port::number`](super::Port::number).
    pub to: u16,
    /// Frames that one of these ports gets.
    pub received_by: Vec<u16>,
    /// Frames that come from outside the group.
    pub from_outside: bool,
    /// Frames that the group sends to the uplink.
    pub to_uplink: bool,
    /// Frames of these VLANs, wherever they go.
    pub vlans: Option<VlanSet>,
}

/// What is known of a frame before it goes anywhere.
#[derive(Clone, Copy)]
pub(super) struct Origin {
    pub(super) group: u32,
    pub(super) from: u16,
    pub(super) vlan: Option<Vlan>,
}

impl Mirror {
    /// Whether it shows every frame of this origin.
    pub(super) fn wants(&self, origin: Origin) -> bool {
        let tagged = |vlans: &VlanSet| origin.vlan.is_some_and(|vlan| vlans.contains(vlan));
        self.from_outside && origin.group != self.group || self.vlans.as_ref().is_some_and(tagged)
    }

    /// Whether it shows a frame of this origin because `port` gets it, which may be the uplink.
    pub(super) fn wants_what_goes_to(&self, origin: Origin, port: u16, uplink: bool) -> bool {
        if uplink {
            self.to_uplink && origin.group == self.group
        } else {
            self.received_by.contains(&port)
        }
    }
}

/// Which of `rules` have shown or are to show a frame.
#[derive(Default)]
pub(super) struct Shown {
    due: u64,
    done: u64,
}

impl Shown {
    /// Before the frame goes anywhere.
    pub(super) fn begin(rules: &[Mirror], origin: Origin) -> Self {
        let due = (0..).zip(rules).filter(|(_, rule)| rule.wants(origin));
        Self { due: due.fold(0, |due, (bit, _)| due | 1u64 << bit), done: 0 }
    }

    /// `port` gets it.
    pub(super) fn goes_to(&mut self, rules: &[Mirror], origin: Origin, port: u16, uplink: bool) {
        for (bit, rule) in (0..).zip(rules) {
            self.due |= u64::from(rule.wants_what_goes_to(origin, port, uplink)) << bit;
            self.done |= u64::from(rule.to == port) << bit;
        }
    }

    /// Calls `to` for each port that gets a copy and hasn't the frame itself, each once.
    pub(super) fn finish(self, rules: &[Mirror], origin: Origin, mut to: impl FnMut(u16)) {
        let mut left = self.due & !self.done;
        while left != 0 {
            let rule = &rules[left.trailing_zeros() as usize];
            if rule.to != origin.from {
                to(rule.to);
            }
            for (bit, other) in (0..).zip(rules) {
                left &= !(u64::from(other.to == rule.to) << bit);
            }
        }
    }
}

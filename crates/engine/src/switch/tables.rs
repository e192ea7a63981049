//! The switch as one pass sees it: an immutable snapshot of every port's filter, and which ports a frame goes to (82599 datasheet,
//! 7.10.3: pool selection, with the sender removed; an exact local match stays local).
//!
//! A lookup costs the same with 2 ports as with 256; hash filters, `unmatched` and mirrors cost only where there are any.

use std::sync::Arc;

use super::cell::Cell;
use super::filter::Filter;
use super::mac_table::MacTable;
use super::mirror::{Mirror, Origin, RULES, Shown};
use super::policy::Policy;
use super::port::PortKind;
use super::steer::Steer;
use crate::{Capture, DropReason, Frame, MacAddress, Vlan};

/// One port in a snapshot.
pub(crate) struct Entry {
    pub(crate) kind: PortKind,
    pub(crate) filter: Arc<Filter>,
    pub(crate) policy: Option<Arc<Policy>>,
    /// The receive queues that flows are spread over.
    pub(crate) cells: Cells,
    pub(crate) capture: Option<Arc<dyn Capture>>,
}

/// A port's receive queues and who chooses among them.
pub(crate) enum Cells {
    /// Flows are spread evenly over these.
    Spread(Vec<Arc<Cell>>),
    /// The personality chooses, by number.
    Steered(Arc<dyn Steer>, Vec<Option<Arc<Cell>>>),
}

/// A snapshot.
pub(crate) struct Tables {
    ports: Vec<Entry>,
    unicast: MacTable,
    multicast: MacTable,
    broadcast: Vec<u16>,
    all_multicast: Vec<u16>,
    promiscuous: Vec<u16>,
    hashed_multicast: Vec<u16>,
    hashed_unicast: Vec<u16>,
    unmatched: Vec<u16>,
    uplink: Option<u16>,
    mirrors: Vec<Mirror>,
}

impl Entry {
    /// The number of its card; 0 if it has none.
    #[inline]
    pub(crate) fn group(&self) -> u32 {
        self.policy.as_ref().map_or(0, |policy| policy.group)
    }

    /// The group that its frames don't go to.
    #[inline]
    fn shunned(&self) -> Option<u32> {
        self.policy.as_ref().filter(|policy| policy.isolated).map(|policy| policy.group)
    }

    /// Whether a frame with this VLAN may be received here.
    #[inline]
    fn admits(&self, vlan: Option<Vlan>) -> bool {
        match (vlan, &self.filter.vlans) {
            (None, _) => !self.filter.tagged_only,
            (Some(_), None) => true,
            (Some(vlan), Some(vlans)) => vlans.contains(vlan),
        }
    }
}

impl Tables {
    pub(super) fn new(ports: Vec<Entry>, mirrors: Vec<Mirror>) -> Self {
        let which = |wanted: fn(&Filter) -> bool| -> Vec<u16> {
            let functions = ports.iter().enumerate().filter(|(_, e)| e.kind == PortKind::Function);
            functions.filter(|(_, e)| wanted(&e.filter)).map(|(port, _)| port as u16).collect()
        };
        let all_multicast = which(|filter| filter.all_multicast);
        let uplink = ports.iter().position(|entry| entry.kind == PortKind::Uplink);
        Self {
            unicast: MacTable::new(addresses(&ports, |filter| &filter.unicast)),
            multicast: MacTable::new(groups(&ports, &all_multicast)),
            broadcast: which(|filter| filter.broadcast),
            promiscuous: which(|filter| filter.promiscuous),
            hashed_multicast: which(|filter| filter.multicast_hash.is_some()),
            hashed_unicast: which(|filter| filter.unicast_hash.is_some()),
            unmatched: which(|filter| filter.unmatched),
            mirrors: mirrors
                .into_iter()
                .filter(|mirror| usize::from(mirror.to) < ports.len())
                .take(RULES)
                .collect(),
            all_multicast,
            uplink: uplink.map(|port| port as u16),
            ports,
        }
    }

    /// Port number `port`; every number a [`route`](Self::route) gives is one.
    #[inline]
    pub(crate) fn port(&self, port: u16) -> &Entry {
        &self.ports[usize::from(port)]
    }

    /// How many ports there are.
    pub(crate) fn len(&self) -> usize {
        self.ports.len()
    }

    /// Calls `to` for each port that gets `frame` sent at port `from`, each once, and tells it whether that is the frame's
    /// owner, for whom alone the sender may be made to wait. Says why if there was no port.
    #[inline]
    pub(crate) fn route(
        &self,
        from: u16,
        frame: &Frame,
        to: impl FnMut(u16, bool),
    ) -> Result<(), DropReason> {
        if self.mirrors.is_empty() {
            return self.look_up(from, frame, to);
        }
        self.route_and_mirror(from, frame, to)
    }

    fn route_and_mirror(
        &self,
        from: u16,
        frame: &Frame,
        mut to: impl FnMut(u16, bool),
    ) -> Result<(), DropReason> {
        let origin = Origin { group: self.port(from).group(), from, vlan: frame.vlan() };
        let mut shown = Shown::begin(&self.mirrors, origin);
        let sent = self.look_up(from, frame, |port, owner| {
            shown.goes_to(&self.mirrors, origin, port, Some(port) == self.uplink);
            to(port, owner);
        });
        shown.finish(&self.mirrors, origin, |port| {
            if self.port(port).filter.link_up {
                to(port, false);
            }
        });
        sent
    }

    #[inline]
    fn look_up(
        &self,
        from: u16,
        frame: &Frame,
        mut to: impl FnMut(u16, bool),
    ) -> Result<(), DropReason> {
        let sender = self.port(from);
        let vlan = frame.vlan();
        let destination = frame.destination();
        let mut sent = Err(DropReason::NoDestination);
        if sender.policy.as_ref().is_some_and(|policy| policy.loopback) {
            to(from, true);
            return Ok(());
        }
        let shunned = sender.shunned();
        let reaches = |port| shunned.is_none_or(|group| self.port(port).group() != group);
        if destination.is_multicast() {
            let members = self.group(destination);
            for &port in members {
                if port != from && reaches(port) {
                    sent = self.offer(port, vlan, false, sent, &mut to);
                }
            }
            for &port in &self.hashed_multicast {
                if port != from && self.hashes_group(port, destination, members) && reaches(port) {
                    sent = self.offer(port, vlan, false, sent, &mut to);
                }
            }
            return self.to_uplink(sender, false, sent, &mut to);
        }
        let mut local = false;
        let owners = self.unicast.get(destination);
        for &port in owners {
            let admits = self.port(port).admits(vlan) && reaches(port);
            local |= admits;
            if port == from && admits {
                sent = sent.or(Err(DropReason::OwnAddress));
            } else if admits {
                sent = self.offer(port, vlan, sent.is_err(), sent, &mut to);
            }
        }
        for &port in &self.hashed_unicast {
            let hash = self.port(port).filter.unicast_hash.as_ref();
            let hashed = owners.is_empty() && hash.is_some_and(|hash| hash.contains(destination));
            if hashed && port != from && reaches(port) {
                sent = self.offer(port, vlan, sent.is_err(), sent, &mut to);
            }
        }
        if !local {
            sent = self.to_uplink(sender, sent.is_err(), sent, &mut to);
        }
        for &port in &self.unmatched {
            let group = self.port(port).group();
            let matched =
                |owner: &u16| self.port(*owner).group() == group && self.port(*owner).admits(vlan);
            if sender.group() != group && !owners.iter().any(matched) {
                sent = self.offer(port, vlan, sent.is_err(), sent, &mut to);
            }
        }
        for &port in &self.promiscuous {
            let owner = self.port(port).filter.unicast.contains(&destination);
            if port != from && !owner && reaches(port) {
                let first = sent.is_err();
                sent = self.offer(port, vlan, first, sent, &mut to);
            }
        }
        sent
    }

    /// Whether `port` takes a group by its hash alone.
    fn hashes_group(&self, port: u16, group: MacAddress, members: &[u16]) -> bool {
        let hash = self.port(port).filter.multicast_hash.as_ref();
        group != MacAddress::BROADCAST
            && hash.is_some_and(|hash| hash.contains(group))
            && !members.contains(&port)
    }

    #[inline]
    fn group(&self, destination: MacAddress) -> &[u16] {
        if destination == MacAddress::BROADCAST {
            return &self.broadcast;
        }
        match self.multicast.get(destination) {
            [] => &self.all_multicast,
            members => members,
        }
    }

    /// Sends to a port if it lets the frame in; `sent` is the outcome so far, and the result the outcome with it.
    #[inline]
    fn offer(
        &self,
        port: u16,
        vlan: Option<Vlan>,
        owner: bool,
        sent: Result<(), DropReason>,
        to: &mut impl FnMut(u16, bool),
    ) -> Result<(), DropReason> {
        let entry = self.port(port);
        if !entry.admits(vlan) {
            return sent;
        }
        if !entry.filter.link_up {
            return sent.or(Err(DropReason::LinkDown));
        }
        to(port, owner);
        Ok(())
    }

    #[inline]
    fn to_uplink(
        &self,
        sender: &Entry,
        owner: bool,
        sent: Result<(), DropReason>,
        to: &mut impl FnMut(u16, bool),
    ) -> Result<(), DropReason> {
        match self.uplink {
            Some(uplink) if sender.kind == PortKind::Function => {
                self.offer(uplink, None, owner, sent, to)
            }
            _ => sent,
        }
    }
}

fn addresses(ports: &[Entry], of: impl Fn(&Filter) -> &Vec<MacAddress>) -> Vec<(MacAddress, u16)> {
    let mut addresses = Vec::new();
    for (port, entry) in ports.iter().enumerate() {
        if entry.kind == PortKind::Function {
            addresses.extend(of(&entry.filter).iter().map(|address| (*address, port as u16)));
        }
    }
    addresses.sort();
    addresses.dedup();
    addresses
}

/// The members of each group that somebody names, and those that take every group.
fn groups(ports: &[Entry], all_multicast: &[u16]) -> Vec<(MacAddress, u16)> {
    let mut members = addresses(ports, |filter| &filter.multicast);
    let mut groups: Vec<_> = members.iter().map(|member| member.0).collect();
    groups.dedup();
    for group in groups {
        members.extend(all_multicast.iter().map(|port| (group, *port)));
    }
    members.sort();
    members.dedup();
    members
}

#[cfg(test)]
mod tests;

//! Requests and completions between the functions of one device, which never reach its link (PCI Express base 6.0, 6.12.1.2):
//! physical functions of endpoints, and upstream ports of switches beside them, with all that is below.
//!
//! What software believes is what happens: functions without an ACS capability reach each other; a capability without
//! P2P controls says that there are no such paths; with them the verdict is asked. VFs have no such paths to anyone.

use pando_pci::{AcsServices, Region};
use pando_tlp::RequesterId;

use super::{Arrival, Refusal, Routes, entry};
use crate::span::Span;
use crate::topology::{BusIndex, DeviceIndex, PortIndex};
use crate::verdict::{Egress, Ingress, PortControls, Request, Verdict, verdict};

/// A function beside others, as the guest last configured it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FunctionState {
    /// The low eight bits of its id.
    pub(crate) function: u8,
    /// Services its ACS capability offers, if it has one.
    pub(crate) offered: Option<AcsServices>,
    /// What is switched on.
    pub(crate) controls: PortControls,
}

/// Which function of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Member {
    Device(DeviceIndex),
    /// An upstream port.
    Port(PortIndex),
}

/// A function beside others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sibling {
    member: Member,
    state: FunctionState,
}

const PEER_CONTROLS: AcsServices = AcsServices::REQUEST_REDIRECT.union(AcsServices::EGRESS_CONTROL);

impl Sibling {
    /// What becomes of what it sends to the function of number `to` of its device; `None`: there is no way inside.
    fn judge(&self, request: Request, to: u8) -> Option<Verdict> {
        let offered = self.state.offered;
        let has_way = offered.is_none_or(|offered| offered.intersects(PEER_CONTROLS));
        let egress = Egress::Peer(to);
        has_way.then(|| verdict(&self.state.controls, request, Ingress::Function, egress))
    }
}

impl Routes {
    /// The sibling function that gets `sender`'s request for `address` inside the device, if one does.
    pub(super) fn inside(
        &self,
        bus: BusIndex,
        sender: &Sibling,
        request: Request,
        address: u64,
        same: &mut Span,
    ) -> Result<Option<Arrival>, Refusal> {
        let Some((found, number)) = self.claiming_sibling(bus, sender, address, same) else {
            return Ok(None);
        };
        match (sender.judge(request, number), sender.member) {
            (Some(Verdict::Direct), _) => Ok(Some(found)),
            (Some(Verdict::Violation), Member::Device(device)) => {
                Err(Refusal::ViolationInside(device))
            }
            (Some(Verdict::Violation), Member::Port(port)) => Err(Refusal::Violation(port)),
            _ => Ok(None),
        }
    }

    /// Whether a completion of `sender` on `bus` gets inside the device to `requester`, whose own bus is `home`.
    pub(super) fn is_completed_inside(
        &self,
        bus: BusIndex,
        sender: &Sibling,
        completion: Request,
        (requester, home): (RequesterId, BusIndex),
    ) -> bool {
        let mut siblings = self.siblings(bus).filter(|other| other.member != sender.member);
        let found = siblings.find(|other| match other.member {
            Member::Device(_) => bus == home && other.state.function == requester.function(),
            Member::Port(port) => self.leads_to(port, requester),
        });
        let judge = |found: Sibling| sender.judge(completion, found.state.function);
        found.and_then(judge) == Some(Verdict::Direct)
    }

    pub(super) fn function(&self, device: DeviceIndex) -> Option<FunctionState> {
        self.registers.functions.get(device.0).copied().flatten()
    }

    /// The physical function on `bus` that has this id, if there are others beside it.
    pub(super) fn sender(&self, bus: BusIndex, request: Request) -> Option<Sibling> {
        let Request::Memory { requester, .. } = request else { return None };
        let here = self.topology.buses.get(bus.0)?;
        let number = here.above.map_or(0, |port| self.port(port).controls.secondary);
        self.siblings(bus).find(|sibling| {
            let id = RequesterId::new(number, sibling.state.function);
            matches!(sibling.member, Member::Device(_)) && id == requester
        })
    }

    /// The function that `member` is, if there are others beside it.
    pub(super) fn sibling(&self, bus: BusIndex, member: Member) -> Option<Sibling> {
        self.siblings(bus).find(|sibling| sibling.member == member)
    }

    /// The functions on `bus`, upstream ports first; nothing where there is but one.
    fn siblings(&self, bus: BusIndex) -> impl Iterator<Item = Sibling> {
        let here = self.topology.buses.get(bus.0).filter(|_| self.topology.is_shared(bus));
        let ports = here.into_iter().flat_map(|here| self.topology.upstream_ports(here));
        let ports = ports.map(|port| {
            let (wired, controls) = (self.topology.port(port), self.port(port).controls);
            let state =
                FunctionState { function: wired.function, offered: wired.offered, controls };
            Sibling { member: Member::Port(port), state }
        });
        let devices = here.into_iter().flat_map(|here| &here.devices).filter_map(|&device| {
            let state = self.function(device)?;
            Some(Sibling { member: Member::Device(device), state })
        });
        ports.chain(devices)
    }

    /// Who else of the device claims `address`, with a window or a BAR of its own, and its function number.
    fn claiming_sibling(
        &self,
        bus: BusIndex,
        sender: &Sibling,
        address: u64,
        same: &mut Span,
    ) -> Option<(Arrival, u8)> {
        let on_root_bus = self.topology.bus(bus).above.is_none();
        for Sibling { member, state } in self.siblings(bus) {
            // On a link all functions are of one device; on the root bus the device number tells.
            let same_device = !on_root_bus || state.function >> 3 == sender.state.function >> 3;
            if member == sender.member || !same_device {
                continue;
            }
            let arrival = match member {
                Member::Port(port) => {
                    self.port(port).passes(address, same).then_some(Arrival::Peer(port))
                }
                Member::Device(device) => self.claims(device, address, same),
            };
            if let Some(arrival) = arrival {
                return Some((arrival, state.function));
            }
        }
        None
    }

    /// Whether a BAR of the physical function itself claims `address`.
    fn claims(&self, device: DeviceIndex, address: u64, same: &mut Span) -> Option<Arrival> {
        self.registers.devices[device.0].iter().find_map(|decoded| {
            let span = Span::sized(decoded.base.0, decoded.len)?;
            let hit = matches!(decoded.region, Region::Bar(_)) && same.narrow(span, address);
            hit.then(|| Arrival::Inside(entry(*same, device, decoded)))
        })
    }
}

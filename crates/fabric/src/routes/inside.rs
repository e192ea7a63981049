//! Requests between the physical functions of one device, which never reach its link (PCI Express base 6.0, 6.12.1.2).
//!
//! What software believes is what happens: functions without an ACS capability reach each other; a capability without
//! P2P controls says that there are no such paths; with them the verdict is asked. VFs have no such paths to anyone.

use pando_pci::{AcsServices, Region};
use pando_tlp::RequesterId;

use super::{Refusal, Routes, entry};
use crate::map::Entry;
use crate::span::Span;
use crate::topology::{BusIndex, DeviceIndex};
use crate::verdict::{Egress, Ingress, PortControls, Request, Verdict, verdict};

/// A physical function beside others, as the guest last configured it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FunctionState {
    /// The low eight bits of its id.
    pub(crate) function: u8,
    /// Services its ACS capability offers, if it has one.
    pub(crate) offered: Option<AcsServices>,
    /// What is switched on.
    pub(crate) controls: PortControls,
}

const PEER_CONTROLS: AcsServices = AcsServices::REQUEST_REDIRECT.union(AcsServices::EGRESS_CONTROL);

impl Routes {
    /// The sibling function that gets `request` for `address` inside the device, if one does.
    pub(super) fn inside(
        &self,
        bus: BusIndex,
        request: Request,
        address: u64,
        same: &mut Span,
    ) -> Result<Option<Entry>, Refusal> {
        let Request::Memory { requester, .. } = request else { return Ok(None) };
        let Some((device, sender)) = self.sender(bus, requester) else { return Ok(None) };
        let Some((found, number)) = self.sibling(bus, device, sender, address, same) else {
            return Ok(None);
        };
        if sender.offered.is_some_and(|offered| !offered.intersects(PEER_CONTROLS)) {
            return Ok(None);
        }
        match verdict(&sender.controls, request, Ingress::Function, Egress::Peer(number)) {
            Verdict::Direct => Ok(Some(found)),
            Verdict::Redirect | Verdict::UnsupportedRequest => Ok(None),
            Verdict::Violation => Err(Refusal::ViolationInside(device)),
        }
    }

    fn function(&self, device: DeviceIndex) -> Option<FunctionState> {
        self.registers.functions.get(device.0).copied().flatten()
    }

    /// The physical function on `bus` that has this id.
    fn sender(&self, bus: BusIndex, id: RequesterId) -> Option<(DeviceIndex, FunctionState)> {
        let here = self.topology.buses.get(bus.0).filter(|bus| bus.devices.len() > 1)?;
        let number = here.above.map_or(0, |port| self.port(port).controls.secondary);
        let mut functions =
            here.devices.iter().filter_map(|&device| Some((device, self.function(device)?)));
        functions.find(|(_, state)| id == RequesterId::new(number, state.function))
    }

    /// Who else of the device claims `address` with a BAR of its own, and its function number.
    fn sibling(
        &self,
        bus: BusIndex,
        sender: DeviceIndex,
        state: FunctionState,
        address: u64,
        same: &mut Span,
    ) -> Option<(Entry, u8)> {
        let here = self.topology.bus(bus);
        for &device in here.devices.iter().filter(|&&device| device != sender) {
            let Some(FunctionState { function, .. }) = self.function(device) else { continue };
            // On a link all functions are of one device; on the root bus the device number tells.
            if here.above.is_none() && function >> 3 != state.function >> 3 {
                continue;
            }
            for decoded in &self.registers.devices[device.0] {
                let Some(span) = Span::sized(decoded.base.0, decoded.len) else { continue };
                if matches!(decoded.region, Region::Bar(_)) && same.narrow(span, address) {
                    return Some((entry(*same, device, decoded), function));
                }
            }
        }
        None
    }
}

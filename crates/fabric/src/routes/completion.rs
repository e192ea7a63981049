//! The way of a completion back to its requester, by bus number, with a verdict at every port (PCI Express base 6.0, 2.2.9,
//! 6.12.1.1): Completion Redirect sends it up, Upstream Forwarding lets it go on.

use pando_tlp::RequesterId;

use super::Routes;
use super::inside::Member;
use crate::topology::{BusIndex, DeviceIndex, PortIndex};
use crate::verdict::{Request, Verdict};

/// No request here has Relaxed Ordering, so no completion has.
const COMPLETION: Request = Request::Completion { relaxed_ordering: false };

impl Routes {
    /// Whether a completion of `completer` on `bus` gets to where it turns towards `requester`, whose device is on the bus
    /// `home`; else the port that stops it. A port without Bus Master Enable lets completions pass (7.5.1.1.3).
    pub(crate) fn completion(
        &self,
        mut bus: BusIndex,
        completer: DeviceIndex,
        (requester, home): (RequesterId, BusIndex),
    ) -> Result<(), PortIndex> {
        let mut redirected = false;
        let mut sender = self.sibling(bus, Member::Device(completer));
        while let Some(port) = self.topology.bus(bus).above {
            let here = self.topology.port(port);
            if let Some(sender) = sender.take()
                && self.is_completed_inside(bus, &sender, COMPLETION, (requester, home))
            {
                return Ok(());
            }
            if self.port(port).is_cut {
                return Err(port);
            }
            if !here.kind.is_downstream() {
                if !redirected && self.leads_to(port, requester) {
                    return Err(port);
                }
                redirected = false;
                sender = self.sibling(here.bus, Member::Port(port));
            } else {
                let peers = &self.topology.bus(here.bus).ports;
                let egress = peers.iter().copied().find(|&peer| self.leads_to(peer, requester));
                match self.judge(port, COMPLETION, egress) {
                    Verdict::Direct if egress.is_some() => return Ok(()),
                    Verdict::Direct => {}
                    Verdict::Redirect => redirected = true,
                    Verdict::UnsupportedRequest | Verdict::Violation => return Err(port),
                }
            }
            bus = here.bus;
        }
        Ok(())
    }

    /// The id that a device's completions carry: that of its physical function.
    pub(crate) fn completer(&self, bus: BusIndex, device: DeviceIndex) -> RequesterId {
        let above = self.topology.bus(bus).above;
        let number = above.map_or(0, |port| self.port(port).controls.secondary);
        let known = self.registers.functions.get(device.0).copied().flatten();
        RequesterId::new(number, known.map_or(0, |state| state.function))
    }

    pub(super) fn leads_to(&self, port: PortIndex, requester: RequesterId) -> bool {
        let controls = &self.port(port).controls;
        (controls.secondary..=controls.subordinate).contains(&requester.bus())
    }
}

//! The way of a memory request from a function up the tree, with a verdict at every port (PCI Express base 6.0, 6.12 and 7.5.1).

use pando_pci::PortKind;

use super::Routes;
use super::inside::Member;
use crate::map::Entry;
use crate::span::Span;
use crate::topology::{BusIndex, DeviceIndex, PortIndex};
use crate::verdict::{Egress, Ingress, Request, Verdict, verdict};

/// Where a request leaves the upward way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// In the root complex, untranslated.
    Root,
    /// At another function of the sender's device, or at another device of its bus of conventional PCI.
    Inside(Entry),
    /// At a peer port, or at an upstream port that is another function of the sender's device: downwards, without any translation.
    Peer(PortIndex),
}

/// Which port stopped a request, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Bus Master Enable of this port is 0, or it is in reset: nothing goes up (7.5.1.1.3).
    Closed(PortIndex),
    /// Nobody may take the address here.
    UnsupportedRequest(PortIndex),
    /// An ACS violation was detected here.
    Violation(PortIndex),
    /// An ACS violation was detected by the sending function.
    ViolationInside(DeviceIndex),
    /// The sender is not in the tree (yet).
    Nowhere,
}

impl Routes {
    /// Follows `request` for `address` upwards from `bus`. The span holds `address` and others that go the same way.
    pub(crate) fn up(
        &self,
        mut bus: BusIndex,
        request: Request,
        address: u64,
    ) -> Result<(Arrival, Span), Refusal> {
        let mut same = Span::ALL;
        let mut sender = None;
        if self.topology.is_conventional(bus) {
            // A bridge to conventional PCI takes what nobody on its bus claims.
            if let Some(entry) = self.on_bus(bus, address, &mut same) {
                return Ok((Arrival::Inside(entry), same));
            }
        } else {
            sender = self.sender(bus, request);
        }
        let mut redirected = false;
        loop {
            if let Some(sender) = sender.take()
                && let Some(arrival) = self.inside(bus, &sender, request, address, &mut same)?
            {
                return Ok((arrival, same));
            }
            let here = self.topology.buses.get(bus.0).ok_or(Refusal::Nowhere)?;
            let Some(port) = here.above else { return Ok((Arrival::Root, same)) };
            let state = self.port(port);
            if state.is_cut || !state.bus_master {
                return Err(Refusal::Closed(port));
            }
            if !self.topology.port(port).kind.is_downstream() {
                // A bridge passes up what isn't in its own windows; what an access control sent up, it passes in any case.
                if !redirected && state.passes(address, &mut same) {
                    return Err(Refusal::UnsupportedRequest(port));
                }
                redirected = false;
                sender = self.sibling(self.topology.port(port).bus, Member::Port(port));
            } else {
                let egress = self.egress(port, address, &mut same);
                match self.judge(port, request, egress) {
                    Verdict::Direct => {
                        if let Some(peer) = egress.filter(|&peer| peer != port) {
                            return Ok((Arrival::Peer(peer), same));
                        }
                    }
                    Verdict::Redirect => redirected = true,
                    Verdict::UnsupportedRequest => return Err(Refusal::UnsupportedRequest(port)),
                    Verdict::Violation => return Err(Refusal::Violation(port)),
                }
            }
            bus = self.topology.port(port).bus;
        }
    }

    /// The port beside `ingress`, or `ingress` itself, that passes `address` down.
    fn egress(&self, ingress: PortIndex, address: u64, same: &mut Span) -> Option<PortIndex> {
        let bus = self.topology.bus(self.topology.port(ingress).bus);
        bus.ports.iter().copied().find(|&port| self.port(port).passes(address, same))
    }

    pub(super) fn judge(
        &self,
        port: PortIndex,
        request: Request,
        egress: Option<PortIndex>,
    ) -> Verdict {
        let ingress = match self.topology.port(port).kind {
            PortKind::RootPort => {
                Ingress::RootPort { peer_to_peer: self.topology.root_peer_to_peer }
            }
            _ => Ingress::SwitchPort,
        };
        let egress = match egress {
            None => Egress::Upstream,
            Some(own) if own == port => Egress::Own,
            Some(peer) => Egress::Peer(self.topology.port(peer).number),
        };
        verdict(&self.port(port).controls, request, ingress, egress)
    }
}

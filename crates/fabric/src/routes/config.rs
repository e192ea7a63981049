//! Which function a configuration request reaches, port by port (PCI Express base 6.0, 7.3.3; 6.13 for ARI forwarding).

use pando_pci::ConfigKind;
use pando_tlp::RequesterId;

use super::Routes;
use crate::topology::{BusIndex, PortIndex, ROOT_BUS};

/// Who a configuration request is offered to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Addressee {
    /// A port itself.
    Port(PortIndex),
    /// Whatever devices are on this bus.
    Devices(BusIndex, ConfigKind),
}

impl Routes {
    /// Follows `target` from the root bus (number 0) by the bus numbers of every port on the way. `None`: a port stops it.
    pub(crate) fn addressee(&self, target: RequesterId) -> Option<Addressee> {
        let mut bus = ROOT_BUS;
        let mut kind = if target.bus() == 0 { ConfigKind::Type0 } else { ConfigKind::Type1 };
        while kind == ConfigKind::Type1 {
            let ports = &self.topology.buses.get(bus.0)?.ports;
            let Some(port) = ports.iter().copied().find(|&port| self.carries(port, target)) else {
                return Some(Addressee::Devices(bus, kind));
            };
            kind = self.forward(port, target)?;
            bus = self.topology.port(port).below;
        }
        let ports = &self.topology.buses.get(bus.0)?.ports;
        let port = ports
            .iter()
            .copied()
            .find(|&port| self.topology.port(port).function == target.function());
        Some(port.map_or(Addressee::Devices(bus, kind), Addressee::Port))
    }

    fn carries(&self, port: PortIndex, target: RequesterId) -> bool {
        let controls = &self.port(port).controls;
        let bus = target.bus();
        bus == controls.secondary || (controls.secondary < bus && bus <= controls.subordinate)
    }

    /// As what `target` leaves `port` downwards.
    fn forward(&self, port: PortIndex, target: RequesterId) -> Option<ConfigKind> {
        let state = self.port(port);
        if state.is_cut {
            return None;
        }
        if target.bus() != state.controls.secondary {
            return Some(ConfigKind::Type1);
        }
        let is_link = self.topology.port(port).kind.is_downstream();
        let reaches = !is_link || state.ari_forwarding || target.function() >> 3 == 0;
        reaches.then_some(ConfigKind::Type0)
    }
}

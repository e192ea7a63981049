//! The wired shape of the tree: which port leads from which bus to which. It never changes; bus numbers are not part of it.
//!
//! PCI Express base 6.0, 1.3 (a root complex and a switch as virtual PCI-to-PCI bridges). Left out: hot-plug.

use std::collections::BTreeSet;

use pando_pci::{AcsServices, PortKind};

/// Position in [`Topology::ports`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PortIndex(pub(crate) usize);

/// Position in [`Topology::buses`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BusIndex(pub(crate) usize);

/// Position in the list of devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct DeviceIndex(pub(crate) usize);

/// The bus of the root complex.
pub(crate) const ROOT_BUS: BusIndex = BusIndex(0);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Port {
    pub(crate) id: String,
    pub(crate) kind: PortKind,
    /// The bus it is a function of.
    pub(crate) bus: BusIndex,
    /// Device number 7:3 and function number 2:0 on that bus.
    pub(crate) function: u8,
    /// The bus it leads to: a link, the inside of a switch, or a bus of conventional PCI.
    pub(crate) below: BusIndex,
    /// Port Number: the port's bit in its peers' egress control vectors.
    pub(crate) number: u8,
    /// Services its ACS capability offers, if it has one.
    pub(crate) offered: Option<AcsServices>,
}

impl Port {
    /// Its device number.
    pub(crate) fn device(&self) -> u8 {
        self.function >> 3
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bus {
    /// The port that leads here; none for the root bus.
    pub(crate) above: Option<PortIndex>,
    /// Its ports by device and function number: where two claim the same, the first has it.
    pub(crate) ports: Vec<PortIndex>,
    /// Its devices, after the ports.
    pub(crate) devices: Vec<DeviceIndex>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Topology {
    pub(crate) ports: Vec<Port>,
    pub(crate) buses: Vec<Bus>,
    /// Device numbers of the root bus that devices of the root complex have.
    pub(crate) integrated: BTreeSet<u8>,
    /// Whether the root complex carries requests from one root port to another.
    pub(crate) root_peer_to_peer: bool,
}

impl Topology {
    pub(crate) fn port(&self, index: PortIndex) -> &Port {
        &self.ports[index.0]
    }

    /// Puts a port on its bus, in the order of device and function numbers.
    pub(crate) fn insert(&mut self, bus: BusIndex, port: PortIndex) {
        let function = self.port(port).function;
        let ports = &self.buses[bus.0].ports;
        let position = ports.partition_point(|&other| self.port(other).function < function);
        self.buses[bus.0].ports.insert(position, port);
    }

    pub(crate) fn bus(&self, index: BusIndex) -> &Bus {
        &self.buses[index.0]
    }

    /// The root port above `bus`; `None` on the root bus.
    pub(crate) fn root_port(&self, mut bus: BusIndex) -> Option<PortIndex> {
        let mut found = None;
        while let Some(above) = self.buses.get(bus.0).and_then(|bus| bus.above) {
            found = Some(above);
            bus = self.port(above).bus;
        }
        found
    }

    /// The upstream ports on `bus`: on a link they are functions of the device there.
    pub(crate) fn upstream_ports(&self, bus: &Bus) -> impl Iterator<Item = PortIndex> {
        let ports = bus.ports.iter().copied();
        ports.filter(|&port| self.port(port).kind == PortKind::Upstream)
    }

    /// Whether `bus` is one of conventional PCI: whoever is on it hears everybody, and its bridge speaks for all.
    pub(crate) fn is_conventional(&self, bus: BusIndex) -> bool {
        let above = self.buses.get(bus.0).and_then(|bus| bus.above);
        above.is_some_and(|port| self.port(port).kind == PortKind::PciBridge)
    }

    /// Whether there are several functions on `bus` whose requests to each other need not leave their device.
    pub(crate) fn is_shared(&self, bus: BusIndex) -> bool {
        let bus = self.bus(bus);
        bus.devices.len() + self.upstream_ports(bus).count() > 1
    }

    /// Every bus from `from` downwards, each before what is below it.
    pub(crate) fn subtree(&self, from: BusIndex) -> Vec<BusIndex> {
        let mut found = vec![from];
        let mut next = 0;
        while let Some(&bus) = found.get(next) {
            found.extend(self.bus(bus).ports.iter().map(|&port| self.port(port).below));
            next += 1;
        }
        found
    }

    /// The bus a device sits on.
    pub(crate) fn bus_of(&self, device: DeviceIndex) -> Option<BusIndex> {
        self.buses.iter().position(|bus| bus.devices.contains(&device)).map(BusIndex)
    }
}

//! What the tree routes by at one moment: the registers of every port, what every device decodes, and the flat map of both.
//!
//! A value: made after a change, published whole, never altered. Everything here is a pure function of it. PCI Express base
//! 6.0, 7.5.1.3 (windows, bus numbers); PCI-to-PCI bridge architecture 1.2, chapter 4 (address decoding).

mod completion;
mod config;
mod inside;
mod upward;

use std::sync::Arc;

use pando_pci::{Decoded, Region, Routing, Window};
use pando_tlp::RequesterId;

pub(crate) use config::Addressee;
pub(crate) use inside::FunctionState;
pub(crate) use upward::{Arrival, Refusal};

use crate::map::{Claimant, Entry, Map};
use crate::span::{self, Span};
use crate::topology::{BusIndex, DeviceIndex, PortIndex, ROOT_BUS, Topology};
use crate::verdict::{EgressVector, PortControls};

/// What a port's registers say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PortState {
    /// Memory window; `None` while it passes nothing down.
    pub(crate) memory: Option<Span>,
    /// Prefetchable memory window; `None` while it passes nothing down.
    pub(crate) prefetch: Option<Span>,
    /// Whether requests pass up.
    pub(crate) bus_master: bool,
    pub(crate) ari_forwarding: bool,
    /// Nothing crosses, not even configuration requests: in reset, link down, or not in D0.
    pub(crate) is_cut: bool,
    /// ACS controls and bus numbers.
    pub(crate) controls: PortControls,
}

impl From<Routing> for PortState {
    fn from(of: Routing) -> Self {
        let span = |window: Window| Span::new(window.first.0, window.last.0);
        Self {
            memory: of.memory.and_then(span),
            prefetch: of.prefetch.and_then(span),
            bus_master: of.bus_master,
            ari_forwarding: of.ari_forwarding,
            is_cut: !of.link_active || !of.powered,
            controls: PortControls {
                acs: of.acs,
                egress_vector: EgressVector(of.egress),
                secondary: of.secondary,
                subordinate: of.subordinate,
            },
        }
    }
}

impl PortState {
    /// The addresses it passes down.
    fn windows(&self) -> impl Iterator<Item = Span> {
        [self.memory, self.prefetch].into_iter().flatten()
    }

    /// Whether it passes `address` down; shrinks `same` to the addresses of which the same is true.
    fn passes(&self, address: u64, same: &mut Span) -> bool {
        self.windows().any(|window| same.narrow(window, address))
    }
}

/// Who finds that nobody claims a request on its way down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeadEnd {
    /// A port that can't pass it on.
    Port(PortIndex),
    /// The device at the bus below the port, whose function 0 is no port.
    Devices(PortIndex, BusIndex),
}

/// The changing half of what routing depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Registers {
    pub(crate) ports: Vec<PortState>,
    pub(crate) devices: Vec<Vec<Decoded>>,
    /// Of devices beside others.
    pub(crate) functions: Vec<Option<FunctionState>>,
}

/// What the root complex decodes by itself: fixed claims, and the rest, which it passes to the root bus.
#[derive(Clone, Debug, Default)]
pub(crate) struct RootDecode {
    pub(crate) fixed: Vec<Entry>,
    pub(crate) apertures: Vec<Span>,
}

/// The whole.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    pub(crate) topology: Arc<Topology>,
    pub(crate) registers: Registers,
    pub(crate) map: Map,
    /// How many were made before.
    pub(crate) generation: u64,
}

impl Routes {
    pub(crate) fn new(
        topology: Arc<Topology>,
        registers: Registers,
        root: &RootDecode,
        generation: u64,
    ) -> Self {
        let mut entries = root.fixed.clone();
        let claims = Claims { topology: &topology, registers: &registers };
        claims.collect(ROOT_BUS, root.apertures.clone(), &mut entries);
        Self { map: Map::new(entries), topology, registers, generation }
    }

    pub(crate) fn port(&self, index: PortIndex) -> &PortState {
        &self.registers.ports[index.0]
    }

    /// How many bytes of `region` of `device` the map holds.
    pub(crate) fn reachable(&self, device: DeviceIndex, region: Region) -> u64 {
        let claimant = Claimant::Device(device, region);
        let entries = self.map.entries().iter().filter(|entry| entry.claimant == claimant);
        entries.map(|entry| (entry.span.last - entry.span.first).saturating_add(1)).sum()
    }

    /// Who claims `address` among what the port `port` passes down, and the addresses around it of which the same is true.
    pub(crate) fn down(&self, mut port: PortIndex, address: u64) -> Option<Entry> {
        let mut same = Span::ALL;
        loop {
            let state = self.port(port);
            if state.is_cut || !state.passes(address, &mut same) {
                return None;
            }
            let bus = self.topology.bus(self.topology.port(port).below);
            match bus.ports.iter().find(|&&port| self.port(port).passes(address, &mut same)) {
                Some(&next) => port = next,
                None => return self.on_bus(self.topology.port(port).below, address, &mut same),
            }
        }
    }

    /// Where a request that goes down at `port` ends, if [`down`](Self::down) finds nobody.
    pub(crate) fn dead_end(&self, mut port: PortIndex, address: u64) -> DeadEnd {
        loop {
            let state = self.port(port);
            if state.is_cut || !state.passes(address, &mut Span::ALL.clone()) {
                return DeadEnd::Port(port);
            }
            let below = self.topology.port(port).below;
            let bus = self.topology.bus(below);
            let passes =
                |port: &&PortIndex| self.port(**port).passes(address, &mut Span::ALL.clone());
            if let Some(&next) = bus.ports.iter().find(passes) {
                port = next;
                continue;
            }
            let mut upstream = self.topology.upstream_ports(bus);
            return match upstream.find(|&port| self.topology.port(port).function == 0) {
                Some(first) => DeadEnd::Port(first),
                None if bus.devices.is_empty() || self.topology.is_conventional(below) => {
                    DeadEnd::Port(port)
                }
                None => DeadEnd::Devices(port, below),
            };
        }
    }

    /// Which device on `bus` claims `address` with a BAR.
    fn on_bus(&self, bus: BusIndex, address: u64, same: &mut Span) -> Option<Entry> {
        for &device in &self.topology.bus(bus).devices {
            for decoded in &self.registers.devices[device.0] {
                let claimed = Span::sized(decoded.base.0, decoded.len);
                if claimed.is_some_and(|claimed| same.narrow(claimed, address)) {
                    return Some(entry(*same, device, decoded));
                }
            }
        }
        None
    }

    /// The requester id that a request of the function `own` on `bus` carries in the tree: a bridge to conventional PCI takes
    /// requests over, as device 0 function 0 of its secondary bus (PCI Express to PCI/PCI-X bridge specification 1.0, 2.3).
    pub(crate) fn source(&self, bus: BusIndex, own: RequesterId) -> RequesterId {
        let above = self.topology.bus(bus).above.filter(|_| self.topology.is_conventional(bus));
        above.map_or(own, |bridge| RequesterId::new(self.port(bridge).controls.secondary, 0))
    }
}

fn entry(span: Span, device: DeviceIndex, decoded: &Decoded) -> Entry {
    let Decoded { base, region, .. } = *decoded;
    Entry { span, base: base.0, claimant: Claimant::Device(device, region) }
}

/// Collects who claims what, from the root down.
struct Claims<'a> {
    topology: &'a Topology,
    registers: &'a Registers,
}

impl Claims<'_> {
    /// `open` are the addresses that reach `bus`. Who comes first has an address, whether or not it can use it: a window
    /// with nothing behind it hides a later sibling, as two claimants would on a real bus.
    fn collect(&self, bus: BusIndex, mut open: Vec<Span>, entries: &mut Vec<Entry>) {
        let bus = self.topology.bus(bus);
        for &port in &bus.ports {
            let state = &self.registers.ports[port.0];
            let mut below = Vec::new();
            for window in state.windows() {
                below.extend(span::inside(&open, window));
                span::remove(&mut open, window);
            }
            if !below.is_empty() && !state.is_cut {
                self.collect(self.topology.port(port).below, below, entries);
            }
        }
        for &device in &bus.devices {
            for decoded in &self.registers.devices[device.0] {
                let Some(claimed) = Span::sized(decoded.base.0, decoded.len) else { continue };
                entries
                    .extend(span::inside(&open, claimed).map(|span| entry(span, device, decoded)));
                span::remove(&mut open, claimed);
            }
        }
    }
}

/// Where `region` of `device` lies in the map now, as (address, entry) of `offset`; `None` where it can't be reached.
pub(crate) fn address_of(
    routes: &Routes,
    device: DeviceIndex,
    region: Region,
    offset: u64,
) -> Option<u64> {
    let decoded = routes.registers.devices.get(device.0)?;
    let decoded =
        decoded.iter().find(|decoded| decoded.region == region && offset < decoded.len)?;
    let address = decoded.base.0.checked_add(offset)?;
    let entry = routes.map.find(address)?;
    (entry.claimant == Claimant::Device(device, region) && entry.offset(address) == offset)
        .then_some(address)
}

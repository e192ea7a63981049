//! The tree as it is at one moment, for a person or a program to read.

use std::ops::RangeInclusive;

use pando_pci::{ErrorStatus, PortKind, Region};
use pando_tlp::RequesterId;
use serde::Serialize;

use crate::counters::{Counts, PortCounts};
use crate::fabric::Fabric;
use crate::routes::Routes;
use crate::span::Span;
use crate::topology::{BusIndex, DeviceIndex, PortIndex, ROOT_BUS};

/// The whole tree.
#[derive(Clone, Debug, Serialize)]
pub struct FabricReport {
    /// How often what requests are routed by has changed.
    pub generation: u64,
    /// Doorbells that ring events now.
    pub armed_doorbells: usize,
    /// What was counted.
    pub counts: Counts,
    /// Bus 0.
    pub root: BusReport,
}

/// A bus: the root bus, a link, or the inside of a switch.
#[derive(Clone, Debug, Default, Serialize)]
pub struct BusReport {
    /// Ports on it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<PortReport>,
    /// Devices on it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<DeviceReport>,
}

/// A port and what is below it.
#[derive(Clone, Debug, Serialize)]
pub struct PortReport {
    /// Its name in the description.
    pub id: String,
    /// `root`, `upstream`, `downstream`, or `bridge to conventional PCI`.
    pub kind: &'static str,
    /// Its own bus, device and function number.
    pub address: String,
    /// Primary, secondary and subordinate bus number.
    pub buses: [u8; 3],
    /// The memory window, as the guest set it.
    pub memory: Option<String>,
    /// The prefetchable memory window.
    pub prefetch: Option<String>,
    /// Whether requests pass up.
    pub bus_master: bool,
    /// Access control services that are on, with their names in the specification.
    pub access_control: Vec<String>,
    /// Requests that it found wrong.
    pub refused: PortCounts,
    /// Its error registers: a one for each kind of error since software last cleared it.
    pub errors: ErrorStatus,
    /// What is below.
    pub below: BusReport,
}

/// A device.
#[derive(Clone, Debug, Serialize)]
pub struct DeviceReport {
    /// Its name in the description.
    pub id: String,
    /// Functions that answer now, VFs included; empty while it has no bus number.
    pub functions: Vec<String>,
    /// What it decodes, and whether all of it can be reached.
    pub ranges: Vec<RangeReport>,
}

/// A range that a device decodes.
#[derive(Clone, Debug, Serialize)]
pub struct RangeReport {
    /// `BAR 0`, or `VF BAR 0` for those of all VFs.
    pub name: String,
    /// First to last address.
    pub range: String,
    /// Bytes that windows let through.
    pub reachable: u64,
}

impl Fabric {
    /// What the tree looks like now.
    pub fn report(&self) -> FabricReport {
        let routes = self.hub.routes.load_full();
        FabricReport {
            generation: routes.generation,
            armed_doorbells: self.doorbells.len(),
            counts: self.hub.counters.snapshot(),
            root: self.report_bus(&routes, ROOT_BUS, 0..=0),
        }
    }

    /// `numbers` are the bus numbers that lead to the bus.
    fn report_bus(&self, routes: &Routes, bus: BusIndex, numbers: RangeInclusive<u8>) -> BusReport {
        let bus = routes.topology.bus(bus);
        BusReport {
            ports: bus.ports.iter().map(|&port| self.report_port(routes, port)).collect(),
            devices: bus
                .devices
                .iter()
                .map(|&device| self.report_device(routes, device, numbers.clone()))
                .collect(),
        }
    }

    fn report_port(&self, routes: &Routes, index: PortIndex) -> PortReport {
        let port = routes.topology.port(index);
        let state = routes.port(index);
        let bridge = &self.tree.bridges[index.0];
        let controls = &state.controls;
        PortReport {
            id: port.id.clone(),
            kind: kind(port.kind),
            address: bridge.id().to_string(),
            buses: [bridge.primary(), controls.secondary, controls.subordinate],
            memory: state.memory.map(range),
            prefetch: state.prefetch.map(range),
            bus_master: state.bus_master,
            access_control: controls.acs.iter_names().map(|(name, _)| name.to_owned()).collect(),
            refused: self.tree.errors[index.0].snapshot(),
            errors: bridge.error_status(),
            below: self.report_bus(
                routes,
                port.below,
                controls.secondary.max(1)..=controls.subordinate,
            ),
        }
    }

    fn report_device(
        &self,
        routes: &Routes,
        index: DeviceIndex,
        numbers: RangeInclusive<u8>,
    ) -> DeviceReport {
        let device = &self.tree.devices[index.0];
        let ids =
            numbers.flat_map(|bus| (0..=255).map(move |function| RequesterId::new(bus, function)));
        let functions = ids.filter_map(|id| Some((id, device.function(id)?)));
        let ranges = routes.registers.devices[index.0].iter().filter_map(|decoded| {
            let span = Span::sized(decoded.base.0, decoded.len)?;
            let name = match decoded.region {
                Region::Bar(index) => format!("BAR {index}"),
                Region::VfBar(index) => format!("VF BAR {index}"),
            };
            let reachable = routes.reachable(index, decoded.region);
            Some(RangeReport { name, range: range(span), reachable })
        });
        DeviceReport {
            id: self.tree.names[index.0].clone(),
            functions: functions.map(|(id, function)| format!("{id} {function:?}")).collect(),
            ranges: ranges.collect(),
        }
    }
}

fn kind(kind: PortKind) -> &'static str {
    match kind {
        PortKind::RootPort => "root",
        PortKind::Upstream => "upstream",
        PortKind::Downstream => "downstream",
        PortKind::PciBridge => "bridge to conventional PCI",
    }
}

fn range(span: Span) -> String {
    format!("{:#x}-{:#x}", span.first, span.last)
}

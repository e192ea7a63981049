//! Random trees with random registers, made of bytes: few addresses and few buses, so that everything overlaps everything.

use std::sync::Arc;

use arbitrary::{Result, Unstructured};
use pando_pci::{AcsServices, Decoded, PortKind, Region};
use pando_tlp::{Gpa, RequesterId};

use crate::routes::{FunctionState, PortState, Registers, RootDecode, Routes};
use crate::span::Span;
use crate::topology::{Bus, BusIndex, DeviceIndex, Port, PortIndex, ROOT_BUS, Topology};
use crate::verdict::{EgressVector, PortControls};

pub(super) const SPACE: u64 = 64;
pub(super) const BUSES: u8 = 12;

/// A tree at one moment.
pub(super) struct Random {
    pub(super) routes: Routes,
    /// What the root complex passes to the root bus.
    pub(super) open: Vec<Span>,
    /// Who asks, if it matters: of a function here, or of nobody.
    pub(super) requester: RequesterId,
    pub(super) translated: bool,
}

impl Random {
    /// The tree that `bytes` describe; there is one for any bytes.
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self::draw(&mut Unstructured::new(bytes)).unwrap()
    }

    fn draw(u: &mut Unstructured<'_>) -> Result<Self> {
        let (topology, functions) = topology(u)?;
        let ports = (0..topology.ports.len()).map(|_| port_state(u)).collect::<Result<_>>()?;
        let devices = functions.iter().map(|_| decoded(u)).collect::<Result<_>>()?;
        let registers = Registers { ports, devices, functions };
        // Apertures are disjoint.
        let mut open: Vec<Span> = Vec::new();
        for _ in 0..2 {
            let Some(aperture) = window(u)? else { continue };
            crate::span::remove(&mut open, aperture);
            open.push(aperture);
        }
        let root = RootDecode { fixed: Vec::new(), apertures: open.clone() };
        let routes = Routes::new(Arc::new(topology), registers, &root, 0);
        let requester = RequesterId::new(u.int_in_range(0..=BUSES - 1)?, u.int_in_range(0..=2)?);
        Ok(Self { routes, open, requester, translated: u.arbitrary()? })
    }

    /// Buses that a device can be on: not the inside of a switch.
    pub(super) fn links(&self) -> impl Iterator<Item = BusIndex> {
        let topology = &self.routes.topology;
        (0..topology.buses.len()).map(BusIndex).filter(|bus| {
            let above = topology.bus(*bus).above;
            above.is_none_or(|port| topology.port(port).kind != PortKind::Upstream)
        })
    }
}

/// What is put at a free link.
#[derive(Clone, Copy)]
enum Function {
    Device,
    /// An upstream port, with this many downstream ports.
    Switch(u8),
    /// A bridge to conventional PCI, with this many devices.
    Bridge(u8),
}

/// The tree, and what is known of each device that is one of several functions.
fn topology(u: &mut Unstructured<'_>) -> Result<(Topology, Vec<Option<FunctionState>>)> {
    use Function::{Bridge, Device, Switch};
    let mut topology = Topology { buses: vec![Bus::default()], ..Topology::default() };
    topology.root_peer_to_peer = u.arbitrary()?;
    let mut links = Vec::new();
    for root in 1..=u.int_in_range(1..=3)? {
        links.push(add_port(&mut topology, ROOT_BUS, PortKind::RootPort, root << 3, None));
    }
    let mut functions = Vec::new();
    for _ in 0..u.int_in_range(0..=12)? {
        if links.is_empty() {
            break;
        }
        let index = u.choose_index(links.len())?;
        let link = links.swap_remove(index);
        let ports = u.int_in_range(1..=3)?;
        let device: &[Function] = match u.int_in_range(0..=7)? {
            0 | 1 => &[Device],
            2 | 3 => &[Switch(ports)],
            4 => &[Device, Device],
            5 => &[Switch(ports), Device],
            6 => &[Bridge(ports)],
            _ => &[Device, Switch(ports)],
        };
        for (number, function) in (0..).zip(device) {
            let (offered, controls) = function_controls(u)?;
            match *function {
                Device => {
                    topology.buses[link.0].devices.push(DeviceIndex(functions.len()));
                    let state = FunctionState { function: number, offered, controls };
                    functions.push((device.len() > 1).then_some(state));
                }
                Switch(ports) => {
                    let inside = add_port(&mut topology, link, PortKind::Upstream, number, offered);
                    for port in 0..ports {
                        let kind = PortKind::Downstream;
                        links.push(add_port(&mut topology, inside, kind, port << 3, None));
                    }
                }
                Bridge(devices) => {
                    let bus = add_port(&mut topology, link, PortKind::PciBridge, number, None);
                    for _ in 0..devices {
                        topology.buses[bus.0].devices.push(DeviceIndex(functions.len()));
                        functions.push(None);
                    }
                }
            }
        }
    }
    Ok((topology, functions))
}

fn function_controls(u: &mut Unstructured<'_>) -> Result<(Option<AcsServices>, PortControls)> {
    let offered = u.arbitrary::<Option<u16>>()?.map(AcsServices::from_bits_truncate);
    let acs = AcsServices::from_bits_truncate(u.arbitrary()?) & offered.unwrap_or_default();
    let egress_vector = EgressVector([u.arbitrary()?, 0, 0, 0, 0, 0, 0, 0]);
    Ok((offered, PortControls { acs, egress_vector, ..PortControls::default() }))
}

fn add_port(
    topology: &mut Topology,
    bus: BusIndex,
    kind: PortKind,
    function: u8,
    offered: Option<AcsServices>,
) -> BusIndex {
    let below = BusIndex(topology.buses.len());
    let index = PortIndex(topology.ports.len());
    let (id, number) = (String::new(), function >> 3);
    topology.ports.push(Port { id, kind, bus, function, below, number, offered });
    topology.buses.push(Bus { above: Some(index), ..Bus::default() });
    topology.insert(bus, index);
    below
}

fn window(u: &mut Unstructured<'_>) -> Result<Option<Span>> {
    let mut end = || u.int_in_range(0..=SPACE - 1);
    Ok(Span::new(end()?, end()?))
}

fn port_state(u: &mut Unstructured<'_>) -> Result<PortState> {
    let (memory, prefetch) = (window(u)?, window(u)?);
    let bus_master = u.ratio(9, 10)?;
    let (ari_forwarding, is_cut) = (u.arbitrary()?, u.ratio(1, 10)?);
    let acs = AcsServices::from_bits_truncate(u.arbitrary()?);
    let egress_vector = EgressVector([u.arbitrary()?, 0, 0, 0, 0, 0, 0, 0]);
    let mut bus = || u.int_in_range(0..=BUSES - 1);
    let (secondary, subordinate) = (bus()?, bus()?);
    let controls = PortControls { acs, egress_vector, secondary, subordinate };
    Ok(PortState { memory, prefetch, bus_master, ari_forwarding, is_cut, controls })
}

fn decoded(u: &mut Unstructured<'_>) -> Result<Vec<Decoded>> {
    (0..u.int_in_range(0..=2)?)
        .map(|_| {
            let base = Gpa(u.int_in_range(0..=SPACE - 1)?);
            let len = u.int_in_range(1..=SPACE / 2)?;
            let bar = u.int_in_range(0..=5)?;
            let of_vfs = u.ratio(1, 4)?;
            let region = if of_vfs { Region::VfBar(bar) } else { Region::Bar(bar) };
            Ok(Decoded { base, len, region })
        })
        .collect()
}

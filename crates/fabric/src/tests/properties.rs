//! Random trees with random registers against a reference router that asks one bus after the other, one address at a time.

use std::sync::Arc;

use pando_pci::{ConfigKind, Decoded, PortKind, Region};
use pando_tlp::{Gpa, RequesterId};
use proptest::prelude::*;

use crate::map::Claimant;
use crate::routes::{Addressee, Arrival, PortState, Refusal, Registers, RootDecode, Routes};
use crate::span::Span;
use crate::topology::{Bus, BusIndex, DeviceIndex, Port, PortIndex, ROOT_BUS, Topology};
use crate::verdict::{AddressType, EgressVector, PortControls, Request};

/// Addresses are few, so that everything overlaps everything.
pub(super) const SPACE: u64 = 64;
pub(super) const BUSES: u8 = 12;

/// One step of building: at which free link, and how many downstream ports; 0 is a device.
type Step = (usize, u8);

fn topology(roots: u8, steps: &[Step]) -> Topology {
    let mut topology = Topology { buses: vec![Bus::default()], ..Topology::default() };
    let mut links: Vec<_> = (0..roots)
        .map(|number| add_port(&mut topology, ROOT_BUS, PortKind::RootPort, (number + 1) << 3))
        .collect();
    let mut devices = 0;
    for &(at, ports) in steps {
        if links.is_empty() {
            break;
        }
        let link = links.swap_remove(at % links.len());
        if ports == 0 {
            topology.buses[link.0].devices.push(DeviceIndex(devices));
            devices += 1;
            continue;
        }
        let inside = add_port(&mut topology, link, PortKind::Upstream, 0);
        links.extend(
            (0..ports).map(|port| add_port(&mut topology, inside, PortKind::Downstream, port << 3)),
        );
    }
    topology
}

fn add_port(topology: &mut Topology, bus: BusIndex, kind: PortKind, function: u8) -> BusIndex {
    let below = BusIndex(topology.buses.len());
    let index = PortIndex(topology.ports.len());
    topology.ports.push(Port {
        id: String::new(),
        kind,
        bus,
        function,
        below,
        number: function >> 3,
    });
    topology.buses.push(Bus { above: Some(index), ..Bus::default() });
    topology.insert(bus, index);
    below
}

fn window() -> impl Strategy<Value = Option<Span>> {
    (0..SPACE, 0..SPACE).prop_map(|(first, last)| Span::new(first, last))
}

fn port_state() -> impl Strategy<Value = PortState> {
    let flags = (prop::bool::weighted(0.9), any::<bool>(), prop::bool::weighted(0.1));
    let controls = (any::<u16>(), any::<u32>(), 0..BUSES, 0..BUSES);
    (window(), window(), flags, controls).prop_map(|(memory, prefetch, flags, controls)| {
        let (bus_master, ari_forwarding, is_cut) = flags;
        let (acs, vector, secondary, subordinate) = controls;
        let acs = pando_pci::AcsServices::from_bits_truncate(acs);
        let egress_vector = EgressVector([vector, 0, 0, 0, 0, 0, 0, 0]);
        let controls = PortControls { acs, egress_vector, secondary, subordinate };
        PortState { memory, prefetch, bus_master, ari_forwarding, is_cut, controls }
    })
}

fn decoded() -> impl Strategy<Value = Vec<Decoded>> {
    let range = (0..SPACE, 1..SPACE / 2, 0..6_u8);
    let range = range.prop_map(|(base, len, bar)| Decoded {
        base: Gpa(base),
        len,
        region: Region::Bar(bar),
    });
    prop::collection::vec(range, 0..3)
}

prop_compose! {
    pub(super) fn routes()(
        roots in 1..4_u8,
        steps in prop::collection::vec((any::<usize>(), 0..4_u8), 0..12),
        states in prop::collection::vec(port_state(), 48),
        devices in prop::collection::vec(decoded(), 12),
        apertures in prop::collection::vec(window(), 1..3),
        root_peer_to_peer in any::<bool>(),
    ) -> (Routes, Vec<Span>) {
        let mut topology = topology(roots, &steps);
        topology.root_peer_to_peer = root_peer_to_peer;
        let ports = states[..topology.ports.len()].to_vec();
        let registers = Registers { ports, devices, functions: Vec::new() };
        // Apertures are disjoint.
        let mut open: Vec<Span> = Vec::new();
        for aperture in apertures.into_iter().flatten() {
            crate::span::remove(&mut open, aperture);
            open.push(aperture);
        }
        let root = RootDecode { fixed: Vec::new(), apertures: open.clone() };
        (Routes::new(Arc::new(topology), registers, &root, 0), open)
    }
}

/// Who answers on `bus`, address by address: the first that claims it.
fn claimant(routes: &Routes, bus: BusIndex, address: u64) -> Option<(DeviceIndex, Region, u64)> {
    let bus = &routes.topology.buses[bus.0];
    for port in &bus.ports {
        let state = &routes.registers.ports[port.0];
        let within = |window: Option<Span>| window.is_some_and(|window| window.contains(address));
        if within(state.memory) || within(state.prefetch) {
            let below = routes.topology.ports[port.0].below;
            return if state.is_cut { None } else { claimant(routes, below, address) };
        }
    }
    bus.devices.iter().find_map(|device| {
        let ranges = &routes.registers.devices[device.0];
        let hit = ranges.iter().find(|range| {
            let offset = address.checked_sub(range.base.0);
            offset.is_some_and(|offset| offset < range.len)
        })?;
        Some((*device, hit.region, address - hit.base.0))
    })
}

/// Where a configuration request on `bus` ends, in the words of 7.3.3.
fn addressee(
    routes: &Routes,
    bus: BusIndex,
    kind: ConfigKind,
    target: RequesterId,
) -> Option<Addressee> {
    let here = &routes.topology.buses[bus.0];
    for &index in &here.ports {
        let port = &routes.topology.ports[index.0];
        let state = &routes.registers.ports[index.0];
        let (secondary, subordinate) = (state.controls.secondary, state.controls.subordinate);
        if kind == ConfigKind::Type0 {
            if port.function == target.function() {
                return Some(Addressee::Port(index));
            }
        } else if target.bus() == secondary {
            let on_link = port.kind != PortKind::Upstream;
            let device_0 = target.function() < 8;
            if state.is_cut || (on_link && !device_0 && !state.ari_forwarding) {
                return None;
            }
            return addressee(routes, port.below, ConfigKind::Type0, target);
        } else if secondary < target.bus() && target.bus() <= subordinate {
            if state.is_cut {
                return None;
            }
            return addressee(routes, port.below, ConfigKind::Type1, target);
        }
    }
    Some(Addressee::Devices(bus, kind))
}

fn answer(found: Option<&crate::map::Entry>, address: u64) -> Option<(DeviceIndex, Region, u64)> {
    let entry = found?;
    let Claimant::Device(device, region) = entry.claimant else { return None };
    Some((device, region, entry.offset(address)))
}

fn request(bus: u8) -> Request {
    let requester = RequesterId::new(bus, 0);
    Request::Memory { requester, address_type: AddressType::Untranslated }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_map_is_what_asking_bus_by_bus_gives((routes, open) in routes()) {
        for address in 0..SPACE + SPACE / 2 {
            let reaches = open.iter().any(|aperture| aperture.contains(address));
            let expected = claimant(&routes, ROOT_BUS, address).filter(|_| reaches);
            prop_assert_eq!(answer(routes.map.find(address), address), expected, "at {}", address);
        }
    }

    #[test]
    fn going_down_from_a_port_ends_where_asking_bus_by_bus_does((routes, _) in routes()) {
        for (index, port) in routes.topology.ports.iter().enumerate() {
            let state = routes.registers.ports[index];
            for address in 0..SPACE + SPACE / 2 {
                let mut windows = [state.memory, state.prefetch].into_iter().flatten();
                let passes = !state.is_cut && windows.any(|window| window.contains(address));
                let expected = claimant(&routes, port.below, address).filter(|_| passes);
                let found = routes.down(PortIndex(index), address);
                prop_assert_eq!(answer(found.as_ref(), address), expected);
                // All of the run it answers for has the same answer.
                for other in found.iter().flat_map(|entry| entry.span.first..=entry.span.last) {
                    let found = routes.down(PortIndex(index), other);
                    let expected = expected.map(|(device, region, offset)| {
                        (device, region, offset.wrapping_add(other).wrapping_sub(address))
                    });
                    prop_assert_eq!(answer(found.as_ref(), other), expected);
                }
            }
        }
    }

    #[test]
    fn configuration_requests_follow_the_bus_numbers((routes, _) in routes()) {
        for bus in 0..=BUSES {
            for function in [0, 3, 8, 16, 24, 0x85] {
                let target = RequesterId::new(bus, function);
                let kind = if bus == 0 { ConfigKind::Type0 } else { ConfigKind::Type1 };
                prop_assert_eq!(routes.addressee(target), addressee(&routes, ROOT_BUS, kind, target));
            }
        }
    }

    #[test]
    fn a_way_up_holds_for_its_whole_run((routes, _) in routes(), source in 0..BUSES) {
        for bus in (0..routes.topology.buses.len()).map(BusIndex) {
            for address in 0..SPACE {
                let Ok((arrival, span)) = routes.up(bus, request(source), address) else { continue };
                prop_assert!(span.contains(address));
                for other in span.first..=span.last.min(SPACE + 1) {
                    let (again, _) = routes.up(bus, request(source), other).unwrap();
                    prop_assert_eq!(again, arrival);
                }
            }
        }
    }

    #[test]
    fn a_way_up_passes_only_open_ports((routes, _) in routes(), source in 0..BUSES) {
        for bus in (0..routes.topology.buses.len()).map(BusIndex) {
            for address in 0..SPACE {
                let mut above = bus;
                let mut ports = Vec::new();
                while let Some(port) = routes.topology.bus(above).above {
                    ports.push(port);
                    above = routes.topology.port(port).bus;
                }
                let open = |port: &PortIndex| routes.port(*port).bus_master && !routes.port(*port).is_cut;
                match routes.up(bus, request(source), address) {
                    Ok((Arrival::Root, _)) => prop_assert!(ports.iter().all(open)),
                    Ok((Arrival::Peer(peer), _)) => {
                        let level = routes.topology.port(peer).bus;
                        let crossed = ports.iter().find(|port| routes.topology.port(**port).bus == level);
                        let crossed = crossed.copied().unwrap();
                        prop_assert_ne!(crossed, peer);
                        prop_assert!(ports.iter().take_while(|port| **port != crossed).all(open));
                        let state = routes.port(peer);
                        let mut windows = [state.memory, state.prefetch].into_iter().flatten();
                        prop_assert!(windows.any(|window| window.contains(address)));
                    }
                    Err(Refusal::Closed(port)) => prop_assert!(!open(&port)),
                    Ok((Arrival::Inside(_), _)) | Err(_) => {}
                }
            }
        }
    }
}

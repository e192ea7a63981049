//! Random trees with random registers against a reference router that asks one bus after the other, one address at a time.

use pando_fuzz::check;
use pando_pci::{ConfigKind, PortKind, Region};
use pando_tlp::RequesterId;

use super::random::{BUSES, Random, SPACE};
use crate::map::Claimant;
use crate::routes::{Addressee, Arrival, Refusal, Routes};
use crate::span::Span;
use crate::topology::{BusIndex, DeviceIndex, PortIndex, ROOT_BUS};
use crate::verdict::{AddressType, Request};

const RUNS: usize = 120;

#[test]
fn the_map_is_what_asking_bus_by_bus_gives() {
    check(&[], RUNS, |bytes| map(&Random::of(bytes)));
}

#[test]
fn going_down_from_a_port_ends_where_asking_bus_by_bus_does() {
    check(&[], RUNS, |bytes| down(&Random::of(bytes)));
}

#[test]
fn configuration_requests_follow_the_bus_numbers() {
    check(&[], RUNS, |bytes| configuration(&Random::of(bytes)));
}

#[test]
fn a_way_up_holds_for_its_whole_run_and_passes_only_open_ports() {
    check(&[], RUNS, |bytes| up(&Random::of(bytes)));
}

pub(super) fn map(Random { routes, open, .. }: &Random) {
    for address in 0..SPACE + SPACE / 2 {
        let reaches = open.iter().any(|aperture| aperture.contains(address));
        let expected = claimant(routes, ROOT_BUS, address).filter(|_| reaches);
        assert_eq!(answer(routes.map.find(address), address), expected, "at {address}");
    }
}

pub(super) fn down(Random { routes, .. }: &Random) {
    for (index, port) in routes.topology.ports.iter().enumerate() {
        let state = routes.registers.ports[index];
        for address in 0..SPACE + SPACE / 2 {
            let mut windows = [state.memory, state.prefetch].into_iter().flatten();
            let passes = !state.is_cut && windows.any(|window| window.contains(address));
            let expected = claimant(routes, port.below, address).filter(|_| passes);
            let found = routes.down(PortIndex(index), address);
            assert_eq!(answer(found.as_ref(), address), expected);
            // All of the run it answers for has the same answer.
            for other in found.iter().flat_map(|entry| entry.span.first..=entry.span.last) {
                let found = routes.down(PortIndex(index), other);
                let expected = expected.map(|(device, region, offset)| {
                    (device, region, offset.wrapping_add(other).wrapping_sub(address))
                });
                assert_eq!(answer(found.as_ref(), other), expected);
            }
        }
    }
}

pub(super) fn configuration(Random { routes, .. }: &Random) {
    for bus in 0..=BUSES {
        for function in [0, 1, 3, 8, 16, 24, 0x85] {
            let target = RequesterId::new(bus, function);
            let kind = if bus == 0 { ConfigKind::Type0 } else { ConfigKind::Type1 };
            assert_eq!(routes.addressee(target), addressee(routes, ROOT_BUS, kind, target));
        }
    }
}

pub(super) fn up(Random { routes, requester, .. }: &Random) {
    let address_type = AddressType::Untranslated;
    let request = Request::Memory { requester: *requester, address_type };
    for bus in (0..routes.topology.buses.len()).map(BusIndex) {
        for address in 0..SPACE {
            let found = routes.up(bus, request, address);
            only_open_ports(routes, bus, address, found);
            let Ok((arrival, span)) = found else { continue };
            assert!(span.contains(address));
            for other in span.first..=span.last.min(SPACE + 1) {
                let (again, _) = routes.up(bus, request, other).unwrap();
                assert!(is_same(arrival, again), "{arrival:?} {again:?}");
            }
        }
    }
}

/// Runs that meet at a window's end need not be equal; who is meant is.
fn is_same(one: Arrival, other: Arrival) -> bool {
    match (one, other) {
        (Arrival::Inside(one), Arrival::Inside(other)) => one.claimant == other.claimant,
        (one, other) => one == other,
    }
}

fn only_open_ports(
    routes: &Routes,
    bus: BusIndex,
    address: u64,
    found: Result<(Arrival, Span), Refusal>,
) {
    let mut above = bus;
    let mut ports = Vec::new();
    while let Some(port) = routes.topology.bus(above).above {
        ports.push(port);
        above = routes.topology.port(port).bus;
    }
    let open = |port: &PortIndex| routes.port(*port).bus_master && !routes.port(*port).is_cut;
    match found {
        Ok((Arrival::Root, _)) => assert!(ports.iter().all(open)),
        Ok((Arrival::Peer(peer), _)) => {
            let level = routes.topology.port(peer).bus;
            // From one function to another of the same device no port is crossed.
            let turn = ports.iter().position(|port| routes.topology.port(*port).bus == level);
            let crossed = if level == bus { &[][..] } else { &ports[..=turn.unwrap()] };
            assert!(crossed.iter().all(open) && !crossed.contains(&peer));
            let state = routes.port(peer);
            let mut windows = [state.memory, state.prefetch].into_iter().flatten();
            assert!(windows.any(|window| window.contains(address)));
        }
        Err(Refusal::Closed(port)) => assert!(!open(&port)),
        Ok((Arrival::Inside(_), _)) | Err(_) => {}
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
            let on_link = !matches!(port.kind, PortKind::Upstream | PortKind::PciBridge);
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

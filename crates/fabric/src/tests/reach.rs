//! Who reaches what: random trees with random bridge and access control programming against a packet that is carried by hand,
//! one port at a time, by the words of the specification and not by the functions under test (PCI Express base 6.0, 6.12).

use std::sync::Arc;

use pando_fuzz::check;
use pando_pci::{AcsServices, PortKind, Region};
use pando_tlp::RequesterId;

use super::random::{BUSES, Random, SPACE};
use crate::map::Claimant;
use crate::routes::{Arrival, FunctionState, PortState, Refusal, Routes};
use crate::topology::{BusIndex, DeviceIndex, PortIndex};
use crate::verdict::{AddressType, PortControls, Request};

const RUNS: usize = 150;

#[test]
fn a_request_ends_where_carrying_it_by_hand_does() {
    check(&[], RUNS, |bytes| requests(&Random::of(bytes)));
}

#[test]
fn a_completion_arrives_if_carrying_it_by_hand_does() {
    check(&[], RUNS, |bytes| completions(&Random::of(bytes)));
}

#[test]
fn full_access_control_leaves_no_way_around_the_root_complex() {
    check(&[], RUNS, |bytes| isolation(Random::of(bytes)));
}

/// What is carried.
#[derive(Clone, Copy, Debug)]
enum Packet {
    Write {
        from: RequesterId,
        to: u64,
        translated: bool,
    },
    /// For a function on the bus `home`.
    Completion {
        to: RequesterId,
        home: BusIndex,
    },
}

/// Where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Root,
    Function(DeviceIndex),
    Down(PortIndex),
    Closed(PortIndex),
    Nobody(PortIndex),
    Forbidden(PortIndex),
    ForbiddenBy(DeviceIndex),
}

/// A function of a device that has several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    Device(DeviceIndex),
    Upstream(PortIndex),
}

/// What the port where it comes in does with it.
enum Step {
    Up { although_it_is_below: bool },
    Across(PortIndex),
    Nobody,
    Forbidden,
}

/// Whether the packet's address or bus number lies behind the port.
fn is_behind(state: &PortState, packet: Packet) -> bool {
    match packet {
        Packet::Write { to, .. } => [state.memory, state.prefetch]
            .iter()
            .flatten()
            .any(|window| window.first <= to && to <= window.last),
        Packet::Completion { to, .. } => {
            state.controls.secondary <= to.bus() && to.bus() <= state.controls.subordinate
        }
    }
}

fn on(controls: &PortControls, bit: u32) -> bool {
    controls.acs.bits() >> bit & 1 == 1
}

/// The two tables, from the first check to the last.
fn step(routes: &Routes, port: PortIndex, packet: Packet) -> Step {
    let (state, here) = (routes.port(port), routes.topology.port(port));
    let controls = &state.controls;
    let behind = routes.topology.bus(here.bus).ports.iter().copied();
    let claimant = behind.into_iter().find(|&other| is_behind(routes.port(other), packet));
    if let Packet::Write { from, translated, .. } = packet {
        let known = controls.secondary <= from.bus() && from.bus() <= controls.subordinate;
        if on(controls, 1) && translated || on(controls, 0) && !known {
            return Step::Forbidden;
        }
    }
    let Some(claimant) = claimant else { return Step::Up { although_it_is_below: false } };
    if claimant == port {
        return if on(controls, 4) {
            Step::Up { although_it_is_below: true }
        } else {
            Step::Nobody
        };
    }
    let listed = controls.egress_vector.contains(routes.topology.port(claimant).number);
    let across = match packet {
        Packet::Completion { .. } => !on(controls, 3),
        Packet::Write { translated: true, .. } if on(controls, 6) => true,
        Packet::Write { .. } if on(controls, 5) && !listed => true,
        Packet::Write { .. } if on(controls, 5) && !on(controls, 2) => return Step::Forbidden,
        Packet::Write { .. } => !on(controls, 2),
    };
    let root = here.kind == PortKind::RootPort;
    match across {
        false => Step::Up { although_it_is_below: true },
        true if root && !routes.topology.root_peer_to_peer => Step::Nobody,
        true => Step::Across(claimant),
    }
}

/// Carries it from the function `sender`, or from one without peers, on `bus`.
fn carry(routes: &Routes, bus: BusIndex, sender: Option<Function>, packet: Packet) -> End {
    if let Some(end) = sender.and_then(|sender| across_device(routes, bus, sender, packet)) {
        return end;
    }
    let Some(port) = routes.topology.bus(bus).above else { return End::Root };
    let (state, here) = (routes.port(port), routes.topology.port(port));
    if here.kind == PortKind::PciBridge {
        return over_bridge(routes, bus, packet);
    }
    let is_request = matches!(packet, Packet::Write { .. });
    if state.is_cut || is_request && !state.bus_master {
        return End::Closed(port);
    }
    match step(routes, port, packet) {
        Step::Forbidden => End::Forbidden(port),
        Step::Nobody => End::Nobody(port),
        Step::Across(peer) => End::Down(peer),
        Step::Up { .. } if here.kind == PortKind::RootPort => End::Root,
        Step::Up { although_it_is_below } => {
            out_of_switch(routes, here.bus, packet, although_it_is_below)
        }
    }
}

/// From a bus of conventional PCI: its bridge takes what no device there does.
fn over_bridge(routes: &Routes, bus: BusIndex, packet: Packet) -> End {
    if let Packet::Write { to, .. } = packet {
        for &device in &routes.topology.bus(bus).devices {
            let mut ranges = routes.registers.devices[device.0].iter();
            if ranges.any(|range| range.base.0 <= to && to - range.base.0 < range.len) {
                return End::Function(device);
            }
        }
    }
    out_of_switch(routes, bus, packet, false)
}

/// Through the upstream port of the switch whose inside is `inside`.
fn out_of_switch(routes: &Routes, inside: BusIndex, packet: Packet, redirected: bool) -> End {
    let Some(port) = routes.topology.bus(inside).above else { return End::Root };
    let (state, here) = (routes.port(port), routes.topology.port(port));
    let is_request = matches!(packet, Packet::Write { .. });
    if state.is_cut || is_request && !state.bus_master {
        return End::Closed(port);
    }
    if is_behind(state, packet) && !redirected {
        return End::Nobody(port);
    }
    carry(routes, here.bus, Some(Function::Upstream(port)), packet)
}

/// What a function's own access control does with what a peer inside the device claims.
fn across_device(routes: &Routes, bus: BusIndex, sender: Function, packet: Packet) -> Option<End> {
    let functions = functions(routes, bus);
    let (_, own) = functions.iter().find(|(function, _)| *function == sender)?;
    let peers = functions.iter().filter(|(function, _)| *function != sender);
    let (end, peer) = peers.into_iter().find_map(|(function, state)| {
        Some((taken_by(routes, bus, *function, state, packet)?, state))
    })?;
    let controls = &own.controls;
    let has_way = own.offered.is_none_or(|offered| offered.bits() & (1 << 2 | 1 << 5) != 0);
    let listed = controls.egress_vector.contains(peer.function);
    match packet {
        _ if !has_way => None,
        Packet::Completion { .. } => (!on(controls, 3)).then_some(end),
        Packet::Write { translated: true, .. } if on(controls, 6) => Some(end),
        Packet::Write { .. } if on(controls, 5) && !listed => Some(end),
        Packet::Write { .. } if on(controls, 5) && !on(controls, 2) => Some(match sender {
            Function::Device(device) => End::ForbiddenBy(device),
            Function::Upstream(port) => End::Forbidden(port),
        }),
        Packet::Write { .. } => (!on(controls, 2)).then_some(end),
    }
}

/// Where the packet ends if this function of the device takes it.
fn taken_by(
    routes: &Routes,
    bus: BusIndex,
    function: Function,
    state: &FunctionState,
    packet: Packet,
) -> Option<End> {
    match (function, packet) {
        (Function::Upstream(port), _) => {
            is_behind(routes.port(port), packet).then_some(End::Down(port))
        }
        (Function::Device(device), Packet::Write { to, .. }) => {
            let mut bars = routes.registers.devices[device.0].iter();
            let hit = bars.any(|bar| {
                let inside = bar.base.0 <= to && to - bar.base.0 < bar.len;
                matches!(bar.region, Region::Bar(_)) && inside
            });
            hit.then_some(End::Function(device))
        }
        (Function::Device(device), Packet::Completion { to, home }) => {
            (bus == home && to.function() == state.function).then_some(End::Function(device))
        }
    }
}

/// The functions on a link, if there are several.
fn functions(routes: &Routes, bus: BusIndex) -> Vec<(Function, FunctionState)> {
    let here = routes.topology.bus(bus);
    let upstream = here.ports.iter().map(|&port| {
        let (wired, controls) = (routes.topology.port(port), routes.port(port).controls);
        let offered = wired.offered;
        let state = FunctionState { function: wired.function, offered, controls };
        (wired.kind == PortKind::Upstream).then_some((Function::Upstream(port), state))
    });
    let devices = here
        .devices
        .iter()
        .map(|&device| Some((Function::Device(device), routes.registers.functions[device.0]?)));
    let all: Vec<_> = upstream.chain(devices).flatten().collect();
    if all.len() > 1 { all } else { Vec::new() }
}

/// Who on `bus` has this id.
fn sender(routes: &Routes, bus: BusIndex, id: RequesterId) -> Option<Function> {
    let above = routes.topology.bus(bus).above?;
    let is_bus = routes.port(above).controls.secondary == id.bus();
    let is_sender = |(function, state): &(Function, FunctionState)| {
        matches!(function, Function::Device(_)) && is_bus && state.function == id.function()
    };
    functions(routes, bus).into_iter().find(is_sender).map(|(function, _)| function)
}

fn found(routes: &Routes, bus: BusIndex, from: RequesterId, to: u64, translated: bool) -> End {
    let address_type = if translated { AddressType::Translated } else { AddressType::Untranslated };
    match routes.up(bus, Request::Memory { requester: from, address_type }, to) {
        Ok((Arrival::Root, _)) => End::Root,
        Ok((Arrival::Peer(port), _)) => End::Down(port),
        Ok((Arrival::Inside(entry), _)) => match entry.claimant {
            Claimant::Device(device, _) => End::Function(device),
            other => panic!("{other:?}"),
        },
        Err(Refusal::Closed(port)) => End::Closed(port),
        Err(Refusal::UnsupportedRequest(port)) => End::Nobody(port),
        Err(Refusal::Violation(port)) => End::Forbidden(port),
        Err(Refusal::ViolationInside(device)) => End::ForbiddenBy(device),
        Err(Refusal::Nowhere) => panic!("the tree has this bus"),
    }
}

pub(super) fn requests(random: &Random) {
    let Random { routes, requester: from, translated, .. } = random;
    let (from, translated) = (*from, *translated);
    for bus in random.links() {
        for to in 0..SPACE + 2 {
            let packet = Packet::Write { from, to, translated };
            let expected = carry(routes, bus, sender(routes, bus, from), packet);
            assert_eq!(found(routes, bus, from, to, translated), expected, "{bus:?} {packet:?}");
        }
    }
}

pub(super) fn completions(random: &Random) {
    let routes = &random.routes;
    let links: Vec<_> = random.links().collect();
    for &bus in &links {
        for &completer in &routes.topology.bus(bus).devices {
            for (number, home) in (0..BUSES).zip(links.iter().copied().cycle()) {
                let to = RequesterId::new(number, random.requester.function());
                let packet = Packet::Completion { to, home };
                let expected = carry(routes, bus, Some(Function::Device(completer)), packet);
                let expected = match expected {
                    End::Closed(port) | End::Nobody(port) | End::Forbidden(port) => Err(port),
                    End::Root | End::Down(_) | End::Function(_) | End::ForbiddenBy(_) => Ok(()),
                };
                assert_eq!(routes.completion(bus, completer, (to, home)), expected, "{packet:?}");
            }
        }
    }
}

/// Where access control is on all the way, nobody reaches a peer without the root complex.
pub(super) fn isolation(mut random: Random) {
    let all = AcsServices::SOURCE_VALIDATION
        | AcsServices::REQUEST_REDIRECT
        | AcsServices::COMPLETION_REDIRECT
        | AcsServices::UPSTREAM_FORWARDING;
    let routes = &mut random.routes;
    for port in &mut Arc::make_mut(&mut routes.topology).ports {
        port.offered = Some(all);
    }
    for port in &mut routes.registers.ports {
        port.controls.acs = all;
    }
    for function in routes.registers.functions.iter_mut().flatten() {
        (function.offered, function.controls.acs) = (Some(all), all);
    }
    for bus in random.links() {
        for to in 0..SPACE {
            let end = found(&random.routes, bus, random.requester, to, false);
            let is_peer = matches!(end, End::Down(_) | End::Function(_));
            assert!(!is_peer || random.routes.topology.is_conventional(bus), "{end:?}");
        }
    }
}

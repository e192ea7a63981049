//! Who reaches what: random trees with random bridge and access control programming against a packet that is carried by hand,
//! one port at a time, by the words of the specification and not by the functions under test (PCI Express base 6.0, 6.12).

use pando_pci::{AcsServices, PortKind};
use pando_tlp::RequesterId;
use proptest::prelude::*;

use super::properties::{BUSES, SPACE, routes};
use crate::routes::{Arrival, PortState, Refusal, Routes};
use crate::topology::{BusIndex, PortIndex};
use crate::verdict::{AddressType, Request};

/// What is carried.
#[derive(Clone, Copy, Debug)]
enum Packet {
    Write { from: u8, to: u64, translated: bool },
    Completion { to: u8 },
}

/// Where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Root,
    Down(PortIndex),
    Closed(PortIndex),
    Nobody(PortIndex),
    Forbidden(PortIndex),
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
        Packet::Completion { to } => {
            state.controls.secondary <= to && to <= state.controls.subordinate
        }
    }
}

fn on(state: &PortState, bit: u32) -> bool {
    let bits: AcsServices = state.controls.acs;
    bits.bits() >> bit & 1 == 1
}

/// The two tables, from the first check to the last.
fn step(routes: &Routes, port: PortIndex, packet: Packet) -> Step {
    let (state, here) = (routes.port(port), routes.topology.port(port));
    let behind = routes.topology.bus(here.bus).ports.iter().copied();
    let claimant = behind.into_iter().find(|&other| is_behind(routes.port(other), packet));
    if let Packet::Write { from, translated, .. } = packet {
        let known = state.controls.secondary <= from && from <= state.controls.subordinate;
        if on(state, 1) && translated || on(state, 0) && !known {
            return Step::Forbidden;
        }
    }
    let Some(claimant) = claimant else { return Step::Up { although_it_is_below: false } };
    if claimant == port {
        return if on(state, 4) { Step::Up { although_it_is_below: true } } else { Step::Nobody };
    }
    let listed = state.controls.egress_vector.contains(routes.topology.port(claimant).number);
    let across = match packet {
        Packet::Completion { .. } => !on(state, 3),
        Packet::Write { translated: true, .. } if on(state, 6) => true,
        Packet::Write { .. } if on(state, 5) && !listed => true,
        Packet::Write { .. } if on(state, 5) && !on(state, 2) => return Step::Forbidden,
        Packet::Write { .. } => !on(state, 2),
    };
    let root = here.kind == PortKind::RootPort;
    match across {
        false => Step::Up { although_it_is_below: true },
        true if root && !routes.topology.root_peer_to_peer => Step::Nobody,
        true => Step::Across(claimant),
    }
}

/// Carries it from a device on `bus`.
fn carry(routes: &Routes, bus: BusIndex, packet: Packet) -> End {
    let Some(port) = routes.topology.bus(bus).above else { return End::Root };
    let (state, here) = (routes.port(port), routes.topology.port(port));
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
    carry(routes, here.bus, packet)
}

fn found(routes: &Routes, bus: BusIndex, packet: Packet) -> End {
    let (from, to, translated) = match packet {
        Packet::Write { from, to, translated } => (from, to, translated),
        Packet::Completion { to } => {
            return match routes.completion(bus, RequesterId::new(to, 0)) {
                Ok(()) => End::Root, // or downwards: either way it arrives
                Err(port) => End::Nobody(port),
            };
        }
    };
    let address_type = if translated { AddressType::Translated } else { AddressType::Untranslated };
    let request = Request::Memory { requester: RequesterId::new(from, 0), address_type };
    match routes.up(bus, request, to) {
        Ok((Arrival::Root, _)) => End::Root,
        Ok((Arrival::Peer(port), _)) => End::Down(port),
        Ok((Arrival::Inside(_), _)) => panic!("no device here has several functions"),
        Err(Refusal::Closed(port)) => End::Closed(port),
        Err(Refusal::UnsupportedRequest(port)) => End::Nobody(port),
        Err(Refusal::Violation(port)) => End::Forbidden(port),
        Err(refusal) => panic!("{refusal:?}"),
    }
}

/// Buses that a device can be on: not the inside of a switch.
fn links(routes: &Routes) -> impl Iterator<Item = BusIndex> {
    (0..routes.topology.buses.len()).map(BusIndex).filter(|bus| {
        let above = routes.topology.bus(*bus).above;
        above.is_none_or(|port| routes.topology.port(port).kind != PortKind::Upstream)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_request_ends_where_carrying_it_by_hand_does(
        (routes, _) in routes(),
        from in 0..BUSES,
        translated in any::<bool>(),
    ) {
        for bus in links(&routes) {
            for to in 0..SPACE + 2 {
                let packet = Packet::Write { from, to, translated };
                prop_assert_eq!(found(&routes, bus, packet), carry(&routes, bus, packet));
            }
        }
    }

    #[test]
    fn a_completion_arrives_if_carrying_it_by_hand_does((routes, _) in routes()) {
        for bus in links(&routes) {
            for to in 0..BUSES {
                let packet = Packet::Completion { to };
                let expected = match carry(&routes, bus, packet) {
                    End::Down(_) => End::Root,
                    End::Closed(port) => End::Nobody(port),
                    end => end,
                };
                prop_assert_eq!(found(&routes, bus, packet), expected);
            }
        }
    }

    /// Where access control is on all the way, nobody reaches a peer without the root complex.
    #[test]
    fn full_access_control_leaves_no_way_around_the_root_complex(
        (mut routes, _) in routes(),
        from in 0..BUSES,
    ) {
        for port in &mut routes.registers.ports {
            port.controls.acs = AcsServices::SOURCE_VALIDATION
                | AcsServices::REQUEST_REDIRECT
                | AcsServices::COMPLETION_REDIRECT
                | AcsServices::UPSTREAM_FORWARDING;
        }
        for bus in links(&routes) {
            for to in 0..SPACE {
                let end = found(&routes, bus, Packet::Write { from, to, translated: false });
                prop_assert!(!matches!(end, End::Down(_)));
            }
        }
    }
}

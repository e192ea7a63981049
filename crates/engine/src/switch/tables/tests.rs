use proptest::prelude::*;

use super::*;
use crate::switch::HashFilter;
use crate::{Batch, Offload, VlanSet};

fn entry(kind: PortKind, filter: Filter) -> Entry {
    let filter = Arc::new(filter);
    Entry { kind, filter, policy: None, cells: Cells::Spread(Vec::new()), capture: None }
}

fn tables(filters: &[Filter], uplink: bool) -> Tables {
    let mut ports: Vec<_> =
        filters.iter().map(|filter| entry(PortKind::Function, filter.clone())).collect();
    if uplink {
        let filter = Filter { link_up: true, ..Filter::default() };
        ports.push(entry(PortKind::Uplink, filter));
    }
    Tables::new(ports, Vec::new())
}

fn frame(destination: MacAddress, vlan: Option<u16>) -> Vec<u8> {
    let mut bytes = destination.0.to_vec();
    bytes.extend([2, 0, 0, 0, 0, 99]);
    if let Some(vlan) = vlan {
        bytes.extend([0x81, 0]);
        bytes.extend(vlan.to_be_bytes());
    }
    bytes.extend([0x88, 0xb5, 0, 0]);
    bytes
}

/// Which ports get a frame, the owner first.
fn route(
    tables: &Tables,
    from: u16,
    destination: MacAddress,
    vlan: Option<u16>,
) -> (Vec<(u16, bool)>, Result<(), DropReason>) {
    let mut bytes = frame(destination, vlan);
    let mut batch = Batch::new();
    batch.push(&[vm_memory::VolatileSlice::from(&mut bytes[..])], Offload::default());
    let mut ports = Vec::new();
    let sent = tables.route(from, &batch.frame(0), |port, owner| ports.push((port, owner)));
    (ports, sent)
}

fn mac(last: u8) -> MacAddress {
    MacAddress([2, 0, 0, 0, 0, last])
}

fn group(last: u8) -> MacAddress {
    MacAddress([1, 0, 0x5e, 0, 0, last])
}

fn function(last: u8) -> Filter {
    Filter { link_up: true, unicast: vec![mac(last)], broadcast: true, ..Filter::default() }
}

const UPLINK: u16 = 3;

/// Ports 0 to 2 are functions with addresses 0 to 2, port 3 is the uplink.
fn three() -> Tables {
    tables(&[function(0), function(1), function(2)], true)
}

#[test]
fn unicast_goes_to_its_owner_only() {
    assert_eq!(route(&three(), 0, mac(1), None), (vec![(1, true)], Ok(())));
    assert_eq!(route(&three(), UPLINK, mac(2), None), (vec![(2, true)], Ok(())));
}

#[test]
fn unknown_unicast_goes_to_the_uplink_but_not_back() {
    assert_eq!(route(&three(), 0, mac(9), None), (vec![(UPLINK, true)], Ok(())));
    let none = (vec![], Err(DropReason::NoDestination));
    assert_eq!(route(&three(), UPLINK, mac(9), None), none);
    assert_eq!(route(&tables(&[function(0)], false), 0, mac(9), None), none);
}

#[test]
fn broadcast_goes_to_everyone_but_the_sender() {
    let all = |ports: &[u16]| (ports.iter().map(|port| (*port, false)).collect(), Ok(()));
    assert_eq!(route(&three(), 1, MacAddress::BROADCAST, None), all(&[0, 2, UPLINK]));
    assert_eq!(route(&three(), UPLINK, MacAddress::BROADCAST, None), all(&[0, 1, 2]));
}

#[test]
fn groups_go_to_members_and_to_who_wants_all_each_once() {
    let mut filters = [function(0), function(1), function(2)];
    filters[0].multicast = vec![group(1), group(1), group(2)];
    filters[1].multicast = vec![group(1)];
    filters[1].all_multicast = true;
    let tables = tables(&filters, false);
    let ports = |from, to| route(&tables, from, to, None).0;
    assert_eq!(ports(2, group(1)), [(0, false), (1, false)]);
    assert_eq!(ports(2, group(2)), [(0, false), (1, false)]);
    assert_eq!(ports(2, group(3)), [(1, false)]);
    assert_eq!(ports(1, group(3)), []);
}

#[test]
fn a_frame_to_ones_own_address_stays_and_goes_nowhere() {
    assert_eq!(route(&three(), 0, mac(0), None), (vec![], Err(DropReason::OwnAddress)));
}

#[test]
fn a_promiscuous_port_sees_the_segment() {
    let mut filters = [function(0), function(1), function(2)];
    filters[0].promiscuous = true;
    let tables = tables(&filters, true);
    let ports = |from, to| route(&tables, from, mac(to), None).0;
    assert_eq!(ports(1, 2), [(2, true), (0, false)]);
    assert_eq!(ports(1, 0), [(0, true)], "once");
    assert_eq!(ports(1, 9), [(UPLINK, true), (0, false)]);
    assert_eq!(ports(UPLINK, 9), [(0, true)]);
    assert_eq!(ports(0, 9), [(UPLINK, true)], "not its own");
    assert_eq!(ports(1, 1), [(0, true)], "even what its sender owns");
}

#[test]
fn vlans_narrow_what_a_port_gets() {
    let mut filters = [function(0), function(1), function(2)];
    let mut vlans = VlanSet::new();
    vlans.insert(Vlan(5));
    filters[1].vlans = Some(vlans);
    filters[1].tagged_only = true;
    filters[2].vlans = Some(VlanSet::new());
    let tables = tables(&filters, true);
    let ports = |to, vlan| route(&tables, 0, mac(to), vlan).0;
    assert_eq!(ports(1, Some(5)), [(1, true)]);
    assert_eq!(ports(1, Some(0x2005)), [(1, true)], "the priority is no part of the id");
    assert_eq!(ports(1, Some(6)), [(UPLINK, true)], "no match here, so it may be outside");
    assert_eq!(ports(1, None), [(UPLINK, true)]);
    assert_eq!(ports(1, Some(0)), [(UPLINK, true)], "a priority tag is untagged");
    assert_eq!(ports(2, None), [(2, true)]);
    assert_eq!(ports(2, Some(5)), [(UPLINK, true)]);
}

#[test]
fn a_port_without_link_gets_nothing_and_keeps_its_address() {
    let mut filters = [function(0), function(1)];
    filters[1].link_up = false;
    let tables = tables(&filters, true);
    assert_eq!(route(&tables, 0, mac(1), None), (vec![], Err(DropReason::LinkDown)));
    assert_eq!(route(&tables, 0, MacAddress::BROADCAST, None).0, [(2, false)]);
}

/// The rules, one port at a time, without tables.
fn naive(
    filters: &[Filter],
    uplink: bool,
    from: u16,
    destination: MacAddress,
    vlan: Option<u16>,
) -> Vec<u16> {
    let vlan = vlan.map(|tag| tag & 0xfff).filter(|id| *id != 0);
    let admits = |filter: &Filter| match vlan {
        None => !filter.tagged_only,
        Some(id) => filter.vlans.as_ref().is_none_or(|vlans| vlans.contains(Vlan(id))),
    };
    let is_owner = |filter: &Filter| filter.unicast.contains(&destination) && admits(filter);
    let wants = |filter: &Filter| {
        if destination == MacAddress::BROADCAST {
            filter.broadcast
        } else if destination.is_multicast() {
            filter.all_multicast || filter.multicast.contains(&destination)
        } else {
            filter.promiscuous || filter.unicast.contains(&destination)
        }
    };
    let mut ports: Vec<u16> = (0u16..)
        .zip(filters)
        .filter(|(port, filter)| *port != from && filter.link_up && admits(filter) && wants(filter))
        .map(|(port, _)| port)
        .collect();
    let sender_is_function = usize::from(from) < filters.len();
    let stays = !destination.is_multicast() && filters.iter().any(is_owner);
    if uplink && sender_is_function && !stays {
        ports.push(filters.len() as u16);
    }
    ports
}

fn any_filter() -> impl Strategy<Value = Filter> {
    let vlans = proptest::option::of(proptest::collection::vec(0u16..4, 0..3));
    let unicast = proptest::collection::vec(0u8..6, 0..3);
    let multicast = proptest::collection::vec(0u8..4, 0..3);
    (any::<[bool; 4]>(), any::<bool>(), vlans, unicast, multicast).prop_map(
        |(modes, tagged_only, vlans, unicast, multicast)| Filter {
            link_up: modes[0] || modes[1],
            unicast: unicast.into_iter().map(mac).collect(),
            multicast: multicast.into_iter().map(group).collect(),
            broadcast: modes[1],
            all_multicast: modes[2] && modes[0],
            promiscuous: modes[3] && modes[0],
            vlans: vlans.map(|ids| {
                let mut vlans = VlanSet::new();
                ids.into_iter().for_each(|id| vlans.insert(Vlan(id)));
                vlans
            }),
            tagged_only,
            ..Filter::default()
        },
    )
}

proptest! {
    #[test]
    fn equals_the_naive_switch(
        filters in proptest::collection::vec(any_filter(), 1..8),
        uplink: bool,
        from in 0usize..9,
        destination in 0u8..12,
        vlan in proptest::option::of(0u16..4),
    ) {
        let tables = tables(&filters, uplink);
        let from = (from % tables.len()) as u16;
        let destination = match destination {
            0..6 => mac(destination),
            6..10 => group(destination - 6),
            10 => mac(77),
            _ => MacAddress::BROADCAST,
        };
        let (mut ports, sent) = route(&tables, from, destination, vlan);
        let owners = ports.iter().filter(|(_, owner)| *owner).count();
        let expected_owners = usize::from(!destination.is_multicast() && !ports.is_empty());
        prop_assert_eq!(owners, expected_owners);
        prop_assert_eq!(sent.is_ok(), !ports.is_empty());
        ports.sort();
        let ports: Vec<_> = ports.into_iter().map(|(port, _)| port).collect();
        prop_assert_eq!(ports, naive(&filters, uplink, from, destination, vlan));
    }

    #[test]
    fn the_address_table_finds_what_is_in_it_and_nothing_else(
        addresses in proptest::collection::hash_set(any::<[u8; 6]>(), 0..300),
        others in proptest::collection::vec(any::<[u8; 6]>(), 50),
    ) {
        let entries = addresses.iter().zip(0..).map(|(a, port)| (MacAddress(*a), port)).collect();
        let table = MacTable::new(entries);
        for (address, port) in addresses.iter().zip(0..) {
            prop_assert_eq!(table.get(MacAddress(*address)), &[port]);
        }
        for other in others.iter().filter(|other| !addresses.contains(*other)) {
            prop_assert!(table.get(MacAddress(*other)).is_empty());
        }
    }
}

/// Ports 0 and 1 are on card 1, port 2 on card 2, port 3 is the uplink.
fn two_cards(change: impl FnOnce(&mut [Entry])) -> Tables {
    two_cards_with(change, Vec::new())
}

fn two_cards_with(change: impl FnOnce(&mut [Entry]), mirrors: Vec<Mirror>) -> Tables {
    let mut ports: Vec<_> = [1, 1, 2]
        .into_iter()
        .zip(0..)
        .map(|(group, port)| Entry {
            policy: Some(Arc::new(Policy { group, ..Policy::default() })),
            ..entry(PortKind::Function, function(port))
        })
        .collect();
    ports.push(entry(PortKind::Uplink, Filter { link_up: true, ..Filter::default() }));
    change(&mut ports);
    Tables::new(ports, mirrors)
}

fn filter(entry: &mut Entry) -> &mut Filter {
    Arc::make_mut(&mut entry.filter)
}

#[test]
fn without_local_switching_a_card_talks_through_its_cable() {
    let tables = two_cards(|ports| {
        for port in &mut ports[..2] {
            let policy = Policy { group: 1, isolated: true, ..Policy::default() };
            port.policy = Some(Arc::new(policy));
        }
        filter(&mut ports[1]).promiscuous = true;
    });
    let ports = |from, to| route(&tables, from, to, None).0;
    assert_eq!(ports(0, mac(1)), [(UPLINK, true)]);
    assert_eq!(ports(0, mac(0)), [(UPLINK, true)], "even to itself");
    assert_eq!(ports(0, mac(2)), [(2, true)], "the other card is on the cable");
    assert_eq!(ports(0, MacAddress::BROADCAST), [(2, false), (UPLINK, false)]);
    assert_eq!(ports(2, mac(0)), [(0, true), (1, false)]);
}

#[test]
fn frames_from_outside_that_a_card_has_no_owner_for_go_where_it_wants_them() {
    let tables = two_cards(|ports| filter(&mut ports[1]).unmatched = true);
    let ports = |from, to| route(&tables, from, mac(to), None).0;
    assert_eq!(ports(UPLINK, 9), [(1, true)]);
    assert_eq!(ports(UPLINK, 0), [(0, true)], "it has an owner");
    assert_eq!(ports(UPLINK, 2), [(2, true), (1, false)], "on another card");
    assert_eq!(ports(0, 9), [(UPLINK, true)], "from the card itself");
    assert_eq!(ports(2, 9), [(UPLINK, true), (1, false)]);
}

#[test]
fn hashes_stand_for_addresses() {
    let hash = |address: MacAddress| {
        let index = u16::from_le_bytes([address.0[4], address.0[5]]) >> 4;
        let mut bits = [0; 128];
        bits[usize::from(index >> 5)] |= 1 << (index & 31);
        Some(Arc::new(HashFilter::new(bits, 4)))
    };
    let tables = two_cards(|ports| {
        filter(&mut ports[0]).multicast_hash = hash(group(0x42));
        filter(&mut ports[1]).unicast_hash = hash(mac(0x42));
    });
    let ports = |to| route(&tables, UPLINK, to, None).0;
    assert_eq!(ports(group(0x42)), [(0, false)]);
    assert_eq!(ports(group(0x4f)), [], "the last byte counts whole");
    assert_eq!(ports(mac(0x42)), [(1, true)]);
    assert_eq!(ports(mac(0)), [(0, true)], "an owner goes first");
    assert_eq!(ports(MacAddress::BROADCAST).len(), 3, "no group");
}

#[test]
fn loopback_goes_nowhere_else() {
    let tables = two_cards(|ports| {
        let policy = Policy { group: 1, loopback: true, ..Policy::default() };
        ports[0].policy = Some(Arc::new(policy));
    });
    assert_eq!(route(&tables, 0, MacAddress::BROADCAST, None), (vec![(0, true)], Ok(())));
}

#[test]
fn mirrors_show_each_frame_once() {
    let mirror = Mirror {
        group: 1,
        to: 1,
        received_by: vec![0],
        from_outside: false,
        to_uplink: false,
        vlans: None,
    };
    let none = Mirror { received_by: Vec::new(), ..mirror.clone() };
    let case = |mirrors: &[&Mirror], from, to, vlan| {
        let mirrors = mirrors.iter().map(|mirror| (*mirror).clone()).collect();
        route(&two_cards_with(|_| {}, mirrors), from, to, vlan).0
    };
    let received = &[&mirror];
    assert_eq!(case(received, 2, mac(0), None), [(0, true), (1, false)]);
    assert_eq!(case(received, 0, mac(2), None), [(2, true)]);
    assert_eq!(case(received, 2, mac(1), None), [(1, true)], "it has it");
    assert_eq!(case(&[&mirror, &mirror], 2, mac(0), None).len(), 2, "once");
    let outside = Mirror { from_outside: true, ..none.clone() };
    assert_eq!(case(&[&outside], UPLINK, mac(2), None), [(2, true), (1, false)]);
    assert_eq!(case(&[&outside], 0, mac(2), None), [(2, true)]);
    let uplink = Mirror { to_uplink: true, ..none.clone() };
    assert_eq!(case(&[&uplink], 0, mac(9), None), [(UPLINK, true), (1, false)]);
    assert_eq!(case(&[&uplink], 2, mac(9), None), [(UPLINK, true)], "another card's");
    assert_eq!(case(&[&uplink], 1, mac(9), None), [(UPLINK, true)], "its own");
    let mut set = VlanSet::new();
    set.insert(Vlan(5));
    let tagged = Mirror { vlans: Some(set), ..none };
    assert_eq!(case(&[&tagged], 0, mac(2), Some(5)), [(2, true), (1, false)]);
    assert_eq!(case(&[&tagged], 0, mac(2), Some(6)), [(2, true)]);
    let nowhere = Mirror { to: 77, ..tagged.clone() };
    assert_eq!(case(&[&nowhere], 0, mac(2), Some(5)), [(2, true)]);
}

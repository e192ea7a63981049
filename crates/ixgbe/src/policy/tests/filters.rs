//! Filters of pools: hashes, modes, the default pool, replication, mirrors.

use super::*;
use crate::identity::Model;
use crate::policy::pools::Pools;
use crate::storage::Storage;

const GROUP: [u8; 6] = [1, 0, 0x5e, 0, 0x12, 0x34];
const STRANGER: [u8; 6] = [2, 9, 9, 9, 9, 9];

/// Sets the bit of `address` in a hash table, as the driver computes it for type 0.
fn set_hash(machine: &Machine, table: u32, address: [u8; 6]) {
    let hash = u32::from(address[4]) >> 4 | u32::from(address[5]) << 4;
    machine.pf().modify(table + 4 * (hash >> 5 & 0x7f), 0, 1 << (hash & 31));
}

#[test]
fn groups_by_their_hash_and_all_of_them() {
    let machine = Machine::enabled();
    let mut world = World::new(&machine);
    let pf = machine.pf();
    world.send(0, GROUP, 1);
    world.wire.expect(1);
    assert!((1..4).all(|pool| world.is_quiet(pool)));
    set_hash(&machine, MTA, GROUP);
    pf.write(MCSTCTRL, MCSTCTRL_MFE);
    pf.modify(VMOLR + 4 * 2, VMOLR_ROMPE, 0);
    world.send(0, GROUP, 2);
    assert_eq!((world.next(1).0, world.next(PF).0), (2, 2));
    assert!(world.is_quiet(2));
    pf.modify(VMOLR + 4 * 2, 0, VMOLR_MPE);
    world.send(0, [1, 0, 0x5e, 9, 9, 9], 3);
    assert_eq!(world.next(2).0, 3);
    assert!(world.is_quiet(1) && world.is_quiet(PF));
}

#[test]
fn unicast_by_its_hash() {
    let machine = Machine::enabled();
    let mut world = World::new(&machine);
    set_hash(&machine, UTA, STRANGER);
    machine.pf().modify(VMOLR + 4, 0, VMOLR_ROPE);
    world.send(0, STRANGER, 1);
    assert_eq!(world.next(1).0, 1);
    assert_eq!(world.wire.expect(1).len(), 1, "it is no exact match");
}

#[test]
fn a_promiscuous_pf_sees_what_comes_for_nobody_but_not_what_vfs_say() {
    let machine = Machine::enabled();
    let mut world = World::new(&machine);
    machine.pf().modify(FCTRL, 0, FCTRL_UPE);
    world.wire.send(&frame(STRANGER, [2, 8, 8, 8, 8, 8], None, 1), Offload::default());
    assert_eq!(world.next(PF).0, 1);
    world.wire.send(&frame(STRANGER, address(1), None, 2), Offload::default());
    assert_eq!(world.next(1).0, 2);
    world.send(0, address(1), 3);
    assert_eq!(world.next(1).0, 3);
    world.send(0, STRANGER, 4);
    world.wire.expect(1);
    assert!(world.is_quiet(PF));
    machine.pf().modify(VT_CTL, 0, VT_CTL_NO_DEFAULT);
    world.wire.send(&frame(STRANGER, [2, 8, 8, 8, 8, 8], None, 5), Offload::default());
    world.wire.send(&frame(STRANGER, address(1), None, 6), Offload::default());
    assert_eq!(world.next(1).0, 6);
    assert!(world.is_quiet(PF));
}

/// Such a bit is reserved in an 82599.
#[test]
fn pools_of_an_x540_can_see_every_address() {
    for (model, sees) in [(Model::CombinedBackplane, false), (Model::BaseT, true)] {
        let storage = Storage::new(model);
        storage.set(VFRE[0], 0b11);
        storage.set(VMOLR, VMOLR_UPE | VMOLR_AUPE);
        let pools = Pools::read(&storage);
        assert_eq!(pools.filter(0b01).promiscuous, sees);
        assert!(!pools.filter(0b10).promiscuous);
    }
}

#[test]
fn without_replication_only_the_default_pool_gets_groups() {
    let machine = Machine::enabled();
    let mut world = World::new(&machine);
    machine.pf().modify(VT_CTL, VT_CTL_REPLICATION, 0);
    world.send(0, BROADCAST, 1);
    assert_eq!(world.next(PF).0, 1);
    assert!(world.is_quiet(1) && world.is_quiet(2));
}

#[test]
fn mirrors_show_what_they_are_told_to() {
    let machine = Machine::enabled();
    let mut world = World::new(&machine);
    let pf = machine.pf();
    // What pool 1 receives, for pool 2.
    pf.write(VMRVM, 0b010);
    pf.write(MRCTL, 1 | 2 << 8);
    world.send(0, address(1), 1);
    assert_eq!((world.next(1).0, world.next(2).0), (1, 1));
    world.send(1, address(0), 2);
    assert_eq!(world.next(0).0, 2);
    assert!(world.is_quiet(2));
    // What goes out, and what comes in, for the PF.
    pf.write(MRCTL, 0b110 | 3 << 8);
    world.send(0, STRANGER, 3);
    assert_eq!(world.next(PF).0, 3);
    world.wire.send(&frame(STRANGER, address(2), None, 4), Offload::default());
    assert_eq!((world.next(2).0, world.next(PF).0), (4, 4));
    world.send(0, address(1), 5);
    assert_eq!(world.next(1).0, 5);
    assert!(world.is_quiet(PF));
    pf.write(MRCTL, 0);
    world.send(0, STRANGER, 6);
    world.wire.expect(2);
    assert!(world.is_quiet(PF));
}

#[test]
fn two_cards_and_the_wire_are_one_segment() {
    let machine = Machine::enabled();
    let mut world = World::new(&machine);
    let (group, port) =
        (machine.switch.group(), machine.switch.port("other", pando_engine::PortKind::Function));
    assert_ne!(group, machine.nic.chip().policies.group());
    let filter = pando_engine::Filter {
        link_up: true,
        unicast: vec![pando_engine::MacAddress(STRANGER)],
        ..Default::default()
    };
    port.set_filter(filter);
    // Without local switching a frame for the other card still finds it.
    machine.pf().write(PFDTXGSWC, 0);
    world.send(0, STRANGER, 1);
    let name = machine.switch.find("nic0.vf0").unwrap();
    eventually("it went to the other card, which has no queue", || {
        name.transmit_counters(0).drops(DropReason::NoQueue) == 1
    });
    assert!(world.wire.take().is_empty());
}

//! What `ip link set PF vf N ...` and its like do to packets: the PF's driver programs pools, VFs send and receive.

mod filters;

use pando_engine::{Accepts, DropReason, Offload};
use pando_pci::FunctionId;

use crate::spec::descriptor::*;
use crate::spec::filter::*;
use crate::spec::general::*;
use crate::spec::queue::*;
use crate::testing::{Machine, PfDriver, ReceiveRing, TransmitRing, Wire, eventually};

const ONE_BUFFER: u32 = 1 << SRRCTL_TYPE_SHIFT | SRRCTL_DROP | 2;
const VFS: u16 = 3;

/// A card with VFs 0 to 2, all their first queues running, the PF in pool 3, and a wire.
struct World<'m> {
    machine: &'m Machine,
    wire: Wire,
    transmit: Vec<TransmitRing<'m>>,
    receive: Vec<ReceiveRing<'m>>,
}

/// Number of the PF among `transmit` and `receive`.
const PF: usize = 3;

fn address(pool: u8) -> [u8; 6] {
    [2, 0, 0, 0, 1, pool]
}

const BROADCAST: [u8; 6] = [0xff; 6];

impl<'m> World<'m> {
    /// As Linux leaves it after `echo 3 > sriov_numvfs` and three VFs brought up.
    fn new(machine: &'m Machine) -> Self {
        let wire = Wire::new(machine, Accepts::empty());
        let mut driver = PfDriver::probe(machine);
        driver.open(VFS);
        machine.set_vfs(VFS);
        let pf = machine.pf();
        for pool in 0..=3u32 {
            let mac = address(pool as u8);
            pf.write(RAL + 8 * pool, u32::from_le_bytes(mac[..4].try_into().unwrap()));
            let high = u32::from_le_bytes([mac[4], mac[5], 0, 0]);
            pf.write(RAL + 8 * pool + 4, RAH_VALID | high);
            pf.write(MPSAR + 8 * pool, 1 << pool);
            pf.write(VMOLR + 4 * pool, VMOLR_AUPE | VMOLR_BAM | VMOLR_ROMPE);
        }
        pf.modify(VFRE[0], 0, 0b111);
        pf.modify(VFTE[0], 0, 0b111);
        // VLAN 0 of all VFs, and anti-spoofing, which is on by default.
        pf.write(VLVFB, 0b1111);
        pf.write(VLVF, VLVF_VALID);
        pf.write(VFTA, 1);
        pf.modify(VLNCTRL, 0, VLNCTRL_VFE);
        pf.write(PFVFSPOOF, 0b111 | 0b111 << 8);
        pf.write(VMECM, 0b111);
        let (mut transmit, mut receive) = (Vec::new(), Vec::new());
        for vf in 0..VFS {
            let registers = machine.vf(vf);
            let place = 2 + 2 * u64::from(vf);
            transmit.push(TransmitRing::new(registers, VF_TRANSMIT, place));
            let strip = STRIP_VLAN;
            receive.push(ReceiveRing::new(registers, VF_RECEIVE, place + 1, 63, ONE_BUFFER, strip));
        }
        let first = 2 * u32::from(VFS);
        transmit.push(TransmitRing::new(pf, TRANSMIT + STRIDE * first, 10));
        let block = RECEIVE_LOW + STRIDE * first;
        receive.push(ReceiveRing::new(pf, block, 11, 63, ONE_BUFFER, STRIP_VLAN));
        Self { machine, wire, transmit, receive }
    }

    /// Sends a frame from `pool` with its own address, numbered.
    fn send(&mut self, pool: usize, to: [u8; 6], number: u8) {
        self.send_as(pool, address(pool as u8), to, number);
    }

    fn send_as(&mut self, pool: usize, from: [u8; 6], to: [u8; 6], number: u8) {
        let frame = frame(from, to, None, number);
        let last = self.transmit[pool].frame(&frame, 0, 0, 1);
        self.transmit[pool].ring();
        self.transmit[pool].wait(last);
    }

    /// Sends with a tag inserted by the card.
    fn send_tagged(&mut self, pool: usize, to: [u8; 6], tag: u32, number: u8) {
        let ring = &mut self.transmit[pool];
        ring.context([14, 0, 0], 0, tag, 0);
        let last = ring.frame(&frame(address(pool as u8), to, None, number), TX_VLE, 0, 1);
        ring.ring();
        ring.wait(last);
    }

    /// The number and the stripped tag of the next frame that `pool` gets.
    #[track_caller]
    fn next(&mut self, pool: usize) -> (u8, u32) {
        let received = self.receive[pool].next();
        (received.bytes[14], received.descriptor[3] >> 16)
    }

    /// Whether `pool` has got nothing more; whatever was sent before is done.
    fn is_quiet(&self, pool: usize) -> bool {
        self.receive[pool].is_quiet()
    }

    fn drops(&self, pool: usize, why: DropReason) -> u64 {
        let name = if pool == PF { "nic0".into() } else { format!("nic0.vf{pool}") };
        let queue = if pool == PF { 2 * VFS } else { 0 };
        self.machine.switch.find(&name).unwrap().transmit_counters(queue).drops(why)
    }
}

fn frame(from: [u8; 6], to: [u8; 6], tag: Option<u16>, number: u8) -> Vec<u8> {
    let mut frame = [to, from].concat();
    if let Some(tag) = tag {
        frame.extend([0x81, 0]);
        frame.extend(tag.to_be_bytes());
    }
    frame.extend([0x88, 0xb5, number]);
    frame.resize(100, number);
    frame
}

#[test]
fn vfs_talk_to_each_other_to_the_pf_and_to_the_wire_and_nobody_listens() {
    let machine = Machine::enabled();
    let mut world = World::new(&machine);
    world.send(0, address(1), 1);
    assert_eq!(world.next(1), (1, 0));
    world.send(1, address(3), 2);
    assert_eq!(world.next(PF), (2, 0));
    world.send(PF, address(2), 3);
    assert_eq!(world.next(2), (3, 0));
    world.send(2, [2, 9, 9, 9, 9, 9], 4);
    assert_eq!(world.wire.expect(1)[0].0[14], 4);
    for (pool, number) in [(0, 5), (PF, 6)] {
        let frame = frame([2, 9, 9, 9, 9, 9], address(pool as u8), None, number);
        world.wire.send(&frame, Offload::default());
        assert_eq!(world.next(pool), (number, 0));
    }
    assert!((0..4).all(|pool| world.is_quiet(pool)) && world.wire.take().is_empty());
    let local = world.receive[1].peek(0)[2] & status::LB;
    let from_wire = world.receive[0].peek(0)[2] & status::LB;
    assert_eq!((local, from_wire), (status::LB, 0));
}

#[test]
fn a_broadcast_reaches_every_pool_but_its_own() {
    let machine = Machine::enabled();
    let mut world = World::new(&machine);
    world.send(0, BROADCAST, 1);
    for pool in [1, 2, PF] {
        assert_eq!(world.next(pool).0, 1);
    }
    assert_eq!(world.wire.expect(1)[0].0[14], 1);
    assert!(world.is_quiet(0));
}

#[test]
fn without_local_switching_everything_goes_to_the_wire() {
    let machine = Machine::enabled();
    let mut world = World::new(&machine);
    machine.pf().write(PFDTXGSWC, 0);
    world.send(0, address(1), 1);
    world.send(0, BROADCAST, 2);
    assert_eq!(world.wire.expect(2).len(), 2);
    assert!((0..4).all(|pool| world.is_quiet(pool)));
}

#[test]
fn spoofed_addresses_are_dropped_and_counted_unless_allowed() {
    let machine = Machine::enabled();
    let mut world = World::new(&machine);
    world.send_as(0, address(2), address(1), 1);
    world.send_as(0, [2, 7, 7, 7, 7, 7], BROADCAST, 2);
    world.send(0, address(1), 3);
    assert_eq!(world.next(1).0, 3);
    assert_eq!(world.drops(0, DropReason::Spoofed), 2);
    assert_eq!(machine.pf().read(0x8780), 2, "SSVPC");
    assert_eq!(machine.pf().read(0x8780), 0, "a read clears");
    // `ip link set vf 0 spoofchk off`
    machine.pf().write(PFVFSPOOF, 0b110 | 0b110 << 8);
    world.send_as(0, address(2), address(1), 4);
    assert_eq!(world.next(1).0, 4);
}

#[test]
fn foreign_vlans_are_dropped_at_the_sender_and_the_receiver() {
    let machine = Machine::enabled();
    let mut world = World::new(&machine);
    world.send_tagged(0, address(1), 5, 1);
    assert_eq!(world.drops(0, DropReason::Spoofed), 1);
    // VF 0 and 1 join VLAN 5.
    let pf = machine.pf();
    pf.write(VFTA, 1 | 1 << 5);
    pf.write(VLVFB + 8, 0b011);
    pf.write(VLVF + 4, VLVF_VALID | 5);
    world.send_tagged(0, address(1), 0x6005, 2);
    assert_eq!(world.next(1), (2, 0x6005));
    world.send_tagged(0, address(2), 5, 3);
    world.send_tagged(0, BROADCAST, 5, 4);
    assert_eq!(world.next(1).0, 4);
    assert!(world.is_quiet(2) && world.is_quiet(PF));
    // The card's own table comes first.
    pf.write(VFTA, 1);
    world.send_tagged(0, address(1), 5, 5);
    assert!(world.is_quiet(1));
}

#[test]
fn a_port_vlan_is_inserted_whatever_the_vf_wants_and_taken_out_again() {
    let machine = Machine::enabled();
    let mut world = World::new(&machine);
    let pf = machine.pf();
    // `ip link set vf 0 vlan 7 qos 3`, and the same for VF 1.
    pf.write(VFTA, 1 | 1 << 7);
    pf.write(VLVFB, 0b1100);
    pf.write(VLVFB + 8, 0b011);
    pf.write(VLVF + 4, VLVF_VALID | 7);
    for pool in 0..2 {
        pf.write(VMVIR + 4 * pool, 0x4000_0000 | 3 << 13 | 7);
        pf.write(VMOLR + 4 * pool, VMOLR_BAM | VMOLR_ROMPE);
    }
    world.send(0, address(1), 1);
    assert_eq!(world.next(1), (1, 0x6007));
    world.send_tagged(0, address(1), 9, 2);
    assert_eq!(world.next(1), (2, 0x6007));
    world.send(0, address(2), 3);
    assert_eq!(world.wire.expect(1)[0].0[18], 3, "nobody here has that address in that VLAN");
    world.send(0, [2, 9, 9, 9, 9, 9], 4);
    let sent = world.wire.expect(1).remove(0).0;
    assert_eq!((sent[12..16].to_vec(), sent[18]), (vec![0x81, 0, 0x60, 7], 4));
    assert!(world.is_quiet(2), "another VLAN");
    let untagged = frame([2, 9, 9, 9, 9, 9], address(0), None, 5);
    let tagged = frame([2, 9, 9, 9, 9, 9], address(0), Some(7), 6);
    world.wire.send(&untagged, Offload::default());
    world.wire.send(&tagged, Offload::default());
    let received = world.receive[0].next();
    assert_eq!((received.bytes[14], received.descriptor[3] >> 16), (6, 7));
}

#[test]
fn a_disabled_vf_neither_sends_nor_receives() {
    let machine = Machine::enabled();
    let mut world = World::new(&machine);
    let pf = machine.pf();
    // `ip link set vf 1 state disable`
    pf.modify(VFRE[0], 0b010, 0);
    pf.modify(VFTE[0], 0b010, 0);
    world.send(0, address(1), 1);
    world.send(0, BROADCAST, 2);
    assert_eq!(world.next(2).0, 2);
    assert!(world.is_quiet(1));
    let frame = frame(address(1), address(2), None, 3);
    let last = world.transmit[1].frame(&frame, 0, 0, 1);
    world.transmit[1].ring();
    std::thread::sleep(std::time::Duration::from_millis(2));
    assert!(world.is_quiet(2));
    pf.modify(VFRE[0], 0, 0b010);
    pf.modify(VFTE[0], 0, 0b010);
    world.transmit[1].wait(last);
    assert_eq!(world.next(2).0, 3);
    world.send(0, address(1), 4);
    assert_eq!(world.next(1).0, 4);
}

#[test]
fn a_rate_belongs_to_its_queue() {
    let machine = Machine::enabled();
    let mut world = World::new(&machine);
    // `ip link set vf 0 max_tx_rate 1`: 4 ms of 1 Mbit/s are 500 bytes.
    machine.pf().write(RTTDQSEL, 0);
    machine.pf().write(RTTBCNRC, 1 << 31 | (10_000 << 14));
    let mut last = 0;
    for number in 0..40 {
        last = world.transmit[0].frame(&frame(address(0), address(1), None, number), 0, 0, 1);
    }
    let start = std::time::Instant::now();
    world.transmit[0].ring();
    // Others aren't held up meanwhile.
    for number in 0..30 {
        world.send(2, address(PF as u8), number);
    }
    world.transmit[0].wait(last);
    // 4000 bytes, 500 of them at once: never faster than 28 ms.
    assert!(start.elapsed() >= std::time::Duration::from_millis(27));
    (0..40).for_each(|number| assert_eq!(world.next(1).0, number));
}

#[test]
fn vfs_come_and_go() {
    let machine = Machine::enabled();
    let mut world = World::new(&machine);
    world.send(0, address(1), 1);
    assert_eq!(world.next(1).0, 1);
    machine.flr(FunctionId::Vf(1));
    world.send(0, address(1), 2);
    assert!(world.is_quiet(1));
    assert_eq!(world.wire.expect(1)[0].0[14], 2, "nobody here has that address any more");
    machine.set_vfs(0);
    world.send(PF, [2, 9, 9, 9, 9, 9], 3);
    assert_eq!(world.wire.expect(1).len(), 1);
}

#[test]
fn ethertypes_that_vfs_may_not_send() {
    let machine = Machine::enabled();
    let mut world = World::new(&machine);
    machine.pf().write(ETQF, 1 << 31 | 1 << 29 | 0x88b5);
    world.send(0, address(1), 1);
    world.send(PF, address(1), 2);
    assert_eq!(world.next(1).0, 2);
    assert_eq!(world.drops(0, DropReason::Filtered), 1);
}

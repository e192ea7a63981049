//! ARI forwarding, VFs on further buses, several functions, and functions that aren't there.

use pando_tlp::RequesterId;

use super::support::{Guest, Machine};

const FIRST_VF: u16 = 0x4c;
const VFS: u16 = 0x40;

#[test]
fn without_ari_only_device_0_is_on_a_link() {
    let mut machine = Machine::plain();
    machine.root_port("rp");
    machine.device("rp");
    let (fabric, _) = machine.build();
    let guest = Guest(&fabric);
    guest.enumerate();
    let (port, pf) = (guest.find_port("rp"), RequesterId::new(1, 0));
    guest.write(pf, FIRST_VF, 4);
    guest.write(pf, VFS, 64);
    let answers = || {
        (1..=255)
            .filter(|function| guest.read(RequesterId::new(1, *function), VFS) != u32::MAX)
            .count()
    };
    assert_eq!(answers(), 4, "functions 4 to 7");
    guest.set_ari(port, true);
    assert_eq!(answers(), 64);
    guest.set_ari(port, false);
    assert_eq!(answers(), 4);
}

#[test]
fn vfs_on_a_following_bus_answer_type_1_requests() {
    let mut machine = Machine::plain();
    machine.root_port("rp").switch("sw", "rp", &["dp"]);
    machine.device("dp");
    let (fabric, _) = machine.build();
    let guest = Guest(&fabric);
    guest.enumerate();
    let pf = RequesterId::new(3, 0);
    guest.write(pf, FIRST_VF, 0x180);
    guest.write(pf, VFS, 200);
    let first = RequesterId(pf.0 + 0x180);
    assert_eq!(first.bus(), 4);
    assert_eq!(guest.read(first, VFS), u32::MAX, "no port's subordinate covers the bus yet");
    for port in ["rp", "sw", "dp"] {
        assert_eq!(guest.read(first, VFS), u32::MAX);
        guest.write8(guest.find_port(port), 0x1a, 5);
    }
    assert_eq!(guest.read(first, VFS), 0x1000);
    let last = RequesterId(first.0 + 199);
    assert_eq!((last.bus(), guest.read(last, VFS)), (5, 0x1000 + 199));
    assert_eq!(guest.read(RequesterId(first.0 + 200), VFS), u32::MAX);
    assert_eq!(guest.read(RequesterId::new(4, 0), VFS), u32::MAX);
    guest.write(pf, VFS, 0);
    assert_eq!(guest.read(first, VFS), u32::MAX);
}

#[test]
fn functions_of_one_device_have_registers_of_their_own() {
    let mut machine = Machine::plain();
    machine.root_port("rp");
    machine.functions("rp", &[0, 1, 5]);
    let (fabric, _) = machine.build();
    let guest = Guest(&fabric);
    guest.scan(0, 0);
    let there: Vec<_> =
        (0..8).filter(|function| guest.is_there(RequesterId::new(1, *function))).collect();
    assert_eq!(there, [0, 1, 5]);
    for function in there {
        guest.write(RequesterId::new(1, function), 0x3c, u32::from(function));
    }
    for function in [0, 1, 5] {
        assert_eq!(guest.read(RequesterId::new(1, function), 0x3c), u32::from(function));
    }
}

#[test]
fn what_is_not_there_reads_all_ones_and_is_counted() {
    let mut machine = Machine::plain();
    machine.root_port("rp");
    let (fabric, _) = machine.build();
    let guest = Guest(&fabric);
    guest.scan(0, 0);
    let before = fabric.report().counts;
    for target in [0x0000, 0x0009, 0x0010, 0x0100, 0x0200, 0xffff].map(RequesterId) {
        assert_eq!(guest.read(target, 0), u32::MAX, "{target}");
        guest.write(target, 4, 0xffff);
    }
    let after = fabric.report().counts;
    assert_eq!(after.absent_config_reads - before.absent_config_reads, 6);
    assert_eq!(after.absent_config_writes - before.absent_config_writes, 6);
}

#[test]
fn an_integrated_device_sits_on_bus_0() {
    let mut machine = Machine::plain();
    machine.root_port("rp");
    let mut place = None;
    machine
        .builder
        .attach_integrated("ep", None, |link, device| {
            place = Some(device);
            vec![super::support::Fake::at(link, device << 3)]
        })
        .unwrap();
    let wanted = |link, device: u8| vec![super::support::Fake::at(link, device << 3)];
    machine.builder.attach_integrated("at 9", Some(9), wanted).unwrap();
    for taken in [0, 1, 2, 9, 32] {
        let refused = machine.builder.attach_integrated("no", Some(taken), |_, _| Vec::new());
        assert!(refused.is_err(), "device {taken}");
    }
    let (fabric, _) = machine.build();
    Guest(&fabric).enumerate();
    assert!(Guest(&fabric).is_there(RequesterId::new(0, 9 << 3)));
    let id = RequesterId::new(0, place.unwrap() << 3);
    assert_eq!(id, RequesterId::new(0, 0x10));
    assert!(Guest(&fabric).is_there(id));
    assert_eq!(fabric.report().root.devices[0].functions, ["00:02.0 Pf"]);
    assert_eq!(fabric.report().root.devices[0].ranges[0].reachable, super::support::BAR0_SIZE);
}

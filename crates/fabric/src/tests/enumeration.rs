//! Linux' own order, replayed: bus numbers depth first, windows, BARs; then everything answers where it was put.

use pando_tlp::RequesterId;

use super::support::{Guest, Machine, Woods, config};
use crate::PortOptions;

#[test]
fn a_tree_numbered_by_linux_answers_everywhere() {
    let woods = Woods::new(config(), false);
    let buses = ["rp0", "sw0", "dp0", "dp1", "sw1", "dp2", "dp3", "rp1"].map(|port| {
        let guest = woods.guest();
        guest.read(guest.find_port(port), 0x18) & 0x00ff_ffff
    });
    let numbers =
        |primary, secondary, subordinate| u32::from_le_bytes([primary, secondary, subordinate, 0]);
    let expected = [
        numbers(0, 1, 7),
        numbers(1, 2, 7),
        numbers(2, 3, 3),
        numbers(2, 4, 7),
        numbers(4, 5, 7),
        numbers(5, 6, 6),
        numbers(5, 7, 7),
        numbers(0, 8, 8),
    ];
    assert_eq!(buses, expected);
    let ids = woods.devices.each_ref().map(|device| device.id());
    assert_eq!(ids, [3, 6, 7, 8].map(|bus| RequesterId::new(bus, 0)));
    for device in &woods.devices {
        let read = woods.guest().read_memory(device.bar() + 0x10);
        assert_eq!(read, 0x5a00_0000_0000_0010 | u64::from(device.id().0) << 32);
    }
}

#[test]
fn routing_follows_every_intermediate_bus_number() {
    let mut machine = Machine::plain();
    machine.root_port("rp0").switch("sw0", "rp0", &["dp0"]);
    machine.device("dp0");
    let (fabric, _) = machine.build();
    let guest = Guest(&fabric);
    let root = RequesterId::new(0, 8);
    assert!(guest.is_there(root));
    assert!(!guest.is_there(RequesterId::new(1, 0)), "no bus number, nothing below");
    guest.write(root, 0x18, 0x00ff_0100);
    assert!(guest.is_there(RequesterId::new(1, 0)));
    assert!(!guest.is_there(RequesterId::new(1, 8)), "only device 0 is on a link");
    guest.write(RequesterId::new(1, 0), 0x18, 0x00ff_0201);
    let downstream = RequesterId::new(2, 0);
    assert!(guest.is_there(downstream));
    guest.write(downstream, 0x18, 0x00ff_0302);
    assert!(guest.is_there(RequesterId::new(3, 0)));
    guest.write8(root, 0x1a, 2);
    assert!(!guest.is_there(RequesterId::new(3, 0)), "beyond the root port's subordinate");
    guest.write8(root, 0x1a, 3);
    assert!(guest.is_there(RequesterId::new(3, 0)));
    guest.write8(downstream, 0x19, 9);
    assert!(!guest.is_there(RequesterId::new(3, 0)));
    guest.write8(root, 0x1a, 9);
    assert!(guest.is_there(RequesterId::new(9, 0)), "as its bus is called now");
    guest.write(root, 0x18, 0);
    assert!(!guest.is_there(RequesterId::new(1, 0)));
}

#[test]
fn switches_nest_four_deep_and_carry_32_ports() {
    let mut machine = Machine::plain();
    machine.root_port("rp");
    let mut above = "rp".to_owned();
    for depth in 0..5 {
        let ports: Vec<_> = (0..32).map(|port| format!("d{depth}p{port}")).collect();
        let ports: Vec<_> = ports.iter().map(String::as_str).collect();
        machine.switch(&format!("s{depth}"), &above, &ports);
        above = format!("d{depth}p{}", depth * 7);
    }
    let deepest = machine.device(&above);
    let (fabric, _) = machine.build();
    Guest(&fabric).enumerate();
    // Per level the link, the switch's bus, and one bus for each of its 32 ports, one of which is the next level's link.
    assert_eq!(fabric.report().root.ports[0].buses, [0, 1, 1 + 5 * 33]);
    let read = Guest(&fabric).read_memory(deepest.bar());
    assert_eq!(read >> 32, 0x5a00_0000 | u64::from(deepest.id().0));
}

#[test]
fn ports_may_be_functions_of_one_device() {
    let mut machine = Machine::plain();
    let at = |device, function| PortOptions {
        place: Some(crate::Place { device, function }),
        ..PortOptions::default()
    };
    machine.builder.root_port("a", at(5, 0)).unwrap().root_port("b", at(5, 3)).unwrap();
    let device = machine.device("b");
    let (fabric, _) = machine.build();
    let guest = Guest(&fabric);
    guest.enumerate();
    let header_type =
        |function: u8| guest.read(RequesterId::new(0, 5 << 3 | function), 0x0c) >> 16 & 0xff;
    assert_eq!([header_type(0), header_type(3)], [0x81, 0x81]);
    assert_eq!(device.id(), RequesterId::new(2, 0));
}

#[test]
fn an_access_of_any_size_reaches_its_bytes() {
    let mut machine = Machine::plain();
    machine.root_port("rp");
    machine.device("rp");
    let (fabric, _) = machine.build();
    let guest = Guest(&fabric);
    guest.scan(0, 0);
    let device = RequesterId::new(1, 0);
    guest.write(device, 0x3c, 0x1122_3344);
    guest.write8(device, 0x3e, 0xaa);
    guest.write16(device, 0x3c, 0xbbcc);
    assert_eq!(guest.read(device, 0x3c), 0x11aa_bbcc);
    let address = pando_tlp::Gpa(super::support::ECAM + (1 << 20) + 0x3b);
    let mut data = [0; 6];
    fabric.mmio_read(address, &mut data);
    assert_eq!(data, [0, 0xcc, 0xbb, 0xaa, 0x11, 0], "split at dwords");
}

//! Interrupt pins on their way up: which wires they arrive at, who shares one, what cuts them off.

use std::sync::Arc;

use pando_pci::Device;
use pando_tlp::IntxWire;

use super::support::{Fake, Guest, Machine, Woods, config};

const BRIDGE_CONTROL: u16 = 0x3e;

/// The wires asserted now, as letters.
fn wires(woods: &Woods) -> String {
    let wires = woods.outside.wires.lock().unwrap();
    ('A'..).zip(*wires).filter_map(|(letter, asserted)| asserted.then_some(letter)).collect()
}

fn woods() -> Woods {
    let woods = Woods::new(config(), false);
    woods.fabric.connect_intx(Arc::downgrade(&woods.outside) as _);
    woods
}

/// rp0 is device 1 and rp1 device 2 of the root bus; inside the switches dp1 and dp3 are device 1, dp0 and dp2 device 0.
#[test]
fn every_bridge_turns_the_wire() {
    let woods = woods();
    for (device, expected) in [(0, "BCDA"), (1, "CDAB"), (2, "DABC"), (3, "CDAB")] {
        for (wire, expected) in (0..).zip(expected.chars()) {
            woods.devices[device].intx(IntxWire::new(wire), true);
            assert_eq!(wires(&woods), expected.to_string(), "device {device}, wire {wire}");
            woods.devices[device].intx(IntxWire::new(wire), false);
            assert_eq!(wires(&woods), "");
        }
    }
}

#[test]
fn a_wire_stays_as_long_as_somebody_asserts_it() {
    let woods = woods();
    let [a, b] = [0, 1].map(IntxWire::new);
    woods.devices[0].intx(b, true);
    woods.devices[1].intx(a, true);
    woods.devices[0].intx(b, false);
    assert_eq!(wires(&woods), "C");
    woods.devices[1].intx(a, false);
    assert_eq!(wires(&woods), "");
    assert_eq!(woods.outside.changes.lock().unwrap().len(), 2, "told on changes only");
}

/// Of functions with ARI no device number is known: it counts as 0.
#[test]
fn with_ari_the_function_number_is_no_device_number() {
    let mut machine = Machine::plain();
    machine.root_port("rp0");
    let function = machine.functions("rp0", &[0, 9]).remove(1);
    let (fabric, outside) = machine.build();
    fabric.connect_intx(Arc::downgrade(&outside) as _);
    let guest = Guest(&fabric);
    guest.enumerate();
    function.intx(IntxWire::new(0), true);
    assert_eq!(*outside.wires.lock().unwrap(), [false, false, true, false]);
    guest.set_ari(guest.find_port("rp0"), true);
    assert_eq!(*outside.wires.lock().unwrap(), [false, true, false, false]);
}

#[test]
fn a_device_of_the_root_bus_is_turned_once() {
    let mut machine = Machine::plain();
    let mut fake = None;
    let build = |link, device: u8| -> Vec<Arc<dyn Device>> {
        vec![fake.insert(Fake::new(link, device << 3)).clone()]
    };
    machine.builder.attach_integrated("d", Some(6), build).unwrap();
    let (fabric, outside) = machine.build();
    fabric.connect_intx(Arc::downgrade(&outside) as _);
    fake.unwrap().intx(IntxWire::new(1), true);
    assert_eq!(*outside.wires.lock().unwrap(), [false, false, false, true]);
}

/// A port in reset passes nothing, whether the device has heard of it or not (2.2.8.1); Bus Master Enable doesn't matter.
#[test]
fn a_closed_port_lets_go_of_its_wires() {
    let woods = woods();
    let guest = woods.guest();
    woods.devices[1].intx(IntxWire::new(0), true);
    for port in ["rp0", "sw0", "dp1", "sw1", "dp2"] {
        guest.write16(guest.find_port(port), 0x04, 0);
    }
    assert_eq!(wires(&woods), "C");
    guest.write8(guest.find_port("dp0"), BRIDGE_CONTROL, 0x40);
    assert_eq!(wires(&woods), "C");
    guest.write8(guest.find_port("dp1"), BRIDGE_CONTROL, 0x40);
    assert_eq!(wires(&woods), "");
}

/// The two ends of a wire say the same whatever happens at once.
#[test]
fn changes_from_many_threads_end_as_the_last() {
    let woods = woods();
    std::thread::scope(|scope| {
        for device in &woods.devices {
            scope.spawn(move || {
                for round in 0..200 {
                    device.intx(IntxWire::new(round / 2 % 4), round % 2 == 0);
                }
            });
        }
        scope.spawn(|| {
            let guest = woods.guest();
            let port = guest.find_port("dp1");
            for round in 0..100 {
                guest.set_ari(port, round % 2 == 0);
            }
        });
    });
    assert_eq!(wires(&woods), "");
}

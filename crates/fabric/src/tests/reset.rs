//! Hot reset reaches exactly what is below; platform reset reaches everything.

use pando_tlp::{Fault, Iova, RequesterId};

use super::support::{Woods, config};

const BRIDGE_CONTROL: u16 = 0x3e;

#[test]
fn hot_reset_reaches_exactly_what_is_below() {
    for (port, devices_below, ports_below) in [
        ("rp0", [1, 1, 1, 0], vec!["sw0", "dp0", "dp1", "sw1", "dp2", "dp3"]),
        ("sw0", [1, 1, 1, 0], vec!["dp0", "dp1", "sw1", "dp2", "dp3"]),
        ("dp1", [0, 1, 1, 0], vec!["sw1", "dp2", "dp3"]),
        ("dp2", [0, 1, 0, 0], vec![]),
        ("rp1", [0, 0, 0, 1], vec![]),
    ] {
        let woods = Woods::new(config(), false);
        let guest = woods.guest();
        guest.write8(guest.find_port(port), BRIDGE_CONTROL, 0x40);
        assert_eq!(woods.devices.each_ref().map(|device| device.resets()), devices_below, "{port}");
        let topology = &woods.fabric.tree.topology;
        for (index, each) in topology.ports.iter().enumerate() {
            let numbered = woods.fabric.tree.bridges[index].subordinate() != 0;
            assert_eq!(
                numbered,
                !ports_below.contains(&each.id.as_str()),
                "{} below {port}",
                each.id
            );
        }
    }
}

#[test]
fn nothing_crosses_a_port_that_holds_reset() {
    let woods = Woods::new(config(), false);
    let guest = woods.guest();
    let device = &woods.devices[1];
    let (port, id, address) = (guest.find_port("dp2"), device.id(), device.bar());
    guest.write8(port, BRIDGE_CONTROL, 0x40);
    assert!(!guest.is_there(id));
    assert_eq!(guest.read_memory(address), u64::MAX);
    assert_eq!(device.dma.write(Iova(0), &[0]), Err(Fault::Gated), "it is in reset itself");
    guest.write8(port, BRIDGE_CONTROL, 0);
    assert!(guest.is_there(id));
    assert_eq!(guest.read(id, 0x04) & 6, 0, "power-on state");
    guest.set_bar(id, address);
    guest.write16(id, 0x04, 6);
    assert_ne!(guest.read_memory(address), u64::MAX);
    device.dma.write(Iova(0), &[0]).unwrap();
    assert_eq!(device.resets(), 1, "reset once, when the bit was set");
}

#[test]
fn platform_reset_is_power_on() {
    let woods = Woods::new(config(), false);
    let fresh = |text: String| serde_json::from_str::<serde_json::Value>(&text).unwrap();
    woods.fabric.reset();
    assert!(woods.devices.iter().all(|device| device.resets() == 1));
    let report = fresh(serde_json::to_string(&woods.fabric.report()).unwrap());
    let port = &report["root"]["ports"][0];
    assert_eq!(port["id"], "rp0");
    assert_eq!(port["buses"], serde_json::json!([0, 0, 0]));
    assert_eq!(port["bus_master"], false);
    assert_eq!(
        port["below"]["ports"][0]["below"]["ports"][0]["below"]["devices"][0]["id"],
        "at-dp0"
    );
    assert!(!woods.guest().is_there(RequesterId::new(1, 0)));
    woods.guest().enumerate();
    assert!(woods.guest().is_there(RequesterId::new(8, 0)));
}

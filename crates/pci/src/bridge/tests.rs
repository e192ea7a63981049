use pando_tlp::{Gpa, MsiMessage};
use proptest::prelude::*;

use super::*;
use crate::testing::{Wire, WireLink};
use crate::{Acs, Identity};

fn config(kind: PortKind) -> BridgeConfig {
    let identity = Identity { vendor: 0x1b36, device: 0x000c, ..Identity::default() };
    BridgeConfig {
        acs: Some(Acs { services: AcsServices::all(), egress_ports: 40 }),
        slot: Some(1),
        ..BridgeConfig::new(kind, identity, RequesterId(0x10))
    }
}

fn root_port() -> Bridge {
    Bridge::new(config(PortKind::RootPort)).unwrap()
}

fn write(bridge: &Bridge, register: u16, value: u32) -> Effects {
    bridge.write(register, value, ByteEnables::ALL)
}

fn window(first: u64, last: u64) -> Option<Window> {
    Some(Window { first: Gpa(first), last: Gpa(last) })
}

#[test]
fn bus_numbers_follow_every_intermediate_value() {
    let bridge = root_port();
    assert_eq!(write(&bridge, 0x18, 0x00ff_0100), Effects::BUS_NUMBERS);
    assert_eq!((bridge.primary(), bridge.secondary(), bridge.subordinate()), (0, 1, 0xff));
    assert_eq!(bridge.write(0x18, 0x0003_0000, ByteEnables(0b0100)), Effects::BUS_NUMBERS);
    assert_eq!((bridge.secondary(), bridge.subordinate()), (1, 3));
    assert_eq!(write(&bridge, 0x18, 0xff03_0100), Effects::empty());
}

/// The order of `pci_read_bridge_windows` and `pci_setup_bridge_mmio(_pref)`: probes, then closes, then opens.
#[test]
fn windows_as_linux_programs_them() {
    let bridge = root_port();
    write(&bridge, 0x04, 0x2);
    assert_eq!(bridge.read(0x1c) & 0xffff, 0, "no I/O window");
    write(&bridge, 0x1c, 0xe0f0);
    assert_eq!(bridge.read(0x1c), 0);
    write(&bridge, 0x24, 0xffe0_fff0);
    assert_eq!(bridge.read(0x24), 0xffe1_fff1, "a 64-bit prefetchable window");
    write(&bridge, 0x24, 0);
    assert_eq!(write(&bridge, 0x20, 0x0000_fff0), Effects::DECODE);
    assert_eq!(bridge.memory_window(), None);
    assert_eq!(write(&bridge, 0x20, 0xe010_e000), Effects::DECODE);
    assert_eq!(bridge.memory_window(), window(0xe000_0000, 0xe01f_ffff));
    write(&bridge, 0x2c, 0);
    write(&bridge, 0x24, 0x0010_0000);
    write(&bridge, 0x28, 0x80);
    assert_eq!(bridge.prefetch_window(), None, "base above limit");
    write(&bridge, 0x2c, 0x80);
    assert_eq!(bridge.prefetch_window(), window(0x80_0000_0000, 0x80_001f_ffff));
    assert_eq!(bridge.write(0x04, 0, ByteEnables(0b0011)), Effects::DECODE);
    assert_eq!((bridge.memory_window(), bridge.prefetch_window()), (None, None));
}

#[test]
fn d3hot_closes_everything_and_keeps_the_registers() {
    let bridge = root_port();
    write(&bridge, 0x04, 0x6);
    write(&bridge, 0x20, 0xe010_e000);
    assert_eq!(write(&bridge, 0x44, 3), Effects::DECODE | Effects::ROUTING);
    assert!(!bridge.bus_master() && !bridge.memory_space() && bridge.memory_window().is_none());
    assert_eq!(write(&bridge, 0x44, 1), Effects::empty());
    assert_eq!(bridge.read(0x44), 0xb, "D1 isn't there: ignored");
    write(&bridge, 0x44, 0);
    assert!(bridge.bus_master() && bridge.memory_space() && bridge.memory_window().is_some());
}

#[test]
fn routing_controls() {
    let bridge = root_port();
    assert_eq!(write(&bridge, 0x04, 0x4), Effects::ROUTING);
    assert_eq!(write(&bridge, 0x88, 0x20), Effects::ROUTING);
    assert!(bridge.bus_master() && bridge.ari_forwarding());
    assert_eq!(bridge.write(0x13c, 0x001d_0000, ByteEnables(0b1100)), Effects::ROUTING);
    assert_eq!(bridge.acs_control().bits(), 0x1d);
    assert_eq!(write(&bridge, 0x144, 0xffff_ff80), Effects::ROUTING);
    let routing = bridge.routing();
    assert!(routing.egress_blocked(39) && !routing.egress_blocked(38));
    assert!(!routing.egress_blocked(40), "no such port");
}

#[test]
fn secondary_bus_reset_and_link_disable_reset_below() {
    let bridge = root_port();
    assert_eq!(bridge.set_occupied(true), Effects::empty());
    assert_eq!(bridge.set_link_up(true), Effects::ROUTING);
    assert!(bridge.routing().link_active);
    let set = |value| bridge.write(0x3c, value, ByteEnables(0b1100));
    assert_eq!(set(0x0040_0000), Effects::SECONDARY_BUS_RESET | Effects::ROUTING);
    assert!(bridge.secondary_bus_reset());
    assert_eq!(bridge.read(0x70) >> 16, 0x1000, "link down");
    assert_eq!(set(0), Effects::ROUTING);
    assert_eq!(bridge.read(0x70) >> 16, 0x3082, "5 GT/s on eight lanes, active");
    let disable = write(&bridge, 0x70, 0x10);
    assert_eq!(disable, Effects::SECONDARY_BUS_RESET | Effects::ROUTING);
    assert!(!bridge.routing().link_active);
}

#[test]
fn a_slot_shows_what_is_in_it() {
    let bridge = root_port();
    assert_eq!(bridge.read(0x78), 0);
    bridge.set_occupied(true);
    bridge.set_link_up(true);
    assert_eq!(bridge.read(0x78) >> 16, 0x0148, "present, presence and link state changed");
    write(&bridge, 0x78, 0x0108_0000);
    assert_eq!(bridge.read(0x78) >> 16, 0x0040);
    bridge.set_link_up(false);
    bridge.set_occupied(false);
    assert_eq!(bridge.read(0x78) >> 16, 0x0108, "both changed again");
    let occupied = BridgeConfig { occupied: true, ..config(PortKind::Downstream) };
    let bridge = Bridge::new(occupied).unwrap();
    assert_eq!((bridge.read(0x78) >> 16, bridge.read(0x70) >> 16), (0x0040, 0x3082));
}

#[test]
fn an_upstream_port_has_neither_slot_nor_link_control() {
    let bridge = Bridge::new(config(PortKind::Upstream)).unwrap();
    assert_eq!(bridge.read(0x60), 0x0052_0010);
    bridge.set_occupied(true);
    bridge.set_link_up(false);
    assert_eq!((bridge.read(0x78), bridge.read(0x70) >> 16), (0, 0x1082));
    assert!(bridge.routing().link_active);
}

#[test]
fn port_services_have_one_message() {
    let wire = Wire::new();
    let upper: Arc<dyn Link> = Arc::new(WireLink(wire.clone()));
    let bridge =
        Bridge::new(BridgeConfig { upper: Some(upper), ..config(PortKind::Downstream) }).unwrap();
    bridge.capture(RequesterId(0x0210));
    for (register, value) in [(0x4c, 0xfee0_1000), (0x50, 0), (0x54, 0x31), (0x48, 0x0001_0000)] {
        write(&bridge, register, value);
    }
    bridge.signal();
    assert_eq!(wire.take(), [], "Bus Master Enable is clear");
    write(&bridge, 0x04, 0x4);
    let message = MsiMessage { address: 0xfee0_1000, data: 0x31 };
    assert_eq!(wire.take(), [(RequesterId(0x0210), message)], "sent when it may");
    write(&bridge, 0x58, 1);
    bridge.signal();
    assert_eq!((wire.take(), bridge.read(0x5c)), (vec![], 1));
    write(&bridge, 0x58, 0);
    assert_eq!((wire.take(), bridge.read(0x5c)), (vec![(RequesterId(0x0210), message)], 0));
    bridge.hot_reset();
    bridge.signal();
    assert_eq!((wire.take(), bridge.id()), (vec![], RequesterId(0x10)));
}

#[test]
fn links_that_do_not_exist_are_refused() {
    for (speed, lanes) in [(0, 1), (3, 1), (1, 0), (1, 3)] {
        let link = LinkWidth { speed, lanes };
        let config = BridgeConfig { link, ..config(PortKind::RootPort) };
        assert!(matches!(Bridge::new(config), Err(ConfigError::Link { .. })));
    }
}

proptest! {
    #[test]
    fn windows_are_never_inside_out(
        writes in prop::collection::vec((0u16..0x60, any::<u32>(), 0u8..16), 1..100),
    ) {
        let bridge = root_port();
        for (dword, value, enables) in writes {
            let before = bridge.routing();
            let effects = bridge.write(dword * 4, value, ByteEnables(enables));
            let after = bridge.routing();
            if before == after {
                prop_assert!(effects.is_empty());
            } else if effects.is_empty() {
                let Routing { secondary_bus_reset, link_disabled, .. } = after;
                prop_assert_eq!(Routing { secondary_bus_reset, link_disabled, ..before }, after);
            }
            for window in [after.memory, after.prefetch].into_iter().flatten() {
                prop_assert!(window.first <= window.last);
                prop_assert_eq!((window.first.0 & 0xf_ffff, window.last.0 & 0xf_ffff), (0, 0xf_ffff));
                prop_assert!(after.memory_space && after.powered);
            }
            prop_assert_eq!(bridge.read(0), 0x000c_1b36);
        }
    }
}

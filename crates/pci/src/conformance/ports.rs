//! Root port, switch upstream port, switch downstream port.

use super::*;
use crate::{Acs, AcsServices, Bridge, BridgeConfig, Identity, PortKind};
use pando_tlp::RequesterId;

impl Subject for Bridge {
    fn read(&self, register: u16) -> u32 {
        Bridge::read(self, register)
    }

    fn write(&self, register: u16, value: u32, enables: ByteEnables) {
        Bridge::write(self, register, value, enables);
    }

    fn raise(&self, register: u16, bits: u32) {
        self.raise_bits(register, bits);
    }

    fn hot_reset(&self) {
        Bridge::hot_reset(self);
    }

    fn cold_reset(&self) {
        self.reset();
    }

    fn function_level_reset(&self) -> bool {
        false
    }
}

fn config(kind: PortKind, slot: Option<u16>, acs: Option<Acs>) -> BridgeConfig {
    let identity = Identity { vendor: 0x1b36, device: 0x000c, ..Identity::default() };
    let plain = BridgeConfig::new(kind, identity, RequesterId(0x08));
    BridgeConfig { port_number: 1, slot, acs, ..plain }
}

fn port(kind: PortKind, slot: Option<u16>, acs: Option<Acs>) -> Box<dyn Subject> {
    Box::new(Bridge::new(config(kind, slot, acs)).unwrap())
}

/// Header, PM and MSI, which all ports share.
const COMMON: [Row; 21] = [
    ro(0x00, 0x000c_1b36),
    mixed(0x04, 0x0010_0000, 0x0546, 0xf900_0000),
    ro(0x08, 0x0604_0000),
    rw(0x0c, 0x0001_0000, 0xff),
    rw(0x18, 0, 0x00ff_ffff),
    mixed(0x1c, 0, 0, 0xf900_0000),
    rw(0x20, 0, 0xfff0_fff0),
    rw(0x24, 0x0001_0001, 0xfff0_fff0),
    rw(0x28, 0, 0xffff_ffff),
    rw(0x2c, 0, 0xffff_ffff),
    ro(0x34, 0x40),
    rw(0x3c, 0, 0x0043_00ff),
    ro(0x40, 0xc803_4801),
    mixed(0x44, 0x0008, 0x0103, 0x8000).sticky(0x8100),
    rw(0x48, 0x0180_6005, 0x0071_0000),
    rw(0x4c, 0, 0xffff_fffc),
    rw(0x50, 0, 0xffff_ffff),
    rw(0x54, 0, 0xffff),
    rw(0x58, 0, 1),
    ro(0x64, 0x8000),
    mixed(0x68, 0, 0x000f, 0x000f_0000),
];

/// AER without its header; `bits` are the uncorrectable errors.
const fn aer(bits: u32) -> [Row; 5] {
    [
        mixed(0x104, 0, 0, bits).sticky(bits),
        rw(0x108, 0x0040_0000, bits).sticky(bits),
        rw(0x10c, 0x0046_2030, bits).sticky(bits),
        mixed(0x110, 0, 0, 0xf1c1).sticky(0xf1c1),
        rw(0x114, 0xe000, 0xf1c1).sticky(0xf1c1),
    ]
}

#[test]
fn root_port() {
    let own = [
        ro(0x60, 0x0142_0010),
        ro(0x6c, 0x0150_0082),
        rw(0x70, 0x1000_0000, 0x00d3),
        ro(0x74, 0x0018_0000),
        mixed(0x78, 0, 0x1000, 0x0108_0000),
        rw(0x7c, 0, 0x000f),
        mixed(0x80, 0, 0, 0x0001_0000),
        ro(0x84, 0x20),
        rw(0x88, 0, 0x20),
        ro(0x8c, 0x6),
        rw(0x90, 0x2, 0xff9f).sticky(0xff9f),
        ro(0x100, 0x1382_0001),
        rw(0x12c, 0, 0x7),
        mixed(0x130, 0, 0, 0x7f).sticky(0x7f),
        ro(0x138, 0x0001_000d),
        rw(0x13c, 0x005f, 0x005f_0000),
    ];
    let rows = [&COMMON[..], &own, &aer(0x0077_f030)].concat();
    let acs = Some(Acs::all_but_egress_control());
    check("root port", &rows, || port(PortKind::RootPort, Some(3), acs));
}

#[test]
fn upstream_port() {
    let own = [
        ro(0x60, 0x0052_0010),
        ro(0x6c, 0x0140_0082),
        rw(0x70, 0x1082_0000, 0x00c3),
        ro(0x8c, 0x6),
        rw(0x90, 0x2, 0xff9f).sticky(0xff9f),
        ro(0x100, 0x0002_0001),
    ];
    let rows = [&COMMON[..], &own, &aer(0x0057_f030)].concat();
    check("upstream port", &rows, || port(PortKind::Upstream, None, None));
}

#[test]
fn bridge_to_conventional_pci() {
    let own = [
        rw(0x18, 0, 0xffff_ffff),
        ro(0x60, 0x0072_0010),
        mixed(0x68, 0, 0x800f, 0x000f_0000),
        ro(0x6c, 0x0140_0082),
        rw(0x70, 0x1082_0000, 0x00c3),
        ro(0x8c, 0x6),
        rw(0x90, 0x2, 0xff9f).sticky(0xff9f),
    ];
    let common = COMMON.into_iter().filter(|row| row.at != 0x18 && row.at != 0x68);
    let rows: Vec<_> = common.chain(own).collect();
    check("bridge to conventional PCI", &rows, || port(PortKind::PciBridge, None, None));
}

/// With ACS for the function's peers, and ARI.
#[test]
fn upstream_port_among_other_functions() {
    let own = [
        rw(0x0c, 0x0081_0000, 0xff),
        ro(0x60, 0x0052_0010),
        ro(0x6c, 0x0140_0082),
        rw(0x70, 0x1082_0000, 0x00c3),
        ro(0x8c, 0x6),
        rw(0x90, 0x2, 0xff9f).sticky(0xff9f),
        ro(0x100, 0x12c2_0001),
        ro(0x12c, 0x1381_000d),
        rw(0x130, 0x082c, 0x002c_0000),
        rw(0x134, 0, 0xff),
        ro(0x138, 0x0001_000e),
        ro(0x13c, 0x0300),
    ];
    let common = COMMON.into_iter().filter(|row| row.at != 0x0c).collect::<Vec<_>>();
    let rows = [&common[..], &own, &aer(0x0077_f030)].concat();
    let services = AcsServices::REQUEST_REDIRECT
        | AcsServices::COMPLETION_REDIRECT
        | AcsServices::EGRESS_CONTROL;
    check("upstream port among other functions", &rows, || {
        let plain = config(PortKind::Upstream, None, Some(Acs { services, egress_ports: 8 }));
        let config = BridgeConfig { multi_function: true, next_function: Some(3), ..plain };
        Box::new(Bridge::new(config).unwrap())
    });
}

#[test]
fn downstream_port() {
    let own = [
        ro(0x60, 0x0062_0010),
        ro(0x6c, 0x0150_0082),
        rw(0x70, 0x1000_0000, 0x00d3),
        ro(0x78, 0x0040_0000),
        ro(0x84, 0x20),
        rw(0x88, 0, 0x20),
        ro(0x8c, 0x6),
        rw(0x90, 0x2, 0xff9f).sticky(0xff9f),
        ro(0x100, 0x12c2_0001),
        ro(0x12c, 0x0001_000d),
        rw(0x130, 0x287f, 0x007f_0000),
        rw(0x134, 0, 0xffff_ffff),
        rw(0x138, 0, 0xff),
    ];
    let rows = [&COMMON[..], &own, &aer(0x0077_f030)].concat();
    let acs = Some(Acs { services: crate::AcsServices::all(), egress_ports: 40 });
    check("downstream port", &rows, || port(PortKind::Downstream, None, acs));
}

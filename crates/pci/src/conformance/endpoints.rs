//! A physical, a conventional and a virtual function, and an event collector.

use std::sync::Arc;

use pando_tlp::RequesterId;

use super::*;
use crate::testing::{Card, SRIOV, Wire, WireLink, config, pf, vf};
use crate::{ConfigKind, Device, EndpointConfig, EventCollector, FunctionId, Identity};

struct Function {
    card: Card,
    id: FunctionId,
    target: RequesterId,
    conventional: bool,
}

impl Subject for Function {
    fn read(&self, register: u16) -> u32 {
        let value = self.card.read(self.target, register);
        // All ones say that a conventional function has nothing there.
        if self.conventional && register >= 0x100 { !value } else { value }
    }

    fn write(&self, register: u16, value: u32, enables: ByteEnables) {
        let kind = Card::kind(self.target);
        self.card.endpoint.config_write(kind, self.target, register, value, enables);
    }

    fn raise(&self, register: u16, bits: u32) {
        self.card.endpoint.raise_bits(self.id, register, bits);
    }

    fn hot_reset(&self) {
        self.card.endpoint.hot_reset();
        self.revive();
    }

    fn cold_reset(&self) {
        self.card.endpoint.reset();
        self.revive();
    }

    fn function_level_reset(&self) -> bool {
        if !self.conventional {
            self.card.write16(self.target, 0x50, 0x8000);
        }
        !self.conventional
    }
}

impl Function {
    fn boxed(id: FunctionId) -> Box<dyn Subject> {
        let target = if id == FunctionId::Pf { pf() } else { vf(2) };
        let function = Self { card: Card::new(config(7)), id, target, conventional: false };
        function.revive();
        Box::new(function)
    }

    /// A VF under test exists again after each reset of the card, but as a new one.
    fn revive(&self) {
        if self.id != FunctionId::Pf {
            self.card.enable_vfs(7);
        }
    }
}

/// PM and PCI Express as PF and VF share them.
const COMMON: [Row; 7] = [
    ro(0x34, 0x40),
    ro(0x40, 0x0013_4801),
    rw(0x44, 0x0008, 0x0003),
    ro(0x4c, 0x1000_8020),
    ro(0x54, 0x0040_0082),
    ro(0x6c, 0x10),
    ro(0x74, 0x6),
];

#[test]
fn physical_function() {
    let own = [
        ro(0x00, 0x1041_1af4),
        mixed(0x04, 0x0011_0000, 0x0546, 0xf900_0000),
        ro(0x08, 0x0200_0001),
        rw(0x0c, 0, 0xff),
        rw(0x18, 0xc, 0xffff_c000),
        rw(0x1c, 0, 0xffff_ffff),
        rw(0x20, 0xc, 0xffff_c000),
        rw(0x24, 0, 0xffff_ffff),
        ro(0x2c, 0x1100_1af4),
        rw(0x3c, 0x100, 0xff),
        ro(0x48, 0x0002_c010),
        mixed(0x50, 0x2810, 0x791f, 0x000f_0000).acts(0x8000),
        rw(0x58, 0x1082_0000, 0x00cb).link(0x00cb),
        rw(0x70, 0, 0x10),
        rw(0x78, 0x2, 0xff9f).sticky(0xff9f),
        rw(0x84, 0x0004_9011, 0xc000_0000),
        ro(0x88, 0x0004),
        ro(0x8c, 0x1004),
        ro(0x90, 0x1312_a009),
        ro(0x94, 0x1716_1514),
        ro(0x98, 0x1b1a_1918),
        ro(0x9c, 0x1f1e_1d1c),
        ro(0xa0, 0x0014_0009),
        rw(0xa4, 0, 0xffff_ffff),
        rw(0xa8, 0, 0xffff_ffff),
        rw(0xac, 0, 0xffff_ffff),
        ro(0xb0, 0xfeed_f00d), // what the model answers
        rw(0xc0, 0x0186_8405, 0x0071_0000),
        rw(0xc4, 0, 0xffff_fffc),
        rw(0xc8, 0, 0xffff_ffff),
        rw(0xcc, 0, 0xffff),
        rw(0xd0, 0, 0xff),
        ro(0xd4, 0),
        ro(0x100, 0x12c2_0001),
        mixed(0x104, 0, 0, 0x0077_f030).sticky(0x0077_f030),
        rw(0x108, 0x0040_0000, 0x0077_f030).sticky(0x0077_f030),
        rw(0x10c, 0x0046_2030, 0x0077_f030).sticky(0x0077_f030),
        mixed(0x110, 0, 0, 0xf1c1).sticky(0xf1c1),
        rw(0x114, 0xe000, 0xf1c1).sticky(0xf1c1),
        ro(0x12c, 0x1341_000e),
        ro(0x134, 0x13c1_000d),
        rw(0x138, 0x000c, 0x000c_0000),
        ro(0x13c, 0x1481_0003),
        ro(0x140, 0x0506_0708),
        ro(0x144, 0x0102_0304),
        ro(0x148, 0x0001_0010),
        ro(0x14c, 0x2),
        rw(0x150, 0, 0x18).acts(0x1),
        ro(0x154, 0x0007_0007),
        ro(0x158, 0), // NumVFs: 0 to 7 only; its rules have their own test
        ro(0x15c, 0x0001_0100),
        ro(0x160, 0x1041_0000),
        ro(0x164, 0x553),
        ro(0x168, 0x1), // System Page Size: one supported bit only; its rules have their own test
        rw(0x16c, 0xc, 0xffff_c000),
        rw(0x170, 0, 0xffff_ffff),
        rw(0x17c, 0xc, 0xffff_c000),
        rw(0x180, 0, 0xffff_ffff),
    ];
    assert_eq!(SRIOV, 0x148);
    check("physical function", &[&COMMON[..], &own].concat(), || Function::boxed(FunctionId::Pf));
}

/// The same without what PCI Express has brought.
#[test]
fn conventional_function() {
    let rows = [
        ro(0x00, 0x1041_1af4),
        mixed(0x04, 0x0010_0000, 0x0546, 0xf900_0000),
        ro(0x08, 0x0200_0001),
        rw(0x0c, 0, 0xff),
        rw(0x18, 0xc, 0xffff_c000),
        rw(0x1c, 0, 0xffff_ffff),
        rw(0x20, 0xc, 0xffff_c000),
        rw(0x24, 0, 0xffff_ffff),
        ro(0x2c, 0x1100_1af4),
        ro(0x34, 0x40),
        rw(0x3c, 0x100, 0xff),
        ro(0x40, 0x0013_c001),
        rw(0x44, 0x0008, 0x0003),
        rw(0x48, 0x0004_5411, 0xc000_0000),
        ro(0x4c, 0x0004),
        ro(0x50, 0x1004),
        ro(0x54, 0x1312_6409),
        ro(0x58, 0x1716_1514),
        ro(0x5c, 0x1b1a_1918),
        ro(0x60, 0x1f1e_1d1c),
        ro(0x64, 0x0014_0009),
        rw(0x68, 0, 0xffff_ffff),
        rw(0x6c, 0, 0xffff_ffff),
        rw(0x70, 0, 0xffff_ffff),
        ro(0x74, 0xfeed_f00d), // what the model answers
        rw(0xc0, 0x0186_4805, 0x0071_0000),
        rw(0xc4, 0, 0xffff_fffc),
        rw(0xc8, 0, 0xffff_ffff),
        rw(0xcc, 0, 0xffff),
        rw(0xd0, 0, 0xff),
        ro(0xd4, 0),
    ];
    check("conventional function", &rows, || {
        let card = Card::new(EndpointConfig { conventional: true, ..config(7) });
        Box::new(Function { card, id: FunctionId::Pf, target: pf(), conventional: true })
    });
}

#[test]
fn virtual_function() {
    let own = [
        ro(0x00, 0xffff_ffff),
        mixed(0x04, 0x0011_0000, 0x0004, 0xf900_0000),
        ro(0x08, 0x0200_0001),
        ro(0x2c, 0x1101_1af4),
        ro(0x48, 0x0002_8410),
        mixed(0x50, 0, 0, 0x000f_0000).acts(0x8000),
        rw(0x84, 0x0002_0011, 0xc000_0000),
        ro(0x88, 0x0004),
        ro(0x8c, 0x1004),
        ro(0x100, 0x12c2_0001),
        mixed(0x104, 0, 0, 0x0031_d000).link(0x0031_d000), // sticky, but not over a hot reset: a new VF
        mixed(0x110, 0, 0, 0x2000).link(0x2000),
        ro(0x12c, 0x1341_000e),
        ro(0x134, 0x0001_000d),
        rw(0x138, 0x000c, 0x000c_0000),
    ];
    check("virtual function", &[&COMMON[..], &own].concat(), || Function::boxed(FunctionId::Vf(2)));
}

struct Collector(EventCollector);

const COLLECTOR: RequesterId = RequesterId(0x00f8);

impl Subject for Collector {
    fn read(&self, register: u16) -> u32 {
        self.0.config_read(ConfigKind::Type0, COLLECTOR, register).unwrap()
    }

    fn write(&self, register: u16, value: u32, enables: ByteEnables) {
        self.0.config_write(ConfigKind::Type0, COLLECTOR, register, value, enables).unwrap();
    }

    fn raise(&self, register: u16, bits: u32) {
        self.0.raise_bits(register, bits);
    }

    fn hot_reset(&self) {
        self.0.hot_reset();
    }

    fn cold_reset(&self) {
        self.0.reset();
    }

    fn function_level_reset(&self) -> bool {
        false
    }
}

#[test]
fn event_collector() {
    let bits = 0x0057_f030;
    let rows = [
        ro(0x00, 0x0f04_1234),
        mixed(0x04, 0x0011_0000, 0x0546, 0xf900_0000),
        ro(0x08, 0x0807_0000),
        rw(0x0c, 0, 0xff),
        ro(0x34, 0x40),
        rw(0x3c, 0, 0xff),
        ro(0x40, 0x0013_4801),
        rw(0x44, 0x0008, 0x0003),
        rw(0x48, 0x0180_6005, 0x0071_0000),
        rw(0x4c, 0, 0xffff_fffc),
        rw(0x50, 0, 0xffff_ffff),
        rw(0x54, 0, 0xffff),
        rw(0x58, 0, 1),
        ro(0x60, 0x00a2_0010),
        ro(0x64, 0x8000),
        mixed(0x68, 0, 0x000f, 0x000f_0000),
        rw(0x7c, 0, 0x000f),
        mixed(0x80, 0, 0, 0x0001_0000),
        ro(0x100, 0x1382_0001),
        mixed(0x104, 0, 0, bits).sticky(bits),
        rw(0x108, 0x0040_0000, bits).sticky(bits),
        rw(0x10c, 0x0046_2030, bits).sticky(bits),
        mixed(0x110, 0, 0, 0xf1c1).sticky(0xf1c1),
        rw(0x114, 0xe000, 0xf1c1).sticky(0xf1c1),
        rw(0x12c, 0, 0x7),
        mixed(0x130, 0, 0, 0x7f).sticky(0x7f),
        ro(0x138, 0x0001_0007),
        ro(0x13c, 0x0003_0000),
    ];
    check("event collector", &rows, || {
        let identity = Identity { vendor: 0x1234, device: 0x0f04, ..Identity::default() };
        let link = Arc::new(WireLink(Wire::new()));
        Box::new(Collector(EventCollector::new(identity, 0xf8, 0x3_0000, link).unwrap()))
    });
}

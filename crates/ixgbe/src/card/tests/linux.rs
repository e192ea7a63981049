//! Linux's PF driver and its self tests.

use pando_pci::FunctionId;

use crate::identity::Model;
use crate::settings::NicConfig;
use crate::spec::filter::*;
use crate::spec::general::*;
use crate::spec::interrupt::*;
use crate::spec::queue;
use crate::testing::{Machine, NONE, PfDriver};

#[test]
fn probe_and_open() {
    let machine = Machine::enabled();
    let mut driver = PfDriver::probe(&machine);
    driver.open(0);
    assert_eq!(machine.messages(), NONE);
    machine.nic.set_link(false);
    assert_eq!(machine.messages(), [driver.other]);
    assert_eq!(driver.registers.read(EICS) & CAUSE_LINK, CAUSE_LINK);
    driver.other_interrupt();
    assert_eq!(driver.registers.read(LINKS) & LINKS_UP, 0);
}

#[test]
fn the_address_is_in_both_views_right_after_reset() {
    let machine = Machine::enabled();
    let pf = machine.pf();
    for reset in [CTRL_RESET, CTRL_LINK_RESET, CTRL_RESET | CTRL_LINK_RESET] {
        pf.write(RAL, 0x1234_5678);
        pf.write(CTRL, reset);
        for place in [RAL, RAL_ALIAS] {
            assert_eq!(pf.read(place), 0x0000_0002);
            assert_eq!(pf.read(place + 4), 0x8000_0100);
        }
    }
}

/// The capabilities where drivers look for them by heart.
#[test]
fn capability_offsets() {
    let machine = Machine::enabled();
    let read = |register| machine.config_read(FunctionId::Pf, register);
    assert_eq!(read(0), 0x10f8_8086);
    assert_eq!(read(8), 0x0200_0001);
    assert_eq!(read(0x2c), 0x000c_8086);
    assert_eq!(read(0x70) >> 16 & 0x7ff, 63, "vectors minus one");
    assert_eq!(read(0x70) & 0xff, 0x11);
    assert_eq!(read(0x40) & 0xff, 0x01);
    assert_eq!(read(0xa0) & 0xff, 0x10);
    assert_eq!(read(0xa8) >> 16 & 0x20, 0, "no transaction pending");
    assert_eq!(read(0xb0) >> 16 & 0x3ff, 0x82, "5 GT/s on 8 lanes");
    let extended = [0x100, 0x140, 0x150, 0x160].map(|offset| read(offset) & 0xffff);
    assert_eq!(extended, [0x1, 0x3, 0xe, 0x10]);
}

#[test]
fn vf_offsets_follow_ari() {
    let machine = Machine::enabled();
    let read = |register| machine.config_read(FunctionId::Pf, register);
    let write = |register, value| machine.config_write(FunctionId::Pf, register, value);
    assert_eq!(read(0x160 + 0x14), 2 << 16 | 384);
    write(0x160 + 8, 1 << 4);
    assert_eq!(read(0x160 + 0x14), 2 << 16 | 128);
    write(0x160 + 8, 0);
    assert_eq!(read(0x160 + 0x14), 2 << 16 | 384);
    assert_eq!(read(0x160 + 0x18) >> 16, 0x10ed);
    assert_eq!(read(0x160 + 0x0c), 63 << 16 | 63);
}

/// What an X540's driver looks at before anything else: ids, BARs, its PHY.
#[test]
fn an_x540() {
    let config = NicConfig { model: Model::BaseT, ..NicConfig::default() };
    let machine = Machine::new(&config);
    machine.enable(FunctionId::Pf);
    let read = |register| machine.config_read(FunctionId::Pf, register);
    assert_eq!(read(0), 0x1528_8086);
    assert_eq!(read(0x160 + 0x18) >> 16, 0x1515);
    machine.config_write(FunctionId::Pf, 0x10, u32::MAX);
    assert_eq!(read(0x10) & !0xf, !0x1f_ffff, "2 MiB of registers");
    let pf = machine.pf();
    assert_eq!(pf.read(0x10_0000), 0, "nothing there");
    assert_eq!(pf.read(RXPBSIZE), 384 << 10);
    for cycle in [0, 3] {
        pf.write(MSCA, 2 | 1 << 16 | cycle << 26 | MSCA_COMMAND);
        assert_eq!(pf.read(MSCA) & MSCA_COMMAND, 0);
    }
    assert_eq!(pf.read(MSRWD) >> 16, 0x0154);
    assert_ne!(pf.read(LINKS) & LINKS_UP, 0);
}

/// One entry of the driver's register test.
struct Entry {
    first: u32,
    count: u32,
    stride: u32,
    mask: u32,
    write: u32,
}

/// The driver's register test: patterns are written under one mask and expected under another.
#[test]
fn register_test() {
    let machine = Machine::enabled();
    PfDriver::probe(&machine);
    let pf = machine.pf();
    let status = pf.read(STATUS);
    pf.write(STATUS, 0x7fff_f30f);
    assert_eq!(pf.read(STATUS), status);
    let entry = |first, count, stride, mask, write| Entry { first, count, stride, mask, write };
    let full = u32::MAX;
    let before_enable = [
        entry(FCRTL, 1, 4, 0x8007_fff0, 0x8007_fff0),
        entry(FCRTH, 1, 4, 0x8007_fff0, 0x8007_fff0),
        entry(0x3008, 1, 4, full, full),
        entry(VLNCTRL, 1, 4, 0, 0),
        entry(queue::RECEIVE_LOW, 4, 0x40, 0xffff_ff80, 0xffff_ff80),
        entry(queue::RECEIVE_LOW + 4, 4, 0x40, full, full),
        entry(queue::RECEIVE_LOW + 8, 4, 0x40, 0x000f_ff80, 0x000f_ffff),
    ];
    before_enable.iter().for_each(|entry| patterns(&machine, entry));
    let controls = || (0..4).map(|index| queue::RECEIVE_LOW + 0x40 * index + queue::CONTROL);
    controls().for_each(|control| pf.write(control, queue::ENABLE));
    patterns(&machine, &entry(queue::RECEIVE_LOW + queue::TAIL, 4, 0x40, 0xffff, 0xffff));
    controls().for_each(|control| pf.write(control, 0));
    let rest = [
        entry(0x3200, 1, 4, full, full),
        entry(queue::TRANSMIT, 4, 0x40, 0xffff_ff80, full),
        entry(queue::TRANSMIT + 4, 4, 0x40, full, full),
        entry(queue::TRANSMIT + 8, 4, 0x40, 0x000f_ff80, 0x000f_ff80),
        entry(RAL_ALIAS, 16, 8, full, full),
        entry(RAL_ALIAS + 4, 16, 8, 0x8001_ffff, 0x800c_ffff),
        entry(MTA, 128, 4, full, full),
    ];
    rest.iter().for_each(|entry| patterns(&machine, entry));
    pf.write(RXCTRL, 1);
    assert_eq!(pf.read(RXCTRL), 1);
}

#[track_caller]
fn patterns(machine: &Machine, entry: &Entry) {
    let pf = machine.pf();
    for offset in (0..entry.count).map(|index| entry.first + entry.stride * index) {
        let before = pf.read(offset);
        for pattern in [0x5a5a_5a5a, 0xa5a5_a5a5, 0, u32::MAX] {
            pf.write(offset, pattern & entry.write);
            let expected = pattern & entry.write & entry.mask;
            assert_eq!(pf.read(offset), expected, "{offset:#x} after {pattern:#x}");
        }
        pf.write(offset, before);
    }
}

/// The driver's interrupt test in its single vector mode, cause by cause.
#[test]
fn interrupt_test() {
    let machine = Machine::enabled();
    let pf = machine.pf();
    for bit in (0..10).map(|index| 1 << index) {
        pf.write(EIMC, u32::MAX);
        pf.write(EICS, bit);
        assert_eq!(machine.messages(), NONE, "masked");
        pf.read(EICR);
        pf.write(EIMS, bit);
        pf.write(EICS, bit);
        assert_eq!(machine.messages(), [0]);
        assert_eq!(pf.read(EICR), bit);
        pf.write(EIMC, !bit & 0x7fff);
        pf.write(EICS, !bit & 0x7fff);
        assert_eq!(machine.messages(), NONE, "the others are masked");
        pf.read(EICR);
    }
}

/// What `ethtool -d` reads: everything, and none of it faults.
#[test]
fn every_offset_can_be_read() {
    let machine = Machine::enabled();
    let pf = machine.pf();
    (0..SPACE).step_by(4).for_each(|offset| _ = pf.read(offset));
    let mut byte = [0xaa];
    pf.read_bytes(STATUS + 2, &mut byte);
    assert_eq!(byte, [0x08]);
    let mut qword = [0; 8];
    pf.read_bytes(RAL, &mut qword);
    assert_eq!(qword, [2, 0, 0, 0, 0, 1, 0, 0x80]);
}

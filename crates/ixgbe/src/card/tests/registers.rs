//! Registers with rules of their own.

use crate::spec::general::*;
use crate::spec::queue;
use crate::testing::Machine;

/// A qword is two dwords, low one first; less than a dword is lost.
#[test]
fn sizes_of_writes() {
    let machine = Machine::enabled();
    let pf = machine.pf();
    let mut pair = [0; 8];
    pair[..4].copy_from_slice(&0x1234_5678u32.to_le_bytes());
    pair[4..].copy_from_slice(&0x0000_8001u32.to_le_bytes());
    pf.write_bytes(FDIRCMD - 4, &pair);
    assert_eq!(pf.read(FDIRCMD - 4), 0x1234_5678);
    assert_eq!(pf.read(FDIRCMD), 0x8000, "the command is done");
    pf.write_bytes(MAXFRS, &[0xff]);
    pf.write_bytes(MAXFRS + 2, &[0xff, 0xff]);
    pf.write_bytes(MAXFRS + 2, &[0xff; 4]);
    assert_eq!(pf.read(MAXFRS), MAXFRS_RESET);
}

#[test]
fn rates_are_by_queue() {
    let machine = Machine::enabled();
    let pf = machine.pf();
    for queue in 0..128 {
        pf.write(RTTDQSEL, queue);
        pf.write(RTTBCNRC, 0x8000_0000 | queue << 14);
    }
    pf.write(RTTDQSEL, 5);
    assert_eq!(pf.read(RTTBCNRC), 0x8001_4000);
    pf.write(RTTDQSEL, 128);
    pf.write(RTTBCNRC, 7);
    assert_eq!(pf.read(RTTBCNRC), 0);
    pf.write(CTRL, CTRL_RESET);
    pf.write(RTTDQSEL, 5);
    assert_eq!(pf.read(RTTBCNRC), 0);
}

#[test]
fn aliases_are_one_register() {
    let machine = Machine::enabled();
    let pf = machine.pf();
    let pairs = [
        (queue::SRRCTL_ALIAS + 4 * 15, queue::RECEIVE_LOW + 0x40 * 15 + queue::SRRCTL),
        (queue::DCA_RXCTRL_ALIAS + 4, queue::RECEIVE_LOW + 0x40 + queue::DCA),
        (0x5480 + 4 * 3, 0xea00 + 4 * 3),
        (0x5400 + 8 * 15, 0xa200 + 8 * 15),
    ];
    for (one, other) in pairs {
        pf.write(one, 0x0123_4567);
        assert_eq!(pf.read(other), 0x0123_4567, "{one:#x}");
        pf.write(other, 0x0765_4321);
        assert_eq!(pf.read(one), 0x0765_4321, "{other:#x}");
    }
}

#[test]
fn resets_leave_what_the_eeprom_would() {
    let machine = Machine::enabled();
    let pf = machine.pf();
    let all = || (0..SPACE).step_by(4);
    let before: Vec<u32> = all().map(|offset| pf.read(offset)).collect();
    all().skip(2).for_each(|offset| pf.write(offset, 0xffff_fffb));
    pf.write(CTRL, CTRL_RESET | CTRL_GIO_DISABLE);
    for (offset, before) in all().zip(before) {
        assert_eq!(pf.read(offset), before, "{offset:#x}");
    }
    machine.messages();
}

/// The flow director's table is always ready, time stamps are never taken.
#[test]
fn read_only_bits() {
    let machine = Machine::enabled();
    let pf = machine.pf();
    for (offset, expected) in [
        (FDIRCTRL, u32::MAX),
        (TSYNCRXCTL, !1),
        (TSYNCTXCTL, !1),
        (RDRXCTL, u32::MAX),
        (FDIRCMD, !7),
        (LINKS, 0xf000_0000),
        (LINKS2, 0x40),
        (ANLP1, 0x0001_0000),
        (SECTXSTAT, 3),
        (HICR, 0),
        (WUS, 0),
        (AUTOC, !AUTOC_RESTART),
        (MSCA, !MSCA_COMMAND),
        (EEC, 0x2340),
    ] {
        pf.write(offset, u32::MAX);
        assert_eq!(pf.read(offset), expected, "{offset:#x}");
    }
    pf.write(FDIRCTRL, 0);
    assert_eq!(pf.read(FDIRCTRL), FDIRCTRL_DONE);
}

//! iPXE's PF and VF, access by access.

use pando_engine::{Accepts, Offload};
use pando_pci::FunctionId;

use crate::spec::filter::*;
use crate::spec::general::*;
use crate::spec::interrupt::CAUSE_LINK;
use crate::spec::mailbox::*;
use crate::testing::ipxe::{Ipxe, MAILBOX};
use crate::testing::{Machine, NONE, PfDriver, Wire, message};

fn frame(destination: u8, len: usize) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, destination, 2, 0, 0, 0, 0, 9, 0x88, 0xb5];
    frame.resize(len, destination);
    frame
}

#[test]
fn the_pf() {
    let machine = Machine::new(&Default::default());
    machine.config_write(FunctionId::Pf, 4, 0b110); // memory and bus mastering, no MSI-X
    let wire = Wire::new(&machine, Accepts::empty());
    let mut driver = Ipxe::pf(&machine);
    driver.reset_pf();
    assert_eq!(machine.pf().read(CTRL) & (CTRL_RESET | CTRL_LINK_RESET), 0);
    let address = [RAL_ALIAS, RAL_ALIAS + 4].map(|register| machine.pf().read(register));
    assert_eq!(address, [0x0000_0002, RAH_VALID | 0x0100]);
    for round in 0..2 {
        driver.open_pf();
        for len in [60, 100, 1514] {
            driver.send(&frame(7, len));
            driver.sent();
            assert_eq!(wire.expect(1), [(frame(7, len), Offload::default())], "round {round}");
        }
        // More than a ring, one with a tag that makes it as long as a frame can be.
        for number in 0..20 {
            let len = if number == 3 { 1518 } else { 60 + 70 * number };
            let mut sent = frame(number as u8, len);
            sent[12..14].copy_from_slice(&if number == 3 { [0x81, 0] } else { [0x88, 0xb5] });
            wire.send(&sent, Offload::default());
            assert_eq!(driver.received(), sent, "round {round}");
        }
        machine.nic.set_link(false);
        driver.await_cause(CAUSE_LINK);
        assert_eq!(machine.pf().read(LINKS) & LINKS_UP, 0);
        machine.nic.set_link(true);
        driver.close_pf();
    }
    assert_eq!(machine.messages(), NONE);
    assert!(machine.pin().contains(&true), "its pin was used");
}

#[test]
fn a_vf() {
    let machine = Machine::enabled();
    let wire = Wire::new(&machine, Accepts::empty());
    let mut pf = PfDriver::probe(&machine);
    let mut driver = Ipxe::vf(&machine);
    pf.open(1);
    machine.set_vfs(1);
    driver.reset_vf();
    let answer = driver.demand(&mut pf, message::RESET, 0);
    let address = answer[1];
    driver.reset_vf();
    machine.pf().write(VMOLR, VMOLR_AUPE | VMOLR_BAM);
    machine.pf().write(RAL + 8, address);
    machine.pf().write(RAL + 12, RAH_VALID);
    machine.pf().write(MPSAR + 8, 1);
    for round in 0..2 {
        driver.open_vf(&mut pf, address);
        for len in [60, 1514] {
            driver.send(&frame(7, len));
            driver.sent();
            assert_eq!(wire.expect(1), [(frame(7, len), Offload::default())], "round {round}");
        }
        for number in 0..20 {
            let mut sent = frame(0, 60 + 70 * number);
            sent[..4].copy_from_slice(&address.to_le_bytes());
            wire.send(&sent, Offload::default());
            assert_eq!(driver.received(), sent, "round {round}");
        }
        // A word that nobody asked for is acknowledged, and no more.
        pf.post(0, &[message::PING]);
        driver.await_cause(MAILBOX);
        assert_ne!(machine.vf(0).read(VFMAILBOX) & SEEN_STATUS, 0);
        machine.vf(0).write(VFMAILBOX, VF_ACK);
        pf.serve();
        let counted = [0x101c, 0x201c].map(|register| machine.vf(0).read(register));
        assert_eq!(counted, [20 * (round + 1), 2 * (round + 1)]);
        driver.close_vf();
    }
    // While the PF is in reset nothing is asked.
    machine.pf().write(CTRL, CTRL_RESET);
    driver.reset_vf();
    assert_eq!(driver.ask(&mut pf, [message::RESET, 0, 0, 0, 0]), None);
}

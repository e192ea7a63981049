//! VFs: mailbox handshakes, isolation, resets.

use pando_pci::FunctionId;

use crate::spec::filter::*;
use crate::spec::general::*;
use crate::spec::interrupt::*;
use crate::spec::mailbox::*;
use crate::spec::queue;
use crate::testing::{Machine, PfDriver, VfDriver};

/// A card with `vfs` VFs and its PF's driver.
fn with_vfs(machine: &Machine, vfs: u16) -> PfDriver<'_> {
    let mut pf = PfDriver::probe(machine);
    pf.open(vfs);
    machine.set_vfs(vfs);
    pf
}

/// A VF's driver that is up.
fn up<'a>(machine: &'a Machine, vf: u16, pf: &mut PfDriver<'_>) -> VfDriver<'a> {
    let mut driver = VfDriver::new(machine.vf(vf));
    assert!(driver.reset(pf), "VF {vf}");
    driver.open(pf);
    assert_eq!(driver.link(), Some(true));
    pf.serve();
    driver
}

#[test]
fn handshake_of_63_vfs() {
    let machine = Machine::enabled();
    let mut pf = with_vfs(&machine, 63);
    for vf in 0..63 {
        up(&machine, vf, &mut pf);
    }
    assert_eq!(VFRE.map(|offset| machine.pf().read(offset)), [u32::MAX, u32::MAX]);
}

/// A VF's driver that comes before the PF's is told to wait, and goes on once the PF is ready.
#[test]
fn a_vf_waits_for_the_pf() {
    let machine = Machine::enabled();
    let mut pf = with_vfs(&machine, 4);
    pf.reset();
    let mut driver = VfDriver::new(machine.vf(3));
    assert!(!driver.reset(&mut pf));
    pf.open(4);
    assert!(driver.reset(&mut pf));
    driver.open(&mut pf);
}

/// The PF goes down and up again under a working VF: it hears of both, and finds its link again by a reset of its own.
#[test]
fn the_pf_resets_under_a_vf() {
    let machine = Machine::enabled();
    let mut pf = with_vfs(&machine, 1);
    let mut driver = up(&machine, 0, &mut pf);
    machine.messages();
    pf.reset();
    assert_eq!(machine.messages(), [0x102], "the VF's mailbox vector");
    driver.mailbox_interrupt();
    assert_eq!(driver.registers.read(VFMBMEM), 0);
    assert_eq!(driver.link(), Some(false), "no permission to send");
    pf.open(1);
    assert!(machine.messages().contains(&0x102));
    driver.mailbox_interrupt();
    assert!(driver.reset(&mut pf));
    driver.open(&mut pf);
    assert_eq!(driver.link(), Some(true));
}

/// Permission withdrawn: ping, acknowledgement, refusal, reset.
#[test]
fn permission_is_withdrawn() {
    let machine = Machine::enabled();
    let mut pf = with_vfs(&machine, 2);
    let mut driver = up(&machine, 1, &mut pf);
    assert_eq!(driver.link(), Some(true));
    machine.messages();
    pf.ping_without_permission(1);
    assert_eq!(machine.messages(), [0x202]);
    driver.mailbox_interrupt();
    assert_eq!(driver.link(), Some(false), "no permission in the message");
    pf.serve();
    assert_eq!(driver.link(), None, "refused: reset");
    pf.serve();
    assert!(driver.reset(&mut pf));
    driver.open(&mut pf);
    assert_eq!(driver.link(), Some(true));
}

/// The PF takes the buffer only while the VF hasn't got it, and the other way round.
#[test]
fn one_has_the_buffer() {
    let machine = Machine::enabled();
    machine.set_vfs(1);
    let (pf, vf) = (machine.pf(), machine.vf(0));
    vf.write(VFMAILBOX, VF_USES);
    pf.write(PFMAILBOX, PF_USES);
    assert_eq!(pf.read(PFMAILBOX), VF_USES);
    vf.write(VFMAILBOX, VF_REQUEST);
    pf.write(PFMAILBOX, PF_USES);
    vf.write(VFMAILBOX, VF_USES);
    assert_eq!(pf.read(PFMAILBOX), PF_USES);
    pf.write(PFMAILBOX, PF_ACK);
    vf.write(VFMAILBOX, VF_USES | VF_ACK);
    assert_eq!(pf.read(MBVFICR), 1 | 1 << 16);
    pf.write(PFMAILBOX, PF_RESETS_VF);
    assert_eq!((pf.read(PFMAILBOX), pf.read(MBVFICR)), (0, 0));
}

/// What was told is told once; the reset indication stays.
#[test]
fn reads_of_the_mailbox() {
    let machine = Machine::enabled();
    machine.set_vfs(1);
    let (pf, vf) = (machine.pf(), machine.vf(0));
    assert_eq!(vf.read(VFMAILBOX), IN_RESET);
    pf.write(PFMAILBOX, PF_STATUS | PF_ACK);
    assert_eq!(vf.read(VFMAILBOX), IN_RESET | SEEN_STATUS | SEEN_ACK);
    assert_eq!(vf.read(VFMAILBOX), IN_RESET);
    pf.write(CTRL_EXT, CTRL_EXT_PF_RESET_DONE);
    assert_eq!(pf.read(CTRL_EXT), 0);
    assert_eq!(vf.read(VFMAILBOX), RESET_DONE);
    assert_eq!(vf.read(VFMAILBOX), 0);
    vf.write(VFMAILBOX, 0xf8);
    assert_eq!(vf.read(VFMAILBOX), 0);
}

/// Registers whose reads change something, or that tell of a VF by design.
const SKIPPED: [u32; 4] = [SWSM, VFLRE_LOW, EICR, MBVFICR];

fn snapshot(machine: &Machine) -> Vec<(u32, u32)> {
    let offsets = (0..SPACE).step_by(4).filter(|offset| !SKIPPED.contains(offset));
    offsets.map(|offset| (offset, machine.pf().read(offset))).collect()
}

/// A VF reaches the queues of its pool and no others, in every mode, whatever it writes.
#[test]
fn isolation() {
    for (mode, each) in [(1, 8), (2, 4), (3, 2)] {
        let machine = Machine::enabled();
        machine.pf().write(GCR_EXT, mode);
        machine.set_vfs(8);
        let before = snapshot(&machine);
        let vf = machine.vf(5);
        for offset in (4..0x4000).step_by(4).filter(|offset| *offset != VFMAILBOX) {
            vf.write(offset, 0x5a5a_5a5a);
        }
        let queues = 5 * each..6 * each;
        let own = |offset: u32| {
            let of = |first: u32, stride: u32| {
                let queue = offset.checked_sub(first).map(|distance| distance / stride);
                queue.is_some_and(|queue| queues.contains(&queue))
            };
            of(queue::TRANSMIT, queue::STRIDE)
                || of(queue::RECEIVE_LOW, queue::STRIDE)
                || of(queue::SRRCTL_ALIAS, 4)
                || of(queue::DCA_RXCTRL_ALIAS, 4)
                || [PSRTYPE + 20, PSRTYPE_ALIAS + 20].contains(&offset)
                || (PFMBMEM + 5 * 64..PFMBMEM + 6 * 64).contains(&offset)
        };
        for ((offset, before), (_, after)) in before.into_iter().zip(snapshot(&machine)) {
            assert!(before == after || own(offset), "mode {mode}: {offset:#x}");
        }
        let last = queue::TRANSMIT + 0x40 * (6 * each - 1);
        assert_eq!(machine.pf().read(last), 0x5a5a_5a00, "its last queue is its own");
    }
}

/// Without pools a VF has no queues at all.
#[test]
fn no_queues_without_pools() {
    let machine = Machine::enabled();
    machine.set_vfs(1);
    machine.vf(0).write(queue::VF_TRANSMIT, u32::MAX);
    assert_eq!(machine.vf(0).read(queue::VF_TRANSMIT), 0);
    assert_eq!(machine.pf().read(queue::TRANSMIT), 0);
}

/// FLR of a VF: its queues and interrupts are as new, the PF hears of it, nobody else does.
#[test]
fn flr_of_a_vf() {
    let machine = Machine::enabled();
    let mut pf = with_vfs(&machine, 63);
    for vf in [40, 41] {
        let driver = up(&machine, vf, &mut pf);
        driver.registers.write(queue::VF_TRANSMIT, 0x1000);
        driver.registers.write(queue::VF_TRANSMIT + queue::CONTROL, queue::ENABLE);
    }
    machine.messages();
    machine.flr(FunctionId::Vf(40));
    assert_eq!(machine.messages(), [pf.other]);
    let registers = machine.pf();
    assert_eq!((registers.read(VFLRE_LOW), registers.read(VFLRE_HIGH)), (0, 1 << 8));
    registers.write(VFLRE_HIGH, 0);
    assert_eq!(registers.read(VFLRE_HIGH), 1 << 8, "read-only");
    assert_eq!(registers.read(VFTE[1]) >> 8 & 3, 2, "it doesn't send any more");
    assert_eq!(machine.vf(41).read(queue::VF_TRANSMIT), 0x1000);
    assert_eq!(machine.vf(41).read(VTEIMS), 7);
    machine.enable(FunctionId::Vf(40));
    let vf = machine.vf(40);
    assert_eq!([queue::VF_TRANSMIT, VTEIMS, VTIVAR].map(|offset| vf.read(offset)), [0; 3]);
    pf.other_interrupt();
    assert_eq!(registers.read(VFLRE_HIGH), 0);
    up(&machine, 40, &mut pf);
}

/// A mailbox in use when its VF is reset is free afterwards, and nothing of it is left.
#[test]
fn a_reset_frees_the_mailbox() {
    let machine = Machine::enabled();
    let mut pf = with_vfs(&machine, 1);
    let vf = machine.vf(0);
    vf.write(VFMBMEM, 0x1234);
    vf.write(VFMAILBOX, VF_REQUEST);
    vf.write(VFMAILBOX, VF_USES);
    vf.write(VFCTRL, VFCTRL_RESET);
    let registers = machine.pf();
    assert_eq!([MBVFICR, PFMAILBOX, PFMBMEM].map(|offset| registers.read(offset)), [0; 3]);
    up(&machine, 0, &mut pf);
}

/// FLR of the PF takes the VFs with it; a new driver starts from nothing.
#[test]
fn flr_of_the_pf() {
    let machine = Machine::enabled();
    with_vfs(&machine, 8);
    machine.flr(FunctionId::Pf);
    assert_eq!(machine.nic.report().vfs, 0);
    machine.enable(FunctionId::Pf);
    assert_eq!(machine.pf().read(GCR_EXT), 0);
    let mut pf = with_vfs(&machine, 8);
    up(&machine, 7, &mut pf);
}

/// VFs that go leave no wishes behind for those that come.
#[test]
fn vfs_go() {
    let machine = Machine::enabled();
    with_vfs(&machine, 8);
    machine.vf(3).write(VFMAILBOX, VF_REQUEST);
    machine.set_vfs(0);
    assert_eq!(machine.pf().read(VFLRE_LOW), 0);
    assert_eq!(machine.pf().read(MBVFICR), 0);
    assert_eq!(machine.pf().read(STATUS) & STATUS_IOV, 0);
}

//! Interrupts of the PF and of VFs, as Linux uses them.

use std::time::Duration;

use pando_pci::FunctionId;

use crate::NicConfig;
use crate::spec::general::{CTRL, CTRL_RESET, STATUS};
use crate::spec::interrupt::*;
use crate::testing::{Machine, NONE, PfDriver, VfDriver, eventually};

/// No change of the pin.
const NO_CHANGE: [bool; 0] = [];
/// The MSI capability.
const MSI: u16 = 0x50;

/// A queue's vector masks itself; a cause that came meanwhile fires as soon as it is unmasked.
#[test]
fn unmask_with_pending() {
    let machine = Machine::enabled();
    PfDriver::probe(&machine).open(0);
    let pf = machine.pf();
    pf.write(EICS_EX, 1 << 2);
    assert_eq!(machine.messages(), [2]);
    assert_eq!(pf.read(EIMS_EX), !(1 << 2));
    pf.write(EICS_EX, 1 << 2);
    assert_eq!(machine.messages(), NONE);
    pf.write(EIMS_EX, 1 << 2);
    assert_eq!(machine.messages(), [2], "at once");
    pf.write(EIMS_EX, 1 << 2);
    assert_eq!(machine.messages(), NONE, "nothing is pending any more");
}

/// All vectors, those beyond the sixteenth too.
#[test]
fn sixty_four_vectors() {
    let machine = Machine::enabled();
    PfDriver::probe(&machine).open(0);
    let pf = machine.pf();
    for vector in 0..64u32 {
        let half = 4 * (vector / 32);
        pf.write(EICS_EX + half, 1 << (vector % 32));
        assert_eq!(machine.messages(), [vector]);
        pf.write(EICS_EX + half, 1 << (vector % 32));
        assert_eq!(machine.messages(), NONE, "auto masked");
        pf.write(EIMS_EX + half, 1 << (vector % 32));
        assert_eq!(machine.messages(), [vector]);
    }
}

/// The other vector's own bit is auto masked by a message, and that must not hold the next one back.
#[test]
fn the_other_vector_is_not_blocked_by_its_mask_bit() {
    let machine = Machine::enabled();
    let mut driver = PfDriver::probe(&machine);
    driver.open(0);
    let pf = machine.pf();
    for _ in 0..3 {
        pf.write(EICS, CAUSE_MAILBOX);
        assert_eq!(machine.messages(), [driver.other]);
        driver.other_interrupt();
    }
    // A cause that comes between acknowledgement and the end of the handler.
    pf.write(EICS, CAUSE_MAILBOX);
    machine.messages();
    pf.write(EICR, CAUSE_MAILBOX);
    pf.write(EICS, CAUSE_LINK);
    assert_eq!(machine.messages(), [driver.other]);
    // Even if something has masked that vector by its number.
    pf.write(EIMC_EX, 1 << driver.other);
    pf.write(EICR, u32::MAX);
    pf.write(EICS, CAUSE_LINK);
    assert_eq!(machine.messages(), [driver.other]);
}

/// A second cause while one is pending is a message of its own, the same cause again is not.
#[test]
fn other_causes_fire_on_their_edge() {
    let machine = Machine::enabled();
    let mut driver = PfDriver::probe(&machine);
    driver.open(0);
    let pf = machine.pf();
    pf.write(EICS, CAUSE_MAILBOX);
    pf.write(EICS, CAUSE_MAILBOX);
    assert_eq!(machine.messages(), [driver.other]);
    pf.write(EICS, CAUSE_LINK);
    assert_eq!(machine.messages(), [driver.other]);
    pf.write(EIMC, CAUSE_LINK);
    pf.write(EIMS, CAUSE_LINK);
    assert_eq!(machine.messages(), [driver.other], "unmasked while pending");
}

/// With OCD a read of EICR leaves the vectors alone; without, it clears everything.
#[test]
fn what_a_read_clears() {
    let machine = Machine::enabled();
    let pf = machine.pf();
    pf.write(GPIE, GPIE_MSIX | GPIE_OTHER_CLEAR_DISABLE);
    pf.write(EICS, 0x5 | CAUSE_MAILBOX | CAUSE_TCP_TIMER);
    assert_eq!(pf.read(EICS), 0x5 | CAUSE_MAILBOX | CAUSE_TCP_TIMER, "a look clears nothing");
    assert_eq!(pf.read(EICR), 0x5 | CAUSE_MAILBOX | CAUSE_TCP_TIMER);
    assert_eq!(pf.read(EICR), 0x5 | CAUSE_TCP_TIMER);
    pf.write(GPIE, GPIE_MSIX);
    pf.read(EICR);
    assert_eq!(pf.read(EICR), 0);
    assert_eq!(machine.messages(), NONE, "recorded although masked");
}

/// The single vector mode masks on the read, and EICS takes that back.
#[test]
fn single_vector_mode() {
    let machine = Machine::enabled();
    let pf = machine.pf();
    pf.write(EIAM, VECTOR_CAUSES);
    pf.write(EIMS, 1 | CAUSE_LINK);
    pf.write(EICS, 1);
    assert_eq!(machine.messages(), [0]);
    assert_eq!(pf.read(EICR), 1);
    assert_eq!(pf.read(EIMS), CAUSE_LINK, "auto masked");
    pf.write(EICS, CAUSE_LINK);
    assert_eq!(machine.messages(), [0]);
    pf.read(EICR);
    pf.write(EICS, 1);
    assert_eq!(machine.messages(), [0], "unmasked by the write itself");
}

/// As `ixgbe_intr` has it: what is enabled and pending asserts the pin, the read of EICR takes it back.
#[test]
fn the_pin_follows_causes_and_masks() {
    let machine = Machine::new(&NicConfig::default());
    let pf = machine.pf();
    machine.config_write(FunctionId::Pf, 0x04, 0x6);
    let interrupt_status = || machine.config_read(FunctionId::Pf, 0x04) >> 19 & 1;
    pf.write(EIAM, VECTOR_CAUSES);
    pf.write(EIMS, 1 | CAUSE_LINK);
    pf.write(EICS, 1);
    assert_eq!((machine.pin(), interrupt_status()), (vec![true], 1));
    pf.write(EIMC, u32::MAX);
    assert_eq!((machine.pin(), interrupt_status()), (vec![false], 0));
    assert_eq!(pf.read(EICR), 1);
    pf.write(EIMS, CAUSE_LINK);
    assert_eq!(machine.pin(), NO_CHANGE);
    pf.write(EIMS, 1);
    assert_eq!(machine.pin(), NO_CHANGE, "nothing is pending");
    pf.write(EICS, 1 | CAUSE_LINK);
    assert_eq!(machine.pin(), [true]);
    pf.write(EICR, 1);
    assert_eq!(machine.pin(), NO_CHANGE, "another cause is left");
    assert_eq!(pf.read(EICR), CAUSE_LINK);
    assert_eq!(machine.pin(), [false]);
    pf.write(EIMC, CAUSE_LINK);
    pf.write(EICS, CAUSE_LINK);
    assert_eq!(machine.pin(), NO_CHANGE, "masked");
    pf.write(EIMS, CAUSE_LINK);
    assert_eq!(machine.pin(), [true]);
    pf.write(CTRL, CTRL_RESET);
    assert_eq!(machine.pin(), [false]);
    assert_eq!(machine.messages(), NONE);
}

/// The self test's order (`ixgbe_intr_test`), by the pin and by MSI.
#[test]
fn the_self_test_of_interrupts() {
    for by_message in [false, true] {
        let machine = Machine::new(&NicConfig::default());
        let pf = machine.pf();
        machine.config_write(FunctionId::Pf, 0x04, 0x6);
        if by_message {
            machine.config_write(FunctionId::Pf, MSI + 4, 0xfee0_0000);
            machine.config_write(FunctionId::Pf, MSI + 0xc, 0x41);
            machine.config_write(FunctionId::Pf, MSI, 1 << 16);
        }
        let interrupted = || {
            let pin = machine.pin().contains(&true);
            let messages = machine.messages();
            assert!(if by_message { !pin } else { messages.is_empty() });
            let interrupted = pin || messages.contains(&0x41);
            if interrupted { pf.read(EICR) } else { 0 }
        };
        pf.write(EIMC, u32::MAX);
        for bit in 0..10 {
            let (mask, others) = (1 << bit, !(1 << bit) & 0x7fff);
            pf.write(EIMC, others);
            pf.write(EICS, others);
            assert_eq!(interrupted() & mask, 0);
            pf.write(EIMS, mask);
            pf.write(EICS, mask);
            assert_eq!(interrupted() & mask, mask, "bit {bit}, by message: {by_message}");
            pf.write(EIMC, others);
            pf.write(EICS, others);
            assert_eq!(interrupted(), 0);
        }
    }
}

/// The throttle of vector 0 holds the pin back too; the last event isn't lost.
#[test]
fn the_pin_is_throttled() {
    let machine = Machine::new(&NicConfig::default());
    let pf = machine.pf();
    machine.config_write(FunctionId::Pf, 0x04, 0x6);
    pf.write(EITR, 0xff8);
    pf.write(EIMS, 1);
    for _ in 0..5 {
        pf.write(EICS, 1);
        eventually("the pin", || machine.pin().contains(&true));
        pf.read(EICR);
        assert_eq!(machine.pin(), [false]);
    }
}

/// A throttled vector sends late, once, and never loses its last event.
#[test]
fn throttles() {
    let machine = Machine::enabled();
    PfDriver::probe(&machine).open(0);
    let pf = machine.pf();
    pf.write(EITR + 4, 0xff8);
    pf.write(EIAM_EX, 0);
    assert_eq!(pf.read(EITR + 4), 0xff8);
    pf.write(EICS_EX, 2);
    assert_eq!(machine.messages(), [1]);
    let (mut sent, mut raised) = (0, 0);
    eventually("throttled messages", || {
        if sent < 5 {
            pf.write(EICS_EX, 2);
            raised += 1;
        }
        sent += machine.messages().len();
        sent >= 5
    });
    assert!(raised >= sent, "{raised} events, {sent} messages");
    std::thread::sleep(Duration::from_millis(20));
    assert!(machine.messages().len() <= 1, "what was still due");
    pf.write(EITR + 4, 0);
    pf.write(EICS_EX, 2);
    pf.write(EICS_EX, 2);
    assert_eq!(machine.messages(), [1, 1], "not throttled");
}

/// A VF's vectors: software events, auto mask, unmask with pending.
#[test]
fn vectors_of_a_vf() {
    let machine = Machine::enabled();
    let mut pf = PfDriver::probe(&machine);
    pf.open(2);
    machine.set_vfs(2);
    let mut driver = VfDriver::new(machine.vf(1));
    assert!(driver.reset(&mut pf));
    driver.open(&mut pf);
    machine.messages();
    let vf = machine.vf(1);
    for vector in 0..3u32 {
        vf.write(VTEICS, 1 << vector);
        assert_eq!(machine.messages(), [0x200 + vector]);
        vf.write(VTEICS, 1 << vector);
        assert_eq!(machine.messages(), NONE);
        vf.write(VTEIMS, 1 << vector);
        assert_eq!(machine.messages(), [0x200 + vector]);
    }
    vf.write(VTEIAC, 0);
    vf.write(VTEIMS, 7);
    vf.write(VTEICS, 7);
    assert_eq!(vf.read(VTEICR), 7);
    assert_eq!(vf.read(VTEICR), 0);
    vf.write(VTEICS, !7);
    assert_eq!(vf.read(VTEICR), 0, "there are three");
}

/// Every message carries the id of who it is about.
#[test]
fn messages_carry_their_function() {
    let machine = Machine::enabled();
    let mut pf = PfDriver::probe(&machine);
    pf.open(63);
    machine.set_vfs(63);
    let mut driver = VfDriver::new(machine.vf(62));
    assert!(driver.reset(&mut pf));
    driver.open(&mut pf);
    machine.messages();
    machine.vf(62).write(VTEICS, 1);
    machine.pf().write(EICS_EX, 1);
    let ids = [FunctionId::Vf(62), FunctionId::Pf].map(Machine::id);
    assert_eq!(machine.messages_with_ids(), [(ids[0], 63 * 256), (ids[1], 0)]);
    assert_eq!(machine.pf().read(STATUS) >> 10 & 0xff, 63);
}

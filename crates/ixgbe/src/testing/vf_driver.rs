//! What Linux's VF driver does to the registers, in its order (ixgbevf 6.1, mailbox up to version 1.4).

use super::Registers;
use super::pf_driver::{PfDriver, message};
use crate::spec::general::LINKS_UP;
use crate::spec::interrupt::*;
use crate::spec::mailbox::*;
use crate::spec::queue;

/// What reads of VFMAILBOX clear.
const READ_CLEARS: u32 = SEEN_STATUS | SEEN_ACK | RESET_DONE;

/// A VF's driver.
pub(crate) struct VfDriver<'a> {
    pub(crate) registers: Registers<'a>,
    /// Bits that a read has cleared and nobody has asked for yet.
    seen: u32,
    waits_for_link: bool,
}

impl<'a> VfDriver<'a> {
    pub(crate) fn new(registers: Registers<'a>) -> Self {
        Self { registers, seen: 0, waits_for_link: true }
    }

    fn mailbox(&mut self) -> u32 {
        let value = self.registers.read(VFMAILBOX) | self.seen;
        self.seen |= value & READ_CLEARS;
        value
    }

    /// Whether one of `bits` was seen; each is told once.
    fn check(&mut self, bits: u32) -> bool {
        let there = self.mailbox() & bits != 0;
        self.seen &= !bits;
        there
    }

    fn lock(&mut self) {
        let value = self.mailbox() | VF_USES;
        self.registers.write(VFMAILBOX, value);
        assert_ne!(self.mailbox() & VF_USES, 0, "the PF has the buffer");
    }

    /// Sends a message; the PF hasn't answered yet.
    pub(crate) fn post(&mut self, words: &[u32]) {
        self.lock();
        self.check(SEEN_STATUS);
        self.check(SEEN_ACK);
        for (word, value) in (0..).zip(words) {
            self.registers.write(VFMBMEM + 4 * word, *value);
        }
        self.registers.write(VFMAILBOX, VF_REQUEST);
    }

    /// Reads the PF's message, if there is one.
    pub(crate) fn take(&mut self) -> Option<[u32; 4]> {
        if !self.check(SEEN_STATUS) {
            return None;
        }
        self.lock();
        let words = [0, 4, 8, 12].map(|word| self.registers.read(VFMBMEM + word));
        self.registers.write(VFMAILBOX, VF_ACK);
        Some(words)
    }

    /// Sends a message; the PF's answer.
    #[track_caller]
    pub(crate) fn ask(&mut self, pf: &mut PfDriver<'_>, words: &[u32]) -> [u32; 4] {
        self.post(words);
        pf.serve();
        assert!(self.check(SEEN_ACK), "the PF has read it");
        self.take().expect("the PF has answered")
    }

    /// Resets the VF and asks for its address; `false` while the PF is in reset.
    pub(crate) fn reset(&mut self, pf: &mut PfDriver<'_>) -> bool {
        let registers = self.registers;
        registers.write(VTEIMC, 7);
        registers.read(VTEICR);
        for index in 0..8 {
            registers.write(queue::VF_TRANSMIT + 0x40 * index + queue::CONTROL, queue::FLUSH);
            registers.modify(queue::VF_RECEIVE + 0x40 * index + queue::CONTROL, queue::ENABLE, 0);
        }
        registers.write(VFCTRL, VFCTRL_RESET);
        registers.read(VFSTATUS);
        self.seen = 0;
        if (0..3).all(|_| self.check(IN_RESET | RESET_DONE)) {
            return false;
        }
        pf.serve();
        let answer = self.ask(pf, &[message::RESET]);
        assert_eq!(answer[0], message::RESET | message::ACK);
        assert_eq!(answer[1] & 0xff, 2);
        // The PF hears of the acknowledgement.
        pf.serve();
        self.waits_for_link = true;
        true
    }

    /// Agrees on a protocol, and lets interrupts in.
    pub(crate) fn open(&mut self, pf: &mut PfDriver<'_>) {
        let answer = self.ask(pf, &[message::NEGOTIATE, 5]);
        assert_eq!(answer[0], message::NEGOTIATE | message::ACK | message::CLEAR_TO_SEND);
        pf.serve();
        let registers = self.registers;
        registers.write(VTIVAR, 0x8181_8080);
        registers.write(VTIVAR_MISC, 0x82);
        registers.write(VTEIAM, 7);
        registers.write(VTEIAC, 7);
        registers.write(VTEIMS, 7);
    }

    /// Looks after the link as the service task does; whether it is up, or `None` if the VF must be reset.
    pub(crate) fn link(&mut self) -> Option<bool> {
        if self.check(RESET_DONE | IN_RESET) {
            self.waits_for_link = true;
        }
        if !self.waits_for_link {
            return Some(true);
        }
        if self.registers.read(VFLINKS) & LINKS_UP == 0 {
            return Some(false);
        }
        self.lock();
        let word = self.registers.read(VFMBMEM);
        self.registers.write(VFMAILBOX, VF_ACK);
        if word & message::CLEAR_TO_SEND != 0 {
            self.waits_for_link = false;
            return Some(true);
        }
        (word & message::NACK == 0).then_some(false)
    }

    /// What the driver does on its mailbox vector.
    pub(crate) fn mailbox_interrupt(&mut self) {
        self.waits_for_link = true;
        self.registers.write(VTEIMS, 4);
    }
}

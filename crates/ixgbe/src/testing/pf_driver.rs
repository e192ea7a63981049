//! What Linux's PF driver does to the registers, in its order: probe, open, mailbox (ixgbe 6.1 and 6.12).

use crate::spec::filter::*;
use crate::spec::general::*;
use crate::spec::interrupt::*;
use crate::spec::mailbox::*;
use crate::spec::queue;

use super::{Machine, Registers};

/// Message types and flags of the drivers' protocol.
pub(crate) mod message {
    pub(crate) const RESET: u32 = 1;
    pub(crate) const NEGOTIATE: u32 = 8;
    pub(crate) const PING: u32 = 0x100;
    pub(crate) const CLEAR_TO_SEND: u32 = 1 << 29;
    pub(crate) const NACK: u32 = 1 << 30;
    pub(crate) const ACK: u32 = 1 << 31;
}

/// Causes that the driver enables for its other vector.
const OTHER: u32 = 0xf7f0_0000 & !VECTOR_CAUSES | CAUSE_MAILBOX | CAUSE_LINK;

/// The PF's driver.
pub(crate) struct PfDriver<'a> {
    pub(crate) registers: Registers<'a>,
    vfs: u16,
    clear_to_send: Vec<bool>,
    /// The vector of everything but queues.
    pub(crate) other: u32,
}

impl<'a> PfDriver<'a> {
    /// Probes the card; every answer a driver needs is checked.
    pub(crate) fn probe(machine: &'a Machine) -> Self {
        let registers = machine.pf();
        let mut driver = Self { registers, vfs: 0, clear_to_send: Vec::new(), other: 4 };
        assert_eq!(registers.read(EEC) >> 8 & 1, 1, "an EEPROM");
        assert_eq!(registers.read(RXPBSIZE), 0x8_0000);
        assert_eq!(registers.read(SECTXSTAT) & 2, 2);
        assert_eq!(registers.read(SECRXSTAT) & 2, 2);
        registers.write(WUS, u32::MAX);
        driver.reset();
        assert_eq!(registers.read(FWSM) & 0x1f8_8000, 0x8000);
        assert_eq!(driver.checksum(), 0xbaba);
        assert_eq!(registers.read(STATUS) >> 2 & 3, 0, "port 0");
        assert_eq!(registers.read(FACTPS) >> 30 & 1, 0);
        driver.start();
        assert_eq!(registers.read(HICR) & 1, 0);
        driver
    }

    fn word(&self, address: u32) -> u16 {
        self.registers.write(EERD, address << 2 | 1);
        let answer = self.registers.read(EERD);
        assert_eq!(answer & 2, 2, "done");
        (answer >> 16) as u16
    }

    fn checksum(&self) -> u16 {
        for pointer in 3..0xf {
            assert!(matches!(self.word(pointer), 0 | 0xffff), "no sections");
        }
        (0..=0x3f).fold(0, |sum: u16, address| sum.wrapping_add(self.word(address)))
    }

    /// Takes and gives back the semaphore.
    fn semaphore(&self) {
        let registers = self.registers;
        assert_eq!(registers.read(SWSM) & 1, 0, "free");
        registers.modify(SWSM, 0, 2);
        assert_eq!(registers.read(SWSM) & 2, 2);
        registers.modify(SWSM, 3, 0);
    }

    /// Stops everything and resets the card.
    pub(crate) fn reset(&mut self) {
        let registers = self.registers;
        registers.write(RXCTRL, 0);
        registers.write(EIMC, u32::MAX);
        registers.read(EICR);
        for index in 0..128 {
            registers.write(queue::TRANSMIT + 0x40 * index + queue::CONTROL, queue::FLUSH);
            let control = receive(index) + queue::CONTROL;
            registers.modify(control, queue::ENABLE, queue::FLUSH);
            assert_eq!(registers.read(control) & (queue::ENABLE | queue::FLUSH), 0);
        }
        registers.modify(CTRL, 0, CTRL_GIO_DISABLE);
        assert_ne!(registers.read(CTRL) & CTRL_GIO_DISABLE, 0);
        assert_eq!(registers.read(STATUS) & STATUS_GIO, 0);
        self.semaphore();
        registers.write(MSCA, 0x6000_0000);
        assert_eq!(registers.read(MSCA) & MSCA_COMMAND, 0);
        assert_ne!(registers.read(MSRWD) >> 30, 2, "nobody there");
        assert_ne!(registers.read(LINKS) & LINKS_UP, 0);
        registers.modify(CTRL, 0, CTRL_RESET);
        let control = registers.read(CTRL);
        assert_eq!(control & (CTRL_RESET | CTRL_LINK_RESET | CTRL_GIO_DISABLE), 0);
        assert_eq!(registers.read(AUTOC), 0x2000);
        assert_ne!(registers.read(RAL_ALIAS + 4) & RAH_VALID, 0);
        self.addresses();
        self.clear_to_send.fill(false);
    }

    fn addresses(&self) {
        let registers = self.registers;
        for index in 1..128 {
            registers.write(RAL + 8 * index, 0);
            registers.write(RAL + 8 * index + 4, 0);
            registers.write(MPSAR + 8 * index, 0);
            registers.write(MPSAR + 8 * index + 4, 0);
        }
        for index in 0..128 {
            registers.write(MTA + 4 * index, 0);
            registers.write(UTA + 4 * index, 0);
        }
    }

    /// The rest of hardware start: filters, counters, flow control, rates.
    fn start(&self) {
        let registers = self.registers;
        (0..128).for_each(|index| registers.write(VFTA + 4 * index, 0));
        (0..64).for_each(|index| registers.write(VLVF + 4 * index, 0));
        (0..128).for_each(|index| registers.write(VLVFB + 4 * index, 0));
        (0x4000..0x4200).step_by(4).for_each(|offset| _ = registers.read(offset));
        registers.modify(CTRL_EXT, 0, 1 << 16);
        assert_ne!(registers.read(ANLP1) >> 16 & 0xf, 0, "negotiation isn't idle");
        registers.modify(AUTOC, 0, AUTOC_RESTART);
        assert_eq!(registers.read(AUTOC), 0x2000);
        for index in 0..128 {
            registers.write(RTTDQSEL, index);
            registers.write(RTTBCNRC, 0);
        }
    }

    /// Brings the interface up, with `vfs` VFs to come.
    pub(crate) fn open(&mut self, vfs: u16) {
        let registers = self.registers;
        self.vfs = vfs;
        self.clear_to_send = vec![false; vfs.into()];
        if vfs > 0 {
            self.virtualization();
        }
        registers.modify(FCTRL, 0, 1 << 10);
        registers.write(0x0_8d00, 2);
        assert_eq!(registers.read(SECRXSTAT) & 1, 1);
        registers.write(0x0_8d00, 0);
        registers.write(FDIRCTRL, 0);
        assert_ne!(registers.read(FDIRCTRL) & FDIRCTRL_DONE, 0);
        registers.write(MTQC, if vfs > 0 { 6 } else { 0 });
        registers.write(MRQC, if vfs > 0 { 0xb } else { 1 });
        registers.modify(DMATXCTL, 0, DMATXCTL_ENABLE);
        registers.modify(RXCTRL, 0, RXCTRL_ENABLE);
        self.interrupts();
        registers.modify(CTRL_EXT, 0, 1 << 28);
        registers.modify(CTRL_EXT, 0, CTRL_EXT_PF_RESET_DONE);
    }

    fn virtualization(&self) {
        let (registers, pf) = (self.registers, u32::from(self.vfs));
        registers.write(VT_CTL, 1 | pf << 7 | 1 << 30);
        registers.write(VMOLR + 4 * pf, 1 << 24);
        let pools = u64::MAX << pf;
        for (index, half) in [pools as u32, (pools >> 32) as u32].into_iter().enumerate() {
            registers.write(VFRE[index], half);
            registers.write(VFTE[index], half);
        }
        registers.write(PFDTXGSWC, 1);
        registers.write(MPSAR, 0);
        registers.write(GCR_EXT, 3);
    }

    /// MSI-X as Linux uses it: queue pair n of four on vector n, the rest on the next.
    fn interrupts(&self) {
        let registers = self.registers;
        let vt = if self.vfs > 0 { 3 << 14 } else { 0 };
        let gpie = GPIE_MSIX | GPIE_OTHER_CLEAR_DISABLE | GPIE_AUTO_MASK | 1 << 31;
        registers.write(EIAM_EX, u32::MAX);
        registers.write(EIAM_EX + 4, u32::MAX);
        registers.write(GPIE, gpie | vt);
        for index in 0..4 {
            let queue = self.first_queue() + index;
            let entry = (index | 0x80) * 0x0101;
            let (register, shift) = (IVAR + 4 * (queue / 2), 16 * (queue % 2));
            registers.modify(register, 0xffff << shift, entry << shift);
        }
        registers.write(IVAR_MISC, (self.other | 0x80) << 8);
        registers.write(EIAC, VECTOR_CAUSES | CAUSE_TCP_TIMER);
        registers.read(EICR);
        registers.write(EIMS, OTHER);
        registers.write(EIMS_EX, u32::MAX);
        registers.write(EIMS_EX + 4, u32::MAX);
    }

    /// The first of the PF's queues.
    pub(crate) fn first_queue(&self) -> u32 {
        2 * u32::from(self.vfs)
    }

    /// What the driver does on its other vector.
    pub(crate) fn other_interrupt(&mut self) {
        let registers = self.registers;
        let causes = registers.read(EICS) & !VECTOR_CAUSES;
        registers.write(EICR, causes);
        if causes & CAUSE_MAILBOX != 0 {
            self.messages();
        }
        registers.write(EIMS, OTHER);
    }

    /// Serves interrupts of the other vector until none comes.
    pub(crate) fn serve(&mut self) {
        while self.registers.machine().messages().contains(&self.other) {
            self.other_interrupt();
        }
    }

    fn messages(&mut self) {
        for vf in 0..self.vfs {
            let flr = if vf < 32 { VFLRE_LOW } else { VFLRE_HIGH };
            if self.registers.read(flr) >> (vf % 32) & 1 != 0 {
                self.registers.write(VFLREC + 4 * u32::from(vf / 32), 1 << (vf % 32));
                self.restart_queues(vf);
            }
            if self.take(vf, 0) {
                self.message(vf);
            }
            if self.take(vf, 16) && !self.clear_to_send[usize::from(vf)] {
                self.post(vf, &[message::NACK]);
            }
        }
    }

    /// After a VF's reset each of its transmit queues that was ever used is switched on and off.
    fn restart_queues(&self, vf: u16) {
        for index in 2 * vf..2 * vf + 2 {
            let control = queue::TRANSMIT + 0x40 * u32::from(index) + queue::CONTROL;
            if self.registers.read(control) != 0 {
                self.registers.modify(control, 0, queue::ENABLE);
                self.registers.modify(control, queue::ENABLE, 0);
            }
        }
    }

    /// Takes a request (`shift` 0) or an acknowledgement (16).
    fn take(&self, vf: u16, shift: u32) -> bool {
        let register = MBVFICR + 4 * u32::from(vf / 16);
        let bit = 1 << (u32::from(vf % 16) + shift);
        let there = self.registers.read(register) & bit != 0;
        if there {
            self.registers.write(register, bit);
        }
        there
    }

    fn message(&mut self, vf: u16) {
        let (registers, control) = (self.registers, PFMAILBOX + 4 * u32::from(vf));
        registers.write(control, PF_USES);
        if registers.read(control) & PF_USES == 0 {
            return;
        }
        let memory = PFMBMEM + 64 * u32::from(vf);
        let words: Vec<u32> = (0..16).map(|word| registers.read(memory + 4 * word)).collect();
        registers.write(control, PF_ACK);
        match words[0] {
            first if first & (message::ACK | message::NACK) != 0 => {}
            message::RESET => self.reset_message(vf),
            first if !self.clear_to_send[usize::from(vf)] => {
                self.post(vf, &[first | message::NACK]);
            }
            first => self.post(vf, &[first | message::ACK | message::CLEAR_TO_SEND, words[1]]),
        }
    }

    fn reset_message(&mut self, vf: u16) {
        let (bit, half) = (1 << (vf % 32), usize::from(vf / 32));
        for word in 0..16 {
            self.registers.write(PFMBMEM + 64 * u32::from(vf) + 4 * word, 0);
        }
        self.registers.modify(VFRE[half], 0, bit);
        self.registers.modify(VFTE[half], 0, bit);
        self.clear_to_send[usize::from(vf)] = true;
        let address = 0x0300_0002 | u32::from(vf) << 8;
        self.post(vf, &[message::RESET | message::ACK, address, 0, 0]);
    }

    /// Withdraws the permission to send, and says so.
    pub(crate) fn ping_without_permission(&mut self, vf: u16) {
        self.clear_to_send[usize::from(vf)] = false;
        self.post(vf, &[message::PING]);
    }

    pub(crate) fn post(&self, vf: u16, words: &[u32]) {
        let (registers, control) = (self.registers, PFMAILBOX + 4 * u32::from(vf));
        registers.write(control, PF_USES);
        assert_ne!(registers.read(control) & PF_USES, 0, "the VF has the buffer");
        self.take(vf, 0);
        self.take(vf, 16);
        for (word, value) in (0..).zip(words) {
            registers.write(PFMBMEM + 64 * u32::from(vf) + 4 * word, *value);
        }
        registers.write(control, PF_STATUS);
    }
}

/// The block of a receive queue.
pub(crate) fn receive(index: u32) -> u32 {
    match index.checked_sub(64) {
        None => queue::RECEIVE_LOW + queue::STRIDE * index,
        Some(index) => queue::RECEIVE_HIGH + queue::STRIDE * index,
    }
}

//! What iPXE's drivers of PF and VF do to the registers, in their order: probe, open, frames out and in, close (intelx and intelxvf of
//! 2015 and later).
//!
//! Rings of 16 descriptors, legacy ones but for the VF's transmit ring; nothing is done before the cause registers say that there is
//! something to do.

use crate::spec::descriptor::*;
use crate::spec::filter::*;
use crate::spec::general::*;
use crate::spec::interrupt::*;
use crate::spec::mailbox::*;
use crate::spec::queue::*;

use super::pf_driver::{PfDriver, message};
use super::{Machine, Registers, eventually};

/// Descriptors of a ring, and how many of a receive ring's are given to the card.
const COUNT: u32 = 16;
const FILL: u32 = 8;
/// Causes, as both drivers program them.
const RECEIVED: u32 = 1;
const SENT: u32 = 2;
pub(crate) const MAILBOX: u32 = 4;
/// RDRXCTL: strip check sequences; DCA_RXCTRL: must be zero; SRRCTL: 2 KiB, and for VFs 256 bytes of header, drop.
const STRIP: u32 = 1;
const MUST_BE_ZERO: u32 = 1 << 12;
const BUFFERS: u32 = 2;
const VF_BUFFERS: u32 = 2 | 4 << 8 | SRRCTL_DROP;
/// Commands of transmit descriptors: end, check sequence, report.
const COMMAND: u32 = TX_EOP | 1 << 25 | TX_RS;
const ADVANCED: u32 = COMMAND | TX_DEXT | TX_TYPE_DATA << TX_TYPE_SHIFT;

/// A driver with its two rings.
pub(crate) struct Ipxe<'a> {
    registers: Registers<'a>,
    transmit: Ring,
    receive: Ring,
    causes: u32,
    command: u32,
}

/// A ring and its buffers in memory.
#[derive(Clone, Copy)]
struct Ring {
    block: u32,
    base: u64,
    produced: u32,
    consumed: u32,
}

impl Ring {
    fn new(block: u32, place: u64) -> Self {
        Self { block, base: place << 16, produced: 0, consumed: 0 }
    }

    fn descriptor(&self, number: u32) -> u64 {
        self.base + 16 * u64::from(number % COUNT)
    }

    fn buffer(&self, number: u32) -> u64 {
        self.base + 0x1000 + 2048 * u64::from(number % COUNT)
    }
}

impl<'a> Ipxe<'a> {
    pub(crate) fn pf(machine: &'a Machine) -> Self {
        let (transmit, receive) = (Ring::new(TRANSMIT, 1), Ring::new(RECEIVE_LOW, 2));
        Self { registers: machine.pf(), transmit, receive, causes: EICR, command: COMMAND }
    }

    pub(crate) fn vf(machine: &'a Machine) -> Self {
        let (transmit, receive) = (Ring::new(VF_TRANSMIT, 3), Ring::new(VF_RECEIVE, 4));
        Self { registers: machine.vf(0), transmit, receive, causes: VTEICR, command: ADVANCED }
    }

    /// Stops a ring and leaves nothing in its registers.
    fn reset_ring(&self, block: u32) {
        let registers = self.registers;
        registers.write(block + CONTROL, 0);
        assert_eq!(registers.read(block + CONTROL) & ENABLE, 0);
        for register in [LENGTH, BASE_HIGH, BASE_LOW, HEAD, TAIL] {
            registers.write(block + register, 0);
        }
    }

    fn create_rings(&mut self) {
        let registers = self.registers;
        for ring in [&mut self.transmit, &mut self.receive] {
            registers.machine().write(ring.base, &[0; 16 * COUNT as usize]);
            (ring.produced, ring.consumed) = (0, 0);
            let base = ring.base as u32;
            let values =
                [(BASE_LOW, base), (BASE_HIGH, 0), (LENGTH, 16 * COUNT), (HEAD, 0), (TAIL, 0)];
            for (register, value) in values {
                registers.write(ring.block + register, value);
            }
            registers.modify(ring.block + CONTROL, 0, ENABLE);
        }
    }

    fn refill(&mut self) {
        let (machine, ring) = (self.registers.machine(), &mut self.receive);
        while ring.produced - ring.consumed < FILL {
            let descriptor = [ring.buffer(ring.produced).to_le_bytes(), [0; 8]].concat();
            machine.write(ring.descriptor(ring.produced), &descriptor);
            ring.produced += 1;
        }
        self.registers.write(ring.block + TAIL, ring.produced % COUNT);
    }

    pub(crate) fn send(&mut self, frame: &[u8]) {
        let (machine, ring) = (self.registers.machine(), &mut self.transmit);
        machine.write(ring.buffer(ring.produced), frame);
        let len = frame.len() as u32;
        let payload = if self.command == ADVANCED { len << 14 } else { 0 };
        let dwords = [self.command | len, payload].map(u32::to_le_bytes).concat();
        let descriptor = [&ring.buffer(ring.produced).to_le_bytes()[..], &dwords].concat();
        machine.write(ring.descriptor(ring.produced), &descriptor);
        ring.produced += 1;
        self.registers.write(ring.block + TAIL, ring.produced % COUNT);
    }

    /// Looks until `cause` has come.
    #[track_caller]
    pub(crate) fn await_cause(&self, cause: u32) {
        eventually("a cause", || self.registers.read(self.causes) & cause != 0);
    }

    /// The dwords of a ring's oldest descriptor that are written back: what, and whether it is done.
    fn oldest(&self, ring: &Ring) -> [u32; 2] {
        let bytes = self.registers.machine().memory(ring.descriptor(ring.consumed) + 8, 8);
        [0, 4].map(|at| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()))
    }

    #[track_caller]
    pub(crate) fn sent(&mut self) {
        self.await_cause(SENT);
        assert_ne!(self.oldest(&self.transmit)[1] & TX_DD, 0);
        self.transmit.consumed += 1;
    }

    #[track_caller]
    pub(crate) fn received(&mut self) -> Vec<u8> {
        const RECEIVE_ERROR: u32 = 1 << 8;
        self.await_cause(RECEIVED);
        let [len, status] = self.oldest(&self.receive);
        assert_eq!(status & (legacy::DD | legacy::EOP | RECEIVE_ERROR), legacy::DD | legacy::EOP);
        let buffer = self.receive.buffer(self.receive.consumed);
        let frame = self.registers.machine().memory(buffer, (len & 0xffff) as usize);
        self.receive.consumed += 1;
        self.refill();
        frame
    }

    pub(crate) fn reset_pf(&self) {
        self.registers.modify(CTRL, 0, CTRL_RESET | CTRL_LINK_RESET);
    }

    pub(crate) fn open_pf(&mut self) {
        self.create_rings();
        let registers = self.registers;
        for address in [RAL_ALIAS, RAL] {
            registers.write(address, 0x0000_0002);
            registers.write(address + 4, RAH_VALID | 0x0100);
        }
        registers.write(IVAR, 0x80 | 0x81 << 8);
        for (register, clear, set) in [
            (DMATXCTL, 0, DMATXCTL_ENABLE),
            (FCTRL, 0, FCTRL_BAM | FCTRL_UPE | FCTRL_MPE),
            (SRRCTL_ALIAS, 0x1f, BUFFERS),
            (HLREG0, 0, 1 << 2),
            (MAXFRS, 0xffff << 16, 1522 << 16),
            (RDRXCTL, 0, STRIP),
            (DCA_RXCTRL_ALIAS, MUST_BE_ZERO, 0),
            (RXCTRL, 0, RXCTRL_ENABLE),
        ] {
            registers.modify(register, clear, set);
        }
        self.refill();
        assert_ne!(registers.read(LINKS) & LINKS_UP, 0);
        registers.write(EIMS, RECEIVED | SENT | CAUSE_LINK | 1 << 17);
    }

    pub(crate) fn close_pf(&self) {
        self.registers.modify(RXCTRL, RXCTRL_ENABLE, 0);
        self.registers.modify(DMATXCTL, DMATXCTL_ENABLE, 0);
        self.reset_ring(self.receive.block);
        self.reset_ring(self.transmit.block);
        self.reset_pf();
    }

    pub(crate) fn reset_vf(&self) {
        self.registers.write(VFCTRL, VFCTRL_RESET);
    }

    /// A message of five words and the PF's answer, or `None` while the PF is in reset.
    pub(crate) fn ask(&self, pf: &mut PfDriver<'_>, mut words: [u32; 5]) -> Option<[u32; 5]> {
        let (registers, mut seen) = (self.registers, 0);
        for _ in 0..500 {
            if seen & VF_USES == 0 {
                registers.write(VFMAILBOX, VF_USES);
            }
            let control = registers.read(VFMAILBOX);
            seen |= control;
            if control & IN_RESET != 0 {
                registers.write(VFMAILBOX, 0);
                return None;
            }
            let places = (VFMBMEM..).step_by(4);
            if control & VF_USES != 0 {
                words.iter().zip(places.clone()).for_each(|(word, at)| registers.write(at, *word));
            }
            if seen & VF_USES != 0 && seen & SEEN_ACK != 0 && control & SEEN_STATUS != 0 {
                words.iter_mut().zip(places).for_each(|(word, at)| *word = registers.read(at));
            }
            let acknowledges = if control & SEEN_STATUS != 0 { VF_ACK } else { 0 };
            let requests = if control & VF_USES != 0 { VF_REQUEST } else { 0 };
            registers.write(VFMAILBOX, acknowledges | requests);
            if words[0] & (message::ACK | message::NACK) != 0 {
                return Some(words);
            }
            pf.serve();
        }
        panic!("no answer to {words:x?}");
    }

    /// Asks for what has to be granted.
    #[track_caller]
    pub(crate) fn demand(&self, pf: &mut PfDriver<'_>, kind: u32, word: u32) -> [u32; 5] {
        let answer = self.ask(pf, [kind, word, 0, 0, 0]).expect("the PF is ready");
        assert_eq!(answer[0] & (message::ACK | 0xffff), message::ACK | kind, "{kind:#x} {word:#x}");
        answer
    }

    pub(crate) fn open_vf(&mut self, pf: &mut PfDriver<'_>, address: u32) {
        const SET_ADDRESS: u32 = 2;
        const SET_LENGTH: u32 = 5;
        const GET_QUEUES: u32 = 9;
        self.reset_vf();
        self.demand(pf, message::RESET, 0);
        self.demand(pf, message::NEGOTIATE, 2);
        self.demand(pf, SET_ADDRESS, address);
        self.demand(pf, SET_LENGTH, 1522);
        for ring in 0..8 {
            self.reset_ring(VF_TRANSMIT + STRIDE * ring);
            self.reset_ring(VF_RECEIVE + STRIDE * ring);
        }
        let registers = self.registers;
        registers.write(VFPSRTYPE, 0);
        self.demand(pf, GET_QUEUES, 0);
        self.create_rings();
        registers.write(VTIVAR, 0x80 | 0x81 << 8);
        registers.write(VTIVAR_MISC, 0x82);
        registers.modify(self.receive.block + SRRCTL, 0x1f | 0xf << 8 | 7 << 25, VF_BUFFERS);
        registers.modify(self.receive.block + DCA, MUST_BE_ZERO, 0);
        self.refill();
        assert_ne!(registers.read(VFLINKS) & LINKS_UP, 0);
        registers.write(VTEIMS, RECEIVED | SENT | MAILBOX);
    }

    pub(crate) fn close_vf(&self) {
        self.reset_ring(self.receive.block);
        self.reset_ring(self.transmit.block);
        self.reset_vf();
    }
}

//! The PF's register space: which subject an offset belongs to (82599 datasheet, 8.2.2). Whatever belongs to none is storage.

use std::sync::atomic::Ordering::SeqCst;

use crate::chip::Chip;
use crate::effect::Effect;
use crate::layout::Pool;
use crate::queue::QueueIndex;
use crate::select::flow_director::is_input;
use crate::spec::filter::fdir::{FDIR_END, FDIRHASH};
use crate::spec::filter::*;
use crate::spec::general::*;
use crate::spec::interrupt::CAUSE_FLOW_DIRECTOR;
use crate::spec::mailbox::{PFMAILBOX, PFMBMEM, WORDS};
use crate::spec::queue;

/// Registers of the low part of the space that decide what comes in and where it goes.
const FILTERS: [std::ops::Range<u32>; 6] = [
    0x0_5000..0x0_50a0, // RXCSUM, RFCTL, FCTRL, VLNCTRL, MCSTCTRL
    ETQF..ETQF + 0x20,
    VT_CTL..VT_CTL + 4,
    MTA..PSRTYPE_ALIAS + 0x40,
    MRQC..MRQC + 4,
    RETA..RSSRK + 0x28,
];

/// Registers of the high part.
const MORE_FILTERS: [std::ops::Range<u32>; 10] = [
    VMVIR..VMVIR + 0x100,
    MTQC..MTQC + 4,
    PFVFSPOOF..PFDTXGSWC + 4,
    VMECM..VMECM + 8,
    VFTA..MPSAR + 0x400,
    SAQF..PSRTYPE + 0x100,
    ETQS..SYNQF + 4,
    FDIRCTRL..FDIR_END,
    VMOLR..VLVFB + 0x200,
    UTA..VMRVM + 0x20,
];

impl Chip {
    /// Reads the dword at `offset` of the PF's space.
    pub(crate) fn read(&self, offset: u32) -> u32 {
        if let Some(value) = self.statistics.read(offset) {
            return value;
        }
        if let Some((block, queue)) = block(offset) {
            return match block {
                Block::Receive(register) => self.receive(queue).read(register),
                Block::Transmit(register) => self.transmit(queue).read(register),
            };
        }
        if let Some(value) = self.read_mailboxes(offset) {
            return value;
        }
        let special = self
            .interrupts
            .read(offset)
            .or_else(|| self.phy.as_ref()?.read(offset))
            .or_else(|| self.link.read(offset))
            .or_else(|| self.eeprom.read(offset))
            .or_else(|| self.semaphore.read(offset))
            .or_else(|| self.cage.as_ref()?.read(offset));
        special.unwrap_or_else(|| self.read_general(offset))
    }

    /// Writes the dword at `offset` of the PF's space.
    pub(crate) fn write(&self, offset: u32, value: u32) -> Effect {
        // Tails come most often; counters that lie in blocks aren't theirs, and so are not written either.
        if let Some((block, queue)) = block(offset) {
            return match block {
                Block::Receive(register) => {
                    Effect::of_receive(queue, self.receive(queue).write(register, value))
                }
                Block::Transmit(register) => {
                    Effect::of_transmit(queue, self.transmit(queue).write(register, value))
                }
            };
        }
        if self.statistics.claims(offset) {
            return Effect::None;
        }
        let taken = self
            .write_mailboxes(offset, value)
            .or_else(|| self.interrupts.write(offset, value))
            .or_else(|| self.eeprom.write(offset, value))
            .or_else(|| self.semaphore.write(offset, value))
            .or_else(|| self.cage.as_ref()?.write(offset, value))
            .or_else(|| self.phy.as_ref()?.write(offset, value));
        match taken {
            Some(()) => Effect::None,
            None => self.write_general(offset, value),
        }
    }

    fn read_general(&self, offset: u32) -> u32 {
        match offset {
            STATUS => self.status(),
            RTTBCNRC => self.selected().map_or(0, |queue| self.rate(queue).load(SeqCst)),
            _ => self.storage.get(offset),
        }
    }

    fn status(&self) -> u32 {
        let vfs = u32::from(self.active_vfs());
        let iov = if vfs > 0 { STATUS_IOV | vfs << STATUS_NUM_VFS_SHIFT } else { 0 };
        let disabled = self.storage.get(CTRL) & CTRL_GIO_DISABLE != 0;
        iov | if disabled { 0 } else { STATUS_GIO }
    }

    /// The queue that RTTDQSEL selects.
    fn selected(&self) -> Option<QueueIndex> {
        QueueIndex::new(self.storage.get(RTTDQSEL))
    }

    fn write_general(&self, offset: u32, value: u32) -> Effect {
        let old = self.storage.get(offset);
        self.storage.write(offset, value);
        let same = self.storage.get(offset) == old;
        match offset {
            CTRL if value & (CTRL_RESET | CTRL_LINK_RESET) != 0 => Effect::Reset,
            CTRL_EXT if value & CTRL_EXT_PF_RESET_DONE != 0 => Effect::ResetDone,
            MSCA => {
                // Nobody answers, at once.
                self.storage.clear(MSCA, MSCA_COMMAND);
                Effect::None
            }
            RTTBCNRC => match self.selected() {
                Some(queue) => {
                    self.rate(queue).store(value, SeqCst);
                    Effect::Rate(queue)
                }
                None => Effect::None,
            },
            QDE => drop_enable(value),
            RXCTRL | DMATXCTL | GCR_EXT => Effect::Gates,
            _ if VFRE.contains(&offset) || VFTE.contains(&offset) => Effect::Gates,
            FDIRCMD => self.command_director(self.storage.get(FDIRHASH), value),
            FDIRCTRL => {
                self.policies.start_director(value, &self.statistics.director);
                Effect::Filters
            }
            HLREG0 => Effect::Filters,
            _ if same || is_input(offset) => Effect::None,
            _ => {
                let tables = if offset < 0x0_8000 { &FILTERS[..] } else { &MORE_FILTERS[..] };
                let is_filter = tables.iter().any(|table| table.contains(&offset));
                if is_filter { Effect::Filters } else { Effect::None }
            }
        }
    }

    /// FDIRHASH and FDIRCMD are written at once, which several processors may do at the same time.
    pub(crate) fn write_director(&self, hash: u32, command: u32) -> Effect {
        self.storage.write(FDIRHASH, hash);
        self.storage.write(FDIRCMD, command);
        self.command_director(hash, command)
    }

    fn command_director(&self, hash: u32, command: u32) -> Effect {
        let counts = &self.statistics.director;
        let answer = self.policies.director_command(&self.storage, hash, command, counts);
        if answer.filled {
            self.interrupts.raise_other(CAUSE_FLOW_DIRECTOR);
        }
        let valid = if answer.found { FDIRCMD_VALID } else { 0 };
        self.storage.set(FDIRCMD, self.storage.get(FDIRCMD) & !FDIRCMD_VALID | valid);
        if answer.changed { Effect::Filters } else { Effect::None }
    }

    fn read_mailboxes(&self, offset: u32) -> Option<u32> {
        if let Some((vf, word)) = memory(offset) {
            return Some(self.vf(vf).map_or(0, |vf| vf.mailbox.word(word)));
        }
        if let Some(vf) = control(offset) {
            return Some(self.vf(vf).map_or(0, |vf| vf.mailbox.pf_read()));
        }
        self.wishes.read(offset)
    }

    fn write_mailboxes(&self, offset: u32, value: u32) -> Option<()> {
        if let Some((vf, word)) = memory(offset) {
            if let Some(vf) = self.vf(vf) {
                vf.mailbox.set_word(word, value);
            }
            return Some(());
        }
        if let Some(vf) = control(offset) {
            self.write_mailbox(vf, value);
            return Some(());
        }
        self.wishes.write(offset, value)
    }

    fn write_mailbox(&self, vf: Pool, value: u32) {
        let Some(function) = self.vf(vf) else { return };
        let write = function.mailbox.pf_write(value);
        if write.withdraws {
            self.wishes.withdraw(vf);
        }
        if write.interrupts_vf {
            function.interrupts.raise_mailbox();
        }
    }
}

/// A write of QDE: bit 16 says that it is one, bits 14:8 which queue, bit 0 what.
fn drop_enable(value: u32) -> Effect {
    match QueueIndex::new(value >> 8 & 0x7f) {
        Some(queue) if value >> 16 & 1 != 0 => Effect::DropEnable(queue, value & 1 != 0),
        _ => Effect::None,
    }
}

/// A register of a queue's block.
enum Block {
    Receive(u32),
    Transmit(u32),
}

/// The queue whose block `offset` lies in.
fn block(offset: u32) -> Option<(Block, QueueIndex)> {
    let within = |first: u32, count: u32| {
        offset.checked_sub(first).filter(|distance| *distance < queue::STRIDE * count)
    };
    if let Some(distance) = within(queue::TRANSMIT, 128) {
        let queue = QueueIndex::new(distance / queue::STRIDE)?;
        return Some((Block::Transmit(distance % queue::STRIDE), queue));
    }
    if let Some(distance) = within(queue::RECEIVE_LOW, 64) {
        let queue = QueueIndex::new(distance / queue::STRIDE)?;
        return Some((Block::Receive(distance % queue::STRIDE), queue));
    }
    if let Some(distance) = within(queue::RECEIVE_HIGH, 64) {
        let queue = QueueIndex::new(64 + distance / queue::STRIDE)?;
        return Some((Block::Receive(distance % queue::STRIDE), queue));
    }
    let alias = |first: u32| {
        let index = offset.checked_sub(first)? / 4;
        QueueIndex::new(index).filter(|_| index < 16)
    };
    if let Some(queue) = alias(queue::SRRCTL_ALIAS) {
        return Some((Block::Receive(queue::SRRCTL), queue));
    }
    alias(queue::DCA_RXCTRL_ALIAS).map(|queue| (Block::Receive(queue::DCA), queue))
}

/// Whose mailbox, and which word of it, lies at `offset`.
fn memory(offset: u32) -> Option<(Pool, usize)> {
    let word = (offset.checked_sub(PFMBMEM)? / 4) as usize;
    let vf = u8::try_from(word / WORDS).ok().filter(|vf| *vf < 64)?;
    Some((Pool(vf), word % WORDS))
}

/// Whose PFMAILBOX lies at `offset`.
fn control(offset: u32) -> Option<Pool> {
    let vf = offset.checked_sub(PFMAILBOX)? / 4;
    u8::try_from(vf).ok().filter(|vf| *vf < 64).map(Pool)
}

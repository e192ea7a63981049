//! A VF's own registers: interrupts and mailbox of its own, a window onto the queues of its pool (82599 datasheet, 8.3).
//!
//! Nothing a VF writes reaches beyond its pool: blocks of queues it hasn't got are nowhere. Leaves out VFRSSRK, VFRETA and VFMRQC,
//! which this chip doesn't have.

use crate::chip::Chip;
use crate::effect::Effect;
use crate::interrupt::{Outlet, Virtual};
use crate::layout::Pool;
use crate::mailbox::Mailbox;
use crate::queue::{QueueIndex, Touched};
use crate::spec::filter::PSRTYPE;
use crate::spec::interrupt::CAUSE_MAILBOX;
use crate::spec::mailbox::*;
use crate::spec::queue::{STRIDE, VF_BLOCKS, VF_RECEIVE, VF_TRANSMIT};
use crate::statistics::VfCounter;

/// What belongs to one VF alone.
pub(crate) struct VirtualFunction {
    /// Its number, and that of its pool.
    pub(crate) pool: Pool,
    pub(crate) interrupts: Virtual,
    pub(crate) mailbox: Mailbox,
}

impl VirtualFunction {
    pub(crate) fn new(pool: Pool, outlet: Outlet) -> Self {
        Self { pool, interrupts: Virtual::new(outlet), mailbox: Mailbox::new() }
    }

    /// Reads the dword at `offset` of its space.
    pub(crate) fn read(&self, chip: &Chip, offset: u32) -> u32 {
        if let Some(counter) = VfCounter::at(offset) {
            return chip.statistics.read_pool(self.pool, counter);
        }
        if let Some((block, queue)) = self.block(chip, offset) {
            return match block {
                Block::Receive(register) => chip.receive(queue).read(register),
                Block::Transmit(register) => chip.transmit(queue).read(register),
            };
        }
        match offset {
            VFLINKS => chip.link.status(),
            VFMAILBOX => self.mailbox.vf_read(),
            VFPSRTYPE => chip.storage.get(PSRTYPE + 4 * u32::from(self.pool.0)),
            _ => match word(offset) {
                Some(word) => self.mailbox.word(word),
                None => self.interrupts.read(offset).unwrap_or(0),
            },
        }
    }

    /// Writes the dword at `offset` of its space.
    pub(crate) fn write(&self, chip: &Chip, offset: u32, value: u32) -> Effect {
        if VfCounter::at(offset).is_some() {
            return Effect::None;
        }
        if let Some((block, queue)) = self.block(chip, offset) {
            return match block {
                Block::Receive(register) => {
                    Effect::of_receive(queue, chip.receive(queue).write(register, value))
                }
                Block::Transmit(register) => {
                    Effect::of_transmit(queue, chip.transmit(queue).write(register, value))
                }
            };
        }
        match offset {
            VFCTRL if value & VFCTRL_RESET != 0 => return Effect::ResetVf(self.pool),
            VFMAILBOX => self.write_mailbox(chip, value),
            VFPSRTYPE => {
                chip.storage.write(PSRTYPE + 4 * u32::from(self.pool.0), value);
                return Effect::Filters;
            }
            _ => match word(offset) {
                Some(word) => self.mailbox.set_word(word, value),
                None => drop(self.interrupts.write(offset, value)),
            },
        }
        Effect::None
    }

    fn write_mailbox(&self, chip: &Chip, value: u32) {
        let bits = self.mailbox.vf_write(value);
        if bits != 0 {
            chip.wishes.message(self.pool, bits);
            chip.interrupts.raise_other(CAUSE_MAILBOX);
        }
    }

    /// The queue whose block `offset` lies in, if it is one of the VF's.
    fn block(&self, chip: &Chip, offset: u32) -> Option<(Block, QueueIndex)> {
        let within = |first: u32| {
            offset.checked_sub(first).filter(|distance| *distance < STRIDE * VF_BLOCKS)
        };
        let (block, distance) = match within(VF_RECEIVE) {
            Some(distance) => (Block::Receive(distance % STRIDE), distance),
            None => {
                let distance = within(VF_TRANSMIT)?;
                (Block::Transmit(distance % STRIDE), distance)
            }
        };
        Some((block, chip.layout().queue(self.pool, distance / STRIDE)?))
    }
}

/// A register of a queue's block.
enum Block {
    Receive(u32),
    Transmit(u32),
}

/// Which word of the mailbox lies at `offset`.
fn word(offset: u32) -> Option<usize> {
    let word = (offset.checked_sub(VFMBMEM)? / 4) as usize;
    (word < WORDS).then_some(word)
}

impl Effect {
    /// Of a write to a receive queue's block.
    pub(crate) fn of_receive(queue: QueueIndex, touched: Touched) -> Self {
        match touched {
            Touched::Stored => Self::None,
            Touched::Tail => Self::ReceiveTail(queue),
            Touched::Control => Self::Receive(queue),
        }
    }

    /// Of a write to a transmit queue's block.
    pub(crate) fn of_transmit(queue: QueueIndex, touched: Touched) -> Self {
        match touched {
            Touched::Stored => Self::None,
            Touched::Tail => Self::TransmitTail(queue),
            Touched::Control => Self::Transmit(queue),
        }
    }
}

//! The card as its configuration space sees it: accesses, resets, VFs that come and go; and what a register write asks for.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, OnceLock};

use pando_pci::{FunctionId, Model};

use crate::chip::Chip;
use crate::effect::Effect;
use crate::identity::REGISTERS;
use crate::layout::Pool;
use crate::policy;
use crate::spec::filter::fdir::FDIRHASH;
use crate::spec::interrupt::CAUSE_LINK;
use crate::throttle::{Alarms, Timer};
use crate::work::Work;

/// A card.
pub(crate) struct Card {
    pub(crate) chip: Arc<Chip>,
    pub(crate) work: Work,
    /// Calls the chip when interrupt throttles have run down.
    timer: OnceLock<Timer>,
}

impl Card {
    /// A card in power-on state.
    pub(crate) fn new(chip: Arc<Chip>, work: Work) -> Self {
        Self { chip, work, timer: OnceLock::new() }
    }

    /// From now on throttled messages come when they may.
    pub(crate) fn start_timer(&self, alarms: Arc<Alarms>) -> io::Result<()> {
        let chip = self.chip.clone();
        let timer = Timer::start(alarms, move |function| chip.expire(function))?;
        let _second = self.timer.set(timer);
        Ok(())
    }

    fn read_dword(&self, function: FunctionId, offset: u32) -> u32 {
        match function {
            FunctionId::Pf => self.chip.read(offset),
            FunctionId::Vf(vf) => {
                let vf = self.chip.vfs().get(usize::from(vf));
                vf.map_or(0, |vf| vf.read(&self.chip, offset))
            }
        }
    }

    fn write_dword(&self, function: FunctionId, offset: u32, value: u32) {
        let effect = match function {
            FunctionId::Pf => self.chip.write(offset, value),
            FunctionId::Vf(vf) => {
                let vf = self.chip.vfs().get(usize::from(vf));
                vf.map_or(Effect::None, |vf| vf.write(&self.chip, offset, value))
            }
        };
        self.perform(effect);
    }

    fn perform(&self, effect: Effect) {
        let (chip, work) = (&self.chip, &self.work);
        match effect {
            Effect::None => {}
            Effect::TransmitTail(queue) => work.transmit_tail(chip, queue),
            Effect::ReceiveTail(queue) => work.receive_tail(queue),
            Effect::Transmit(queue) => work.follow_transmit(chip, queue),
            Effect::Receive(queue) => work.follow_receive(chip, queue),
            Effect::Gates => {
                work.follow(chip);
                policy::filters_changed(chip, work);
            }
            Effect::Filters => policy::filters_changed(chip, work),
            Effect::Rate(queue) => policy::rate_changed(chip, work, queue),
            Effect::DropEnable(queue, enabled) => {
                policy::drop_enable_changed(chip, queue, enabled);
            }
            Effect::ResetVf(vf) => self.reset_vf(vf),
            Effect::Reset => self.reset_all(),
            Effect::ResetDone => chip.reset_done(),
        }
    }

    fn reset_all(&self) {
        self.work.pause(&self.chip, |_| true, || self.chip.clear_registers());
        self.chip.announce_reset();
        policy::filters_changed(&self.chip, &self.work);
    }

    fn reset_vf(&self, vf: Pool) {
        let owner = FunctionId::Vf(vf.0.into());
        self.work.pause(&self.chip, |a| a.owner == owner, || self.chip.clear_vf(vf));
        self.chip.announce_vf_reset(vf);
        policy::filters_changed(&self.chip, &self.work);
    }

    /// Plugs the cable in or out.
    pub(crate) fn set_link(&self, up: bool) {
        if self.chip.link.set(up) {
            policy::filters_changed(&self.chip, &self.work);
            self.chip.interrupts.raise_other(CAUSE_LINK);
        }
    }
}

impl Model for Card {
    fn read(&self, function: FunctionId, bar: u8, offset: u64, data: &mut [u8]) {
        data.fill(0);
        let Ok(offset) = u32::try_from(offset) else { return };
        if bar != REGISTERS {
            return;
        }
        match data.len() {
            4 | 8 if offset % 4 == 0 => {
                for (chunk, at) in data.chunks_exact_mut(4).zip((offset..).step_by(4)) {
                    chunk.copy_from_slice(&self.read_dword(function, at).to_le_bytes());
                }
            }
            1 | 2 => {
                let bytes = self.read_dword(function, offset & !3).to_le_bytes();
                let lanes = bytes.iter().skip((offset & 3) as usize);
                data.iter_mut().zip(lanes).for_each(|(byte, lane)| *byte = *lane);
            }
            _ => {}
        }
    }

    /// Registers are dwords: a qword is two of them, anything less is lost.
    fn write(&self, function: FunctionId, bar: u8, offset: u64, data: &[u8]) {
        let Ok(offset) = u32::try_from(offset) else { return };
        if bar != REGISTERS || offset % 4 != 0 {
            return;
        }
        if let (FunctionId::Pf, FDIRHASH, Some(both)) = (function, offset, data.first_chunk::<8>())
        {
            let both = u64::from_le_bytes(*both);
            return self.perform(self.chip.write_director(both as u32, (both >> 32) as u32));
        }
        for (chunk, at) in data.chunks_exact(4).zip((offset..).step_by(4)) {
            if let Some(bytes) = chunk.first_chunk() {
                self.write_dword(function, at, u32::from_le_bytes(*bytes));
            }
        }
    }

    fn reset(&self, function: FunctionId) {
        match function {
            FunctionId::Pf => self.reset_all(),
            FunctionId::Vf(vf) => {
                if let Some(vf) = self.chip.vfs().get(usize::from(vf)) {
                    self.reset_vf(vf.pool);
                }
            }
        }
    }

    fn bus_master(&self, function: FunctionId, enabled: bool) {
        if enabled {
            self.work.resume(function);
        }
    }

    fn virtual_functions(&self, count: u16) {
        tracing::debug!(card = self.chip.name, count, "VFs");
        self.chip.set_active_vfs(count);
        if count == 0 {
            self.chip.wishes.clear();
        }
        // Queues of pools that change hands stop for the one and start for the other.
        self.work.follow(&self.chip);
        policy::filters_changed(&self.chip, &self.work);
    }

    /// Tails carry values, which an event would lose, so every doorbell is trapped. Coalesced by KVM they would cost the vCPU a fifth,
    /// but wake no worker that sleeps, and KVM takes longer to change from one to the other than for hundreds of exits: `doorbell` in
    /// the whole-machine benches.
    fn doorbells(&self, _: FunctionId, _: &mut Vec<(u8, u64, Arc<OwnedFd>)>) {}
}

#[cfg(test)]
mod tests;

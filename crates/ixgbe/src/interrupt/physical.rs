//! The PF's interrupt registers (82599 datasheet, 8.2.3.5).
//!
//! Bits 15:0 of the plain registers are the first vectors, bits 31:16 causes of their own that share one vector. Those are held
//! back by their own mask bits alone: auto masking of that vector never hides a second mailbox message.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use pando_tlp::Guard;

use super::bank::{Bank, Fire};
use super::outlet::Outlet;
use super::{Direction, entry};
use crate::queue::QueueIndex;
use crate::spec::interrupt::*;

/// The PF's interrupts.
pub(crate) struct Physical {
    state: Mutex<State>,
    outlet: Outlet,
}

struct State {
    bank: Bank,
    other: Other,
    /// EIAM's bits 31:16 and EIAC's, as written.
    auto_clear: u32,
    auto_mask: u32,
    gpie: u32,
    /// Without MSI-X mode: an interrupt was raised, and an enabled cause is left.
    raised: bool,
    /// The pin's level as it was told last.
    pin: bool,
    vectors: [u32; 64],
    misc: u32,
    throttles: [u32; EITRS as usize],
}

/// Causes 31:16.
#[derive(Debug, Default)]
struct Other {
    pending: u32,
    /// Since the last message.
    due: u32,
    enabled: u32,
}

impl Default for State {
    fn default() -> Self {
        let mut bank = Bank::default();
        bank.auto_clear = !u64::from(VECTOR_CAUSES); // vectors that EIAC has no bit for
        Self {
            bank,
            other: Other::default(),
            auto_clear: 0,
            auto_mask: 0,
            gpie: 0,
            raised: false,
            pin: false,
            vectors: [0; 64],
            misc: 0,
            throttles: [0; EITRS as usize],
        }
    }
}

impl Physical {
    pub(crate) fn new(outlet: Outlet) -> Self {
        Self { state: Mutex::default(), outlet }
    }

    /// A queue of the PF has something to tell; called by its worker.
    pub(crate) fn raise_queue(&self, queue: QueueIndex, direction: Direction, guard: &Guard<'_>) {
        let (fire, pin_moves) = {
            let mut state = self.lock();
            let entry = entry(&state.vectors, queue.get(), direction);
            if entry & IVAR_VALID == 0 {
                return;
            }
            let most = if state.is_msix() { IVAR_VECTOR } else { 0xf };
            state.bank.raise(1 << (entry & most));
            (state.fire(), state.pin_moves())
        };
        self.deliver(fire, pin_moves, Some(guard));
    }

    /// Causes of bits 31:16.
    pub(crate) fn raise_other(&self, causes: u32) {
        self.change(|state| state.raise_other(causes));
    }

    /// A throttle may have run down.
    pub(crate) fn expire(&self) {
        self.change(|state| state.bank.expired());
    }

    /// Power-on state.
    pub(crate) fn reset(&self) {
        self.change(|state| *state = State { pin: state.pin, ..State::default() });
    }

    /// Reads the register at `offset`; `None` if it isn't one of these.
    pub(crate) fn read(&self, offset: u32) -> Option<u32> {
        Some(match offset {
            EICR => self.change(State::take_causes),
            EICS => self.lock().causes(),
            EIMS => self.lock().masks(),
            EIMC => 0,
            EIAC => self.lock().auto_clear,
            EIAM => self.lock().auto_mask,
            GPIE => self.lock().gpie,
            IVAR_MISC => self.lock().misc,
            _ => return self.read_table(offset),
        })
    }

    fn read_table(&self, offset: u32) -> Option<u32> {
        let half = |bits: u64, index: u32| (bits >> (32 * index)) as u32;
        if let Some(index) = index(offset, IVAR, 64) {
            return self.lock().vectors.get(index as usize).copied();
        }
        if let Some(vector) = throttle(offset) {
            return self.lock().throttles.get(vector as usize).copied();
        }
        if let Some(index) = index(offset, EICS_EX, 2) {
            Some(half(self.lock().bank.pending, index))
        } else if let Some(index) = index(offset, EIMS_EX, 2) {
            Some(half(self.lock().bank.enabled, index))
        } else if let Some(index) = index(offset, EIAM_EX, 2) {
            Some(half(self.lock().bank.auto_mask, index))
        } else {
            index(offset, EIMC_EX, 2).map(|_| 0)
        }
    }

    /// Writes the register at `offset`; `None` if it isn't one of these.
    pub(crate) fn write(&self, offset: u32, value: u32) -> Option<()> {
        let vectors = u64::from(value & VECTOR_CAUSES);
        match offset {
            EICR => self.change(|state| state.acknowledge(value)),
            EICS => self.change(|state| state.set_causes(value)),
            EIMS => self.change(|state| {
                state.bank.enable(vectors);
                state.enable_other(value);
            }),
            EIMC => self.change(|state| {
                state.bank.disable(vectors);
                state.other.enabled &= !value;
            }),
            EIAC => self.change(|state| {
                state.auto_clear = value;
                state.bank.auto_clear = !u64::from(VECTOR_CAUSES) | vectors;
            }),
            EIAM => self.change(|state| {
                state.auto_mask = value;
                let beyond = state.bank.auto_mask & !u64::from(VECTOR_CAUSES);
                state.bank.auto_mask = beyond | vectors;
            }),
            GPIE => self.change(|state| state.gpie = value),
            IVAR_MISC => self.change(|state| state.misc = value & IVAR_MISC_MASK),
            _ => return self.write_table(offset, value),
        }
        Some(())
    }

    fn write_table(&self, offset: u32, value: u32) -> Option<()> {
        let half = |index: u32| u64::from(value) << (32 * index);
        if let Some(index) = index(offset, IVAR, 64) {
            self.change(|state| state.vectors[index as usize] = value & IVAR_MASK);
        } else if let Some(vector) = throttle(offset) {
            self.change(|state| state.set_throttle(vector as usize, value));
        } else if let Some(index) = index(offset, EICS_EX, 2) {
            self.change(|state| state.bank.raise(half(index)));
        } else if let Some(index) = index(offset, EIMS_EX, 2) {
            self.change(|state| state.bank.enable(half(index)));
        } else if let Some(index) = index(offset, EIMC_EX, 2) {
            self.change(|state| state.bank.disable(half(index)));
        } else {
            let index = index(offset, EIAM_EX, 2)?;
            self.change(|state| state.set_auto_mask(index, value));
        }
        Some(())
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let (result, fire, pin_moves) = {
            let mut state = self.lock();
            (change(&mut state), state.fire(), state.pin_moves())
        };
        self.deliver(fire, pin_moves, None);
        result
    }

    fn deliver(&self, fire: Fire, pin_moves: bool, guard: Option<&Guard<'_>>) {
        if pin_moves {
            self.outlet.follow_pin(&|| self.lock().pin);
        }
        self.outlet.deliver(fire, guard);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_msix(&self) -> bool {
        self.gpie & GPIE_MSIX != 0
    }

    fn causes(&self) -> u32 {
        self.bank.pending as u32 & VECTOR_CAUSES | self.other.pending
    }

    fn masks(&self) -> u32 {
        self.bank.enabled as u32 & VECTOR_CAUSES | self.other.enabled
    }

    /// Works out the pin's level: asserted from an interrupt on until no enabled cause is left. Returns whether it has moved.
    fn pin_moves(&mut self) -> bool {
        self.raised &= !self.is_msix() && self.causes() & self.masks() != 0;
        std::mem::replace(&mut self.pin, self.raised) != self.raised
    }

    /// A read of EICR.
    fn take_causes(&mut self) -> u32 {
        let causes = self.causes();
        let kept = self.gpie & GPIE_OTHER_CLEAR_DISABLE != 0;
        self.acknowledge(if kept { CLEARED_BY_READ } else { u32::MAX });
        if !self.is_msix() {
            self.bank.disable(u64::from(self.auto_mask & VECTOR_CAUSES));
            self.other.enabled &= !self.auto_mask;
        }
        causes
    }

    fn acknowledge(&mut self, causes: u32) {
        self.bank.acknowledge(u64::from(causes & VECTOR_CAUSES));
        self.other.pending &= !causes;
        self.other.due &= !causes;
    }

    /// A write of EICS.
    fn set_causes(&mut self, value: u32) {
        if !self.is_msix() {
            let unmasked = value & self.auto_mask;
            self.bank.enable(u64::from(unmasked & VECTOR_CAUSES));
            self.enable_other(unmasked);
        }
        self.bank.raise(u64::from(value & VECTOR_CAUSES));
        self.raise_other(value);
    }

    fn raise_other(&mut self, causes: u32) {
        let causes = causes & !VECTOR_CAUSES;
        self.other.due |= causes & !self.other.pending;
        self.other.pending |= causes;
    }

    fn enable_other(&mut self, causes: u32) {
        let causes = causes & !VECTOR_CAUSES;
        self.other.due |= causes & !self.other.enabled & self.other.pending;
        self.other.enabled |= causes;
    }

    fn set_auto_mask(&mut self, index: u32, value: u32) {
        let shift = 32 * index;
        let others = self.bank.auto_mask & !(u64::from(u32::MAX) << shift);
        self.bank.auto_mask = others | u64::from(value) << shift;
        if index == 0 {
            self.auto_mask = self.auto_mask & !VECTOR_CAUSES | value & VECTOR_CAUSES;
        }
    }

    fn set_throttle(&mut self, vector: usize, value: u32) {
        self.throttles[vector] = value & EITR_MASK;
        self.bank.set_throttle(vector, value);
    }

    /// What may be sent now.
    fn fire(&mut self) -> Fire {
        let other = self.other.due & self.other.enabled;
        // Most calls have nothing to send, and the time costs more than the question.
        if other == 0 && !self.bank.is_due() {
            return Fire::default();
        }
        let now = Instant::now();
        if !self.is_msix() {
            return self.fire_single(now);
        }
        let mut fire = self.fire_queues(now);
        self.fire_other(other & CAUSE_TCP_TIMER, 0, now, &mut fire);
        self.fire_other(other & !CAUSE_TCP_TIMER, 1, now, &mut fire);
        fire
    }

    fn fire_queues(&mut self, now: Instant) -> Fire {
        if self.gpie & GPIE_AUTO_MASK != 0 {
            return self.bank.fire(now);
        }
        let auto_mask = std::mem::take(&mut self.bank.auto_mask);
        let fire = self.bank.fire(now);
        self.bank.auto_mask = auto_mask;
        fire
    }

    /// Sends the vector in byte `byte` of IVAR_MISC for `causes`.
    fn fire_other(&mut self, causes: u32, byte: usize, now: Instant, fire: &mut Fire) {
        let entry = self.misc.to_le_bytes()[byte];
        if causes == 0 || entry & IVAR_VALID == 0 {
            return;
        }
        let vector = usize::from(entry & IVAR_VECTOR);
        if fire.vectors >> vector & 1 == 0 && !self.bank.passes(vector, now, fire) {
            return;
        }
        fire.vectors |= 1 << vector;
        self.other.due &= !causes;
        self.other.pending &= !(causes & self.auto_clear);
    }

    /// Without MSI-X mode all causes share one message or the pin, and stay until EICR is read or written.
    fn fire_single(&mut self, now: Instant) -> Fire {
        let mut fire = Fire::default();
        if self.bank.passes(0, now, &mut fire) {
            fire.vectors = 1;
            self.raised = true;
            self.bank.told();
            self.other.due = 0;
        }
        fire
    }
}

/// Which of `count` dwords from `first` lies at `offset`.
fn index(offset: u32, first: u32, count: u32) -> Option<u32> {
    offset.checked_sub(first).map(|distance| distance / 4).filter(|index| *index < count)
}

/// Which vector's throttle lies at `offset`.
fn throttle(offset: u32) -> Option<u32> {
    index(offset, EITR, EITR_LOW)
        .or_else(|| Some(index(offset, EITR_HIGH, EITRS - EITR_LOW)? + EITR_LOW))
}

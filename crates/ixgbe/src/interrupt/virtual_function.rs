//! A VF's interrupt registers (82599 datasheet, 8.3.5.4): three vectors, for its queues and its mailbox.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use pando_tlp::Guard;

use super::bank::{Bank, Fire};
use super::outlet::Outlet;
use super::{Direction, entry};
use crate::spec::interrupt::*;

/// Bits of the vectors a VF has.
const VECTORS: u32 = 0b111;

/// A VF's interrupts.
pub(crate) struct Virtual {
    state: Mutex<State>,
    outlet: Outlet,
}

#[derive(Default)]
struct State {
    bank: Bank,
    vectors: [u32; 4],
    misc: u32,
    throttles: [u32; 3],
}

impl Virtual {
    pub(crate) fn new(outlet: Outlet) -> Self {
        Self { state: Mutex::default(), outlet }
    }

    /// The VF's queue number `queue` has something to tell; called by its worker.
    pub(crate) fn raise_queue(&self, queue: usize, direction: Direction, guard: &Guard<'_>) {
        let fire = {
            let mut state = self.lock();
            let entry = entry(&state.vectors, queue, direction);
            state.raise(entry);
            state.fire()
        };
        self.outlet.deliver(fire, Some(guard));
    }

    /// Something happened to the mailbox.
    pub(crate) fn raise_mailbox(&self) {
        self.change(|state| {
            let entry = state.misc.to_le_bytes()[0];
            state.raise(entry);
        });
    }

    /// A throttle may have run down.
    pub(crate) fn expire(&self) {
        self.change(|state| state.bank.expired());
    }

    /// Power-on state.
    pub(crate) fn reset(&self) {
        *self.lock() = State::default();
    }

    /// Reads the register at `offset`; `None` if it isn't one of these.
    pub(crate) fn read(&self, offset: u32) -> Option<u32> {
        let mut state = self.lock();
        Some(match offset {
            VTEICR => {
                let causes = state.bank.pending;
                state.bank.acknowledge(causes);
                causes as u32
            }
            VTEICS => state.bank.pending as u32,
            VTEIMS => state.bank.enabled as u32,
            VTEIMC => 0,
            VTEIAC => state.bank.auto_clear as u32,
            VTEIAM => state.bank.auto_mask as u32,
            VTIVAR_MISC => state.misc,
            _ => match (index(offset, VTIVAR, 4), index(offset, VTEITR, 3)) {
                (Some(index), _) => state.vectors[index],
                (None, Some(vector)) => state.throttles[vector],
                (None, None) => return None,
            },
        })
    }

    /// Writes the register at `offset`; `None` if it isn't one of these.
    pub(crate) fn write(&self, offset: u32, value: u32) -> Option<()> {
        let bits = u64::from(value & VECTORS);
        match offset {
            VTEICR => self.change(|state| state.bank.acknowledge(bits)),
            VTEICS => self.change(|state| state.bank.raise(bits)),
            VTEIMS => self.change(|state| state.bank.enable(bits)),
            VTEIMC => self.change(|state| state.bank.disable(bits)),
            VTEIAC => self.change(|state| state.bank.auto_clear = bits),
            VTEIAM => self.change(|state| state.bank.auto_mask = bits),
            VTIVAR_MISC => self.change(|state| state.misc = value & VTIVAR_MISC_MASK),
            _ => match (index(offset, VTIVAR, 4), index(offset, VTEITR, 3)) {
                (Some(index), _) => self.change(|state| state.vectors[index] = value & VTIVAR_MASK),
                (None, Some(vector)) => self.change(|state| {
                    state.throttles[vector] = value & EITR_MASK;
                    state.bank.set_throttle(vector, value);
                }),
                (None, None) => return None,
            },
        }
        Some(())
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let fire = {
            let mut state = self.lock();
            change(&mut state);
            state.fire()
        };
        self.outlet.deliver(fire, None);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The cause whose entry of VTIVAR or VTIVAR_MISC is `entry`.
    fn raise(&mut self, entry: u8) {
        if entry & IVAR_VALID != 0 {
            self.bank.raise(1 << (entry & VTIVAR_VECTOR) & u64::from(VECTORS));
        }
    }

    fn fire(&mut self) -> Fire {
        if self.bank.is_due() { self.bank.fire(Instant::now()) } else { Fire::default() }
    }
}

/// Which of `count` dwords from `first` lies at `offset`.
fn index(offset: u32, first: u32, count: u32) -> Option<usize> {
    let index = offset.checked_sub(first)? / 4;
    (index < count).then_some(index as usize)
}

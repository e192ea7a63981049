//! Mailboxes between PF and VFs: 16 dwords and a few flags each (82599 datasheet, 7.10.2.9.1, 8.2.3.27.14, 8.3.5.1).
//!
//! The card moves words, it never reads them. A VF reaches its own mailbox only, and nothing it does there takes more than the
//! PF's attention. Leaves out PFMBIMR: every VF may interrupt the PF.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::layout::Pool;
use crate::spec::mailbox::*;

/// One VF's mailbox.
pub(crate) struct Mailbox(Mutex<State>);

struct State {
    memory: [u32; WORDS],
    vf_uses: bool,
    pf_uses: bool,
    /// What the VF sees of the PF: bits 7:4 of VFMAILBOX.
    seen: u32,
}

/// What a write of PFMAILBOX does beyond the mailbox itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PfWrite {
    /// The VF is to be interrupted.
    pub(crate) interrupts_vf: bool,
    /// Requests and acknowledgements of the VF don't count any more.
    pub(crate) withdraws: bool,
}

impl Mailbox {
    /// The PF isn't ready.
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State {
            memory: [0; WORDS],
            vf_uses: false,
            pf_uses: false,
            seen: IN_RESET,
        }))
    }

    /// Reads a word; 0 behind the end.
    pub(crate) fn word(&self, index: usize) -> u32 {
        self.lock().memory.get(index).copied().unwrap_or(0)
    }

    /// Writes a word; nothing behind the end. Who has the buffer is between the drivers.
    pub(crate) fn set_word(&self, index: usize, value: u32) {
        if let Some(word) = self.lock().memory.get_mut(index) {
            *word = value;
        }
    }

    /// PFMAILBOX.
    pub(crate) fn pf_read(&self) -> u32 {
        self.lock().users()
    }

    /// PFMAILBOX.
    pub(crate) fn pf_write(&self, value: u32) -> PfWrite {
        let mut state = self.lock();
        if value & PF_RESETS_VF != 0 {
            state.vf_uses = false;
        }
        state.pf_uses = value & PF_USES != 0 && !state.vf_uses;
        if value & PF_STATUS != 0 {
            state.seen |= SEEN_STATUS;
        }
        if value & PF_ACK != 0 {
            state.seen |= SEEN_ACK;
        }
        PfWrite {
            interrupts_vf: value & (PF_STATUS | PF_ACK) != 0,
            withdraws: value & PF_RESETS_VF != 0,
        }
    }

    /// VFMAILBOX: what the PF has said is told once.
    pub(crate) fn vf_read(&self) -> u32 {
        let mut state = self.lock();
        let value = state.users() | state.seen;
        state.seen &= IN_RESET;
        value
    }

    /// VFMAILBOX; returns the request and acknowledgement bits written. The buffer is released before the PF is told.
    pub(crate) fn vf_write(&self, value: u32) -> u32 {
        let mut state = self.lock();
        state.vf_uses = value & VF_USES != 0 && !state.pf_uses;
        value & (VF_REQUEST | VF_ACK)
    }

    /// The PF was reset: the VF has to wait for it.
    pub(crate) fn pf_reset(&self) {
        *self.lock() = State { memory: [0; WORDS], vf_uses: false, pf_uses: false, seen: IN_RESET };
    }

    /// The PF is ready after a reset.
    pub(crate) fn pf_ready(&self) {
        let mut state = self.lock();
        state.seen = state.seen & !IN_RESET | RESET_DONE;
    }

    /// The VF was reset: what it wrote and what it was told is gone, what it has to know of the PF is not.
    pub(crate) fn vf_reset(&self) {
        let mut state = self.lock();
        state.memory = [0; WORDS];
        state.vf_uses = false;
        state.seen &= IN_RESET | RESET_DONE;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn users(&self) -> u32 {
        let vf = if self.vf_uses { VF_USES } else { 0 };
        vf | if self.pf_uses { PF_USES } else { 0 }
    }
}

/// What VFs want of the PF: MBVFICR and VFLRE.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    messages: [AtomicU32; 4],
    resets: AtomicU64,
}

impl Wishes {
    /// `vf` has set [`VF_REQUEST`] or [`VF_ACK`].
    pub(crate) fn message(&self, vf: Pool, bits: u32) {
        self.messages[register(vf)].fetch_or(positions(vf, bits), SeqCst);
    }

    /// Messages of `vf` don't count any more.
    pub(crate) fn withdraw(&self, vf: Pool) {
        self.messages[register(vf)].fetch_and(!positions(vf, VF_REQUEST | VF_ACK), SeqCst);
    }

    /// `vf` was reset.
    pub(crate) fn was_reset(&self, vf: Pool) {
        self.withdraw(vf);
        self.resets.fetch_or(vf.bit(), SeqCst);
    }

    /// Nobody wants anything.
    pub(crate) fn clear(&self) {
        self.messages.iter().for_each(|messages| messages.store(0, SeqCst));
        self.resets.store(0, SeqCst);
    }

    /// Reads the register at `offset`; `None` if it isn't one of these.
    pub(crate) fn read(&self, offset: u32) -> Option<u32> {
        let resets = || self.resets.load(SeqCst);
        Some(match offset {
            VFLRE_LOW | VFLREC => resets() as u32,
            VFLRE_HIGH => (resets() >> 32) as u32,
            _ if offset == VFLREC + 4 => (resets() >> 32) as u32,
            _ => self.messages.get(message_register(offset)?)?.load(SeqCst),
        })
    }

    /// Writes the register at `offset`; `None` if it isn't one of these.
    pub(crate) fn write(&self, offset: u32, value: u32) -> Option<()> {
        match offset {
            VFLRE_LOW | VFLRE_HIGH => {}
            VFLREC => drop(self.resets.fetch_and(!u64::from(value), SeqCst)),
            _ if offset == VFLREC + 4 => {
                self.resets.fetch_and(!(u64::from(value) << 32), SeqCst);
            }
            _ => drop(self.messages.get(message_register(offset)?)?.fetch_and(!value, SeqCst)),
        }
        Some(())
    }
}

/// Which register of MBVFICR lies at `offset`.
fn message_register(offset: u32) -> Option<usize> {
    let index = offset.checked_sub(MBVFICR)? / 4;
    (index < 4).then_some(index as usize)
}

fn register(vf: Pool) -> usize {
    vf.get() / 16 % 4
}

/// Where request and acknowledgement of `vf` lie in its register.
fn positions(vf: Pool, bits: u32) -> u32 {
    let shift = vf.get() % 16;
    let request = if bits & VF_REQUEST != 0 { 1 << shift } else { 0 };
    request | if bits & VF_ACK != 0 { 1 << (16 + shift) } else { 0 }
}

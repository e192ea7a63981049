//! Fault records, the fault status register and the fault event (VT-d 4.1, 7.2 to 7.4, 11.4.7).
//!
//! A function's further faults for one reason are collapsed into the one that software has not read yet (7.2.1), so that a
//! function at fault does not use up the records of all others.
//!
//! Not implemented: advanced fault logging.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pando_tlp::{MsiMessage, MsiSink, RequesterId};

use crate::spec::{FAULT_RECORDS, Reason, event, fault_status};

/// One fault, as it is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Who asked.
    pub(crate) source: RequesterId,
    /// Why it was blocked.
    pub(crate) reason: Reason,
    /// Bits 63:12 of the address, or for interrupts the index in 63:48.
    pub(crate) info: u64,
    /// A read request.
    pub(crate) read: bool,
}

impl Fault {
    /// The upper half of its record (11.4.7.7).
    fn upper_half(self) -> u64 {
        let read = if self.read { READ } else { 0 };
        RECORDED | read | u64::from(self.reason.0) << 32 | u64::from(self.source.0)
    }
}

/// An event of the unit: control, data and address registers, and whether its message was held back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    pub(crate) control: u32,
    pub(crate) data: u32,
    pub(crate) address: u32,
    pub(crate) upper: u32,
}

impl Default for Event {
    fn default() -> Self {
        Self { control: event::MASK, data: 0, address: 0, upper: 0 }
    }
}

impl Event {
    /// Raises the event: the message to send now, or none if it is masked and so pending.
    #[must_use]
    pub(crate) fn raise(&mut self) -> Option<MsiMessage> {
        self.control |= event::PENDING;
        self.release()
    }

    /// Takes a write of the control register; returns the message that unmasking releases.
    #[must_use]
    pub(crate) fn set_control(&mut self, value: u32) -> Option<MsiMessage> {
        self.control = self.control & event::PENDING | value & event::MASK;
        self.release()
    }

    /// The condition was serviced before its message was sent.
    pub(crate) fn serviced(&mut self) {
        self.control &= !event::PENDING;
    }

    fn release(&mut self) -> Option<MsiMessage> {
        if self.control & event::MASK != 0 || self.control & event::PENDING == 0 {
            return None;
        }
        self.control &= !event::PENDING;
        Some(MsiMessage {
            address: u64::from(self.upper) << 32 | u64::from(self.address),
            data: self.data,
        })
    }
}

/// The fault registers of one unit. Workers record here; a short lock of its own keeps that from the register file.
pub(crate) struct Faults {
    state: Mutex<State>,
    sink: Arc<dyn MsiSink>,
    recorded: AtomicU64,
    collapsed: AtomicU64,
    lost: AtomicU64,
}

/// How often faults came to what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    /// They were recorded.
    pub(crate) recorded: u64,
    /// The same was recorded already and not read yet.
    pub(crate) collapsed: u64,
    /// All records were full.
    pub(crate) lost: u64,
}

#[derive(Debug, Default)]
struct State {
    records: [[u64; 2]; FAULT_RECORDS],
    next: usize,
    first: usize,
    sticky: u32,
    event: Event,
}

const RECORDED: u64 = 1 << 63;
const READ: u64 = 1 << 62;

impl State {
    fn status(&self) -> u32 {
        let pending = if self.records.iter().any(|record| record[1] & RECORDED != 0) {
            fault_status::PENDING
        } else {
            0
        };
        self.sticky | pending | (self.first as u32) << fault_status::RECORD_SHIFT
    }

    fn is_quiet(&self) -> bool {
        self.status() & (fault_status::PENDING | fault_status::OVERFLOW | fault_status::QUEUE_ERROR)
            == 0
    }

    /// Sets whatever `change` sets, and raises the event if nothing was pending before.
    fn note(&mut self, change: impl FnOnce(&mut Self)) -> Option<MsiMessage> {
        let quiet = self.is_quiet();
        change(self);
        if quiet && !self.is_quiet() { self.event.raise() } else { None }
    }

    fn serviced(&mut self) {
        if self.is_quiet() {
            self.event.serviced();
        }
    }
}

impl Faults {
    pub(crate) fn new(sink: Arc<dyn MsiSink>) -> Self {
        let [recorded, collapsed, lost] = [0; 3].map(AtomicU64::new);
        Self { state: Mutex::default(), sink, recorded, collapsed, lost }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends what the closure releases, once the lock is dropped. The unit's own messages aren't remapped (5.1.6).
    fn with(&self, act: impl FnOnce(&mut State) -> Option<MsiMessage>) {
        let message = act(&mut self.state());
        if let Some(message) = message {
            self.sink.signal(message);
        }
    }

    /// Records a fault in the next register, or notes the overflow.
    pub(crate) fn record(&self, fault: Fault) {
        self.with(|state| {
            if state.holds(fault) {
                self.collapsed.fetch_add(1, Relaxed);
                return None;
            }
            if state.sticky & fault_status::OVERFLOW != 0
                || state.records[state.next][1] & RECORDED != 0
            {
                self.lost.fetch_add(1, Relaxed);
                return state.note(|state| state.sticky |= fault_status::OVERFLOW);
            }
            self.recorded.fetch_add(1, Relaxed);
            state.note(|state| state.fill(fault))
        });
    }

    /// The queue met a descriptor it can't take (IQE).
    pub(crate) fn queue_error(&self) {
        self.with(|state| state.note(|state| state.sticky |= fault_status::QUEUE_ERROR));
    }

    /// Whether the queue is stopped by an error.
    pub(crate) fn has_queue_error(&self) -> bool {
        self.state().sticky & fault_status::QUEUE_ERROR != 0
    }

    pub(crate) fn status(&self) -> u32 {
        self.state().status()
    }

    /// Takes a write of the fault status register (RW1C bits).
    pub(crate) fn clear_status(&self, value: u32) {
        let mut state = self.state();
        state.sticky &= !(value & (fault_status::OVERFLOW | fault_status::QUEUE_ERROR));
        state.serviced();
    }

    /// Reads a half (0 low, 1 high) of record `index`.
    pub(crate) fn read_record(&self, index: usize, half: usize) -> u64 {
        self.state().records.get(index).map_or(0, |record| record[half & 1])
    }

    /// Takes a write of the upper half of record `index`: F is RW1C, the rest read-only.
    pub(crate) fn clear_record(&self, index: usize, value: u64) {
        let mut state = self.state();
        if let Some(record) = state.records.get_mut(index)
            && value & RECORDED != 0
        {
            record[1] &= !RECORDED;
            state.serviced();
        }
    }

    pub(crate) fn event(&self) -> Event {
        self.state().event
    }

    /// Changes the event's data and address registers.
    pub(crate) fn set_event(&self, change: impl FnOnce(&mut Event)) {
        change(&mut self.state().event);
    }

    pub(crate) fn set_control(&self, value: u32) {
        self.with(|state| state.event.set_control(value));
    }

    /// Power-on state.
    pub(crate) fn reset(&self) {
        *self.state() = State::default();
    }

    /// What became of all faults since the unit was made.
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            recorded: self.recorded.load(Relaxed),
            collapsed: self.collapsed.load(Relaxed),
            lost: self.lost.load(Relaxed),
        }
    }
}

impl State {
    /// Whether a fault of this function for this reason waits to be read.
    fn holds(&self, fault: Fault) -> bool {
        let same = fault.upper_half() & !READ;
        self.records.iter().any(|record| record[1] & !READ == same)
    }

    fn fill(&mut self, fault: Fault) {
        let index = self.next;
        if self.status() & fault_status::PENDING == 0 {
            self.first = index;
        }
        self.records[index] = [fault.info, fault.upper_half()];
        self.next = (index + 1) % FAULT_RECORDS;
    }
}

#[cfg(test)]
mod tests;

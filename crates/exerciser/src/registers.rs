//! The registers of one function and the memory behind its other BARs; a write to COMMAND gives a [`Job`] to whoever works.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::job::{End, Job};
use crate::spec::*;

/// One function. The lock is never held while anything is sent.
#[derive(Debug)]
pub(crate) struct Registers {
    state: Mutex<State>,
    has_pin: bool,
}

#[derive(Debug, Default)]
struct State {
    /// From MAGIC to FLAGS.
    values: [u32; 12],
    reason: Reason,
    /// The interrupt of STATUS is the pin's, and nobody has seen it.
    by_pin: bool,
    job: Option<Job>,
    /// Whether the function is in the thread's line.
    queued: bool,
    /// Counts resets: a job of before is nobody's.
    life: u64,
    memory: [Option<Box<[u8]>>; 5],
}

/// An interrupt to raise; vectors from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interrupt {
    /// The pin, as long as [`Registers::asserts_pin`] says so.
    Pin,
    Msi(u16),
    Msix(u16),
}

const LAST: u64 = CAPABILITIES + 4;

impl Registers {
    /// In power-on state; `has_pin`: of a function with an interrupt pin.
    pub(crate) fn new(has_pin: bool) -> Self {
        Self { state: Mutex::default(), has_pin }
    }

    /// Reads BAR 0's registers or the memory of another BAR; what isn't there is zero. True if the pin must follow.
    pub(crate) fn read(&self, bar: u8, offset: u64, data: &mut [u8]) -> bool {
        let mut state = self.lock();
        if let Some(memory) = memory_index(bar) {
            let memory = state.memory.get(memory).and_then(Option::as_deref);
            let part = memory.and_then(|memory| memory.get(range(offset, data.len())));
            match part {
                Some(part) => data.copy_from_slice(part),
                None => data.fill(0),
            }
            return false;
        }
        for (byte, at) in data.iter_mut().zip(offset..) {
            *byte = self.dword(&state, at & !3).to_le_bytes()[(at & 3) as usize];
        }
        let sees_interrupt = offset <= STATUS && offset.saturating_add(data.len() as u64) > STATUS;
        sees_interrupt && std::mem::take(&mut state.by_pin)
    }

    /// Writes them. True if a command has begun and the function must get in line for the thread.
    pub(crate) fn write(&self, bar: u8, offset: u64, data: &[u8]) -> bool {
        let mut state = self.lock();
        if let Some(memory) = memory_index(bar) {
            state.write_memory(memory, offset, data);
            return false;
        }
        let busy = state.job.is_some();
        let mut commanded = false;
        for (byte, at) in data.iter().zip(offset..) {
            let (dword, shift) = (at & !3, 8 * (at & 3));
            if dword == COMMAND && busy {
                continue;
            }
            commanded |= dword == COMMAND;
            if let Some(value) = state.values.get_mut(index(dword)) {
                *value = *value & !(0xff << shift) | u32::from(*byte) << shift;
            }
        }
        commanded && state.begin() && !std::mem::replace(&mut state.queued, true)
    }

    /// The function has had its turn. Whether it stays in line.
    pub(crate) fn stays(&self) -> bool {
        let mut state = self.lock();
        state.queued = state.job.is_some();
        state.queued
    }

    /// The job that is to be worked on, if there is one.
    pub(crate) fn job(&self) -> Option<(u64, Job)> {
        let state = self.lock();
        Some((state.life, state.job.clone()?))
    }

    /// What has become of it: a part of it is done.
    pub(crate) fn proceed(&self, life: u64, job: Job) {
        let mut state = self.lock();
        if state.life == life && state.job.is_some() {
            state.job = Some(job);
        }
    }

    /// It has ended. Returns the interrupt that tells.
    pub(crate) fn end(&self, life: u64, end: End) -> Option<Interrupt> {
        let mut state = self.lock();
        if state.life != life || state.job.take().is_none() {
            return None;
        }
        state.values[index(COMMAND)] = 0;
        state.reason = end.reason;
        if let Some(checksum) = end.checksum {
            state.values[index(CHECKSUM)] = checksum;
        }
        state.values[index(STATUS)] |= end.status;
        let interrupt = state.interrupt().filter(|it| self.has_pin || *it != Interrupt::Pin);
        if interrupt.is_some() {
            state.values[index(STATUS)] |= IRQ_RAISED;
        }
        state.by_pin = interrupt == Some(Interrupt::Pin);
        interrupt
    }

    /// Whether the interrupt pin is asserted: until the driver has seen the interrupt.
    pub(crate) fn asserts_pin(&self) -> bool {
        let state = self.lock();
        state.by_pin && state.values[index(STATUS)] & IRQ_RAISED != 0
    }

    /// Power-on state. What a job of before still does has no effect here.
    pub(crate) fn reset(&self) {
        let mut state = self.lock();
        *state = State { life: state.life + 1, queued: state.queued, ..State::default() };
    }

    fn dword(&self, state: &State, offset: u64) -> u32 {
        match offset {
            CAPABILITIES if self.has_pin => CAPABLE | CAPABLE_PIN,
            CAPABILITIES => CAPABLE,
            REASON => state.reason as u32,
            _ => state.values.get(index(offset)).copied().filter(|_| offset < LAST).unwrap_or(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn address(&self, register: u64) -> u64 {
        let half = |register| u64::from(self.values[index(register)]);
        half(register + 4) << 32 | half(register)
    }

    fn begin(&mut self) -> bool {
        let command = self.values[index(COMMAND)];
        self.values[index(STATUS)] = 0;
        self.reason = Reason::None;
        let (source, destination) = (self.address(SOURCE), self.address(DESTINATION));
        let (size, checksum) = (self.values[index(SIZE)], self.values[index(CHECKSUM)]);
        self.job = Job::new(command, source, destination, size, checksum);
        if self.job.is_none() {
            self.values[index(COMMAND)] = 0;
        }
        self.job.is_some()
    }

    fn interrupt(&self) -> Option<Interrupt> {
        let vector = |count: u16| {
            let number = self.values[index(IRQ_NUMBER)].checked_sub(1)?;
            u16::try_from(number).ok().filter(|vector| *vector < count)
        };
        match self.values[index(IRQ_TYPE)] {
            IRQ_INTX => Some(Interrupt::Pin),
            IRQ_MSI => vector(MSI_VECTORS).map(Interrupt::Msi),
            IRQ_MSIX => vector(VECTORS).map(Interrupt::Msix),
            _ => None,
        }
    }

    fn write_memory(&mut self, memory: usize, offset: u64, data: &[u8]) {
        let Some(memory) = self.memory.get_mut(memory) else { return };
        let memory = memory.get_or_insert_with(|| vec![0; MEMORY_SIZE as usize].into());
        if let Some(part) = memory.get_mut(range(offset, data.len())) {
            part.copy_from_slice(data);
        }
    }
}

fn memory_index(bar: u8) -> Option<usize> {
    usize::from(bar).checked_sub(1)
}

fn range(offset: u64, len: usize) -> std::ops::Range<usize> {
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    start..start.saturating_add(len)
}

const fn index(register: u64) -> usize {
    (register / 4) as usize
}

#[cfg(test)]
mod tests;

//! The I/O interrupt controller (82093AA data sheet; version 0x20 with the EOI register, ICH9 data sheet 13.5).
//!
//! A pin's interrupt leaves as a memory write with the IOAPIC's own requester id, so that an IOMMU can remap it (VT-d 4.1, 5.1.5).
//! The wires of PCI interrupt pins end here, at pins of their own. A pin's line is asserted or not, whatever that is electrically: its
//! polarity bit is kept and means nothing. Left out: the delivery status bit (a message is never pending), boot through INTR.

mod spec;

use std::sync::{Arc, Mutex, PoisonError};

use pando_firmware::layout;
use pando_tlp::{Dma, Epochs, IntxSink, IntxWire, Mmio, MsiMessage, Participant};

use self::spec::{Entry, PINS, Register};

/// Tells KVM which vectors need an EOI exit: those of level-triggered pins whose message isn't remapped.
pub trait PinRoutes: Send + Sync {
    /// The message that `pin` sends now, `None` if its EOI needn't be seen.
    fn route(&self, pin: usize, message: Option<MsiMessage>);
}

/// The controller.
pub struct IoApic {
    state: Mutex<State>,
    sender: Mutex<Participant>,
    dma: Arc<dyn Dma>,
    routes: Arc<dyn PinRoutes>,
    id: u8,
}

#[derive(Clone, Copy)]
struct State {
    select: u8,
    id: u8,
    entries: [Entry; PINS],
    /// One bit per asserted input line.
    lines: u32,
}

/// Messages that became due, at most one per pin.
type Due = Vec<MsiMessage>;

impl IoApic {
    /// All pins masked. `dma` carries the IOAPIC's requester id.
    pub fn new(
        id: u8,
        dma: Arc<dyn Dma>,
        routes: Arc<dyn PinRoutes>,
        epochs: &Arc<Epochs>,
    ) -> Self {
        let state = Mutex::new(State::new(id));
        Self { state, sender: Mutex::new(epochs.join()), dma, routes, id }
    }

    /// Back to the power-on state; input lines stay as they are.
    pub fn reset(&self) {
        let mut state = self.lock();
        *state = State { lines: state.lines, ..State::new(self.id) };
        (0..PINS).for_each(|pin| self.routes.route(pin, None));
    }

    /// Sets a pin's input line.
    pub fn set_line(&self, pin: usize, level: bool) {
        let due = self.lock().set_line(pin, level);
        self.send(due);
    }

    /// One edge: the line rises and falls.
    pub fn pulse(&self, pin: usize) {
        self.set_line(pin, true);
        self.set_line(pin, false);
    }

    /// A CPU ended the interrupt of `vector` (KVM_EXIT_IOAPIC_EOI).
    pub fn end_of_interrupt(&self, vector: u8) {
        let due = self
            .lock()
            .end_of_interrupt(|entry| !entry.is_remappable() && entry.vector() == vector);
        self.send(due);
    }

    /// The lock is not held while messages travel.
    fn send(&self, due: Due) {
        if due.is_empty() {
            return;
        }
        let mut sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        let _guard = sender.enter();
        for message in due {
            // Blocked by an IOMMU: it has recorded the fault.
            let _ = self.dma.interrupt(message);
        }
    }

    fn write_window(&self, value: u32) {
        let mut state = self.lock();
        let Some(pin) = state.write_window(value) else { return };
        let entry = state.entries[pin];
        self.routes.route(pin, entry.needs_eoi_exit().then(|| entry.message()));
        let due = state.evaluate(pin);
        drop(state);
        self.send(due.into_iter().collect());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn new(id: u8) -> Self {
        Self { select: 0, id, entries: [Entry::MASKED; PINS], lines: 0 }
    }

    fn set_line(&mut self, pin: usize, level: bool) -> Due {
        let Some(entry) = self.entries.get(pin) else { return Due::new() };
        let bit = 1 << pin;
        let rises = level && self.lines & bit == 0;
        self.lines = if level { self.lines | bit } else { self.lines & !bit };
        if entry.is_level() {
            return self.evaluate(pin).into_iter().collect();
        }
        // An edge while the pin is masked is lost.
        (rises && !entry.is_masked()).then(|| entry.message()).into_iter().collect()
    }

    /// A level-triggered pin whose line is high sends once, and again after each end of interrupt.
    fn evaluate(&mut self, pin: usize) -> Option<MsiMessage> {
        let entry = &mut self.entries[pin];
        let asserted = self.lines & 1 << pin != 0;
        if !entry.is_level() || entry.is_masked() || entry.remote_irr() || !asserted {
            return None;
        }
        entry.set_remote_irr(true);
        Some(entry.message())
    }

    fn end_of_interrupt(&mut self, ends: impl Fn(&Entry) -> bool) -> Due {
        let mut due = Due::new();
        for pin in 0..PINS {
            let entry = &mut self.entries[pin];
            if entry.is_level() && entry.remote_irr() && ends(entry) {
                entry.set_remote_irr(false);
                due.extend(self.evaluate(pin));
            }
        }
        due
    }

    fn read_window(&self) -> u32 {
        match Register::from(self.select) {
            Register::Id | Register::Arbitration => u32::from(self.id) << 24,
            Register::Version => spec::VERSION,
            Register::Entry { pin, high } => self.entries[pin].half(high),
            Register::Unknown => u32::MAX,
        }
    }

    /// Returns the pin whose entry changed.
    fn write_window(&mut self, value: u32) -> Option<usize> {
        match Register::from(self.select) {
            Register::Id => self.id = (value >> 24) as u8,
            Register::Entry { pin, high } => {
                self.entries[pin].set_half(high, value);
                return Some(pin);
            }
            Register::Version | Register::Arbitration | Register::Unknown => {}
        }
        None
    }
}

impl IntxSink for IoApic {
    fn set(&self, wire: IntxWire, asserted: bool) {
        self.set_line(layout::intx_gsi(wire.number()) as usize, asserted);
    }
}

impl Mmio for IoApic {
    fn read(&self, offset: u64, data: &mut [u8]) {
        let state = self.lock();
        let value = match offset {
            spec::SELECT => u32::from(state.select),
            spec::WINDOW => state.read_window(),
            _ => u32::MAX,
        };
        drop(state);
        data.fill(0xff);
        for (byte, value) in data.iter_mut().zip(value.to_le_bytes()) {
            *byte = value;
        }
    }

    fn write(&self, offset: u64, data: &[u8]) {
        let mut bytes = [0; 4];
        bytes.iter_mut().zip(data).for_each(|(byte, data)| *byte = *data);
        let value = u32::from_le_bytes(bytes);
        match offset {
            spec::SELECT => self.lock().select = value as u8,
            spec::WINDOW => self.write_window(value),
            spec::EOI => {
                let due = self.lock().end_of_interrupt(|entry| entry.vector() == value as u8);
                self.send(due);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;

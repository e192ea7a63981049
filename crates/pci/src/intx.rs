//! INTx: a function's interrupt pin, told to the tree by Assert_INTx and Deassert_INTx messages (PCI Express base 6.0, 6.1.2,
//! 7.5.1.1.3 Interrupt Disable, 7.5.1.1.4 Interrupt Status, 2.2.8.1). A function uses it only while neither MSI nor MSI-X is
//! enabled (6.1.4), and in D0.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pando_tlp::{IntxWire, Link};

/// The interrupt pin of a function, if it has one.
pub struct Intx {
    link: Arc<dyn Link>,
    function: u8,
    wire: Option<IntxWire>,
    /// Held while a message is sent, so that messages are in the order of the changes.
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// What the model asks for.
    level: bool,
    registers: Registers,
    powered: bool,
    /// What the tree was told last.
    asserted: bool,
}

/// What the function's registers say of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Registers {
    /// Interrupt Disable.
    pub(crate) disabled: bool,
    /// MSI or MSI-X is used instead.
    pub(crate) replaced: bool,
}

impl State {
    /// Interrupt Status: whether an interrupt is pending inside the function, disabled or not.
    fn is_pending(&self) -> bool {
        self.level && self.powered && !self.registers.replaced
    }
}

impl Intx {
    /// The pin of the function with this number (the low eight bits of its id).
    pub(crate) fn new(link: Arc<dyn Link>, function: u8, wire: Option<IntxWire>) -> Self {
        Self { link, function, wire, state: Mutex::default() }
    }

    /// Brings the pin to the level that the function's registers ask for, `true` for an interrupt. `level` is asked while the
    /// pin is locked, so the last to come tells the newest: it may lock the function's registers, and whoever calls may not
    /// have locked them.
    pub fn follow(&self, level: impl FnOnce() -> bool) {
        if self.wire.is_some() {
            self.change(|state| state.level = level());
        }
    }

    /// Follows the function's registers.
    pub(crate) fn control(&self, registers: Registers) {
        self.change(|state| state.registers = registers);
    }

    /// The function enters D0 or leaves it.
    pub(crate) fn power(&self, powered: bool) {
        self.change(|state| state.powered = powered);
    }

    /// Power-on state: not asserted.
    pub(crate) fn reset(&self) {
        self.change(|state| *state = State { asserted: state.asserted, ..State::default() });
    }

    /// Interrupt Status.
    pub(crate) fn is_pending(&self) -> bool {
        self.lock().is_pending()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        let wanted = state.is_pending() && !state.registers.disabled;
        if let Some(wire) = self.wire
            && std::mem::replace(&mut state.asserted, wanted) != wanted
        {
            self.link.intx(self.function, wire, wanted);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

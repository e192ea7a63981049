//! Errors of a card's functions: what they detect themselves, and what they learn of their own requests (PCI Express base 6.0,
//! 6.2.3, 7.5.1.1.4; VFs: 9.4.2).
//!
//! Left out: errors of no function in particular are the lowest-numbered physical function's alone.

use pando_tlp::ErrorMessage;

use super::Endpoint;
use super::card::Card;
use super::state::State;
use crate::aer::{self, Controls, DetectedError, Places};
use crate::spec::header::{COMMAND, COMMAND_PARITY, STATUS_POISON_SENT};
use crate::{ConfigKind, ErrorPlace, FunctionId};

impl Endpoint {
    /// Logs an error where it belongs and sends the message that follows.
    pub(super) fn log_error(&self, place: ErrorPlace, error: &DetectedError) -> Option<()> {
        let register = match place {
            ErrorPlace::Register(region, offset) => Some(self.owner(region, offset)?),
            ErrorPlace::Function(_) => None,
        };
        let (source, message) = {
            let mut state = self.lock();
            let function = match place {
                ErrorPlace::Register(..) => register?,
                ErrorPlace::Function(id) => {
                    let own = id.bus() == state.bus;
                    let kind = if own { ConfigKind::Type0 } else { ConfigKind::Type1 };
                    state.find(&self.card, kind, id)?
                }
            };
            (state.id(&self.card, function), state.log(&self.card, function, error)?)
        };
        self.link.report(source, message);
        Some(())
    }

    /// Before Status is read or written: what was learned of requests since.
    pub(super) fn fold_outcomes(&self, state: &mut State, function: FunctionId, register: u16) {
        if register != COMMAND {
            return;
        }
        let Some(requester) = self.function_of(function).map(|of| &of.requester) else { return };
        let mut bits = u32::from(requester.take_outcomes()) << 16;
        if state.pf.read(COMMAND) & COMMAND_PARITY == 0 {
            bits &= !STATUS_POISON_SENT; // Master Data Parity Error needs Parity Error Response
        }
        if let Some(space) = state.space_mut(function) {
            space.set(COMMAND, bits, bits);
        }
    }
}

impl State {
    /// A VF logs for itself; masks, severities and enables are its PF's (9.4.2).
    fn log(
        &mut self,
        card: &Card,
        function: FunctionId,
        error: &DetectedError,
    ) -> Option<ErrorMessage> {
        if card.pf.is_conventional() {
            aer::receive(&mut self.pf, COMMAND, error.kind);
            return None; // without messages and without pins there is nothing more to tell
        }
        let controls = Controls::of(&self.pf, card.pf.pcie, card.pf.aer);
        let shape = card.shape(function)?;
        let places = Places { pcie: shape.pcie, aer: shape.aer, received: COMMAND };
        aer::log(self.space_mut(function)?, &places, &controls, error)
    }

    /// Uncorrectable and Correctable Error Status of a function.
    pub(super) fn error_status(&self, card: &Card, function: FunctionId) -> [u32; 2] {
        let space = self.space(function).zip(card.shape(function));
        space.map_or([0; 2], |(space, shape)| aer::status(space, shape.aer))
    }
}

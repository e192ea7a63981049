//! Errors at a port: those it detects itself, messages that pass it, and the root port where they end (PCI Express base 6.0,
//! 6.2.4.1, 6.2.6, 7.5.1.3.7, 7.5.1.3.10, 7.8.4.9 to 7.8.4.11).
//!
//! Left out: system errors of the Root Control register, interrupt pins.

use pando_tlp::{ErrorMessage, RequesterId};
use serde::Serialize;

use super::Bridge;
use crate::aer::{self, Controls, DetectedError};
use crate::capability::pcie::PortKind;
use crate::config_space::ConfigSpace;
use crate::root_errors;
use crate::spec::aer::ROOT_STATUS_AT;
use crate::spec::header::{
    BRIDGE_SERR, COMMAND, COMMAND_SERR, INTERRUPT, SECONDARY_STATUS, STATUS_SYSTEM_ERROR,
};

/// The error registers of a port, for reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ErrorStatus {
    /// Uncorrectable Error Status.
    pub uncorrectable: u32,
    /// Correctable Error Status.
    pub correctable: u32,
    /// Root Error Status, of a root port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<u32>,
}

impl Bridge {
    /// The port has found `error` in a request that came in at its link (or, inside a switch, from below). Returns the message
    /// to send upwards, with the port's own id; a root port takes it in itself, by [`receive`](Self::receive).
    pub fn detect(&self, error: &DetectedError) -> Option<ErrorMessage> {
        let (pcie, aer) = (self.places.pcie, self.places.aer);
        let places = aer::Places { pcie, aer, received: SECONDARY_STATUS };
        let space = &mut self.lock().space;
        let controls = Controls::of(space, pcie, aer);
        aer::log(space, &places, &controls, error)
    }

    /// A message has come in from below. Returns whether it goes on: with SERR# Enable of Bridge Control, and, unless it is
    /// ERR_COR, if the port reports such errors itself (7.5.1.1.3, 6.2.6).
    pub fn forward(&self, message: ErrorMessage) -> bool {
        if !self.routing().link_active {
            return false;
        }
        let space = &mut self.lock().space;
        let uncorrectable = message != ErrorMessage::Correctable;
        if uncorrectable {
            space.set(SECONDARY_STATUS, STATUS_SYSTEM_ERROR, STATUS_SYSTEM_ERROR);
        }
        if space.read(INTERRUPT) & BRIDGE_SERR == 0 {
            return false;
        }
        if uncorrectable && self.kind != PortKind::RootPort {
            let controls = Controls::of(space, self.places.pcie, self.places.aer);
            if !controls.reports(message) {
                return false;
            }
        }
        if uncorrectable && space.read(COMMAND) & COMMAND_SERR != 0 {
            space.set(COMMAND, STATUS_SYSTEM_ERROR, STATUS_SYSTEM_ERROR);
        }
        true
    }

    /// A message of `source` has arrived in the root complex through this root port: Root Error Status, Error Source
    /// Identification, and one interrupt when the first enabled error comes up (6.2.4.1.2). Other ports have no such registers.
    pub fn receive(&self, source: RequesterId, message: ErrorMessage) {
        if self.kind != PortKind::RootPort {
            return;
        }
        let due = {
            let space = &mut self.lock().space;
            let was_due = self.is_due(space);
            root_errors::receive(space, self.places.aer, source, message);
            !was_due && self.is_due(space)
        };
        if due {
            self.signal();
        }
    }

    /// The error registers now.
    pub fn error_status(&self) -> ErrorStatus {
        let space = &self.lock().space;
        let [uncorrectable, correctable] = aer::status(space, self.places.aer);
        let root = self.kind == PortKind::RootPort;
        let root = root.then(|| space.read(self.places.aer + ROOT_STATUS_AT));
        ErrorStatus { uncorrectable, correctable, root }
    }

    /// Whether an error was received whose reporting is enabled: going from no to yes is what makes an interrupt (6.2.4.1.2).
    pub(super) fn is_due(&self, space: &ConfigSpace) -> bool {
        if self.kind != PortKind::RootPort {
            return false;
        }
        root_errors::is_due(space, self.places.aer)
    }
}

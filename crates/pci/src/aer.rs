//! What a function does with an error it has detected: status bits, logs, and the message that follows (PCI Express base 6.0,
//! 6.2.3, 6.2.4, 6.2.5 with its figure, 7.8.4).
//!
//! A request that isn't posted ends with a completion that says so; its error is advisory then as long as it isn't fatal
//! (6.2.3.2.4.1, for ACS violations 6.12.4), and by default an advisory error is counted in a status bit and nothing more.
//!
//! Left out: ECRC, header logs for several errors, completion timeout prefixes, the legacy path of functions without AER.

use pando_tlp::{ErrorMessage, TlpHeader};

use crate::config_space::ConfigSpace;
use crate::spec::header::{
    COMMAND, COMMAND_SERR, STATUS_PARITY, STATUS_SIGNALED_ABORT, STATUS_SYSTEM_ERROR,
};
use crate::spec::{aer, pcie};

/// What went wrong, by its bit of the uncorrectable registers (7.8.4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ErrorKind {
    /// Poisoned TLP Received.
    Poisoned = 12,
    /// Completion Timeout.
    CompletionTimeout = 14,
    /// Completer Abort.
    CompleterAbort = 15,
    /// Unexpected Completion.
    UnexpectedCompletion = 16,
    /// Unsupported Request.
    UnsupportedRequest = 20,
    /// ACS Violation.
    AcsViolation = 21,
    /// Uncorrectable Internal Error.
    Internal = 22,
}

/// An error that a function or a port detects in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DetectedError {
    /// What is wrong.
    pub kind: ErrorKind,
    /// With which request.
    pub header: TlpHeader,
    /// Whether someone else deals with it: a completion tells the requester, or this is only a stage on the way of a poisoned
    /// request.
    pub advisory: bool,
}

impl DetectedError {
    /// An error found by who was to complete the request.
    pub fn at_completer(kind: ErrorKind, header: TlpHeader) -> Self {
        Self { kind, header, advisory: !header.is_posted() }
    }

    fn bit(&self) -> u32 {
        1 << self.kind as u8
    }
}

/// What of the registers decides about reporting. A VF is under its PF's (9.4.2).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Controls {
    mask: u32,
    severity: u32,
    correctable_mask: u32,
    device: u32,
    serr: bool,
}

impl Controls {
    /// Reads them; `pcie` and `aer` are the capabilities' offsets.
    pub(crate) fn of(space: &ConfigSpace, pcie: u16, aer: u16) -> Self {
        Self {
            mask: space.read(aer + aer::MASK),
            severity: space.read(aer + aer::SEVERITY),
            correctable_mask: space.read(aer + aer::CORRECTABLE_MASK),
            device: space.read(pcie + pcie::DEVICE_CONTROL),
            serr: space.read(COMMAND) & COMMAND_SERR != 0,
        }
    }

    /// Whether a message of this kind leaves the function.
    pub(crate) fn reports(&self, message: ErrorMessage) -> bool {
        match message {
            ErrorMessage::Correctable => self.device & pcie::REPORT_CORRECTABLE != 0,
            ErrorMessage::NonFatal => self.serr || self.device & pcie::REPORT_NON_FATAL != 0,
            ErrorMessage::Fatal => self.serr || self.device & pcie::REPORT_FATAL != 0,
        }
    }
}

/// Where a function keeps what it logs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places {
    /// The PCI Express capability.
    pub(crate) pcie: u16,
    /// The AER capability.
    pub(crate) aer: u16,
    /// The register that says what came in: Status, or a port's Secondary Status, in bits 31:16.
    pub(crate) received: u16,
}

/// Logs `error`; returns the message to send.
pub(crate) fn log(
    space: &mut ConfigSpace,
    places: &Places,
    controls: &Controls,
    error: &DetectedError,
) -> Option<ErrorMessage> {
    let set = |space: &mut ConfigSpace, register, bits| space.set(register, bits, bits);
    receive(space, places.received, error.kind);
    let message = severity(controls, error);
    set(space, places.pcie + pcie::DEVICE_CONTROL, detected(message, error.kind));
    if message == ErrorMessage::Correctable {
        set(space, places.aer + aer::CORRECTABLE_STATUS, aer::ADVISORY);
        if controls.correctable_mask & aer::ADVISORY != 0 {
            return None;
        }
    }
    let masked = controls.mask & error.bit() != 0;
    if !masked {
        record(space, places.aer, error);
    }
    set(space, places.aer + aer::STATUS, error.bit());
    let unwanted = error.kind == ErrorKind::UnsupportedRequest
        && !controls.serr
        && controls.device & pcie::REPORT_UNSUPPORTED == 0;
    let advisory = message == ErrorMessage::Correctable;
    if (masked && !advisory) || unwanted || !controls.reports(message) {
        return None;
    }
    if !advisory && controls.serr {
        set(space, COMMAND, STATUS_SYSTEM_ERROR);
    }
    Some(message)
}

/// What the status register `received` says of it in bits 31:16, as on conventional PCI.
pub(crate) fn receive(space: &mut ConfigSpace, received: u16, kind: ErrorKind) {
    let bits = match kind {
        ErrorKind::Poisoned => STATUS_PARITY,
        ErrorKind::CompleterAbort | ErrorKind::AcsViolation => STATUS_SIGNALED_ABORT,
        ErrorKind::CompletionTimeout
        | ErrorKind::UnexpectedCompletion
        | ErrorKind::UnsupportedRequest
        | ErrorKind::Internal => 0,
    };
    space.set(received, bits, bits);
}

fn severity(controls: &Controls, error: &DetectedError) -> ErrorMessage {
    match (controls.severity & error.bit() != 0, error.advisory) {
        (true, _) => ErrorMessage::Fatal,
        (false, true) => ErrorMessage::Correctable,
        (false, false) => ErrorMessage::NonFatal,
    }
}

/// The bits of Device Status (7.5.3.5).
fn detected(message: ErrorMessage, kind: ErrorKind) -> u32 {
    let class = match message {
        ErrorMessage::Correctable => pcie::REPORT_CORRECTABLE,
        ErrorMessage::NonFatal => pcie::REPORT_NON_FATAL,
        ErrorMessage::Fatal => pcie::REPORT_FATAL,
    };
    let unsupported =
        if kind == ErrorKind::UnsupportedRequest { pcie::REPORT_UNSUPPORTED } else { 0 };
    (class | unsupported) << pcie::DETECTED_SHIFT
}

/// First Error Pointer and Header Log, which stay until software has cleared the error they tell of (6.2.4.2).
fn record(space: &mut ConfigSpace, aer: u16, error: &DetectedError) {
    let first = space.read(aer + aer::CAPABILITIES) & aer::FIRST_ERROR;
    if space.read(aer + aer::STATUS) >> first & 1 != 0 {
        return;
    }
    space.set(aer + aer::CAPABILITIES, aer::FIRST_ERROR, u32::from(error.kind as u8));
    for (register, dword) in (aer + aer::HEADER_LOG..).step_by(4).zip(error.header.0) {
        space.set(register, u32::MAX, dword);
    }
}

/// What a function's AER registers say, for reports: uncorrectable and correctable status.
pub(crate) fn status(space: &ConfigSpace, aer: u16) -> [u32; 2] {
    [space.read(aer + aer::STATUS), space.read(aer + aer::CORRECTABLE_STATUS)]
}

#[cfg(test)]
mod tests;

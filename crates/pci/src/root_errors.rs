//! Root Error Status and its company in the AER capability of a root port or an event collector, where error messages end
//! (PCI Express base 6.0, 6.2.4.1, 7.8.4.9 to 7.8.4.11).

use pando_tlp::{ErrorMessage, RequesterId};

use crate::config_space::ConfigSpace;
use crate::spec::aer::*;

/// Whether an error was received whose reporting is enabled: going from no to yes is what makes an interrupt (6.2.4.1.2).
pub(crate) fn is_due(space: &ConfigSpace, aer: u16) -> bool {
    let command = space.read(aer + ROOT_COMMAND_AT);
    let status = space.read(aer + ROOT_STATUS_AT);
    [
        (REPORT_CORRECTABLE, CORRECTABLE_RECEIVED),
        (REPORT_NON_FATAL, NON_FATAL_RECEIVED),
        (REPORT_FATAL, FATAL_RECEIVED),
    ]
    .iter()
    .any(|(enable, received)| command & enable != 0 && status & received != 0)
}

/// The first message of either class leaves its sender's id, further ones only say that there were more.
pub(crate) fn receive(
    space: &mut ConfigSpace,
    aer: u16,
    source: RequesterId,
    message: ErrorMessage,
) {
    let old = space.read(aer + ROOT_STATUS_AT);
    let source = u32::from(source.0);
    let (received, shift, class) = match message {
        ErrorMessage::Correctable => (CORRECTABLE_RECEIVED, 0, 0),
        ErrorMessage::NonFatal => (UNCORRECTABLE_RECEIVED, 16, NON_FATAL_RECEIVED),
        ErrorMessage::Fatal => (UNCORRECTABLE_RECEIVED, 16, FATAL_RECEIVED),
    };
    let mut new = received | class;
    if old & received != 0 {
        new |= received << 1;
    } else {
        space.set(aer + ERROR_SOURCE, 0xffff << shift, source << shift);
        new |= if message == ErrorMessage::Fatal { FIRST_FATAL } else { 0 };
    }
    space.set(aer + ROOT_STATUS_AT, new, new);
}

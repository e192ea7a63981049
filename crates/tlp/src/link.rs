//! The upper end of a link, as the device below sees it.

use std::sync::Arc;

use crate::{Dma, Epochs, ErrorMessage, IntxWire, Requester, RequesterId};

/// What the tree gives to whatever sits below a port.
pub trait Link: Send + Sync {
    /// A handle whose requests carry `requester`'s id, obey its gate, and enter the tree here.
    fn dma(&self, requester: Arc<Requester>) -> Arc<dyn Dma>;

    /// The machine's epochs, to wait out requests under way after a gate was closed.
    fn epochs(&self) -> &Arc<Epochs>;

    /// The set of doorbells the device wants to be rung by event has changed. Only notes it down; never calls back.
    fn doorbells_changed(&self);

    /// Sends an error message of the function `source` upwards. Takes no lock of a device. Nobody listens unless the tree does.
    fn report(&self, _source: RequesterId, _message: ErrorMessage) {}

    /// The function with this number (the low eight bits of its id) begins or ceases to assert a wire: an Assert_INTx or
    /// Deassert_INTx message. Takes no lock of a device. Nobody listens unless the tree does.
    fn intx(&self, _function: u8, _wire: IntxWire, _asserted: bool) {}
}

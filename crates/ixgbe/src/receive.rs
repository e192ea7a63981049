//! Receive queues (82599 datasheet, 7.1). Not there yet: no queue starts.

use pando_engine::{QueueError, ReceiveHandle};

use crate::work::Start;

/// Sets a receive queue to work; an error is the driver's.
pub(crate) fn start(_start: Start<'_>) -> Result<ReceiveHandle, QueueError> {
    Err(QueueError::Driver("no data path yet"))
}

//! Transmit queues (82599 datasheet, 7.2). Not there yet: no queue starts.

use pando_engine::{QueueError, TaskHandle};

use crate::work::Start;

/// Sets a transmit queue to work; an error is the driver's.
pub(crate) fn start(_start: Start<'_>) -> Result<TaskHandle, QueueError> {
    Err(QueueError::Driver("no data path yet"))
}

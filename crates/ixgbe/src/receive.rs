//! Receive queues (82599 datasheet, 7.1): buffers, one or several per frame, header split, write-back in advanced and legacy form.
//!
//! A frame that finds no descriptors waits a while, as the engine decides; what the chip would have dropped at once is then counted
//! by Drop Enable. Leaves out time stamps, DCB.

mod coalesce;
mod place;
mod plain;
mod queue;
mod verify;
mod write;
mod write_back;

use pando_engine::{QueueError, ReceiveHandle};

use crate::transmit::number;
use crate::work::Start;
use queue::ReceiveQueue;

/// Sets a receive queue to work; an error is the driver's.
pub(crate) fn start(start: Start<'_>) -> Result<ReceiveHandle, QueueError> {
    let queue = ReceiveQueue::new(&start)?;
    let (port, number) = (&start.wiring.port, number(start.queue, &start.assignment));
    Ok(start.engine.receive(port, number, Box::new(queue), start.on_error))
}

#[cfg(test)]
mod tests;

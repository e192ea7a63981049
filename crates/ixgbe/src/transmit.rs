//! Transmit queues (82599 datasheet, 7.2): legacy and advanced descriptors, contexts, segmentation, checksums, VLAN tags, write-back.
//!
//! A frame that makes no sense is dropped and its descriptors given back; a ring that makes none stops its queue. Leaves out time
//! stamps, MACsec, IPsec, FCoE, and thresholds: everything is written back at once.

mod crc;
mod descriptor;
mod fetch;
mod prepare;
mod queue;
mod simple;

use pando_engine::{QueueError, TaskHandle};
use pando_pci::FunctionId;

use crate::chip::Assignment;
use crate::policy;
use crate::queue::QueueIndex;
use crate::work::Start;
pub(crate) use crc::Crc;
use queue::TransmitQueue;

/// Sets a transmit queue to work; an error is the driver's.
pub(crate) fn start(start: Start<'_>) -> Result<TaskHandle, QueueError> {
    let queue = TransmitQueue::new(&start)?;
    let (port, number) = (&start.wiring.port, number(start.queue, &start.assignment));
    port.set_queue_rate(number, policy::rate(start.chip, start.queue));
    Ok(start.engine.transmit(port, number, Box::new(queue), start.on_error))
}

/// A queue's number at its port: a VF counts its own, the PF those of the card.
pub(crate) fn number(queue: QueueIndex, assignment: &Assignment) -> u16 {
    number_of(queue, assignment.owner, assignment.in_pool)
}

/// The same, of number `in_pool` in a pool of `owner`.
pub(crate) fn number_of(queue: QueueIndex, owner: FunctionId, in_pool: usize) -> u16 {
    match owner {
        FunctionId::Pf => queue.get() as u16,
        FunctionId::Vf(_) => in_pool as u16,
    }
}

#[cfg(test)]
mod tests;

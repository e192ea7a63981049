//! What a NIC personality gives the engine: its queues. A worker calls one queue at a time, under a guard, once per batch.

use std::time::Instant;

use pando_tlp::{Fault, Guard};

use crate::{Accepts, Batch};

/// Why a queue can't go on. The worker stops it and tells its owner, once; every other queue goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// The driver broke the rules of the ring.
    #[error("driver error: {0}")]
    Driver(&'static str),
    /// The ring or a table lies where the function can't reach it. [`Fault::Gated`] is no error: the queue just waits.
    #[error("ring access: {0}")]
    Ring(#[from] Fault),
    /// The queue's own code panicked.
    #[error("defect of the device model")]
    Defect,
}

/// A queue of frames that the driver wants sent.
pub trait Transmit: Send {
    /// Adds frames the driver has made available, oldest first, until the batch is full or none is left. Starts after the frames
    /// completed so far: frames fetched but not completed are fetched again.
    /// Segments lie in guest memory or in the queue's own.
    fn fetch<'g>(
        &'g mut self,
        guard: &'g Guard<'_>,
        batch: &mut Batch<'g>,
    ) -> Result<(), QueueError>;

    /// The first `frames` of those fetched last are done with: gives their buffers back, and interrupts if the driver wants it.
    /// Buffers that held no valid frame between them go back too.
    fn complete(&mut self, guard: &Guard<'_>, frames: usize) -> Result<(), QueueError>;

    /// Asks for a doorbell at the next frame; `true` if there is one already. Until then the queue is being polled.
    fn arm(&mut self, guard: &Guard<'_>) -> Result<bool, QueueError>;

    /// Doorbells aren't needed: the queue is being polled from now on.
    fn disarm(&mut self, guard: &Guard<'_>) -> Result<(), QueueError>;

    /// As [`Receive::due`].
    fn due(&self) -> Option<Instant> {
        None
    }

    /// As [`Receive::remind`].
    fn remind(&mut self, _guard: &Guard<'_>) -> Result<(), QueueError> {
        Ok(())
    }
}

/// A queue of buffers that the driver wants frames in.
pub trait Receive: Send {
    /// Which unfinished frames it takes now.
    fn accepts(&self) -> Accepts;

    /// Copies `frames` (indices into the batch, in this order) into the driver's buffers, publishes them once, and interrupts if
    /// the driver wants it. Returns how many were taken; fewer only for want of buffers. All are within [`accepts`](Self::accepts).
    fn deliver(
        &mut self,
        guard: &Guard<'_>,
        batch: &Batch<'_>,
        frames: &[u16],
    ) -> Result<usize, QueueError>;

    /// Asks for a doorbell when buffers are added to those the last [`deliver`](Self::deliver) saw; `true` if some were already.
    fn arm(&mut self, guard: &Guard<'_>) -> Result<bool, QueueError>;

    /// A frame is likely to come right now: asks for the memory that delivering it begins with. Nothing is decided by this.
    fn bring_near(&self) {}

    /// When an interrupt that it holds back is due; `None`: it holds none back. Asked after each pass.
    fn due(&self) -> Option<Instant> {
        None
    }

    /// Sends the interrupt that it holds back, unless that still isn't due. Called about when it is.
    fn remind(&mut self, _guard: &Guard<'_>) -> Result<(), QueueError> {
        Ok(())
    }
}

/// A queue that isn't packets: a control queue, served by a worker like any other.
pub trait Service: Send {
    /// Serves up to a batch of commands; `true` if there may be more.
    fn serve(&mut self, guard: &Guard<'_>) -> Result<bool, QueueError>;

    /// Asks for a doorbell at the next command; `true` if there is one already.
    fn arm(&mut self, guard: &Guard<'_>) -> Result<bool, QueueError>;
}

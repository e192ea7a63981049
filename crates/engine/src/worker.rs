//! Workers: threads that poll the queues given to them while there is work, and sleep when there is none.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use pando_tlp::Epochs;

use crate::{Doorbell, Port, QueueError, Receive, Service, Transmit};

/// Told once when a queue stops by itself. Called on a worker, with nothing locked and no guard held; it may come at the same
/// time as [`TaskHandle::stop`], but not after a stop that began before the error.
pub type OnError = Box<dyn FnOnce(QueueError) + Send>;

/// The workers.
pub struct Engine(());

impl Engine {
    /// Starts `workers` threads (at least one) that take part in `epochs`.
    pub fn new(workers: usize, epochs: Arc<Epochs>) -> io::Result<Self> {
        let _ = (workers, epochs);
        todo!()
    }

    /// Polls `queue`, transmit queue number `index` of `port`, from now on.
    pub fn transmit(
        &self,
        port: &Arc<Port>,
        index: u16,
        queue: Box<dyn Transmit>,
        on_error: OnError,
    ) -> TaskHandle {
        let _ = (port, index, queue, on_error);
        todo!()
    }

    /// Like [`transmit`](Self::transmit), for an uplink: there is something to fetch when `descriptor` becomes readable.
    pub fn source(
        &self,
        port: &Arc<Port>,
        index: u16,
        queue: Box<dyn Transmit>,
        descriptor: OwnedFd,
        on_error: OnError,
    ) -> io::Result<TaskHandle> {
        let _ = (port, index, queue, descriptor, on_error);
        todo!()
    }

    /// Gives frames for `port` to `queue` from now on, as its receive queue number `index`.
    pub fn receive(
        &self,
        port: &Arc<Port>,
        index: u16,
        queue: Box<dyn Receive>,
        on_error: OnError,
    ) -> ReceiveHandle {
        let _ = (port, index, queue, on_error);
        todo!()
    }

    /// Serves a control queue from now on.
    pub fn serve(&self, service: Box<dyn Service>, on_error: OnError) -> TaskHandle {
        let _ = (service, on_error);
        todo!()
    }
}

/// A queue that a worker polls. Dropping it stops it.
pub struct TaskHandle(Doorbell);

impl TaskHandle {
    /// The queue's doorbell.
    pub fn doorbell(&self) -> &Doorbell {
        &self.0
    }

    /// Stops the queue: when this returns, no worker uses it, and it is dropped. Call it from a thread that holds no guard and no
    /// lock that the queue's own methods take; never from the queue itself.
    pub fn stop(self) {}
}

/// A receive queue of a port. Dropping it stops it.
pub struct ReceiveHandle(Doorbell);

impl ReceiveHandle {
    /// Rung when buffers were added: senders that wait for them go on.
    pub fn doorbell(&self) -> &Doorbell {
        &self.0
    }

    /// As [`TaskHandle::stop`].
    pub fn stop(self) {}
}

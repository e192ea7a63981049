//! How a driver's notification reaches the worker that serves the queue.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// A queue's doorbell. A clone is the same doorbell.
#[derive(Clone)]
pub struct Doorbell(());

impl Doorbell {
    /// Rings it: from a vCPU thread that decoded the notification, or when the function may send again. Costs one load while the
    /// queue is being polled.
    pub fn ring(&self) {
        todo!()
    }

    /// An eventfd that rings it, for KVM; made at the first call.
    pub fn event(&self) -> io::Result<Arc<OwnedFd>> {
        todo!()
    }
}

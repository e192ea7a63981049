//! What Pando's engine stands beside: the plainest loop that moves the same frames, an engine on rust-vmm's `virtio-queue`, and
//! DPDK's testpmd in a process of its own. None has a switch, a filter or a translation; the first two have no counter either.

mod crate_queue;
mod raw;
pub(crate) mod testpmd;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::Result;
use pando_tlp::GuestRam;

use crate::driver::RingPlace;
use crate::pin::Processors;

/// Frames moved at once.
const BATCH: u16 = 64;

/// An engine that moves frames from one ring to another until it is told to stop.
pub(crate) type Engine = fn(GuestRam, RingPlace, RingPlace, &AtomicBool);

/// The limit: indices once per batch, one copy, nothing checked.
pub(crate) const RAW: Engine = raw::forward;

/// An engine on `virtio-queue`, batched.
pub(crate) const CRATE: Engine = crate_queue::forward;

/// A peer at work.
pub(crate) struct Peer {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Peer {
    /// Starts `engine` at the engine's side.
    pub(crate) fn start(
        processors: Processors,
        engine: Engine,
        ram: GuestRam,
        from: RingPlace,
        to: RingPlace,
    ) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = processors
            .at_engine(|| Ok(std::thread::spawn(move || engine(ram, from, to, &stopped))))?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // it says itself what went wrong
        }
    }
}

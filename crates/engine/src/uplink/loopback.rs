//! The loopback uplink: a mirror. What is sent to a peer comes back as if from that peer, so that `ping`, a UDP echo and a TCP echo
//! work for any address without anybody there.

mod reflect;

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pando_tlp::Guard;
use rustix::event::EventfdFlags;

use super::arena::Arena;
use super::{Carrier, Uplink, UplinkCounters, UplinkError, UplinkQueue, io_error};
use crate::finish::copy_out;
use crate::{Accepts, Batch, MAX_FRAME, Offload, QueueError, Receive, Transmit};

/// A mirror with one queue.
pub(super) fn open() -> Result<Uplink, UplinkError> {
    let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
    let event = rustix::event::eventfd(0, flags).map_err(io_error("an eventfd"))?;
    let readable = event.try_clone().map_err(io_error("an eventfd"))?;
    let counters = Arc::<UplinkCounters>::default();
    let mirror = Arc::new(Mirror {
        arena: Mutex::new(Arena::new()),
        armed: AtomicBool::new(false),
        event,
        counters: counters.clone(),
    });
    let transmit = Box::new(Back { arena: Arena::new(), mirror: mirror.clone() });
    let queue = UplinkQueue { transmit, receive: Box::new(Forth(mirror)), readable };
    Ok(Uplink { queues: vec![queue], carrier: Arc::new(Carrier::new(true)), counters })
}

/// What the halves share: the frames on their way back. Locked once per batch.
struct Mirror {
    arena: Mutex<Arena>,
    armed: AtomicBool,
    event: OwnedFd,
    counters: Arc<UplinkCounters>,
}

struct Forth(Arc<Mirror>);

struct Back {
    arena: Arena,
    mirror: Arc<Mirror>,
}

impl Mirror {
    fn arena(&self) -> MutexGuard<'_, Arena> {
        self.arena.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Receive for Forth {
    /// The mirror reads and writes headers, so it takes finished frames only.
    fn accepts(&self) -> Accepts {
        Accepts::empty()
    }

    fn deliver(
        &mut self,
        _: &Guard<'_>,
        batch: &Batch<'_>,
        frames: &[u16],
    ) -> Result<usize, QueueError> {
        let counters = &self.0.counters;
        let mut arena = self.0.arena();
        for index in frames {
            let frame = batch.frame(usize::from(*index));
            let Some(room) = arena.room() else {
                counters.out_dropped_full.add(1);
                continue;
            };
            let Some(bytes) = copy_out(frame, &mut room[..MAX_FRAME]) else {
                counters.out_dropped_refused.add(1);
                continue;
            };
            counters.out_frames.add(1);
            counters.out_bytes.add(u64::from(frame.len));
            if reflect::reflect(bytes) {
                counters.in_frames.add(1);
                counters.in_bytes.add(u64::from(frame.len));
                arena.keep(0, frame.len as usize, Offload::default());
            }
        }
        let waiting = !arena.is_empty();
        drop(arena);
        if waiting && self.0.armed.swap(false, SeqCst) {
            let _ = rustix::io::write(&self.0.event, &1u64.to_ne_bytes());
        }
        Ok(frames.len())
    }

    fn arm(&mut self, _: &Guard<'_>) -> Result<bool, QueueError> {
        Ok(true)
    }
}

impl Transmit for Back {
    fn fetch<'g>(&'g mut self, _: &'g Guard<'_>, batch: &mut Batch<'g>) -> Result<(), QueueError> {
        if self.arena.is_empty() {
            std::mem::swap(&mut self.arena, &mut self.mirror.arena());
        }
        self.arena.push_into(batch);
        Ok(())
    }

    fn complete(&mut self, _: &Guard<'_>, frames: usize) -> Result<(), QueueError> {
        self.arena.complete(frames);
        Ok(())
    }

    fn arm(&mut self, _: &Guard<'_>) -> Result<bool, QueueError> {
        let _ = rustix::io::read(&self.mirror.event, &mut [0; 8]);
        self.mirror.armed.store(true, SeqCst);
        Ok(!self.arena.is_empty() || !self.mirror.arena().is_empty())
    }

    fn disarm(&mut self, _: &Guard<'_>) -> Result<(), QueueError> {
        self.mirror.armed.store(false, SeqCst);
        Ok(())
    }
}

#[cfg(test)]
mod tests;

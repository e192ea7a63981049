//! One receive queue of a port, shared by every worker that has frames for it. Locked once per batch and destination.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pando_tlp::{Fault, Guard};

use super::counters::{DropReason, QueueCounters};
use super::patience::Patience;
use crate::{Batch, Doorbell, Finisher, OnError, QueueError, Receive};

/// A receive queue and what is known about it.
pub(crate) struct Cell {
    pub(crate) doorbell: Doorbell,
    counters: Arc<QueueCounters>,
    state: Mutex<State>,
    on_error: Mutex<Option<OnError>>,
}

struct State {
    queue: Option<Box<dyn Receive>>,
    patience: Patience,
    /// A worker will remind it of the interrupt that it holds back.
    held: bool,
}

/// What became of frames offered to a cell.
pub(crate) struct Offered {
    /// How many, from the first, are done with.
    pub(crate) taken: usize,
    /// Of the first that isn't, how many of the frames it was cut into.
    pub(crate) part: usize,
    /// What holds for the rest.
    pub(crate) rest: Rest,
    /// An interrupt is held back, and nobody knows yet: when [`Cell::remind`] is to be called.
    pub(crate) held: Option<Instant>,
}

impl Offered {
    fn nothing(rest: Rest) -> Self {
        Self { taken: 0, part: 0, rest, held: None }
    }
}

/// What becomes of frames that weren't taken.
pub(crate) enum Rest {
    /// There are none.
    None,
    /// They may wait until then.
    Wait(Instant),
    /// They are dropped.
    Drop(DropReason),
    /// They are dropped, and the queue stopped by this error; whoever gets it calls [`Cell::report`].
    Failed(QueueError),
}

impl Cell {
    pub(crate) fn new(
        queue: Box<dyn Receive>,
        doorbell: Doorbell,
        counters: Arc<QueueCounters>,
        on_error: OnError,
    ) -> Self {
        Self {
            doorbell,
            counters,
            state: Mutex::new(State { queue: Some(queue), patience: Patience::new(), held: false }),
            on_error: Mutex::new(Some(on_error)),
        }
    }

    pub(crate) fn counters(&self) -> &QueueCounters {
        &self.counters
    }

    /// Offers `frames` of `batch`; of the first, `part` was taken before.
    pub(crate) fn offer(
        &self,
        guard: &Guard<'_>,
        finisher: &mut Finisher,
        batch: &Batch<'_>,
        frames: &[u16],
        part: usize,
    ) -> Offered {
        let mut state = self.lock();
        let State { queue, patience, held } = &mut *state;
        let Some(receive) = queue.as_deref_mut() else {
            return Offered::nothing(Rest::Drop(DropReason::NoQueue));
        };
        let done = contain(|| finisher.deliver(guard, receive, batch, frames, part));
        let done = match done {
            Ok(done) => done,
            Err(QueueError::Ring(Fault::Gated)) => {
                return Offered::nothing(Rest::Drop(DropReason::Gated));
            }
            Err(error) => {
                let queue = queue.take();
                drop(state);
                drop(queue);
                return Offered::nothing(Rest::Failed(error));
            }
        };
        let due = if *held { None } else { receive.due() };
        *held |= due.is_some();
        let taken = &frames[..done.taken.min(frames.len())];
        let bytes = taken.iter().map(|frame| u64::from(batch.len_of(usize::from(*frame)))).sum();
        let dropped = done.dropped.min(taken.len());
        self.counters.passed((taken.len() - dropped) as u64, bytes);
        self.counters.dropped(DropReason::Malformed, dropped as u64);
        let rest = if taken.len() == frames.len() {
            patience.satisfied(taken.len(), bytes);
            Rest::None
        } else {
            let progress = taken.len() + done.part.saturating_sub(part);
            match patience.refused(progress, bytes, Instant::now()) {
                Some(until) => Rest::Wait(until),
                None => Rest::Drop(DropReason::Stalled),
            }
        };
        Offered { taken: done.taken, part: done.part, rest, held: due }
    }

    /// Asks for the doorbell to be rung when there are more buffers, and worker number `worker` to be woken then; `true` if
    /// there are more already, or will never be.
    pub(crate) fn arm(&self, guard: &Guard<'_>, worker: usize) -> bool {
        let mut state = self.lock();
        let Some(receive) = state.queue.as_deref_mut() else { return true };
        self.doorbell.await_by(worker);
        // An error here will be met again, and reported, by the next delivery.
        contain(|| receive.arm(guard)).unwrap_or(true)
    }

    /// Frames are likely to be offered right now.
    pub(crate) fn bring_near(&self) {
        if let Some(receive) = self.lock().queue.as_deref() {
            receive.bring_near();
        }
    }

    /// Lets the queue send the interrupt that it holds back. Returns when to call again, if it is to be.
    pub(crate) fn remind(&self, guard: &Guard<'_>) -> Result<Option<Instant>, QueueError> {
        let mut state = self.lock();
        let Some(receive) = state.queue.as_deref_mut() else { return Ok(None) };
        let reminded = contain(|| receive.remind(guard));
        match remind_again(reminded, receive.due()) {
            Ok(again) => {
                state.held = again.is_some();
                Ok(again)
            }
            Err(error) => {
                let queue = state.queue.take();
                drop(state);
                drop(queue);
                Err(error)
            }
        }
    }

    /// Takes the queue away. When this returns no worker uses it.
    pub(crate) fn stop(&self) {
        drop(self.on_error.lock().unwrap_or_else(PoisonError::into_inner).take());
        let queue = self.lock().queue.take();
        drop(queue);
        self.doorbell.remove();
        self.doorbell.ring();
    }

    /// Tells the owner that the queue failed, unless it was stopped before.
    pub(crate) fn report(&self, error: QueueError) {
        let on_error = self.on_error.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(on_error) = on_error {
            on_error(error);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When to remind a queue again, after doing so came to `reminded` and it holds an interrupt back until `due`. One that can't send now
/// will hardly be able to soon.
pub(crate) fn remind_again(
    reminded: Result<(), QueueError>,
    due: Option<Instant>,
) -> Result<Option<Instant>, QueueError> {
    const LATER: Duration = Duration::from_secs(1);
    match reminded {
        Ok(()) => Ok(due),
        Err(QueueError::Ring(Fault::Gated)) => Ok(Some(Instant::now() + LATER)),
        Err(error) => Err(error),
    }
}

/// Runs a queue's code; a panic in it is an error of that queue. (A release build aborts instead.)
pub(crate) fn contain<T>(run: impl FnOnce() -> Result<T, QueueError>) -> Result<T, QueueError> {
    std::panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or(Err(QueueError::Defect))
}

//! A queue given to a worker, and how it is taken away again: the worker locks it for each pass, whoever stops it takes what is
//! inside out of the lock.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use pando_tlp::{Fault, Guard, Participant};

use super::OnError;
use super::scratch::Scratch;
use super::shared::Shared;
use super::transmit::Transmitter;
use crate::doorbell::Target;
use crate::switch::{Share, contain};
use crate::{Doorbell, QueueError, Service};

/// A queue given to a worker.
pub(crate) struct Task {
    pub(super) doorbell: Doorbell,
    workers: Arc<[Arc<Shared>]>,
    /// Which of them it belongs to. Changes with the body locked, while that worker polls it.
    home: AtomicUsize,
    /// What a transmit queue has in common with its port's others.
    pub(super) share: Option<Arc<Share>>,
    stopping: AtomicBool,
    body: Mutex<Option<Body>>,
    on_error: Mutex<Option<OnError>>,
}

/// The queue itself.
pub(super) enum Body {
    Transmit(Box<Transmitter>),
    Service(Box<dyn Service>),
}

/// Kinds of queues, each spread evenly over the workers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Transmit,
    Service,
}

/// What a pass came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    /// There was something to do, and there may be more.
    Worked,
    /// There was nothing to do.
    Idle,
    /// The first frame waits for its receiver's buffers, until then at most.
    Paused(Instant),
    /// The queue was stopped or has failed.
    Gone,
}

/// What arming came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Armed {
    /// It will be handed to the worker again.
    Asleep,
    /// There is something to do.
    Ready,
    /// The queue was stopped or has failed.
    Gone,
}

impl Body {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Transmit(_) => Kind::Transmit,
            Self::Service(_) => Kind::Service,
        }
    }

    fn pass(&mut self, guard: &Guard<'_>, scratch: &mut Scratch) -> Result<Pass, QueueError> {
        match self {
            Self::Transmit(transmitter) => transmitter.pass(guard, scratch),
            Self::Service(service) => {
                Ok(if service.serve(guard)? { Pass::Worked } else { Pass::Idle })
            }
        }
    }

    fn arm(&mut self, guard: &Guard<'_>) -> Result<bool, QueueError> {
        match self {
            Self::Transmit(transmitter) => transmitter.arm(guard),
            Self::Service(service) => service.arm(guard),
        }
    }
}

impl Task {
    /// A task of worker number `home` of `workers`.
    pub(super) fn new(
        body: Body,
        workers: &Arc<[Arc<Shared>]>,
        home: usize,
        on_error: OnError,
    ) -> Arc<Self> {
        workers[home].tasks[body.kind() as usize].fetch_add(1, Ordering::Relaxed);
        let share = match &body {
            Body::Transmit(transmitter) => Some(transmitter.share().clone()),
            Body::Service(_) => None,
        };
        Arc::new_cyclic(|task| Self {
            share,
            doorbell: Doorbell::new(Target::Task(task.clone())),
            workers: workers.clone(),
            home: AtomicUsize::new(home),
            stopping: AtomicBool::new(false),
            body: Mutex::new(Some(body)),
            on_error: Mutex::new(Some(on_error)),
        })
    }

    /// The worker that it belongs to.
    pub(crate) fn home(&self) -> &Arc<Shared> {
        &self.workers[self.home.load(Ordering::Relaxed)]
    }

    /// Lets its worker poll it from now on. Called by nobody but who took the doorbell's arming away, or its maker.
    pub(crate) fn start(self: &Arc<Self>) {
        self.home().hand(self.clone());
    }

    /// Gives it to another worker; called by its own, which polls it no more.
    pub(super) fn move_to(self: &Arc<Self>, home: usize) {
        {
            let body = self.lock();
            let Some(kind) = body.as_ref().map(Body::kind) else { return };
            self.home().tasks[kind as usize].fetch_sub(1, Ordering::Relaxed);
            self.home.store(home, Ordering::Relaxed);
            self.home().tasks[kind as usize].fetch_add(1, Ordering::Relaxed);
        }
        self.doorbell.moved();
        self.start();
    }

    /// One pass over the queue.
    #[inline]
    pub(super) fn run(&self, participant: &mut Participant, scratch: &mut Scratch) -> Pass {
        let Some(mut body) = self.enter() else { return Pass::Gone };
        let Some(queue) = body.as_mut() else { return Pass::Gone };
        let guard = participant.enter();
        let pass = contain(|| queue.pass(&guard, scratch));
        drop(guard);
        match pass {
            Ok(pass) => pass,
            Err(error) => self.failed(body, error).map_or(Pass::Gone, |()| Pass::Idle),
        }
    }

    /// Asks for the doorbell.
    pub(super) fn arm(&self, participant: &mut Participant) -> Armed {
        self.doorbell.arm();
        let Some(mut body) = self.enter() else { return Armed::Gone };
        let Some(queue) = body.as_mut() else { return Armed::Gone };
        let guard = participant.enter();
        let armed = contain(|| queue.arm(&guard));
        drop(guard);
        match armed {
            Ok(false) => Armed::Asleep,
            // Rung meanwhile: it is in the inbox, and must not be there and here.
            Ok(true) if !self.doorbell.disarm() => Armed::Asleep,
            Ok(true) => Armed::Ready,
            Err(error) => self.failed(body, error).map_or(Armed::Gone, |()| Armed::Asleep),
        }
    }

    /// Asks the receivers it waits for to wake the worker; `true` if one has buffers already.
    pub(super) fn arm_receivers(&self, participant: &mut Participant) -> bool {
        let Some(mut body) = self.enter() else { return true };
        let Some(Body::Transmit(transmitter)) = body.as_mut() else { return true };
        transmitter.arm_receivers(&participant.enter(), self.home().number)
    }

    /// Lets a transmit queue send the interrupt that it holds back. Returns when to call again, if it is to be.
    pub(super) fn remind(&self, participant: &mut Participant) -> Option<Instant> {
        let mut body = self.enter()?;
        let Some(Body::Transmit(transmitter)) = body.as_mut() else { return None };
        let guard = participant.enter();
        let reminded = contain(|| transmitter.remind(&guard));
        drop(guard);
        reminded.unwrap_or_else(|error| {
            self.failed(body, error);
            None
        })
    }

    fn enter(&self) -> Option<MutexGuard<'_, Option<Body>>> {
        // A stopper must not have to race for the lock.
        (!self.stopping.load(Ordering::Relaxed)).then(|| self.lock())
    }

    /// Stops the queue for an error and tells its owner; `Some` if it was none, and the queue just can't go on now.
    #[cold]
    fn failed(&self, mut body: MutexGuard<'_, Option<Body>>, error: QueueError) -> Option<()> {
        if error == QueueError::Ring(Fault::Gated) {
            return Some(());
        }
        let queue = body.take();
        drop(body);
        self.release(queue);
        let on_error = self.on_error.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(on_error) = on_error {
            tracing::warn!(%error, "queue stopped");
            on_error(error);
        }
        None
    }

    /// Takes the queue away. When this returns, no worker uses it.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        drop(self.on_error.lock().unwrap_or_else(PoisonError::into_inner).take());
        let queue = self.lock().take();
        self.release(queue);
        self.doorbell.remove();
    }

    /// Drops a queue that was taken out of the lock.
    fn release(&self, queue: Option<Body>) {
        if let Some(queue) = queue {
            self.home().tasks[queue.kind() as usize].fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Body>> {
        self.body.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! How a driver's notification reaches the worker that serves the queue.
//!
//! A doorbell is armed while its queue isn't polled. Whoever rings first after that hands the queue to its worker; other rings
//! cost one load. Arming is followed by a second look at the ring, so no notification falls in between.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst, fence};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use rustix::event::{EventfdFlags, eventfd};

use crate::worker::{Shared, Task};

/// A queue's doorbell. A clone is the same doorbell.
#[derive(Clone)]
pub struct Doorbell(Arc<Core>);

struct Core {
    armed: AtomicBool,
    target: Target,
    event: Mutex<Option<Event>>,
}

struct Event {
    descriptor: Arc<OwnedFd>,
    /// Who listens, and what to end that with.
    listener: Arc<Shared>,
    token: u64,
}

/// Who comes when it is rung.
pub(crate) enum Target {
    /// The worker that polls this task.
    Task(Weak<Task>),
    /// Every worker that waits, by its bit.
    Waiters { waiting: AtomicU64, home: usize, workers: Arc<[Arc<Shared>]> },
}

impl Doorbell {
    pub(crate) fn new(target: Target) -> Self {
        Self(Arc::new(Core { armed: AtomicBool::new(false), target, event: Mutex::default() }))
    }

    /// Rings it: from a vCPU thread that decoded the notification, or when the function may send again. Costs one load while the
    /// queue is being polled.
    #[inline]
    pub fn ring(&self) {
        // What the driver published before it rang must be visible to whoever saw the queue empty after arming.
        fence(SeqCst);
        if self.0.armed.load(SeqCst) && self.0.armed.swap(false, SeqCst) {
            self.0.target.call();
        }
    }

    /// An eventfd that rings it, for KVM; made at the first call unless [`rung_by`](Self::rung_by) has told one.
    pub fn event(&self) -> io::Result<Arc<OwnedFd>> {
        let mut event = self.0.event.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(event) = &*event {
            return Ok(event.descriptor.clone());
        }
        let descriptor = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let descriptor = Arc::new(descriptor);
        *event = Some(self.listen(descriptor.clone())?);
        Ok(descriptor)
    }

    /// Lets `descriptor` ring it whenever it becomes readable, from the beginning: the event of a queue's earlier doorbell, or
    /// what an uplink reads from.
    pub fn rung_by(&self, descriptor: Arc<OwnedFd>) -> io::Result<()> {
        let made = self.listen(descriptor)?;
        *self.0.event.lock().unwrap_or_else(PoisonError::into_inner) = Some(made);
        Ok(())
    }

    fn listen(&self, descriptor: Arc<OwnedFd>) -> io::Result<Event> {
        let listener = self.0.target.home().ok_or(io::ErrorKind::NotFound)?;
        let token = listener.listen(&descriptor, self.clone())?;
        Ok(Event { descriptor, listener, token })
    }

    /// Its task has another worker now: that one listens. An event that can't be listened to there stays where it is, and rings as
    /// before by way of the other worker.
    pub(crate) fn moved(&self) {
        let mut event = self.0.event.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = &mut *event
            && let Ok(made) = self.listen(before.descriptor.clone())
        {
            std::mem::replace(before, made).end();
        }
    }

    /// From now on the next ring counts.
    pub(crate) fn arm(&self) {
        self.0.armed.store(true, SeqCst);
        fence(SeqCst);
    }

    /// Takes arming back; `false` if it has been rung meanwhile.
    pub(crate) fn disarm(&self) -> bool {
        self.0.armed.swap(false, SeqCst)
    }

    /// From now on the next ring counts and wakes `worker`, among others.
    pub(crate) fn await_by(&self, worker: usize) {
        if let Target::Waiters { waiting, .. } = &self.0.target {
            waiting.fetch_or(1 << worker, SeqCst);
        }
        self.arm();
    }

    /// Nobody listens to its event any more.
    pub(crate) fn remove(&self) {
        let event = self.0.event.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(event) = event {
            event.end();
        }
    }
}

impl Event {
    fn end(self) {
        self.listener.unlisten(&self.descriptor, self.token);
    }
}

impl Target {
    /// Who listens to its events; `None` if the task is gone.
    fn home(&self) -> Option<Arc<Shared>> {
        match self {
            Self::Task(task) => task.upgrade().map(|task| task.home().clone()),
            Self::Waiters { home, workers, .. } => Some(workers[*home].clone()),
        }
    }

    #[cold]
    fn call(&self) {
        match self {
            Self::Task(task) => {
                if let Some(task) = task.upgrade() {
                    task.start();
                }
            }
            Self::Waiters { waiting, workers, .. } => {
                let waiting = waiting.swap(0, SeqCst);
                for (number, worker) in workers.iter().enumerate() {
                    if waiting >> number & 1 != 0 {
                        worker.retry();
                    }
                }
            }
        }
    }
}

//! What others use of a worker: its inbox, what it sleeps on, its counters.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};

use super::task::Task;
use crate::{Counter, Doorbell, FinishCounters};

/// The token of the worker's own wake event.
const WAKE: u64 = 0;

/// Doorbells heard in one call.
const EVENTS: usize = 64;

pub(crate) struct Shared {
    pub(super) number: usize,
    pub(super) finished: Arc<FinishCounters>,
    /// Tasks given to this worker and not stopped, by kind.
    pub(super) tasks: [AtomicUsize; 2],
    pub(super) wakeups: Counter,
    /// Tasks it has given to other workers.
    pub(super) given: Counter,
    /// How many tasks compete for it, as of late; see [`Balance`](super::balance::Balance).
    pub(super) competing: AtomicUsize,
    stopping: AtomicBool,
    /// There is something in the inbox, or one of the other flags is set.
    attention: AtomicBool,
    retry: AtomicBool,
    remind: AtomicBool,
    asleep: AtomicBool,
    inbox: Mutex<Vec<Arc<Task>>>,
    epoll: OwnedFd,
    wake: OwnedFd,
    listeners: Mutex<HashMap<u64, Doorbell>>,
    tokens: AtomicU64,
}

/// What a worker finds when it is asked for attention.
pub(super) struct Attention {
    pub(super) stopping: bool,
    /// Paused tasks should try again.
    pub(super) retry: bool,
    /// Queues that hold interrupts back should look whether they still have to.
    pub(super) remind: bool,
}

impl Shared {
    pub(super) fn new(number: usize, finished: Arc<FinishCounters>) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        // Edge-triggered: each write is one event, and nobody has to read it away.
        let edges = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&epoll, &wake, epoll::EventData::new_u64(WAKE), edges)?;
        Ok(Self {
            number,
            finished,
            tasks: Default::default(),
            wakeups: Counter::default(),
            given: Counter::default(),
            competing: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
            attention: AtomicBool::new(false),
            retry: AtomicBool::new(false),
            remind: AtomicBool::new(false),
            asleep: AtomicBool::new(false),
            inbox: Mutex::default(),
            epoll,
            wake,
            listeners: Mutex::default(),
            tokens: AtomicU64::new(WAKE + 1),
        })
    }

    /// Gives it a task to poll.
    pub(crate) fn hand(&self, task: Arc<Task>) {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner).push(task);
        self.call();
    }

    /// Lets its paused tasks try again.
    pub(crate) fn retry(&self) {
        self.retry.store(true, Ordering::SeqCst);
        self.call();
    }

    /// Lets queues that hold interrupts back look whether they still have to.
    pub(super) fn remind(&self) {
        self.remind.store(true, Ordering::SeqCst);
        self.call();
    }

    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.call();
    }

    fn call(&self) {
        self.attention.store(true, Ordering::SeqCst);
        if self.asleep.swap(false, Ordering::SeqCst) {
            // Can't fail: the counter would have to reach 2^64.
            let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
        }
    }

    /// Lets `doorbell` be rung whenever `descriptor` becomes readable. Returns what to stop that with.
    pub(crate) fn listen(&self, descriptor: &OwnedFd, doorbell: Doorbell) -> io::Result<u64> {
        let token = self.tokens.fetch_add(1, Ordering::Relaxed);
        self.listeners().insert(token, doorbell);
        let edges = epoll::EventFlags::IN | epoll::EventFlags::ET;
        if let Err(error) =
            epoll::add(&self.epoll, descriptor, epoll::EventData::new_u64(token), edges)
        {
            self.listeners().remove(&token);
            return Err(error.into());
        }
        Ok(token)
    }

    pub(crate) fn unlisten(&self, descriptor: &OwnedFd, token: u64) {
        // Fails only if it is gone already.
        let _ = epoll::delete(&self.epoll, descriptor);
        let doorbell = self.listeners().remove(&token);
        drop(doorbell);
    }

    fn listeners(&self) -> MutexGuard<'_, HashMap<u64, Doorbell>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What others want, and the tasks they gave, into `tasks`; `None` most of the time, at the price of one load.
    #[inline]
    pub(super) fn attention(&self, tasks: &mut Vec<Arc<Task>>) -> Option<Attention> {
        if !self.attention.load(Ordering::Relaxed) {
            return None;
        }
        self.attention.store(false, Ordering::SeqCst);
        tasks.append(&mut self.inbox.lock().unwrap_or_else(PoisonError::into_inner));
        Some(Attention {
            stopping: self.stopping.load(Ordering::SeqCst),
            retry: self.retry.swap(false, Ordering::SeqCst),
            remind: self.remind.swap(false, Ordering::SeqCst),
        })
    }

    /// Rings the doorbells whose events have come; whether there was one.
    pub(super) fn hear(&self) -> bool {
        self.wait(Some(&Timespec::default()))
    }

    /// Sleeps until a doorbell rings, somebody calls, or `timeout` is over; not at all if somebody has called already.
    pub(super) fn sleep(&self, timeout: Option<&Timespec>) {
        self.asleep.store(true, Ordering::SeqCst);
        if !self.attention.load(Ordering::SeqCst) {
            self.wait(timeout);
            self.wakeups.add(1);
        }
        self.asleep.store(false, Ordering::SeqCst);
    }

    fn wait(&self, timeout: Option<&Timespec>) -> bool {
        let none = epoll::Event {
            flags: epoll::EventFlags::empty(),
            data: epoll::EventData::new_u64(WAKE),
        };
        let mut events = [none; EVENTS];
        // The only error that can happen is an interruption by a signal.
        let heard = epoll::wait(&self.epoll, &mut events, timeout).unwrap_or(0);
        // Awake already: ringing must not write to the wake event.
        self.asleep.store(false, Ordering::SeqCst);
        for event in &events[..heard] {
            let token = event.data.u64();
            let doorbell = self.listeners().get(&token).cloned();
            if let Some(doorbell) = doorbell {
                doorbell.ring();
            }
        }
        heard > 0
    }
}

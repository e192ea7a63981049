//! The timer behind interrupt throttles (82599 datasheet, 7.3.2.1): one thread per card, one alarm per function.
//!
//! An alarm that comes for nothing costs nothing, so none is ever taken back. The thread sleeps while no message is held up.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

/// The alarms of one card.
pub(crate) struct Alarms {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// By function: when it wants to be called.
    at: Vec<Option<Instant>>,
    stopping: bool,
}

/// One function's alarm.
#[derive(Clone)]
pub(crate) struct Alarm {
    alarms: Arc<Alarms>,
    function: usize,
}

/// The thread. Dropping it stops it.
pub(crate) struct Timer {
    alarms: Arc<Alarms>,
    thread: Option<JoinHandle<()>>,
}

impl Alarms {
    /// Alarms for `functions` functions.
    pub(crate) fn new(functions: usize) -> Arc<Self> {
        let state = State { at: vec![None; functions], stopping: false };
        Arc::new(Self { state: Mutex::new(state), changed: Condvar::new() })
    }

    /// The alarm of a function.
    pub(crate) fn alarm(self: &Arc<Self>, function: usize) -> Alarm {
        Alarm { alarms: self.clone(), function }
    }

    /// Waits for the next alarms; `None` when it is all over.
    fn next(&self) -> Option<Vec<usize>> {
        let mut state = self.lock();
        loop {
            if state.stopping {
                return None;
            }
            let now = Instant::now();
            let due = state.take(now);
            if !due.is_empty() {
                return Some(due);
            }
            state = match state.at.iter().flatten().min() {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(at) => {
                    let pause = at.saturating_duration_since(now);
                    let woken = self.changed.wait_timeout(state, pause);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, now: Instant) -> Vec<usize> {
        let due = |at: &mut Option<Instant>| at.take_if(|at| *at <= now).is_some();
        (0..).zip(&mut self.at).filter_map(|(function, at)| due(at).then_some(function)).collect()
    }
}

impl Alarm {
    /// Asks to be called at `at`, or when it was asked for before, whichever is sooner.
    pub(crate) fn at(&self, at: Instant) {
        let mut state = self.alarms.lock();
        let first = state.at.iter().flatten().min().is_none_or(|first| at < *first);
        if let Some(slot) = state.at.get_mut(self.function) {
            *slot = Some(slot.map_or(at, |old| old.min(at)));
        }
        if first {
            self.alarms.changed.notify_one();
        }
    }
}

impl Timer {
    /// Calls `expire` for each function whose alarm has come, on a thread of its own.
    pub(crate) fn start(
        alarms: Arc<Alarms>,
        expire: impl Fn(usize) + Send + 'static,
    ) -> std::io::Result<Self> {
        let own = alarms.clone();
        let thread = std::thread::Builder::new().name("throttle".into()).spawn(move || {
            while let Some(functions) = own.next() {
                functions.into_iter().for_each(&expire);
            }
        })?;
        Ok(Self { alarms, thread: Some(thread) })
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.alarms.lock().stopping = true;
        self.alarms.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // It has nothing to report, and its panic's message is out already.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;

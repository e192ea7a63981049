//! Notifications that queues hold back: whom a worker reminds, and when (see [`Receive::due`](crate::Receive::due)).
//!
//! A queue is here at most once over all workers: it says so itself, under its own lock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::switch::Cell;

use super::task::Task;

/// The longest time between two reminders: one that was stopped meanwhile is forgotten then.
const LONGEST: Duration = Duration::from_secs(1);

/// A queue that holds a notification back.
pub(super) enum Holder {
    Receive(Arc<Cell>),
    Transmit(Arc<Task>),
}

/// Those that one worker has seen doing so.
pub(super) struct Held<H = Holder> {
    entries: Vec<(H, Instant)>,
    /// The earliest of them.
    next: Option<Instant>,
}

impl<H> Held<H> {
    pub(super) fn new() -> Self {
        Self { entries: Vec::new(), next: None }
    }

    /// `holder` is to be reminded at `at`.
    pub(super) fn add(&mut self, holder: H, at: Instant, now: Instant) {
        let at = at.min(now + LONGEST);
        self.entries.push((holder, at));
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }

    /// When somebody is to be reminded next.
    #[inline]
    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }

    /// Whether somebody is to be reminded at `now`.
    #[inline]
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.next.is_some_and(|next| next <= now)
    }

    /// Everybody is to be reminded at once.
    pub(super) fn hasten(&mut self, now: Instant) {
        self.entries.iter_mut().for_each(|(_, at)| *at = now);
        self.next = self.entries.first().map(|_| now);
    }

    /// Calls `remind` for whoever is to be reminded at `now`; it says when to do so again, if ever.
    pub(super) fn remind(&mut self, now: Instant, mut remind: impl FnMut(&H) -> Option<Instant>) {
        self.entries.retain_mut(|(holder, at)| {
            let again = if *at <= now { remind(holder) } else { Some(*at) };
            again.inspect(|again| *at = (*again).min(now + LONGEST)).is_some()
        });
        self.next = self.entries.iter().map(|(_, at)| *at).min();
    }
}

#[cfg(test)]
mod tests;

//! The vectors of one function: what is pending, what may be sent now, what later (82599 datasheet, 7.3.1.2 to 7.3.2.1).
//!
//! A vector fires when something happened to it since its last message, its mask bit is set and its throttle has run down.
//! Setting the mask bit of a vector whose cause is still pending counts as something that happened. Leaves out credits of the
//! low latency kind.

use std::time::{Duration, Instant};

use crate::spec::interrupt::{INTERVAL_MASK, INTERVAL_SHIFT, INTERVAL_UNIT};

/// Vectors of a function at most.
pub(super) const VECTORS: usize = 64;

/// The state of a function's vectors, one bit each.
#[derive(Debug)]
pub(super) struct Bank {
    /// Causes: set by events, cleared by reads, writes and messages.
    pub(super) pending: u64,
    /// Something happened since the last message.
    due: u64,
    /// The mask: a one lets messages out.
    pub(super) enabled: u64,
    /// A message clears the cause.
    pub(super) auto_clear: u64,
    /// A message clears the mask bit.
    pub(super) auto_mask: u64,
    throttles: [Throttle; VECTORS],
    /// The timer will come at this time.
    armed: Option<Instant>,
}

/// The least time between two messages of a vector.
#[derive(Clone, Copy, Debug, Default)]
struct Throttle {
    interval: Duration,
    last: Option<Instant>,
}

/// What is to be done once the lock is dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fire {
    /// Vectors to send now.
    pub(crate) vectors: u64,
    /// When the timer has to come.
    pub(crate) timer: Option<Instant>,
}

impl Default for Bank {
    fn default() -> Self {
        Self {
            pending: 0,
            due: 0,
            enabled: 0,
            auto_clear: 0,
            auto_mask: 0,
            throttles: [Throttle::default(); VECTORS],
            armed: None,
        }
    }
}

impl Bank {
    /// Something happened to `vectors`.
    pub(super) fn raise(&mut self, vectors: u64) {
        self.pending |= vectors;
        self.due |= vectors;
    }

    /// Sets mask bits.
    pub(super) fn enable(&mut self, vectors: u64) {
        self.due |= vectors & !self.enabled & self.pending;
        self.enabled |= vectors;
    }

    /// Clears mask bits.
    pub(super) fn disable(&mut self, vectors: u64) {
        self.enabled &= !vectors;
    }

    /// Clears causes: the driver has seen them.
    pub(super) fn acknowledge(&mut self, vectors: u64) {
        self.pending &= !vectors;
        self.due &= !vectors;
    }

    /// Whether a vector outside the mask wants to be sent.
    pub(super) fn is_due(&self) -> bool {
        self.due & self.enabled != 0
    }

    /// Forgets what happened: it was told in another way.
    pub(super) fn told(&mut self) {
        self.due = 0;
    }

    /// The throttle register of `vector` was written.
    pub(super) fn set_throttle(&mut self, vector: usize, register: u32) {
        if let Some(throttle) = self.throttles.get_mut(vector) {
            let units = u64::from(register >> INTERVAL_SHIFT & INTERVAL_MASK);
            throttle.interval = Duration::from_micros(units * INTERVAL_UNIT);
        }
    }

    /// Takes the vectors that may be sent at `now`; what is throttled is left for the timer.
    pub(super) fn fire(&mut self, now: Instant) -> Fire {
        let mut fire = Fire::default();
        let mut rest = self.due & self.enabled;
        while rest != 0 {
            let vector = rest.trailing_zeros() as usize;
            rest &= rest - 1;
            if self.passes(vector, now, &mut fire) {
                fire.vectors |= 1 << vector;
            }
        }
        self.due &= !fire.vectors;
        self.pending &= !(fire.vectors & self.auto_clear);
        self.enabled &= !(fire.vectors & self.auto_mask);
        fire
    }

    /// Whether the throttle of `vector` lets a message out at `now`; if it does the message counts as sent, if not the timer is
    /// asked for.
    pub(super) fn passes(&mut self, vector: usize, now: Instant, fire: &mut Fire) -> bool {
        let Some(throttle) = self.throttles.get_mut(vector) else { return true };
        let next = throttle.last.and_then(|last| last.checked_add(throttle.interval));
        match next {
            Some(next) if next > now => {
                if self.armed.is_none_or(|armed| next < armed) {
                    self.armed = Some(next);
                    fire.timer = Some(next);
                }
                false
            }
            _ => {
                throttle.last = Some(now);
                true
            }
        }
    }

    /// The timer has come.
    pub(super) fn expired(&mut self) {
        self.armed = None;
    }
}

#[cfg(test)]
mod tests;

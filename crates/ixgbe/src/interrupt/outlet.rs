//! Where interrupts leave: the function's vectors, under a guard, its pin, and the timer for what is throttled.

use std::sync::{Arc, Mutex, PoisonError};

use pando_pci::FunctionPort;
use pando_tlp::{Epochs, Guard, Participant};

use super::bank::Fire;
use crate::throttle::Alarm;

/// A function's vectors and its pin, of which the driver has chosen one kind.
pub(crate) trait Messages: Send + Sync {
    /// Sends the message of `vector`, or leaves it pending.
    fn signal(&self, vector: u16);

    /// Brings the pin to the level that `level` says.
    fn follow_pin(&self, level: &dyn Fn() -> bool);
}

impl Messages for FunctionPort {
    fn signal(&self, vector: u16) {
        self.msix.signal(vector);
        self.msi.signal(vector);
    }

    fn follow_pin(&self, level: &dyn Fn() -> bool) {
        self.intx.follow(level);
    }
}

/// Memberships for threads that send from a register write or a timer, kept for the next one.
pub(crate) struct Pool {
    epochs: Arc<Epochs>,
    idle: Mutex<Vec<Participant>>,
}

impl Pool {
    pub(crate) fn new(epochs: Arc<Epochs>) -> Arc<Self> {
        Arc::new(Self { epochs, idle: Mutex::default() })
    }

    fn with_guard(&self, send: impl FnOnce()) {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut participant = idle.unwrap_or_else(|| self.epochs.join());
        let guard = participant.enter();
        send();
        drop(guard);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(participant);
    }
}

/// One function's way out.
pub(crate) struct Outlet {
    messages: Arc<dyn Messages>,
    participants: Arc<Pool>,
    alarm: Alarm,
}

impl Outlet {
    pub(crate) fn new(messages: Arc<dyn Messages>, participants: Arc<Pool>, alarm: Alarm) -> Self {
        Self { messages, participants, alarm }
    }

    /// Sends what fires. `guard` is the caller's, if it has one. Nothing may be locked.
    pub(super) fn deliver(&self, fire: Fire, guard: Option<&Guard<'_>>) {
        if let Some(at) = fire.timer {
            self.alarm.at(at);
        }
        match guard {
            _ if fire.vectors == 0 => {}
            Some(_) => self.send(fire.vectors),
            None => self.participants.with_guard(|| self.send(fire.vectors)),
        }
    }

    /// Brings the pin to the level that `level` says, which may lock the function's registers.
    pub(super) fn follow_pin(&self, level: &dyn Fn() -> bool) {
        self.messages.follow_pin(level);
    }

    fn send(&self, mut vectors: u64) {
        while vectors != 0 {
            self.messages.signal(vectors.trailing_zeros() as u16);
            vectors &= vectors - 1;
        }
    }
}

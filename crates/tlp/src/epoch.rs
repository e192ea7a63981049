//! Epochs: how a change becomes certain to everyone who acts on what was true before it.
//!
//! A worker holds a [`Guard`] while it uses resolved addresses. Whoever changes something those rest on (a gate, a bus
//! number, a window, a translation) changes it first and then calls [`Epochs::synchronize`]: when that returns, no guard from
//! before the change is held any more, and every later guard sees a new epoch number and so asks anew. Nothing is locked
//! and no worker ever waits (quiescent-state reclamation; the same promise as VT-d 4.1, 6.5.2.8 gives with its wait descriptor).

use std::marker::PhantomData;
use std::sync::atomic::Ordering::{Release, SeqCst};
use std::sync::{Arc, PoisonError};

use crossbeam_utils::CachePadded;

use crate::sync::{AtomicU64, Patience, RwLock, fence};

/// What a slot holds while its participant holds no guard.
const IDLE: u64 = 0;

type Slot = CachePadded<AtomicU64>;

/// The epoch counter of one machine and everyone who takes part in it.
#[derive(Debug)]
pub struct Epochs {
    current: CachePadded<AtomicU64>,
    slots: RwLock<Vec<Arc<Slot>>>,
}

/// One thread's membership.
#[derive(Debug)]
pub struct Participant {
    epochs: Arc<Epochs>,
    slot: Arc<Slot>,
}

/// Held while resolved addresses are in use. It belongs to the thread that entered.
#[derive(Debug)]
pub struct Guard<'a> {
    slot: &'a Slot,
    epoch: u64,
    not_send: PhantomData<*const ()>,
}

impl Epochs {
    /// A new counter with nobody in it.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            current: CachePadded::new(AtomicU64::new(IDLE + 1)),
            slots: RwLock::new(Vec::new()),
        })
    }

    /// Lets a thread take part until the participant is dropped.
    pub fn join(self: &Arc<Self>) -> Participant {
        let slot = Arc::new(CachePadded::new(AtomicU64::new(IDLE)));
        self.slots.write().unwrap_or_else(PoisonError::into_inner).push(slot.clone());
        Participant { epochs: self.clone(), slot }
    }

    /// Begins a new epoch: guards entered from now on see what was changed before this call. Returns its number.
    pub fn advance(&self) -> u64 {
        self.current.fetch_add(1, SeqCst) + 1
    }

    /// Whether no guard from before `epoch` is held any more.
    pub fn has_reached(&self, epoch: u64) -> bool {
        fence(SeqCst);
        self.slots.read().unwrap_or_else(PoisonError::into_inner).iter().all(|slot| {
            let held = slot.load(SeqCst);
            held == IDLE || held >= epoch
        })
    }

    /// Waits until nobody can act on what was true before this call. Hold no guard and no lock a guard's holder may want.
    pub fn synchronize(&self) {
        let epoch = self.advance();
        let patience = Patience::default();
        while !self.has_reached(epoch) {
            patience.wait();
        }
    }
}

impl Participant {
    /// Enters the current epoch. Keep the guard for one batch, not longer.
    #[inline]
    pub fn enter(&mut self) -> Guard<'_> {
        loop {
            let epoch = self.epochs.current.load(SeqCst);
            self.slot.store(epoch, SeqCst);
            fence(SeqCst);
            // Still current after it became visible: whoever advances from here on finds it in the slot.
            if self.epochs.current.load(SeqCst) == epoch {
                return Guard { slot: &self.slot, epoch, not_send: PhantomData };
            }
        }
    }
}

impl Drop for Participant {
    fn drop(&mut self) {
        let mut slots = self.epochs.slots.write().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|slot| !Arc::ptr_eq(slot, &self.slot));
    }
}

impl Guard<'_> {
    /// The number of the epoch this guard was entered in; what was resolved under another number is stale.
    #[inline]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }
}

impl Drop for Guard<'_> {
    #[inline]
    fn drop(&mut self) {
        self.slot.store(IDLE, Release);
    }
}

//! Interrupt vectors: messages, masks, pending bits, and the sending of one (PCI Express base 6.0, 6.1.4).
//!
//! The lock is never held while a message is sent, because a message may be aimed at any register of the machine, this
//! table included. Instead each vector counts its senders, and whoever masks, disables or resets it waits for them: a
//! message that was read before the mask has left before the mask's write completes.

use std::cell::Cell;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pando_tlp::{Dma, Epochs, Fault, MsiMessage, Participant, Requester};

thread_local! {
    /// Messages this thread is sending: such a thread never waits for other senders, so nobody waits in a circle.
    static SENDING: Cell<u32> = const { Cell::new(0) };
}

/// The vectors of one function.
pub(crate) struct Vectors {
    dma: Arc<dyn Dma>,
    requester: Arc<Requester>,
    epochs: Option<Arc<Epochs>>,
    state: Mutex<State>,
}

/// One vector.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vector {
    /// What is sent.
    pub(crate) message: MsiMessage,
    /// The vector's own mask.
    pub(crate) masked: bool,
    /// An interrupt is due once nothing masks it.
    pub(crate) pending: bool,
    senders: u32,
}

#[derive(Debug)]
struct State {
    enabled: bool,
    function_mask: bool,
    /// Vectors from this on have no message and lose their events.
    allocated: u16,
    vectors: Box<[Vector]>,
}

impl State {
    /// Takes the message of a vector that may be sent now; what may not becomes or stays pending, as far as it is due.
    fn claim(&mut self, vector: u16, due: bool, open: bool) -> Option<MsiMessage> {
        let (enabled, masked) = (self.enabled && vector < self.allocated, self.function_mask);
        let vector = self.vectors.get_mut(usize::from(vector))?;
        if !enabled || !(due || vector.pending) {
            return None;
        }
        vector.pending = masked || vector.masked || !open;
        if vector.pending {
            return None;
        }
        vector.senders += 1;
        Some(vector.message)
    }

    fn is_sending(&self, vector: Option<u16>) -> bool {
        match vector {
            Some(vector) => self.vectors.get(usize::from(vector)).is_some_and(|v| v.senders != 0),
            None => self.vectors.iter().any(|vector| vector.senders != 0),
        }
    }
}

impl Vectors {
    /// `count` vectors after reset, each masked or not as `masked` says.
    pub(crate) fn new(
        dma: Arc<dyn Dma>,
        requester: Arc<Requester>,
        count: u16,
        masked: bool,
    ) -> Self {
        let vector = Vector { message: MsiMessage::default(), masked, pending: false, senders: 0 };
        let vectors = vec![vector; usize::from(count)].into_boxed_slice();
        let state = State { enabled: false, function_mask: false, allocated: count, vectors };
        let state = Mutex::new(state);
        Self { dma, requester, epochs: None, state }
    }

    /// Lets what is sent from a register write hold a guard of its own, as workers do.
    pub(crate) fn in_epochs(self, epochs: &Arc<Epochs>) -> Self {
        Self { epochs: Some(epochs.clone()), ..self }
    }

    /// An event for `vector`: sent, or pending while masked or gated, or lost while disabled. An unknown vector is ignored.
    pub(crate) fn signal(&self, vector: u16) {
        if let Some(message) = self.claim(vector, true) {
            self.send(vector, message);
        }
    }

    /// As [`signal`](Self::signal), from a thread that may hold no guard.
    pub(crate) fn signal_guarded(&self, vector: u16) {
        if let Some(message) = self.claim(vector, true) {
            self.send_guarded(vector, message);
        }
    }

    /// The vector of this number.
    pub(crate) fn vector(&self, vector: u16) -> Option<Vector> {
        self.lock().vectors.get(usize::from(vector)).copied()
    }

    /// Number of vectors.
    pub(crate) fn count(&self) -> u16 {
        self.lock().vectors.len() as u16
    }

    /// Pending bits of the 32 vectors from `first`.
    pub(crate) fn pending(&self, first: u16) -> u32 {
        let state = self.lock();
        let vectors = state.vectors.iter().skip(usize::from(first)).take(32);
        vectors.enumerate().fold(0, |bits, (bit, vector)| bits | u32::from(vector.pending) << bit)
    }

    /// Changes message or mask of a vector.
    pub(crate) fn change(&self, vector: u16, change: impl FnOnce(&mut Vector)) {
        let masked = match self.lock().vectors.get_mut(usize::from(vector)) {
            Some(entry) => {
                change(entry);
                entry.masked
            }
            None => return,
        };
        if masked {
            self.wait(Some(vector));
        } else {
            self.deliver(vector);
        }
    }

    /// Only the first `count` vectors have messages now.
    pub(crate) fn allocate(&self, count: u16) {
        let mut state = self.lock();
        state.allocated = count;
        state.vectors.iter_mut().skip(usize::from(count)).for_each(|vector| vector.pending = false);
    }

    /// Follows Enable and Function Mask.
    pub(crate) fn control(&self, enabled: bool, function_mask: bool) {
        let changed = {
            let mut state = self.lock();
            let old = (state.enabled, state.function_mask);
            (state.enabled, state.function_mask) = (enabled, function_mask);
            old != (enabled, function_mask)
        };
        match changed {
            true if enabled && !function_mask => self.deliver_all(),
            true => self.wait(None),
            false => {}
        }
    }

    /// Sends whatever is pending and may be sent: the gate has opened.
    pub(crate) fn deliver_all(&self) {
        let pending: Vec<u16> = {
            let state = self.lock();
            (0..).zip(&state.vectors).filter(|(_, v)| v.pending).map(|(vector, _)| vector).collect()
        };
        pending.into_iter().for_each(|vector| self.deliver(vector));
    }

    /// Waits until no message that was read before this call is still under way: the gate has closed.
    pub(crate) fn quiesce(&self) {
        self.wait(None);
    }

    /// Disabled, messages zero, masks as given, nothing pending, nothing under way.
    pub(crate) fn reset(&self, masked: bool) {
        self.control(false, false);
        self.quiesce();
        for vector in &mut self.lock().vectors {
            (vector.message, vector.masked, vector.pending) =
                (MsiMessage::default(), masked, false);
        }
    }

    fn deliver(&self, vector: u16) {
        if let Some(message) = self.claim(vector, false) {
            self.send_guarded(vector, message);
        }
    }

    fn claim(&self, vector: u16, due: bool) -> Option<MsiMessage> {
        let mut state = self.lock();
        // Looked at under the lock: whoever closes the gate and then waits finds every sender that saw it open.
        let open = self.requester.is_open();
        state.claim(vector, due, open)
    }

    fn send_guarded(&self, vector: u16, message: MsiMessage) {
        let mut participant = self.epochs.as_ref().map(Epochs::join);
        let _guard = participant.as_mut().map(Participant::enter);
        self.send(vector, message);
    }

    fn send(&self, vector: u16, message: MsiMessage) {
        SENDING.with(|sending| sending.set(sending.get() + 1));
        let result = self.dma.interrupt(message);
        SENDING.with(|sending| sending.set(sending.get() - 1));
        let mut state = self.lock();
        if let Some(vector) = state.vectors.get_mut(usize::from(vector)) {
            vector.senders -= 1;
            vector.pending |= result == Err(Fault::Gated);
        }
    }

    fn wait(&self, vector: Option<u16>) {
        if SENDING.with(Cell::get) != 0 {
            return;
        }
        while self.lock().is_sending(vector) {
            std::thread::yield_now();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Whether a function's registers can be reached, and who is inside them now.
//!
//! A register access enters before it calls the model; whoever takes the function away waits until nobody is inside. So no
//! access arrives at a model after its function was reset or removed. A visitor never waits for whoever takes away.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

const PRESENT: u32 = 1 << 31;

/// The door of one function's registers.
#[derive(Debug, Default)]
pub(crate) struct Presence(AtomicU32);

/// Held during one register access.
#[derive(Debug)]
pub(crate) struct Visit<'a>(&'a Presence);

impl Presence {
    /// Enters, if the function is present.
    pub(crate) fn enter(&self) -> Option<Visit<'_>> {
        let visit = Visit(self);
        let old = self.0.fetch_add(1, SeqCst);
        (old & PRESENT != 0).then_some(visit)
    }

    /// Opens or closes the door; returns whether that changed it.
    pub(crate) fn set(&self, present: bool) -> bool {
        let old = if present {
            self.0.fetch_or(PRESENT, SeqCst)
        } else {
            self.0.fetch_and(!PRESENT, SeqCst)
        };
        (old & PRESENT != 0) != present
    }

    /// Waits until nobody is inside.
    pub(crate) fn wait(&self) {
        while self.0.load(SeqCst) & !PRESENT != 0 {
            std::thread::yield_now();
        }
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, SeqCst);
    }
}

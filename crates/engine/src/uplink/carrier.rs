//! The link state of an uplink as its queues see it.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

/// Whether there is anybody at the other end.
#[derive(Default)]
pub struct Carrier {
    up: AtomicBool,
    watcher: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl Carrier {
    pub(super) fn new(up: bool) -> Self {
        Self { up: AtomicBool::new(up), watcher: OnceLock::new() }
    }

    /// The state now.
    pub fn is_up(&self) -> bool {
        self.up.load(SeqCst)
    }

    /// Calls `watcher` after every change, on a worker that holds a guard: it only notes the change down or rings an event, and reads
    /// the state elsewhere. The first watcher stays.
    pub fn watch(&self, watcher: impl Fn() + Send + Sync + 'static) {
        let _ = self.watcher.set(Box::new(watcher));
    }

    /// Sets the state; returns whether that changed it.
    pub(super) fn set(&self, up: bool) -> bool {
        let changed = self.up.swap(up, SeqCst) != up;
        if let Some(watcher) = self.watcher.get()
            && changed
        {
            watcher();
        }
        changed
    }
}

impl fmt::Debug for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_up() { "up" } else { "down" })
    }
}

//! What the epochs are built on; a model checker puts its own in their place (`tests/loom.rs` here and in the IOMMU's crate).

use std::time::Duration;

use crossbeam_utils::Backoff;

pub(crate) use std::sync::RwLock;
pub(crate) use std::sync::atomic::{AtomicU64, fence};

/// Waiting for other threads: spins at first, then sleeps.
#[derive(Debug, Default)]
pub(crate) struct Patience(Backoff);

impl Patience {
    /// Waits a little, longer each time.
    pub(crate) fn wait(&self) {
        if self.0.is_completed() {
            std::thread::sleep(Duration::from_micros(20));
        } else {
            self.0.snooze();
        }
    }
}

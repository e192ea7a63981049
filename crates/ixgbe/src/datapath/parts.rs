//! What the data path is made of, and whom it tells.

use std::sync::Arc;

use pando_engine::{Engine, QueueError, Switch};
use pando_pci::FunctionId;
use pando_tlp::{Dma, Guard};

use crate::interrupt::Direction;
use crate::queue::QueueIndex;
use crate::statistics::Statistics;
use crate::storage::Storage;

/// Whom queues tell what they have done. Called on workers.
pub(crate) trait Notices: Send + Sync {
    /// Descriptors of `queue` were written back: its cause is raised.
    fn raise(&self, queue: QueueIndex, direction: Direction, guard: &Guard<'_>);

    /// `queue` has stopped for an error of its driver, once; it stays stopped until it is enabled anew.
    fn failed(&self, queue: QueueIndex, direction: Direction, error: QueueError);
}

/// What a card's data path is connected to.
pub(crate) struct Parts {
    /// The card's name; ports are named `<name>.pf`, `<name>.vf0` and so on.
    pub(crate) name: String,
    /// A number no other card on the switch has, not 0.
    pub(crate) group: u32,
    pub(crate) engine: Arc<Engine>,
    pub(crate) switch: Arc<Switch>,
    pub(crate) storage: Arc<Storage>,
    pub(crate) statistics: Arc<Statistics>,
    pub(crate) notices: Arc<dyn Notices>,
    /// The PF's way to memory.
    pub(crate) pf: Arc<dyn Dma>,
    /// The VFs', as many as there can be.
    pub(crate) vfs: Vec<Arc<dyn Dma>>,
}

impl Parts {
    /// The way to memory of a queue's owner.
    pub(crate) fn dma(&self, function: FunctionId) -> &Arc<dyn Dma> {
        match function {
            FunctionId::Pf => &self.pf,
            FunctionId::Vf(vf) => self.vfs.get(usize::from(vf)).unwrap_or(&self.pf),
        }
    }
}

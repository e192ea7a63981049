//! The data path of a card: which queues run, on whose behalf, behind which filters (82599 datasheet, 7.1, 7.2, 7.10).
//!
//! Whoever decodes registers stores them first and then says here what they touched. Nothing here may be called while a lock is
//! held that `Notices` takes. Leaves out receive side coalescing, DCB arbiters and time stamps.

mod parts;
mod slot;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pando_engine::Doorbell;
use pando_pci::FunctionId;

use crate::interrupt::Direction;
use crate::layout::Layout;
use crate::pools::Ports;
use crate::queue::{QUEUES, QueueIndex, RxRegisters, TxRegisters};
use crate::spec::general::GCR_EXT;
pub(crate) use parts::{Notices, Parts};
use slot::{Slot, Start};

/// The queues of a card and what they are connected to.
pub(crate) struct DataPath {
    parts: Arc<Parts>,
    transmit: Box<[Slot<TxRegisters>]>,
    receive: Box<[Slot<RxRegisters>]>,
    ports: Mutex<Ports>,
}

impl DataPath {
    /// A card in power-on state; makes its ports in the switch.
    pub(crate) fn new(parts: Parts) -> Self {
        let ports = Ports::new(&parts);
        let parts = Arc::new(parts);
        Self {
            transmit: (0..QUEUES).map(|_| Slot::default()).collect(),
            receive: (0..QUEUES).map(|_| Slot::default()).collect(),
            ports: Mutex::new(ports),
            parts,
        }
    }

    /// A transmit queue's registers.
    pub(crate) fn transmit(&self, queue: QueueIndex) -> &TxRegisters {
        &self.transmit[queue.get()].registers
    }

    /// A receive queue's registers.
    pub(crate) fn receive(&self, queue: QueueIndex) -> &RxRegisters {
        &self.receive[queue.get()].registers
    }

    /// A tail was written (`Touched::Tail`). May be called from a worker.
    pub(crate) fn ring(&self, queue: QueueIndex, direction: Direction) {
        match self.doorbell(queue, direction) {
            Some(doorbell) => doorbell.ring(),
            None if direction == Direction::Transmit => self.settle(queue, direction),
            None => {}
        }
    }

    /// The doorbell behind a tail register, while the queue runs.
    pub(crate) fn doorbell(&self, queue: QueueIndex, direction: Direction) -> Option<Doorbell> {
        match direction {
            Direction::Transmit => self.transmit[queue.get()].doorbell(),
            Direction::Receive => self.receive[queue.get()].doorbell(),
        }
    }

    /// Starts or stops a queue, as its registers say (`Touched::Control`). When it has stopped, nobody works on it any more.
    pub(crate) fn settle(&self, queue: QueueIndex, direction: Direction) {
        let layout = Layout::of_vt_mode(self.parts.storage.get(GCR_EXT));
        let start = {
            let ports = self.ports();
            Start { parts: &self.parts, queue, layout, port: ports.of_queue(queue, layout), owner: ports.owner(queue, layout) }
        };
        match direction {
            Direction::Transmit => self.transmit[queue.get()].settle(&start),
            Direction::Receive => self.receive[queue.get()].settle(&start),
        }
    }

    /// What decides about all queues has changed: DMATXCTL, GCR_EXT.
    pub(crate) fn settle_all(&self) {
        for queue in QueueIndex::all() {
            self.settle(queue, Direction::Receive);
            self.settle(queue, Direction::Transmit);
        }
    }

    /// A register of the filters, pools, queue selection or rates has changed; takes them all anew.
    pub(crate) fn refilter(&self) {
        self.ports().refresh(&self.parts);
    }

    /// RTTBCNRC was written while RTTDQSEL selected `queue`.
    pub(crate) fn set_rate(&self, queue: QueueIndex, rttbcnrc: u32) {
        let layout = Layout::of_vt_mode(self.parts.storage.get(GCR_EXT));
        self.ports().set_rate(queue, layout, rttbcnrc);
    }

    /// VFs 0 to `count` - 1 exist from now on. Their queues, and those they had, are stopped.
    pub(crate) fn set_vfs(&self, count: u16) {
        self.ports().set_vfs(count);
        self.refilter();
        self.settle_all();
    }

    /// `function` may send requests again: what was held up goes on.
    pub(crate) fn resume(&self, function: FunctionId) {
        for queue in self.queues_of(function) {
            self.ring(queue, Direction::Receive);
            self.ring(queue, Direction::Transmit);
        }
    }

    /// Queues of `function`, now.
    pub(crate) fn queues_of(&self, function: FunctionId) -> Vec<QueueIndex> {
        let layout = Layout::of_vt_mode(self.parts.storage.get(GCR_EXT));
        let ports = self.ports();
        QueueIndex::all().filter(|queue| ports.owner(*queue, layout) == function).collect()
    }

    /// Power-on state of `queues`, registers included; when this returns nobody works on them.
    pub(crate) fn reset(&self, queues: impl IntoIterator<Item = QueueIndex>) {
        for queue in queues {
            self.transmit(queue).reset();
            self.receive(queue).reset();
            self.settle(queue, Direction::Transmit);
            self.settle(queue, Direction::Receive);
        }
    }

    fn ports(&self) -> MutexGuard<'_, Ports> {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

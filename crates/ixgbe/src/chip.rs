//! Everything behind the card's registers that workers and drivers share. It is passive: queues at work are `work`'s.
//!
//! Reads take leaf locks only, so that a read never waits for a worker.

use std::sync::atomic::{AtomicU16, AtomicU32, Ordering::SeqCst};

use pando_engine::MacAddress;
use pando_pci::FunctionId;
use pando_tlp::Guard;

use crate::eeprom::Eeprom;
use crate::identity::Model;
use crate::interrupt::{Direction, Outlet, Physical};
use crate::layout::{Layout, POOLS, Pool};
use crate::link::Link;
use crate::mailbox::Wishes;
use crate::phy::Phy;
use crate::policy::Policies;
use crate::queue::{QUEUES, QueueIndex, RxRegisters, TxRegisters};
use crate::semaphore::Semaphore;
use crate::settings::NicConfig;
use crate::sfp::Cage;
use crate::spec::filter::{RAH_VALID, RAL, VFRE, VFTE};
use crate::spec::general::*;
use crate::statistics::{Mapping, Statistics};
use crate::storage::Storage;
use crate::vf::VirtualFunction;

/// The card's registers and state.
pub(crate) struct Chip {
    pub(crate) name: String,
    mac: MacAddress,
    pub(crate) storage: Storage,
    transmit: Box<[TxRegisters]>,
    receive: Box<[RxRegisters]>,
    /// RTTBCNRC of every transmit queue.
    rates: Box<[AtomicU32]>,
    pub(crate) interrupts: Physical,
    pub(crate) wishes: Wishes,
    pub(crate) statistics: Statistics,
    pub(crate) link: Link,
    pub(crate) policies: Policies,
    pub(crate) eeprom: Eeprom,
    /// Of a card that has one.
    pub(crate) cage: Option<Cage>,
    /// Likewise.
    pub(crate) phy: Option<Phy>,
    pub(crate) semaphore: Semaphore,
    /// Every VF the card can have.
    vfs: Box<[VirtualFunction]>,
    /// VFs 0 to this - 1 exist.
    active_vfs: AtomicU16,
}

/// What a queue works for and where: while this stays the same, so does the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Assignment {
    /// Whose handle reads and writes its memory.
    pub(crate) owner: FunctionId,
    /// The pool it is in; `None` without pools.
    pub(crate) pool: Option<Pool>,
    /// Its number in the pool.
    pub(crate) in_pool: usize,
}

impl Chip {
    /// Power-on state. `outlets`: the PF's, then each VF's.
    pub(crate) fn new(
        config: &NicConfig,
        policies: Policies,
        pf: Outlet,
        vfs: impl Iterator<Item = Outlet>,
    ) -> Self {
        let chip = Self {
            name: config.name.clone(),
            mac: config.mac,
            storage: Storage::new(config.model),
            transmit: (0..QUEUES).map(|_| TxRegisters::default()).collect(),
            receive: (0..QUEUES).map(|_| RxRegisters::default()).collect(),
            rates: (0..QUEUES).map(|_| AtomicU32::new(0)).collect(),
            interrupts: Physical::new(pf),
            wishes: Wishes::default(),
            statistics: Statistics::default(),
            link: Link::new(config.link_up),
            policies,
            eeprom: Eeprom::new(config.model),
            cage: (config.model == Model::SfpPlus).then(Cage::new),
            phy: (config.model == Model::BaseT).then(Phy::default),
            semaphore: Semaphore::default(),
            vfs: (0..POOLS as u8)
                .zip(vfs)
                .map(|(vf, out)| VirtualFunction::new(Pool(vf), out))
                .collect(),
            active_vfs: AtomicU16::new(0),
        };
        chip.load_address();
        chip
    }

    /// The registers of a transmit queue.
    pub(crate) fn transmit(&self, queue: QueueIndex) -> &TxRegisters {
        &self.transmit[queue.get()]
    }

    /// The registers of a receive queue.
    pub(crate) fn receive(&self, queue: QueueIndex) -> &RxRegisters {
        &self.receive[queue.get()]
    }

    /// RTTBCNRC of a transmit queue: bit 31 enables, 27:0 are the factor between link speed and rate, with 14 binary digits.
    pub(crate) fn rate(&self, queue: QueueIndex) -> &AtomicU32 {
        &self.rates[queue.get()]
    }

    /// A VF; `None` for one that the card hasn't got.
    pub(crate) fn vf(&self, vf: Pool) -> Option<&VirtualFunction> {
        self.vfs.get(vf.get())
    }

    /// Every VF that the card can have.
    pub(crate) fn vfs(&self) -> &[VirtualFunction] {
        &self.vfs
    }

    /// VFs 0 to this - 1 exist.
    pub(crate) fn active_vfs(&self) -> u16 {
        self.active_vfs.load(SeqCst)
    }

    /// VFs 0 to `count` - 1 exist from now on.
    pub(crate) fn set_active_vfs(&self, count: u16) {
        self.active_vfs.store(count, SeqCst);
    }

    /// How queues are divided now.
    pub(crate) fn layout(&self) -> Layout {
        Layout::of_vt_mode(self.storage.get(GCR_EXT))
    }

    /// Whose `pool` is now.
    pub(crate) fn owner(&self, pool: Pool) -> FunctionId {
        if u16::from(pool.0) < self.active_vfs() {
            FunctionId::Vf(pool.0.into())
        } else {
            FunctionId::Pf
        }
    }

    /// The pools of `function`, one bit each, while there are pools.
    pub(crate) fn pools_of(&self, function: FunctionId) -> u64 {
        let pools = QUEUES / self.layout().queues_per_pool();
        let pools = (0..POOLS.min(pools) as u8).map(Pool);
        let own = pools.filter(|pool| self.owner(*pool) == function);
        own.fold(0, |mask, pool| mask | pool.bit())
    }

    /// What counters need to know.
    pub(crate) fn mapping(&self) -> Mapping<'_> {
        Mapping::new(&self.storage)
    }

    /// What transmit queue `queue` works for; `None` while it may not.
    pub(crate) fn wants_transmit(&self, queue: QueueIndex) -> Option<Assignment> {
        let on = self.storage.get(DMATXCTL) & DMATXCTL_ENABLE != 0;
        let wanted = on && self.transmit(queue).has_work();
        self.assign(queue, wanted, VFTE)
    }

    /// What receive queue `queue` works for; `None` while it may not.
    pub(crate) fn wants_receive(&self, queue: QueueIndex) -> Option<Assignment> {
        let on = self.storage.get(RXCTRL) & RXCTRL_ENABLE != 0;
        let wanted = on && self.receive(queue).is_enabled();
        self.assign(queue, wanted, VFRE)
    }

    fn assign(&self, queue: QueueIndex, wanted: bool, gate: [u32; 2]) -> Option<Assignment> {
        let layout = self.layout();
        let pool = layout.pool(queue);
        let open = pool.is_none_or(|pool| self.storage.has_pool(gate, pool));
        (wanted && open).then(|| Assignment {
            owner: layout.owner(queue, self.active_vfs()),
            pool,
            in_pool: layout.queue_in_pool(queue),
        })
    }

    /// A queue's worker tells the driver of what it has done.
    pub(crate) fn raise_queue(
        &self,
        queue: QueueIndex,
        assignment: &Assignment,
        direction: Direction,
        guard: &Guard<'_>,
    ) {
        match assignment.owner {
            FunctionId::Pf => self.interrupts.raise_queue(queue, direction, guard),
            FunctionId::Vf(vf) => {
                if let Some(vf) = self.vfs.get(usize::from(vf)) {
                    vf.interrupts.raise_queue(assignment.in_pool, direction, guard);
                }
            }
        }
    }

    /// The timer has come for function number `function`: 0 is the PF, n + 1 VF n.
    pub(crate) fn expire(&self, function: usize) {
        match function.checked_sub(1) {
            None => self.interrupts.expire(),
            Some(vf) => {
                if let Some(vf) = self.vfs.get(vf) {
                    vf.interrupts.expire();
                }
            }
        }
    }

    /// Puts the card's address into receive address 0, as the EEPROM's loading does.
    pub(crate) fn load_address(&self) {
        let [a, b, c, d, e, f] = self.mac.0;
        self.storage.set(RAL, u32::from_le_bytes([a, b, c, d]));
        self.storage.set(RAL + 4, RAH_VALID | u32::from_le_bytes([e, f, 0, 0]));
    }

    /// RTTBCNRC of every queue to its reset value.
    pub(crate) fn clear_rates(&self) {
        self.rates.iter().for_each(|rate| rate.store(0, SeqCst));
    }
}

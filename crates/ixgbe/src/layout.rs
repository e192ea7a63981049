//! How 128 queues are divided over pools, and which function a pool belongs to (82599 datasheet, 7.2.1.2.1, 7.10.2.7, 8.2.3.27).
//!
//! The mode is GCR_EXT.VT_MODE. Pool n is VF n's while that VF exists, every other pool is the PF's. Leaves out traffic classes:
//! they only choose queues inside a pool.

use pando_pci::FunctionId;

use crate::queue::{QUEUES, QueueIndex};

/// Pools at most.
pub(crate) const POOLS: usize = 64;

/// A pool: what the card's filters know of a VF, or of a part of the PF. 0 to 63.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Pool(pub(crate) u8);

impl Pool {
    /// Its number, below [`POOLS`].
    pub(crate) fn get(self) -> usize {
        usize::from(self.0)
    }

    /// Its bit in a mask of pools.
    pub(crate) fn bit(self) -> u64 {
        1u64.checked_shl(u32::from(self.0)).unwrap_or(0)
    }
}

/// The division.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// No pools: all queues are the PF's.
    Whole,
    /// 16 pools of 8 queues.
    Pools16,
    /// 32 pools of 4 queues.
    Pools32,
    /// 64 pools of 2 queues.
    Pools64,
}

impl Layout {
    /// From GCR_EXT.VT_MODE (bits 1:0).
    pub(crate) fn of_vt_mode(register: u32) -> Self {
        match register & 3 {
            0 => Self::Whole,
            1 => Self::Pools16,
            2 => Self::Pools32,
            _ => Self::Pools64,
        }
    }

    /// Queues of each kind in a pool.
    pub(crate) fn queues_per_pool(self) -> usize {
        match self {
            Self::Whole => QUEUES,
            Self::Pools16 => 8,
            Self::Pools32 => 4,
            Self::Pools64 => 2,
        }
    }

    /// The pool a queue is in; `None` without pools.
    pub(crate) fn pool(self, queue: QueueIndex) -> Option<Pool> {
        (self != Self::Whole).then(|| Pool((queue.get() / self.queues_per_pool()) as u8))
    }

    /// The queue of this number in its pool.
    pub(crate) fn queue_in_pool(self, queue: QueueIndex) -> usize {
        queue.get() % self.queues_per_pool()
    }

    /// Queue number `number` of `pool`; `None` if the pool hasn't got it.
    pub(crate) fn queue(self, pool: Pool, number: u32) -> Option<QueueIndex> {
        let each = self.queues_per_pool() as u32;
        if self == Self::Whole || number >= each {
            return None;
        }
        QueueIndex::new(u32::from(pool.0) * each + number)
    }

    /// Whose a queue is while VFs 0 to `vfs` - 1 exist.
    pub(crate) fn owner(self, queue: QueueIndex, vfs: u16) -> FunctionId {
        match self.pool(queue) {
            Some(pool) if u16::from(pool.0) < vfs => FunctionId::Vf(pool.0.into()),
            _ => FunctionId::Pf,
        }
    }
}

#[cfg(test)]
mod tests;

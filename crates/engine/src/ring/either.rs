//! A ring of the kind that was negotiated. Which one it is, is asked once for a whole batch of chains.

use pando_tlp::{Access, Guard};

use super::{Buffers, Chain, PackedRing, SplitRing};
use crate::QueueError;

/// A split or a packed ring.
pub enum Ring {
    /// VIRTIO_F_RING_PACKED was not negotiated.
    Split(SplitRing),
    /// It was.
    Packed(PackedRing),
}

macro_rules! either {
    ($self:ident, $ring:ident => $what:expr) => {
        match $self {
            Ring::Split($ring) => $what,
            Ring::Packed($ring) => $what,
        }
    };
}

impl Ring {
    /// [`SplitRing::begin`].
    #[inline]
    pub fn begin(&mut self, guard: &Guard<'_>) -> Result<(), QueueError> {
        match self {
            Self::Split(ring) => ring.begin(guard).map(drop),
            Self::Packed(ring) => ring.begin(guard),
        }
    }

    /// [`SplitRing::next`].
    #[inline]
    pub fn next<'g>(
        &mut self,
        guard: &'g Guard<'_>,
        chain: &mut Chain<'g>,
    ) -> Result<bool, QueueError> {
        either!(self, ring => ring.next(guard, chain))
    }

    /// [`SplitRing::next_plain`].
    #[inline]
    pub fn next_plain<'g>(
        &mut self,
        guard: &'g Guard<'_>,
        access: Access,
        most: usize,
        buffers: &mut Buffers<'g>,
    ) -> Result<(), QueueError> {
        either!(self, ring => ring.next_plain(guard, access, most, buffers))
    }

    /// [`SplitRing::rewind`].
    #[inline]
    pub fn rewind(&mut self) {
        either!(self, ring => ring.rewind());
    }

    /// [`SplitRing::put`].
    #[inline]
    pub fn put(&mut self, guard: &Guard<'_>, written: u32) -> Result<(), QueueError> {
        either!(self, ring => ring.put(guard, written))
    }

    /// [`SplitRing::put_many`].
    #[inline]
    pub fn put_many(&mut self, guard: &Guard<'_>, written: &[u32]) -> Result<(), QueueError> {
        either!(self, ring => ring.put_many(guard, written))
    }

    /// [`SplitRing::put_unwritten`].
    #[inline]
    pub fn put_unwritten(&mut self, guard: &Guard<'_>, count: usize) -> Result<(), QueueError> {
        either!(self, ring => ring.put_unwritten(guard, count))
    }

    /// [`SplitRing::show`].
    #[inline]
    pub fn show(&mut self, guard: &Guard<'_>) -> Result<(), QueueError> {
        either!(self, ring => ring.show(guard))
    }

    /// [`SplitRing::publish`].
    #[inline]
    pub fn publish(&mut self, guard: &Guard<'_>) -> Result<bool, QueueError> {
        either!(self, ring => ring.publish(guard))
    }

    /// [`SplitRing::arm`].
    pub fn arm(&mut self, guard: &Guard<'_>) -> Result<bool, QueueError> {
        either!(self, ring => ring.arm(guard))
    }

    /// [`SplitRing::arm_for_more`].
    pub fn arm_for_more(&mut self, guard: &Guard<'_>) -> Result<bool, QueueError> {
        either!(self, ring => ring.arm_for_more(guard))
    }

    /// [`SplitRing::bring_pass_near`].
    #[inline]
    pub fn bring_pass_near(&self) {
        either!(self, ring => ring.bring_pass_near());
    }

    /// [`SplitRing::disarm`].
    #[inline]
    pub fn disarm(&mut self, guard: &Guard<'_>) -> Result<(), QueueError> {
        either!(self, ring => ring.disarm(guard))
    }
}

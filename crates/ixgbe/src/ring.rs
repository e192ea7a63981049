//! A ring of 16-byte descriptors in guest memory (82599 datasheet, 7.1.6, 7.2.3.3).
//!
//! Descriptors are aligned to their size, so one never crosses a page. Each is read once, and written so that whoever sees its last
//! 8 bytes sees what came before. Leaves out what descriptors mean.

use std::sync::atomic::Ordering;

use arrayvec::ArrayVec;
use pando_engine::QueueError;
use pando_tlp::{Access, DmaView, Fault, Guard, Iova, LINE, bring_near};
use vm_memory::{Bytes, VolatileMemory, VolatileSlice};

use crate::queue;

/// Bytes of a descriptor.
const SIZE: u64 = 16;

/// A descriptor's dwords.
pub(crate) type Descriptor = [u32; 4];

/// Descriptors that are written back at once, at most. A driver watches the next one: each write on its own would wait until the
/// line that it shares with others is the device's again.
const WRITE_BACKS: usize = 64;

/// One queue's ring, with the view of memory that its buffers are reached by too.
pub(crate) struct Ring {
    base: Iova,
    count: u16,
    pub(crate) view: DmaView,
    /// Descriptors to be written back, in the ring's order.
    backs: ArrayVec<(u16, Descriptor), WRITE_BACKS>,
}

impl Ring {
    /// A ring where the registers say; an error is the driver's.
    pub(crate) fn new(ring: queue::Ring, view: DmaView) -> Result<Self, QueueError> {
        if ring.descriptors == 0 {
            return Err(QueueError::Driver("a queue without memory"));
        }
        if ring.base.checked_add(SIZE * u64::from(ring.descriptors)).is_none() {
            return Err(QueueError::Driver("a ring past the end of the address space"));
        }
        Ok(Self { base: ring.base, count: ring.descriptors, view, backs: ArrayVec::new() })
    }

    /// How many descriptors it has.
    pub(crate) fn count(&self) -> u16 {
        self.count
    }

    /// `pointer`, if it lies in the ring.
    pub(crate) fn within(&self, pointer: u16) -> Result<u16, QueueError> {
        if pointer < self.count {
            Ok(pointer)
        } else {
            Err(QueueError::Driver("a pointer beyond the ring"))
        }
    }

    /// The descriptor after `index`.
    #[inline]
    pub(crate) fn next(&self, index: u16) -> u16 {
        if index + 1 >= self.count { 0 } else { index + 1 }
    }

    /// How many descriptors lie from `from` to before `to`; both are in the ring.
    #[inline]
    pub(crate) fn distance(&self, from: u16, to: u16) -> u16 {
        if to >= from { to - from } else { self.count - from + to }
    }

    /// Reads descriptor `index`.
    #[inline]
    pub(crate) fn read(&mut self, guard: &Guard<'_>, index: u16) -> Result<Descriptor, QueueError> {
        let slice = self.slice(guard, index, Access::Read)?;
        let whole = slice.get_ref::<u128>(0).map_err(|_| OUTSIDE)?.load();
        Ok([0, 32, 64, 96].map(|shift| (u128::from_le(whole) >> shift) as u32))
    }

    /// Writes the last dword of descriptor `index`.
    #[inline]
    pub(crate) fn write_status(
        &mut self,
        guard: &Guard<'_>,
        index: u16,
        status: u32,
    ) -> Result<(), QueueError> {
        let slice = self.slice(guard, index, Access::Write)?;
        slice.store(status.to_le(), 12, Ordering::Release).map_err(|_| OUTSIDE)
    }

    /// Writes descriptor `index`, at the next [`write_back`](Self::write_back) at the latest.
    #[inline]
    pub(crate) fn write_later(
        &mut self,
        guard: &Guard<'_>,
        index: u16,
        descriptor: Descriptor,
    ) -> Result<(), QueueError> {
        if self.backs.is_full() {
            self.write_back(guard)?;
        }
        self.backs.push((index, descriptor));
        Ok(())
    }

    /// Writes what is to be written, each after all that came before it.
    pub(crate) fn write_back(&mut self, guard: &Guard<'_>) -> Result<(), QueueError> {
        let result = (0..self.backs.len()).try_for_each(|next| {
            let (index, descriptor) = self.backs[next];
            self.write(guard, index, descriptor)
        });
        self.backs.clear();
        result
    }

    /// Writes descriptor `index`, the second half last.
    #[inline]
    fn write(
        &mut self,
        guard: &Guard<'_>,
        index: u16,
        [a, b, c, d]: Descriptor,
    ) -> Result<(), QueueError> {
        let slice = self.slice(guard, index, Access::Write)?;
        let half = |low: u32, high: u32| (u64::from(high) << 32 | u64::from(low)).to_le();
        slice.store(half(a, b), 0, Ordering::Relaxed).map_err(|_| OUTSIDE)?;
        slice.store(half(c, d), 8, Ordering::Release).map_err(|_| OUTSIDE)
    }

    /// Brings `count` descriptors from `first` on near, as far as it is known where they are.
    pub(crate) fn bring_near(&self, guard: &Guard<'_>, first: u16, count: usize) {
        let Some(known) = self.view.known_to(guard) else { return };
        let in_line = LINE as u64 / SIZE;
        let end = u64::from(self.count).min(u64::from(first) + count as u64);
        for index in (u64::from(first) / in_line * in_line..end).step_by(in_line as usize) {
            let address = Iova(self.base.0 + SIZE * index);
            if let Some(line) = known.whole(address, SIZE as usize, Access::Write) {
                bring_near(&line, 0, Access::Write);
            }
        }
    }

    #[inline]
    fn slice<'g>(
        &mut self,
        guard: &'g Guard<'_>,
        index: u16,
        access: Access,
    ) -> Result<VolatileSlice<'g>, QueueError> {
        let address = Iova(self.base.0 + SIZE * u64::from(index));
        let slice = self.view.slice(guard, address, SIZE as usize, access)?;
        if slice.len() == SIZE as usize { Ok(slice) } else { Err(OUTSIDE) }
    }
}

const OUTSIDE: QueueError = QueueError::Ring(Fault::UnsupportedRequest);

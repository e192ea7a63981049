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
const SIZE: usize = 16;

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
    /// Descriptors to be written back, which follow each other in the ring.
    backs: ArrayVec<(u16, Descriptor), WRITE_BACKS>,
}

impl Ring {
    /// A ring where the registers say; an error is the driver's.
    pub(crate) fn new(ring: queue::Ring, view: DmaView) -> Result<Self, QueueError> {
        if ring.descriptors == 0 {
            return Err(QueueError::Driver("a queue without memory"));
        }
        if ring.base.checked_add(SIZE as u64 * u64::from(ring.descriptors)).is_none() {
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

    /// The descriptors from `first` on, at most `count`: as many as lie before the ring's end and in one piece of memory.
    #[inline]
    pub(crate) fn run<'g>(
        &mut self,
        guard: &'g Guard<'_>,
        first: u16,
        count: u16,
        access: Access,
    ) -> Result<Descriptors<'g>, QueueError> {
        let count = count.min(self.count.saturating_sub(first));
        let address = Iova(self.base.0 + SIZE as u64 * u64::from(first));
        let slice = self.view.slice(guard, address, SIZE * usize::from(count), access)?;
        if slice.len() < SIZE { Err(OUTSIDE) } else { Ok(Descriptors(slice)) }
    }

    /// Reads descriptor `index`.
    #[inline]
    pub(crate) fn read(&mut self, guard: &Guard<'_>, index: u16) -> Result<Descriptor, QueueError> {
        self.run(guard, index, 1, Access::Read)?.read(0)
    }

    /// Writes the last dword of each of the descriptors `indices`, which are in the ring's order.
    pub(crate) fn write_statuses(
        &mut self,
        guard: &Guard<'_>,
        mut indices: &[u16],
        status: u32,
    ) -> Result<(), QueueError> {
        while let [first, ..] = *indices {
            let run = self.run(guard, first, u16::MAX, Access::Write)?;
            let place = |index: &u16| usize::from(index.wrapping_sub(first));
            let here = indices.iter().take_while(|index| place(index) < run.len()).count();
            let (now, later) = indices.split_at(here);
            now.iter().try_for_each(|index| run.write_status(place(index), status))?;
            indices = later;
        }
        Ok(())
    }

    /// Writes descriptor `index`, at the next [`write_back`](Self::write_back) at the latest. It is the one after the last that was
    /// written so.
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
        let result = self.write_backs(guard);
        self.backs.clear();
        result
    }

    fn write_backs(&mut self, guard: &Guard<'_>) -> Result<(), QueueError> {
        let mut done = 0;
        while let Some((first, _)) = self.backs.get(done) {
            let run = self.run(guard, *first, (self.backs.len() - done) as u16, Access::Write)?;
            for (place, (_, descriptor)) in self.backs[done..].iter().take(run.len()).enumerate() {
                run.write(place, *descriptor)?;
            }
            done += run.len();
        }
        Ok(())
    }

    /// Brings `count` descriptors from `first` on near, as far as it is known where they are.
    pub(crate) fn bring_near(&self, guard: &Guard<'_>, first: u16, count: usize) {
        let Some(known) = self.view.known_to(guard) else { return };
        let in_line = LINE / SIZE;
        let end = usize::from(self.count).min(usize::from(first) + count);
        for index in (usize::from(first) / in_line * in_line..end).step_by(in_line) {
            let address = Iova(self.base.0 + (SIZE * index) as u64);
            if let Some(line) = known.whole(address, SIZE, Access::Write) {
                bring_near(&line, 0, Access::Write);
            }
        }
    }
}

/// Descriptors that follow each other, in the ring and in memory.
#[derive(Clone, Copy)]
pub(crate) struct Descriptors<'g>(VolatileSlice<'g>);

impl Descriptors<'_> {
    /// How many there are.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.0.len() / SIZE
    }

    /// Reads the one of number `index`.
    #[inline]
    pub(crate) fn read(&self, index: usize) -> Result<Descriptor, QueueError> {
        let whole = self.0.get_ref::<u128>(SIZE * index).map_err(|_| OUTSIDE)?.load();
        Ok([0, 32, 64, 96].map(|shift| (u128::from_le(whole) >> shift) as u32))
    }

    /// Writes the one of number `index`, the second half last.
    #[inline]
    pub(crate) fn write(&self, index: usize, [a, b, c, d]: Descriptor) -> Result<(), QueueError> {
        let half = |low: u32, high: u32| (u64::from(high) << 32 | u64::from(low)).to_le();
        self.0.store(half(a, b), SIZE * index, Ordering::Relaxed).map_err(|_| OUTSIDE)?;
        self.0.store(half(c, d), SIZE * index + 8, Ordering::Release).map_err(|_| OUTSIDE)
    }

    /// Writes the last dword of the one of number `index`.
    #[inline]
    fn write_status(&self, index: usize, status: u32) -> Result<(), QueueError> {
        self.0.store(status.to_le(), SIZE * index + 12, Ordering::Release).map_err(|_| OUTSIDE)
    }
}

const OUTSIDE: QueueError = QueueError::Ring(Fault::UnsupportedRequest);

//! Many chains at once: those that are one descriptor in one piece of memory, which most are, and their used elements.
//!
//! Nobody is asked where memory is: a chain that isn't known, or isn't that simple, is [`SplitRing::next`]'s, and so is every
//! mistake of the driver. Each descriptor is copied once here, too.

use arrayvec::ArrayVec;
use pando_tlp::{Access, Guard, Known, LINE, bring_near};
use vm_memory::VolatileSlice;

use super::area::Area;
use super::descriptor::{DESCRIPTOR, Descriptor};
use super::{SplitRing, USED_IN_LINE, available, used};
use crate::QueueError;

/// Chains that are taken at once, at most.
pub const BULK: usize = 64;

/// Chains of one piece each, in the ring's order.
pub type Buffers<'g> = ArrayVec<VolatileSlice<'g>, BULK>;

impl SplitRing {
    /// Takes the next chains of this pass, at most `most`, as long as each is one descriptor for `access`, in one piece of memory
    /// that the view knows. `buffers` is overwritten. None doesn't say that none waits: [`next`](Self::next) does.
    ///
    /// The beginning of each is brought near.
    #[inline]
    pub fn next_plain<'g>(
        &mut self,
        guard: &'g Guard<'_>,
        access: Access,
        most: usize,
        buffers: &mut Buffers<'g>,
    ) -> Result<(), QueueError> {
        buffers.clear();
        self.resolve(guard)?;
        let Some(known) = self.view.known_to(guard) else { return Ok(()) };
        let mut left = most.min(BULK).min(usize::from(self.seen.wrapping_sub(self.cursor)));
        while left > 0 {
            let slot = usize::from(self.cursor & (self.size - 1));
            let count = left.min(usize::from(self.size) - slot);
            let heads = &mut self.heads[slot..slot + count];
            self.available.load_many(available::ENTRIES + slot * available::ENTRY, heads)?;
            let first = buffers.len();
            for head in heads {
                *head = u16::from_le(*head);
                match buffer(&self.descriptors, self.size, *head, access, &known) {
                    Some(buffer) => buffers.push(buffer),
                    None => break,
                }
            }
            let taken = buffers.len() - first;
            bring_used_near(&self.used, slot, taken);
            self.cursor = self.cursor.wrapping_add(taken as u16);
            if taken < count {
                break;
            }
            left -= count;
        }
        Ok(())
    }

    /// As [`put`](Self::put) for as many chains as there are in `written`.
    #[inline]
    pub fn put_many(&mut self, guard: &Guard<'_>, written: &[u32]) -> Result<(), QueueError> {
        self.put_each(guard, written.len(), |index| written[index])
    }

    /// As [`put`](Self::put) for `count` chains into which nothing could be written: where order is promised, by one element for all.
    #[inline]
    pub fn put_unwritten(&mut self, guard: &Guard<'_>, count: usize) -> Result<(), QueueError> {
        if self.in_order {
            return self.put_batch(guard, count);
        }
        self.put_each(guard, count, |_| 0)
    }

    /// One used element where that of the first of `count` chains would be; it names the last (2.7.9).
    #[inline]
    fn put_batch(&mut self, guard: &Guard<'_>, count: usize) -> Result<(), QueueError> {
        self.resolve(guard)?;
        let count = self.puttable(count) as u16;
        if count == 0 {
            return Ok(());
        }
        let (first, after) = (self.position, self.position.wrapping_add(count));
        let last = self.heads[self.slot(after.wrapping_sub(1))];
        let element = used::ENTRIES + self.slot(first) * used::ENTRY;
        self.used.store_words(element, [last.into(), 0])?;
        self.position = after;
        Ok(())
    }

    /// `count`, or as many chains as were taken but not put.
    #[inline]
    fn puttable(&self, count: usize) -> usize {
        count.min(usize::from(self.cursor.wrapping_sub(self.position)))
    }

    #[inline]
    fn put_each(
        &mut self,
        guard: &Guard<'_>,
        count: usize,
        written: impl Fn(usize) -> u32,
    ) -> Result<(), QueueError> {
        self.resolve(guard)?;
        let count = self.puttable(count);
        let mut done = 0;
        while done < count {
            let slot = self.slot(self.position);
            let run = (count - done).min(usize::from(self.size) - slot);
            let heads = self.heads[slot..slot + run].iter().enumerate();
            let elements = heads.map(|(index, head)| [u32::from(*head), written(done + index)]);
            self.used.store_many(used::ENTRIES + slot * used::ENTRY, elements)?;
            self.position = self.position.wrapping_add(run as u16);
            done += run;
        }
        Ok(())
    }
}

/// The memory of a chain that begins at descriptor `head` and what it is for, if that is all of it and known.
#[inline(always)]
pub(super) fn plain<'g>(
    descriptors: &Area,
    size: u16,
    head: u16,
    known: &Known<'_, 'g>,
) -> Option<(VolatileSlice<'g>, Access)> {
    if head >= size {
        return None;
    }
    let raw = descriptors.load_descriptor(usize::from(head) * DESCRIPTOR).ok()?;
    let descriptor = Descriptor::new(raw);
    if !descriptor.is_plain() {
        return None;
    }
    Some((descriptor.whole(known)?, descriptor.access()))
}

/// The same for a chain that is for `access`; its beginning is brought near.
#[inline(always)]
fn buffer<'g>(
    descriptors: &Area,
    size: u16,
    head: u16,
    access: Access,
    known: &Known<'_, 'g>,
) -> Option<VolatileSlice<'g>> {
    let (buffer, _) =
        plain(descriptors, size, head, known).filter(|(_, found)| *found == access)?;
    bring_near(&buffer, 0, access);
    bring_near(&buffer, LINE, access);
    Some(buffer)
}

/// Asks for the lines of the used elements of `count` chains from `slot` on. The driver has read them all, so writing the first one
/// waits until the line is the device's.
#[inline]
fn bring_used_near(used: &Area, slot: usize, count: usize) {
    for slot in (slot..slot + count).step_by(USED_IN_LINE) {
        used.bring_near(used::ENTRIES + slot * used::ENTRY);
    }
}

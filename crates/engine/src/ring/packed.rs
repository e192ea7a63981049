//! The device's side of a packed virtqueue (virtio 1.3, 2.8): one ring of descriptors that both sides write.
//!
//! Chains are put in the order they were taken, so a used descriptor goes where its chain began. Of those put in one pass the first
//! gets its flags last, by one store: the driver, who looks at them in order, sees all or none. Left out: notification data.

use std::sync::atomic::Ordering::{Relaxed, Release, SeqCst};
use std::sync::atomic::fence;

use pando_tlp::{Access, DmaView, Guard, Iova, LINE, bring_near};

use super::area::Area;
use super::bulk::{BULK, Buffers};
use super::chain::Chain;
use super::descriptor::{DESCRIPTOR, Descriptor, Walk};
use crate::QueueError;

/// Where a packed ring lies and what was negotiated for it.
#[derive(Clone, Copy, Debug)]
pub struct PackedConfig {
    /// Descriptors; 1 to 32768.
    pub size: u16,
    /// The descriptor ring, 16-byte aligned.
    pub descriptors: Iova,
    /// The driver's event suppression structure, 4-byte aligned.
    pub driver_event: Iova,
    /// The device's, likewise.
    pub device_event: Iova,
    /// VIRTIO_F_EVENT_IDX was negotiated.
    pub event_index: bool,
    /// VIRTIO_F_INDIRECT_DESC was negotiated.
    pub indirect: bool,
    /// VIRTIO_F_IN_ORDER was negotiated.
    pub in_order: bool,
}

/// Offsets in a descriptor, in bytes.
const LEN: usize = 8;
const ID: usize = 12;
const FLAGS: usize = 14;

/// Flags of a descriptor (2.8.1): both as the wrap counter in a used one, only the first in an available one.
const AVAILABLE: u16 = 1 << 7;
const USED: u16 = 1 << 15;
/// The device has written into the buffer.
const WRITTEN: u16 = 1 << 1;

/// An event suppression structure (2.8.14): `off_wrap`, then flags.
mod event {
    pub(super) const LEN: usize = 4;
    pub(super) const FLAGS: usize = 2;
    pub(super) const ENABLE: u16 = 0;
    pub(super) const DISABLE: u16 = 1;
    /// At a certain descriptor only.
    pub(super) const DESCRIPTOR: u16 = 2;
    /// Of the flags those that say something.
    pub(super) const MASK: u16 = 3;
}

/// A descriptor's place and the wrap counter there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    slot: u16,
    wrap: bool,
}

impl Place {
    const FIRST: Self = Self { slot: 0, wrap: true };

    /// `count` descriptors, at most `size`, further in a ring of `size`.
    #[inline]
    fn after(self, count: u16, size: u16) -> Self {
        let slot = u32::from(self.slot) + u32::from(count);
        match slot.checked_sub(size.into()) {
            None => Self { slot: slot as u16, wrap: self.wrap },
            Some(slot) => Self { slot: slot as u16, wrap: !self.wrap },
        }
    }

    #[inline]
    fn offset(self) -> usize {
        usize::from(self.slot) * DESCRIPTOR
    }

    /// As an event names it.
    fn number(self) -> u16 {
        self.slot | u16::from(self.wrap) << 15
    }

    /// Whether the descriptor there is available if it has these flags.
    #[inline]
    fn is_available(self, flags: u16) -> bool {
        flags & (AVAILABLE | USED) == if self.wrap { AVAILABLE } else { USED }
    }

    /// The flags of a used descriptor there.
    #[inline]
    fn used_flags(self, written: u32) -> u16 {
        let wrap = if self.wrap { AVAILABLE | USED } else { 0 };
        wrap | if written > 0 { WRITTEN } else { 0 }
    }
}

/// A packed ring. Used like a [`SplitRing`](super::SplitRing).
pub struct PackedRing {
    view: DmaView,
    descriptors: Area,
    /// The same memory, to write.
    used: Area,
    driver_event: Area,
    device_event: Area,
    size: u16,
    event_index: bool,
    indirect: bool,
    in_order: bool,
    /// The epoch the areas were resolved in.
    epoch: u64,
    /// The next chain to take.
    cursor: Place,
    /// The oldest chain not put.
    position: Place,
    /// Where this pass found no chain.
    end: Option<Place>,
    /// A used descriptor, the first of those the driver hasn't seen, without its flags, which are these.
    hidden: Option<(Place, u16)>,
    /// Descriptors put since the driver was asked for interrupts.
    unasked: u32,
    /// The driver is told not to notify.
    quiet: bool,
    taken: Taken,
}

/// Chains taken but not put, oldest first: the id and the number of descriptors of each.
struct Taken {
    chains: Box<[(u16, u16)]>,
    first: usize,
    count: usize,
    descriptors: u32,
}

impl Taken {
    /// Adds one. Fails if there would be more descriptors than the ring has: the driver made one available twice.
    #[inline]
    fn push(&mut self, id: u16, descriptors: u16) -> Result<(), QueueError> {
        let size = self.chains.len();
        self.descriptors += u32::from(descriptors);
        if self.descriptors as usize > size {
            return Err(QueueError::Driver("more descriptors available than there are"));
        }
        let at = self.first + self.count;
        self.chains[if at < size { at } else { at - size }] = (id, descriptors);
        self.count += 1;
        Ok(())
    }

    #[inline]
    fn pop(&mut self) -> Option<(u16, u16)> {
        self.count = self.count.checked_sub(1)?;
        let chain = self.chains[self.first];
        self.first = if self.first + 1 < self.chains.len() { self.first + 1 } else { 0 };
        self.descriptors -= u32::from(chain.1);
        Some(chain)
    }

    #[inline]
    fn clear(&mut self) {
        (self.count, self.descriptors) = (0, 0);
    }
}

impl PackedRing {
    /// A ring on `view`'s memory. Fails if the driver set a size or an alignment that isn't allowed.
    pub fn new(config: PackedConfig, view: DmaView) -> Result<Self, QueueError> {
        let PackedConfig { size, event_index, indirect, in_order, .. } = config;
        if size == 0 || size > 32768 {
            return Err(QueueError::Driver("ring size is not from 1 to 32768"));
        }
        let entries = usize::from(size);
        let area = |access| Area::new(config.descriptors, entries * DESCRIPTOR, 16, access);
        let chains = vec![(0, 0); entries].into();
        Ok(Self {
            view,
            descriptors: area(Access::Read)?,
            used: area(Access::Write)?,
            driver_event: Area::new(config.driver_event, event::LEN, 4, Access::Read)?,
            device_event: Area::new(config.device_event, event::LEN, 4, Access::Write)?,
            size,
            event_index,
            indirect,
            in_order,
            epoch: 0,
            cursor: Place::FIRST,
            position: Place::FIRST,
            end: None,
            hidden: None,
            unasked: 0,
            quiet: false,
            taken: Taken { chains, first: 0, count: 0, descriptors: 0 },
        })
    }

    /// Begins a pass: forgets chains taken but not put.
    #[inline]
    pub fn begin(&mut self, guard: &Guard<'_>) -> Result<(), QueueError> {
        self.resolve(guard)?;
        self.disarm(guard)?;
        self.rewind();
        self.end = None;
        Ok(())
    }

    /// Takes the next chain; `false`, and `chain` empty, if there is none.
    #[inline]
    pub fn next<'g>(
        &mut self,
        guard: &'g Guard<'_>,
        chain: &mut Chain<'g>,
    ) -> Result<bool, QueueError> {
        self.resolve(guard)?;
        let Some(descriptor) = look(&self.descriptors, self.cursor)? else {
            chain.clear();
            self.end = Some(self.cursor);
            return Ok(false);
        };
        if descriptor.is_plain()
            && let Some(known) = self.view.known_to(guard)
            && let Some(slice) = descriptor.whole(&known)
        {
            chain.set(slice, descriptor.access());
            self.take(descriptor.id(), 1)?;
            return Ok(true);
        }
        self.walk(guard, chain)?;
        Ok(true)
    }

    /// Takes the next chains, at most `most`, as [`SplitRing::next_plain`](super::SplitRing::next_plain) does.
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
        while buffers.len() < most.min(BULK) {
            let Some(descriptor) = look(&self.descriptors, self.cursor)? else {
                self.end = Some(self.cursor);
                break;
            };
            if !descriptor.is_plain() || descriptor.access() != access {
                break;
            }
            let Some(buffer) = descriptor.whole(&known) else { break };
            bring_near(&buffer, 0, access);
            bring_near(&buffer, LINE, access);
            buffers.push(buffer);
            self.taken.push(descriptor.id(), 1)?;
            self.cursor = self.cursor.after(1, self.size);
        }
        Ok(())
    }

    #[inline(never)]
    fn walk<'g>(&mut self, guard: &'g Guard<'_>, chain: &mut Chain<'g>) -> Result<(), QueueError> {
        let mut walk = Walk {
            guard,
            view: &mut self.view,
            descriptors: &self.descriptors,
            size: self.size,
            indirect: self.indirect,
            last: None,
        };
        let (id, descriptors) = walk.packed_chain(self.cursor.slot, chain)?;
        self.take(id, descriptors)
    }

    #[inline]
    fn take(&mut self, id: u16, descriptors: u16) -> Result<(), QueueError> {
        self.taken.push(id, descriptors)?;
        self.cursor = self.cursor.after(descriptors, self.size);
        Ok(())
    }

    /// Forgets chains taken but not put: the next [`next`](Self::next) starts after the last one put.
    #[inline]
    pub fn rewind(&mut self) {
        self.cursor = self.position;
        self.taken.clear();
    }

    /// Makes the oldest chain taken but not put a used one, with `written` bytes. The driver sees it after
    /// [`publish`](Self::publish). Nothing happens if no chain is left.
    #[inline]
    pub fn put(&mut self, guard: &Guard<'_>, written: u32) -> Result<(), QueueError> {
        self.resolve(guard)?;
        self.put_resolved(written)
    }

    /// As [`put`](Self::put) for as many chains as there are in `written`.
    #[inline]
    pub fn put_many(&mut self, guard: &Guard<'_>, written: &[u32]) -> Result<(), QueueError> {
        self.resolve(guard)?;
        written.iter().try_for_each(|written| self.put_resolved(*written))
    }

    /// As [`put`](Self::put) for `count` chains into which nothing could be written: where order is promised, by one used descriptor
    /// for all, where the first of them begins; it names the last (2.8.8).
    #[inline]
    pub fn put_unwritten(&mut self, guard: &Guard<'_>, count: usize) -> Result<(), QueueError> {
        self.resolve(guard)?;
        if !self.in_order {
            return (0..count).try_for_each(|_| self.put_resolved(0));
        }
        let mut batch = None;
        for (id, descriptors) in (0..count).map_while(|_| self.taken.pop()) {
            let before = batch.map_or(0, |(_, before)| before);
            batch = Some((id, before + descriptors)); // no more than the ring has
        }
        batch.map_or(Ok(()), |(id, descriptors)| self.put_used(id, descriptors, 0))
    }

    #[inline]
    fn put_resolved(&mut self, written: u32) -> Result<(), QueueError> {
        let Some((id, descriptors)) = self.taken.pop() else { return Ok(()) };
        self.put_used(id, descriptors, written)
    }

    /// Writes a used descriptor, the next `descriptors` further than the last one.
    #[inline]
    fn put_used(&mut self, id: u16, descriptors: u16, written: u32) -> Result<(), QueueError> {
        let (place, flags) = (self.position, self.position.used_flags(written));
        if self.hidden.is_some() {
            let end = u32::from(id) | u32::from(flags) << 16;
            self.used.store_words(place.offset() + LEN, [written, end])?;
        } else {
            self.used.store_word(place.offset() + LEN, written.to_le())?;
            self.used.store(place.offset() + ID, id.to_le(), Relaxed)?;
            self.hidden = Some((place, flags));
        }
        self.unasked = self.unasked.saturating_add(descriptors.into());
        self.position = place.after(descriptors, self.size);
        Ok(())
    }

    /// Shows the driver everything put so far, and leaves the question whether it wants an interrupt to the next
    /// [`publish`](Self::publish).
    #[inline]
    pub fn show(&mut self, guard: &Guard<'_>) -> Result<(), QueueError> {
        self.resolve(guard)?;
        if let Some((place, flags)) = self.hidden.take() {
            self.used.store(place.offset() + FLAGS, flags.to_le(), Release)?;
        }
        Ok(())
    }

    /// Shows the driver everything put so far; `true` if it wants an interrupt for it.
    #[inline]
    pub fn publish(&mut self, guard: &Guard<'_>) -> Result<bool, QueueError> {
        if self.unasked == 0 {
            return Ok(false);
        }
        self.show(guard)?;
        let moved = std::mem::take(&mut self.unasked);
        // The driver stores its event and then looks at descriptors; one of the two sees the other's.
        fence(SeqCst);
        let flags = u16::from_le(self.driver_event.load(event::FLAGS, Relaxed)?);
        Ok(match flags & event::MASK {
            event::DISABLE => false,
            event::DESCRIPTOR if self.event_index => {
                let event = u16::from_le(self.driver_event.load(0, Relaxed)?);
                passed(event, self.position, self.size, moved)
            }
            _ => true,
        })
    }

    /// Asks the driver to notify at the next chain; `true` if there is one that isn't put already.
    pub fn arm(&mut self, guard: &Guard<'_>) -> Result<bool, QueueError> {
        self.arm_at(guard, self.position)
    }

    /// Asks the driver to notify when it adds a chain to those the last pass saw; `true` if it has added one already. For a
    /// receive queue whose chains aren't enough.
    pub fn arm_for_more(&mut self, guard: &Guard<'_>) -> Result<bool, QueueError> {
        match self.end {
            Some(end) => self.arm_at(guard, end),
            None => Ok(true),
        }
    }

    fn arm_at(&mut self, guard: &Guard<'_>, place: Place) -> Result<bool, QueueError> {
        self.resolve(guard)?;
        let flags = if self.event_index { event::DESCRIPTOR } else { event::ENABLE };
        let both = u32::from(place.number()) | u32::from(flags) << 16;
        self.device_event.store_word(0, both.to_le())?;
        self.quiet = false;
        // The driver makes a descriptor available and then reads what was just written; one of the two sees the other's.
        fence(SeqCst);
        Ok(look(&self.descriptors, place)?.is_some())
    }

    /// The driver needn't notify: the ring is being polled. [`begin`](Self::begin) does it too.
    #[inline]
    pub fn disarm(&mut self, guard: &Guard<'_>) -> Result<(), QueueError> {
        if !self.quiet {
            self.resolve(guard)?;
            self.device_event.store(event::FLAGS, event::DISABLE.to_le(), Relaxed)?;
            self.quiet = true;
        }
        Ok(())
    }

    /// Brings near what the next pass begins with.
    #[inline]
    pub fn bring_pass_near(&self) {
        self.used.bring_near(self.position.offset());
    }

    #[inline]
    fn resolve(&mut self, guard: &Guard<'_>) -> Result<(), QueueError> {
        if self.epoch == guard.epoch() { Ok(()) } else { self.resolve_areas(guard.epoch()) }
    }

    #[cold]
    fn resolve_areas(&mut self, epoch: u64) -> Result<(), QueueError> {
        self.epoch = 0;
        let dma = self.view.dma().as_ref();
        for area in
            [&mut self.descriptors, &mut self.used, &mut self.driver_event, &mut self.device_event]
        {
            area.resolve(dma)?;
        }
        self.epoch = epoch;
        Ok(())
    }
}

/// The descriptor at `place`, if it is available.
#[inline]
fn look(descriptors: &Area, place: Place) -> Result<Option<Descriptor>, QueueError> {
    let descriptor = Descriptor::packed(descriptors.load_packed(place.offset())?);
    Ok(place.is_available(descriptor.flags()).then_some(descriptor))
}

/// Whether going `moved` descriptors on, to `now`, passes `event` (2.8.14: a descriptor and the wrap counter there).
#[inline]
fn passed(event: u16, now: Place, size: u16, moved: u32) -> bool {
    let lap = if (event >> 15 != 0) == now.wrap { 0 } else { u32::from(size) };
    let back = (u32::from(now.slot) + lap).checked_sub(u32::from(event & 0x7fff));
    back.is_some_and(|back| (1..=moved).contains(&back))
}

#[cfg(test)]
mod tests;

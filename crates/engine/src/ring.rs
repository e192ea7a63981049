//! The device's side of a virtqueue: here a split one, `packed` ones beside it, on memory resolved once per epoch (virtio 1.3, 2.7).
//!
//! One pass reads the available index once, copies each descriptor once, and publishes its used elements with one store of the
//! used index. Chains are put in the order they were taken, which is the order they were made available in. Every index, length and
//! address is the driver's: a mistake is a [`QueueError::Driver`] for this ring and nothing else. Left out: notification data.

mod area;
mod bulk;
mod chain;
mod descriptor;
mod either;
mod packed;
mod writer;

use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::fence;

use pando_tlp::{Access, Dma, DmaView, Guard, Iova, LINE};

pub use bulk::{BULK, Buffers};
pub use chain::{CHAIN_PIECES, Chain};
pub use either::Ring;
pub use packed::{PackedConfig, PackedRing};
pub use writer::Writer;

use area::Area;
use bulk::plain;
use descriptor::{DESCRIPTOR, Descriptor, Walk};

use crate::QueueError;

/// Where a split ring lies and what was negotiated for it.
#[derive(Clone, Copy, Debug)]
pub struct SplitConfig {
    /// Entries; a power of two, at most 32768.
    pub size: u16,
    /// The descriptor table, 16-byte aligned.
    pub descriptors: Iova,
    /// The available ring (driver area), 2-byte aligned.
    pub available: Iova,
    /// The used ring (device area), 4-byte aligned.
    pub used: Iova,
    /// VIRTIO_F_EVENT_IDX was negotiated.
    pub event_index: bool,
    /// VIRTIO_F_INDIRECT_DESC was negotiated.
    pub indirect: bool,
    /// VIRTIO_F_IN_ORDER was negotiated.
    pub in_order: bool,
    /// The position, in both rings, of the first chain to take; 0 after a reset.
    pub position: u16,
}

/// Offsets in the available ring, in bytes; `used_event` follows the entries.
mod available {
    pub(super) const FLAGS: usize = 0;
    pub(super) const INDEX: usize = 2;
    pub(super) const ENTRIES: usize = 4;
    pub(super) const ENTRY: usize = 2;
    /// The driver wants no interrupt.
    pub(super) const NO_INTERRUPT: u16 = 1;
}

/// Offsets in the used ring, in bytes; `avail_event` follows the entries.
mod used {
    pub(super) const FLAGS: usize = 0;
    pub(super) const INDEX: usize = 2;
    pub(super) const ENTRIES: usize = 4;
    pub(super) const ENTRY: usize = 8;
    /// The device wants no notification.
    pub(super) const NO_NOTIFY: u16 = 1;
}

/// How many chains before its turn a chain's memory is brought near.
const AHEAD: u16 = 6;

/// Used elements in a cache line. The driver has read them all, so writing the first one waits until the line is the device's.
const USED_IN_LINE: usize = LINE / used::ENTRY;

/// How many chains before its turn the line of a used element is asked for.
const USED_AHEAD: u16 = 8;

/// A split ring. A pass is [`begin`](Self::begin), some [`next`](Self::next), some [`put`](Self::put), one
/// [`publish`](Self::publish); chains taken but not put are taken again by the next pass.
pub struct SplitRing {
    view: DmaView,
    descriptors: Area,
    available: Area,
    used: Area,
    size: u16,
    event_index: bool,
    indirect: bool,
    in_order: bool,
    /// The epoch the areas were resolved in.
    epoch: u64,
    /// The available index as the last pass read it.
    seen: u16,
    /// The next chain to take.
    cursor: u16,
    /// The chain after the last one whose memory was brought near.
    near: u16,
    /// The oldest chain not put, and so the used index too.
    position: u16,
    /// The used index that the driver was asked about last.
    published: u16,
    /// Without event index: the driver is told not to notify.
    quiet: bool,
    /// The first descriptors of chains taken but not put, by position.
    heads: Box<[u16]>,
}

impl SplitRing {
    /// A ring on `view`'s memory. Fails if the driver set a size or an alignment that isn't allowed.
    pub fn new(config: SplitConfig, view: DmaView) -> Result<Self, QueueError> {
        let SplitConfig { size, event_index, indirect, in_order, position, .. } = config;
        if !size.is_power_of_two() || size > 32768 {
            return Err(QueueError::Driver("ring size is not a power of two up to 32768"));
        }
        let entries = usize::from(size);
        let available = available::ENTRIES + entries * available::ENTRY + 2;
        let used = used::ENTRIES + entries * used::ENTRY + 2;
        Ok(Self {
            view,
            descriptors: Area::new(config.descriptors, entries * DESCRIPTOR, 16, Access::Read)?,
            available: Area::new(config.available, available, 2, Access::Read)?,
            used: Area::new(config.used, used, 4, Access::Write)?,
            size,
            event_index,
            indirect,
            in_order,
            epoch: 0,
            seen: position,
            cursor: position,
            near: position,
            position,
            published: position,
            quiet: false,
            heads: vec![0; entries].into(),
        })
    }

    /// Begins a pass: forgets chains taken but not put, reads the available index once, and returns how many chains wait.
    #[inline]
    pub fn begin(&mut self, guard: &Guard<'_>) -> Result<u16, QueueError> {
        self.resolve(guard)?;
        self.disarm(guard)?;
        self.cursor = self.position;
        self.near = self.position;
        self.bring_next_near();
        self.seen = self.read_index()?;
        Ok(self.seen.wrapping_sub(self.position))
    }

    /// Takes the next chain of this pass; `false`, and `chain` empty, if there is none.
    #[inline]
    pub fn next<'g>(
        &mut self,
        guard: &'g Guard<'_>,
        chain: &mut Chain<'g>,
    ) -> Result<bool, QueueError> {
        if self.cursor == self.seen {
            chain.clear();
            return Ok(false);
        }
        self.resolve(guard)?;
        self.bring_near_ahead(guard);
        let slot = self.slot(self.cursor);
        if slot.is_multiple_of(USED_IN_LINE) {
            let later = self.slot(self.cursor.wrapping_add(USED_AHEAD));
            self.used.bring_near(used::ENTRIES + later * used::ENTRY);
        }
        let entry = available::ENTRIES + slot * available::ENTRY;
        let head = u16::from_le(self.available.load(entry, Relaxed)?);
        self.heads[slot] = head;
        self.walk(guard, head, chain)?;
        self.cursor = self.cursor.wrapping_add(1);
        Ok(true)
    }

    /// Fills `chain` from the descriptor `head` on. Most chains are one descriptor in one piece of memory that is known.
    #[inline]
    fn walk<'g>(
        &mut self,
        guard: &'g Guard<'_>,
        head: u16,
        chain: &mut Chain<'g>,
    ) -> Result<(), QueueError> {
        if let Some(known) = self.view.known_to(guard)
            && let Some((slice, access)) = plain(&self.descriptors, self.size, head, &known)
        {
            chain.set(slice, access);
            return Ok(());
        }
        self.walk_far(guard, head, chain)
    }

    /// The same for any chain; what is wrong with it is found here.
    #[inline(never)]
    fn walk_far<'g>(
        &mut self,
        guard: &'g Guard<'_>,
        head: u16,
        chain: &mut Chain<'g>,
    ) -> Result<(), QueueError> {
        let mut walk = Walk {
            guard,
            view: &mut self.view,
            descriptors: &self.descriptors,
            size: self.size,
            indirect: self.indirect,
            last: None,
        };
        walk.chain(head, chain)
    }

    /// Forgets chains taken but not put: the next [`next`](Self::next) starts after the last one put.
    #[inline]
    pub fn rewind(&mut self) {
        self.cursor = self.position;
    }

    /// Writes the used element of the oldest chain taken but not put; `written` counts bytes written into it. The driver sees it
    /// after [`publish`](Self::publish). Nothing happens if no chain is left.
    #[inline]
    pub fn put(&mut self, guard: &Guard<'_>, written: u32) -> Result<(), QueueError> {
        if self.position == self.cursor {
            return Ok(());
        }
        self.resolve(guard)?;
        let slot = self.slot(self.position);
        let element = used::ENTRIES + slot * used::ENTRY;
        self.used.store_words(element, [u32::from(self.heads[slot]), written])?;
        self.position = self.position.wrapping_add(1);
        Ok(())
    }

    /// Shows the driver everything put so far, and leaves the question whether it wants an interrupt to the next
    /// [`publish`](Self::publish).
    pub fn show(&mut self, guard: &Guard<'_>) -> Result<(), QueueError> {
        self.resolve(guard)?;
        self.used.store(used::INDEX, self.position.to_le(), Release)
    }

    /// Shows the driver everything put so far; `true` if it wants an interrupt for it.
    #[inline]
    pub fn publish(&mut self, guard: &Guard<'_>) -> Result<bool, QueueError> {
        if self.position == self.published {
            return Ok(false);
        }
        self.resolve(guard)?;
        self.used.store(used::INDEX, self.position.to_le(), Release)?;
        let before = std::mem::replace(&mut self.published, self.position);
        // The driver stores its event and then reads the index; one of the two sees the other's.
        fence(SeqCst);
        if !self.event_index {
            let flags = u16::from_le(self.available.load(available::FLAGS, Relaxed)?);
            return Ok(flags & available::NO_INTERRUPT == 0);
        }
        let used_event = available::ENTRIES + usize::from(self.size) * available::ENTRY;
        let event = u16::from_le(self.available.load(used_event, Relaxed)?);
        Ok(crosses(event, before, self.position))
    }

    /// Asks the driver to notify at the next chain; `true` if there is one that isn't put already.
    pub fn arm(&mut self, guard: &Guard<'_>) -> Result<bool, QueueError> {
        self.arm_after(guard, self.position)
    }

    /// Asks the driver to notify when it adds a chain to those the last pass saw; `true` if it has added one already. For a
    /// receive queue whose chains aren't enough.
    pub fn arm_for_more(&mut self, guard: &Guard<'_>) -> Result<bool, QueueError> {
        self.arm_after(guard, self.seen)
    }

    fn arm_after(&mut self, guard: &Guard<'_>, position: u16) -> Result<bool, QueueError> {
        self.resolve(guard)?;
        if self.event_index {
            let avail_event = used::ENTRIES + usize::from(self.size) * used::ENTRY;
            self.used.store(avail_event, position.to_le(), Relaxed)?;
        } else {
            self.used.store(used::FLAGS, 0, Relaxed)?;
            self.quiet = false;
        }
        // The driver stores its index and then reads what was just written; one of the two sees the other's.
        fence(SeqCst);
        Ok(self.read_index()? != position)
    }

    /// The driver needn't notify: the ring is being polled. [`begin`](Self::begin) does it too.
    #[inline]
    pub fn disarm(&mut self, guard: &Guard<'_>) -> Result<(), QueueError> {
        // With event index the event just stays behind.
        if !self.event_index && !self.quiet {
            self.resolve(guard)?;
            self.used.store(used::FLAGS, used::NO_NOTIFY.to_le(), Relaxed)?;
            self.quiet = true;
        }
        Ok(())
    }

    /// The position of the oldest chain not put: what a saved ring goes on from.
    pub fn position(&self) -> u16 {
        self.position
    }

    /// The function's handle, for interrupts.
    pub fn dma(&self) -> &Arc<dyn Dma> {
        self.view.dma()
    }

    /// Brings near what the next pass begins with.
    #[inline]
    pub fn bring_pass_near(&self) {
        self.available.bring_near(available::INDEX);
        self.bring_next_near();
        self.used.bring_near(used::ENTRIES + self.slot(self.position) * used::ENTRY);
    }

    /// Brings near the next available entry and its descriptor, if that is the one it was a ring's length ago, while the index is
    /// still on its way: the driver has written all three, and without this they would come one after the other.
    #[inline]
    fn bring_next_near(&self) {
        let slot = self.slot(self.position);
        self.available.bring_near(available::ENTRIES + slot * available::ENTRY);
        self.descriptors.bring_near(usize::from(self.heads[slot]) * DESCRIPTOR);
    }

    /// Brings near what the next chains begin with.
    #[inline]
    fn bring_near_ahead(&mut self, guard: &Guard<'_>) {
        if self.near.wrapping_sub(self.cursor) > AHEAD {
            self.near = self.cursor; // others were taken at once, or taken back
        }
        let ahead = self.seen.wrapping_sub(self.cursor).min(AHEAD);
        while self.near.wrapping_sub(self.cursor) < ahead {
            self.bring_near(guard, self.near);
            self.near = self.near.wrapping_add(1);
        }
    }

    /// Brings near what the chain at `position` begins with. The driver may change it meanwhile: nothing is decided by this.
    #[inline]
    fn bring_near(&self, guard: &Guard<'_>, position: u16) {
        let entry = available::ENTRIES + self.slot(position) * available::ENTRY;
        let Ok(head) = self.available.load(entry, Relaxed) else { return };
        let index = usize::from(u16::from_le(head) & (self.size - 1));
        let Ok(raw) = self.descriptors.load_descriptor(index * DESCRIPTOR) else { return };
        let descriptor = Descriptor::new(raw);
        self.view.prefetch(guard, descriptor.address(), descriptor.access());
    }

    #[inline]
    fn slot(&self, position: u16) -> usize {
        usize::from(position & (self.size - 1))
    }

    #[inline]
    fn read_index(&self) -> Result<u16, QueueError> {
        let index = u16::from_le(self.available.load(available::INDEX, Acquire)?);
        if index.wrapping_sub(self.position) > self.size {
            return Err(QueueError::Driver("available index jumps by more than the ring size"));
        }
        Ok(index)
    }

    #[inline]
    fn resolve(&mut self, guard: &Guard<'_>) -> Result<(), QueueError> {
        if self.epoch == guard.epoch() { Ok(()) } else { self.resolve_areas(guard.epoch()) }
    }

    #[cold]
    fn resolve_areas(&mut self, epoch: u64) -> Result<(), QueueError> {
        self.epoch = 0;
        let dma = self.view.dma().as_ref();
        self.descriptors.resolve(dma)?;
        self.available.resolve(dma)?;
        self.used.resolve(dma)?;
        self.epoch = epoch;
        Ok(())
    }
}

/// Whether going from index `before` to `now` passes `event` (virtio 1.3, 2.7.7.2 and 2.7.10).
#[inline]
fn crosses(event: u16, before: u16, now: u16) -> bool {
    now.wrapping_sub(event).wrapping_sub(1) < now.wrapping_sub(before)
}

#[cfg(test)]
mod tests;

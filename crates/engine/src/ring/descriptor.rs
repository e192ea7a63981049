//! Descriptors and the walk along a chain of them (virtio 1.3, 2.7.5 and 2.8).
//!
//! Each descriptor is copied once, so the driver can't change it between check and use. A walk is bounded by the ring's size, and
//! inside an indirect table by the table's.

use pando_tlp::{Access, DmaView, Fault, Guard, Iova, Known, bring_near};
use vm_memory::{VolatileMemory, VolatileSlice};

use super::area::Area;
use super::chain::Chain;
use crate::QueueError;

const NEXT: u16 = 1;
const WRITE: u16 = 2;
const INDIRECT: u16 = 4;

/// Bytes of a descriptor.
pub(super) const DESCRIPTOR: usize = 16;

/// Entries of an indirect table at most: what a `next` field of a legal ring can address.
const TABLE: u32 = 32768;

/// The copy of one descriptor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Descriptor {
    address: Iova,
    len: u32,
    flags: u16,
    next: u16,
}

impl Descriptor {
    #[inline]
    pub(super) fn new(raw: u128) -> Self {
        let raw = u128::from_le(raw);
        Self {
            address: Iova(raw as u64),
            len: (raw >> 64) as u32,
            flags: (raw >> 96) as u16,
            next: (raw >> 112) as u16,
        }
    }

    /// Of a packed ring: there the number of the chain lies where the flags are in a split one, and the flags behind it.
    #[inline]
    pub(super) fn packed(raw: u128) -> Self {
        let split = Self::new(raw);
        Self { flags: split.next, next: split.flags, ..split }
    }

    /// Of a packed ring: the number that its chain has.
    #[inline]
    pub(super) fn id(self) -> u16 {
        self.next
    }

    /// All of its flags.
    #[inline]
    pub(super) fn flags(self) -> u16 {
        self.flags
    }

    /// Where what it describes lies.
    #[inline]
    pub(super) fn address(self) -> Iova {
        self.address
    }

    /// How many bytes that is.
    #[inline]
    pub(super) fn len(self) -> usize {
        self.len as usize
    }

    /// Whether it is a whole chain, of at least one byte, and no table.
    #[inline]
    pub(super) fn is_plain(self) -> bool {
        self.flags & (NEXT | INDIRECT) == 0 && self.len > 0
    }

    /// What the device does there.
    #[inline]
    pub(super) fn access(self) -> Access {
        if self.has(WRITE) { Access::Write } else { Access::Read }
    }

    /// All of what it describes, if it is known where that is.
    #[inline]
    pub(super) fn whole<'g>(self, known: &Known<'_, 'g>) -> Option<VolatileSlice<'g>> {
        known.whole(self.address, self.len(), self.access())
    }

    #[inline]
    fn has(self, flag: u16) -> bool {
        self.flags & flag != 0
    }
}

/// Bytes of neighbouring descriptors that become one piece: fewer and larger copies.
const LARGEST_PIECE: usize = 128 << 10;

/// What a walk needs of the ring.
pub(super) struct Walk<'r, 'g> {
    pub(super) guard: &'g Guard<'g>,
    pub(super) view: &'r mut DmaView,
    pub(super) descriptors: &'r Area,
    pub(super) size: u16,
    pub(super) indirect: bool,
    /// Where the chain's last piece begins and how long it is, if others may continue it.
    pub(super) last: Option<(Iova, usize)>,
}

impl<'g> Walk<'_, 'g> {
    /// Fills `chain` with what the chain that begins at descriptor `head` consists of.
    #[inline]
    pub(super) fn chain(&mut self, head: u16, chain: &mut Chain<'g>) -> Result<(), QueueError> {
        chain.clear();
        let mut index = head;
        for _ in 0..self.size {
            if index >= self.size {
                return Err(QueueError::Driver("descriptor index outside the table"));
            }
            let raw = self.descriptors.load_descriptor(usize::from(index) * DESCRIPTOR)?;
            let descriptor = Descriptor::new(raw);
            if descriptor.has(INDIRECT) {
                self.table(descriptor, false, chain)?;
                return finish(chain);
            }
            self.add(descriptor, chain)?;
            if !descriptor.has(NEXT) {
                return finish(chain);
            }
            index = descriptor.next;
        }
        Err(QueueError::Driver("descriptor chain loops"))
    }

    /// The same in a packed ring, where the descriptors of a chain follow each other: from `slot` on. Returns the chain's number and
    /// how many there are.
    pub(super) fn packed_chain(
        &mut self,
        mut slot: u16,
        chain: &mut Chain<'g>,
    ) -> Result<(u16, u16), QueueError> {
        chain.clear();
        for count in 1..=self.size {
            let raw = self.descriptors.load_descriptor(usize::from(slot) * DESCRIPTOR)?;
            let descriptor = Descriptor::packed(raw);
            if descriptor.has(INDIRECT) {
                self.table(descriptor, true, chain)?;
            } else {
                self.add(descriptor, chain)?;
            }
            if !descriptor.has(NEXT) {
                finish(chain)?;
                return Ok((descriptor.id(), count));
            }
            slot = if slot + 1 < self.size { slot + 1 } else { 0 };
        }
        Err(QueueError::Driver("descriptor chain longer than the ring"))
    }

    /// Walks the indirect table that `outer` describes. In a `packed` ring all of its entries count, in their order.
    fn table(
        &mut self,
        outer: Descriptor,
        packed: bool,
        chain: &mut Chain<'g>,
    ) -> Result<(), QueueError> {
        if !self.indirect {
            return Err(QueueError::Driver("indirect descriptor, not negotiated"));
        }
        if outer.has(NEXT) {
            return Err(QueueError::Driver("indirect descriptor with a next one"));
        }
        let entries = outer.len / DESCRIPTOR as u32;
        if !outer.len.is_multiple_of(DESCRIPTOR as u32) || entries == 0 || entries > TABLE {
            return Err(QueueError::Driver("indirect table of a wrong length"));
        }
        let known = self.view.known_to(self.guard);
        let whole = known.and_then(|known| known.whole(outer.address, outer.len(), Access::Read));
        let mut index = 0;
        for _ in 0..entries {
            if index >= entries {
                return Err(QueueError::Driver("descriptor index outside the indirect table"));
            }
            let raw = match &whole {
                Some(table) => entry(table, index)?,
                None => self.table_entry(outer.address, index)?,
            };
            let descriptor = if packed { Descriptor::packed(raw) } else { Descriptor::new(raw) };
            if descriptor.has(INDIRECT) {
                return Err(QueueError::Driver("indirect descriptor in an indirect table"));
            }
            self.add(descriptor, chain)?;
            let more = if packed { index + 1 < entries } else { descriptor.has(NEXT) };
            if !more {
                return Ok(());
            }
            index = if packed { index + 1 } else { u32::from(descriptor.next) };
        }
        Err(QueueError::Driver("indirect table loops"))
    }

    /// Copies entry `index` of the table at `start`, which may be unaligned and lie across pages.
    #[inline]
    fn table_entry(&mut self, start: Iova, index: u32) -> Result<u128, QueueError> {
        let mut bytes = [0; DESCRIPTOR];
        let mut done = 0;
        while done < DESCRIPTOR {
            let offset = u64::from(index) * DESCRIPTOR as u64 + done as u64;
            let address = start.checked_add(offset).ok_or(UNREACHABLE)?;
            let slice = self.view.slice(self.guard, address, DESCRIPTOR - done, Access::Read);
            done += slice.map_err(driver)?.copy_to(&mut bytes[done..]);
        }
        Ok(u128::from_le_bytes(bytes).to_le())
    }

    /// Adds the memory of one descriptor to the chain's last piece, or as one piece; `false`, and nothing added, if it isn't known or
    /// in more.
    #[inline]
    fn add_known(&mut self, descriptor: Descriptor, chain: &mut Chain<'g>) -> bool {
        let Some(known) = self.view.known_to(self.guard) else { return false };
        let access = descriptor.access();
        if let Some((start, before)) = self.last.filter(|_| chain.continues(access))
            && start.checked_add(before as u64) == Some(descriptor.address)
            && let len = before + descriptor.len()
            && len <= LARGEST_PIECE
            && let Some(slice) = known.whole(start, len, access)
        {
            chain.replace_last(slice);
            self.last = Some((start, len));
            return true;
        }
        if chain.is_full() {
            return false;
        }
        let Some(slice) = descriptor.whole(&known) else { return false };
        bring_near(&slice, 0, access);
        chain.push(slice);
        self.last = Some((descriptor.address, descriptor.len()));
        true
    }

    /// Adds the memory of one descriptor.
    #[inline]
    fn add(&mut self, descriptor: Descriptor, chain: &mut Chain<'g>) -> Result<(), QueueError> {
        let access = descriptor.access();
        chain.start(access, descriptor.len)?;
        if descriptor.len > 0 && self.add_known(descriptor, chain) {
            return Ok(());
        }
        self.last = None;
        let mut address = descriptor.address;
        let mut left = descriptor.len as usize;
        while left > 0 {
            if chain.is_full() {
                chain.cut();
                return Ok(());
            }
            let slice = self.view.slice(self.guard, address, left, access).map_err(driver)?;
            chain.push(slice);
            left -= slice.len();
            if left > 0 {
                address = address.checked_add(slice.len() as u64).ok_or(UNREACHABLE)?;
            }
        }
        Ok(())
    }
}

/// Copies entry `index` of a table in one piece.
#[inline]
fn entry(table: &VolatileSlice<'_>, index: u32) -> Result<u128, QueueError> {
    let raw = table.get_ref::<u128>(index as usize * DESCRIPTOR).map_err(|_| UNREACHABLE)?;
    Ok(raw.load())
}

const UNREACHABLE: QueueError = QueueError::Driver("buffer outside memory");

/// A buffer or a table outside memory is the driver's mistake; a closed gate is nobody's.
#[cold]
fn driver(fault: Fault) -> QueueError {
    match fault {
        Fault::Gated => QueueError::Ring(fault),
        _ => UNREACHABLE,
    }
}

#[inline]
fn finish(chain: &Chain<'_>) -> Result<(), QueueError> {
    if chain.is_empty() {
        return Err(QueueError::Driver("descriptor chain without a byte"));
    }
    Ok(())
}

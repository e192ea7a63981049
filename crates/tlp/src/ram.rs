//! Guest RAM: mapped once, for the life of the process, and touched only through volatile and atomic accesses.

use vm_memory::mmap::FromRangesError;
use vm_memory::{
    GuestAddress, GuestMemoryBackend, GuestMemoryMmap, GuestMemoryRegion, MemoryRegionAddress,
    VolatileSlice,
};

use crate::Gpa;

/// All guest RAM. A copy is a handle to the same memory; the mapping is never undone, so a slice of it can't dangle.
#[derive(Clone, Copy, Debug)]
pub struct GuestRam(&'static GuestMemoryMmap<()>);

/// A contiguous piece of guest RAM.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// Where the piece lies in guest physical space.
    pub gpa: Gpa,
    slice: VolatileSlice<'static>,
    /// The memory from its start to the end of its region.
    to_end: VolatileSlice<'static>,
}

#[expect(
    unsafe_code,
    reason = "a VolatileSlice holds a raw pointer, and so is neither Send nor Sync by itself"
)]
// SAFETY: the memory is mapped for the life of the process and only accessed volatile or atomic, from any thread.
unsafe impl Send for Run {}
#[expect(unsafe_code, reason = "as above")]
// SAFETY: as above.
unsafe impl Sync for Run {}

impl Run {
    /// The memory itself.
    #[inline]
    pub fn slice(&self) -> VolatileSlice<'static> {
        self.slice
    }

    /// Length in bytes.
    #[inline]
    pub fn len(&self) -> u64 {
        self.slice.len() as u64
    }

    /// Whether the run holds no byte.
    pub fn is_empty(&self) -> bool {
        self.slice.is_empty()
    }

    /// The part of `len` bytes from `offset`, `None` where it isn't wholly inside.
    pub fn part(&self, offset: u64, len: u64) -> Option<Run> {
        let (offset_in, len) = (usize::try_from(offset).ok()?, usize::try_from(len).ok()?);
        let slice = self.slice.subslice(offset_in, len).ok()?;
        let to_end = self.to_end.offset(offset_in).ok()?;
        Some(Run { gpa: self.gpa.checked_add(offset)?, slice, to_end })
    }

    /// This run and `next` as one; `None` if `next` doesn't begin where it ends, or lies in another region.
    #[inline]
    pub fn join(&self, next: &Run) -> Option<Run> {
        let end = self.gpa.checked_add(self.len())?;
        let len = self.slice.len().checked_add(next.slice.len())?;
        if next.gpa != end {
            return None;
        }
        Some(Run { slice: self.to_end.subslice(0, len).ok()?, ..*self })
    }
}

impl GuestRam {
    /// Takes over `memory` for the rest of the process's life.
    pub fn new(memory: GuestMemoryMmap<()>) -> Self {
        Self(Box::leak(Box::new(memory)))
    }

    /// Anonymous memory in `ranges` of (start, length in bytes); for tests and benches.
    pub fn anonymous(ranges: &[(Gpa, usize)]) -> Result<Self, FromRangesError> {
        let ranges: Vec<_> =
            ranges.iter().map(|(start, len)| (GuestAddress(start.0), *len)).collect();
        GuestMemoryMmap::from_ranges(&ranges).map(Self::new)
    }

    /// The rust-vmm view of it, for loaders and memory slots.
    pub fn memory(&self) -> &'static GuestMemoryMmap<()> {
        self.0
    }

    /// The whole contiguous region that contains `gpa`; `None` outside RAM.
    pub fn region(&self, gpa: Gpa) -> Option<Run> {
        let region = self.0.find_region(GuestAddress(gpa.0))?;
        let slice = region.get_slice(MemoryRegionAddress(0), region.len() as usize).ok()?;
        Some(Run { gpa: Gpa(region.start_addr().0), slice, to_end: slice })
    }

    /// The `len` bytes from `gpa`; `None` unless all of them lie in one region.
    pub fn run(&self, gpa: Gpa, len: u64) -> Option<Run> {
        let region = self.region(gpa)?;
        region.part(gpa.0 - region.gpa.0, len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_in_one_region_become_one_run() {
        let ram = GuestRam::anonymous(&[(Gpa(0), 0x3000), (Gpa(0x3000), 0x1000)]).unwrap();
        let page = |start| ram.run(Gpa(start), 0x1000).unwrap();
        let two = page(0).join(&page(0x1000)).unwrap();
        assert_eq!((two.gpa, two.len()), (Gpa(0), 0x2000));
        let three = two.join(&page(0x2000)).unwrap();
        assert_eq!(three.len(), 0x3000);
        let start = |run: &Run| run.slice().ptr_guard().as_ptr();
        assert_eq!(start(&three), start(&page(0)));
        assert!(three.join(&page(0x3000)).is_none(), "another region");
        assert!(page(0).join(&page(0x2000)).is_none(), "a gap");
        assert!(page(0x1000).join(&page(0)).is_none(), "the wrong way round");
        let part = page(0).part(0x800, 0x800).unwrap();
        assert_eq!(part.join(&page(0x1000)).unwrap().len(), 0x1800);
        assert!(page(0).part(0, 0x800).unwrap().join(&page(0x1000)).is_none());
    }
}

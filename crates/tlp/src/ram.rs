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

    /// `len` bytes from `offset`, which may lie behind the run's end as long as its region goes on: for who knows what is there.
    #[inline]
    pub fn beyond(&self, offset: u64, len: usize) -> Option<VolatileSlice<'static>> {
        self.to_end.subslice(usize::try_from(offset).ok()?, len).ok()
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
    fn what_lies_beyond_a_run_ends_with_its_region() {
        let ram = GuestRam::anonymous(&[(Gpa(0), 0x3000), (Gpa(0x3000), 0x1000)]).unwrap();
        let start = |slice: VolatileSlice<'_>| slice.ptr_guard().as_ptr();
        let part = ram.run(Gpa(0x800), 0x800).unwrap();
        assert_eq!(part.beyond(0x800, 0x2000).map(|slice| slice.len()), Some(0x2000));
        assert_eq!(
            part.beyond(0x800, 0x1000).map(start),
            ram.run(Gpa(0x1000), 0x1000).map(|run| start(run.slice()))
        );
        assert!(part.beyond(0x800, 0x2001).is_none(), "another region");
        assert!(part.beyond(u64::MAX, 1).is_none());
    }
}

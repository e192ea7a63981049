//! Guest memory as both sides see it, and what is free of it: a memfd, as a guest's is, which another process can map too.

use std::fs::File;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result, ensure};
use pando_tlp::{Gpa, GuestRam};
use rustix::fs::{MemfdFlags, memfd_create};
use vm_memory::{Bytes, FileOffset, GuestAddress, GuestMemoryMmap, GuestRegionMmap, VolatileSlice};

const PAGE: u64 = 4096;

/// Bytes of a cache line.
const LINE: u64 = 64;

/// The guest's RAM: one region at address zero.
pub(crate) struct Memory {
    pub(crate) ram: GuestRam,
    whole: VolatileSlice<'static>,
    free: u64,
}

impl Memory {
    /// `mib` MiB, every page touched.
    pub(crate) fn new(mib: usize) -> Result<Self> {
        let ram = shared(mib << 20).context("no memory for a guest")?;
        let whole = ram.region(Gpa(0)).context("the guest has no memory")?.slice();
        for page in (0..whole.len()).step_by(PAGE as usize) {
            whole.store(0u8, page, Ordering::Relaxed)?;
        }
        Ok(Self { ram, whole, free: PAGE })
    }

    /// All of it.
    pub(crate) fn whole(&self) -> VolatileSlice<'static> {
        self.whole
    }

    /// `len` bytes that nobody else uses, on pages of their own.
    pub(crate) fn allocate(&mut self, len: u64) -> Result<u64> {
        let start = self.free.next_multiple_of(PAGE);
        self.free = (start + len).next_multiple_of(PAGE);
        ensure!(self.free <= self.whole.len() as u64, "the bench needs more guest memory");
        Ok(start)
    }

    /// `len` bytes for a frame, on cache lines of their own: one after the other, an odd number of lines each, so that frames
    /// spread over the cache as those of a real driver do.
    pub(crate) fn buffer(&mut self, len: u64) -> Result<u64> {
        let start = self.free;
        self.free += len.next_multiple_of(LINE) | LINE;
        ensure!(self.free <= self.whole.len() as u64, "the bench needs more guest memory");
        Ok(start)
    }

    pub(crate) fn store64(&self, address: u64, value: u64) -> Result<()> {
        self.whole.store(value, address as usize, Ordering::SeqCst).context("outside guest memory")
    }

    pub(crate) fn write(&self, address: u64, bytes: &[u8]) -> Result<()> {
        self.whole.write_slice(bytes, address as usize).context("outside guest memory")
    }
}

/// `len` bytes of a memfd at address zero.
fn shared(len: usize) -> Result<GuestRam> {
    let file = File::from(memfd_create("pando-bench", MemfdFlags::CLOEXEC)?);
    file.set_len(len as u64)?;
    let backing = FileOffset::new(file, 0);
    let region = GuestRegionMmap::from_range(GuestAddress(0), len, Some(backing))?;
    Ok(GuestRam::new(GuestMemoryMmap::from_regions(vec![region])?))
}

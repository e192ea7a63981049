//! Guest RAM: a sealed memfd, mapped shared, handed to KVM as memory slots.
//!
//! The seals keep a process that got the descriptor (a vhost-user or vfio-user peer) from shrinking it under us.
//! Left out: huge page pools, NUMA placement, hot-plug.

use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd};
use std::sync::Arc;

use anyhow::{Context, Result};
use kvm_bindings::kvm_userspace_memory_region;
use kvm_ioctls::VmFd;
use pando_firmware::Range;
use pando_tlp::GuestRam;
use vm_memory::{
    FileOffset, GuestAddress, GuestMemoryBackend, GuestMemoryMmap, GuestMemoryRegion,
    GuestRegionMmap,
};
use vmm_sys_util::fallocate::{FallocateMode, fallocate};

/// The memory and the descriptor behind it.
#[derive(Debug)]
pub struct Ram {
    guest: GuestRam,
    file: Arc<File>,
    size: u64,
}

impl Ram {
    /// Zeroed memory in `ranges`.
    pub fn new(ranges: &[Range]) -> Result<Self> {
        let size = ranges.iter().map(|range| range.size).sum();
        let file = Arc::new(memfd(size).context("allocating guest memory")?);
        let mut offset = 0;
        let mut regions = Vec::new();
        for range in ranges {
            regions.push(map(&file, offset, *range).context("mapping guest memory")?);
            offset += range.size;
        }
        let memory = GuestMemoryMmap::from_regions(regions).context("mapping guest memory")?;
        Ok(Self { guest: GuestRam::new(memory), file, size })
    }

    /// The memory.
    pub fn guest(&self) -> GuestRam {
        self.guest
    }

    /// Makes the memory known to KVM, one slot per range.
    pub fn add_to(&self, vm: &VmFd) -> Result<()> {
        for (slot, region) in self.guest.memory().iter().enumerate() {
            let region = kvm_userspace_memory_region {
                slot: slot as u32,
                flags: 0,
                guest_phys_addr: region.start_addr().0,
                memory_size: region.len(),
                userspace_addr: region.as_ptr() as u64,
            };
            #[expect(unsafe_code, reason = "KVM maps the given host memory into the guest")]
            // SAFETY: the region is mapped for the life of the process (`GuestRam`), and nothing holds Rust references into it.
            unsafe { vm.set_user_memory_region(region) }.context("giving memory to KVM")?;
        }
        Ok(())
    }

    /// Makes all memory zero, and gives it back to the host, as at power-on.
    pub fn clear(&self) -> Result<()> {
        fallocate(&*self.file, FallocateMode::PunchHole, true, 0, self.size)
            .map_err(std::io::Error::from)
            .context("clearing guest memory")
    }
}

/// An unlinked file of `size` bytes in memory that can neither shrink nor grow.
fn memfd(size: u64) -> std::io::Result<File> {
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    #[expect(unsafe_code, reason = "memfd_create has no safe wrapper in the crates we use")]
    // SAFETY: the name is a NUL-terminated constant.
    let fd = unsafe { libc::memfd_create(c"pando-guest-ram".as_ptr(), flags) };
    if fd < 0 {
        return Err(std::io::Error::last_os_error());
    }
    #[expect(unsafe_code, reason = "takes over the descriptor just made")]
    // SAFETY: the descriptor is open and nobody else owns it.
    let file = unsafe { File::from_raw_fd(fd) };
    file.set_len(size)?;
    let seals = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
    #[expect(unsafe_code, reason = "fcntl has no safe wrapper in the crates we use")]
    // SAFETY: F_ADD_SEALS takes an int and touches no memory of ours.
    let sealed = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) };
    if sealed < 0 { Err(std::io::Error::last_os_error()) } else { Ok(file) }
}

fn map(file: &Arc<File>, offset: u64, range: Range) -> Result<GuestRegionMmap<()>> {
    let backing = FileOffset::from_arc(file.clone(), offset);
    let size = usize::try_from(range.size)?;
    let region = GuestRegionMmap::from_range(GuestAddress(range.base), size, Some(backing))?;
    #[expect(unsafe_code, reason = "madvise has no safe wrapper in the crates we use")]
    // SAFETY: the advice concerns exactly the region just mapped, and changes no content; hosts without it refuse, harmlessly.
    unsafe {
        libc::madvise(region.as_ptr().cast(), size, libc::MADV_HUGEPAGE);
        libc::madvise(region.as_ptr().cast(), size, libc::MADV_DONTDUMP);
    }
    Ok(region)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vm_memory::Bytes;

    #[test]
    fn memory_is_shared_sealed_and_zero_again_after_a_clear() {
        let ranges = [Range { base: 0, size: 1 << 20 }, Range { base: 1 << 32, size: 1 << 20 }];
        let ram = Ram::new(&ranges).unwrap();
        let memory = ram.guest().memory();
        let (low, high) = (GuestAddress(0x1234), GuestAddress((1 << 32) + 8));
        memory.write_obj(0x55_u64, low).unwrap();
        memory.write_obj(0xaa_u64, high).unwrap();
        ram.clear().unwrap();
        assert_eq!(memory.read_obj::<u64>(low).unwrap(), 0);
        assert_eq!(memory.read_obj::<u64>(high).unwrap(), 0);
        assert!(ram.file.set_len(4096).is_err(), "sealed against shrinking");
        assert!(ram.file.set_len(1 << 30).is_err(), "sealed against growing");
    }
}

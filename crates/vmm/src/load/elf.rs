//! An ELF file with a PVH entry: an unpacked kernel or a bare-metal payload (Xen docs/misc/pvh.pandoc, note type 18).

use anyhow::Result;
use linux_loader::loader::elf::{Elf as Loader, PvhBootCapability};
use linux_loader::loader::{KernelLoader, KernelLoaderResult};
use pando_firmware::boot::Initrd;
use pando_firmware::boot::pvh::StartInfo;
use pando_firmware::{Blob, E820Entry, acpi, layout};
use vm_memory::{GuestAddress, GuestMemoryMmap};

use super::NamedFile;
use crate::user_error::UserError;
use crate::vcpu::Entry;

/// A file that begins like an ELF; the rest shows when it is loaded, for the first time before anything runs.
#[derive(Debug)]
pub(super) struct Elf(NamedFile);

pub(super) fn is_elf(head: &[u8]) -> bool {
    head.starts_with(b"\x7fELF")
}

impl Elf {
    pub(super) fn check(file: NamedFile) -> Result<Self, UserError> {
        let elf = Self(file);
        if elf.0.size < 64 { Err(elf.bad("it is truncated")) } else { Ok(elf) }
    }

    /// Loads every segment at its physical address; returns the entry and the end of the last segment.
    pub(super) fn load(
        &mut self,
        memory: &GuestMemoryMmap<()>,
        low_end: u64,
    ) -> Result<(Entry, u64), UserError> {
        let high = Some(GuestAddress(layout::HIGH_RAM));
        let loaded = Loader::load(memory, None, &mut self.0.file, high);
        let loaded = loaded.map_err(|error| self.bad(error.to_string()))?;
        let KernelLoaderResult { kernel_end: end, pvh_boot_cap, .. } = loaded;
        if end > low_end {
            return Err(UserError::KernelTooLarge { path: self.0.path.clone(), end });
        }
        match pvh_boot_cap {
            PvhBootCapability::PvhEntryPresent(entry) => Ok((Entry::Pvh { rip: entry.0 }, end)),
            _ => Err(self.bad("it has no PVH entry")),
        }
    }

    fn bad(&self, reason: impl Into<String>) -> UserError {
        UserError::BadElf { path: self.0.path.clone(), reason: reason.into() }
    }
}

pub(super) fn start_info(map: &[E820Entry], initrd: Option<Initrd>) -> Blob {
    StartInfo { memory_map: map, rsdp: acpi::RSDP_ADDRESS, initrd }.build()
}

//! The initial RAM disk: as high in low memory as the kernel allows.

use std::io::{Seek, SeekFrom};
use std::path::Path;

use anyhow::{Context, Result};
use pando_firmware::boot::Initrd;
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

use super::NamedFile;
use crate::user_error::UserError;

/// An initrd that exists and can be read.
#[derive(Debug)]
pub(super) struct InitrdFile(NamedFile);

const PAGE: u64 = 4096;

impl InitrdFile {
    pub(super) fn open(path: &Path) -> Result<Self, UserError> {
        NamedFile::open("initrd", path).map(Self)
    }

    /// Loads it at the top of `room` (first address, first address behind).
    pub(super) fn load(
        &mut self,
        memory: &GuestMemoryMmap<()>,
        (start, end): (u64, u64),
    ) -> Result<Initrd> {
        let size = self.0.size;
        let address = end.checked_sub(size).map(|address| address & !(PAGE - 1));
        let address = address.filter(|address| *address >= start).ok_or_else(|| {
            let room = end.saturating_sub(start);
            UserError::InitrdTooLarge { path: self.0.path.clone(), size, room }
        })?;
        let file = &mut self.0.file;
        file.seek(SeekFrom::Start(0)).context("reading the initrd")?;
        memory
            .read_exact_volatile_from(GuestAddress(address), file, usize::try_from(size)?)
            .context("reading the initrd")?;
        Ok(Initrd { address, size })
    }
}

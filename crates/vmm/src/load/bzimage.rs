//! A Linux bzImage, by the 64-bit boot protocol (Linux Documentation/arch/x86/boot.rst).
//!
//! The protected-mode part goes to the address it prefers; a kernel with KASLR moves away from there by itself.
//! Left out: EFI handover, 16- and 32-bit entries, setup_data.

use std::io::{Seek, SeekFrom};

use anyhow::{Context, Result};
use pando_firmware::boot::Initrd;
use pando_firmware::boot::zero_page::{HEADER_END, HEADER_LIMIT, SETUP_HEADER, ZeroPage};
use pando_firmware::{Blob, E820Entry, acpi, layout};
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

use super::NamedFile;
use crate::user_error::UserError;
use crate::vcpu::Entry;

/// Offsets in the file, and so in the zero page.
const SETUP_SECTS: usize = 0x1f1;
const SYSSIZE: usize = 0x1f4;
const MAGIC: usize = 0x202;
const VERSION: usize = 0x206;
const INITRD_ADDR_MAX: usize = 0x22c;
const XLOADFLAGS: usize = 0x236;
const CMDLINE_SIZE: usize = 0x238;
const PREF_ADDRESS: usize = 0x258;
const INIT_SIZE: usize = 0x260;
const HEADER_NEEDED: usize = 0x264;

const HDR_S: [u8; 4] = *b"HdrS";
/// The first protocol with xloadflags.
const VERSION_MIN: u16 = 0x20c;
/// xloadflags bit 0: there is a 64-bit entry, [`ENTRY_64`] bytes into the loaded part.
const XLF_KERNEL_64: u16 = 1;
const ENTRY_64: u64 = 0x200;
const SECTOR: u64 = 512;
const PARAGRAPH: u64 = 16;

/// A checked kernel.
#[derive(Debug)]
pub(super) struct BzImage {
    file: NamedFile,
    header: Vec<u8>,
    /// Where the protected-mode part begins in the file, in bytes.
    offset: u64,
    address: u64,
    init_size: u64,
    initrd_max: u64,
    command_line_max: usize,
}

impl BzImage {
    /// `head` is the beginning of the file.
    pub(super) fn check(file: NamedFile, head: &[u8]) -> Result<Self, UserError> {
        if head.get(MAGIC..MAGIC + 4) != Some(&HDR_S) {
            return Err(UserError::NotAKernel(file.path));
        }
        if head.len() < HEADER_NEEDED {
            let (expected, actual) = (HEADER_NEEDED as u64, file.size);
            return Err(UserError::Truncated { path: file.path, expected, actual });
        }
        if u16_at(head, VERSION) < VERSION_MIN || u16_at(head, XLOADFLAGS) & XLF_KERNEL_64 == 0 {
            return Err(UserError::No64BitEntry(file.path));
        }
        let sectors = match head[SETUP_SECTS] {
            0 => 4,
            sectors => u64::from(sectors),
        };
        let offset = (sectors + 1) * SECTOR;
        let expected = offset + u64::from(u32_at(head, SYSSIZE)) * PARAGRAPH;
        if file.size < expected {
            return Err(UserError::Truncated { path: file.path, expected, actual: file.size });
        }
        let end = (MAGIC + usize::from(head[HEADER_END])).min(HEADER_LIMIT).min(head.len());
        Ok(Self {
            header: head[SETUP_HEADER..end.max(HEADER_NEEDED)].to_vec(),
            offset,
            address: u64_at(head, PREF_ADDRESS).max(layout::HIGH_RAM),
            init_size: u32_at(head, INIT_SIZE).into(),
            initrd_max: u64::from(u32_at(head, INITRD_ADDR_MAX)) + 1,
            command_line_max: (u32_at(head, CMDLINE_SIZE) as usize)
                .min(layout::COMMAND_LINE_MAX - 1),
            file,
        })
    }

    /// Longest command line in bytes, without NUL.
    pub(super) fn command_line_max(&self) -> usize {
        self.command_line_max
    }

    /// Where an initrd may lie: behind all that the kernel needs before it knows the memory map.
    pub(super) fn free_range(&self, low_end: u64) -> Result<(u64, u64), UserError> {
        let needed = self.init_size.max(self.file.size - self.offset);
        let end = self.address.saturating_add(needed);
        if end > low_end {
            return Err(UserError::KernelTooLarge { path: self.file.path.clone(), end });
        }
        Ok((end, low_end.min(self.initrd_max)))
    }

    pub(super) fn zero_page(&self, map: &[E820Entry], initrd: Option<Initrd>) -> Blob {
        let rsdp = acpi::RSDP_ADDRESS;
        ZeroPage { setup_header: &self.header, memory_map: map, rsdp, initrd }.build()
    }

    pub(super) fn load(&mut self, memory: &GuestMemoryMmap<()>) -> Result<Entry> {
        let length = usize::try_from(self.file.size - self.offset)?;
        let file = &mut self.file.file;
        file.seek(SeekFrom::Start(self.offset)).context("reading the kernel")?;
        memory
            .read_exact_volatile_from(GuestAddress(self.address), file, length)
            .context("reading the kernel")?;
        Ok(Entry::Linux64 { rip: self.address + ENTRY_64 })
    }
}

/// Fields of a header known to be long enough.
fn bytes<const N: usize>(head: &[u8], offset: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&head[offset..offset + N]);
    bytes
}

fn u16_at(head: &[u8], offset: usize) -> u16 {
    u16::from_le_bytes(bytes(head, offset))
}

fn u32_at(head: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes(bytes(head, offset))
}

fn u64_at(head: &[u8], offset: usize) -> u64 {
    u64::from_le_bytes(bytes(head, offset))
}

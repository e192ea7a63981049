//! Linux's boot parameters, the "zero page" (Linux Documentation/arch/x86/zero-page.rst and boot.rst).
//!
//! Everything not set here stays 0: screen_info 0 means there is no VGA text console, and a sentinel of 0 keeps Linux from wiping fields.

use super::Initrd;
use crate::{Blob, E820Entry, layout};

/// Offset of the setup header, in the page as in the kernel file.
pub const SETUP_HEADER: usize = 0x1f1;
/// One byte in the header's jump: 0x202 plus its value is where the header ends.
pub const HEADER_END: usize = 0x201;
/// The page ends the header here at the latest: then comes the EDD buffer.
pub const HEADER_LIMIT: usize = 0x290;

const RSDP: usize = 0x070;
const E820_COUNT: usize = 0x1e8;
const TYPE_OF_LOADER: usize = 0x210;
const RAMDISK_IMAGE: Split = Split { low: 0x218, high: 0x0c0 };
const RAMDISK_SIZE: Split = Split { low: 0x21c, high: 0x0c4 };
const COMMAND_LINE: Split = Split { low: 0x228, high: 0x0c8 };
const E820_TABLE: usize = 0x2d0;
const E820_ENTRY_SIZE: usize = 20;
const E820_MAX: usize = 128;
/// A boot loader without an assigned number.
const UNDEFINED_LOADER: u8 = 0xff;

/// A 64-bit field in two halves.
struct Split {
    low: usize,
    high: usize,
}

/// What goes into the page.
#[derive(Clone, Copy, Debug)]
pub struct ZeroPage<'a> {
    /// The kernel file's bytes from [`SETUP_HEADER`] to the header's end.
    pub setup_header: &'a [u8],
    /// The memory map; entries past the 128th are dropped.
    pub memory_map: &'a [E820Entry],
    /// Where the RSDP lies.
    pub rsdp: u64,
    /// The initial RAM disk.
    pub initrd: Option<Initrd>,
}

impl ZeroPage<'_> {
    /// The page.
    pub fn build(&self) -> Blob {
        let mut page = vec![0; 4096];
        let header = &self.setup_header[..self.setup_header.len().min(HEADER_LIMIT - SETUP_HEADER)];
        put(&mut page, SETUP_HEADER, header);
        put(&mut page, RSDP, &self.rsdp.to_le_bytes());
        page[TYPE_OF_LOADER] = UNDEFINED_LOADER;
        split(&mut page, COMMAND_LINE, layout::COMMAND_LINE);
        if let Some(initrd) = self.initrd {
            split(&mut page, RAMDISK_IMAGE, initrd.address);
            split(&mut page, RAMDISK_SIZE, initrd.size);
        }
        self.put_memory_map(&mut page);
        Blob { address: layout::ZERO_PAGE, bytes: page }
    }

    fn put_memory_map(&self, page: &mut [u8]) {
        page[E820_COUNT] = self.memory_map.len().min(E820_MAX) as u8;
        for (index, entry) in self.memory_map.iter().take(E820_MAX).enumerate() {
            let offset = E820_TABLE + index * E820_ENTRY_SIZE;
            put(page, offset, &entry.range.base.to_le_bytes());
            put(page, offset + 8, &entry.range.size.to_le_bytes());
            put(page, offset + 16, &(entry.kind as u32).to_le_bytes());
        }
    }
}

fn put(page: &mut [u8], offset: usize, bytes: &[u8]) {
    page[offset..offset + bytes.len()].copy_from_slice(bytes);
}

fn split(page: &mut [u8], field: Split, value: u64) {
    let bytes = value.to_le_bytes();
    put(page, field.low, &bytes[..4]);
    put(page, field.high, &bytes[4..]);
}

#[cfg(test)]
mod tests;

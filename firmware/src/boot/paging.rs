//! The boot CPU's first page tables and segments (Intel SDM volume 3, 4.5 and 3.4.5; Linux boot.rst, "64-bit boot protocol").
//!
//! An identity map of the first 4 GiB in 2 MiB pages covers the kernel, the boot parameters and the command line. Nothing is mapped above.

use crate::{Blob, layout};

const PAGE: u64 = 0x1000;
const PRESENT_WRITABLE: u64 = 0b11;
const LARGE_PAGE: u64 = 1 << 7;
const LARGE_PAGE_SHIFT: u32 = 21;
const DIRECTORIES: u64 = 4;

/// PML4, page directory pointer table, and four page directories, one per GiB; CR3 is the blob's address.
pub fn page_tables() -> Blob {
    let address = layout::BOOT_PAGE_TABLES;
    let mut entries = vec![0_u64; 512 * (2 + DIRECTORIES as usize)];
    entries[0] = (address + PAGE) | PRESENT_WRITABLE;
    for directory in 0..DIRECTORIES {
        entries[512 + directory as usize] = (address + (2 + directory) * PAGE) | PRESENT_WRITABLE;
    }
    for page in 0..512 * DIRECTORIES {
        entries[1024 + page as usize] = page << LARGE_PAGE_SHIFT | LARGE_PAGE | PRESENT_WRITABLE;
    }
    Blob { address, bytes: entries.iter().flat_map(|entry| entry.to_le_bytes()).collect() }
}

/// Selector of the flat code segment, 64-bit or 32-bit depending on the table.
pub const CODE_SELECTOR: u16 = 0x10;
/// Selector of the flat data segment.
pub const DATA_SELECTOR: u16 = 0x18;

/// Flat, present, ring 0, accessed: execute/read, long mode.
const CODE_64: u64 = 0x00af_9b00_0000_ffff;
/// Flat, present, ring 0, accessed: execute/read, 32-bit.
const CODE_32: u64 = 0x00cf_9b00_0000_ffff;
/// Flat, present, ring 0, accessed: read/write.
const DATA: u64 = 0x00cf_9300_0000_ffff;

/// The descriptor table of the 64-bit (`long`) or of the PVH entry.
pub fn gdt(long: bool) -> Blob {
    let code = if long { CODE_64 } else { CODE_32 };
    let entries = [0, 0, code, DATA];
    let bytes = entries.iter().flat_map(|entry: &u64| entry.to_le_bytes()).collect();
    Blob { address: layout::BOOT_GDT, bytes }
}

#[cfg(test)]
mod tests;

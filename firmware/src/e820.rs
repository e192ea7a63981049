//! The guest's physical memory map, as the e820 service of a PC's firmware reports it (ACPI 6.5, 15.1).
//!
//! MMIO windows, IOAPIC, local APIC and remapping registers stay unlisted: Linux places BARs only where no entry lies.

use crate::{Platform, Range, layout};

/// What a range of the memory map is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum E820Type {
    /// Usable memory.
    Ram = 1,
    /// Not usable by the operating system.
    Reserved = 2,
}

/// One entry of the memory map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct E820Entry {
    /// The addresses.
    pub range: Range,
    /// What they are.
    pub kind: E820Type,
}

/// The memory map of `platform`, ascending.
pub fn memory_map(platform: &Platform) -> Vec<E820Entry> {
    let reserved = |base, end| entry(base, end, E820Type::Reserved);
    let mut map = vec![
        entry(0, layout::REAL_MODE_END, E820Type::Ram),
        reserved(layout::REAL_MODE_END, layout::FIRST_MIB_END),
        reserved(platform.ecam.base, platform.ecam.range().end()),
        reserved(layout::KVM_IDENTITY_MAP, layout::KVM_TSS + 0x3000),
    ];
    for ram in &platform.ram {
        let base = ram.base.max(layout::FIRST_MIB_END);
        if base < ram.end() {
            map.push(entry(base, ram.end(), E820Type::Ram));
        }
    }
    map.sort_by_key(|entry| entry.range.base);
    map
}

fn entry(base: u64, end: u64, kind: E820Type) -> E820Entry {
    E820Entry { range: Range { base, size: end - base }, kind }
}

#[cfg(test)]
mod tests;

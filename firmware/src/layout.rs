//! Where everything lies in guest physical space and I/O space, and why.
//!
//! ```text
//! 0x0000_0000 .. RAM, at most 2 GiB; the first MiB's upper part (from 0x9fc00) is RAM that the map calls reserved
//! 0x8000_0000 .. 32-bit memory window, 1.5 GiB: non-prefetchable bridge windows have 32 bits only, and native hot-plug
//!                makes Linux ask for 2 MiB at every port
//! 0xe000_0000 .. ECAM, at most 256 MiB, aligned to its size
//! 0xfec0_0000    IOAPIC        0xfed9_0000  DMA remapping unit        0xfee0_0000  local APICs and MSI
//! 0xfffb_c000 .. KVM's identity map and task state pages (Intel hosts without unrestricted guest)
//! 4 GiB       .. the rest of RAM
//! half of the physical space (at most 512 GiB): 64-bit memory window, a quarter of that space
//! ```
//!
//! Left out: hot-added memory, I/O space windows (no port decodes I/O space), a VGA hole.

use crate::{Dmar, Ecam, IoApic, Platform, Range, Window};

/// End of the RAM that real-mode code may use; above it a PC has its extended BIOS data area.
pub const REAL_MODE_END: u64 = 0x9_fc00;
/// The first MiB ends here. Linux reserves all of it; the part from [`REAL_MODE_END`] is in the map as reserved.
pub const FIRST_MIB_END: u64 = 0x10_0000;

/// Global descriptor table of the boot CPU; entries 0x10 and 0x18 are the flat segments of the 64-bit boot protocol.
pub const BOOT_GDT: u64 = 0x1000;
/// PVH start info, its module list and its memory map.
pub const PVH_START_INFO: u64 = 0x2000;
/// Linux's boot parameters, one page.
pub const ZERO_PAGE: u64 = 0x7000;
/// Page tables of the boot CPU: an identity map of the first 4 GiB in 2 MiB pages, six pages.
pub const BOOT_PAGE_TABLES: u64 = 0x9000;
/// The kernel command line, NUL-terminated.
pub const COMMAND_LINE: u64 = 0x2_0000;
/// Bytes kept for the command line, its NUL included.
pub const COMMAND_LINE_MAX: usize = 0x1_0000;
/// RSDP and, behind it, every ACPI table: inside the area that kernels scan, and reserved in the map so that no relocated kernel lands on it.
pub const ACPI_TABLES: u64 = 0xe_0000;
/// Bytes there are for the ACPI tables: up to the reset vector.
pub const ACPI_TABLES_MAX: usize = (RESET_VECTOR - ACPI_TABLES) as usize;
/// Where a PC's firmware begins, f000:fff0 in real mode. A kernel whose last way to reboot is the BIOS jumps here.
pub const RESET_VECTOR: u64 = 0xf_fff0;
/// The first address free for a kernel.
pub const HIGH_RAM: u64 = FIRST_MIB_END;

/// RAM below 4 GiB ends here at most.
pub const LOW_RAM_MAX: u64 = 0x8000_0000;
/// The 32-bit memory window: from where low RAM can end to the ECAM.
pub const WINDOW_32: Range = Range { base: LOW_RAM_MAX, size: ECAM_BASE - LOW_RAM_MAX };
/// Configuration space of bus 0.
pub const ECAM_BASE: u64 = 0xe000_0000;
/// IOAPIC registers, one page.
pub const IOAPIC: Range = Range { base: 0xfec0_0000, size: 0x1000 };
/// The IOAPIC's id: above every possible CPU's APIC id.
pub const IOAPIC_ID: u8 = 0xf0;
/// The requester id of the IOAPIC's interrupts, bus 0xf0 device 0x1f function 0: on no bus that a guest numbers unless it uses nearly all of them.
pub const IOAPIC_REQUESTER: u16 = 0xf0f8;
/// DMA remapping registers, one page.
pub const DMAR: Range = Range { base: 0xfed9_0000, size: 0x1000 };
/// Local APIC registers.
pub const LOCAL_APIC: u64 = 0xfee0_0000;
/// One page for `KVM_SET_IDENTITY_MAP_ADDR`.
pub const KVM_IDENTITY_MAP: u64 = 0xfffb_c000;
/// Three pages for `KVM_SET_TSS_ADDR`, right behind the identity map.
pub const KVM_TSS: u64 = 0xfffb_d000;
/// Where RAM goes on above the hole.
pub const HIGH_MEMORY: u64 = 1 << 32;

/// COM1: eight ports, [`COM1_GSI`].
pub const COM1_PORT: u16 = 0x3f8;
/// COM1's interrupt.
pub const COM1_GSI: u32 = 4;
/// The interrupt of the first of the four wires that PCI interrupt pins end at; the others follow. Level-triggered, active low.
pub const INTX_GSI: u32 = 20;
/// Device numbers of a bus.
pub const DEVICES: u8 = 32;

/// The interrupt of the root complex' wire `wire`, counted round from 0.
pub fn intx_gsi(wire: u8) -> u32 {
    INTX_GSI + u32::from(wire % 4)
}

/// ACPI sleep control register, one byte.
pub const SLEEP_CONTROL_PORT: u16 = 0x600;
/// ACPI sleep status register, one byte.
pub const SLEEP_STATUS_PORT: u16 = 0x601;
/// SLP_TYP of the soft-off state, as `\_S5` says.
pub const S5_SLEEP_TYPE: u8 = 5;
/// The reset control register where PCs have it.
pub const RESET_PORT: u16 = 0xcf9;
/// What resets the machine when written to [`RESET_PORT`].
pub const RESET_VALUE: u8 = 6;
/// The keyboard controller's command port; [`KEYBOARD_RESET`] written to it resets the machine.
pub const KEYBOARD_COMMAND_PORT: u16 = 0x64;
/// The keyboard controller's reset pulse.
pub const KEYBOARD_RESET: u8 = 0xfe;

/// The least memory a machine can have, in bytes.
pub const MEMORY_MIN: u64 = 128 << 20;

/// Widest physical space of which the 64-bit window uses the upper half: AMD hosts keep the top of the first TiB for themselves,
/// and every IOMMU page table reaches here.
const WINDOW_SPACE_BITS: u8 = 40;

/// Why a machine can't be laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// Too little memory.
    #[error("{0} MiB of memory are too little: give at least 128 MiB")]
    TooLittle(u64),
    /// Not a whole number of MiB.
    #[error("the memory size must be a whole number of MiB")]
    Uneven,
    /// RAM and the 64-bit window don't fit the CPU's physical space.
    #[error(
        "{memory} MiB of memory don't fit the {bits}-bit physical address space of this host: give less"
    )]
    TooMuch {
        /// Asked for, in MiB.
        memory: u64,
        /// The CPU's physical address width.
        bits: u8,
    },
    /// Not 1 to 256 buses.
    #[error("{0} buses: a segment has 1 to 256")]
    Buses(u16),
}

/// Lays out a machine of `memory` bytes, `buses` PCI buses and `cpus` CPUs whose physical addresses have `address_bits` bits; `iommu` adds a DMA remapping unit.
pub fn platform(
    cpus: u8,
    memory: u64,
    address_bits: u8,
    buses: u16,
    iommu: bool,
) -> Result<Platform, LayoutError> {
    let ram = ram(memory)?;
    if !(1..=256).contains(&buses) {
        return Err(LayoutError::Buses(buses));
    }
    let top = ram.last().map_or(0, |range| range.end());
    let window_64 = window_64(top, address_bits)
        .ok_or(LayoutError::TooMuch { memory: memory >> 20, bits: address_bits })?;
    let address_width = address_bits.clamp(12, 52);
    Ok(Platform {
        cpus,
        ram,
        ecam: Ecam { base: ECAM_BASE, buses },
        windows: vec![
            Window { range: WINDOW_32, prefetchable: false },
            Window { range: window_64, prefetchable: true },
        ],
        ioapic: IoApic { id: IOAPIC_ID, base: IOAPIC.base as u32 },
        dmar: iommu.then_some(Dmar {
            base: DMAR.base,
            address_width,
            ioapic_source: IOAPIC_REQUESTER,
        }),
    })
}

/// RAM of `memory` bytes, split around the hole below 4 GiB.
fn ram(memory: u64) -> Result<Vec<Range>, LayoutError> {
    if memory < MEMORY_MIN {
        return Err(LayoutError::TooLittle(memory >> 20));
    }
    if memory & 0xf_ffff != 0 {
        return Err(LayoutError::Uneven);
    }
    let low = memory.min(LOW_RAM_MAX);
    let mut ram = vec![Range { base: 0, size: low }];
    if memory > low {
        ram.push(Range { base: HIGH_MEMORY, size: memory - low });
    }
    Ok(ram)
}

/// The 64-bit window: a quarter of the space from its middle, or from the end of RAM where that lies higher.
fn window_64(ram_end: u64, address_bits: u8) -> Option<Range> {
    let space = 1_u64 << address_bits.min(WINDOW_SPACE_BITS);
    let size = space / 4;
    let base = (space / 2).max(ram_end.checked_next_multiple_of(size)?);
    let limit = 1_u64.checked_shl(address_bits.into()).unwrap_or(u64::MAX);
    (base.checked_add(size)? <= limit && base > HIGH_MEMORY).then_some(Range { base, size })
}

#[cfg(test)]
mod tests;

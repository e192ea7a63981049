//! What a guest finds at power-on: memory map, ACPI tables, boot parameters and the CPU's first page tables.
//!
//! Everything here is computed from a plain description of the platform ([`Platform`]) and comes out as bytes with the
//! addresses they belong at; nothing here knows KVM, guest memory or a PCI device.
//! Sources: ACPI 6.5, PCI Firmware 3.3 (MCFG, _OSC), Linux Documentation/arch/x86/boot.rst and x86/zero-page.rst, the PVH start-info layout.
//!
//! Left out: SMBIOS, EFI, a 16-bit entry point, anything that runs in the guest.

pub mod acpi;
pub mod boot;
mod e820;
pub mod layout;
mod platform;

pub use e820::{E820Entry, E820Type, memory_map};
pub use platform::{Dmar, Ecam, IoApic, Platform, Range, Window};

/// Bytes and the guest physical address at which they belong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// Guest physical address of the first byte.
    pub address: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
}

//! DMAR: one remapping unit for everything (Intel VT-d 4.1, chapter 8).
//!
//! The header tells the address width and that interrupts are remapped, with x2APIC ids allowed; one DRHD includes all PCI devices and names the IOAPIC.
//! Left out: RMRR, ATSR, RHSA, ANDD, SATC.

use acpi_tables::sdt::Sdt;
use zerocopy::{Immutable, IntoBytes};

use super::{OEM_ID, OEM_REVISION, OEM_TABLE_ID};
use crate::Dmar;

/// DRHD (8.3) with one device scope (8.3.1), little-endian throughout.
#[derive(IntoBytes, Immutable)]
#[repr(C)]
struct Drhd {
    kind: [u8; 2],
    length: [u8; 2],
    flags: u8,
    size: u8,
    segment: [u8; 2],
    base: [u8; 8],
    scope: DeviceScope,
}

/// Device scope structure with a path of one hop (8.3.1).
#[derive(IntoBytes, Immutable)]
#[repr(C)]
struct DeviceScope {
    kind: u8,
    length: u8,
    reserved: [u8; 2],
    enumeration_id: u8,
    start_bus: u8,
    device: u8,
    function: u8,
}

const HEADER_LENGTH: u32 = 48;
const REVISION: u8 = 1;
/// Byte 36: host address width - 1.
const HOST_ADDRESS_WIDTH: usize = 36;
/// Byte 37: flags; bit 0 INTR_REMAP.
const FLAGS: usize = 37;
const INTR_REMAP: u8 = 1;
/// DRHD flags bit 0.
const INCLUDE_PCI_ALL: u8 = 1;
const SCOPE_IOAPIC: u8 = 3;

/// The table; the IOAPIC is called `ioapic_id` in the MADT.
pub(super) fn table(dmar: &Dmar, ioapic_id: u8) -> Vec<u8> {
    let mut table = Sdt::new(*b"DMAR", HEADER_LENGTH, REVISION, OEM_ID, OEM_TABLE_ID, OEM_REVISION);
    table.write_u8(HOST_ADDRESS_WIDTH, dmar.address_width - 1);
    table.write_u8(FLAGS, INTR_REMAP);
    table.append_slice(drhd(dmar, ioapic_id).as_bytes());
    table.as_slice().to_vec()
}

fn drhd(dmar: &Dmar, ioapic_id: u8) -> Drhd {
    let [bus, function] = dmar.ioapic_source.to_be_bytes();
    Drhd {
        kind: [0; 2],
        length: (size_of::<Drhd>() as u16).to_le_bytes(),
        flags: INCLUDE_PCI_ALL,
        size: 0,
        segment: [0; 2],
        base: dmar.base.to_le_bytes(),
        scope: DeviceScope {
            kind: SCOPE_IOAPIC,
            length: size_of::<DeviceScope>() as u8,
            reserved: [0; 2],
            enumeration_id: ioapic_id,
            start_bus: bus,
            device: function >> 3,
            function: function & 7,
        },
    }
}

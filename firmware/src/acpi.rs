//! The ACPI tables of a hardware-reduced PC (ACPI 6.5, chapter 5).
//!
//! RSDP -> XSDT -> FADT (-> DSDT), MADT, MCFG and, with an IOMMU, DMAR.
//! Left out: FACS, SSDT, SRAT, HPET; nothing here needs them.

mod dmar;
mod dsdt;
mod fadt;
mod madt;
mod mcfg;
mod osc;
mod routing;

use acpi_tables::{Aml, rsdp::Rsdp, xsdt::XSDT};

use crate::{Blob, Platform, layout};

const OEM_ID: [u8; 6] = *b"PANDO ";
const OEM_TABLE_ID: [u8; 8] = *b"PANDOVMM";
const OEM_REVISION: u32 = 1;

/// The tables do not fit their place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the ACPI tables take {0} bytes, more than there is room for")]
pub struct TablesTooLarge(usize);

/// Where the RSDP lies: the first of the tables.
pub const RSDP_ADDRESS: u64 = layout::ACPI_TABLES;

/// All tables of `platform` in one piece, to be placed at its address.
pub fn tables(platform: &Platform) -> Result<Blob, TablesTooLarge> {
    let mut area = Area { bytes: vec![0; Rsdp::len().next_multiple_of(ALIGNMENT)] };
    let dsdt = area.push(&dsdt::table(platform));
    let mut xsdt = XSDT::new(OEM_ID, OEM_TABLE_ID, OEM_REVISION);
    xsdt.add_entry(area.push(&fadt::table(dsdt)));
    xsdt.add_entry(area.push(&madt::table(platform)));
    xsdt.add_entry(area.push(&mcfg::table(platform)));
    if let Some(dmar) = &platform.dmar {
        xsdt.add_entry(area.push(&dmar::table(dmar, platform.ioapic.id)));
    }
    let xsdt = area.push(&bytes(&xsdt));
    let rsdp = bytes(&Rsdp::new(OEM_ID, xsdt));
    area.bytes[..rsdp.len()].copy_from_slice(&rsdp);
    if area.bytes.len() > layout::ACPI_TABLES_MAX {
        return Err(TablesTooLarge(area.bytes.len()));
    }
    Ok(Blob { address: layout::ACPI_TABLES, bytes: area.bytes })
}

const ALIGNMENT: usize = 16;

/// The growing area of tables.
struct Area {
    bytes: Vec<u8>,
}

impl Area {
    /// Appends a table and returns its address.
    fn push(&mut self, table: &[u8]) -> u64 {
        let offset = self.bytes.len();
        self.bytes.extend_from_slice(table);
        self.bytes.resize(self.bytes.len().next_multiple_of(ALIGNMENT), 0);
        layout::ACPI_TABLES + offset as u64
    }
}

fn bytes(table: &dyn Aml) -> Vec<u8> {
    let mut bytes = Vec::new();
    table.to_aml_bytes(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests;

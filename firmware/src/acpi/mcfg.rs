//! MCFG: where configuration space lies (PCI Firmware 3.3, 4.1.2). One segment.

use acpi_tables::mcfg::MCFG;

use super::{OEM_ID, OEM_REVISION, OEM_TABLE_ID, bytes};
use crate::Platform;

/// The table.
pub(super) fn table(platform: &Platform) -> Vec<u8> {
    let mut mcfg = MCFG::new(OEM_ID, OEM_TABLE_ID, OEM_REVISION);
    mcfg.add_ecam(platform.ecam.base, 0, 0, platform.ecam.last_bus());
    bytes(&mcfg)
}

//! FADT: the fixed features of a hardware-reduced platform (ACPI 6.5, 5.2.9 and 4.8.3.7).
//!
//! Reduced, because then there are a sleep and a reset register and nothing else: no PM1 blocks, PM timer, SCI, SMI, FACS.

use acpi_tables::fadt::{FADTBuilder, Flags, PmProfile};
use acpi_tables::gas::{AccessSize, AddressSpace, GAS};

use super::{OEM_ID, OEM_REVISION, OEM_TABLE_ID, bytes};
use crate::layout;

/// IAPC_BOOT_ARCH (5.2.9.3): no VGA (bit 2), no ASPM (4), no CMOS clock (5); 8042 and legacy devices are absent as bits 1 and 0 are clear.
const BOOT_ARCHITECTURE: u16 = 1 << 2 | 1 << 4 | 1 << 5;

/// The table, with the DSDT at `dsdt`.
pub(super) fn table(dsdt: u64) -> Vec<u8> {
    let mut fadt = FADTBuilder::new(OEM_ID, OEM_TABLE_ID, OEM_REVISION)
        .dsdt_64(dsdt)
        .preferred_pm_profile(PmProfile::EnterpriseServer)
        .flag(Flags::Wbinvd)
        .flag(Flags::PwrButton)
        .flag(Flags::SlpButton)
        .flag(Flags::ResetRegSup)
        .flag(Flags::HwReducedAcpi);
    fadt.iapc_boot_arch = BOOT_ARCHITECTURE.into();
    fadt.reset_reg = byte_port(layout::RESET_PORT);
    fadt.reset_value = layout::RESET_VALUE;
    fadt.sleep_control_reg = byte_port(layout::SLEEP_CONTROL_PORT);
    fadt.sleep_status_reg = byte_port(layout::SLEEP_STATUS_PORT);
    bytes(&fadt.finalize())
}

fn byte_port(port: u16) -> GAS {
    GAS::new(AddressSpace::SystemIo, 8, 0, AccessSize::ByteAccess, port.into())
}

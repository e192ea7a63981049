//! What the payload needs of ACPI 6.5: the place of ECAM (MCFG) and how to power off (FADT).

use super::memory::{read_u8, read_u32, read_u64};
use super::port::out_byte;

/// Offset of the RSDP's address in PVH's start info.
const START_INFO_RSDP: u64 = 32;
/// Offset of the XSDT's address in the RSDP, section 5.2.5.3.
const RSDP_XSDT: u64 = 24;
/// Size of a table's header, section 5.2.6.
const HEADER: u64 = 36;
/// Offset of the address in FADT's SLEEP_CONTROL_REG, section 5.2.9.
const FADT_SLEEP_CONTROL: u64 = 244 + 4;
/// Offset of the first allocation's base in MCFG (PCI Firmware 3.3, table 4-3).
const MCFG_BASE: u64 = 44;
/// Sleep type 5 and SLP_EN, section 4.8.3.7.
const POWER_OFF: u8 = 5 << 2 | 1 << 5;

/// The tables, found from the start info.
#[derive(Clone, Copy)]
pub struct Acpi {
    xsdt: u64,
}

impl Acpi {
    /// Reads the place of the XSDT.
    pub fn find(start_info: u64) -> Self {
        Self { xsdt: read_u64(read_u64(start_info + START_INFO_RSDP) + RSDP_XSDT) }
    }

    /// The address of a table.
    pub fn table(&self, signature: &[u8; 4]) -> Option<u64> {
        let size = u64::from(read_u32(self.xsdt + 4));
        let mut tables = (HEADER..size).step_by(8).map(|offset| read_u64(self.xsdt + offset));
        tables.find(|table| (0..4).all(|byte| read_u8(table + byte) == signature[byte as usize]))
    }

    /// The address of bus 0's configuration space.
    pub fn ecam(&self) -> Option<u64> {
        self.table(b"MCFG").map(|mcfg| read_u64(mcfg + MCFG_BASE))
    }

    /// Ends the machine.
    pub fn power_off(&self) -> ! {
        if let Some(fadt) = self.table(b"FACP") {
            out_byte(read_u64(fadt + FADT_SLEEP_CONTROL) as u16, POWER_OFF);
        }
        loop {
            core::hint::spin_loop();
        }
    }
}

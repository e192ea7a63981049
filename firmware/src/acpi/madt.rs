//! MADT: the interrupt controllers (ACPI 6.5, 5.2.12).
//!
//! The boot CPU comes first, as Linux demands. PCAT_COMPAT is 0: there is no 8259. Interrupt source overrides are absent: no ISA interrupt is re-routed.

use acpi_tables::madt::{
    EnabledStatus, IoApic, LocalInterruptController, MADT, ProcessorLocalApic,
};
use acpi_tables::{Aml, AmlSink};
use zerocopy::{Immutable, IntoBytes};

use super::{OEM_ID, OEM_REVISION, OEM_TABLE_ID, bytes};
use crate::{Platform, layout};

/// Local APIC NMI (5.2.12.7).
#[derive(Clone, Copy, IntoBytes, Immutable)]
#[repr(C)]
struct LocalApicNmi {
    kind: u8,
    length: u8,
    processor: u8,
    flags: [u8; 2],
    lint: u8,
}

/// LINT1 of every CPU, polarity and trigger as the bus has them.
const NMI: LocalApicNmi =
    LocalApicNmi { kind: 4, length: 6, processor: 0xff, flags: [0; 2], lint: 1 };

impl Aml for LocalApicNmi {
    fn to_aml_bytes(&self, sink: &mut dyn AmlSink) {
        sink.vec(self.as_bytes());
    }
}

/// The table: one local APIC per CPU, the IOAPIC, NMI on LINT1.
pub(super) fn table(platform: &Platform) -> Vec<u8> {
    let local = LocalInterruptController::Address(layout::LOCAL_APIC as u32);
    let mut madt = MADT::new(OEM_ID, OEM_TABLE_ID, OEM_REVISION, local);
    for cpu in 0..platform.cpus {
        madt.add_structure(ProcessorLocalApic::new(cpu, cpu, EnabledStatus::Enabled));
    }
    madt.add_structure(IoApic::new(platform.ioapic.id, platform.ioapic.base, 0));
    madt.add_structure(NMI);
    bytes(&madt)
}

//! DSDT: the host bridge, the addresses that are taken, COM1, soft-off (ACPI 6.5, chapters 5.2.11.1, 6, 7.4; PCI Firmware 3.3, 4.1.3).
//!
//! `_DSM` is absent because the guest may place every BAR anew; `_PRT` of the bridges because wires pass them in the standard way.
//! The revision is 2: AML integers have 64 bits.

use acpi_tables::aml::{
    AddressSpace, AddressSpaceCacheable, Device, EISAName, IO, Interrupt, Memory32Fixed, Name,
    Package, ResourceTemplate, ZERO,
};
use acpi_tables::sdt::Sdt;
use acpi_tables::{Aml, AmlSink};

use super::osc::Osc;
use super::{OEM_ID, OEM_REVISION, OEM_TABLE_ID, routing};
use crate::{Platform, Window, layout};

/// The table.
pub(super) fn table(platform: &Platform) -> Vec<u8> {
    let mut aml = Vec::new();
    host_bridge(platform, &mut aml);
    motherboard(platform, &mut aml);
    com1(&mut aml);
    Name::new("_S5_".into(), &Package::new(vec![&layout::S5_SLEEP_TYPE])).to_aml_bytes(&mut aml);
    let mut table = Sdt::new(*b"DSDT", 36, 2, OEM_ID, OEM_TABLE_ID, OEM_REVISION);
    table.append_slice(&aml);
    table.as_slice().to_vec()
}

/// `\_SB.PCI0`: bus range, windows, interrupt routing, `_OSC`.
fn host_bridge(platform: &Platform, sink: &mut dyn AmlSink) {
    let buses = AddressSpace::new_bus_number(0_u16, platform.ecam.last_bus().into());
    let windows: Vec<_> = platform.windows.iter().map(window).collect();
    let mut resources: Vec<&dyn Aml> = vec![&buses];
    resources.extend(windows.iter().map(|window| window.as_ref()));
    let interrupts = routing::Table;
    Device::new(
        "_SB_.PCI0".into(),
        vec![
            &Name::new("_HID".into(), &EISAName::new("PNP0A08")),
            &Name::new("_CID".into(), &EISAName::new("PNP0A03")),
            &Name::new("_UID".into(), &ZERO),
            &Name::new("_SEG".into(), &ZERO),
            &Name::new("_BBN".into(), &ZERO),
            &Name::new("_CRS".into(), &ResourceTemplate::new(resources)),
            &interrupts,
            &Osc,
        ],
    )
    .to_aml_bytes(sink);
}

/// A window's descriptor: DWord below 4 GiB, QWord above.
fn window(window: &Window) -> Box<dyn Aml> {
    let (first, last) = (window.range.base, window.range.end() - 1);
    let cacheable = match window.prefetchable {
        true => AddressSpaceCacheable::PreFetchable,
        false => AddressSpaceCacheable::NotCacheable,
    };
    match (u32::try_from(first), u32::try_from(last)) {
        (Ok(first), Ok(last)) => {
            Box::new(AddressSpace::new_memory(cacheable, true, first, last, None))
        }
        _ => Box::new(AddressSpace::new_memory(cacheable, true, first, last, None)),
    }
}

/// `\_SB.MRES`: the ECAM is taken; without this node Linux doesn't trust MCFG.
fn motherboard(platform: &Platform, sink: &mut dyn AmlSink) {
    let ecam = platform.ecam.range();
    let taken = Memory32Fixed::new(true, ecam.base as u32, ecam.size as u32);
    Device::new(
        "_SB_.MRES".into(),
        vec![
            &Name::new("_HID".into(), &EISAName::new("PNP0C02")),
            &Name::new("_UID".into(), &ZERO),
            &Name::new("_CRS".into(), &ResourceTemplate::new(vec![&taken])),
        ],
    )
    .to_aml_bytes(sink);
}

/// `\_SB.COM1`: a 16550 with an edge-triggered, active-high, exclusive interrupt.
fn com1(sink: &mut dyn AmlSink) {
    let ports = IO::new(layout::COM1_PORT, layout::COM1_PORT, 1, 8);
    let interrupt = Interrupt::new(true, true, false, false, layout::COM1_GSI);
    Device::new(
        "_SB_.COM1".into(),
        vec![
            &Name::new("_HID".into(), &EISAName::new("PNP0501")),
            &Name::new("_UID".into(), &ZERO),
            &Name::new("_CRS".into(), &ResourceTemplate::new(vec![&ports, &interrupt])),
        ],
    )
    .to_aml_bytes(sink);
}
